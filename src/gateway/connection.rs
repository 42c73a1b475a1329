//! One connection of a caller: both versions of HTTP, within limits of size and time.

use crate::gateway::answer::{AnswerBody, BrokenOff};
use crate::gateway::call::Calls;
use crate::limits::{
    GATEWAY_CONNECTION_CALLS_MAX, GATEWAY_GREETING_TIME_MAX, GATEWAY_HEAD_BYTES_MAX, GATEWAY_HEADERS_MAX,
    GATEWAY_IDLE_TIME_MAX, GATEWAY_PING_INTERVAL, GATEWAY_PING_TIMEOUT, GATEWAY_WINDOW_BYTES,
};
use crate::listening::Stream;
use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Silence after which the kernel asks whether a caller over HTTP/1.1 is still there; HTTP/2 has pings.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

/// Answers the calls of a connection until either side has enough.
pub(crate) async fn serve(stream: Stream, calls: Arc<Calls>, stop: CancellationToken) {
    stream.keep_alive(TCP_KEEPALIVE);
    // Callers on a unix socket are of this host.
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = stream.ends().peer.map_or(local, |peer| peer.ip());
    let presence = Presence::new();
    let service = service_fn(|request: Request<Incoming>| {
        let guest = presence.enter();
        let calls = Arc::clone(&calls);
        async move {
            let response = calls.answer(request, peer).await;
            Ok::<_, Infallible>(response.map(|answer| Attended {
                answer,
                _guest: guest,
            }))
        }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Whatever ends a connection (a reset, a bad frame, its time) is the caller's to notice.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = presence.left() => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = presence.left_for(GATEWAY_GREETING_TIME_MAX) => {}
    }
}

fn builder() -> Builder<TokioExecutor> {
    let head_bytes_max = u32::try_from(GATEWAY_HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    let window_bytes = usize::try_from(GATEWAY_WINDOW_BYTES).unwrap_or(usize::MAX);
    let mut builder = Builder::new(TokioExecutor::new());
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

/// How many calls of a connection are under way, and since when.
struct Presence(Arc<watch::Sender<Count>>);

#[derive(Clone, Copy)]
struct Count {
    calls: usize,
    since: Instant,
    has_called: bool,
}

/// A call under way.
struct Guest(Arc<watch::Sender<Count>>);

impl Presence {
    fn new() -> Self {
        let (sender, _) = watch::channel(Count {
            calls: 0,
            since: Instant::now(),
            has_called: false,
        });
        Self(Arc::new(sender))
    }

    fn enter(&self) -> Guest {
        self.0.send_modify(|count| {
            count.calls += 1;
            count.has_called = true;
        });
        Guest(Arc::clone(&self.0))
    }

    /// Returns once there was no call for as long as there may be none.
    async fn left(&self) {
        let greeted = |count: &Count| {
            if count.has_called {
                GATEWAY_IDLE_TIME_MAX
            } else {
                GATEWAY_GREETING_TIME_MAX
            }
        };
        self.empty_for(greeted).await;
    }

    async fn left_for(&self, time: Duration) {
        self.empty_for(|_| time).await;
    }

    async fn empty_for(&self, time: impl Fn(&Count) -> Duration) {
        let mut counts = self.0.subscribe();
        loop {
            let count = *counts.borrow_and_update();
            if count.calls > 0 {
                // Ends with the connection, which this is part of.
                drop(counts.changed().await);
                continue;
            }
            tokio::select! {
                () = sleep_until(count.since + time(&count)) => return,
                _ = counts.changed() => {}
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.send_modify(|count| {
            count.calls = count.calls.saturating_sub(1);
            count.since = Instant::now();
        });
    }
}

/// An answer that says when it is over.
struct Attended {
    answer: AnswerBody,
    _guest: Guest,
}

impl Body for Attended {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        Pin::new(&mut self.answer).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
