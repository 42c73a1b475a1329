//! How an operation ended: decided here and nowhere else.

use crate::model::{ExecutionStatus, JobStatus, Outcome, RpcCode, TrackedOperation};

/// The outcome of an operation that ended, by what the API reported of it. The first that holds:
/// cancelled, error, failure, success.
pub(crate) fn outcome(row: &TrackedOperation) -> Outcome {
    let reported = &row.reported;
    let error = reported.error.as_ref().map(|error| error.code);
    let cancelled = row.status == Some(JobStatus::Cancelled)
        || error == Some(RpcCode::CANCELLED)
        || reported.execution_status == Some(ExecutionStatus::Aborted);
    if cancelled {
        return Outcome::Cancelled;
    }
    if let Some(code) = error {
        return Outcome::Error(code);
    }
    let failed = reported.return_code.is_some_and(|code| code != 0)
        || reported.execution_status == Some(ExecutionStatus::Error)
        || row.status == Some(JobStatus::Error);
    if failed {
        Outcome::Failure
    } else {
        Outcome::Success
    }
}

/// The status of a job whose end was declared while its last reported status was still a live one.
pub(crate) fn final_status(outcome: Outcome) -> JobStatus {
    match outcome {
        Outcome::Success => JobStatus::Success,
        Outcome::Failure | Outcome::Error(_) => JobStatus::Error,
        Outcome::Cancelled => JobStatus::Cancelled,
        Outcome::Lost => JobStatus::Unknown,
    }
}
