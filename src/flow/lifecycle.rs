//! Requests about the process itself: read the configuration anew, or end.

use crate::limits::RELOADS_WAITING_MAX;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Asks a running exporter to read its configuration anew, or to end. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    reloads: mpsc::Sender<Reload>,
    quit: CancellationToken,
}

/// Somebody asks for a reload, and waits to hear what became of it.
#[derive(Debug)]
pub struct Reload(oneshot::Sender<Result<(), String>>);

impl Lifecycle {
    /// A lifecycle, and the end at which requests arrive.
    pub fn new() -> (Self, mpsc::Receiver<Reload>) {
        let (reloads, asked) = mpsc::channel(RELOADS_WAITING_MAX);
        let quit = CancellationToken::new();
        (Self { reloads, quit }, asked)
    }

    /// Has the configuration read anew and put in place.
    ///
    /// # Errors
    /// What is wrong with it, in one line; the one before stays in effect.
    pub async fn reload(&self) -> Result<(), String> {
        const ENDING: &str = "the exporter is ending";
        let (answer, answered) = oneshot::channel();
        self.reloads.send(Reload(answer)).await.map_err(|_| ENDING)?;
        answered.await.map_err(|_| ENDING)?
    }

    /// Has the exporter end.
    pub fn quit(&self) {
        self.quit.cancel();
    }

    /// Waits until somebody wants the exporter to end.
    pub async fn quitting(&self) {
        self.quit.cancelled().await;
    }
}

impl Reload {
    /// Tells what became of it.
    pub fn answer(self, outcome: Result<(), String>) {
        // Whoever gave up waiting knows it; the log has it too.
        let _ = self.0.send(outcome);
    }
}
