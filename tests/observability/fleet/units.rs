//! What projects have left, and how fast they spend it.

use crate::fragments::with_project;
use crate::panel::{
    Panel, bare, bars, blank, bounds, colour, coloured, dashed, lines, stat, table, unit, unlisted,
};
use crate::query::{all, by, ratio};
use crate::words::{BAD, GOOD, QUIET, WARNING};
use datasphere_exporter::catalogue::{exporter, fleet};
use datasphere_exporter::model::JobStatus;
use serde_json::json;

/// The window of every forecast: long enough for the quiet of a night not to look like the end of spending.
const WINDOW: &str = "6h";

/// Units that each project spends in a second, by the last six hours.
fn speed() -> String {
    format!("{} / 21600", all(fleet::PROJECT_UNITS_SPENT).increase(WINDOW))
}

fn balance() -> String {
    all(fleet::PROJECT_UNIT_BALANCE).least_by(&["project_id"])
}

/// Seconds until each project that spends is empty, and 0 for those that are.
fn seconds_left() -> String {
    let left = ratio(&format!("({} > 0)", balance()), &format!("({})", speed()));
    format!("({left} or 0 * ({} <= 0))", balance())
}

/// Colours of the time that is left.
const LEFT: [(&str, Option<f64>); 4] = [
    (QUIET, None),
    (BAD, Some(0.0)),
    (WARNING, Some(86400.0)),
    (GOOD, Some(259_200.0)),
];

pub(super) fn first_empty() -> Panel {
    stat(
        "First empty in (6h)",
        "dtdurations",
        "The project that is out of units first at the speed of the last 6h, and when. Then its jobs stop: \
         raise the balance, or see below who spends.",
    )
    .instant(
        &with_project(&format!("bottomk(1, {})", seconds_left())),
        "{{project_name}}",
    )
    .set("/options/textMode", json!("value_and_name"))
    .none("no end in sight")
    .steps(&LEFT)
}

pub(super) fn burn_down() -> Panel {
    let warning = by("max", &[], &all(exporter::UNIT_BALANCE_WARNING).raw());
    lines(
        "Unit balance, and where it stands in a day",
        "short",
        "What each project has left, and dashed in its colour where it will stand in 24 hours at the speed \
         of the last 6h; a top-up does not bend the forecast. A dashed line below zero: raise the balance or stop what \
         spends.",
    )
    .query(&with_project(&balance()), "{{project_name}}")
    .query(
        &with_project(&format!("{} - 86400 * {}", balance(), speed())),
        "{{project_name}}",
    )
    .query(&warning, "warned below")
    .series_like("/.*/", &[bare()])
    // The same name has the same colour; one line of the legend for both is enough.
    .set(
        "/fieldConfig/defaults/color",
        json!({ "mode": "palette-classic-by-name" }),
    )
    .set("/fieldConfig/defaults/custom/showPoints", json!("never"))
    .of_query("B", &[dashed(), unlisted()])
    .series("warned below", &[colour(QUIET), dashed()])
    .none("unlimited")
    .sized(15, 9)
}

pub(super) fn hourly() -> Panel {
    let spent = all(fleet::PROJECT_UNITS_SPENT).increase("1h");
    bars(
        "Spent of the hourly limit (1h)",
        "percentunit",
        "Units of the last 1h against the project's limit for an hour, which stops work when it is \
         reached. Near the end: raise the limit, or start fewer jobs at once.",
    )
    .instant(&with_project(&ratio(&spent, &limit("hour"))), "{{project_name}}")
    .bounds(0, 1)
    .steps(&[(GOOD, None), (WARNING, Some(0.8)), (BAD, Some(0.95))])
    .none("no limit is set")
    .sized(9, 9)
}

/// The limits of units in this scope.
fn limit(scope: &str) -> String {
    let limits = all(fleet::PROJECT_LIMIT_UNITS).with("scope", scope);
    limits.by(&["project_id"])
}

pub(super) fn projects() -> Panel {
    let executing = all(fleet::JOBS)
        .with("status", JobStatus::Executing.label())
        .by(&["project_id"]);
    table(
        "Projects",
        "Every project with its names, its running jobs, what it has left and for how long at the speed of \
         the last 6h, its limits, and how many ended jobs lose their stored data soon: download it, or set \
         a longer time to live. A job that ends with RESOURCE_EXHAUSTED has met the limit of one \
         execution: raise it in the project's settings.",
    )
    .rows(&all(fleet::PROJECT_INFO).once())
    .rows(&executing)
    .rows(&balance())
    .rows(&seconds_left())
    .rows(&limit("hour"))
    .rows(&limit("execution"))
    .rows(&all(fleet::JOBS_DATA_EXPIRING).once())
    .order(&[
        "project_name",
        "Value #B",
        "Value #C",
        "Value #D",
        "Value #E",
        "Value #F",
        "Value #G",
        "project_id",
        "community_id",
    ])
    .column("project_name", "Project", &[])
    .column("Value #B", "Executing", &[unit("short")])
    .column("Value #C", "Units left", &[unit("short"), blank("unlimited")])
    .column(
        "Value #D",
        "Empty in",
        &[
            unit("dtdurations"),
            coloured("color-text"),
            blank("never"),
            bounds(&LEFT),
        ],
    )
    .column(
        "Value #E",
        "Limit of an hour",
        &[unit("short"), blank("no limit")],
    )
    .column(
        "Value #F",
        "Limit of an execution",
        &[unit("short"), blank("no limit")],
    )
    .column("Value #G", "Data expiring", &[unit("short")])
    .column("project_id", "Id", &[])
    .column("community_id", "Community", &[])
    .none("no project is known")
    .sized(24, 8)
}
