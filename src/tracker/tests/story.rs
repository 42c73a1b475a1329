//! A tracker, a clock hand and the words to tell a story with.

use crate::clock::Timestamp;
use crate::model::{
    Admission, Change, Decoded, Event, Gaps, Input, JobListing, JobSnapshot, JobStatus, Kind, Labels,
    ListingScope, Look, LookAnswer, LookError, NotebookSnapshot, OperationSnapshot, OutcomeKind, Overheard,
    Project, ResultKey, RpcCode, RpcError, Sighting, Source, Target, Text, TraceContext, TrackedOperation,
    View,
};
use crate::tracker::{Settings, TraceSettings, Tracker};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Story {
    pub(crate) tracker: Tracker,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
}

/// So many seconds after the story's beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
}

pub(crate) fn job(id: &str, status: JobStatus) -> JobSnapshot {
    JobSnapshot {
        id: id.parse().expect("an id"),
        project_id: Some("p1".parse().expect("an id")),
        name: None,
        parent_job_id: None,
        created_by: None,
        status,
        status_details: None,
        created_at: Some(at(0)),
        started_at: None,
        finished_at: None,
        data_expires_at: None,
        data_cleared: false,
        instance_type: None,
        data_size_bytes: None,
    }
}

pub(crate) fn operation(id: &str, job: JobSnapshot) -> OperationSnapshot {
    OperationSnapshot {
        kind: Kind::Job,
        notebook: None,
        job: Some(job),
        ..notebook(id)
    }
}

pub(crate) fn notebook(id: &str) -> OperationSnapshot {
    OperationSnapshot {
        id: id.parse().expect("an id"),
        kind: Kind::Notebook,
        described: true,
        description: None,
        created_at: Some(at(0)),
        modified_at: None,
        created_by: None,
        done: false,
        error: None,
        project_id: Some("p1".parse().expect("an id")),
        job: None,
        progress: None,
        return_code: None,
        output_errors: None,
        notebook: Some(NotebookSnapshot { notebook_id: None }),
        execution_status: None,
        metadata_type: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer carries an optional error")]
pub(crate) fn rpc_error(code: RpcCode) -> Option<RpcError> {
    Some(RpcError {
        code,
        message: None,
        reason: None,
    })
}

/// A sampled caller in one trace, in the span of this number.
pub(crate) fn caller(span: u8) -> TraceContext {
    let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span:016x}-01");
    TraceContext::from_traceparent(&header).expect("valid")
}

pub(crate) fn decoded<T>(value: T) -> Decoded<T> {
    Decoded {
        value,
        gaps: Gaps::default(),
    }
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        set(&mut settings);
        Self {
            tracker: Tracker::new(settings),
            now: at(0),
            events: Vec::new(),
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    pub(crate) fn apply(&mut self, input: Input) -> Admission {
        let (admission, events) = self.tracker.admit(input, self.now);
        self.events.extend(events);
        admission
    }

    pub(crate) fn expire(&mut self) -> usize {
        let events = self.tracker.expire(self.now);
        self.events.extend(events.iter().cloned());
        events.len()
    }

    pub(crate) fn sight(&mut self, id: &str) {
        self.sight_from(Source::Config, id);
    }

    pub(crate) fn sight_from(&mut self, source: Source, id: &str) -> Admission {
        self.sighted(source, id, Labels::default())
    }

    pub(crate) fn sight_labelled(&mut self, id: &str, name: &str, value: &str) {
        self.sighted(
            Source::Config,
            id,
            Arc::new([(name.into(), Text::bounded(value))].into()),
        );
    }

    /// A story whose operations are traced.
    pub(crate) fn traced() -> Self {
        Self::with(|settings| settings.traces = Some(TraceSettings::default()))
    }

    pub(crate) fn sight_called(&mut self, target: Target, caller: TraceContext) {
        self.apply(Input::Sighted(Sighting {
            target,
            source: Source::Gateway,
            labels: Labels::default(),
            trace_context: Some(caller),
        }));
    }

    fn sighted(&mut self, source: Source, id: &str, labels: Labels) -> Admission {
        let target = Target::Operation(id.parse().expect("an id"));
        self.apply(Input::Sighted(Sighting {
            target,
            source,
            labels,
            trace_context: None,
        }))
    }

    pub(crate) fn overhear(&mut self, seen: OperationSnapshot) -> Admission {
        self.overhear_asked(seen, self.now)
    }

    pub(crate) fn overhear_asked(&mut self, seen: OperationSnapshot, asked_at: Timestamp) -> Admission {
        self.apply(Input::Overheard(Box::new(Overheard {
            sighting: Sighting {
                target: Target::Operation(seen.id.clone()),
                source: Source::Gateway,
                labels: Labels::default(),
                trace_context: None,
            },
            asked_at,
            answer: decoded(seen),
        })))
    }

    pub(crate) fn dismiss(&mut self, id: &str) -> Admission {
        self.apply(Input::Dismissed(Target::Operation(id.parse().expect("an id"))))
    }

    fn answer(&mut self, target: Target, asked_at: Timestamp, answer: Result<LookAnswer, LookError>) {
        self.apply(Input::Looked(Look {
            target,
            asked_at,
            answer,
        }));
    }

    pub(crate) fn look(&mut self, id: &str, seen: OperationSnapshot) {
        self.look_asked(id, seen, self.now);
    }

    pub(crate) fn look_asked(&mut self, id: &str, seen: OperationSnapshot, asked_at: Timestamp) {
        let target = Target::Operation(id.parse().expect("an id"));
        self.answer(
            target,
            asked_at,
            Ok(LookAnswer::Operation(Box::new(decoded(seen)))),
        );
    }

    pub(crate) fn look_job(&mut self, id: &str, seen: JobSnapshot) {
        let target = Target::Job(id.parse().expect("an id"));
        self.answer(target, self.now, Ok(LookAnswer::Job(Box::new(decoded(seen)))));
    }

    pub(crate) fn fail(&mut self, id: &str, error: LookError) {
        self.answer(
            Target::Operation(id.parse().expect("an id")),
            self.now,
            Err(error),
        );
    }

    pub(crate) fn refuse(&mut self, id: &str, code: RpcCode) {
        self.fail(id, LookError::Refused(code));
    }

    pub(crate) fn list(&mut self, scope: ListingScope, jobs: Vec<JobSnapshot>) {
        self.list_part(scope, jobs, true);
    }

    pub(crate) fn list_part(&mut self, scope: ListingScope, jobs: Vec<JobSnapshot>, complete: bool) {
        let jobs = jobs.into_iter().map(decoded).collect();
        let project_id = "p1".parse().expect("an id");
        self.apply(Input::Listed(JobListing {
            project_id,
            scope,
            asked_at: self.now,
            complete,
            jobs,
        }));
    }

    pub(crate) fn follow(&mut self, project_id: &str) {
        self.apply(Input::ProjectFollowed(project_id.parse().expect("an id")));
    }

    pub(crate) fn balance(&mut self, project_id: &str, units: Option<i64>) {
        self.apply(Input::Balance {
            project_id: project_id.parse().expect("an id"),
            units,
        });
    }

    /// Takes what is due now out of the schedule.
    pub(crate) fn due(&mut self) -> Vec<String> {
        let due = self.tracker.take_due(self.now, usize::MAX);
        due.into_iter()
            .map(|target| match target {
                Target::Operation(id) => format!("operation {id}"),
                Target::Job(id) => format!("job {id}"),
            })
            .collect()
    }

    pub(crate) fn next_due_in(&self) -> Duration {
        self.tracker.next_due().expect("something is due").since(self.now)
    }

    pub(crate) fn view(&self) -> View {
        self.tracker.view()
    }

    pub(crate) fn row(&self, id: &str) -> Arc<TrackedOperation> {
        Arc::clone(self.view().operations.find(id).expect("a row with this id"))
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.events.iter().map(|event| event.change).take(2).collect()
    }

    pub(crate) fn project(&self, id: &str) -> Arc<Project> {
        Arc::clone(&self.view().projects[&Some(id.parse().expect("an id"))])
    }

    pub(crate) fn tracked_total(&self, project_id: Option<&str>, kind: Kind, source: Source) -> u64 {
        let key = project_id.map(|id| id.parse().expect("an id"));
        self.view()
            .projects
            .get(&key)
            .map_or(0, |project| project.tracked_total[&(kind, source)])
    }

    pub(crate) fn finished_total(&self, project_id: &str, kind: Kind, outcome: OutcomeKind) -> u64 {
        self.project(project_id).finished_total[&(kind, outcome)].count
    }

    pub(crate) fn result(&self, project_id: &str, outcome: OutcomeKind, code: &str) -> u64 {
        self.result_of(Kind::Job, project_id, outcome, code)
    }

    pub(crate) fn result_of(&self, kind: Kind, project_id: &str, outcome: OutcomeKind, code: &str) -> u64 {
        let key = ResultKey {
            kind,
            outcome,
            code: code.into(),
        };
        self.project(project_id)
            .results_total
            .get(&key)
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn jobs(&self, project_id: &str, status: JobStatus) -> u32 {
        self.project(project_id).jobs[status.index()]
    }

    pub(crate) fn status_durations(&self, project_id: &str, status: JobStatus) -> u64 {
        self.project(project_id).status_durations[&status].count()
    }
}
