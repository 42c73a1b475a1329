//! Wall time, anchored to tokio's monotonic clock.
//!
//! In: nothing. Out: [`Timestamp`]s that never go backwards within a process and that follow tokio's paused
//! test time. Never: a second reader of the system's clock; every other room asks a [`Clock`].

use std::num::NonZeroI64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// An instant in unix time, in nanoseconds, after 1970 and before the year 2262.
///
/// `Option<Timestamp>` takes eight bytes, since zero is not an instant we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(NonZeroI64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

impl Timestamp {
    /// From unix nanoseconds; `None` unless positive.
    pub fn from_nanos(nanos: i64) -> Option<Self> {
        NonZeroI64::new(nanos).filter(|nanos| nanos.get() > 0).map(Self)
    }

    /// From unix seconds and the nanoseconds within the second; `None` when out of range.
    pub fn from_seconds(seconds: i64, nanos: u32) -> Option<Self> {
        Self::from_nanos(
            seconds
                .checked_mul(NANOS_PER_SECOND)?
                .checked_add(i64::from(nanos))?,
        )
    }

    /// Unix time in nanoseconds.
    pub fn nanos(self) -> i64 {
        self.0.get()
    }

    /// Unix time in whole milliseconds, rounded down: the resolution of every exposition.
    pub fn millis(self) -> i64 {
        self.0.get() / NANOS_PER_MILLI
    }

    /// Unix time in seconds, at millisecond resolution.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "exact below 2^53 milliseconds"
    )]
    pub fn seconds_f64(self) -> f64 {
        self.millis() as f64 / 1000.0
    }

    /// This instant moved forward; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        NonZeroI64::new(self.0.get().saturating_add(nanos)).map_or(self, Self)
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.get().saturating_sub(earlier.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, as the JSON API writes it.
    pub fn rfc3339(self) -> String {
        let seconds = self.0.get() / NANOS_PER_SECOND;
        let milli = self.millis() % 1000;
        let whole = prost_types::Timestamp { seconds, nanos: 0 }.to_string();
        format!("{}.{milli:03}Z", whole.trim_end_matches('Z'))
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> Self {
        at.nanos()
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = &'static str;

    fn try_from(nanos: i64) -> Result<Self, Self::Error> {
        Self::from_nanos(nanos).ok_or("an instant before 1970")
    }
}

/// Tells the time. Cheap to copy; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    anchor_at: Timestamp,
}

impl Clock {
    /// A clock that starts from the system's time and then runs with tokio's.
    ///
    /// A later step of the system's clock does not move it: durations stay true, and a restart picks the
    /// new time up.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the system's clock")]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::from_secs(1));
        let nanos = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        Self::starting_at(Timestamp(
            NonZeroI64::new(nanos.max(1)).unwrap_or(NonZeroI64::MAX),
        ))
    }

    /// A clock that reads `at` now; for tests and for scripted fleets.
    pub fn starting_at(at: Timestamp) -> Self {
        Self {
            anchor: Instant::now(),
            anchor_at: at,
        }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.anchor_at.plus(self.anchor.elapsed())
    }

    /// The monotonic instant at which this clock will read `at`; the past is now.
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        self.anchor + at.since(self.anchor_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_outside_the_range_do_not_exist() {
        assert_eq!(Timestamp::from_seconds(0, 0), None);
        assert_eq!(Timestamp::from_seconds(-1, 0), None);
        assert_eq!(Timestamp::from_seconds(253_402_300_799, 0), None, "the year 9999");
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn rfc3339_knows_leap_years_and_epochs() {
        let cases = [
            (1, "1970-01-01T00:00:01.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(
                Timestamp::from_seconds(seconds, 0)
                    .map(Timestamp::rfc3339)
                    .as_deref(),
                Some(text)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_paused_time() {
        let start = Timestamp::from_seconds(1_700_000_000, 0).expect("in range");
        let clock = Clock::starting_at(start);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().since(start), Duration::from_secs(90));
    }
}
