//! How many requests are answered: a bucket of tokens, one a request, filled one an interval.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How fast a bucket fills, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Between two tokens.
    pub interval: Duration,
    /// The most tokens that wait; with none, nothing is ever answered.
    pub burst: u32,
}

/// One bucket for all callers; a full one at first, and whenever its limit changes.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Option<Level>>);

#[derive(Debug)]
struct Level {
    limit: Rate,
    /// When it is full again; what lies ahead is what was taken.
    full_at: Instant,
}

impl Rate {
    /// Whole seconds, at least one, until another token may be there.
    pub(super) fn retry_after_seconds(self) -> u64 {
        let begun = u64::from(self.interval.subsec_nanos() > 0);
        self.interval.as_secs().saturating_add(begun).max(1)
    }
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(super) fn takes(&self, limit: Rate) -> bool {
        let now = Instant::now();
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = level
            .as_ref()
            .filter(|level| level.limit == limit)
            .map_or(now, |level| level.full_at.max(now));
        let taken = (full_at - now).saturating_add(limit.interval);
        let fits = taken <= limit.interval.saturating_mul(limit.burst);
        *level = Some(Level {
            limit,
            full_at: if fits { now + taken } else { full_at },
        });
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_in_and_then_one_an_interval() {
        let bucket = Bucket::default();
        let limit = Rate {
            interval: Duration::from_secs(10),
            burst: 3,
        };
        let taken = |count: usize| (0..count).filter(|_| bucket.takes(limit)).count();
        assert_eq!(taken(5), 3);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(taken(5), 1);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(5), 3, "no more than the burst is saved up");
        let other = Rate {
            interval: Duration::from_secs(1),
            burst: 1,
        };
        assert!(bucket.takes(other), "another limit begins with a full bucket");
        assert!(!bucket.takes(other));
    }

    #[test]
    fn who_is_refused_comes_again_after_whole_seconds() {
        for (millis, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            let interval = Duration::from_millis(millis);
            assert_eq!(Rate { interval, burst: 1 }.retry_after_seconds(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_nothing_is_let_in() {
        let limit = Rate {
            interval: Duration::from_secs(1),
            burst: 0,
        };
        assert!(!Bucket::default().takes(limit));
    }
}
