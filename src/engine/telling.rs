//! What is about to be told: committed first, then published.

#[cfg(test)]
mod tests;

use crate::flow::{Latch, Reply, ViewWriter};
use crate::limits::{EVENTS_WAITING_MAX, PUBLISH_INTERVAL_MIN, STORE_COMMIT_TIME_MAX, STORE_RETRY_INTERVAL};
use crate::model::{Admission, Event, View};
use crate::store::{Batch, Store};
use crate::traces::Encoder;
use crate::tracker::Tracker;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Where what must survive goes, and how spans are made of it.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// Records and the outbox.
    pub store: Store,
    /// `None` when operations are not traced.
    pub encoder: Option<Arc<Encoder>>,
}

/// Publishes views, each once what it shows is committed. One commit is under way at a time, beside the loop.
///
/// A store that is slow or fails holds a view back for a bounded time only: watching and scrapes go on without it.
#[derive(Debug)]
pub(crate) struct Telling {
    views: ViewWriter,
    keeping: Option<Keeping>,
    /// Changes of which spans are to be made.
    events: Vec<Event>,
    /// Who waits for the next view.
    waiting: Waiting,
    /// At most one; it tells whether it succeeded.
    commits: JoinSet<bool>,
    /// When a store that failed is written again.
    retry_at: Option<Instant>,
    /// What the commit under way is about to tell; `None` once it was told without it.
    held: Option<Held>,
    told_at: Option<Instant>,
    /// Something was told that is not committed, nor on its way.
    is_behind: bool,
}

/// Who waits for a view.
#[derive(Debug, Default)]
struct Waiting {
    /// Released with it.
    latches: Vec<Latch>,
    /// Sent with it.
    replies: Vec<(Reply, Admission)>,
}

/// A view that waits for a commit.
#[derive(Debug)]
struct Held {
    view: View,
    waiting: Waiting,
    /// When it is told all the same.
    overdue_at: Instant,
}

impl Telling {
    /// Tells readers; what must survive goes to `keeping`, if there is any.
    pub(crate) fn new(views: ViewWriter, keeping: Option<Keeping>) -> Self {
        Self {
            views,
            keeping,
            events: Vec::new(),
            waiting: Waiting::default(),
            commits: JoinSet::new(),
            retry_at: None,
            held: None,
            told_at: None,
            is_behind: false,
        }
    }

    /// What must survive goes there from the next commit on.
    pub(crate) fn keep_by(&mut self, keeping: Option<Keeping>) {
        if keeping.as_ref().is_none_or(|keeping| keeping.encoder.is_none()) {
            self.events.clear();
        }
        if keeping.is_none() {
            self.retry_at = None;
        }
        self.keeping = keeping;
    }

    /// When a change may be told at the earliest: at once if somebody waits for it. `None` while a commit is under way
    /// that is not overdue.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let rested = self.told_at.filter(|_| self.waiting.replies.is_empty());
        let at = rested.map_or(now, |at| at + PUBLISH_INTERVAL_MIN);
        self.held.is_none().then_some(at)
    }

    /// When there is something to do though nothing changes: a view is overdue, or a store is to be tried again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match &self.held {
            Some(held) => Some(held.overdue_at),
            None => self.retry_at.max(self.retry_at.and(self.next_at())),
        }
    }

    /// Whether what a store refused is to be written now.
    pub(crate) fn is_retry_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
    }

    /// Whether [`Self::committed`] waits for something.
    pub(crate) fn is_committing(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Has the latches released with the next view.
    pub(crate) fn release_with_next(&mut self, latches: Vec<Latch>) {
        self.waiting.latches.extend(latches);
    }

    /// Has somebody answered with the next view.
    pub(crate) fn reply_with_next(&mut self, reply: Reply, admission: Admission) {
        self.waiting.replies.push((reply, admission));
    }

    /// Keeps changes for readers, and until spans are made of them, which the next commit does. Of more than can wait for a store that
    /// fails, the oldest are given up, and their spans are counted as dropped.
    pub(crate) fn note(&mut self, events: &[Event]) {
        self.views.note(events);
        let Some(Keeping {
            store,
            encoder: Some(encoder),
        }) = &self.keeping
        else {
            return;
        };
        let told = events.iter().filter(|event| encoder.tells_of(event));
        self.events.extend(told.cloned());
        if self.is_store_failing() && self.events.len() > EVENTS_WAITING_MAX {
            let oldest: Vec<Event> = self.events.drain(..EVENTS_WAITING_MAX / 2).collect();
            store.give_up(&encoder.encode(&oldest, &BTreeMap::new()));
        }
    }

    /// Tells what the tracker believes now, with what changed since the last call.
    pub(crate) fn tell(&mut self, tracker: &mut Tracker) {
        self.told_at = Some(Instant::now());
        let waiting = std::mem::take(&mut self.waiting);
        let Some(Keeping { store, encoder }) = self.keeping.clone() else {
            tracker.forget_records();
            return self.publish(self.views.taken(tracker.view()), waiting);
        };
        if self.is_committing() || self.retry_at.is_some_and(|at| at > Instant::now()) {
            // What is to be kept waits in the tracker, the newest of each key.
            self.is_behind = true;
            return self.publish(self.views.taken(tracker.view()), waiting);
        }
        let (records, events, view) = (
            tracker.take_records(),
            std::mem::take(&mut self.events),
            self.views.taken(tracker.view()),
        );
        let projects = Arc::clone(&view.projects);
        self.held = Some(Held {
            view,
            waiting,
            overdue_at: Instant::now() + STORE_COMMIT_TIME_MAX,
        });
        self.retry_at = None;
        self.is_behind = false;
        self.commits.spawn(async move {
            let spans = encoder.map_or_else(Vec::new, |encoder| encoder.encode(&events, &projects));
            // The store counts and tells its failures, and keeps what it could not write.
            store.commit(Batch { records, spans }).await.is_ok()
        });
    }

    /// Waits for the commit under way, and tells what waited for it.
    pub(crate) async fn committed(&mut self) {
        let is_kept = match self.commits.join_next().await {
            Some(Ok(is_kept)) => is_kept,
            Some(Err(error)) => {
                tracing::error!(%error, "a commit was cut short; this is a defect of the exporter");
                false
            }
            None => return,
        };
        self.retry_at = match (is_kept, self.is_behind) {
            (false, _) => Some(Instant::now() + STORE_RETRY_INTERVAL),
            (true, true) => Some(Instant::now()),
            (true, false) => None,
        };
        self.release();
    }

    /// Tells what is held back although its commit is not over.
    pub(crate) fn release_overdue(&mut self) {
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.overdue_at <= Instant::now())
        {
            if let Some(keeping) = &self.keeping {
                keeping.store.complain_of_delay();
            }
            self.release();
        }
    }

    /// Tells the last of it, and waits until it is committed.
    pub(crate) async fn finish(mut self, mut tracker: Tracker) {
        while self.is_committing() {
            self.committed().await;
        }
        self.retry_at = None;
        self.tell(&mut tracker);
        while self.is_committing() {
            self.committed().await;
        }
    }

    /// Whether a commit failed, or is overdue.
    fn is_store_failing(&self) -> bool {
        self.retry_at.is_some() || (self.is_committing() && self.held.is_none())
    }

    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.publish(held.view, held.waiting);
        }
    }

    fn publish(&self, view: View, waiting: Waiting) {
        self.views.publish(view);
        drop(waiting.latches);
        for (reply, admission) in waiting.replies {
            reply.send(admission);
        }
    }
}
