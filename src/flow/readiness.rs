//! Readiness as latches: each part that must have happened once holds one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether the process may receive traffic: every latch was released or the grace is over, and shutdown has
/// not begun. Once all were released, later ones change nothing: what a reload begins takes no traffic away.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: AtomicUsize,
    /// Cancelled once every latch was released.
    settled: CancellationToken,
    stopping: AtomicBool,
    grace_until: Option<Instant>,
}

/// Holds readiness back until it is dropped.
#[derive(Debug)]
pub struct Latch(Arc<Shared>);

impl Readiness {
    /// Readiness that waits no longer than `grace` for its latches: a dead cloud must not keep us out.
    pub fn with_grace(grace: Duration) -> Self {
        Self(Arc::new(Shared {
            grace_until: Some(Instant::now() + grace),
            ..Shared::default()
        }))
    }

    /// One more thing to wait for.
    pub fn latch(&self) -> Latch {
        self.0.held.fetch_add(1, Ordering::AcqRel);
        Latch(Arc::clone(&self.0))
    }

    /// Shutdown begins: not ready from here on.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Whether shutdown has begun.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// Whether we are ready now.
    pub fn is_ready(&self) -> bool {
        let settled = self.is_settled() || self.0.grace_until.is_some_and(|until| Instant::now() >= until);
        settled && !self.is_stopping()
    }

    /// Waits until every latch was released, however long that takes.
    pub async fn settled(&self) {
        if !self.is_settled() {
            self.0.settled.cancelled().await;
        }
    }

    fn is_settled(&self) -> bool {
        self.0.settled.is_cancelled() || self.0.held.load(Ordering::Acquire) == 0
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        if self.0.held.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_every_latch_released_and_ends_with_shutdown() {
        let readiness = Readiness::default();
        let (first, second) = (readiness.latch(), readiness.latch());
        drop(first);
        assert!(!readiness.is_ready());
        drop(second);
        assert!(readiness.is_ready());
        readiness.stop();
        assert!(!readiness.is_ready());
    }

    #[test]
    fn what_is_ready_stays_so_whatever_is_waited_for_later() {
        let readiness = Readiness::default();
        let first = readiness.latch();
        let successor = readiness.latch();
        drop(first);
        assert!(!readiness.is_ready(), "who takes its place holds on");
        drop(successor);
        assert!(readiness.is_ready());
        let _later = readiness.latch();
        assert!(readiness.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_of_the_last_latch() {
        let readiness = Readiness::default();
        readiness.settled().await;
        let (first, second) = (readiness.latch(), readiness.latch());
        drop(first);
        let soon = tokio::time::timeout(Duration::from_secs(1), readiness.settled());
        assert!(soon.await.is_err(), "one is held");
        drop(second);
        readiness.settled().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_latch_that_is_never_released_holds_no_longer_than_the_grace() {
        let readiness = Readiness::with_grace(Duration::from_secs(30));
        let _latch = readiness.latch();
        assert!(!readiness.is_ready());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(readiness.is_ready());
    }
}
