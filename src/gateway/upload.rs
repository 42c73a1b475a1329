//! The body of a call on its way to the cloud.

use crate::gateway::patience::Patience;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a caller sends: as it comes, or what was read of it.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Either<Incoming, Full<Bytes>>,
    patience: Patience,
}

impl Upload {
    pub(crate) fn new(body: Incoming, patience: Patience) -> Self {
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
