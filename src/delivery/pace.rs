//! Pauses between requests that fail.

use crate::limits::{OTLP_PAUSE_FIRST, OTLP_PAUSE_MAX, OTLP_PUSHBACK_MAX, OTLP_REFUSED_INTERVAL};
use std::time::Duration;

/// Pauses that grow with each failure in a row, with full jitter: exporters that lost one collector must not come
/// back together.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// While we are refused, rather than our spans.
    pub(crate) refused: Duration,
    failures: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: OTLP_PAUSE_FIRST,
            longest: OTLP_PAUSE_MAX,
            refused: OTLP_REFUSED_INTERVAL,
            failures: 0,
        }
    }
}

impl Pace {
    /// The pause after one more failure; at least what the collector asks for, as far as that is bearable.
    pub(crate) fn after_failure(&mut self, asked: Option<Duration>) -> Duration {
        let bound = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let jittered = rand::random_range(Duration::ZERO..=bound.min(self.longest));
        match asked {
            Some(least) => least.min(OTLP_PUSHBACK_MAX) + jittered / 4,
            None => jittered,
        }
    }

    /// For tests that have no time.
    #[cfg(test)]
    pub(crate) fn brisk() -> Self {
        let pause = Duration::from_millis(20);
        Self {
            first: pause,
            longest: pause,
            refused: pause,
            failures: 0,
        }
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_second_to_a_minute_and_begin_anew_after_a_success() {
        let longest = |failures: usize| {
            let draw = || {
                let mut pace = Pace::default();
                (0..failures).map(|_| pace.after_failure(None)).last()
            };
            (0..300).filter_map(|_| draw()).max().expect("a pause")
        };
        for (failures, seconds) in [(1, 1), (2, 2), (4, 8), (7, 60), (40, 60)] {
            let (longest, bound) = (longest(failures), Duration::from_secs(seconds));
            assert!(
                longest <= bound && longest > bound / 2,
                "{failures} failures: {longest:?}"
            );
        }
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.after_failure(None);
        }
        pace.succeeded();
        assert!(pace.after_failure(None) <= Duration::from_secs(1));
    }

    #[test]
    fn what_a_collector_asks_for_is_kept_as_far_as_it_is_bearable() {
        for (asked, least) in [(7, 7), (86_400, 600)] {
            let (asked, least) = (Duration::from_secs(asked), Duration::from_secs(least));
            let pause = Pace::default().after_failure(Some(asked));
            assert!(
                pause >= least && pause <= least + Duration::from_secs(1),
                "{pause:?}"
            );
        }
    }
}
