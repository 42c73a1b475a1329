//! Parts of queries that several dashboards share.

use crate::query::{SHOWN, Series, all, by};
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

/// When each job was created, as it was last told in the time shown: one choice for all of a graph.
fn created() -> String {
    let created = all(run::JOB_CREATED).raw();
    by(
        "max",
        &JOB,
        &format!("last_over_time({created}[{SHOWN}] @ end())"),
    )
}

/// 1 for each job that has not ended at the end of the time shown.
fn live_at_the_end() -> String {
    let status = all(run::JOB_STATUS).among("status", &live_statuses()).raw();
    format!("({} == 1)", by("max", &JOB, &format!("{status} @ end()")))
}

/// So many jobs that have not ended, the newest.
pub(crate) fn newest_live(count: u32) -> String {
    let chosen = format!("{} and on (project_id, job_id) {}", created(), live_at_the_end());
    format!("topk({count}, {chosen})")
}

/// So many jobs that ended in the time shown: those that failed before the others, and the newest of each.
pub(crate) fn newest_ended(count: u32) -> String {
    let status = all(run::JOB_STATUS).among("status", &live_statuses()).raw();
    let was_live = by("max", &JOB, &format!("max_over_time({status}[{SHOWN}] @ end())"));
    let bad = all(run::JOB_OUTCOME)
        .among("outcome", &["failure", "error", "lost"])
        .raw();
    let has_failed = by("max", &JOB, &format!("max_over_time({bad}[{SHOWN}] @ end())"));
    // Any moment is less than this number of seconds.
    let rank = format!(
        "(({created} + 1e10 * {has_failed}) or {created})",
        created = created()
    );
    let ended = format!("{rank} and on (project_id, job_id) ({was_live} == 1)");
    format!(
        "topk({count}, ({ended}) unless on (project_id, job_id) {})",
        live_at_the_end()
    )
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

/// What an expression by operation tells of operations that this information is of, with their kind.
pub(crate) fn with_kind(expression: &str, info: &Series) -> String {
    let info = info.by(&["project_id", "operation_id", "kind"]);
    format!("({expression}) * on (project_id, operation_id) group_left (kind) {info}")
}

/// What an expression by operation tells of operations that have not ended.
pub(crate) fn of_open_operations(expression: &str) -> String {
    let open = all(run::OPERATION_DONE).once();
    format!("({expression}) and on (project_id, operation_id) ({open} == 0)")
}
