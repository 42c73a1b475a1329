//! How long a call may go on.

use crate::limits::GATEWAY_HTTP_SILENCE_MAX;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Instant, sleep_until};

/// When a call has lasted for too long.
#[derive(Clone, Debug)]
pub(crate) enum Patience {
    /// At the deadline that its caller gave it.
    Until(Instant),
    /// When nothing passed for too long, over REST, which has no deadlines.
    WhileAlive(Pulse),
    /// Never: the connection tells whether the cloud is there, and a log may be silent for hours.
    Endless,
}

/// When a part of a call last passed, in either direction.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Patience {
    /// A part passed.
    pub(crate) fn beat(&self) {
        if let Self::WhileAlive(pulse) = self {
            *pulse.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Returns once the call has lasted for too long.
    pub(crate) async fn over(self) {
        match self {
            Self::Until(deadline) => sleep_until(deadline).await,
            Self::WhileAlive(pulse) => pulse.silent().await,
            Self::Endless => std::future::pending().await,
        }
    }

    /// The deadline that the caller gave.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Until(deadline) => Some(*deadline),
            Self::WhileAlive(_) | Self::Endless => None,
        }
    }
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    async fn silent(&self) {
        loop {
            let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + GATEWAY_HTTP_SILENCE_MAX;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[tokio::test(start_paused = true)]
    async fn silence_is_measured_from_the_last_part() {
        let patience = Patience::WhileAlive(Pulse::new());
        let begun = Instant::now();
        let almost = GATEWAY_HTTP_SILENCE_MAX.saturating_sub(Duration::from_secs(1));
        let over = patience.clone().over();
        let beating = async {
            for _ in 0..3 {
                sleep(almost).await;
                patience.beat();
            }
        };
        tokio::join!(over, beating);
        assert_eq!(begun.elapsed(), almost * 3 + GATEWAY_HTTP_SILENCE_MAX);
        assert!(timeout(almost * 10, Patience::Endless.over()).await.is_err());
    }
}
