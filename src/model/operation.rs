//! One operation under watch, as the tracker believes it and as every reader sees it.

use crate::clock::Timestamp;
use crate::model::{
    ExecutionStatus, JobId, JobStatus, Kind, Labels, NotebookStatus, OperationId, Outcome, Progress,
    ProjectId, RpcError, Source, Text, Trace, TraceContext, Unreadable, Visit,
};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One operation under watch: known by its operation id, its job id, or both.
///
/// The fields stand as they are laid out: a scrape walks all rows once for each of some twenty families, and
/// what each walk looks at is together in front.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(C)]
pub struct TrackedOperation {
    /// Its project; absent while unknown and for operations that belong to none.
    pub project_id: Option<ProjectId>,
    /// Its job id.
    pub job_id: Option<JobId>,
    /// What it executes.
    pub kind: Kind,
    /// Whether a first observation was decoded: from then on it is counted and has run series.
    pub observed: bool,
    /// Whether its run series left early, because of `metrics.series_max`.
    pub hidden: bool,
    /// How far it is.
    pub state: State,
    /// For a job: its status.
    pub status: Option<JobStatus>,
    /// How well the beginning of that status is known.
    pub status_boundary: Boundary,
    /// Who brought it first.
    pub source: Source,
    /// Its operation id.
    pub operation_id: Option<OperationId>,
    /// Properties that rarely change.
    pub about: Arc<About>,
    /// When that status began.
    pub status_since: Option<Timestamp>,
    /// When the progress last changed, as reported or else as observed.
    pub progress_changed_at: Option<Timestamp>,
    /// When the last look that told something came back.
    pub polled_at: Option<Timestamp>,
    /// What the API said last.
    pub reported: Reported,
    /// How it ended, once it did.
    pub outcome: Option<Outcome>,
    /// For a job: completed visits to its statuses.
    pub status_times: StatusTimes,
    /// How much earlier than told that status may have begun, in milliseconds.
    pub status_uncertainty_ms: u32,
    /// Which execution of its job this is, as far as we saw; from 1.
    pub attempt: u32,
    /// Its place in the order of being tracked; never given twice.
    pub key: OperationKey,
    /// Why and since when it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Unread>,
    /// When it came under watch.
    pub tracked_at: Timestamp,
    /// When the end was observed: retention runs from here.
    pub ended_at: Option<Timestamp>,
    /// Its trace, once that is fixed; it keeps it. Absent for what is not traced.
    pub trace: Option<Arc<Trace>>,
}

/// What keeps an operation from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unread {
    /// How the cloud answers looks.
    pub reason: Unreadable,
    /// When it first answered so, in the present run of such answers.
    pub since: Timestamp,
}

/// The identity of a row: rows are ordered by it, and it is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct OperationKey(pub u64);

/// How well the beginning of a status is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// The status was under way when we first saw it: it began earlier, so its visit is never measured.
    #[default]
    FirstSeen,
    /// Between two looks; the later one.
    Observed,
    /// Between two looks; the operation's own `modified_at`, which lies between them too.
    Modified,
    /// The API told it.
    Reported,
}

/// The label `state` of `datasphere_operations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not done.
    Running,
    /// Not done, but its error is set already: a rollback is under way.
    Failing,
    /// Ended.
    Done,
}

impl State {
    /// All states, in the order in which the exposition lists them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Failing, Self::Done];

    /// The value of the label `state`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failing => "failing",
            Self::Done => "done",
        }
    }
}

/// What the API reported of an operation, newest value of each.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Reported {
    /// When Execute was accepted; absent for a job known by listing only.
    pub operation_created_at: Option<Timestamp>,
    /// When the operation last changed.
    pub modified_at: Option<Timestamp>,
    /// When the job was created, earlier than its execution.
    pub job_created_at: Option<Timestamp>,
    /// When the job was started.
    pub started_at: Option<Timestamp>,
    /// When the job finished.
    pub finished_at: Option<Timestamp>,
    /// When its stored data will be deleted.
    pub data_expires_at: Option<Timestamp>,
    /// What its program said last.
    pub progress: Option<Progress>,
    /// The return code of its program.
    pub return_code: Option<i64>,
    /// Size of its stored data, in bytes.
    pub data_size_bytes: Option<u64>,
    /// Files that could not be stored.
    pub output_errors: Option<OutputErrors>,
    /// How a notebook's cells ended.
    pub execution_status: Option<ExecutionStatus>,
    /// The operation's rpc status; set at `done`, or earlier.
    pub error: Option<Arc<RpcError>>,
}

/// Files that a job could not store, by `FileUploadError.ErrorType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct OutputErrors {
    /// `UPLOAD_FAILED`.
    pub upload_failed: u32,
    /// `NOT_FOUND`.
    pub not_found: u32,
    /// Any other number.
    pub unknown: u32,
}

impl OutputErrors {
    /// Values of the label `type` with their counts, zero included.
    pub fn by_type(self) -> [(&'static str, u32); 3] {
        [
            ("UPLOAD_FAILED", self.upload_failed),
            ("NOT_FOUND", self.not_found),
            ("UNKNOWN", self.unknown),
        ]
    }
}

/// Properties of an operation that rarely change; shared between versions of its row. What few operations have is
/// boxed, so that the others do not pay for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct About {
    /// The job's name, as the user wrote it.
    pub name: Option<Text>,
    /// The name its fleet series carry: rewritten and capped.
    pub job_name: Option<SmolStr>,
    /// The job it was cloned from.
    pub parent_job_id: Option<Box<JobId>>,
    /// The VM configuration it was given.
    pub instance_type: Option<Text>,
    /// Who started it.
    pub created_by: Option<Text>,
    /// The notebook's path, or the id of a cell.
    pub notebook_id: Option<Box<Text>>,
    /// The cloud's own description of the operation.
    pub description: Option<Text>,
    /// The cloud's words on the status.
    pub status_details: Option<Box<Text>>,
    /// The type of metadata that this version does not know.
    pub metadata_type: Option<Box<Text>>,
    /// What users attached.
    pub labels: Labels,
    /// The names of those among them that the configuration gave.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub configured_labels: Box<[SmolStr]>,
    /// Further operation ids of the same execution.
    pub aliases: Box<[OperationId]>,
    /// Where its caller stood, until the trace is fixed by it.
    pub caller: Option<Box<TraceContext>>,
    /// Its trace as it was fixed, while traces are not sent: it is the same when they are again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent_trace: Option<Arc<Trace>>,
}

/// Time spent in statuses that were left, and which ones were visited at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "StatusTimesRecord", into = "StatusTimesRecord")]
pub struct StatusTimes {
    millis: [u32; JobStatus::ALL.len()],
    visits: [u8; JobStatus::ALL.len()],
    measured: u16,
}

/// What of them survives a restart: by the words of the API, so that another version may know more statuses or fewer.
type StatusTimesRecord = BTreeMap<SmolStr, StatusTimeRecord>;

/// Visits to one status.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct StatusTimeRecord {
    visits: u8,
    /// Of those that were measured.
    time_ms: Option<u32>,
}

impl StatusTimes {
    /// A visit to `status` ended after `time`.
    pub fn add(&mut self, status: JobStatus, time: Duration) {
        let time_ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        if let Some(total_ms) = self.millis.get_mut(status.index()) {
            *total_ms = total_ms.saturating_add(time_ms);
            self.measured |= 1 << status.index();
        }
        self.leave(status);
    }

    /// A visit to `status` ended whose beginning nobody saw: it has no time.
    pub fn leave(&mut self, status: JobStatus) {
        if let Some(visits) = self.visits.get_mut(status.index()) {
            *visits = visits.saturating_add(1);
        }
    }

    /// How often the status was left, up to 255.
    pub fn visits(&self, status: JobStatus) -> u8 {
        self.visits.get(status.index()).copied().unwrap_or(0)
    }

    /// Whether the status was ever left.
    pub fn was_left(&self, status: JobStatus) -> bool {
        self.visits(status) > 0
    }

    /// The time of completed visits; `None` for a status of which none was measured.
    pub fn get(&self, status: JobStatus) -> Option<Duration> {
        let is_measured = self.measured & (1 << status.index()) != 0;
        self.millis
            .get(status.index())
            .filter(|_| is_measured)
            .map(|ms| Duration::from_millis(u64::from(*ms)))
    }

    /// Statuses that have been left, and a time for those that were measured: the number of their series.
    fn series(&self) -> u32 {
        count(&self.visits.map(|visits| visits > 0)) + self.measured.count_ones()
    }

    /// Statuses whose visits were measured, with their time, in life-cycle order.
    pub fn iter(&self) -> impl Iterator<Item = (JobStatus, Duration)> {
        JobStatus::ALL
            .into_iter()
            .filter_map(|status| self.get(status).map(|time| (status, time)))
    }
}

impl From<StatusTimes> for StatusTimesRecord {
    fn from(times: StatusTimes) -> Self {
        let record = |status: JobStatus| {
            let time = times.get(status);
            let known = StatusTimeRecord {
                visits: times.visits(status),
                time_ms: time.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
            };
            (SmolStr::new_static(status.label()), known)
        };
        let left = JobStatus::ALL
            .into_iter()
            .filter(|status| times.was_left(*status));
        left.map(record).collect()
    }
}

impl From<StatusTimesRecord> for StatusTimes {
    /// Of statuses that this version does not know nothing is kept.
    fn from(record: StatusTimesRecord) -> Self {
        let mut times = Self::default();
        for (label, known) in record {
            let Some(status) = JobStatus::from_label(&label) else {
                continue;
            };
            if let Some(time_ms) = known.time_ms {
                times.add(status, Duration::from_millis(time_ms.into()));
            }
            if let Some(visits) = times.visits.get_mut(status.index()) {
                *visits = known.visits;
            }
        }
        times
    }
}

impl TrackedOperation {
    /// The first id it is known by, for messages.
    pub fn id(&self) -> &str {
        let operation_id = self.operation_id.as_ref().map(OperationId::as_str);
        operation_id
            .or(self.job_id.as_ref().map(JobId::as_str))
            .unwrap_or("")
    }

    /// Takes what a clock that was ahead noted as having happened now.
    pub fn clamp_to(&mut self, now: Timestamp) {
        self.tracked_at = self.tracked_at.min(now);
        self.ended_at = self.ended_at.map(|at| at.min(now));
        if let Some(unread) = &mut self.unreadable {
            unread.since = unread.since.min(now);
        }
    }

    /// When this execution began for the cloud: Execute, or, where only the job is known, its creation; a further
    /// attempt began when it was started, long after that.
    pub fn created_at(&self) -> Option<Timestamp> {
        let of_job = if self.attempt == 1 {
            self.reported.job_created_at
        } else {
            self.reported.started_at
        };
        self.reported.operation_created_at.or(of_job)
    }

    /// Created to done: from the API's own times where it tells both, otherwise to when the end was seen.
    pub fn duration(&self) -> Option<Duration> {
        let ended_at = self.reported.finished_at.or(match self.state {
            State::Done => self.reported.modified_at.or(self.ended_at),
            State::Running | State::Failing => None,
        })?;
        Some(ended_at.since(self.created_at()?))
    }

    /// When this execution ended, as well as it can be known: what was lost, when it was seen last. `None` while it
    /// goes on.
    pub fn over_at(&self) -> Option<Timestamp> {
        let reported = &self.reported;
        let told_at = reported.finished_at.or(reported.modified_at);
        let is_over = self.status.is_some_and(JobStatus::is_terminal);
        match (self.outcome, self.status_boundary) {
            (Some(Outcome::Lost), _) => self.polled_at.or(self.ended_at),
            (_, Boundary::FirstSeen) if is_over => told_at.or(self.status_since),
            _ if is_over => self.status_since.max(reported.finished_at),
            (Some(_), _) => told_at.or(self.ended_at),
            (None, _) => None,
        }
    }

    /// Started to finished, from the API's own times; `None` unless it tells both.
    pub fn run_duration(&self) -> Option<Duration> {
        Some(self.reported.finished_at?.since(self.reported.started_at?))
    }

    /// The time left, if the program goes on as fast as so far; `None` once it ended, and without progress.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let percent = u32::from(self.reported.progress.as_ref()?.percent).min(100);
        let elapsed = now.since(self.reported.started_at?);
        (self.outcome.is_none() && percent > 0).then(|| elapsed / percent * (100 - percent))
    }

    /// How a notebook execution stands; `None` for other kinds.
    pub fn notebook_status(&self) -> Option<NotebookStatus> {
        (self.kind == Kind::Notebook).then_some(match self.outcome {
            None => NotebookStatus::Running,
            Some(Outcome::Success) if self.reported.execution_status == Some(ExecutionStatus::Unknown) => {
                NotebookStatus::Unknown
            }
            Some(Outcome::Success) => NotebookStatus::Ok,
            Some(Outcome::Failure | Outcome::Error(_)) => NotebookStatus::Error,
            Some(Outcome::Cancelled) => NotebookStatus::Aborted,
            Some(Outcome::Lost) => NotebookStatus::Unknown,
        })
    }

    /// The visit that a job's row had made to its status when it became `next`, in another status.
    pub fn visit_before(&self, next: &Self) -> Option<Visit> {
        let status = self.status?;
        Some(Visit {
            status,
            since: self.status_since?,
            until: next.status_since?,
            start: self.status_boundary,
            end: next.status_boundary,
            start_uncertainty_ms: self.status_uncertainty_ms,
            end_uncertainty_ms: next.status_uncertainty_ms,
            number: next.status_times.visits(status),
        })
    }

    /// Whether it has series of its own now.
    pub fn in_run_tier(&self) -> bool {
        self.observed && !self.hidden
    }

    /// The job whose series this row carries: of a job whose id is known.
    pub fn job_series_id(&self) -> Option<&JobId> {
        self.job_id.as_ref().filter(|_| self.kind == Kind::Job)
    }

    /// How many run series it has once it is observed, were it not hidden. The exposition writes exactly these
    /// lines, which a property test holds; the tracker keeps `metrics.series_max` by them.
    pub fn run_series(&self) -> u32 {
        let of_job = self.job_series_id().map_or(0, |_| self.job_series());
        let of_operation = self.operation_id.as_ref().map_or(0, |_| self.operation_series());
        of_job + of_operation
    }

    fn job_series(&self) -> u32 {
        let reported = &self.reported;
        let present_anew = self
            .status
            .is_some_and(|status| !self.status_times.was_left(status));
        let present = [
            true,
            present_anew,
            self.status_since.is_some(),
            reported.progress.is_some(),
            self.progress_changed_at.is_some(),
            reported.job_created_at.is_some(),
            reported.started_at.is_some(),
            reported.finished_at.is_some(),
            reported.data_expires_at.is_some(),
            self.outcome.is_some(),
            reported.return_code.is_some(),
            reported.data_size_bytes.is_some(),
            self.polled_at.is_some(),
        ];
        count(&present) + self.status_times.series() + self.output_errors().map_or(0, |_| 3)
    }

    fn operation_series(&self) -> u32 {
        let reported = &self.reported;
        let alone = self.kind != Kind::Job;
        let present = [
            true,
            true,
            reported.error.is_some(),
            alone && reported.operation_created_at.is_some(),
            alone && reported.modified_at.is_some(),
            alone && self.polled_at.is_some(),
        ];
        count(&present) + self.notebook_status().map_or(0, |_| 5)
    }

    /// Files that could not be stored; known once it ended.
    pub fn output_errors(&self) -> Option<OutputErrors> {
        self.reported.output_errors.filter(|_| self.outcome.is_some())
    }
}

fn count(present: &[bool]) -> u32 {
    present.iter().map(|there| u32::from(*there)).sum()
}
