//! What runs now, how far it is, and what does not move.

use crate::fragments::{JOB, job_status, named, newest_ended, newest_live, of_live_jobs, with_project};
use crate::panel::{
    Panel, bars, blank, coloured, filled, hidden, link_to_job, mapped, pixels, table, timeline, unit,
};
use crate::query::{age, all, by};
use crate::words;
use datasphere_exporter::catalogue::{exporter, run};
use datasphere_exporter::model::JobStatus;
use serde_json::json;

pub(super) fn jobs() -> Panel {
    let started = all(run::JOB_STARTED).by(&JOB);
    let progress = all(run::JOB_PROGRESS).by(&JOB);
    let elapsed = age(&all(run::JOB_CREATED).by(&JOB));
    let rest = format!("(time() - {started}) * (1 - {progress}) / ({progress} > 0)");
    let standing = by("max", &JOB, &stalled());
    let end = format!("(1000 * (time() + {rest}) unless on (project_id, job_id) {standing})");
    let info = all(run::JOB_INFO).by(&["project_id", "job_id", "job_name", "instance_type", "created_by"]);
    let info = with_project(&of_live_jobs(&info));
    table(
        "Jobs that have not ended",
        "Every job from its creation to its end, with the end that its progress so far foretells. A row \
         opens the page of its job; an end that moves away is a job that slows down, and one that stands \
         still is in the table below.",
    )
    .rows(&info)
    .rows(&of_live_jobs(&job_status(None)))
    .rows(&of_live_jobs(&elapsed))
    .rows(&of_live_jobs(&progress))
    .rows(&of_live_jobs(&format!("({end} or 0 * {standing})")))
    .order(&[
        "job_name",
        "Value #B",
        "Value #C",
        "Value #D",
        "Value #E",
        "project_name",
        "instance_type",
        "created_by",
        "job_id",
        "project_id",
    ])
    .column("job_name", "Job", &[link_to_job(), pixels(220)])
    .column(
        "Value #B",
        "Status",
        &[mapped(words::job_statuses()), coloured("color-text"), pixels(170)],
    )
    .column("Value #C", "Age", &[unit("dtdurations"), pixels(110)])
    .column(
        "Value #D",
        "Progress",
        &[
            &[unit("percentunit"), blank("not told"), pixels(260)],
            &filled(0, 1)[..],
        ]
        .concat(),
    )
    .column(
        "Value #E",
        "Expected end",
        &[
            unit("dateTimeFromNow"),
            mapped(words::standstill()),
            blank("not known"),
            pixels(150),
        ],
    )
    .column("project_name", "Project", &[])
    .column("instance_type", "Machine", &[])
    .column("created_by", "By", &[pixels(180)])
    .column("job_id", "Id", &[link_to_job(), pixels(200)])
    .column("project_id", "Project id", &[hidden()])
    .sorted_by("Age")
    .none("nothing runs")
    .sized(24, 9)
}

/// How long the progress of each executing job has not changed, of those beyond the exporter's patience.
fn stalled() -> String {
    let executing = all(run::JOB_STATUS).with("status", JobStatus::Executing.label());
    let executing = format!("({} == 1)", executing.once());
    let unchanged = format!(
        "(time() - {}) * on (project_id, job_id) group_right () {executing}",
        all(run::JOB_PROGRESS_CHANGED).by(&JOB)
    );
    let patience = by("max", &[], &all(exporter::PROGRESS_STALLED_THRESHOLD).raw());
    format!("(({unchanged}) > on () group_left () {patience})")
}

pub(super) fn stuck() -> Panel {
    let since = all(run::JOB_STATUS_SINCE).by(&JOB);
    let waits = all(run::JOB_STATUS).among(
        "status",
        &["CREATING", "PREPARING", "UPLOADING_OUTPUT", "CANCELLING"],
    );
    let waits = format!("({} == 1)", waits.once());
    let limits = all(exporter::STUCK_THRESHOLD).by(&["status"]);
    let there = format!("(time() - {since}) * on (project_id, job_id) group_right () {waits}");
    let stuck = format!("(({there}) > on (status) group_left () {limits})");
    table(
        "Jobs that need a look",
        "Jobs that stay in a status longer than its threshold, and jobs whose progress has not changed for \
         longer than theirs; both are settings of the exporter. Read the log of the job; cancel it if it \
         does nothing.",
    )
    .rows(&with_project(&named(&format!("{stuck} or {}", stalled()))))
    .order(&[
        "job_name",
        "status",
        "Value",
        "project_name",
        "job_id",
        "project_id",
    ])
    .column("job_name", "Job", &[link_to_job(), pixels(180)])
    .column("status", "Status", &[])
    .column("Value", "Unchanged for", &[unit("dtdurations"), pixels(170)])
    .column("project_name", "Project", &[])
    .column("job_id", "Id", &[link_to_job()])
    .column("project_id", "Project id", &[hidden()])
    .sorted_by("Unchanged for")
    .none("every job moves")
    .sized(12, 8)
}

pub(super) fn progress() -> Panel {
    let progress = named(&of_live_jobs(&all(run::JOB_PROGRESS).by(&JOB)));
    bars(
        "Progress of running jobs",
        "percentunit",
        "The twelve that are furthest. A bar that stands still: see the jobs that need a look.",
    )
    .instant(&format!("topk(12, {progress})"), "{{job_name}} {{job_id}}")
    .bounds(0, 1)
    // Higher bars have larger letters, and names are long.
    .set("/options/maxVizHeight", json!(22))
    .none("no job tells its progress")
    .sized(8, 13)
}

pub(super) fn states() -> Panel {
    let shown = |chosen: &str| {
        named(&format!(
            "({}) and on (project_id, job_id) {chosen}",
            job_status(None)
        ))
    };
    timeline(
        "States of jobs over time",
        words::job_statuses(),
        "The life of jobs as it was seen: the twenty newest that have not ended, then twenty that ended in the \
         time shown, failed ones first to be chosen. Long light blue: environments take long; many rows \
         that turn red at once: the platform or shared data.",
    )
    .query(&shown(&newest_live(20)), "{{job_name}} {{job_id}}")
    .query(&shown(&newest_ended(20)), "{{job_name}} {{job_id}}")
    .set("/maxDataPoints", json!(150))
    .none("no jobs were seen")
    .sized(16, 13)
}
