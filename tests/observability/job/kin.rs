//! A job among the earlier ones of its name and the others of its project.

use crate::fragments::{JOB, last_outcome};
use crate::job::this;
use crate::panel::{Panel, bare, colour, dashed, heatmap, lines, timeline};
use crate::query::{all, by};
use crate::words::{self, DOUBTFUL, GOOD, NEUTRAL, QUIET};
use datasphere_exporter::catalogue::{fleet, run};
use datasphere_exporter::model::JobStatus;

const NAME: [&str; 2] = ["project_id", "job_name"];

/// What an expression by job name tells of the name of the chosen job.
fn of_its_name(expression: &str) -> String {
    let info = format!("last_over_time({}[$__range] @ end())", this(run::JOB_INFO).raw());
    let name = by("max", &NAME, &info);
    format!("{expression} and on (project_id, job_name) {name}")
}

pub(super) fn earlier() -> Panel {
    let duration = all(fleet::JOB_DURATION);
    let enough = duration.has_observed(5, &NAME, "7d");
    let of_enough = |quantile: f64| {
        let quantile = duration.quantile(quantile, &NAME, "7d");
        of_its_name(&format!("{quantile} and on (project_id, job_name) {enough}"))
    };
    let (started, finished) = (this(run::JOB_STARTED).by(&JOB), this(run::JOB_FINISHED).by(&JOB));
    let elapsed = format!("({finished} or (time() + 0 * {started})) - {started}");
    lines(
        "Against earlier jobs of its name (7d)",
        "s",
        "How long this job has run beside the median and the 95th percentile of the successful ones of its \
         name in the last 7d, once there are five of them. Above the orange line: nineteen of twenty were done by now; look at its \
         progress and its log.",
    )
    .query(&elapsed, "this job")
    .query(
        &of_enough(0.5),
        "median of {{job_name}}",
    )
    .query(
        &of_enough(0.95),
        "p95 of {{job_name}}",
    )
    .query(
        &of_its_name(&all(fleet::JOB_LAST_DURATION).once()),
        "newest of {{job_name}}",
    )
    .lowest(0)
    .series("this job", &[colour(NEUTRAL)])
    .series_like("/^median /", &[colour(GOOD), dashed(), bare()])
    .series_like("/^p95 /", &[colour(DOUBTFUL), dashed(), bare()])
    .series_like("/^newest /", &[colour(QUIET), dashed(), bare()])
    .none("the first of its name")
    .sized(12, 9)
}

pub(super) fn outcomes() -> Panel {
    timeline(
        "Newest outcome of its name",
        words::outcomes(),
        "How the newest execution of this job's name had ended, at each time. Red for long: it fails again \
         and again, and this job may too.",
    )
    .query(&of_its_name(&last_outcome()), "{{job_name}}")
    .none("none has ended")
    .sized(12, 9)
}

pub(super) fn preparation() -> Panel {
    let preparing = all(fleet::JOB_STATUS_DURATION).with("status", JobStatus::Preparing.label());
    heatmap(
        "Preparation of all jobs of the project",
        "How long environments took, with exemplars that lead to traces. If the whole band is high it is \
         the platform; if only this job is, it is its environment.",
    )
    .buckets(&preparing.buckets())
    .none("nothing was prepared")
    .sized(24, 8)
}
