//! A call for as long as anything of its answer is here: so long it counts for its connection, and keeps its seat.
//!
//! What a caller does not read stays in our memory, and nothing in the call itself runs any more. Whoever walks past all
//! calls from time to time ends such a one: its stream is reset, or its connection ended, and what it held given back.

use crate::gateway::answer::{AnswerBody, BrokenOff};
use crate::gateway::presence::Guest;
use crate::gateway::upload::Tap;
use crate::gateway::upstream::Seat;
use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A call, and what it holds.
#[derive(Debug)]
pub(crate) struct Stay {
    guest: Guest,
    /// Ends what carries it: its stream, or its connection over HTTP/1.1.
    end: CancellationToken,
    /// Its place among all calls.
    pub(crate) seat: Option<Seat>,
    /// Closes what still comes from its caller.
    pub(crate) tap: Option<Tap>,
    progress: Mutex<Progress>,
}

/// What became of an answer so far.
#[derive(Debug)]
struct Progress {
    /// Whether its reader waits for the next part, rather than the other way round.
    is_asked: bool,
    /// Parts that were taken and are not sent yet.
    parts: usize,
    /// When it last went on.
    moved_at: Instant,
}

impl Stay {
    pub(crate) fn new(guest: Guest, end: CancellationToken) -> Self {
        Self {
            guest,
            end,
            seat: None,
            tap: None,
            progress: Mutex::new(Progress {
                is_asked: false,
                parts: 0,
                moved_at: Instant::now(),
            }),
        }
    }

    fn moved(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress();
        progress.moved_at = Instant::now();
        change(&mut progress);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its caller has not read for so long, though there was something to read.
    fn is_stalled(&self, time_max: Duration) -> bool {
        let progress = self.progress();
        let waits_for_reader = !progress.is_asked || progress.parts > 0;
        waits_for_reader && progress.moved_at.elapsed() >= time_max
    }

    /// Ends it; tells whether it had not been ended before.
    fn end(&self) -> bool {
        let is_first = self.guest.stall();
        if is_first {
            self.end.cancel();
            if let Some(tap) = &self.tap {
                tap.close();
            }
        }
        is_first
    }
}

/// All calls that are answered.
#[derive(Debug, Default)]
pub(crate) struct Stays(Mutex<Vec<Weak<Stay>>>);

/// Calls below which it is not worth the while to look for those that are over.
const TIDY_MIN: usize = 64;

impl Stays {
    /// One more; those that are over leave the list, each time that it has doubled.
    pub(crate) fn attend(&self, stay: Stay) -> Arc<Stay> {
        let stay = Arc::new(stay);
        // However long the head took, the reader was not asked before.
        stay.moved(|_| {});
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TIDY_MIN && all.len() == all.capacity() {
            all.retain(|stay| stay.strong_count() > 0);
            let room = all.len().max(TIDY_MIN);
            all.reserve(room);
        }
        all.push(Arc::downgrade(&stay));
        stay
    }

    /// Ends those whose callers have not read for so long, and tells how many they were.
    pub(crate) fn end_stalled(&self, time_max: Duration) -> usize {
        let stays: Vec<_> = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|stay| stay.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        let stalled = stays.iter().filter(|stay| stay.is_stalled(time_max));
        stalled.filter(|stay| stay.end()).count()
    }
}

/// An answer, watched on its way to the caller.
pub(crate) struct Attended {
    pub(crate) answer: AnswerBody,
    pub(crate) stay: Arc<Stay>,
}

/// A part of an answer; its call stays until this is sent.
#[derive(Debug)]
pub(crate) struct Part {
    bytes: Bytes,
    stay: Arc<Stay>,
}

impl Part {
    fn new(bytes: Bytes, stay: &Arc<Stay>) -> Self {
        stay.moved(|progress| progress.parts += 1);
        Self {
            bytes,
            stay: Arc::clone(stay),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stay
            .moved(|progress| progress.parts = progress.parts.saturating_sub(1));
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        // The last of it is told by its drop.
        if self.bytes.has_remaining() {
            self.stay.moved(|_| {});
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        self.bytes.copy_to_bytes(count)
    }
}

impl Body for Attended {
    type Data = Part;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, BrokenOff>>> {
        let Self { answer, stay } = &mut *self;
        let polled = Pin::new(answer).poll_frame(cx);
        stay.moved(|progress| progress.is_asked = polled.is_pending());
        polled.map_ok(|frame| frame.map_data(|bytes| Part::new(bytes, stay)))
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
