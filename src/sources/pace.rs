//! When a source does the same thing again.

use crate::cloud::CloudError;
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a cloud that does not answer: what is shown is right again half a minute after it is back. All
/// sources together ask a silent cloud for less than an answering one, and the client's rate limit spreads the calls
/// of many projects that come back at once.
const UNANSWERED_WAIT_MAX: Duration = Duration::from_secs(30);

/// Longest wait after refusals, which asking again does not mend: a project whose role was just granted shows up
/// within minutes.
const REFUSED_WAIT_MAX: Duration = Duration::from_mins(5);

/// How a call ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// It brought what was asked for.
    Answered,
    /// The cloud is silent, out of reach or broken, which passes by itself.
    Unanswered,
    /// The cloud said no, or asks for fewer calls.
    Refused,
}

/// The pace of one recurring call: an interval with jitter, longer after failures in a row.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    ending: Ending,
    /// Failures of this kind in a row.
    failures: u32,
    due_at: Instant,
}

impl Pace {
    /// Due at once, and then every `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            ending: Ending::Answered,
            failures: 0,
            due_at: Instant::now(),
        }
    }

    /// When it is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// It was done, well or not.
    pub(crate) fn done(&mut self, ending: Ending) {
        let is_another = ending != self.ending;
        self.failures = if is_another {
            1
        } else {
            self.failures.saturating_add(1)
        };
        self.ending = ending;
        self.due_at = Instant::now() + self.wait();
    }

    /// What failed together must not come back together, so a wait after failures is spread over half of its length; it
    /// is never shorter than the interval.
    fn wait(&self) -> Duration {
        let (shortest, longest) = (self.interval.mul_f64(0.95), self.interval.mul_f64(1.05));
        let bound = match self.ending {
            Ending::Answered => Duration::ZERO,
            Ending::Unanswered => UNANSWERED_WAIT_MAX,
            Ending::Refused => REFUSED_WAIT_MAX,
        };
        let backoff = self
            .interval
            .saturating_mul(1 << self.failures.min(10))
            .min(bound);
        rand::rng().random_range(shortest.max(backoff / 2)..=longest.max(backoff))
    }
}

impl From<&CloudError> for Ending {
    fn from(error: &CloudError) -> Self {
        let asks_for_fewer = error.code() == "RESOURCE_EXHAUSTED";
        if error.is_transient() && !asks_for_fewer {
            Self::Unanswered
        } else {
            Self::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::CloudError;

    const INTERVAL: Duration = Duration::from_secs(10);

    /// The wait after so many equal endings.
    fn wait_after(pace: &mut Pace, ending: Ending, times: usize) -> Duration {
        for _ in 0..times {
            pace.done(ending);
        }
        pace.due_at() - Instant::now()
    }

    #[track_caller]
    fn assert_spread(wait: Duration, bound: Duration) {
        assert!(
            wait >= bound.mul_f64(0.475) && wait <= bound,
            "{wait:?} of {bound:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_cloud_is_asked_again_within_half_a_minute_and_an_answer_restores_the_pace() {
        let mut pace = Pace::new(INTERVAL);
        assert!(pace.due_at() <= Instant::now());
        assert_spread(wait_after(&mut pace, Ending::Unanswered, 1), 2 * INTERVAL);
        assert_spread(
            wait_after(&mut pace, Ending::Unanswered, 1000),
            UNANSWERED_WAIT_MAX,
        );
        let wait = wait_after(&mut pace, Ending::Answered, 1);
        assert!(
            wait >= INTERVAL.mul_f64(0.95) && wait <= INTERVAL.mul_f64(1.05),
            "{wait:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_repeated_every_few_minutes() {
        let mut pace = Pace::new(INTERVAL);
        assert_spread(wait_after(&mut pace, Ending::Refused, 1000), REFUSED_WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_a_long_silence_is_the_first_one() {
        let mut pace = Pace::new(INTERVAL);
        wait_after(&mut pace, Ending::Unanswered, 1000);
        assert_spread(wait_after(&mut pace, Ending::Refused, 1), 2 * INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_more_rarely_than_that_is_neither_hurried_nor_slowed_by_silence() {
        let mut pace = Pace::new(Duration::from_hours(1));
        let wait = wait_after(&mut pace, Ending::Unanswered, 1000);
        assert!(wait >= Duration::from_mins(57), "{wait:?}");
        assert!(wait <= Duration::from_mins(63), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_projects_ask_a_silent_cloud_for_less_than_an_answering_one() {
        let calls = |ending: Ending| {
            let mut paces: Vec<Pace> = (0..50).map(|_| Pace::new(INTERVAL)).collect();
            let waits: f64 = paces
                .iter_mut()
                .map(|pace| 1.0 / wait_after(pace, ending, 20).as_secs_f64())
                .sum();
            waits
        };
        assert!(calls(Ending::Unanswered) < calls(Ending::Answered) / 1.5);
    }

    #[test]
    fn only_what_passes_by_itself_is_asked_again_soon() {
        let silent = CloudError::Awaited {
            awaited: "the token",
            after: INTERVAL,
        };
        assert_eq!(Ending::from(&silent), Ending::Unanswered);
        let endless = CloudError::EndlessListing { method: "List" };
        assert_eq!(Ending::from(&endless), Ending::Refused);
    }
}
