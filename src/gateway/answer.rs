//! The body of an answer: the cloud's as it comes, or the gateway's own.

use crate::gateway::relay::Relay;
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What goes back to a caller.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// The cloud's.
    Relayed(Box<Relay>),
    /// The gateway's.
    Own {
        /// The whole body, unless it was taken.
        data: Option<Bytes>,
        /// What follows it.
        trailers: Option<HeaderMap>,
    },
}

/// Why an answer over REST broke off: there is no other way to tell of it once it has begun.
pub(crate) type BrokenOff = Box<dyn Error + Send + Sync>;

impl AnswerBody {
    pub(crate) fn own(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::Own {
            data: (!data.is_empty()).then_some(data),
            trailers,
        }
    }
}

impl Default for AnswerBody {
    fn default() -> Self {
        Self::own(Bytes::new(), None)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Self::Relayed(relay) => relay.poll_frame(cx),
            Self::Own { data, trailers } => {
                let frame = data.take().map(Frame::data);
                let frame = frame.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Relayed(relay) => relay.is_end_stream(),
            Self::Own { data, trailers } => data.is_none() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Relayed(relay) => relay.size_hint(),
            Self::Own { data, .. } => {
                let bytes = data.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }
}
