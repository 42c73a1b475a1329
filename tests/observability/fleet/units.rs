//! What projects have left, and how fast they spend it.

use crate::panel::{Panel, bars, bounds, coloured, dashed, lines, table, unit};
use crate::query::{all, by, ratio};
use crate::words::{BAD, GOOD, WARNING};
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

pub(super) fn burn_down() -> Panel {
    let warning = by("max", &[], &all(exporter::UNIT_BALANCE_WARNING).raw());
    lines(
        "Unit balance, and where it stands in a day",
        "short",
        "What each project has left, and dashed where it will stand in 24 hours at the speed of the last \
         6h; a top-up does not bend the forecast. A dashed line below zero: raise the balance or stop what \
         spends.",
    )
    .query(&balance(), "{{project_id}}")
    .query(
        &format!("{} - 86400 * {}", balance(), speed()),
        "{{project_id}} in a day",
    )
    .query(&warning, "warned below")
    .series_like("/ in a day$/", &[dashed(), ("custom.fillOpacity", json!(0))])
    .series(
        "warned below",
        &[
            crate::panel::colour(WARNING),
            dashed(),
            ("custom.fillOpacity", json!(0)),
        ],
    )
    .none("unlimited")
    .sized(12, 9)
}

pub(super) fn hourly() -> Panel {
    let spent = all(fleet::PROJECT_UNITS_SPENT).increase("1h");
    let limit = all(fleet::PROJECT_LIMIT_UNITS)
        .with("scope", "hour")
        .by(&["project_id"]);
    bars(
        "Spent of the hourly limit (1h)",
        "percentunit",
        "Units of the last 1h against the project's limit for an hour, which stops work when it is \
         reached. Near the end: raise the limit, or start fewer jobs at once.",
    )
    .instant(&ratio(&spent, &limit), "{{project_id}}")
    .bounds(0, 1)
    .steps(&[(GOOD, None), (WARNING, Some(0.8)), (BAD, Some(0.95))])
    .none("no limit is set")
    .sized(6, 9)
}

pub(super) fn execution() -> Panel {
    let limit = all(fleet::PROJECT_LIMIT_UNITS)
        .with("scope", "execution")
        .by(&["project_id"]);
    bars(
        "Limit of one execution",
        "short",
        "The most units that one execution may spend. A job that ends with RESOURCE_EXHAUSTED has met it: \
         raise it in the project's settings.",
    )
    .instant(&limit, "{{project_id}}")
    .none("no limit is set")
    .sized(6, 9)
}

pub(super) fn projects() -> Panel {
    let executing = all(fleet::JOBS)
        .with("status", JobStatus::Executing.label())
        .by(&["project_id"]);
    let rest = ratio(&format!("({} > 0)", balance()), &format!("({})", speed()));
    table(
        "Projects",
        "Every project with its names, its running jobs, what it has left and for how long at the speed of \
         the last 6h, and how many ended jobs lose their stored data soon: download it, or set a longer \
         time to live.",
    )
    .rows(&all(fleet::PROJECT_INFO).once())
    .rows(&executing)
    .rows(&balance())
    .rows(&rest)
    .rows(&all(fleet::JOBS_DATA_EXPIRING).once())
    .order(&[
        "project_name",
        "Value #B",
        "Value #C",
        "Value #D",
        "Value #E",
        "project_id",
        "community_id",
    ])
    .column("project_name", "Project", &[])
    .column("Value #B", "Executing", &[unit("short")])
    .column("Value #C", "Units left", &[unit("short")])
    .column(
        "Value #D",
        "Empty in",
        &[
            unit("dtdurations"),
            coloured("color-text"),
            bounds(&[(BAD, None), (WARNING, Some(86400.0)), (GOOD, Some(259_200.0))]),
        ],
    )
    .column("Value #E", "Data expiring", &[unit("short")])
    .column("project_id", "Id", &[])
    .column("community_id", "Community", &[])
    .none("no project is known")
    .sized(24, 8)
}
