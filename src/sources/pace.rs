//! When a source does the same thing again.

use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait after failures: a project whose role was just granted shows up within minutes.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// The pace of one recurring call: an interval with jitter, longer after failures in a row.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    failures: u32,
    due_at: Instant,
}

impl Pace {
    /// Due at once, and then every `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            failures: 0,
            due_at: Instant::now(),
        }
    }

    /// When it is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// It was done, well or not.
    pub(crate) fn done(&mut self, succeeded: bool) {
        self.failures = if succeeded {
            0
        } else {
            self.failures.saturating_add(1)
        };
        let backoff = self
            .interval
            .saturating_mul(1 << self.failures.min(10))
            .min(BACKOFF_MAX.max(self.interval));
        let wait = if succeeded { self.interval } else { backoff };
        self.due_at = Instant::now() + wait.mul_f64(rand::rng().random_range(0.95..1.05));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_slow_it_down_to_a_bound_and_a_success_restores_it() {
        let mut pace = Pace::new(Duration::from_secs(10));
        assert!(pace.due_at() <= Instant::now());
        for _ in 0..20 {
            pace.done(false);
        }
        let wait = pace.due_at() - Instant::now();
        assert!(
            wait >= BACKOFF_MAX.mul_f64(0.95) && wait <= BACKOFF_MAX.mul_f64(1.05),
            "{wait:?}"
        );
        pace.done(true);
        assert!(pace.due_at() - Instant::now() <= Duration::from_millis(10_500));
    }
}
