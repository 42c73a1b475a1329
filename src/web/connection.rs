//! One connection: HTTP/1.1 within its limits of size and time.

use crate::limits::{
    HTTP_ANSWER_TIME_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_TIME_MAX, HTTP_HEADERS_MAX, HTTP_IDLE_TIME_MAX,
};
use axum::Router;
use axum::body::Body as RouterBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
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

/// The two ends of a connection, as the answering side sees them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
}

/// Marks an answer without an end: its time runs anew with each piece that is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endless;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Answer,
    Idle,
}

/// A phase, and when it is over at the latest.
#[derive(Clone, Copy, Debug)]
struct Stage {
    phase: Phase,
    until: Instant,
}

/// The stages of one connection: set where bytes arrive and answers begin and end, read by the one who cuts it off.
#[derive(Debug)]
struct Stages {
    current: watch::Sender<Stage>,
    patience: Patience,
}

/// Answers the requests of a connection until either side has enough.
pub(super) async fn serve(stream: TcpStream, router: Router, patience: Patience, stop: CancellationToken) {
    let stages = Arc::new(Stages::new(patience));
    let ends = Ends {
        local: stream.local_addr().ok(),
        peer: stream.peer_addr().ok(),
    };
    let io = TokioIo::new(Watched {
        stream,
        stages: Arc::clone(&stages),
    });
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        let answering = Answering::begin(&stages);
        request.extensions_mut().insert(ends);
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
    let connection = http1::Builder::new()
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut expired = pin!(stages.expired());
    // Whatever ends a connection (a reset, a bad request, its time) is the client's to notice.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = &mut expired => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = expired => {}
    }
}

impl Stages {
    fn new(patience: Patience) -> Self {
        let (current, _) = watch::channel(Stage {
            phase: Phase::Head,
            until: Instant::now() + patience.head_time_max,
        });
        Self { current, patience }
    }

    fn enter(&self, phase: Phase) {
        self.current.send_replace(self.stage(phase));
    }

    /// A head begins with the first bytes after an answer; later ones do not give it more time.
    fn bytes_arrived(&self) {
        self.current.send_if_modified(|stage| {
            let begins = stage.phase == Phase::Idle;
            if begins {
                *stage = self.stage(Phase::Head);
            }
            begins
        });
    }

    fn stage(&self, phase: Phase) -> Stage {
        let time_max = match phase {
            Phase::Head => self.patience.head_time_max,
            Phase::Answer => self.patience.answer_time_max,
            Phase::Idle => self.patience.idle_time_max,
        };
        Stage {
            phase,
            until: Instant::now() + time_max,
        }
    }

    /// Returns once a stage has outlasted its time.
    async fn expired(&self) {
        let mut current = self.current.subscribe();
        loop {
            let until = current.borrow_and_update().until;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = current.changed() => {}
            }
        }
    }
}

/// An answer under way; when it is dropped, the connection is idle.
struct Answering(Arc<Stages>);

impl Answering {
    fn begin(stages: &Arc<Stages>) -> Self {
        stages.enter(Phase::Answer);
        Self(Arc::clone(stages))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
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
            self.answering.0.enter(Phase::Answer);
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
    stream: TcpStream,
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
