//! What one answer of the API tells, reduced to what is shown; made by `decode` only.

use crate::clock::Timestamp;
use crate::model::{
    CommunityId, JobId, JobStatus, Kind, OperationId, OutputErrors, ProjectId, RpcCode, Text,
};

/// A value, and what was left out because it could not be true.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T> {
    /// What is known.
    pub value: T,
    /// What was not, by reason.
    pub gaps: Gaps,
}

/// Why a part of an answer was left out: the label `reason` of `datasphere_exporter_decode_gaps_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// An enum number this version does not know.
    UnknownEnum,
    /// A message type this version does not know, in an `Any`.
    UnknownType,
    /// A number or time that cannot be true: progress of 140, the year 9999.
    OutOfRange,
    /// Bytes or text that do not parse as what they should be.
    Malformed,
    /// A field that the answer cannot do without.
    Missing,
}

impl Gap {
    /// All reasons, in the order in which the exposition lists them.
    pub const ALL: [Self; 5] = [
        Self::UnknownEnum,
        Self::UnknownType,
        Self::OutOfRange,
        Self::Malformed,
        Self::Missing,
    ];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnknownEnum => "unknown_enum",
            Self::UnknownType => "unknown_type",
            Self::OutOfRange => "out_of_range",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
        }
    }
}

/// How many gaps of each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    counts: [u32; Gap::ALL.len()],
}

impl Gaps {
    /// One more.
    pub fn add(&mut self, gap: Gap) {
        if let Some((_, count)) = Gap::ALL
            .iter()
            .zip(&mut self.counts)
            .find(|(known, _)| **known == gap)
        {
            *count = count.saturating_add(1);
        }
    }

    /// Those of another answer too.
    pub fn extend(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// Reasons with their counts, zero included.
    pub fn iter(&self) -> impl Iterator<Item = (Gap, u32)> {
        Gap::ALL.into_iter().zip(self.counts)
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; Gap::ALL.len()]
    }
}

/// One look at an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationSnapshot {
    /// Its id, as asked for.
    pub id: OperationId,
    /// What it executes; [`Kind::Other`] also when its metadata is of an unknown type or missing.
    pub kind: Kind,
    /// Whether there was metadata at all: an operation may be visible before it is described.
    pub described: bool,
    /// The cloud's own description, redacted.
    pub description: Option<Text>,
    /// When Execute was accepted.
    pub created_at: Option<Timestamp>,
    /// When the operation last changed.
    pub modified_at: Option<Timestamp>,
    /// The id of who started it.
    pub created_by: Option<Text>,
    /// Whether it ended.
    pub done: bool,
    /// Its rpc status; may be set before it is done.
    pub error: Option<RpcError>,
    /// The project, from whichever metadata names it.
    pub project_id: Option<ProjectId>,
    /// For a job.
    pub job: Option<JobSnapshot>,
    /// For a job whose program reports it.
    pub progress: Option<Progress>,
    /// For a job that ended with a response: the return code of its program.
    pub return_code: Option<i64>,
    /// For a job that ended with a response: files that could not be stored.
    pub output_errors: Option<OutputErrors>,
    /// For a notebook.
    pub notebook: Option<NotebookSnapshot>,
    /// For a notebook that ended with a response; absent for v1, whose response is empty.
    pub execution_status: Option<ExecutionStatus>,
    /// The type URL of metadata that is of an unknown type.
    pub metadata_type: Option<Text>,
}

/// A job, as a listing or as an operation's metadata tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Its id.
    pub id: JobId,
    /// Its project; absent only in a damaged answer.
    pub project_id: Option<ProjectId>,
    /// The user's name for it, unchanged but bounded.
    pub name: Option<Text>,
    /// The job it was cloned from.
    pub parent_job_id: Option<JobId>,
    /// The id of who made it.
    pub created_by: Option<Text>,
    /// Its status.
    pub status: JobStatus,
    /// The cloud's words on the status, redacted.
    pub status_details: Option<Text>,
    /// When Create was accepted.
    pub created_at: Option<Timestamp>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// When its stored data will be deleted; absent also when never.
    pub data_expires_at: Option<Timestamp>,
    /// Whether its stored data is gone already; only listings tell.
    pub data_cleared: bool,
    /// The VM configuration it was given.
    pub instance_type: Option<Text>,
    /// Size of its stored data, in bytes.
    pub data_size_bytes: Option<u64>,
}

/// What a job's own program said last of how far it is.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// Its words, redacted.
    pub message: Option<Text>,
    /// When it said so, by its own clock.
    pub created_at: Option<Timestamp>,
}

/// The target of a notebook execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotebookSnapshot {
    /// The notebook's path, or the id of a cell.
    pub notebook_id: Option<Text>,
}

/// `yandex.cloud.datasphere.v2.ExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Every cell ran.
    Ok,
    /// A cell failed, though the operation succeeded.
    Error,
    /// Stopped.
    Aborted,
    /// Unset, or a number this version does not know.
    Unknown,
}

impl ExecutionStatus {
    /// The API's own word; empty while unknown.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::Aborted => "ABORTED",
            Self::Unknown => "",
        }
    }
}

/// A `google.rpc.Status` that is not OK.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RpcError {
    /// Its code.
    pub code: RpcCode,
    /// Its message, redacted.
    pub message: Option<Text>,
    /// Of the details, the short machine-readable reason (`ErrorInfo.reason`, a violated quota's subject,
    /// a notebook's error name), redacted.
    pub reason: Option<Text>,
}

/// A project, as listing or Get tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSnapshot {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: Option<Text>,
    /// The community it belongs to.
    pub community_id: Option<CommunityId>,
    /// Limit in units an hour, where one is set.
    pub units_per_hour_max: Option<i64>,
    /// Limit in units an execution, where one is set.
    pub units_per_execution_max: Option<i64>,
}
