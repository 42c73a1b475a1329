//! A collector of traces that takes everything and remembers which scopes it got spans of.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What never comes fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_mins(1);

/// It speaks OTLP over HTTP, and ends when it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    scopes: watch::Receiver<HashSet<String>>,
    _server: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let (seen, scopes) = watch::channel(HashSet::new());
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::new(seen));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self {
            address,
            scopes,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a span of this scope.
    pub(crate) async fn until_of(&self, scope: &str) {
        let mut scopes = self.scopes.clone();
        let seen = timeout(PATIENCE, scopes.wait_for(|scopes| scopes.contains(scope))).await;
        assert!(seen.is_ok(), "no span of {scope}: {:?}", self.scopes.borrow());
    }
}

async fn take(State(seen): State<Arc<watch::Sender<HashSet<String>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("a request");
    let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
    let names = scopes.filter_map(|of| Some(of.scope?.name));
    let names: Vec<_> = names.collect();
    seen.send_modify(|seen| seen.extend(names));
}
