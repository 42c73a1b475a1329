//! One call, with all its attempts.

use crate::clock::Clock;
use crate::cloud::answer::Answer;
use crate::cloud::attempt::{Failure, unary};
use crate::cloud::binding::Bound;
use crate::cloud::channel::Route;
use crate::cloud::idempotency::{IDEMPOTENCY_KEY, IdempotencyKey};
use crate::cloud::limiter::Limiter;
use crate::cloud::method::Method;
use crate::cloud::retry::{Pace, RetryBudget, Verdict, pause, verdict};
use crate::cloud::route::Routes;
use crate::cloud::token::Authorization;
use crate::cloud::{CloudError, Settings, Transport};
use crate::flow::{Said, Throttle};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Calls methods: under the rate limit, with authorization and a deadline, again where that may help.
#[derive(Debug)]
pub(crate) struct Caller {
    routes: Arc<Routes>,
    authorization: Authorization,
    limiter: Limiter,
    budget: RetryBudget,
    transport: Transport,
    timeout: Duration,
    /// The header of a call that has its whole time left, which is nearly every one.
    timeout_header: HeaderValue,
    clock: Clock,
    throttle: Arc<Throttle>,
}

/// How far a call is.
#[derive(Debug)]
struct Trial {
    deadline: Instant,
    attempts: u32,
    /// The authorization of the latest attempt.
    generation: u64,
    token_replaced: bool,
    /// Of a call that changes something: the same at each attempt.
    idempotency_key: Option<IdempotencyKey>,
}

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Headers of a request: ours, and those that tonic adds. A map that holds all of them from the start is never
/// rebuilt.
const HEADERS: usize = 8;

impl Caller {
    pub(crate) fn new(
        settings: &Settings,
        routes: Arc<Routes>,
        authorization: Authorization,
        limiter: Limiter,
        clock: Clock,
        throttle: Arc<Throttle>,
    ) -> Self {
        Self {
            routes,
            authorization,
            limiter,
            budget: RetryBudget::new(),
            transport: settings.transport,
            timeout: settings.request_timeout,
            timeout_header: timeout_value(settings.request_timeout),
            clock,
            throttle,
        }
    }

    /// Calls are made by this one from now on.
    pub(crate) fn show(&self) {
        self.limiter.show();
    }

    /// Calls a method until it answers, refuses, or the call's time is over.
    ///
    /// The time that attempts spend waiting for the rate limit is not the call's: a low limit makes calls late,
    /// which is shown as lag, and does not make them fail. A call that changes something carries `key`, or a new one.
    pub(crate) async fn call<Q, A>(
        &self,
        method: &Method,
        key: Option<IdempotencyKey>,
        ask: impl Fn() -> Q,
    ) -> Result<A, CloudError>
    where
        Q: Bound,
        A: Message + Default + 'static,
    {
        if self.transport == Transport::Rest && ask().binding().is_none() {
            return Err(CloudError::NeedsGrpc { method: method.label });
        }
        let started_at = Instant::now();
        let mut trial = Trial {
            deadline: started_at + self.timeout + self.limiter.admit(started_at).await,
            attempts: 1,
            generation: 0,
            token_replaced: false,
            idempotency_key: method.mutates.then(|| key.unwrap_or_else(IdempotencyKey::random)),
        };
        loop {
            let after = match self.attempt(method, ask(), &mut trial).await {
                Ok(answer) => {
                    self.budget.succeeded();
                    return Ok(answer);
                }
                Err(setback) => self.recover(method, *setback, &mut trial).await?,
            };
            if !after.is_zero() {
                sleep(after).await;
            }
            trial.attempts += 1;
            trial.deadline += self.limiter.admit(Instant::now()).await;
        }
    }

    async fn attempt<Q, A>(&self, method: &Method, message: Q, trial: &mut Trial) -> Result<A, Box<Setback>>
    where
        Q: Bound,
        A: Message + Default + 'static,
    {
        let now = Instant::now();
        let route = match self.routes.current(method.service, now) {
            Some(route) => route,
            None => self.find(method, trial, now).await?,
        };
        let authorization = match self.authorization.current(now) {
            Some(authorization) => authorization,
            None => match timeout_at(trial.deadline, self.authorization.obtain(now)).await {
                Ok(Ok(authorization)) => authorization,
                Ok(Err(source)) => return Err(Box::new(Setback::NoToken(source))),
                Err(_) => return Err(Box::new(Setback::NoToken(self.late("the source of tokens")))),
            },
        };
        trial.generation = authorization.generation;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        if self.transport == Transport::Grpc {
            headers.insert(GRPC_TIMEOUT, self.timeout_left(trial));
        }
        if let Some(authorization) = authorization.value {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(key) = &trial.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, key.header());
        }
        unary(method, &route, headers, message, trial.deadline)
            .await
            .map_err(|failure| Box::new(Setback::Failed(failure, route)))
    }

    async fn find(&self, method: &Method, trial: &Trial, now: Instant) -> Result<Arc<Route>, Box<Setback>> {
        match timeout_at(trial.deadline, self.routes.find(method.service, now)).await {
            Ok(found) => found.map_err(|source| Box::new(Setback::NoRoute(source))),
            Err(_) => Err(Box::new(Setback::NoRoute(self.late("the list of endpoints")))),
        }
    }

    /// What a call waited for before it could be sent did not come in its time.
    fn late(&self, awaited: &'static str) -> Arc<CloudError> {
        Arc::new(CloudError::Awaited {
            awaited,
            after: self.timeout,
        })
    }

    fn timeout_left(&self, trial: &Trial) -> HeaderValue {
        if trial.attempts == 1 {
            return self.timeout_header.clone();
        }
        timeout_value(trial.deadline.saturating_duration_since(Instant::now()))
    }

    /// What to do after an attempt that failed: the pause before the next one, or the error of the call.
    #[cold]
    async fn recover(
        &self,
        method: &Method,
        setback: Setback,
        trial: &mut Trial,
    ) -> Result<Duration, CloudError> {
        let (error, pace) = match setback {
            Setback::NoToken(source) => {
                let method = method.label;
                (CloudError::Token { method, source }, Pace::Brisk)
            }
            Setback::NoRoute(source) => {
                let method = method.label;
                (CloudError::Discovery { method, source }, Pace::Brisk)
            }
            Setback::Failed(failure, route) => {
                if failure.is_silence() {
                    self.routes.unanswered(&route, Instant::now());
                }
                match failure {
                    Failure::Answered(answer) => return self.judge(method, answer, trial).await,
                    Failure::Late => return Err(Failure::Late.into_error(method, &route, self.timeout)),
                }
            }
        };
        // No call was made, so a change may be tried again as well.
        if !error.is_transient() {
            return Err(error);
        }
        self.again(pause(pace, trial.attempts, None), error, trial)
    }

    async fn judge(
        &self,
        method: &Method,
        answer: Box<Answer>,
        trial: &mut Trial,
    ) -> Result<Duration, CloudError> {
        let pace = match verdict(&answer, method.mutates) {
            Verdict::Final => return Err(CloudError::Answer(answer)),
            Verdict::NewToken => return self.replace_token(answer, trial).await,
            Verdict::Again(pace) => pace,
        };
        if pace == Pace::Slow {
            self.slow_down();
        }
        let pause = pause(pace, trial.attempts, answer.pushback);
        self.again(pause, CloudError::Answer(answer), trial)
    }

    /// Once in a call a refused token is replaced, at once.
    async fn replace_token(&self, answer: Box<Answer>, trial: &mut Trial) -> Result<Duration, CloudError> {
        if !trial.token_replaced {
            trial.token_replaced = true;
            let replaced = self.authorization.replace(trial.generation, Instant::now());
            if timeout_at(trial.deadline, replaced).await == Ok(true) {
                return Ok(Duration::ZERO);
            }
        }
        Err(CloudError::Answer(answer))
    }

    /// The pause, if attempts, time and the general state allow one more; otherwise the error.
    fn again(&self, pause: Duration, error: CloudError, trial: &Trial) -> Result<Duration, CloudError> {
        let in_time = Instant::now() + pause < trial.deadline;
        if self.budget.failed(trial.attempts) && in_time {
            Ok(pause)
        } else {
            Err(error)
        }
    }

    fn slow_down(&self) {
        if let Some(per_second) = self.limiter.slow_down(Instant::now())
            && let Some(Said { held_back }) = self.throttle.admit("slow down", self.clock.now())
        {
            tracing::warn!(
                per_second,
                held_back,
                "the API asks for fewer calls, so they are made at a lower rate for a while"
            );
        }
    }
}

/// Why an attempt brought nothing, before it is put in words.
#[derive(Debug)]
enum Setback {
    NoToken(Arc<CloudError>),
    NoRoute(Arc<CloudError>),
    Failed(Failure, Arc<Route>),
}

/// The value of `grpc-timeout`: at most eight digits and a unit.
fn timeout_value(timeout: Duration) -> HeaderValue {
    let micros = timeout.as_micros();
    let text = if micros < 100_000_000 {
        format!("{micros}u")
    } else {
        format!("{}m", timeout.as_millis().min(99_999_999))
    };
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("10S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits() {
        let cases = [
            (Duration::from_secs(10), "10000000u"),
            (Duration::from_millis(99_999), "99999000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_hours(1000), "99999999m"),
            (Duration::ZERO, "0u"),
        ];
        for (timeout, expected) in cases {
            assert_eq!(timeout_value(timeout), expected);
        }
    }
}
