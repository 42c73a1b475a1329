//! Service levels: whether the exporter and the jobs keep what was promised. It asks for no recorded series.

use crate::dashboard::{Dashboard, project_variable, row};
use crate::fleet::success_ratio;
use crate::fragments::with_project;
use crate::panel::{Panel, bare, colour, lines, mapped, pixels, stat, table, text, unit};
use crate::query::{all, by, ratio, sum};
use crate::words::{self, BAD, DOUBTFUL, GOOD, NEUTRAL, WARNING};
use datasphere_exporter::catalogue::{exporter, fleet};

/// The share of calls that is allowed to fail; the alerts on the budget burn by the same.
pub(crate) const BUDGET: &str = "0.01";

/// Codes of calls that were answered: what is not there, and what may not be seen, is no failure of the cloud's.
pub(crate) const GOOD_CODES: [&str; 3] = ["OK", "NOT_FOUND", "PERMISSION_DENIED"];

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "datasphere-slo",
        title: "DataSphere / Service levels",
        description: "Whether the view of the cloud and the jobs keep what was promised.",
        from: "now-7d",
        refresh: "",
        variables: vec![project_variable()],
        rows: vec![
            row("What is measured", vec![promise()]),
            row(
                "Calls to the cloud",
                vec![objective(), achieved(), left(), burn(), errors()],
            ),
            row("Fresh data", vec![freshness(), freshness_over_time()]),
            row("Jobs", vec![success(), success_over_time(), projects()]),
        ],
    }
}

fn promise() -> Panel {
    text(
        "What is promised",
        "**Calls:** 99 % of the exporter's calls to the cloud are answered over 28 days; `NOT_FOUND` and \
         `PERMISSION_DENIED` are answers. **Fresh data:** every scope is read within five of its intervals. **Jobs:** the share of \
         successes among jobs that were not cancelled; with a dozen jobs a day it is for looking back, not \
         for paging.\n\nThe windows of 28 days need a Prometheus that keeps data so long (its default is \
         15 days); with less, they tell of what is there.",
    )
}

/// The share of calls that failed over a range.
fn failed_calls(range: &str) -> String {
    let bad = all(exporter::API_REQUESTS).without("code", &GOOD_CODES);
    let bad = format!("({} or vector(0))", sum(&bad.increase(range)));
    ratio(&bad, &sum(&all(exporter::API_REQUESTS).increase(range)))
}

fn objective() -> Panel {
    stat(
        "Objective",
        "percentunit",
        "The share of calls that has to succeed. It is fixed, because the alerts on the budget count by \
         the same number.",
    )
    .instant(&format!("vector(1 - {BUDGET})"), "objective")
    .none("none")
    .decimals(1)
    .sized(4, 8)
}

fn achieved() -> Panel {
    stat(
        "Achieved (28d)",
        "percentunit",
        "The share of calls that succeeded in the last 28d. Below the objective: see by code on the page \
         of the exporter what fails.",
    )
    .instant(&format!("1 - {}", failed_calls("28d")), "achieved")
    .none("no calls")
    .decimals(2)
    .steps(&[(BAD, None), (GOOD, Some(0.99))])
    .sized(4, 8)
}

fn left() -> Panel {
    stat(
        "Budget left (28d)",
        "percentunit",
        "How much of the failures that the objective allows in 28d is still unused. Below zero: put off \
         what adds load, and mend what fails first.",
    )
    .instant(&format!("1 - {} / {BUDGET}", failed_calls("28d")), "left")
    .none("no calls")
    .decimals(1)
    .steps(&[(BAD, None), (WARNING, Some(0.0)), (GOOD, Some(0.25))])
    .sized(4, 8)
}

fn burn() -> Panel {
    let burn = |range: &str| format!("{} / {BUDGET}", failed_calls(range));
    lines(
        "Speed of burning (1h, 6h, 1d, 3d)",
        "short",
        "How many times faster than allowed the budget burns over 1h, 6h, 1d and 3d. Each alert fires where \
         its window crosses the dashed line of its colour: 14.4 for an hour, 6 for six hours, 3 for a day, \
         1 for three days.",
    )
    .query(&burn("1h"), "1h")
    .query(&burn("6h"), "6h")
    .query(&burn("1d"), "1d")
    .query(&burn("3d"), "3d")
    .lowest(0)
    .reaching(16)
    .bound_lines(&[
        ("transparent", None),
        (NEUTRAL, Some(1.0)),
        (WARNING, Some(3.0)),
        (DOUBTFUL, Some(6.0)),
        (BAD, Some(14.4)),
    ])
    .series("1h", &[colour(BAD)])
    .series("6h", &[colour(DOUBTFUL)])
    .series("1d", &[colour(WARNING)])
    .series("3d", &[colour(NEUTRAL)])
    .none("no calls")
    .sized(12, 8)
}

fn errors() -> Panel {
    let bad = all(exporter::API_REQUESTS).without("code", &GOOD_CODES);
    let failed = by("sum", &["method", "code"], &bad.increase("28d"));
    table(
        "What used the budget (28d)",
        "Failed calls of the last 28d by method and code. The first rows are what to mend: the \
         key for UNAUTHENTICATED, the rate limit for RESOURCE_EXHAUSTED.",
    )
    .rows(&format!("topk(20, round({failed}) > 0)"))
    .order(&["method", "code", "Value"])
    .column("method", "Method", &[])
    .column("code", "Code", &[mapped(words::codes()), pixels(420)])
    .column("Value", "Count", &[unit("short")])
    .sorted_by("Count")
    .none("no call failed")
    .sized(24, 6)
}

/// 1 for each scope of each project that was read within five of its intervals, 0 for the others.
fn fresh() -> String {
    let age = format!("(time() - {})", all(exporter::LAST_SUCCESS).once());
    let limit = format!("(5 * {})", all(exporter::POLL_INTERVAL).by(&["scope"]));
    format!("({age} < bool on (scope) group_left () {limit})")
}

fn freshness() -> Panel {
    stat(
        "Fresh (24h)",
        "percentunit",
        "The share of the last 24h in which the scopes were read within five of their intervals. Below 99 \
         %: the page of the exporter shows which scope is behind.",
    )
    .instant(
        &by("avg", &[], &format!("avg_over_time({}[24h:1m])", fresh())),
        "fresh",
    )
    .none("nothing was due")
    .decimals(1)
    .steps(&[(BAD, None), (WARNING, Some(0.95)), (GOOD, Some(0.99))])
    .sized(6, 8)
}

fn freshness_over_time() -> Panel {
    lines(
        "Fresh data by scope",
        "percentunit",
        "The share of projects whose scope was read within five of its intervals. A scope that falls \
         alone: its method fails, or its role is missing.",
    )
    .query(&by("avg", &["scope"], &fresh()), "{{scope}}")
    .bounds(0, 1)
    .series_like("/.*/", &[bare()])
    .none("nothing was due")
    .sized(18, 8)
}

fn success() -> Panel {
    stat(
        "Success of jobs (28d)",
        "percentunit",
        "Successes among the jobs of the last 28d that were not cancelled. The table beside says which \
         project to look at.",
    )
    .instant(&success_ratio("28d"), "success")
    .none("no finished jobs")
    .decimals(1)
    .steps(&[(BAD, None), (WARNING, Some(0.9)), (GOOD, Some(0.97))])
    .sized(6, 8)
}

fn success_over_time() -> Panel {
    lines(
        "Success of jobs, a day at a time (1d)",
        "percentunit",
        "The same over the 1d before each moment. A step down is an event: find it among the ends by \
         outcome on the page of the fleet.",
    )
    .query(&success_ratio("1d"), "success")
    .bounds(0, 1)
    .none("no finished jobs")
    .sized(9, 8)
}

fn projects() -> Panel {
    let jobs = all(fleet::OPERATIONS_FINISHED).with("kind", "job");
    let by_project = |outcomes: &[&str]| {
        by(
            "sum",
            &["project_id"],
            &jobs.clone().among("outcome", outcomes).increase("28d"),
        )
    };
    let told = by_project(&["success", "failure", "error"]);
    table(
        "Projects (28d)",
        "How many jobs ended in each project in the last 28d, and how many of them well. Few jobs make a \
         restless share: look at both.",
    )
    .rows(&with_project(&format!("round({told})")))
    .rows(&ratio(&by_project(&["success"]), &told))
    .order(&["project_name", "Value #A", "Value #B"])
    .column("project_name", "Project", &[])
    .column("Value #A", "Jobs", &[unit("short")])
    .column("Value #B", "Success", &[unit("percentunit")])
    .sorted_by("Jobs")
    .none("no finished jobs")
    .sized(9, 8)
}
