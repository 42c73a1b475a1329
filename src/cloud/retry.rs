//! What may be tried again, after what time, and how often in all.

use crate::cloud::answer::{Answer, Origin};
use crate::cloud::pushback::Pushback;
use crate::limits::ATTEMPTS_MAX;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What to do about an answer that is not OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Asking again would bring the same.
    Final,
    /// The token is refused: once more with a new one.
    NewToken,
    /// Once more after a while.
    Again(Pace),
}

/// How long that while is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The server stumbled.
    Brisk,
    /// The server asks for fewer calls.
    Slow,
}

/// Judges an answer, as the official clients do: they repeat `UNAVAILABLE` and `CANCELLED`, and their waiter
/// `INTERNAL` and `RESOURCE_EXHAUSTED` as well.
///
/// A method that changes something is sent again only when the first sending cannot have had an effect: it never
/// left, or it was turned away at the door.
pub(crate) fn verdict(answer: &Answer, mutates: bool) -> Verdict {
    let by_server = answer.origin == Origin::Server;
    match answer.code.name() {
        _ if answer.too_large || answer.pushback == Some(Pushback::Never) => Verdict::Final,
        "UNAUTHENTICATED" => Verdict::NewToken,
        "RESOURCE_EXHAUSTED" if !mutates || by_server => Verdict::Again(Pace::Slow),
        "UNAVAILABLE" if !mutates || answer.origin == Origin::Unsent => Verdict::Again(Pace::Brisk),
        "CANCELLED" | "INTERNAL" if !mutates => Verdict::Again(Pace::Brisk),
        _ => Verdict::Final,
    }
}

/// How long to wait before the attempt after `attempts`, with full jitter: clients that failed together must not
/// come back together.
pub(crate) fn pause(pace: Pace, attempts: u32, pushback: Option<Pushback>) -> Duration {
    let (first, longest) = match pace {
        Pace::Brisk => (Duration::from_millis(200), Duration::from_secs(5)),
        Pace::Slow => (Duration::from_secs(1), Duration::from_secs(20)),
    };
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = first.saturating_mul(1 << doublings).min(longest);
    let jittered = rand::random_range(Duration::ZERO..=bound);
    match pushback {
        Some(Pushback::After(least)) => least + jittered / 4,
        Some(Pushback::Never) | None => jittered,
    }
}

/// Stops repeating when most calls fail, after gRPC's retry throttling (proposal A6): an API that is down gets one
/// attempt per call, not four.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicI64);

impl RetryBudget {
    const FULL: i64 = 100;
    /// What a failure costs; a success gives one back, so that one failure in ten can be repeated for ever.
    const FAILURE: i64 = 10;

    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(Self::FULL))
    }

    /// A call was answered.
    pub(crate) fn succeeded(&self) {
        // Racing calls may overshoot by a few, which is harmless; the usual case is one load.
        if self.0.load(Ordering::Relaxed) < Self::FULL {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An attempt failed in a way that may be repeated; whether it may be repeated now.
    pub(crate) fn failed(&self, attempts: u32) -> bool {
        let before = self.0.load(Ordering::Relaxed);
        let after = (before - Self::FAILURE).max(0);
        self.0.store(after, Ordering::Relaxed);
        attempts < ATTEMPTS_MAX && after > Self::FULL / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::method::Method;
    use std::io;
    use std::sync::Arc;
    use tonic::{Code, ConnectError, Status};

    fn judged(status: &Status, mutates: bool) -> Verdict {
        verdict(&Answer::new(&Method::for_test(), "localhost:1", status), mutates)
    }

    #[test]
    fn only_what_may_be_repeated_is_repeated() {
        use Verdict::{Again, Final, NewToken};
        let (brisk, slow) = (Again(Pace::Brisk), Again(Pace::Slow));
        let table = [
            (Code::Cancelled, brisk, Final),
            (Code::Unknown, Final, Final),
            (Code::InvalidArgument, Final, Final),
            (Code::DeadlineExceeded, Final, Final),
            (Code::NotFound, Final, Final),
            (Code::AlreadyExists, Final, Final),
            (Code::PermissionDenied, Final, Final),
            (Code::ResourceExhausted, slow, slow),
            (Code::FailedPrecondition, Final, Final),
            (Code::Aborted, Final, Final),
            (Code::OutOfRange, Final, Final),
            (Code::Unimplemented, Final, Final),
            (Code::Internal, brisk, Final),
            (Code::Unavailable, brisk, Final),
            (Code::DataLoss, Final, Final),
            (Code::Unauthenticated, NewToken, NewToken),
        ];
        for (code, read, mutation) in table {
            let status = Status::new(code, "");
            assert_eq!(judged(&status, false), read, "reading, {code:?}");
            assert_eq!(judged(&status, true), mutation, "changing, {code:?}");
        }
    }

    #[test]
    fn a_change_is_sent_again_only_if_it_never_left() {
        let refused = ConnectError(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        let unsent = Status::from_error(Box::new(refused));
        assert_eq!(judged(&unsent, true), Verdict::Again(Pace::Brisk));

        let mut reset = Status::unknown("transport error");
        reset.set_source(Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(judged(&reset, true), Verdict::Final);
        assert_eq!(judged(&reset, false), Verdict::Again(Pace::Brisk));
    }

    #[test]
    fn a_message_that_is_too_large_stays_too_large() {
        let status = Status::resource_exhausted("grpc: received message larger than max (5 vs. 4)");
        assert_eq!(judged(&status, false), Verdict::Final);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_honour_the_server() {
        for attempts in 1..40 {
            assert!(pause(Pace::Brisk, attempts, None) <= Duration::from_secs(5));
            assert!(pause(Pace::Slow, attempts, None) <= Duration::from_secs(20));
            let least = Duration::from_secs(7);
            assert!(pause(Pace::Brisk, attempts, Some(Pushback::After(least))) >= least);
        }
        let longest = (0..1000).map(|_| pause(Pace::Brisk, 1, None)).max();
        assert!(longest <= Some(Duration::from_millis(200)), "{longest:?}");
    }

    #[test]
    fn an_api_that_is_down_gets_one_attempt_per_call() {
        let budget = RetryBudget::new();
        assert_eq!((0..100).filter(|_| budget.failed(1)).count(), 4);
        assert!(!budget.failed(1));
        for _ in 0..70 {
            budget.succeeded();
        }
        assert!(budget.failed(1), "it recovered");
        assert!(
            !RetryBudget::new().failed(ATTEMPTS_MAX),
            "attempts have a bound of their own"
        );
    }
}
