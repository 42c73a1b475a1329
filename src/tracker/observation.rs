//! How one answer of the API changes what we believe of one operation.

use crate::clock::Timestamp;
use crate::model::{Boundary, JobSnapshot, JobStatus, Kind, OperationSnapshot, State, TrackedOperation};
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

/// Takes a newer value of a property in; the properties are copied only when one differs.
macro_rules! describe {
    ($about:expr, $field:ident, $newer:expr) => {
        if let Some(newer) = $newer
            && differs($about.$field.as_ref(), newer)
        {
            Arc::make_mut($about).$field = Some(newer.clone().into());
        }
    };
}

/// An answer about one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation<'a> {
    /// The operation, if it was asked for.
    pub(crate) operation: Option<&'a OperationSnapshot>,
    /// The job, from the operation's metadata or from the jobs' own service.
    pub(crate) job: Option<&'a JobSnapshot>,
    /// When the answer before this one had been asked for.
    pub(crate) previous_at: Option<Timestamp>,
    /// When this answer arrived.
    pub(crate) now: Timestamp,
}

/// Folds an answer into a row that has not ended.
pub(crate) fn observe(row: &mut TrackedOperation, seen: &Observation<'_>) {
    if let Some(operation) = seen.operation {
        observe_operation(row, operation, seen);
    }
    if let Some(job) = seen.job {
        observe_job(row, job, seen);
    }
    row.observed = true;
}

/// Folds an answer into a row that has ended: its outcome is final, but when its data goes and how large it is may
/// change, and an operation that is found late still tells why.
pub(crate) fn observe_ended(row: &mut TrackedOperation, seen: &Observation<'_>) {
    if let Some(operation) = seen.operation.filter(|operation| operation.done) {
        let reported = &mut row.reported;
        reported.return_code = reported.return_code.or(operation.return_code);
        reported.output_errors = reported.output_errors.or(operation.output_errors);
        reported.operation_created_at = reported.operation_created_at.or(operation.created_at);
        if reported.error.is_none() {
            reported.error = operation.error.clone().map(Arc::new);
        }
    }
    if let Some(job) = seen.job {
        row.reported.started_at = row.reported.started_at.or(job.started_at);
        row.reported.finished_at = row.reported.finished_at.or(job.finished_at);
        row.reported.data_expires_at = job.data_expires_at.filter(|_| !job.data_cleared);
        renew(&mut row.reported.data_size_bytes, job.data_size_bytes);
        if row.status == Some(JobStatus::Unknown) && job.status.is_terminal() {
            row.status = Some(job.status);
        }
    }
}

fn observe_operation(row: &mut TrackedOperation, operation: &OperationSnapshot, seen: &Observation<'_>) {
    if operation.kind != Kind::Other {
        row.kind = operation.kind;
    }
    row.operation_id.get_or_insert_with(|| operation.id.clone());
    let reported = &mut row.reported;
    renew(&mut reported.operation_created_at, operation.created_at);
    renew(&mut reported.modified_at, operation.modified_at);
    renew(&mut reported.return_code, operation.return_code);
    renew(&mut reported.output_errors, operation.output_errors);
    renew(&mut reported.execution_status, operation.execution_status);
    if reported.error.as_deref() != operation.error.as_ref() {
        reported.error = operation.error.clone().map(Arc::new);
    }
    if let Some(progress) = operation
        .progress
        .as_ref()
        .filter(|p| reported.progress.as_ref() != Some(*p))
    {
        let said_at = progress.created_at.map_or(seen.now, |at| at.min(seen.now));
        let moved = reported
            .progress
            .as_ref()
            .is_none_or(|before| before.percent != progress.percent);
        if moved || row.progress_changed_at.is_none() {
            row.progress_changed_at = Some(said_at);
        }
        reported.progress = Some(progress.clone());
    }
    renew(&mut row.project_id, operation.project_id.clone());
    row.state = match (operation.done, operation.error.is_some()) {
        (true, _) => State::Done,
        (false, true) => State::Failing,
        (false, false) => State::Running,
    };
    let notebook_id = operation
        .notebook
        .as_ref()
        .and_then(|notebook| notebook.notebook_id.as_ref());
    let about = &mut row.about;
    describe!(about, notebook_id, notebook_id);
    describe!(about, created_by, operation.created_by.as_ref());
    describe!(about, description, operation.description.as_ref());
    describe!(about, metadata_type, operation.metadata_type.as_ref());
}

fn observe_job(row: &mut TrackedOperation, job: &JobSnapshot, seen: &Observation<'_>) {
    row.kind = Kind::Job;
    renew(&mut row.job_id, Some(job.id.clone()));
    renew(&mut row.project_id, job.project_id.clone());
    let reported = &mut row.reported;
    renew(&mut reported.job_created_at, job.created_at);
    renew(&mut reported.started_at, job.started_at);
    renew(&mut reported.finished_at, job.finished_at);
    renew(&mut reported.data_size_bytes, job.data_size_bytes);
    reported.data_expires_at = job.data_expires_at.filter(|_| !job.data_cleared);
    let about = &mut row.about;
    describe!(about, name, job.name.as_ref());
    describe!(about, instance_type, job.instance_type.as_ref());
    describe!(about, status_details, job.status_details.as_ref());
    if about.created_by.is_none() {
        describe!(about, created_by, job.created_by.as_ref());
    }
    describe!(about, parent_job_id, job.parent_job_id.as_ref());
    if row.status != Some(job.status) {
        enter_status(row, job.status, seen);
    }
}

/// Moves a job to another status, and closes the visit to the one it leaves.
pub(crate) fn enter_status(row: &mut TrackedOperation, status: JobStatus, seen: &Observation<'_>) {
    let (since, boundary) = boundary(row, status, seen);
    // Clocks differ: a status never begins before the one that it follows.
    let since = row.status_since.map_or(since, |before| since.max(before));
    let uncertainty = match (boundary, seen.previous_at.max(row.status_since)) {
        (Boundary::Observed | Boundary::Modified, Some(previous_at)) => since.since(previous_at),
        _ => Duration::ZERO,
    };
    if let (Some(left), Some(entered_at)) = (row.status, row.status_since) {
        if row.status_boundary == Boundary::FirstSeen {
            row.status_times.leave(left);
        } else {
            row.status_times.add(left, since.since(entered_at));
        }
    }
    row.status = Some(status);
    row.status_since = Some(since);
    row.status_boundary = boundary;
    row.status_uncertainty_ms = u32::try_from(uncertainty.as_millis()).unwrap_or(u32::MAX);
}

/// When a status began, as well as it can be known: the API's own time where it tells one that fits, else
/// the operation's `modified_at` if it lies between the last look and this one, else this look.
fn boundary(row: &TrackedOperation, status: JobStatus, seen: &Observation<'_>) -> (Timestamp, Boundary) {
    let reported = match status {
        JobStatus::Creating => row.created_at(),
        JobStatus::Executing => row.reported.started_at,
        status if status.is_terminal() => row.reported.finished_at,
        _ => None,
    };
    let fits = |at: &Timestamp| row.status_since.is_none_or(|since| *at >= since);
    if let Some(at) = reported.filter(fits) {
        return (at, Boundary::Reported);
    }
    if row.status.is_none() {
        return (seen.now, Boundary::FirstSeen);
    }
    let between = |at: &Timestamp| seen.previous_at.is_some_and(|previous| *at > previous) && *at <= seen.now;
    match row.reported.modified_at.filter(between) {
        Some(modified_at) => (modified_at, Boundary::Modified),
        None => (seen.now, Boundary::Observed),
    }
}

/// Whether a property is not yet what it is now told to be.
fn differs<T: PartialEq>(known: Option<&impl Borrow<T>>, newer: &T) -> bool {
    known.is_none_or(|known| known.borrow() != newer)
}

/// The newer value, if there is one.
fn renew<T>(known: &mut Option<T>, newer: Option<T>) {
    if newer.is_some() {
        *known = newer;
    }
}
