//! The body that comes from the cloud, with a valve that others than its reader can close.
//!
//! A caller that stops reading is not asked for the next part of its answer, so nothing in the call itself runs any
//! more. Whoever walks past the valves from time to time closes such a one: the call to the cloud ends and gives back
//! its seat, and the caller finds the end of its answer when it reads again.

use crate::gateway::upstream::Seat;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// A body that comes from the cloud.
#[derive(Debug)]
pub(crate) struct Valve(Arc<Mutex<Flow>>);

#[derive(Debug)]
struct Flow {
    body: Option<(Incoming, Seat)>,
    /// Since when the reader has a part and has not asked for another.
    taken_at: Option<Instant>,
}

/// What comes through a valve.
#[derive(Debug)]
pub(crate) enum Part {
    /// A part of the body, or its end.
    Frame(Option<Result<Frame<Bytes>, hyper::Error>>),
    /// It was closed: its reader was away for too long.
    Closed,
}

impl Valve {
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Part> {
        let mut flow = lock(&self.0);
        flow.taken_at = None;
        let Some((body, _)) = &mut flow.body else {
            return Poll::Ready(Part::Closed);
        };
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            flow.taken_at = Some(Instant::now());
        }
        polled.map(Part::Frame)
    }

    /// Ends the call to the cloud.
    pub(crate) fn close(&self) {
        lock(&self.0).body = None;
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        lock(&self.0)
            .body
            .as_ref()
            .is_some_and(|(body, _)| body.is_end_stream())
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let flow = lock(&self.0);
        flow.body
            .as_ref()
            .map(|(body, _)| body.size_hint())
            .unwrap_or_default()
    }
}

/// All valves of the gateway.
#[derive(Debug, Default)]
pub(crate) struct Valves(Mutex<Vec<Weak<Mutex<Flow>>>>);

/// Valves below which it is not worth the while to look for those that are gone.
const TIDY_MIN: usize = 64;

impl Valves {
    /// One more; those that are gone leave the list, each time that it has doubled.
    pub(crate) fn open(&self, body: Incoming, seat: Seat) -> Valve {
        let flow = Arc::new(Mutex::new(Flow {
            body: Some((body, seat)),
            // A caller may never ask for the first part either.
            taken_at: Some(Instant::now()),
        }));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TIDY_MIN && all.len() == all.capacity() {
            all.retain(|flow| flow.strong_count() > 0);
            let room = all.len().max(TIDY_MIN);
            all.reserve(room);
        }
        all.push(Arc::downgrade(&flow));
        Valve(flow)
    }

    /// Closes those whose readers have been away for so long.
    pub(crate) fn close_stalled(&self, time_max: Duration) {
        let flows: Vec<_> = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|flow| flow.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        for flow in flows {
            let mut flow = lock(&flow);
            if flow.taken_at.is_some_and(|at| at.elapsed() >= time_max) {
                flow.body = None;
            }
        }
    }
}

fn lock(flow: &Mutex<Flow>) -> MutexGuard<'_, Flow> {
    flow.lock().unwrap_or_else(PoisonError::into_inner)
}
