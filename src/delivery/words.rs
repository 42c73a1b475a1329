//! What is said in an answer that is no OTLP: a proxy or a guard on the way has words of its own.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;

/// A page is for a browser: nothing in it is shown.
const PAGE: &str = "a page of HTML";

/// The words of a body of text or JSON; nothing of any other, except that a page of HTML is one. They are neither
/// cut nor redacted yet.
pub(crate) fn words<'a>(headers: &HeaderMap, body: &'a [u8]) -> Cow<'a, str> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Cow::Borrowed("");
    }
    match media_type(headers).as_str() {
        "text/html" | "application/xhtml+xml" => Cow::Borrowed(PAGE),
        "text/plain" => plain(body),
        kind if kind == "application/json" || kind.ends_with("+json") => json(body),
        _ => Cow::Borrowed(""),
    }
}

/// Whether it is what a browser gets.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    media_type(headers) == "text/html"
}

fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
    let kind = kind.and_then(Result::ok).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

fn plain(body: &[u8]) -> Cow<'_, str> {
    // Some call a page plain text.
    match body.trim_ascii_start().first() {
        Some(b'<') => Cow::Borrowed(PAGE),
        _ => String::from_utf8_lossy(body.trim_ascii()),
    }
}

/// Written anew, so that an echo of a secret has one form only; what cannot be read is not shown.
fn json(body: &[u8]) -> Cow<'static, str> {
    match serde_json::from_slice(body) {
        Ok(serde_json::Value::String(text)) => Cow::Owned(text),
        Ok(told) => Cow::Owned(told.to_string()),
        Err(_) => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_are_quoted_a_page_is_named_and_nothing_else_is_shown() {
        for (kind, body, expected) in [
            ("text/plain; charset=utf-8", " no such tenant\n", "no such tenant"),
            ("TEXT/PLAIN", "\n<!doctype html><p>canary", PAGE),
            ("text/html", "<p>canary", PAGE),
            (
                "application/json",
                "{ \"code\": 3,\n \"m\": \"a\\/b\" }",
                r#"{"code":3,"m":"a/b"}"#,
            ),
            ("application/problem+json", r#""as a text""#, "as a text"),
            ("application/json", r#"{"m": "canary"#, ""),
            ("application/octet-stream", "canary", ""),
            ("", "canary", ""),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().expect("ascii"))]);
            assert_eq!(words(&headers, body.as_bytes()), expected, "{kind}");
        }
        assert_eq!(words(&HeaderMap::new(), b"canary"), "");
    }

    #[test]
    fn what_is_compressed_is_not_shown() {
        let plain = HeaderValue::from_static("text/plain");
        let gzip = HeaderValue::from_static("gzip");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, plain), (CONTENT_ENCODING, gzip)]);
        assert_eq!(words(&headers, b"\x1f\x8b"), "");
    }
}
