//! OTLP over HTTP: protobuf in the body of a POST.

use crate::clock::Timestamp;
use crate::delivery::answer::{Answer, retry_delay, status_label};
use crate::delivery::connection::Exchange;
use crate::delivery::sender::{AGENT, Wire};
use crate::delivery::words::{is_page, words};
use crate::proto::google::rpc;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};
use tonic::body::Body;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Sends one request.
pub(crate) async fn export(wire: &Wire, body: Bytes, now: Timestamp) -> Answer {
    match wire.connection.exchange(request(wire, body)).await {
        Ok(exchange) => answer(wire, &exchange, now),
        Err(failure) => wire.unanswered(&failure),
    }
}

fn request(wire: &Wire, body: Bytes) -> Request<Body> {
    let collector = &wire.collector;
    let compressed = collector.is_compressed.then(|| gzip(&body)).flatten();
    let is_compressed = compressed.is_some();
    let mut request = Request::new(Body::new(Full::new(compressed.unwrap_or(body))));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = collector.endpoint.uri().clone();
    let headers = request.headers_mut();
    headers.clone_from(collector.headers.map());
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(CONTENT_TYPE, PROTOBUF);
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    request
}

/// Spans repeat their attributes: the fastest level makes a tenth of them.
fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn answer(wire: &Wire, exchange: &Exchange, now: Timestamp) -> Answer {
    let (status, headers) = (exchange.head.status, &exchange.head.headers);
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_protobuf = kind.is_some_and(|kind| kind.starts_with(PROTOBUF.as_bytes()));
    if status.is_success() {
        // Many take everything without a word, some answer in JSON; a page of HTML is that of something else.
        if is_page(headers) {
            return Answer::no_collector(status_label(status));
        }
        let told = is_protobuf.then(|| ExportTraceServiceResponse::decode(exchange.body.clone()).ok());
        let partial = told.flatten().and_then(|told| told.partial_success);
        let partial = partial.unwrap_or_default();
        return Answer::taken(
            status_label(status),
            partial.rejected_spans,
            wire.quote(&partial.error_message),
        );
    }
    let told = is_protobuf.then(|| rpc::Status::decode(exchange.body.clone()).ok());
    let told = told.flatten().unwrap_or_default();
    let after = retry_after(headers, now).or_else(|| retry_delay(&told));
    let message = match told.message.as_str() {
        "" => words(headers, &exchange.body),
        message => message.into(),
    };
    Answer::of_http(status, after, wire.quote(&message))
}

/// Seconds, or a date. See <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let since_epoch = at.duration_since(UNIX_EPOCH).ok()?;
    let at = Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).ok()?, 0)?;
    Some(at.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_come_back_is_seconds_or_a_date() {
        let now = Timestamp::from_seconds(784_111_770, 0).expect("in range");
        for (value, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("ascii"))]);
            assert_eq!(
                retry_after(&headers, now),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_compressed_is_smaller() {
        let body = b"service.name=datasphere ".repeat(100);
        let compressed = gzip(&body).expect("compressed");
        assert!(compressed.len() < body.len() / 10, "{}", compressed.len());
    }
}
