//! A receiver of traces that speaks both protocols on one port, and answers as it is told to.

use crate::delivery::tests::PATIENCE;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::future::{Ready, ready};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::codegen::Service;
use tonic::transport::{Server, ServerTlsConfig};
use tonic_prost::ProstCodec;

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) request: ExportTraceServiceRequest,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        let scopes = self.request.resource_spans.iter().flat_map(|of| &of.scope_spans);
        scopes.flat_map(|of| &of.spans)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.spans().map(|span| span.name.as_str()).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.request.encoded_len()
    }
}

/// What is answered.
pub(crate) enum Reply {
    /// Everything is taken.
    Taken,
    /// All but so many, with a message.
    Partly(i64, &'static str),
    /// A status of either protocol.
    Grpc(Status),
    /// See [`Reply::Grpc`]; with seconds for `Retry-After`.
    Http(u16, Option<&'static str>),
    /// Something that is no answer of a collector.
    Page,
    /// A status, a type of content and a body.
    Words(u16, &'static str, &'static str),
    /// None, ever.
    Silence,
}

type Judge = dyn Fn(usize, &Received) -> Reply + Send + Sync;

/// The receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    judge: Box<Judge>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    /// One that answers by `judge`, which is told how many requests came before.
    pub(crate) async fn start(judge: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", None, judge).await
    }

    pub(crate) async fn start_at(
        address: &str,
        tls: Option<ServerTlsConfig>,
        judge: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            judge: Box::new(judge),
            received: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/v1/traces", post(over_http))
            .route(
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                post(over_grpc),
            )
            .with_state(Arc::clone(&shared));
        let mut server = Server::builder().accept_http1(true);
        if let Some(tls) = tls {
            server = server.tls_config(tls).expect("a certificate");
        }
        let server = server.add_routes(router.into());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            server.serve_with_incoming(incoming).await.expect("serves");
        });
        Self {
            address,
            shared,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    /// Names of all spans, in the order in which they came.
    pub(crate) fn names(&self) -> Vec<String> {
        let requests = self.requests();
        let names = requests.iter().flat_map(Received::names);
        names.map(str::to_owned).collect()
    }

    pub(crate) async fn until_requests(&self, count: usize) {
        let mut counts = self.shared.count.subscribe();
        let waiting = timeout(PATIENCE, counts.wait_for(|there| *there >= count));
        assert!(
            waiting.await.is_ok(),
            "{} of {count} requests",
            self.requests().len()
        );
    }
}

impl Shared {
    fn receive(&self, request: ExportTraceServiceRequest, headers: HeaderMap) -> Reply {
        let received = Received {
            request,
            headers,
            at: Instant::now(),
        };
        let mut all = self.received.lock().expect("not poisoned");
        let reply = (self.judge)(all.len(), &received);
        all.push(received);
        self.count.send_replace(all.len());
        reply
    }
}

async fn over_http(
    State(shared): State<Arc<Shared>>,
    request: Request<axum::body::Body>,
) -> Response<axum::body::Body> {
    let (head, body) = request.into_parts();
    let mut bytes = to_bytes(body, 64 << 20).await.expect("a body").to_vec();
    if head
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding == "gzip")
    {
        let compressed = std::mem::take(&mut bytes);
        GzDecoder::new(compressed.as_slice())
            .read_to_end(&mut bytes)
            .expect("gzip");
    }
    assert_eq!(head.headers[CONTENT_TYPE], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("OTLP");
    let protobuf = [(CONTENT_TYPE, "application/x-protobuf")];
    match shared.receive(request, head.headers) {
        Reply::Taken => protobuf.into_response(),
        Reply::Partly(rejected, message) => {
            (protobuf, partial(rejected, message).encode_to_vec()).into_response()
        }
        Reply::Http(status, retry_after) => {
            let told = crate::proto::google::rpc::Status {
                message: format!("told {status}"),
                ..Default::default()
            };
            let status = StatusCode::from_u16(status).expect("a status");
            let mut response = (status, protobuf, told.encode_to_vec()).into_response();
            if let Some(seconds) = retry_after {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, seconds.parse().expect("ascii"));
            }
            response
        }
        Reply::Page => words(200, "text/html; charset=utf-8", "<html>"),
        Reply::Words(status, kind, body) => words(status, kind, body),
        Reply::Silence => std::future::pending().await,
        Reply::Grpc(_) => unreachable!("a test of the other protocol"),
    }
}

async fn over_grpc(
    State(shared): State<Arc<Shared>>,
    request: Request<axum::body::Body>,
) -> Response<axum::body::Body> {
    let headers = request.headers().clone();
    let export = Export { shared, headers };
    let mut grpc = tonic::server::Grpc::new(ProstCodec::default())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let mut response = grpc.unary(export, request).await;
    match response.extensions_mut().remove::<Whim>() {
        Some(Whim::Words(status, kind, body)) => words(status, kind, body),
        Some(Whim::Silence) => std::future::pending().await,
        None => response.map(axum::body::Body::new),
    }
}

/// What tonic would not answer.
#[derive(Clone)]
enum Whim {
    Words(u16, &'static str, &'static str),
    Silence,
}

fn words(status: u16, kind: &'static str, body: &'static str) -> Response<axum::body::Body> {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}

struct Export {
    shared: Arc<Shared>,
    headers: HeaderMap,
}

impl Service<tonic::Request<ExportTraceServiceRequest>> for Export {
    type Response = tonic::Response<ExportTraceServiceResponse>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<ExportTraceServiceRequest>) -> Self::Future {
        let whim = |whim| {
            let mut response = tonic::Response::new(ExportTraceServiceResponse::default());
            response.extensions_mut().insert(whim);
            Ok(response)
        };
        ready(
            match self.shared.receive(request.into_inner(), self.headers.clone()) {
                Reply::Taken => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
                Reply::Partly(rejected, message) => Ok(tonic::Response::new(partial(rejected, message))),
                Reply::Grpc(status) => Err(status),
                Reply::Page => whim(Whim::Words(200, "text/html; charset=utf-8", "<html>")),
                Reply::Words(status, kind, body) => whim(Whim::Words(status, kind, body)),
                Reply::Silence => whim(Whim::Silence),
                Reply::Http(..) => unreachable!("a test of the other protocol"),
            },
        )
    }
}

fn partial(rejected_spans: i64, message: &str) -> ExportTraceServiceResponse {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message: message.to_owned(),
        }),
    }
}
