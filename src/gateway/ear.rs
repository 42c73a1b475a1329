//! From answers to the watcher: what is an operation is reported, behind the back of the call.

use crate::catalogue::{Instruments, count_gaps};
use crate::clock::{Clock, Timestamp};
use crate::decode::json::{Body, transcode};
use crate::decode::{self, wire};
use crate::flow::{Inbox, Said, Throttle, WaitingRoom};
use crate::gateway::callers::Callers;
use crate::gateway::method::Role;
use crate::gateway::sniffer::{Budget, Copied, Sniffer, Unheard};
use crate::limits::{GATEWAY_HEARD_MAX, GATEWAY_LAST_REPORTS_TIME_MAX};
use crate::model::{
    Admission, Decoded, Input, JobId, Labels, OperationSnapshot, Overheard, Sighting, Source, Target, Text,
    TraceContext,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
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
    waiting: WaitingRoom,
    /// Nothing more is put forward.
    closing: CancellationToken,
    /// Nobody waits any more for what was.
    ended: CancellationToken,
    instruments: Instruments,
    clock: Clock,
    throttle: Throttle,
}

/// A call whose answer may be an operation.
#[derive(Clone, Debug)]
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
        let closing = CancellationToken::new();
        Self {
            inbox: Mutex::new(Some(inbox)),
            callers: Callers::default(),
            budget: Budget::default(),
            reports: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(GATEWAY_HEARD_MAX)),
            waiting: WaitingRoom::new(clock, closing.clone()),
            closing,
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
                ear.waiting.insist(sighting, || ear.inbox()).await;
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
            trace_context: self.context(&cause, &told),
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

    /// Where the caller stood who asked for the execution: this one, or the one who made its job.
    fn context(&self, cause: &Cause, told: &Told) -> Option<TraceContext> {
        if cause.role == Role::MakesJob {
            self.callers
                .remember(told.made.as_ref(), cause.trace_context.clone());
            return cause.trace_context.clone();
        }
        let of_maker = || {
            let job = told.answer.value.job.as_ref()?;
            self.callers.recall(&job.id)
        };
        match cause.role {
            Role::Begins | Role::Unknown => cause.trace_context.clone().or_else(of_maker),
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
