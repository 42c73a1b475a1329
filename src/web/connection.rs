//! One connection: HTTP/1.1, or HTTP/2 where TLS agreed on it, within its limits of size and time.

use crate::limits::{
    HTTP_ANSWER_TIME_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_TIME_MAX, HTTP_HEADERS_MAX, HTTP_IDLE_TIME_MAX,
    HTTP_STREAMS_MAX, SCRAPE_CHUNK_BYTES,
};
use crate::listening::Stream;
use axum::Router;
use axum::body::Body as RouterBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a client may take; what takes longer is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a request's head to arrive, from the opening of the connection or the head's first byte.
    pub head_time_max: Duration,
    /// Between an answer and the next request.
    pub idle_time_max: Duration,
    /// For an answer to be taken.
    pub answer_time_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head_time_max: HTTP_HEAD_TIME_MAX,
            idle_time_max: HTTP_IDLE_TIME_MAX,
            answer_time_max: HTTP_ANSWER_TIME_MAX,
        }
    }
}

/// Marks an answer without an end: its time runs anew with each piece that is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endless;

/// What a connection is at while nothing is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Idle,
}

/// What a connection is at, and when each of it is over at the latest.
#[derive(Clone, Debug)]
struct Stage {
    phase: Phase,
    phase_until: Instant,
    /// Answers under way, by number: HTTP/2 has many at once.
    answers: BTreeMap<u64, Instant>,
    answers_begun: u64,
}

/// The stages of one connection: set where bytes arrive and answers begin and end, read by the one who cuts it off.
#[derive(Debug)]
struct Stages {
    current: watch::Sender<Stage>,
    patience: Patience,
    /// HTTP/2 has frames of its own between requests, which begin no head.
    is_http2: bool,
}

/// Answers the requests of a connection until either side has enough.
pub(super) async fn serve(stream: Stream, router: Router, patience: Patience, stop: CancellationToken) {
    let is_http2 = stream.is_http2();
    let stages = Arc::new(Stages::new(patience, is_http2));
    let ends = stream.ends();
    let io = TokioIo::new(Watched {
        stream,
        stages: Arc::clone(&stages),
    });
    let router = TowerToHyperService::new(router);
    let answered_in = Arc::clone(&stages);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answering = Answering::begin(&answered_in);
        request.extensions_mut().insert(ends);
        name_host(&mut request);
        let answer = router.call(request);
        async move {
            let response: Response<RouterBody> = answer.await?;
            let is_endless = response.extensions().get::<Endless>().is_some();
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer {
                body,
                is_endless,
                answering,
            }))
        }
    });
    if is_http2 {
        let head_bytes_max = u32::try_from(HTTP_HEAD_BYTES_MAX).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(HTTP_STREAMS_MAX)
            .max_header_list_size(head_bytes_max)
            .max_send_buf_size(SCRAPE_CHUNK_BYTES)
            .serve_connection(io, service);
        attend(connection, http2::Connection::graceful_shutdown, &stages, stop).await;
    } else {
        let connection = http1::Builder::new()
            .max_buf_size(HTTP_HEAD_BYTES_MAX)
            .max_headers(HTTP_HEADERS_MAX)
            .serve_connection(io, service);
        attend(connection, http1::Connection::graceful_shutdown, &stages, stop).await;
    }
}

/// Sees a connection to its end. Whatever ends it (a reset, a bad request, its time) is the client's to notice.
async fn attend<C: Future>(
    connection: C,
    shut_down: impl Fn(Pin<&mut C>),
    stages: &Stages,
    stop: CancellationToken,
) {
    let mut connection = pin!(connection);
    let mut expired = pin!(stages.expired());
    tokio::select! {
        _ = connection.as_mut() => return,
        () = &mut expired => return,
        () = stop.cancelled() => shut_down(connection.as_mut()),
    }
    tokio::select! {
        _ = connection => {}
        () = expired => {}
    }
}

/// HTTP/2 tells the host beside the headers.
fn name_host(request: &mut Request<Incoming>) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let authority = request.uri().authority().map(ToString::to_string);
    if let Some(host) = authority.and_then(|authority| HeaderValue::try_from(authority).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
}

impl Stages {
    fn new(patience: Patience, is_http2: bool) -> Self {
        let (current, _) = watch::channel(Stage {
            phase: Phase::Head,
            phase_until: Instant::now() + patience.head_time_max,
            answers: BTreeMap::new(),
            answers_begun: 0,
        });
        Self {
            current,
            patience,
            is_http2,
        }
    }

    /// A head begins with the first bytes after an answer; later ones do not give it more time.
    fn bytes_arrived(&self) {
        if self.is_http2 {
            return;
        }
        self.current.send_if_modified(|stage| {
            let begins = stage.phase == Phase::Idle && stage.answers.is_empty();
            if begins {
                stage.phase = Phase::Head;
                stage.phase_until = Instant::now() + self.patience.head_time_max;
            }
            begins
        });
    }

    fn answer_begins(&self) -> u64 {
        let mut number = 0;
        self.current.send_modify(|stage| {
            stage.answers_begun += 1;
            number = stage.answers_begun;
            stage
                .answers
                .insert(number, Instant::now() + self.patience.answer_time_max);
        });
        number
    }

    fn answer_goes_on(&self, number: u64) {
        let until = Instant::now() + self.patience.answer_time_max;
        self.current.send_modify(|stage| {
            stage.answers.insert(number, until);
        });
    }

    fn answer_ends(&self, number: u64) {
        self.current.send_modify(|stage| {
            stage.answers.remove(&number);
            stage.phase = Phase::Idle;
            stage.phase_until = Instant::now() + self.patience.idle_time_max;
        });
    }

    /// Returns once a stage has outlasted its time.
    async fn expired(&self) {
        let mut current = self.current.subscribe();
        loop {
            let until = current.borrow_and_update().until();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = current.changed() => {}
            }
        }
    }
}

impl Stage {
    fn until(&self) -> Instant {
        self.answers.values().min().copied().unwrap_or(self.phase_until)
    }
}

/// An answer under way; when it is dropped, the connection may be idle.
struct Answering {
    stages: Arc<Stages>,
    number: u64,
}

impl Answering {
    fn begin(stages: &Arc<Stages>) -> Self {
        Self {
            number: stages.answer_begins(),
            stages: Arc::clone(stages),
        }
    }

    fn go_on(&self) {
        self.stages.answer_goes_on(self.number);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stages.answer_ends(self.number);
    }
}

/// A body that says when it is over.
struct Answer {
    body: RouterBody,
    is_endless: bool,
    answering: Answering,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // The next piece is asked for once there is room for it: the one before was taken.
        if self.is_endless && frame.is_ready() {
            self.answering.go_on();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket, with an eye on what arrives.
struct Watched {
    stream: Stream,
    stages: Arc<Stages>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.stages.bytes_arrived();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
