//! What reaches the engine: who should be watched, and what was seen.

use crate::clock::Timestamp;
use crate::limits::LABEL_NAME_BYTES_MAX;
use crate::model::{
    Decoded, JobId, JobSnapshot, OperationId, OperationSnapshot, ProjectId, ProjectSnapshot, RpcCode, Text,
    TraceContext,
};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// User labels of an operation: name to value, bounded by `limits::LABELS_MAX`.
pub type Labels = Arc<BTreeMap<SmolStr, Text>>;

/// Whether a label may have this name: as Prometheus has it, where two leading underscores are its own.
pub fn is_label_name(name: &str) -> bool {
    name.len() <= LABEL_NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
}

/// Everything that may change what the tracker believes.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants an operation watched.
    Sighted(Sighting),
    /// These, and no others, are the operations that the configuration names.
    Configured(HashSet<OperationId>),
    /// Somebody else's call was answered with an operation.
    Overheard(Box<Overheard>),
    /// Nobody wants this watched or shown any more.
    Dismissed(Target),
    /// A look at one operation or job came back.
    Looked(Look),
    /// A listing of a project's jobs came back.
    Listed(JobListing),
    /// A project's name and limits.
    Project(ProjectSnapshot),
    /// A project is followed from now on: its counters exist at zero.
    ProjectFollowed(ProjectId),
    /// These, and no others, are the projects that are followed: the configuration and its communities name them.
    ProjectsFollowed(HashSet<ProjectId>),
    /// A project's unit balance: `None` when the API says that there is none.
    Balance {
        /// The project.
        project_id: ProjectId,
        /// Units left; may be negative.
        units: Option<i64>,
    },
}

/// Somebody names an operation or a job that should be watched.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What to watch.
    pub target: Target,
    /// Who says so.
    pub source: Source,
    /// Labels to attach.
    pub labels: Labels,
    /// Where the caller stood in its own trace, if it said so.
    pub trace_context: Option<TraceContext>,
}

/// An operation in an answer to a call that was no look, somebody else's mostly: a sighting, and as good as a look.
#[derive(Clone, Debug)]
pub struct Overheard {
    /// Who is to be watched, by its operation id.
    pub sighting: Sighting,
    /// When the call left: its answer tells nothing of what happened later.
    pub asked_at: Timestamp,
    /// What was answered.
    pub answer: Decoded<OperationSnapshot>,
}

/// What became of an input that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It brought an operation under watch.
    New,
    /// Its operation was under watch before it, if only by another id.
    Known,
    /// Its operation was followed to its end or dismissed, and has left.
    Gone,
    /// There is no room: `watch.tracked_max`.
    Full,
    /// It names no operation, or takes one off the watch that never was under it.
    Absent,
}

/// What an operation is known by, and so what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// By its operation id: `OperationService.Get`.
    Operation(OperationId),
    /// By its job id alone: `ProjectJobService.Get`.
    Job(JobId),
}

/// Who brought an operation: the label `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `watch.operations` of the configuration.
    Config,
    /// An execution file.
    File,
    /// The HTTP API.
    Api,
    /// The gateway.
    Gateway,
    /// The listing of a project.
    Discovery,
}

impl Source {
    /// All sources, in the order in which the exposition lists them.
    pub const ALL: [Self; 5] = [
        Self::Config,
        Self::File,
        Self::Api,
        Self::Gateway,
        Self::Discovery,
    ];

    /// The value of the label `source`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::File => "file",
            Self::Api => "api",
            Self::Gateway => "gateway",
            Self::Discovery => "discovery",
        }
    }
}

/// The answer to one look.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was asked for.
    pub target: Target,
    /// When the question left: an answer tells nothing of what happened later.
    pub asked_at: Timestamp,
    /// What came back.
    pub answer: Result<LookAnswer, LookError>,
}

/// What a look tells when it succeeds.
#[derive(Clone, Debug)]
pub enum LookAnswer {
    /// Of an operation.
    Operation(Box<Decoded<OperationSnapshot>>),
    /// Of a job that is known by its job id alone.
    Job(Box<Decoded<JobSnapshot>>),
}

/// Why a look told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookError {
    /// The cloud refused: `NOT_FOUND`, `PERMISSION_DENIED`, `UNAUTHENTICATED`, `INVALID_ARGUMENT` …
    Refused(RpcCode),
    /// Nobody answered in time, or the answer says to come again: nothing is known of the operation.
    Unanswered,
}

/// One pass over a project's jobs.
#[derive(Clone, Debug)]
pub struct JobListing {
    /// The project.
    pub project_id: ProjectId,
    /// Which jobs were asked for.
    pub scope: ListingScope,
    /// When the first page was asked for.
    pub asked_at: Timestamp,
    /// Whether the pass reached its end: only then does absence mean something.
    pub complete: bool,
    /// The jobs.
    pub jobs: Vec<Decoded<JobSnapshot>>,
}

/// Which jobs a listing asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingScope {
    /// Those whose status is live.
    Live,
    /// Those that ended.
    Ended,
}
