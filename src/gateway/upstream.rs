//! Connections to the cloud, which all callers share.

use crate::cloud::{CloudError, Connector, Passage, Protocols};
use crate::gateway::refusal::Refusal;
use crate::gateway::upload::Upload;
use crate::limits::{
    GATEWAY_CONNECT_TIME_MAX, GATEWAY_HEAD_BYTES_MAX, GATEWAY_HEADERS_MAX, GATEWAY_HTTP_CALLS_MAX,
    GATEWAY_LANE_CALLS_MAX, GATEWAY_LANES_MAX, GATEWAY_PEER_CALLS_MAX, GATEWAY_PEER_HTTP_CALLS_MAX,
    GATEWAY_PING_INTERVAL, GATEWAY_PING_TIMEOUT, GATEWAY_WINDOW_BYTES,
};
use crate::listening::{Peers, Share};
use http::Uri;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tonic::Code;
use tonic::codegen::Service;

/// Connections by protocol. For gRPC they are lanes with a bounded number of calls each: servers bound the calls of a
/// connection, and a further call would wait behind logs that are read for days.
#[derive(Debug)]
pub(crate) struct Upstreams {
    lanes: Vec<Arc<Lane>>,
    peers: Peers,
    http: Arc<Lane>,
    http_peers: Peers,
}

#[derive(Debug)]
struct Lane {
    client: Client<Timely, Upload>,
    calls_max: usize,
    calls: AtomicUsize,
}

/// The place of one call; it is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    lane: Arc<Lane>,
    _share: Share,
}

impl Upstreams {
    /// # Errors
    /// TLS cannot be set up.
    pub(crate) fn new(passage: &Passage) -> Result<Self, CloudError> {
        let grpc = Timely(passage.connector(Protocols::Grpc)?);
        let http = Timely(passage.connector(Protocols::Http1)?);
        let lane = |_| Arc::new(Lane::new(client(grpc.clone(), true), GATEWAY_LANE_CALLS_MAX));
        Ok(Self {
            lanes: (0..GATEWAY_LANES_MAX).map(lane).collect(),
            peers: Peers::new(GATEWAY_PEER_CALLS_MAX),
            http: Arc::new(Lane::new(client(http, false), GATEWAY_HTTP_CALLS_MAX)),
            http_peers: Peers::new(GATEWAY_PEER_HTTP_CALLS_MAX),
        })
    }

    /// A seat in the first lane that has one.
    ///
    /// # Errors
    /// All are taken, or this caller has its share.
    pub(crate) fn seat(&self, is_grpc: bool, peer: Option<IpAddr>) -> Result<Seat, Refusal> {
        let (lanes, peers) = if is_grpc {
            (self.lanes.as_slice(), &self.peers)
        } else {
            (std::slice::from_ref(&self.http), &self.http_peers)
        };
        let share = peers.share(peer);
        let share = share.ok_or_else(|| Refusal::new(Code::ResourceExhausted, TOO_MANY))?;
        let lane = lanes.iter().find(|lane| lane.takes());
        let lane = lane.ok_or_else(|| Refusal::new(Code::Unavailable, FULL))?;
        Ok(Seat {
            lane: Arc::clone(lane),
            _share: share,
        })
    }
}

const FULL: &str = "too many calls are under way; call again later";

const TOO_MANY: &str =
    "too many calls from this address are under way; call again when some of them are over";

impl Lane {
    fn new(client: Client<Timely, Upload>, calls_max: usize) -> Self {
        Self {
            client,
            calls_max,
            calls: AtomicUsize::new(0),
        }
    }

    /// Whether there was room for one more.
    fn takes(&self) -> bool {
        let one_more = |calls: usize| (calls < self.calls_max).then_some(calls + 1);
        self.calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }
}

impl Seat {
    /// Sends a call.
    pub(crate) fn send(&self, request: http::Request<Upload>) -> ResponseFuture {
        self.lane.client.request(request)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lane.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn client(connector: Timely, is_grpc: bool) -> Client<Timely, Upload> {
    let head_bytes_max = u32::try_from(GATEWAY_HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    let window_bytes = usize::try_from(GATEWAY_WINDOW_BYTES).unwrap_or(usize::MAX);
    let calls_max = u32::try_from(GATEWAY_LANE_CALLS_MAX).unwrap_or(u32::MAX);
    Client::builder(TokioExecutor::new())
        .http2_only(is_grpc)
        .http2_initial_stream_window_size(GATEWAY_WINDOW_BYTES)
        .http2_initial_connection_window_size(GATEWAY_WINDOW_BYTES.saturating_mul(calls_max))
        .http2_max_send_buf_size(window_bytes)
        .http2_max_header_list_size(head_bytes_max)
        .http2_keep_alive_interval(GATEWAY_PING_INTERVAL)
        .http2_keep_alive_timeout(GATEWAY_PING_TIMEOUT)
        .http1_max_buf_size(GATEWAY_HEAD_BYTES_MAX)
        .http1_max_headers(GATEWAY_HEADERS_MAX)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

type Failure = Box<dyn Error + Send + Sync>;

/// A connector whose TLS, too, has to come up in time.
#[derive(Clone, Debug)]
struct Timely(Connector);

impl Service<Uri> for Timely {
    type Response = <Connector as Service<Uri>>::Response;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(GATEWAY_CONNECT_TIME_MAX, self.0.call(uri));
        Box::pin(async {
            connecting
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }
}
