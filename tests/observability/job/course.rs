//! The course of a job: its states, how long each took, and whether it still moves.

use crate::fragments::{JOB, job_status, live_statuses};
use crate::job::this;
use crate::panel::{Panel, bare, bars, colour, dashed, lines, timeline};
use crate::query::{age, all, by};
use crate::words::{self, BAD, DOUBTFUL, NEUTRAL, QUIET, WARNING};
use datasphere_exporter::catalogue::{exporter, run};
use datasphere_exporter::model::JobStatus;
use serde_json::json;

pub(super) fn states() -> Panel {
    timeline(
        "States over time",
        words::job_statuses(),
        "The life of the job as it was seen. Long light blue: its environment takes long to make; long \
         purple: much is stored.",
    )
    .query(&job_status(Some("$job_id")), "{{job_id}}")
    .none("choose a job")
    .sized(16, 6)
}

/// The statuses that a job passes through, as it does.
const ORDER_OF_LIFE: [JobStatus; 5] = [
    JobStatus::Creating,
    JobStatus::Preparing,
    JobStatus::Executing,
    JobStatus::UploadingOutput,
    JobStatus::Cancelling,
];

/// The present status of the chosen job, with its label, where it is one of these.
fn present(statuses: &[&str]) -> String {
    let status = this(run::JOB_STATUS).among("status", statuses);
    format!("({} == 1)", status.once())
}

/// The time that the chosen job has been in its present status, where it is one of these.
fn time_in(statuses: &[&str]) -> String {
    let since = this(run::JOB_STATUS_SINCE).by(&JOB);
    format!(
        "(time() - {since}) * on (project_id, job_id) group_right () {}",
        present(statuses)
    )
}

pub(super) fn times() -> Panel {
    let panel = bars(
        "Time in each status",
        "dtdurations",
        "Where the time went: completed visits, and the present one while it lasts. Most of it before \
         EXECUTING: a smaller environment or another machine type helps more than faster code.",
    )
    // Without it, Grafana leaves a bar that is alone without its name.
    .set(
        "/fieldConfig/defaults/displayName",
        json!("${__field.labels.status}"),
    )
    .set("/options/maxVizHeight", json!(26))
    .none("nothing has passed yet")
    .sized(8, 6);
    // A query for each, in the order of life: the series of one query come in the order of the alphabet.
    ORDER_OF_LIFE.into_iter().fold(panel, |panel, status| {
        let past = this(run::JOB_TIME_IN_STATUS)
            .with("status", status.label())
            .by(&["status"]);
        let present = by("max", &["status"], &time_in(&[status.label()]));
        let both = format!("({past} + on (status) {present}) or {past} or on (status) {present}");
        panel.query(&both, "{{status}}")
    })
}

pub(super) fn progress_over_time() -> Panel {
    let progress = this(run::JOB_PROGRESS);
    let foretold = format!("predict_linear({}[10m] offset 10m, 600)", progress.raw());
    let foretold = format!("clamp({}, 0, 1)", by("max", &JOB, &foretold));
    lines(
        "Progress, and what was foretold 10m before",
        "percentunit",
        "What the program told, and dashed where it would be by the speed of the 10m that ended 10m before. \
         Below the dashes it has slowed down; flat for long: read the log for a deadlock or a machine that \
         waits.",
    )
    .query(&progress.by(&JOB), "progress")
    .query(&foretold, "foretold")
    .bounds(0, 1)
    .series("foretold", &[colour(QUIET), dashed(), bare()])
    .none("no progress is told")
    .sized(12, 8)
}

pub(super) fn patience() -> Panel {
    let limits = all(exporter::STUCK_THRESHOLD).by(&["status"]);
    let present = by("max", &["status"], &present(&live_statuses()));
    let unchanged = age(&this(run::JOB_PROGRESS_CHANGED).by(&JOB));
    let stalled = by("max", &[], &all(exporter::PROGRESS_STALLED_THRESHOLD).raw());
    lines(
        "Time without a change, and when it counts as stuck",
        "s",
        "How long the job is in its status and how long its progress has stood, with the thresholds of the \
         exporter dashed. Above its threshold: read the log, and cancel the job if it does nothing.",
    )
    .query(
        &by("max", &["status"], &time_in(&live_statuses())),
        "in {{status}}",
    )
    .query(
        &format!("{limits} and on (status) {present}"),
        "stuck in {{status}}",
    )
    .query(&unchanged, "progress unchanged")
    .query(&stalled, "progress stalled")
    .lowest(0)
    .series_like("/^in /", &[colour(NEUTRAL)])
    .series("progress unchanged", &[colour(DOUBTFUL), bare()])
    .series_like("/^stuck /", &[colour(BAD), dashed(), bare()])
    .series("progress stalled", &[colour(WARNING), dashed(), bare()])
    .none("the job has ended")
    .sized(12, 8)
}
