//! The course of a job: its states, how long each took, and whether it still moves.

use crate::fragments::{JOB, job_status, live_statuses};
use crate::job::this;
use crate::panel::{Panel, bare, bars, colour, dashed, lines, timeline};
use crate::query::{age, all, by};
use crate::words::{self, BAD, DOUBTFUL, NEUTRAL, WARNING};
use datasphere_exporter::catalogue::{exporter, run};
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

/// The present status of the chosen job, with its label, while it has not ended.
fn present() -> String {
    let status = this(run::JOB_STATUS).among("status", &live_statuses());
    format!("({} == 1)", status.once())
}

/// The time that the chosen job has been in its present status.
fn present_time() -> String {
    let since = this(run::JOB_STATUS_SINCE).by(&JOB);
    format!(
        "(time() - {since}) * on (project_id, job_id) group_right () {}",
        present()
    )
}

pub(super) fn times() -> Panel {
    let past = this(run::JOB_TIME_IN_STATUS).by(&["status"]);
    let present = by("max", &["status"], &present_time());
    bars(
        "Time in each status",
        "dtdurations",
        "Where the time went: completed visits, and the present one while it lasts. Most of it before \
         EXECUTING: a smaller environment or another machine type helps more than faster code.",
    )
    .query(
        &format!("({past} + on (status) {present}) or {past} or on (status) {present}"),
        "{{status}}",
    )
    // Without it, Grafana leaves a bar that is alone without its name.
    .set(
        "/fieldConfig/defaults/displayName",
        json!("${__field.labels.status}"),
    )
    .none("nothing has passed yet")
    .sized(8, 6)
}

pub(super) fn progress_over_time() -> Panel {
    let progress = this(run::JOB_PROGRESS);
    let ahead = format!("predict_linear({}[30m], 1800)", progress.raw());
    let ahead = format!("clamp_max({}, 1)", by("max", &JOB, &ahead));
    lines(
        "Progress, and half an hour ahead",
        "percentunit",
        "What the program told, and dashed where it will be in half an hour at the speed of the last 30m. \
         Flat for long: read the log for a deadlock or a machine that waits.",
    )
    .query(&progress.by(&JOB), "progress")
    .query(&ahead, "in 30 minutes")
    .bounds(0, 1)
    .series("in 30 minutes", &[dashed(), bare()])
    .none("no progress is told")
    .sized(12, 8)
}

pub(super) fn patience() -> Panel {
    let limits = all(exporter::STUCK_THRESHOLD).by(&["status"]);
    let present = by("max", &["status"], &present());
    let unchanged = age(&this(run::JOB_PROGRESS_CHANGED).by(&JOB));
    let stalled = by("max", &[], &all(exporter::PROGRESS_STALLED_THRESHOLD).raw());
    lines(
        "Time without a change, and when it counts as stuck",
        "s",
        "How long the job is in its status and how long its progress has stood, with the thresholds of the \
         exporter dashed. Above its threshold: read the log, and cancel the job if it does nothing.",
    )
    .query(&by("max", &["status"], &present_time()), "in {{status}}")
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
