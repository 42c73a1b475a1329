//! One connection of a caller: both versions of HTTP, within limits of size and time.

use crate::gateway::call::Calls;
use crate::gateway::presence::Presence;
use crate::gateway::stay::{Attended, Stay};
use crate::limits::{
    GATEWAY_CONNECTION_CALLS_MAX, GATEWAY_GREETING_TIME_MAX, GATEWAY_HEAD_BYTES_MAX, GATEWAY_HEADERS_MAX,
    GATEWAY_IDLE_TIME_MAX, GATEWAY_LAST_WORDS_TIME_MAX, GATEWAY_PING_INTERVAL, GATEWAY_PING_TIMEOUT,
    GATEWAY_STALL_TIME_MAX, GATEWAY_UNSENT_BYTES_MAX, GATEWAY_WINDOW_BYTES,
};
use crate::listening::{Severance, Stream};
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Silence after which the kernel asks whether a caller over HTTP/1.1 is still there; HTTP/2 has pings.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

tokio::task_local! {
    /// Ends what the present call lives in: its stream, or its connection over HTTP/1.1.
    static LIFE: CancellationToken;
}

/// Answers the calls of a connection until either side has enough.
pub(crate) async fn serve(stream: Stream, calls: Arc<Calls>, stop: CancellationToken) {
    stream.keep_alive(TCP_KEEPALIVE);
    stream.bound_unsent(GATEWAY_UNSENT_BYTES_MAX);
    let peer = stream.ends().peer.map(|peer| peer.ip());
    let severance = stream.severance();
    let end = CancellationToken::new();
    let served = answer_calls(stream, &severance, calls, peer, stop);
    let mut served = pin!(LIFE.scope(end.clone(), served));
    if end.run_until_cancelled(served.as_mut()).await.is_none() {
        severance.sever();
    }
}

async fn answer_calls(
    stream: Stream,
    severance: &Severance,
    calls: Arc<Calls>,
    peer: Option<IpAddr>,
    stop: CancellationToken,
) {
    let presence = Presence::new();
    let service = service_fn(|request: Request<Incoming>| {
        let guest = presence.enter();
        let calls = Arc::clone(&calls);
        async move {
            let mut stay = Stay::new(guest, LIFE.with(Clone::clone));
            let response = calls.answer(request, peer, &mut stay).await;
            let stay = calls.stays.attend(stay);
            Ok::<_, Infallible>(response.map(|answer| Attended { answer, stay }))
        }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Whatever ends a connection (a reset, a bad frame, its time) is the caller's to notice.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = presence.left() => {}
        () = presence.stuck_for(GATEWAY_LAST_WORDS_TIME_MAX) => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let last_time = if presence.has_stalled() {
        GATEWAY_LAST_WORDS_TIME_MAX
    } else {
        GATEWAY_GREETING_TIME_MAX
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = presence.left_for(last_time) => {}
        () = presence.stuck_for(GATEWAY_STALL_TIME_MAX) => {}
    }
    if presence.has_stalled() {
        // What nobody reads is not left to the kernel, either.
        severance.sever();
    }
}

/// Runs the streams of HTTP/2 so that each can be ended: dropped before its end, it is reset, and what is unsent of it
/// is given back.
#[derive(Clone, Debug)]
struct Streams(TokioExecutor);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let end = CancellationToken::new();
        let stream = LIFE.scope(end.clone(), stream);
        self.0
            .execute(async move { end.run_until_cancelled(stream).await });
    }
}

fn builder() -> Builder<Streams> {
    let head_bytes_max = u32::try_from(GATEWAY_HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    let window_bytes = usize::try_from(GATEWAY_WINDOW_BYTES).unwrap_or(usize::MAX);
    let mut builder = Builder::new(Streams(TokioExecutor::new()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(GATEWAY_IDLE_TIME_MAX)
        .max_buf_size(GATEWAY_HEAD_BYTES_MAX)
        .max_headers(GATEWAY_HEADERS_MAX)
        .auto_date_header(false)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(GATEWAY_WINDOW_BYTES)
        .initial_connection_window_size(GATEWAY_WINDOW_BYTES.saturating_mul(GATEWAY_CONNECTION_CALLS_MAX))
        .max_concurrent_streams(GATEWAY_CONNECTION_CALLS_MAX)
        .max_send_buf_size(window_bytes)
        .max_header_list_size(head_bytes_max)
        .keep_alive_interval(GATEWAY_PING_INTERVAL)
        .keep_alive_timeout(GATEWAY_PING_TIMEOUT)
        .auto_date_header(false);
    builder
}
