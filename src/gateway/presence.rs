//! How many calls of a connection are under way, and when it has none to live for.

use crate::limits::{GATEWAY_GREETING_TIME_MAX, GATEWAY_IDLE_TIME_MAX};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What comes and goes all the time costs no task of the connection a turn.
const WAKES_NOBODY: bool = false;

/// The calls of a connection.
pub(crate) struct Presence(Arc<watch::Sender<Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    calls: usize,
    /// Since when there are so many.
    since: Instant,
    /// Those that were ended since nobody read them, and of which something is here all the same.
    stuck: usize,
    stuck_since: Instant,
    has_called: bool,
    /// Whether the call that was over last was one that nobody read.
    has_stalled: bool,
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct Guest {
    count: Arc<watch::Sender<Count>>,
    is_stalled: AtomicBool,
}

impl Presence {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let (sender, _) = watch::channel(Count {
            calls: 0,
            since: now,
            stuck: 0,
            stuck_since: now,
            has_called: false,
            has_stalled: false,
        });
        Self(Arc::new(sender))
    }

    pub(crate) fn enter(&self) -> Guest {
        self.0.send_if_modified(|count| {
            count.calls += 1;
            count.has_called = true;
            count.has_stalled = false;
            WAKES_NOBODY
        });
        Guest {
            count: Arc::clone(&self.0),
            is_stalled: AtomicBool::new(false),
        }
    }

    /// Whether there are calls that nobody read, or they were the last.
    pub(crate) fn has_stalled(&self) -> bool {
        let count = self.0.borrow();
        count.has_stalled || count.stuck > 0
    }

    /// Returns once there was no call for as long as there may be none: whoever did not read what came last has no
    /// time left.
    pub(crate) async fn left(&self) {
        let patience = |count: &Count| match count {
            Count {
                has_stalled: true, ..
            } => Duration::ZERO,
            Count { has_called: true, .. } => GATEWAY_IDLE_TIME_MAX,
            Count { .. } => GATEWAY_GREETING_TIME_MAX,
        };
        self.until(|count| match count.calls {
            0 => Some(count.since + patience(count)),
            _ => Some(Instant::now() + GATEWAY_GREETING_TIME_MAX),
        })
        .await;
    }

    /// Returns once there was no call for so long.
    pub(crate) async fn left_for(&self, time: Duration) {
        self.until(|count| match count.calls {
            0 => Some(count.since + time),
            _ => Some(Instant::now() + time),
        })
        .await;
    }

    /// Returns once there was something for so long that nobody reads.
    pub(crate) async fn stuck_for(&self, time: Duration) {
        self.until(|count| (count.stuck > 0).then(|| count.stuck_since + time))
            .await;
    }

    /// Returns when it is due, as it turns out at the moment that was the earliest before: a call that comes or goes
    /// only ever puts it off.
    async fn until(&self, due: impl Fn(&Count) -> Option<Instant>) {
        let mut counts = self.0.subscribe();
        loop {
            let due_at = due(&counts.borrow_and_update());
            let Some(due_at) = due_at else {
                // Ends with the connection, which this is part of.
                drop(counts.changed().await);
                continue;
            };
            if due_at <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(due_at) => {}
                _ = counts.changed() => {}
            }
        }
    }
}

impl Guest {
    /// Nobody reads it; tells whether that is new.
    pub(crate) fn stall(&self) -> bool {
        if self.is_stalled.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.count.send_modify(|count| {
            count.leave();
            count.has_stalled = true;
            if count.stuck == 0 {
                count.stuck_since = Instant::now();
            }
            count.stuck += 1;
        });
        true
    }
}

impl Count {
    fn leave(&mut self) {
        self.calls = self.calls.saturating_sub(1);
        self.since = Instant::now();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let is_stalled = *self.is_stalled.get_mut();
        self.count.send_if_modified(|count| {
            if is_stalled {
                count.stuck = count.stuck.saturating_sub(1);
            } else {
                count.leave();
                count.has_stalled = false;
            }
            WAKES_NOBODY
        });
    }
}
