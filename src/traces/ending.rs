//! How an end is told in the words of OpenTelemetry.

use crate::model::{ExecutionStatus, Outcome, RpcCode, TrackedOperation};

/// An end: see the table of ends in `docs/traces.md`. The span's status is an error where there is an error type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// `cicd.pipeline.result`.
    pub(crate) result: &'static str,
    /// `error.type`; absent unless something failed.
    pub(crate) error_type: Option<&'static str>,
}

impl Ending {
    /// The end of an operation with this outcome.
    pub(crate) fn new(row: &TrackedOperation, outcome: Outcome) -> Self {
        let (result, error_type) = match outcome {
            Outcome::Success => ("success", None),
            Outcome::Failure => ("failure", Some(failure(row))),
            Outcome::Error(code @ RpcCode::DEADLINE_EXCEEDED) => ("timeout", Some(code.name())),
            Outcome::Error(code) => ("error", Some(code.name())),
            Outcome::Cancelled => ("cancellation", None),
            Outcome::Lost => ("unknown", None),
        };
        Self { result, error_type }
    }
}

/// What of the user's own failed; a job that is known by listing alone does not tell.
fn failure(row: &TrackedOperation) -> &'static str {
    let reported = &row.reported;
    if reported.return_code.is_some_and(|code| code != 0) {
        "nonzero_exit"
    } else if reported.execution_status == Some(ExecutionStatus::Error) {
        "notebook_error"
    } else {
        "_OTHER"
    }
}
