//! A value that is fetched when it is first needed and renewed behind the back of those who use it.

use crate::cloud::CloudError;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Where the value comes from.
pub(crate) trait Fetch: Send + Sync + 'static {
    /// What is fetched.
    type Value: Clone + PartialEq + Send + Sync + 'static;

    /// Fetches it; `present` is the value in use. Ends in bounded time, and tells the operator of its failures.
    fn fetch(
        &self,
        present: Option<Self::Value>,
    ) -> impl Future<Output = Result<Lease<Self::Value>, CloudError>> + Send;

    /// The longest pause between attempts that fail.
    fn retry_interval_max(&self) -> Duration;
}

/// A value and its time.
#[derive(Debug, Clone)]
pub(crate) struct Lease<T> {
    pub(crate) value: T,
    /// From when a newer one is fetched; `None` for never.
    pub(crate) renew_at: Option<Instant>,
    /// From when it must not be used; `None` for never.
    pub(crate) dead_at: Option<Instant>,
}

/// The value in use, with a number that changes when it does.
#[derive(Debug, Clone)]
pub(crate) struct Current<T> {
    pub(crate) value: T,
    pub(crate) generation: u64,
}

/// A value that renews itself. At most one fetch is under way, whoever asked for it: it belongs to none of the
/// callers, so that a caller that gives up does not end it for the others.
pub(crate) struct Renewed<F: Fetch>(Arc<Shared<F>>);

struct Shared<F: Fetch> {
    fetch: F,
    state: Mutex<State<F::Value>>,
    landed: watch::Sender<()>,
    flights: TaskTracker,
}

struct State<T> {
    lease: Option<Lease<T>>,
    generation: u64,
    in_flight: bool,
    failures: u32,
    /// No attempt before this time: after a failure, or after a renewal that was forced.
    rest_until: Instant,
    error: Option<Arc<CloudError>>,
}

/// The shortest time between renewals that the API's refusals force: a token that is refused for another reason
/// than its age must not turn every call into a renewal.
const FORCED_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest time between renewals before their time.
const EARLY_INTERVAL: Duration = Duration::from_mins(2);

/// The first pause after a failure; it doubles with each further one.
const RETRY_INTERVAL_MIN: Duration = Duration::from_secs(1);

impl<F: Fetch> Renewed<F> {
    /// Nothing yet; the first who asks starts the first fetch.
    pub(crate) fn new(fetch: F) -> Self {
        Self(Arc::new(Shared {
            fetch,
            state: Mutex::new(State {
                lease: None,
                generation: 0,
                in_flight: false,
                failures: 0,
                rest_until: Instant::now(),
                error: None,
            }),
            landed: watch::Sender::new(()),
            flights: TaskTracker::new(),
        }))
    }

    /// Where it comes from.
    pub(crate) fn fetch(&self) -> &F {
        &self.0.fetch
    }

    /// The value, if it may be used at `now`; starts a renewal that is due, and never waits for it.
    pub(crate) fn current(&self, now: Instant) -> Option<Current<F::Value>> {
        let mut state = self.0.lock();
        let current = state.current(now)?;
        let due = state.lease.as_ref().and_then(|lease| lease.renew_at);
        if due.is_some_and(|at| at <= now) && state.may_start(now) {
            self.start(&mut state);
        }
        Some(current)
    }

    /// The value, waiting for the fetch that is under way or for one that this starts.
    ///
    /// While an attempt that failed is resting, its error is the answer, at once.
    pub(crate) async fn obtain(&self, now: Instant) -> Result<Current<F::Value>, Arc<CloudError>> {
        let mut landing = {
            let mut state = self.0.lock();
            if let Some(current) = state.current(now) {
                return Ok(current);
            }
            if !state.in_flight && !state.may_start(now) {
                return Err(state.last_error());
            }
            self.board(&mut state)
        };
        self.wait(&mut landing).await;
        let state = self.0.lock();
        state.current(Instant::now()).ok_or_else(|| state.last_error())
    }

    /// A value other than the one of this generation, which was refused; `None` if there is none to be had now.
    pub(crate) async fn replace(&self, generation: u64, now: Instant) -> Option<Current<F::Value>> {
        let mut landing = {
            let mut state = self.0.lock();
            if state.generation != generation {
                return state.current(now);
            }
            if !state.in_flight && !state.may_start(now) {
                return None;
            }
            self.board(&mut state)
        };
        self.wait(&mut landing).await;
        let now = Instant::now();
        let mut state = self.0.lock();
        state.rest_until = state.rest_until.max(now + FORCED_INTERVAL);
        (state.generation != generation)
            .then(|| state.current(now))
            .flatten()
    }

    /// Starts a renewal before its time, if there is a value in use; at most one in a while.
    pub(crate) fn renew_early(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.lease.is_some() && state.may_start(now) {
            state.rest_until = now + EARLY_INTERVAL;
            self.start(&mut state);
        }
    }

    /// Joins the fetch under way, or starts one.
    fn board(&self, state: &mut State<F::Value>) -> watch::Receiver<()> {
        // Subscribed under the lock: the landing that is waited for cannot have happened yet.
        let landing = self.0.landed.subscribe();
        if !state.in_flight {
            self.start(state);
        }
        landing
    }

    async fn wait(&self, landing: &mut watch::Receiver<()>) {
        // The sender lives in `self`, so this ends with a landing.
        let _ = landing.changed().await;
    }

    fn start(&self, state: &mut State<F::Value>) {
        state.in_flight = true;
        let present = state.lease.as_ref().map(|lease| lease.value.clone());
        let flight = Flight(Arc::clone(&self.0));
        self.0.flights.spawn(async move {
            let result = flight.0.fetch.fetch(present).await;
            flight.land(result);
        });
    }
}

impl<F: Fetch + fmt::Debug> fmt::Debug for Renewed<F> {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renewed").field(&self.0.fetch).finish()
    }
}

impl<F: Fetch> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, State<F::Value>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + PartialEq> State<T> {
    fn current(&self, now: Instant) -> Option<Current<T>> {
        let lease = self.lease.as_ref()?;
        let alive = lease.dead_at.is_none_or(|dead_at| now < dead_at);
        alive.then(|| Current {
            value: lease.value.clone(),
            generation: self.generation,
        })
    }

    fn may_start(&self, now: Instant) -> bool {
        !self.in_flight && self.rest_until <= now
    }

    fn last_error(&self) -> Arc<CloudError> {
        self.error
            .clone()
            .unwrap_or_else(|| Arc::new(CloudError::Unfinished))
    }

    fn take(&mut self, lease: Lease<T>) {
        if self.lease.as_ref().is_none_or(|old| old.value != lease.value) {
            self.generation += 1;
        }
        self.lease = Some(lease);
        self.error = None;
        self.failures = 0;
    }

    fn fail(&mut self, error: CloudError, pause_max: Duration, now: Instant) {
        self.error = Some(Arc::new(error));
        let bound = RETRY_INTERVAL_MIN
            .saturating_mul(1 << self.failures.min(16))
            .min(pause_max);
        self.failures = self.failures.saturating_add(1);
        // Half of it is jitter: some pause there must be, since callers that find none start the next attempt.
        self.rest_until = now + rand::random_range(bound / 2..=bound);
    }
}

/// A fetch under way; however it ends, nobody waits for it any longer.
struct Flight<F: Fetch>(Arc<Shared<F>>);

impl<F: Fetch> Flight<F> {
    fn land(self, result: Result<Lease<F::Value>, CloudError>) {
        let mut state = self.0.lock();
        match result {
            Ok(lease) => state.take(lease),
            Err(error) => state.fail(error, self.0.fetch.retry_interval_max(), Instant::now()),
        }
    }
}

impl<F: Fetch> Drop for Flight<F> {
    fn drop(&mut self) {
        self.0.lock().in_flight = false;
        self.0.landed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::task::JoinSet;

    /// Answers, after a second, the number of the fetch, for a life of a hundred seconds; fails while told to.
    #[derive(Default)]
    struct Numbers {
        fetches: Arc<AtomicU32>,
        failing: Arc<Mutex<bool>>,
    }

    impl Fetch for Numbers {
        type Value = u32;

        async fn fetch(&self, _: Option<u32>) -> Result<Lease<u32>, CloudError> {
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if *self.failing.lock().expect("not poisoned") {
                return Err(CloudError::UserAgent);
            }
            let now = Instant::now();
            Ok(Lease {
                value: number,
                renew_at: Some(now + Duration::from_secs(10)),
                dead_at: Some(now + Duration::from_secs(100)),
            })
        }

        fn retry_interval_max(&self) -> Duration {
            Duration::from_mins(1)
        }
    }

    fn renewed() -> (Arc<Renewed<Numbers>>, Arc<AtomicU32>, Arc<Mutex<bool>>) {
        let numbers = Numbers::default();
        let (fetches, failing) = (Arc::clone(&numbers.fetches), Arc::clone(&numbers.failing));
        (Arc::new(Renewed::new(numbers)), fetches, failing)
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_shares_one_fetch_even_if_the_first_of_it_leaves() {
        let (renewed, fetches, _) = renewed();
        let impatient = tokio::time::timeout(Duration::from_millis(1), renewed.obtain(Instant::now()));
        assert!(impatient.await.is_err());
        let mut crowd = JoinSet::new();
        for _ in 0..100 {
            let renewed = Arc::clone(&renewed);
            crowd.spawn(async move { renewed.obtain(Instant::now()).await.expect("fetched").value });
        }
        assert!(crowd.join_all().await.into_iter().all(|number| number == 1));
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_still_alive_is_never_waited_for() {
        let (renewed, fetches, failing) = renewed();
        renewed.obtain(Instant::now()).await.expect("fetched");
        *failing.lock().expect("not poisoned") = true;
        let start = Instant::now();
        tokio::time::advance(Duration::from_secs(50)).await;
        for _ in 0..49 {
            let before = Instant::now();
            assert_eq!(renewed.current(before).expect("alive").value, 1);
            assert_eq!(renewed.obtain(before).await.expect("alive").value, 1);
            assert_eq!(Instant::now(), before, "nobody waited");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let attempts = fetches.load(Ordering::SeqCst) - 1;
        assert!(
            (3..=8).contains(&attempts),
            "{attempts} renewals in 50 s, each paused for longer"
        );
        tokio::time::sleep_until(start + Duration::from_secs(100)).await;
        assert!(renewed.current(Instant::now()).is_none(), "dead is dead");
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_failure_rests_its_error_is_the_answer() {
        let (renewed, fetches, failing) = renewed();
        *failing.lock().expect("not poisoned") = true;
        assert!(renewed.obtain(Instant::now()).await.is_err());
        for _ in 0..1000 {
            assert!(renewed.obtain(Instant::now()).await.is_err());
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        *failing.lock().expect("not poisoned") = false;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(renewed.obtain(Instant::now()).await.expect("recovered").value, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_value_is_replaced_once_for_all_who_hold_it() {
        let (renewed, fetches, _) = renewed();
        let refused = renewed.obtain(Instant::now()).await.expect("fetched");
        let mut holders = JoinSet::new();
        for _ in 0..64 {
            let renewed = Arc::clone(&renewed);
            holders.spawn(async move { renewed.replace(refused.generation, Instant::now()).await });
        }
        for replaced in holders.join_all().await {
            assert_eq!(replaced.expect("replaced").value, 2);
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
        let again = renewed.current(Instant::now()).expect("alive");
        assert!(
            renewed.replace(again.generation, Instant::now()).await.is_none(),
            "a second refusal right away is not about the age of the token"
        );
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
        tokio::time::sleep(FORCED_INTERVAL).await;
        assert!(renewed.replace(again.generation, Instant::now()).await.is_some());
    }
}
