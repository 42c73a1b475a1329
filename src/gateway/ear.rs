//! From answers to the watcher: what is an operation is reported, behind the back of the call.

use crate::catalogue::Instruments;
use crate::clock::{Clock, Timestamp};
use crate::decode::json::{Body, transcode};
use crate::decode::{self, wire};
use crate::flow::{Admitted, Inbox, Throttle};
use crate::gateway::callers::Callers;
use crate::gateway::method::Role;
use crate::gateway::sniffer::{Budget, Copied, Sniffer, Unheard};
use crate::limits::GATEWAY_HEARD_MAX;
use crate::model::{
    Admission, Decoded, Gaps, Input, JobId, Labels, OperationSnapshot, Overheard, Sighting, Source, Target,
    TraceContext,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};
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
    instruments: Instruments,
    clock: Clock,
    throttle: Throttle,
}

/// A call whose answer may be an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) role: Role,
    /// When it left.
    pub(crate) at: Timestamp,
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
            instruments: instruments.clone(),
            clock,
            throttle: Throttle::default(),
        }
    }

    /// An answer is over. Reports its operation; the receiver tells when the watcher has it, or that nobody will.
    pub(crate) fn hear(self: &Arc<Self>, asked: Asked, sniffer: Sniffer) -> Option<oneshot::Receiver<()>> {
        let copied = sniffer.end().map_err(|unheard| self.missed(unheard)).ok()?;
        let inbox = self
            .inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.missed(Unheard::Busy);
            return None;
        };
        let (accepted, acceptance) = oneshot::channel();
        let ear = Arc::clone(self);
        // A task of its own: what goes wrong in it is not the caller's, and it goes on when the caller waits no longer.
        self.reports.spawn(async move {
            match told(&copied) {
                Ok(told) => ear.report(&inbox, asked, told).await,
                Err(unheard) => ear.missed(unheard),
            }
            // The caller may have gone on.
            let _ = accepted.send(());
            drop(slot);
        });
        Some(acceptance)
    }

    async fn report(&self, inbox: &Inbox, asked: Asked, told: Told) {
        let sighting = Sighting {
            target: Target::Operation(told.answer.value.id.clone()),
            source: Source::Gateway,
            labels: Labels::default(),
            trace_context: self.context(asked, &told),
        };
        self.count(told.answer.gaps);
        let heard = Box::new(Overheard {
            sighting,
            asked_at: asked.at,
            answer: told.answer,
        });
        // During shutdown nothing is watched any more; the next process hears of it by other ways.
        let Ok(receipt) = inbox.deliver(Input::Overheard(heard)).await else {
            return;
        };
        if receipt.told().await == Some(Admission::Full)
            && let Some(Admitted { held_back }) = self.throttle.admit("full", self.clock.now())
        {
            tracing::warn!(
                held_back,
                "an operation that passed through the gateway is not watched, there is no room; raise watch.tracked_max"
            );
        }
    }

    /// Where the caller stood who asked for the execution: this one, or the one who made its job.
    fn context(&self, asked: Asked, told: &Told) -> Option<TraceContext> {
        if asked.role == Role::MakesJob {
            self.callers.remember(told.made.as_ref(), asked.trace_context);
            return asked.trace_context;
        }
        let of_maker = || {
            let job = told.answer.value.job.as_ref()?;
            self.callers.recall(&job.id)
        };
        match asked.role {
            Role::Begins => asked.trace_context.or_else(of_maker),
            _ => None,
        }
    }

    fn count(&self, gaps: Gaps) {
        for (gap, count) in gaps.iter() {
            let gaps_total = &self.instruments.decode_gaps_total;
            gaps_total
                .with_label_values(&[gap.label()])
                .inc_by(u64::from(count));
        }
    }

    fn missed(&self, unheard: Unheard) {
        self.instruments
            .gateway_unheard_total
            .with_label_values(&[unheard.label()])
            .inc();
        if let Some(Admitted { held_back }) = self.throttle.admit(unheard.label(), self.clock.now()) {
            let reason = unheard.label();
            tracing::warn!(
                reason,
                held_back,
                "an answer passed through the gateway unread; if it was an operation, it is not watched"
            );
        }
    }

    /// Hears nothing from now on, and returns once everything heard was reported.
    pub(crate) async fn close(&self) {
        drop(self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.reports.close();
        self.reports.wait().await;
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
