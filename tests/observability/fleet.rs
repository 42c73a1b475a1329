//! The page that people keep open: what runs, what failed, and what it costs.

use crate::dashboard::{Dashboard, project_variable, row};
use crate::fleet::looks::{alerts, firing};
use crate::fleet::outcomes::{ends, failures, newest, spread};
use crate::fleet::running::{jobs, progress, states, stuck};
use crate::fleet::units::{burn_down, first_empty, hourly, projects};
use crate::panel::{Panel, stat};
use crate::query::{SHOWN, all, by, ratio, sum, sum_or_zero};
use crate::words::{BAD, GOOD, NEUTRAL, WARNING};
use datasphere_exporter::catalogue::{exporter, fleet};
use datasphere_exporter::model::{JobStatus, Kind, OutcomeKind};
use serde_json::json;

mod looks;
mod outcomes;
mod running;
mod units;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "datasphere-fleet",
        title: "DataSphere / Fleet",
        description: "What runs in DataSphere now, how it ended, and what it costs.",
        from: "now-24h",
        refresh: "1m",
        variables: vec![project_variable()],
        rows: vec![
            row(
                "Now",
                vec![
                    running(),
                    waiting(),
                    failed(),
                    success(),
                    durations(),
                    first_empty(),
                    data_age(),
                    alerts(),
                ],
            ),
            row(
                "Running now",
                vec![jobs(), stuck(), firing(), states(), progress()],
            ),
            row("Outcomes", vec![ends(), failures(), spread(), newest()]),
            row("Projects and units", vec![burn_down(), hourly(), projects()]),
        ],
    }
}

/// The outcomes that somebody should look at.
pub(crate) const FAILED: [&str; 2] = ["failure", "error"];

fn jobs_in(statuses: &[JobStatus]) -> String {
    let words: Vec<&str> = statuses.iter().map(|status| status.label()).collect();
    sum_or_zero(&all(fleet::JOBS).among("status", &words).once())
}

fn running() -> Panel {
    stat(
        "Running jobs",
        "short",
        "Jobs whose program runs or whose results are being stored. Zero while you expect work: see what \
         waits, and whether the data is fresh.",
    )
    .query(
        &jobs_in(&[JobStatus::Executing, JobStatus::UploadingOutput]),
        "running",
    )
    .none("0")
    .sparkline()
}

fn waiting() -> Panel {
    stat(
        "Waiting jobs",
        "short",
        "Jobs that wait for a machine or whose environment is made. A growing number says that the \
         instance type is short or an environment is large: look at the table below for the oldest.",
    )
    .query(&jobs_in(&[JobStatus::Creating, JobStatus::Preparing]), "waiting")
    .none("0")
    .sparkline()
    .steps(&[(NEUTRAL, None), (WARNING, Some(10.0)), (BAD, Some(30.0))])
}

fn failed() -> Panel {
    stat(
        "Failed",
        "short",
        "Operations that ended with a failure of the program or an error of the operation in the time shown. \
         See the table of failures by code for what to do.",
    )
    .instant(&sum_or_zero(&outcomes::failed()), "failed")
    .none("0")
    .steps(&[(GOOD, None), (BAD, Some(1.0))])
}

/// The share of successes among the jobs that were not cancelled, over a range.
pub(crate) fn success_ratio(range: &str) -> String {
    let jobs = all(fleet::OPERATIONS_FINISHED).with("kind", Kind::Job.label());
    let good = jobs.clone().with("outcome", OutcomeKind::Success.label());
    let told = jobs.among("outcome", &["success", "failure", "error"]);
    ratio(&sum(&good.increase(range)), &sum(&told.increase(range)))
}

fn success() -> Panel {
    stat(
        "Success of jobs",
        "percentunit",
        "Successful jobs among those that ended in the time shown and were not cancelled. Below 97 %: compare the failures by code; \
         one code everywhere points to an image or to data, many to the platform.",
    )
    .instant(&success_ratio(SHOWN), "success")
    .none("no finished jobs")
    .decimals(1)
    .steps(&[(BAD, None), (WARNING, Some(0.9)), (GOOD, Some(0.97))])
}

fn durations() -> Panel {
    let duration = all(fleet::JOB_DURATION);
    stat(
        "Duration of jobs",
        "s",
        "Median and 95th percentile of successful jobs from start to finish in the time shown. When they move apart, some \
         jobs have become slow: open the heatmap below.",
    )
    .instant(&duration.quantile(0.5, &[], SHOWN), "median")
    .instant(&duration.quantile(0.95, &[], SHOWN), "p95")
    .none("no finished jobs")
    .listed()
}

fn data_age() -> Panel {
    let intervals = all(exporter::POLL_INTERVAL).by(&["scope"]);
    let ages = format!("(time() - {})", all(exporter::LAST_SUCCESS).once());
    let oldest = format!("{ages} / on (scope) group_left () (5 * {intervals})");
    stat(
        "Age of data",
        "percentunit",
        "How old the oldest data is, against five of its intervals; at 100 % it counts as stale. Every other \
         number is only as true as this one: when it grows, open the page of the exporter.",
    )
    .query(&by("max", &[], &oldest), "of the age allowed")
    .set("/options/textMode", json!("value_and_name"))
    .decimals(0)
    .none("nothing is due")
    .steps(&[(GOOD, None), (WARNING, Some(0.6)), (BAD, Some(1.0))])
}
