//! Operations that were begun while the watcher had no room for them.

use crate::clock::Clock;
use crate::flow::{Inbox, Said, Throttle};
use crate::limits::{
    ADMISSION_PAUSE_FIRST, ADMISSION_PAUSE_MAX, ADMISSION_RETRIES_TIME_MAX, ADMISSION_WAITING_MAX,
};
use crate::model::{Admission, Input, Sighting, Target};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Puts operations forward again until there is room for them, each once however often it is told of.
#[derive(Debug)]
pub struct WaitingRoom {
    waiting: Mutex<HashSet<Target>>,
    /// Nothing more is put forward.
    closing: CancellationToken,
    clock: Clock,
    throttle: Throttle,
}

/// What becomes of one that is to wait.
enum Entry<'a> {
    Waits(Turn<'a>),
    WaitsAlready,
    /// As many wait as may.
    Full,
}

/// One that waits.
struct Turn<'a> {
    room: &'a WaitingRoom,
    target: &'a Target,
}

impl WaitingRoom {
    /// An empty one, which is left by all once `closing` is cancelled.
    pub fn new(clock: Clock, closing: CancellationToken) -> Self {
        Self {
            waiting: Mutex::default(),
            closing,
            clock,
            throttle: Throttle::default(),
        }
    }

    /// Puts an operation forward until there is room for it, it has waited for too long, or there is no inbox any
    /// more. The watcher is to look for itself: what was told of the operation is old by then.
    pub async fn insist(&self, sighting: Sighting, inbox: impl Fn() -> Option<Inbox>) {
        let _turn = match self.enter(&sighting.target) {
            Entry::Waits(turn) => turn,
            Entry::WaitsAlready => return,
            Entry::Full => return self.lost("as many wait for room as may"),
        };
        let end = Instant::now() + ADMISSION_RETRIES_TIME_MAX;
        let mut pause = ADMISSION_PAUSE_FIRST;
        while Instant::now() < end {
            let again = async {
                sleep(pause).await;
                offer(inbox()?, sighting.clone()).await
            };
            if self.closing.run_until_cancelled(again).await.flatten() != Some(Admission::Full) {
                return;
            }
            if pause == ADMISSION_PAUSE_FIRST {
                self.waits();
            }
            pause = (pause * 2).min(ADMISSION_PAUSE_MAX);
        }
        self.lost("it has waited for an hour");
    }

    fn waits(&self) {
        if let Some(Said { held_back }) = self.throttle.admit("full", self.clock.now()) {
            tracing::warn!(
                held_back,
                "there is no room to watch an operation that was begun, it is tried again for an hour; raise \
                 watch.tracked_max"
            );
        }
    }

    fn lost(&self, reason: &'static str) {
        if let Some(Said { held_back }) = self.throttle.admit(reason, self.clock.now()) {
            tracing::warn!(
                reason,
                held_back,
                "an operation that was begun is not watched, for want of room, and is not tried again; raise \
                 watch.tracked_max"
            );
        }
    }

    fn enter<'a>(&'a self, target: &'a Target) -> Entry<'a> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.contains(target) {
            return Entry::WaitsAlready;
        }
        if waiting.len() >= ADMISSION_WAITING_MAX {
            return Entry::Full;
        }
        waiting.insert(target.clone());
        Entry::Waits(Turn { room: self, target })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.room.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(self.target);
    }
}

/// The inbox is let go of before the wait for what becomes of it, which must not keep the engine from ending.
async fn offer(inbox: Inbox, sighting: Sighting) -> Option<Admission> {
    let receipt = inbox.deliver(Input::Sighted(sighting)).await.ok()?;
    drop(inbox);
    receipt.told().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn what_waits_already_is_told_from_what_has_no_room_to_wait() {
        let clock = Clock::starting_at(Timestamp::from_seconds(1_700_000_000, 0).expect("in range"));
        let room = WaitingRoom::new(clock, CancellationToken::new());
        let target = |number: usize| Target::Operation(format!("op{number}").parse().expect("an id"));
        let targets: Vec<_> = (0..=ADMISSION_WAITING_MAX).map(target).collect();
        let (last, first) = targets.split_last().expect("some");
        let mut turns: Vec<_> = first
            .iter()
            .map(|target| match room.enter(target) {
                Entry::Waits(turn) => turn,
                Entry::WaitsAlready | Entry::Full => panic!("there is room"),
            })
            .collect();
        assert!(matches!(room.enter(&targets[0]), Entry::WaitsAlready));
        assert!(matches!(room.enter(last), Entry::Full));
        turns.pop();
        assert!(matches!(room.enter(last), Entry::Waits(_)));
    }
}
