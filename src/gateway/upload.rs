//! The body of a call on its way to the cloud.

use crate::gateway::patience::Patience;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// What a caller sends: as it comes, or what was read of it.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Either<Intake, Full<Bytes>>,
    patience: Patience,
}

/// What comes from a caller, which others than its reader can end.
#[derive(Debug)]
pub(crate) struct Intake(Arc<Mutex<Source>>);

/// What closes an intake. It keeps nothing of it: parts of an answer hold this, and HTTP/2 drops them under the very
/// lock that it takes to drop a body.
#[derive(Debug)]
pub(crate) struct Tap(Weak<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    body: Option<Incoming>,
    reader: Option<Waker>,
}

/// Why a body was not whole: it is the caller's doing, not the cloud's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// The caller, or its connection.
    #[error("the caller broke its request off")]
    BrokenOff(#[source] hyper::Error),
    /// The gateway, since nobody reads the answer.
    #[error("the caller did not read the answer for too long")]
    Ended,
}

impl Upload {
    pub(crate) fn new(body: Intake, patience: Patience) -> Self {
        Self {
            body: Either::Left(body),
            patience,
        }
    }

    /// What was read already.
    pub(crate) fn read(body: Bytes) -> Self {
        Self {
            body: Either::Right(Full::new(body)),
            patience: Patience::Endless,
        }
    }
}

impl Intake {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Source {
            body: Some(body),
            reader: None,
        })))
    }

    pub(crate) fn tap(&self) -> Tap {
        Tap(Arc::downgrade(&self.0))
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// Takes nothing more.
    pub(crate) fn close(&self) {
        let Some(source) = self.0.upgrade().map(Intake) else {
            return;
        };
        let (body, reader) = {
            let mut source = source.source();
            (source.body.take(), source.reader.take())
        };
        drop(body);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Body for Intake {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let mut source = self.source();
        let Some(body) = &mut source.body else {
            return Poll::Ready(Some(Err(Unfinished::Ended)));
        };
        let polled = Pin::new(body).poll_frame(cx);
        if polled.is_pending() {
            source.reader = Some(cx.waker().clone());
        }
        polled.map_err(Unfinished::BrokenOff)
    }

    fn is_end_stream(&self) -> bool {
        self.source().body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let source = self.source();
        source.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.patience.beat();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
