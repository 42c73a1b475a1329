//! OTLP over HTTP: protobuf in the body of a POST.

use crate::clock::Timestamp;
use crate::cloud::retry_after;
use crate::delivery::answer::{Answer, retry_delay, status_label};
use crate::delivery::connection::Exchange;
use crate::delivery::sender::{AGENT, Wire};
use crate::delivery::words::{is_page, words};
use crate::proto::google::rpc;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::io::Write;
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
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked
        .and_then(|value| retry_after(value, Some(now)))
        .or_else(|| retry_delay(&told));
    let message = match told.message.as_str() {
        "" => words(headers, &exchange.body),
        message => message.into(),
    };
    Answer::of_http(status, after, wire.quote(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_is_smaller() {
        let body = b"service.name=datasphere ".repeat(100);
        let compressed = gzip(&body).expect("compressed");
        assert!(compressed.len() < body.len() / 10, "{}", compressed.len());
    }
}
