//! One rate limit over all calls.

use crate::catalogue::Instruments;
use prometheus::{Gauge, Histogram};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Hands out moments to call at, in the order of asking.
///
/// Each call reserves the next free moment and sleeps until it comes. A caller that gives up leaves its moment
/// unused: giving it back would let somebody who asked later go first.
#[derive(Debug)]
pub(crate) struct Limiter {
    full_per_second: f64,
    state: Mutex<State>,
    wait_seconds: Histogram,
    rate_per_second: Gauge,
}

#[derive(Debug)]
struct State {
    next_at: Instant,
    interval: Duration,
    /// Of the full rate; below one after the API asked for fewer calls.
    share: f64,
    slowed_at: Instant,
    /// When the API last asked for fewer calls, or the rate last grew.
    quiet_since: Instant,
}

/// How much unused time may be caught up with: callers come in small bursts, and timers have a resolution of a
/// millisecond.
const BURST: Duration = Duration::from_millis(100);

/// The API's own limit is not published, so what it refuses halves our rate, down to this share of the full one.
const SHARE_MIN: f64 = 1.0 / 16.0;

/// Refusals within this time are answers to calls sent at the old rate, and slow down only once.
const SLOWDOWN_INTERVAL: Duration = Duration::from_secs(2);

/// After each such time without a refusal the rate grows by a quarter: full again in some three minutes from the
/// smallest.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(15);
const RECOVERY_FACTOR: f64 = 1.25;

/// Below this a rate is not one: a call in a quarter of an hour.
const PER_SECOND_MIN: f64 = 0.001;

impl Limiter {
    /// A limiter at its full rate.
    pub(crate) fn new(per_second: f64, instruments: &Instruments) -> Self {
        let full_per_second = per_second.max(PER_SECOND_MIN);
        let rate_per_second = instruments.rate_limit_requests_per_second.clone();
        let now = Instant::now();
        Self {
            full_per_second,
            state: Mutex::new(State {
                next_at: now,
                interval: interval(full_per_second),
                share: 1.0,
                slowed_at: now,
                quiet_since: now,
            }),
            wait_seconds: instruments.rate_limiter_wait_seconds.clone(),
            rate_per_second,
        }
    }

    /// Shows the rate: it is the one in use.
    pub(crate) fn show(&self) {
        self.rate_per_second.set(self.full_per_second);
    }

    /// Waits for the next free moment, and tells for how long.
    pub(crate) async fn admit(&self, now: Instant) -> Duration {
        let at = self.reserve(now);
        let wait = at.saturating_duration_since(now);
        self.wait_seconds.observe(wait.as_secs_f64());
        if !wait.is_zero() {
            sleep_until(at).await;
        }
        wait
    }

    /// Takes the next free moment.
    fn reserve(&self, now: Instant) -> Instant {
        let mut state = self.lock();
        if state.share < 1.0 {
            self.recover(&mut state, now);
        }
        let earliest = now
            .checked_sub(BURST.saturating_sub(state.interval))
            .unwrap_or(now);
        let at = state.next_at.max(earliest);
        state.next_at = at + state.interval;
        at
    }

    /// The API asked for fewer calls; tells the new rate when this changed it.
    pub(crate) fn slow_down(&self, now: Instant) -> Option<f64> {
        let mut state = self.lock();
        state.quiet_since = now;
        let just_slowed = state.share < 1.0 && now < state.slowed_at + SLOWDOWN_INTERVAL;
        let share = (state.share / 2.0).max(SHARE_MIN);
        if just_slowed || share >= state.share {
            return None;
        }
        state.slowed_at = now;
        self.set(&mut state, share);
        Some(self.full_per_second * share)
    }

    fn recover(&self, state: &mut State, now: Instant) {
        let mut share = state.share;
        while share < 1.0 && state.quiet_since + RECOVERY_INTERVAL <= now {
            state.quiet_since += RECOVERY_INTERVAL;
            share = (share * RECOVERY_FACTOR).min(1.0);
        }
        if share > state.share {
            self.set(state, share);
        }
    }

    fn set(&self, state: &mut State, share: f64) {
        let per_second = self.full_per_second * share;
        state.share = share;
        state.interval = interval(per_second);
        self.rate_per_second.set(per_second);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn interval(per_second: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::task::JoinSet;

    fn limiter(per_second: f64) -> (Limiter, Instruments) {
        let instruments = Instruments::new("test", "test", "test");
        (Limiter::new(per_second, &instruments), instruments)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_leave_in_order_at_the_rate() {
        let (limiter, instruments) = limiter(10.0);
        let limiter = Arc::new(limiter);
        let start = Instant::now();
        let mut calls = JoinSet::new();
        for place in 0..30 {
            let limiter = Arc::clone(&limiter);
            calls.spawn(async move {
                limiter.admit(Instant::now()).await;
                (place, start.elapsed())
            });
            tokio::task::yield_now().await;
        }
        let mut left = Vec::new();
        while let Some(call) = calls.join_next().await {
            left.push(call.expect("did not panic"));
        }
        let places: Vec<_> = left.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..30).collect::<Vec<_>>());
        let last = left.last().expect("thirty").1;
        assert_eq!(last.as_millis(), 2900);
        assert_eq!(instruments.rate_limiter_wait_seconds.get_sample_count(), 30);
        let waited = instruments.rate_limiter_wait_seconds.get_sample_sum();
        assert!((waited - 43.5).abs() < 0.1, "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn unused_time_is_caught_up_with_for_a_tenth_of_a_second_only() {
        let (limiter, _instruments) = limiter(100.0);
        tokio::time::advance(Duration::from_mins(1)).await;
        let now = Instant::now();
        let at_once = (0..50).filter(|_| limiter.reserve(now) <= now).count();
        assert_eq!(at_once, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_slow_down_once_a_burst_and_quiet_brings_the_rate_back() {
        let (limiter, instruments) = limiter(50.0);
        let gauge = &instruments.rate_limit_requests_per_second;
        limiter.show();
        assert!((gauge.get() - 50.0).abs() < 1e-9);
        for _ in 0..64 {
            limiter.slow_down(Instant::now());
        }
        assert!((gauge.get() - 25.0).abs() < 1e-9, "{}", gauge.get());
        for _ in 0..100 {
            tokio::time::advance(SLOWDOWN_INTERVAL / 10).await;
            limiter.slow_down(Instant::now());
        }
        assert!((gauge.get() - 50.0 * SHARE_MIN).abs() < 1e-9, "{}", gauge.get());
        tokio::time::advance(RECOVERY_INTERVAL).await;
        limiter.reserve(Instant::now());
        assert!((gauge.get() - 50.0 * SHARE_MIN * RECOVERY_FACTOR).abs() < 1e-9);
        tokio::time::advance(Duration::from_mins(4)).await;
        limiter.reserve(Instant::now());
        assert!((gauge.get() - 50.0).abs() < 1e-9, "{}", gauge.get());
    }
}
