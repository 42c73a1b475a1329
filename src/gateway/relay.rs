//! An answer of the cloud on its way to the caller.

use crate::gateway::answer::BrokenOff;
use crate::gateway::ear::{Cause, Ear};
use crate::gateway::patience::Patience;
use crate::gateway::refusal::Refusal;
use crate::gateway::sniffer::Sniffer;
use crate::gateway::tally::{Tally, grpc_status};
use crate::limits::GATEWAY_HOLD_TIME_MAX;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Code;

/// The body of an answer, as it comes from the cloud.
pub(crate) struct Relay {
    /// Dropped when the answer ends before its own end: with it ends the call to the cloud.
    pub(crate) body: Option<Incoming>,
    pub(crate) protocol: Protocol,
    /// Whether the head says that the call succeeded, as far as a head can.
    pub(crate) is_well: bool,
    pub(crate) eavesdropper: Option<Eavesdropper>,
    pub(crate) cutoff: Cutoff,
    pub(crate) tally: Tally,
    pub(crate) authority: String,
    pub(crate) held: Option<Held>,
    pub(crate) is_over: bool,
}

/// What an answer speaks, and with that how its end is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// gRPC, with what a caller takes it for if it ends without a status.
    Grpc { untold: Code },
    /// gRPC whose status came in the head.
    GrpcTold,
    /// REST, with the status of its head.
    Rest { status: StatusCode },
}

/// Who listens to an answer.
#[derive(Debug)]
pub(crate) struct Eavesdropper {
    pub(crate) ear: Arc<Ear>,
    pub(crate) cause: Cause,
    pub(crate) sniffer: Sniffer,
}

/// The end of an answer, until the watcher has accepted what it tells.
pub(crate) struct Held {
    last: Option<Frame<Bytes>>,
    since: Instant,
    accepted: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What ends an answer before its own end; the timer runs only while there is nothing to pass on.
pub(crate) struct Cutoff {
    patience: Patience,
    cut: CancellationToken,
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    cutting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

type Passed = Option<Result<Frame<Bytes>, BrokenOff>>;

impl Relay {
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Passed> {
        if let Some(held) = &mut self.held {
            ready!(held.accepted.as_mut().poll(cx));
            self.tally.add(held.since.elapsed());
            return Poll::Ready(self.held.take().and_then(|held| held.last).map(Ok));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(part) => {
                self.cutoff.beat();
                self.pass(part, cx)
            }
            Poll::Pending => {
                let refusal = ready!(self.cutoff.poll(cx));
                Poll::Ready(Some(self.break_off(&refusal)))
            }
        }
    }

    /// Counts an answer whose head is all of it: nobody asks for the rest.
    pub(crate) fn begun(mut self) -> Self {
        if self.is_body_over() {
            self.count(&HeaderMap::new());
        }
        self
    }

    /// It is over, with these trailers.
    fn count(&mut self, trailers: &HeaderMap) {
        match self.protocol {
            Protocol::Grpc { untold } => {
                self.tally.ended_as_told(trailers, untold);
                self.is_well &= grpc_status(trailers) == Some(0);
            }
            Protocol::GrpcTold => {}
            Protocol::Rest { status } => self.tally.ended_over_http(status),
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.held.is_none() && (self.is_over || (self.eavesdropper.is_none() && self.is_body_over()))
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }

    fn is_body_over(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn pass(
        &mut self,
        part: Option<Result<Frame<Bytes>, hyper::Error>>,
        cx: &mut Context<'_>,
    ) -> Poll<Passed> {
        let last = match part {
            Some(Err(error)) => {
                let refusal = Refusal::broken(&self.authority, &error);
                return Poll::Ready(Some(self.break_off(&refusal)));
            }
            Some(Ok(frame)) => frame,
            None => {
                self.count(&HeaderMap::new());
                return self.end(None, cx);
            }
        };
        if let Some(trailers) = last.trailers_ref() {
            self.count(trailers);
            return self.end(Some(last), cx);
        }
        if let (Some(data), Some(eavesdropper)) = (last.data_ref(), &mut self.eavesdropper) {
            eavesdropper.sniffer.pass(data);
        }
        // A body whose length is known ends with its last byte: nobody asks for more, and nothing after it could be
        // held back.
        if self.is_body_over() {
            self.count(&HeaderMap::new());
            return self.end(Some(last), cx);
        }
        Poll::Ready(Some(Ok(last)))
    }

    /// The answer is over, but for its last part.
    fn end(&mut self, last: Option<Frame<Bytes>>, cx: &mut Context<'_>) -> Poll<Passed> {
        self.is_over = true;
        let eavesdropper = self.eavesdropper.take().filter(|_| self.is_well);
        let heard = eavesdropper
            .and_then(|eavesdropper| eavesdropper.ear.hear(eavesdropper.cause, eavesdropper.sniffer));
        let Some(acceptance) = heard else {
            return Poll::Ready(last.map(Ok));
        };
        self.held = Some(Held {
            last,
            since: Instant::now(),
            accepted: Box::pin(async {
                // Whether it was accepted in time or not, the answer goes on.
                drop(timeout(GATEWAY_HOLD_TIME_MAX, acceptance).await);
            }),
        });
        self.poll_frame(cx)
    }

    /// Ends the answer with what the protocol has for it: a status, or a body that is visibly not whole.
    fn break_off(&mut self, refusal: &Refusal) -> Result<Frame<Bytes>, BrokenOff> {
        self.is_over = true;
        self.eavesdropper = None;
        self.body = None;
        self.tally.ended(refusal.code);
        match self.protocol {
            Protocol::Rest { .. } => Err(refusal.message().into()),
            Protocol::Grpc { .. } | Protocol::GrpcTold => Ok(Frame::trailers(refusal.trailers())),
        }
    }
}

impl Cutoff {
    pub(crate) fn new(patience: Patience, cut: CancellationToken) -> Self {
        Self {
            patience,
            cut,
            timer: None,
            cutting: None,
        }
    }

    /// Something passed.
    fn beat(&mut self) {
        self.patience.beat();
        self.timer = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        let cut = &self.cut;
        let cutting = self
            .cutting
            .get_or_insert_with(|| Box::pin(cut.clone().cancelled_owned()));
        if cutting.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Refusal::new(Code::Unavailable, ENDING));
        }
        if matches!(self.patience, Patience::Endless) {
            return Poll::Pending;
        }
        let patience = &self.patience;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(patience.clone().over()));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Refusal::new(Code::DeadlineExceeded, LATE))
    }
}

/// The message of a call that an end of the exporter ends.
pub(crate) const ENDING: &str = "the exporter is ending; call again";

/// The message of a call that ran out of time.
pub(crate) const LATE: &str = "the cloud did not answer in time";

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("authority", &self.authority)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}
