//! Whether what was handed over is told: committed, and shown in the view.

use crate::model::Admission;
use tokio::sync::oneshot;

/// Waits until an input is told.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Admission>);

/// The engine's end of a [`Receipt`].
#[derive(Debug)]
pub struct Reply(oneshot::Sender<Admission>);

impl Receipt {
    /// A receipt, and what answers it.
    pub fn new() -> (Reply, Self) {
        let (reply, receipt) = oneshot::channel();
        (Reply(reply), Self(receipt))
    }

    /// What became of the input, once that is committed, as far as the store works, and shown; `None` when the engine
    /// ended without it. It may be dropped at any time: the input is not.
    pub async fn told(self) -> Option<Admission> {
        self.0.await.ok()
    }
}

impl Reply {
    /// Answers, if anybody still waits.
    pub fn send(self, admission: Admission) {
        // Whoever gave up waiting knows it.
        let _ = self.0.send(admission);
    }
}
