//! The one loop: what arrives is applied, what is due is looked at, what changed is committed and then published.
//!
//! In: deliveries from the inbox, and answers to its own looks. Out: records for the store, and views. Never: a task or
//! a channel for one operation; a decision, which is the tracker's; a wait for the cloud before a view.

mod telling;

pub use telling::Keeping;

use crate::clock::{Clock, Timestamp};
use crate::cloud::{Client, CloudError};
use crate::flow::{Delivery, Latch, Reply, Said, Throttle, ViewWriter};
use crate::limits::DRAIN_MAX;
use crate::model::{Admission, Change, Event, Input, Look, LookAnswer, LookError, Target};
use crate::tracker::{self, Tracker};
use std::collections::HashMap;
use std::time::Duration;
use telling::Telling;
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

/// What an operator may set of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Looks under way at once.
    pub concurrency: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { concurrency: 64 }
    }
}

/// What another configuration makes of an engine that runs.
#[derive(Debug)]
pub struct Reconfiguration {
    /// Its own settings.
    pub settings: Settings,
    /// What the tracker believes for how long.
    pub tracker: tracker::Settings,
    /// Where goes what must survive a restart.
    pub keeping: Option<Keeping>,
    /// Released with the first view that shows it.
    pub latch: Latch,
}

/// An answer with the id of its task, or why there is none.
type Arrival = Result<(task::Id, (Look, Option<CloudError>)), JoinError>;

/// Drives a tracker until its inbox closes.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    tracker: Tracker,
    client: Client,
    clock: Clock,
    inbox: mpsc::Receiver<Delivery>,
    reconfigurations: mpsc::Receiver<Reconfiguration>,
    telling: Telling,
    looks: JoinSet<(Look, Option<CloudError>)>,
    /// What each look under way asks for.
    targets: HashMap<task::Id, Target>,
    throttle: Throttle,
    /// Released once everything delivered so far was looked at.
    first_looks: Vec<Latch>,
    is_changed: bool,
}

impl Engine {
    /// An engine that has not begun. What must survive a restart goes to `keeping`.
    pub fn new(
        settings: Settings,
        tracker: Tracker,
        client: Client,
        clock: Clock,
        inbox: mpsc::Receiver<Delivery>,
        keeping: Option<Keeping>,
        views: ViewWriter,
    ) -> Self {
        Self {
            settings,
            tracker,
            client,
            clock,
            inbox,
            reconfigurations: mpsc::channel(1).1,
            telling: Telling::new(views, keeping),
            looks: JoinSet::new(),
            targets: HashMap::new(),
            throttle: Throttle::default(),
            first_looks: Vec::new(),
            is_changed: true,
        }
    }

    /// Goes on as it is told there.
    #[must_use]
    pub fn reconfigured_by(self, reconfigurations: mpsc::Receiver<Reconfiguration>) -> Self {
        Self {
            reconfigurations,
            ..self
        }
    }

    /// Runs until every inbox handle is dropped and what they sent is applied; looks that are then under way
    /// are given up, since nobody reads their answers any more.
    pub async fn run(mut self) {
        loop {
            self.look_at_due();
            self.tell_if_due();
            let wake_at = self.wake_at();
            tokio::select! {
                delivery = self.inbox.recv() => match delivery {
                    Some(delivery) => self.drain(delivery),
                    None => break,
                },
                Some(look) = self.looks.join_next_with_id() => self.collect(look),
                Some(reconfiguration) = self.reconfigurations.recv() => self.reconfigure(reconfiguration),
                () = self.telling.committed(), if self.telling.is_committing() => {}
                () = tokio::time::sleep_until(wake_at) => {
                    let events = self.tracker.expire(self.clock.now());
                    self.note(&events);
                }
            }
        }
        self.telling.finish(self.tracker).await;
    }

    fn reconfigure(&mut self, reconfiguration: Reconfiguration) {
        let Reconfiguration {
            settings,
            tracker,
            keeping,
            latch,
        } = reconfiguration;
        self.settings = settings;
        self.telling.keep_by(keeping);
        let events = self.tracker.reconfigure(tracker, self.clock.now());
        self.is_changed = true;
        self.note(&events);
        self.telling.release_with_next(vec![latch]);
    }

    /// Applies everything that has arrived, as far as that is bounded, before anything else happens.
    fn drain(&mut self, first: Delivery) {
        self.deliver(first);
        for _ in 0..DRAIN_MAX {
            match self.inbox.try_recv() {
                Ok(delivery) => self.deliver(delivery),
                Err(_) => break,
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Input(input) => self.apply(input),
            Delivery::Awaited(input, reply) => self.admit(input, reply),
            Delivery::FirstLook(latch) => self.first_looks.push(latch),
        }
    }

    /// Takes in the answers that have arrived.
    fn collect(&mut self, first: Arrival) {
        let mut arrived = Some(first);
        while let Some(arrival) = arrived {
            match arrival {
                Ok((id, (look, error))) => {
                    self.targets.remove(&id);
                    if let Some(error) = error {
                        self.complain(&look.target, &error);
                    }
                    self.apply(Input::Looked(look));
                }
                Err(error) => self.give_up(&error),
            }
            arrived = self.looks.try_join_next_with_id();
        }
    }

    /// A look was cut short, which only a defect of ours does: its operation is looked at again.
    fn give_up(&mut self, error: &JoinError) {
        tracing::error!(%error, "a look was cut short; this is a defect of the exporter");
        if let Some(target) = self.targets.remove(&error.id()) {
            let answer = Err(LookError::Unanswered);
            self.apply(Input::Looked(Look {
                target,
                asked_at: self.clock.now(),
                answer,
            }));
        }
    }

    /// Says why a look told nothing: one line a minute for each code, whatever the number of operations.
    fn complain(&self, target: &Target, error: &CloudError) {
        let Some(Said { held_back }) = self.throttle.admit(error.code(), self.clock.now()) else {
            return;
        };
        let (operation_id, job_id) = match target {
            Target::Operation(id) => (Some(id.as_str()), None),
            Target::Job(id) => (None, Some(id.as_str())),
        };
        let trace = self.tracker.find(target).and_then(|row| row.trace.as_ref());
        let job_trace_id = trace.map(|trace| tracing::field::display(trace.trace_id));
        tracing::warn!(
            operation_id,
            job_id,
            job_trace_id,
            error = error.chain(),
            held_back,
            "a look at an operation told nothing; watching goes on"
        );
    }

    fn apply(&mut self, input: Input) {
        let events = self.tracker.apply(input, self.clock.now());
        self.is_changed = true;
        self.note(&events);
    }

    /// Applies an input and has its sender told what became of it.
    fn admit(&mut self, input: Input, reply: Reply) {
        let is_all_told = !self.is_changed && self.telling.next_at().is_some();
        let (admission, events) = self.tracker.admit(input, self.clock.now());
        if admission == Admission::Known && is_all_told && events.is_empty() {
            // It is shown as it is: no view of its own for every answer that passes the gateway.
            return reply.send(admission);
        }
        self.is_changed = true;
        self.note(&events);
        self.telling.reply_with_next(reply, admission);
    }

    fn note(&mut self, events: &[Event]) {
        self.is_changed |= !events.is_empty();
        self.telling.note(events);
        events.iter().for_each(log);
    }

    fn look_at_due(&mut self) {
        let room = self.settings.concurrency.saturating_sub(self.looks.len());
        if room == 0 {
            return;
        }
        for target in self.tracker.take_due(self.clock.now(), room) {
            self.is_changed = true;
            let started = self
                .looks
                .spawn(look(self.client.clone(), target.clone(), self.clock));
            self.targets.insert(started.id(), target);
        }
    }

    fn tell_if_due(&mut self) {
        self.telling.release_overdue();
        let may_tell = self.telling.next_at().is_some_and(|at| at <= Instant::now());
        let is_looked_at = !self.first_looks.is_empty() && self.tracker.unlooked() == 0;
        if may_tell && (self.is_changed || is_looked_at || self.telling.is_retry_due()) {
            if is_looked_at {
                self.telling
                    .release_with_next(std::mem::take(&mut self.first_looks));
            }
            self.telling.tell(&mut self.tracker);
            self.is_changed = false;
        }
    }

    /// When something is to be done though nothing arrives.
    fn wake_at(&self) -> Instant {
        let instant = |at: Timestamp| self.clock.instant_of(at);
        let has_room = self.looks.len() < self.settings.concurrency;
        let due = self.tracker.next_due().filter(|_| has_room).map(instant);
        let expiry = self.tracker.next_expiry().map(instant);
        let has_news = self.is_changed || (!self.first_looks.is_empty() && self.tracker.unlooked() == 0);
        let telling = self.telling.next_at().filter(|_| has_news);
        let idle = Instant::now() + IDLE_WAKE_INTERVAL;
        [due, expiry, telling, self.telling.wake_at()]
            .into_iter()
            .flatten()
            .fold(idle, Instant::min)
    }
}

/// With nothing due and nothing arriving, the loop still turns this often: job names and data expiries age.
const IDLE_WAKE_INTERVAL: Duration = Duration::from_mins(1);

/// Asks the cloud once.
async fn look(client: Client, target: Target, clock: Clock) -> (Look, Option<CloudError>) {
    let asked_at = clock.now();
    let answer = match &target {
        Target::Operation(id) => client
            .get_operation(id)
            .await
            .map(|answer| LookAnswer::Operation(Box::new(answer))),
        Target::Job(id) => client
            .get_job(id)
            .await
            .map(|answer| LookAnswer::Job(Box::new(answer))),
    };
    match answer {
        Ok(answer) => (
            Look {
                target,
                asked_at,
                answer: Ok(answer),
            },
            None,
        ),
        Err(error) => (
            Look {
                target,
                asked_at,
                answer: Err(error.look()),
            },
            Some(error),
        ),
    }
}

/// Ends are worth a line each; all other changes are details.
fn log(event: &Event) {
    let row = &event.after;
    let (operation_id, job_id) = (row.operation_id.as_ref(), row.job_id.as_ref());
    let (operation_id, job_id) = (
        operation_id.map(tracing::field::display),
        job_id.map(tracing::field::display),
    );
    let project_id = row.project_id.as_ref().map(tracing::field::display);
    let job_trace_id = row
        .trace
        .as_ref()
        .map(|trace| tracing::field::display(trace.trace_id));
    match (event.change, row.outcome) {
        (Change::Ended, Some(outcome)) => {
            let (outcome, code) = (outcome.kind().label(), row.reported.return_code);
            tracing::info!(
                operation_id,
                job_id,
                project_id,
                job_trace_id,
                outcome,
                code,
                "operation ended"
            );
        }
        (change, _) => tracing::debug!(
            operation_id,
            job_id,
            project_id,
            job_trace_id,
            ?change,
            "operation changed"
        ),
    }
}
