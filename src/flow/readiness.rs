//! Readiness as latches: each part that must have happened once holds one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Whether the process may receive traffic: every latch was released or the grace is over, and shutdown has
/// not begun.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: AtomicUsize,
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
        let settled = self.0.held.load(Ordering::Acquire) == 0
            || self.0.grace_until.is_some_and(|until| Instant::now() >= until);
        settled && !self.is_stopping()
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::AcqRel);
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

    #[tokio::test(start_paused = true)]
    async fn a_latch_that_is_never_released_holds_no_longer_than_the_grace() {
        let readiness = Readiness::with_grace(Duration::from_secs(30));
        let _latch = readiness.latch();
        assert!(!readiness.is_ready());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(readiness.is_ready());
    }
}
