//! Parts of queries that several dashboards share.

use crate::query::{all, by};
use crate::words::{job_status_number, notebook_status_number, outcome_number};
use datasphere_exporter::catalogue::{fleet, run};
use datasphere_exporter::model::{JobStatus, NotebookStatus, OutcomeKind};

pub(crate) const JOB: [&str; 2] = ["project_id", "job_id"];
pub(crate) const OPERATION: [&str; 2] = ["project_id", "operation_id"];

/// The statuses whose label is on series of jobs that have not ended.
pub(crate) fn live_statuses() -> Vec<&'static str> {
    let live = JobStatus::ALL.into_iter().filter(|status| !status.is_terminal());
    live.map(JobStatus::label).collect()
}

/// 1 for each job that has not ended.
pub(crate) fn live_jobs() -> String {
    let status = all(run::JOB_STATUS).among("status", &live_statuses()).by(&JOB);
    format!("({status} == 1)")
}

/// What an expression by job tells of jobs that have not ended.
pub(crate) fn of_live_jobs(expression: &str) -> String {
    format!("{expression} and on (project_id, job_id) {}", live_jobs())
}

/// What an expression by job tells of jobs that had not ended when the time shown began.
pub(crate) fn live_in_the_time_shown(expression: &str) -> String {
    let status = all(run::JOB_STATUS).among("status", &live_statuses()).raw();
    let was_live = by("max", &JOB, &format!("max_over_time({status}[$__range] @ end())"));
    format!("{expression} and on (project_id, job_id) ({was_live} == 1)")
}

/// Each job's status as a number, in words by `words::job_statuses`; of one job, where its id is given.
pub(crate) fn job_status(job_id: Option<&str>) -> String {
    let of = |status: JobStatus| {
        let series = all(run::JOB_STATUS).with("status", status.label());
        let series = job_id
            .into_iter()
            .fold(series, |series, id| series.with("job_id", id));
        format!("({} == 1) * {}", series.raw(), job_status_number(status))
    };
    by("max", &JOB, &JobStatus::ALL.map(of).join(" or "))
}

/// Each notebook execution's status as a number, in words by `words::notebook_statuses`.
pub(crate) fn notebook_status() -> String {
    let of = |status: NotebookStatus| {
        let series = all(run::NOTEBOOK_STATUS).with("status", status.label());
        format!("({} == 1) * {}", series.raw(), notebook_status_number(status))
    };
    by("max", &OPERATION, &NotebookStatus::ALL.map(of).join(" or "))
}

/// The newest outcome of each job name as a number, in words by `words::outcomes`.
pub(crate) fn last_outcome() -> String {
    let of = |outcome: OutcomeKind| {
        let series = all(fleet::JOB_LAST_OUTCOME).with("outcome", outcome.label());
        format!("({} == 1) * {}", series.raw(), outcome_number(outcome))
    };
    by(
        "max",
        &["project_id", "job_name"],
        &OutcomeKind::ALL.map(of).join(" or "),
    )
}

/// An expression by job with the job's name; one name a job, also while two replicas tell different ones.
pub(crate) fn named(expression: &str) -> String {
    let names = all(run::JOB_INFO).by(&["project_id", "job_id", "job_name"]);
    let one = by("topk", &JOB, &format!("1, {names}"));
    format!("({expression}) * on (project_id, job_id) group_left (job_name) {one}")
}

/// An expression by project, or by more, with the project's name; its id stands in where the name is not known.
pub(crate) fn with_project(expression: &str) -> String {
    let names = all(fleet::PROJECT_INFO).by(&["project_id", "project_name"]);
    let one = by("topk", &["project_id"], &format!("1, {names}"));
    let joined = format!("({expression}) * on (project_id) group_left (project_name) {one}");
    let others = format!("({expression}) unless on (project_id) {names}");
    format!(r#"{joined} or label_replace({others}, "project_name", "$1", "project_id", "(.*)")"#)
}

/// What an expression by operation tells of operations of these kinds, with the kind.
pub(crate) fn of_kinds(expression: &str, kinds: &[&str]) -> String {
    let info = all(run::OPERATION_INFO)
        .among("kind", kinds)
        .by(&["project_id", "operation_id", "kind"]);
    format!("({expression}) * on (project_id, operation_id) group_left (kind) {info}")
}

/// What an expression by operation tells of operations that have not ended.
pub(crate) fn of_open_operations(expression: &str) -> String {
    let open = all(run::OPERATION_DONE).once();
    format!("({expression}) and on (project_id, operation_id) ({open} == 0)")
}
