//! OTLP over gRPC: bytes are passed through, and tonic does the rest.

use crate::cloud::screen;
use crate::delivery::answer::Answer;
use crate::delivery::connection::{Connection, Exchange};
use crate::delivery::sender::{AGENT, Wire};
use crate::delivery::words::words;
use crate::limits::OTLP_ANSWER_BYTES_MAX;
use bytes::{BufMut, Bytes};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{BufferSettings, Codec, CompressionEncoding, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_prost::ProstDecoder;

const PATH: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");

/// Sends one request.
pub(crate) async fn export(wire: &Wire, body: Bytes) -> Answer {
    let collector = &wire.collector;
    let mut headers = collector.headers.map().clone();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let metadata = MetadataMap::from_headers(headers);
    let mut request = Request::from_parts(metadata, Extensions::new(), body);
    request.set_timeout(collector.timeout);
    let channel = Screened(wire.connection.clone());
    let mut grpc = Grpc::with_origin(channel, collector.endpoint.uri().clone())
        .max_decoding_message_size(OTLP_ANSWER_BYTES_MAX)
        .accept_compressed(CompressionEncoding::Gzip);
    if collector.is_compressed {
        grpc = grpc.send_compressed(CompressionEncoding::Gzip);
    }
    match grpc.unary(request, PATH, PassThrough).await {
        Ok(response) => {
            let partial = response.into_inner().partial_success.unwrap_or_default();
            Answer::taken("OK", partial.rejected_spans, wire.quote(&partial.error_message))
        }
        Err(status) => answer(wire, &status),
    }
}

fn answer(wire: &Wire, status: &Status) -> Answer {
    let causes = std::iter::successors(status.source(), |error: &&(dyn Error + 'static)| {
        (*error).source()
    });
    match causes.last() {
        // tonic gives a source to what it made of an error of ours, and none to what arrived.
        Some(cause) => match cause.downcast_ref() {
            Some(failure) => wire.unanswered(failure),
            None => Answer::broken(wire.quote(&cause.to_string())),
        },
        None => Answer::of_grpc(status, wire.quote(status.message())),
    }
}

/// The connection as tonic wants it, with answers that tonic can bear.
struct Screened(Connection);

impl Service<http::Request<Body>> for Screened {
    type Response = Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let connection = self.0.clone();
        Box::pin(async move {
            match connection.exchange(request).await {
                Ok(exchange) => response(exchange),
                Err(failure) => Err(failure.into()),
            }
        })
    }
}

/// What answered, if it speaks gRPC at all.
fn response(exchange: Exchange) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
    let Exchange {
        mut head,
        body,
        mut trailers,
    } = exchange;
    let is_grpc = |headers: &HeaderMap| {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
    };
    if !is_grpc(&head.headers) && !head.headers.contains_key(Status::GRPC_STATUS) {
        return Err(Box::new(foreign(head.status, &words(&head.headers, &body))));
    }
    screen(&mut head.headers);
    screen(&mut trailers);
    let trailers = (!trailers.is_empty()).then_some(Ok(trailers));
    let body = Full::new(body).with_trailers(std::future::ready(trailers));
    Ok(Response::from_parts(head, Body::new(body)))
}

/// What an answer means that is none of gRPC: see
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
fn foreign(status: StatusCode, words: &str) -> Status {
    let code = match status.as_u16() {
        200 => return Status::unimplemented("what answers there is no collector of traces"),
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    let colon = if words.is_empty() { "" } else { ": " };
    Status::new(code, format!("HTTP status {}{colon}{words}", status.as_u16()))
}

/// Requests are bytes already.
#[derive(Clone, Copy, Debug)]
struct PassThrough;

impl Codec for PassThrough {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = ProstDecoder<ExportTraceServiceResponse>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::default())
    }
}

impl Encoder for PassThrough {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}
