//! From answers to the watcher: what is an operation is reported, behind the back of the call.

use crate::catalogue::{Instruments, count_gaps};
use crate::clock::{Clock, Timestamp};
use crate::decode::json::{Body, transcode};
use crate::decode::{self, wire};
use crate::flow::{Inbox, Said, Throttle};
use crate::gateway::callers::Callers;
use crate::gateway::method::Role;
use crate::gateway::sniffer::{Budget, Copied, Sniffer, Unheard};
use crate::limits::{
    GATEWAY_ADMISSION_PAUSE_FIRST, GATEWAY_ADMISSION_PAUSE_MAX, GATEWAY_ADMISSION_TIME_MAX,
    GATEWAY_HEARD_MAX, GATEWAY_LAST_REPORTS_TIME_MAX, GATEWAY_WAITING_MAX,
};
use crate::model::{
    Admission, Decoded, Input, JobId, Labels, OperationSnapshot, Overheard, Sighting, Source, Target, Text,
    TraceContext,
};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Hears of operations.
#[derive(Debug)]
pub(crate) struct Ear {
    /// Given back at the end, so that the engine can end.
    inbox: Mutex<Option<Inbox>>,
    callers: Callers,
    pub(crate) budget: Budget,
    reports: TaskTracker,
    slots: Arc<Semaphore>,
    waiting: Waiting,
    /// Nothing more is put forward.
    closing: CancellationToken,
    /// Nobody waits any more for what was.
    ended: CancellationToken,
    instruments: Instruments,
    clock: Clock,
    throttle: Throttle,
}

/// Operations for which there was no room, each once however often it is heard.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashSet<Target>>);

/// What becomes of one that is to wait.
enum Entry<'a> {
    Waits(Turn<'a>),
    WaitsAlready,
    /// As many wait as may.
    Full,
}

/// One that waits.
struct Turn<'a> {
    waiting: &'a Waiting,
    target: &'a Target,
}

/// A call whose answer may be an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub(crate) role: Role,
    /// When it left for the cloud.
    pub(crate) left_at: Timestamp,
    /// Where its caller stood in its own trace.
    pub(crate) trace_context: Option<TraceContext>,
}

/// An operation that an answer told.
struct Told {
    answer: Decoded<OperationSnapshot>,
    /// The job that it makes.
    made: Option<JobId>,
}

impl Ear {
    pub(crate) fn new(inbox: Inbox, clock: Clock, instruments: &Instruments) -> Self {
        Self {
            inbox: Mutex::new(Some(inbox)),
            callers: Callers::default(),
            budget: Budget::default(),
            reports: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(GATEWAY_HEARD_MAX)),
            waiting: Waiting::default(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
            instruments: instruments.clone(),
            clock,
            throttle: Throttle::default(),
        }
    }

    /// An answer is over. Reports its operation; the receiver tells when the watcher has it, or that nobody will.
    pub(crate) fn hear(self: &Arc<Self>, cause: Cause, sniffer: Sniffer) -> Option<oneshot::Receiver<()>> {
        let is_guess = cause.role == Role::Unknown;
        let missed = |unheard| {
            if !is_guess {
                self.missed(unheard);
            }
        };
        let copied = sniffer.end().map_err(missed).ok()?;
        let inbox = self.inbox()?;
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            missed(Unheard::Busy);
            return None;
        };
        let (accepted, acceptance) = oneshot::channel();
        let ear = Arc::clone(self);
        // A task of its own: what goes wrong in it is not the caller's, and it goes on when the caller waits no longer.
        self.reports.spawn(async move {
            let told = told(&copied);
            // It gives back its share of the budget: a commit may take seconds.
            drop(copied);
            let refused = match told {
                Ok(told) if is_guess && !told.is_of_datasphere() => None,
                Ok(told) => {
                    let report = ear.report(&inbox, cause, told);
                    ear.ended.run_until_cancelled(report).await.flatten()
                }
                Err(_) if is_guess => None,
                Err(unheard) => {
                    ear.missed(unheard);
                    None
                }
            };
            // The caller may have gone on.
            let _ = accepted.send(());
            drop((slot, inbox));
            if let Some(sighting) = refused {
                ear.insist(sighting).await;
            }
        });
        Some(acceptance)
    }

    fn inbox(&self) -> Option<Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives back what there was no room for.
    async fn report(&self, inbox: &Inbox, cause: Cause, told: Told) -> Option<Sighting> {
        let sighting = Sighting {
            target: Target::Operation(told.answer.value.id.clone()),
            source: Source::Gateway,
            labels: Labels::default(),
            trace_context: self.context(cause, &told),
        };
        let gaps = told.answer.gaps.iter().map(|(gap, count)| (gap.label(), count));
        count_gaps(&self.instruments.decode_gaps_total, gaps);
        let heard = Box::new(Overheard {
            sighting: sighting.clone(),
            asked_at: cause.left_at,
            answer: told.answer,
        });
        // During shutdown nothing is watched any more; the next process hears of it by other ways.
        let receipt = inbox.deliver(Input::Overheard(heard)).await.ok()?;
        (receipt.told().await == Some(Admission::Full)).then_some(sighting)
    }

    /// Puts an operation forward until there is room for it, or it has waited for too long. By then its answer is old:
    /// the watcher looks for itself.
    async fn insist(&self, sighting: Sighting) {
        let _turn = match self.waiting.enter(&sighting.target) {
            Entry::Waits(turn) => turn,
            Entry::WaitsAlready => return,
            Entry::Full => return self.lost("as many wait for room as may"),
        };
        if let Some(Said { held_back }) = self.throttle.admit("full", self.clock.now()) {
            tracing::warn!(
                held_back,
                "there is no room to watch an operation that passed through the gateway, it is tried again for an \
                 hour; raise watch.tracked_max"
            );
        }
        let end = Instant::now() + GATEWAY_ADMISSION_TIME_MAX;
        let mut pause = GATEWAY_ADMISSION_PAUSE_FIRST;
        while Instant::now() < end {
            if self.closing.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
            let again = self
                .closing
                .run_until_cancelled(self.offer(sighting.clone()))
                .await;
            if again.flatten() != Some(Admission::Full) {
                return;
            }
            pause = (pause * 2).min(GATEWAY_ADMISSION_PAUSE_MAX);
        }
        self.lost("it has waited for an hour");
    }

    fn lost(&self, reason: &'static str) {
        if let Some(Said { held_back }) = self.throttle.admit(reason, self.clock.now()) {
            tracing::warn!(
                reason,
                held_back,
                "an operation that passed through the gateway is not watched, for want of room, and is not tried \
                 again; raise watch.tracked_max"
            );
        }
    }

    async fn offer(&self, sighting: Sighting) -> Option<Admission> {
        let receipt = self.inbox()?.deliver(Input::Sighted(sighting)).await.ok()?;
        receipt.told().await
    }

    /// Where the caller stood who asked for the execution: this one, or the one who made its job.
    fn context(&self, cause: Cause, told: &Told) -> Option<TraceContext> {
        if cause.role == Role::MakesJob {
            self.callers.remember(told.made.as_ref(), cause.trace_context);
            return cause.trace_context;
        }
        let of_maker = || {
            let job = told.answer.value.job.as_ref()?;
            self.callers.recall(&job.id)
        };
        match cause.role {
            Role::Begins | Role::Unknown => cause.trace_context.or_else(of_maker),
            _ => None,
        }
    }

    fn missed(&self, unheard: Unheard) {
        self.instruments
            .gateway_unheard_total
            .with_label_values(&[unheard.label()])
            .inc();
        if let Some(Said { held_back }) = self.throttle.admit(unheard.label(), self.clock.now()) {
            let reason = unheard.label();
            tracing::warn!(
                reason,
                held_back,
                "an answer passed through the gateway unread; if it was an operation, it is not watched"
            );
        }
    }

    /// Hears nothing from now on, and returns once everything heard was reported, or has taken too long.
    pub(crate) async fn close(&self) {
        drop(self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.closing.cancel();
        self.reports.close();
        let reported = timeout(GATEWAY_LAST_REPORTS_TIME_MAX, self.reports.wait());
        if reported.await.is_err() {
            self.ended.cancel();
            self.reports.wait().await;
        }
    }
}

impl Told {
    /// Whether it is described as what `DataSphere` does.
    fn is_of_datasphere(&self) -> bool {
        let told = &self.answer.value;
        let is_known = |name: &Text| name.as_str().contains("/yandex.cloud.datasphere.");
        told.described && told.metadata_type.as_ref().is_none_or(is_known)
    }
}

impl Waiting {
    fn enter<'a>(&'a self, target: &'a Target) -> Entry<'a> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.contains(target) {
            return Entry::WaitsAlready;
        }
        if waiting.len() >= GATEWAY_WAITING_MAX {
            return Entry::Full;
        }
        waiting.insert(target.clone());
        Entry::Waits(Turn {
            waiting: self,
            target,
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(self.target);
    }
}

fn told(copied: &Copied) -> Result<Told, Unheard> {
    let mut message = copied.message()?;
    if !copied.is_protobuf() {
        message = transcode(Body::Operation, &message).map_err(|_| Unheard::Unreadable)?;
    }
    let message = wire::Operation::from(message);
    let answer = decode::begun(&message).ok_or(Unheard::Unreadable)?;
    Ok(Told {
        answer,
        made: decode::made_job(&message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_already_is_told_from_what_has_no_room_to_wait() {
        let waiting = Waiting::default();
        let target = |number: usize| Target::Operation(format!("op{number}").parse().expect("an id"));
        let targets: Vec<_> = (0..=GATEWAY_WAITING_MAX).map(target).collect();
        let (last, first) = targets.split_last().expect("some");
        let mut turns: Vec<_> = first
            .iter()
            .map(|target| match waiting.enter(target) {
                Entry::Waits(turn) => turn,
                Entry::WaitsAlready | Entry::Full => panic!("there is room"),
            })
            .collect();
        assert!(matches!(waiting.enter(&targets[0]), Entry::WaitsAlready));
        assert!(matches!(waiting.enter(last), Entry::Full));
        turns.pop();
        assert!(matches!(waiting.enter(last), Entry::Waits(_)));
    }
}
