//! The ends of the river: where inputs enter, where views leave, when we are ready, and who asks for a reload.
//!
//! In: [`Input`]s from sources. Out: the newest [`View`] for readers, and what changed since an older one. Never: a
//! decision; and never an unbounded queue: a full inbox makes its sources wait, and a slow reader of changes misses
//! some, and is told so.

mod changes;
mod lifecycle;
mod readiness;
mod receipt;
mod throttle;
mod waiting_room;

pub use changes::Changes;
pub use lifecycle::{Lifecycle, Reload};
pub use readiness::{Latch, Readiness};
pub use receipt::{Receipt, Reply};
pub use throttle::{Said, Throttle};
pub use waiting_room::WaitingRoom;

use crate::limits::INBOX_MAX;
use crate::model::{Event, Input, View};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Where sources put what they saw. Clones feed the same engine, which ends once all are dropped.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Delivery>);

/// The same for those who must not keep the engine from ending.
#[derive(Clone, Debug)]
pub struct WeakInbox(mpsc::WeakSender<Delivery>);

/// What arrives at the engine.
#[derive(Debug)]
pub enum Delivery {
    /// Something was seen, or should be watched.
    Input(Input),
    /// The same, and somebody waits until it is told.
    Awaited(Input, Reply),
    /// To be released once everything delivered before it was looked at for the first time.
    FirstLook(Latch),
}

/// The engine has ended; only during shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended, nothing is watched any more")]
pub struct InboxClosed;

impl Inbox {
    /// An inbox and the end that the engine reads.
    pub fn new() -> (Self, mpsc::Receiver<Delivery>) {
        let (sender, receiver) = mpsc::channel(INBOX_MAX);
        (Self(sender), receiver)
    }

    /// Hands an input over, waiting while the inbox is full.
    ///
    /// # Errors
    /// [`InboxClosed`] during shutdown.
    pub async fn send(&self, input: Input) -> Result<(), InboxClosed> {
        self.0.send(Delivery::Input(input)).await.map_err(|_| InboxClosed)
    }

    /// Hands an input over, waiting while the inbox is full; the receipt tells what became of it.
    ///
    /// # Errors
    /// [`InboxClosed`] during shutdown.
    pub async fn deliver(&self, input: Input) -> Result<Receipt, InboxClosed> {
        let (reply, receipt) = Receipt::new();
        let delivery = Delivery::Awaited(input, reply);
        self.0.send(delivery).await.map_err(|_| InboxClosed)?;
        Ok(receipt)
    }

    /// Has the latch released once everything sent before was looked at.
    ///
    /// # Errors
    /// [`InboxClosed`] during shutdown.
    pub async fn after_first_look(&self, latch: Latch) -> Result<(), InboxClosed> {
        self.0
            .send(Delivery::FirstLook(latch))
            .await
            .map_err(|_| InboxClosed)
    }

    /// A handle that leaves the engine free to end.
    pub fn downgrade(&self) -> WeakInbox {
        WeakInbox(self.0.downgrade())
    }
}

impl WeakInbox {
    /// The inbox, while somebody else holds it: it is to be let go of soon.
    ///
    /// # Errors
    /// [`InboxClosed`] during shutdown.
    pub fn upgrade(&self) -> Result<Inbox, InboxClosed> {
        self.0.upgrade().map(Inbox).ok_or(InboxClosed)
    }
}

/// Publishes views and what changed; the engine holds the only one.
#[derive(Debug)]
pub struct ViewWriter {
    views: watch::Sender<Arc<View>>,
    changes: Changes,
}

/// Reads the newest view, without waiting for anyone.
#[derive(Clone, Debug)]
pub struct ViewReader {
    views: watch::Receiver<Arc<View>>,
    changes: Changes,
}

impl ViewWriter {
    /// A writer and its reader, which starts with an empty view.
    pub fn new() -> (Self, ViewReader) {
        let (sender, receiver) = watch::channel(Arc::new(View::default()));
        let changes = Changes::default();
        let writer = Self {
            views: sender,
            changes: changes.clone(),
        };
        let views = receiver;
        (writer, ViewReader { views, changes })
    }

    /// Takes in what changed; readers see it with the next view that was taken after it.
    pub fn note(&self, events: &[Event]) {
        self.changes.note(events);
    }

    /// The view, as one that shows all that was noted so far.
    #[must_use]
    pub fn taken(&self, view: View) -> View {
        let changes = self.changes.newest();
        View { changes, ..view }
    }

    /// Replaces the view for all readers.
    pub fn publish(&self, view: View) {
        self.views.send_replace(Arc::new(view));
    }
}

impl ViewReader {
    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    /// Waits for a view that this reader has not seen; `false` once the engine has ended.
    pub async fn changed(&mut self) -> bool {
        self.views.changed().await.is_ok()
    }

    /// What changed from view to view.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}
