//! The words for how an operation stands and how it ended, with the labels they become.

/// What an operation executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A job of `ProjectJobService`.
    Job,
    /// A notebook or cell of `ProjectService`.
    Notebook,
    /// Any other long-running operation of the cloud.
    Other,
}

impl Kind {
    /// All kinds, in the order of the label's documentation.
    pub const ALL: [Self; 3] = [Self::Job, Self::Notebook, Self::Other];

    /// The value of the label `kind`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Notebook => "notebook",
            Self::Other => "other",
        }
    }
}

/// A job's status, `yandex.cloud.datasphere.v2.jobs.JobStatus`, in the order of a life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Accepted, waiting.
    Creating,
    /// The machine and its Python environment are being made.
    Preparing,
    /// The job's own program runs.
    Executing,
    /// Results are being stored.
    UploadingOutput,
    /// A cancellation was asked for.
    Cancelling,
    /// Ended; says nothing about the program's return code.
    Success,
    /// Ended badly.
    Error,
    /// Ended by a cancellation.
    Cancelled,
    /// A number this version does not know, or none; in a record, the word of a newer version.
    #[serde(other)]
    Unknown,
}

impl JobStatus {
    /// All statuses, in the order in which the exposition lists them.
    pub const ALL: [Self; 9] = [
        Self::Creating,
        Self::Preparing,
        Self::Executing,
        Self::UploadingOutput,
        Self::Success,
        Self::Error,
        Self::Cancelling,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The API's own word: the value of the label `status`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Preparing => "PREPARING",
            Self::Executing => "EXECUTING",
            Self::UploadingOutput => "UPLOADING_OUTPUT",
            Self::Cancelling => "CANCELLING",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The status of this word, if this version knows it.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.label() == label)
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        match self {
            Self::Creating => 0,
            Self::Preparing => 1,
            Self::Executing => 2,
            Self::UploadingOutput => 3,
            Self::Success => 4,
            Self::Error => 5,
            Self::Cancelling => 6,
            Self::Cancelled => 7,
            Self::Unknown => 8,
        }
    }

    /// Whether a job in this status will never run again by itself.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }
}

/// How a notebook execution stands: the label of `datasphere_notebook_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotebookStatus {
    /// Not done.
    Running,
    /// Done, and every cell ran.
    Ok,
    /// Done, and a cell failed.
    Error,
    /// Stopped before its end.
    Aborted,
    /// Done, with a status this version does not know.
    Unknown,
}

impl NotebookStatus {
    /// All statuses, in the order in which the exposition lists them.
    pub const ALL: [Self; 5] = [Self::Running, Self::Ok, Self::Error, Self::Aborted, Self::Unknown];

    /// The value of the label `status`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::Aborted => "ABORTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A status code of gRPC, `google.rpc.Code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct RpcCode(u8);

impl RpcCode {
    /// `CANCELLED`: how a cancelled operation reports itself.
    pub const CANCELLED: Self = Self(1);
    /// `UNKNOWN`: also what a number outside the table becomes.
    pub const UNKNOWN: Self = Self(2);
    /// `DEADLINE_EXCEEDED`: it took too long.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// `NOT_FOUND`: nobody knows it, or nobody knows it any more.
    pub const NOT_FOUND: Self = Self(5);
    /// `PERMISSION_DENIED`: a role is missing.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// `UNAUTHENTICATED`: the token is missing, wrong or revoked.
    pub const UNAUTHENTICATED: Self = Self(16);

    const NAMES: [&'static str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    /// The code of this number, if there is one.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|n| usize::from(*n) < Self::NAMES.len())
            .map(Self)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// Its name, as labels show it.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }
}

impl From<RpcCode> for i32 {
    fn from(code: RpcCode) -> Self {
        code.number()
    }
}

impl TryFrom<i32> for RpcCode {
    type Error = &'static str;

    fn try_from(number: i32) -> Result<Self, Self::Error> {
        Self::from_number(number).ok_or("no code of gRPC has this number")
    }
}

/// How an operation ended. It never changes once it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Ended, and nothing says that it went wrong.
    Success,
    /// The user's program or notebook failed; the row has its return code, where that is known.
    Failure,
    /// The operation itself carries an rpc status.
    Error(RpcCode),
    /// Cancelled or aborted.
    Cancelled,
    /// The cloud does not know the operation any more.
    Lost,
}

impl Outcome {
    /// Without the code it carries.
    pub fn kind(self) -> OutcomeKind {
        match self {
            Self::Success => OutcomeKind::Success,
            Self::Failure => OutcomeKind::Failure,
            Self::Error(_) => OutcomeKind::Error,
            Self::Cancelled => OutcomeKind::Cancelled,
            Self::Lost => OutcomeKind::Lost,
        }
    }
}

/// The label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// See [`Outcome::Success`].
    Success,
    /// See [`Outcome::Failure`].
    Failure,
    /// See [`Outcome::Error`].
    Error,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::Lost`].
    Lost,
}

impl OutcomeKind {
    /// All outcomes, in the order in which the exposition lists them.
    pub const ALL: [Self; 5] = [
        Self::Success,
        Self::Failure,
        Self::Error,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The value of the label `outcome`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_knows_its_place() {
        for (place, status) in JobStatus::ALL.into_iter().enumerate() {
            assert_eq!(status.index(), place);
            assert_eq!(JobStatus::from_label(status.label()), Some(status));
            assert_eq!(
                serde_json::to_value(status).expect("JSON"),
                status.label(),
                "in records too"
            );
        }
    }

    #[test]
    fn rpc_codes_follow_the_table_of_google_rpc() {
        assert_eq!(
            RpcCode::from_number(16).map(RpcCode::name),
            Some("UNAUTHENTICATED")
        );
        assert_eq!(
            RpcCode::from_number(8).map(RpcCode::name),
            Some("RESOURCE_EXHAUSTED")
        );
        assert_eq!(RpcCode::from_number(17), None);
        assert_eq!(RpcCode::from_number(-1), None);
    }
}
