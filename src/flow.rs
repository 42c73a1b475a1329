//! The ends of the river: where inputs enter, where views leave, and when we are ready.
//!
//! In: [`Input`]s from sources. Out: the newest [`View`] for readers. Never: a decision; and never an
//! unbounded queue: a full inbox makes its sources wait.

mod readiness;
mod receipt;
mod throttle;

pub use readiness::{Latch, Readiness};
pub use receipt::{Receipt, Reply};
pub use throttle::{Admitted, Throttle};

use crate::limits::INBOX_MAX;
use crate::model::{Input, View};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Where sources put what they saw. Clones feed the same engine, which ends once all are dropped.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Delivery>);

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
}

/// Publishes views; the engine holds the only one.
#[derive(Debug)]
pub struct ViewWriter(watch::Sender<Arc<View>>);

/// Reads the newest view, without waiting for anyone.
#[derive(Clone, Debug)]
pub struct ViewReader(watch::Receiver<Arc<View>>);

impl ViewWriter {
    /// A writer and its reader, which starts with an empty view.
    pub fn new() -> (Self, ViewReader) {
        let (sender, receiver) = watch::channel(Arc::new(View::default()));
        (Self(sender), ViewReader(receiver))
    }

    /// Replaces the view for all readers.
    pub fn publish(&self, view: View) {
        self.0.send_replace(Arc::new(view));
    }
}

impl ViewReader {
    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits for a view that this reader has not seen; `false` once the engine has ended.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
