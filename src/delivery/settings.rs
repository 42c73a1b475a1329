//! Where spans are sent, and how.

use crate::delivery::OwnTraces;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What an operator may set of the delivery.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where spans go.
    pub exporter: Exporter,
    /// The exporter's own traces, where they are wanted.
    pub own: Option<OwnTraces>,
    /// The key or variable because of which operations are traced, to be shown.
    pub enabled_by: &'static str,
}

/// Where spans go.
#[derive(Clone, Debug)]
pub enum Exporter {
    /// To a collector, or whatever else speaks OTLP.
    Collector(Box<Collector>),
    /// To standard output, one line of JSON for each span: to look at them.
    Console,
}

/// A collector, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Collector {
    /// The protocol.
    pub protocol: Protocol,
    /// Its whole address.
    pub endpoint: Endpoint,
    /// Sent with each request.
    pub headers: Headers,
    /// Longest time for one request.
    pub timeout: Duration,
    /// Whether requests are compressed with gzip.
    pub is_compressed: bool,
    /// Files for TLS, which the scheme of the address decides on.
    pub tls: Tls,
}

/// How OTLP is spoken. See <https://opentelemetry.io/docs/specs/otlp/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// Protobuf in the body of a POST.
    Http,
}

impl Protocol {
    /// As it is written in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// PEM files for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust instead of the system's.
    pub certificate: Option<PathBuf>,
    /// Our own certificate, with those that lead to its authority.
    pub client_certificate: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
}

/// The address of a collector, without credentials in it. What is printed of it has no query.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// Reads `http://host:4318/path`. Without a scheme it is `scheme`; without that, it needs one. The error says
    /// what is wrong without quoting.
    ///
    /// # Errors
    /// When it is no such address, or has credentials in it.
    pub fn parse(text: &str, scheme: Option<&str>) -> Result<Self, &'static str> {
        let whole = match (text.contains("://"), scheme) {
            (true, _) => Cow::Borrowed(text),
            (false, Some(scheme)) => Cow::Owned(format!("{scheme}://{text}")),
            (false, None) => {
                return Err("it must begin with http:// or https://; for gRPC it need not \
                     (OTEL_EXPORTER_OTLP_PROTOCOL=grpc)");
            }
        };
        let uri: Uri = whole.parse().map_err(|_| "it is no URL")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("it must begin with http:// or https://");
        }
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("credentials belong into OTEL_EXPORTER_OTLP_HEADERS, not into an address");
        }
        if authority.host().is_empty() {
            return Err("it has no host");
        }
        // What follows the host, and is no port that can be dialled.
        let is_bare = authority.as_str().ends_with(authority.host());
        if !is_bare && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("its port is no number from 1 to 65535");
        }
        Ok(Self(uri))
    }

    /// The address below this one: `http://host:4318` and `v1/traces` make `http://host:4318/v1/traces`.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let query = self.0.query().map(|query| format!("?{query}"));
        let whole = format!(
            "{}/{path}{}",
            self.0.path().trim_end_matches('/'),
            query.unwrap_or_default()
        );
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = PathAndQuery::from_str(&whole).ok();
        Self(Uri::from_parts(parts).unwrap_or_else(|_| self.0.clone()))
    }

    /// Whether this path was added already.
    pub fn is_below(&self, path: &str) -> bool {
        let own = self.0.path().trim_end_matches('/');
        own.strip_suffix(path).is_some_and(|rest| rest.ends_with('/'))
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether it has a query, which may hold a secret.
    pub fn has_query(&self) -> bool {
        self.0.query().is_some()
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", Authority::as_str);
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{authority}{}", self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Headers of every request. Their values are secrets: nothing shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

/// Why a list of headers cannot be used; it does not quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// A pair without `=`, or a name that is none.
    #[error("pair {0} is not name=value")]
    Pair(usize),
    /// A `%` that begins no percent-encoded byte.
    #[error("the value of pair {0} has a % without two hexadecimal digits; % itself is %25")]
    Encoding(usize),
    /// Characters that no header may carry.
    #[error("the value of pair {0} has characters that no header may carry")]
    Value(usize),
    /// A header of the protocol itself.
    #[error("pair {0} names a header that the exporter sets itself")]
    Reserved(usize),
}

const RESERVED: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TE,
    TRANSFER_ENCODING,
    USER_AGENT,
];

/// Shorter values are no secrets, and would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;

impl Headers {
    /// Reads `name=value,other=value`, with values percent-encoded.
    /// See <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables>.
    ///
    /// # Errors
    /// Which pair cannot be used.
    pub fn parse(text: &str) -> Result<Self, HeadersError> {
        let mut headers = HeaderMap::new();
        let pairs = text.split(',').map(str::trim).zip(1..);
        for (pair, place) in pairs.filter(|(pair, _)| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(HeadersError::Pair(place))?;
            let name: HeaderName = name.trim().parse().map_err(|_| HeadersError::Pair(place))?;
            if RESERVED.contains(&name) || name.as_str().starts_with("grpc-") {
                return Err(HeadersError::Reserved(place));
            }
            if !is_percent_encoded(value) {
                return Err(HeadersError::Encoding(place));
            }
            let value: Cow<'_, [u8]> = percent_decode_str(value.trim()).into();
            let mut value = HeaderValue::from_bytes(&value).map_err(|_| HeadersError::Value(place))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(Self(headers))
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.0
    }

    /// A text of the other side, which may echo what it was sent, without any of it.
    pub(crate) fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut scrubbed = Cow::Borrowed(text);
        for value in self
            .0
            .values()
            .filter_map(|value| str::from_utf8(value.as_bytes()).ok())
        {
            // `Bearer t1…`: the second word alone may be echoed.
            for secret in [value].into_iter().chain(value.split_whitespace().skip(1)) {
                let in_json = serde_json::Value::from(secret).to_string();
                for secret in [secret, in_json.trim_matches('"')] {
                    if secret.len() >= SECRET_BYTES_MIN && scrubbed.contains(secret) {
                        scrubbed = Cow::Owned(scrubbed.replace(secret, "***"));
                    }
                }
            }
        }
        scrubbed
    }
}

/// Decoding leaves a `%` as it is where no two digits follow, and would send another value than was meant.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.count() == 2
    })
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.keys().map(|name| (name.as_str(), "***"));
        f.debug_map().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_specification_writes_them_and_never_shown() {
        let headers =
            Headers::parse("api-key=canary%2C%20two, Authorization = Bearer%20canary,,x=").expect("valid");
        assert_eq!(headers.map()["api-key"], "canary, two");
        assert_eq!(headers.map()["authorization"], "Bearer canary");
        assert_eq!(headers.map()["x"], "");
        for shown in [format!("{headers:?}"), format!("{:?}", headers.map())] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        for (text, error) in [
            ("a=b,canary", HeadersError::Pair(2)),
            ("a b=canary", HeadersError::Pair(1)),
            ("a=%0Acanary", HeadersError::Value(1)),
            ("a=%zzcanary", HeadersError::Encoding(1)),
            ("a=%41,b=canary%4", HeadersError::Encoding(2)),
            ("a=canary%", HeadersError::Encoding(1)),
            ("a=b,Content-Type=canary", HeadersError::Reserved(2)),
            ("grpc-timeout=1S", HeadersError::Reserved(1)),
        ] {
            assert_eq!(Headers::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_the_other_side_echoes_is_scrubbed() {
        let headers = Headers::parse("api-key=k4n4ry,authorization=Bearer%20t1.b1rd,x=a").expect("valid");
        let echoed = "bad k4n4ry, bad Bearer t1.b1rd, bad t1.b1rd";
        assert_eq!(headers.scrub(echoed), "bad ***, bad ***, bad ***");
        assert_eq!(headers.scrub("a man, a plan"), "a man, a plan");
        let headers = Headers::parse(r#"api-key=k4"n\4ry"#).expect("valid");
        let echoed = serde_json::json!({ "bad": r#"k4"n\4ry"# }).to_string();
        assert_eq!(headers.scrub(&echoed), r#"{"bad":"***"}"#);
    }

    #[test]
    fn an_endpoint_is_an_address_with_a_scheme_and_without_credentials() {
        let shown = |text, scheme| Endpoint::parse(text, scheme).map(|endpoint| endpoint.to_string());
        for (text, scheme, expected) in [
            ("http://collector:4318", None, "http://collector:4318/"),
            ("https://collector/a/b?key=canary", None, "https://collector/a/b"),
            ("collector:4317", Some("https"), "https://collector:4317/"),
            ("[::1]:4317", Some("http"), "http://[::1]:4317/"),
            ("http://collector", Some("https"), "http://collector/"),
        ] {
            assert_eq!(shown(text, scheme).as_deref(), Ok(expected), "{text}");
        }
        for (text, scheme) in [
            ("collector:4318", None),
            ("ftp://collector", None),
            ("http://", None),
            ("http://user:canary@collector", None),
            ("http://collector:", None),
            ("http://collector:port", None),
            ("http://collector:99999", None),
            ("two words", Some("http")),
        ] {
            let error = shown(text, scheme).expect_err(text);
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_path_is_added_to_the_one_that_is_there() {
        let below = |text| {
            let endpoint = Endpoint::parse(text, None).expect("valid");
            endpoint.below("v1/traces").uri().to_string()
        };
        assert_eq!(below("http://c:4318"), "http://c:4318/v1/traces");
        assert_eq!(below("http://c/otlp/"), "http://c/otlp/v1/traces");
        assert_eq!(below("http://c/otlp?key=k"), "http://c/otlp/v1/traces?key=k");
    }
}
