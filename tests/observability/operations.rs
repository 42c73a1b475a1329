//! Notebook executions, and long-running operations of any other kind.

use crate::dashboard::{Dashboard, kind_variable, project_variable, row};
use crate::fleet::FAILED;
use crate::fragments::{of_open_operations, with_kind, with_project};
use crate::panel::{
    Panel, colour, coloured, heatmap, mapped, pixels, stacked, stacked_bars, stat, table, unit,
};
use crate::query::{STEP, age, all, by, sum_or_zero};
use crate::words::{self, BAD, GOOD, WARNING};
use datasphere_exporter::catalogue::{Metric, fleet, run};
use datasphere_exporter::model::Kind;

mod notebooks;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "datasphere-operations",
        title: "DataSphere / Notebooks and operations",
        description: "Notebooks and operations of any kind: what is open, and what failed.",
        from: "now-24h",
        refresh: "1m",
        variables: vec![project_variable(), kind_variable()],
        rows: vec![
            row("Now", vec![open_notebooks(), open_others(), failing(), failed()]),
            row(
                "Notebooks",
                vec![
                    notebooks::ends(),
                    notebooks::durations(),
                    notebooks::running(),
                    notebooks::states(),
                ],
            ),
            row(
                "Operations",
                vec![states(), sources(), open(), errors(), failures(), durations()],
            ),
        ],
    }
}

fn now(kind: Kind) -> String {
    let open = all(fleet::OPERATIONS).with("kind", kind.label());
    sum_or_zero(&open.among("state", &["running", "failing"]).once())
}

fn open_notebooks() -> Panel {
    stat(
        "Running notebooks",
        "short",
        "Notebook executions that have not ended. More than people at work: an execution may have been \
         forgotten, and it holds a machine.",
    )
    .query(&now(Kind::Notebook), "running")
    .none("0")
    .sparkline()
    .sized(6, 4)
}

fn open_others() -> Panel {
    stat(
        "Other open operations",
        "short",
        "Operations that are neither jobs nor notebooks and have not ended. See the longest of them below.",
    )
    .query(&now(Kind::Other), "open")
    .none("0")
    .sparkline()
    .sized(6, 4)
}

fn failing() -> Panel {
    let failing = all(fleet::OPERATIONS).with("state", "failing");
    stat(
        "Failing, not ended",
        "short",
        "Operations that have an error already and have not ended. Their table is below; nothing is gained \
         by waiting.",
    )
    .query(&sum_or_zero(&failing.once()), "failing")
    .none("0")
    .steps(&[(GOOD, None), (WARNING, Some(1.0))])
    .sized(6, 4)
}

fn failed() -> Panel {
    stat(
        "Failed of the chosen kinds",
        "short",
        "Operations of the chosen kinds, jobs among them, that ended with a failure or an error in the time \
         shown. The same ones are counted by code below.",
    )
    .instant(&sum_or_zero(&failed_by_code()), "failed")
    .none("0")
    .steps(&[(GOOD, None), (BAD, Some(1.0))])
    .sized(6, 4)
}

fn states() -> Panel {
    let states = by(
        "sum",
        &["state"],
        &all(fleet::OPERATIONS).among("kind", &["$kind"]).once(),
    );
    stacked(
        "Operations by state",
        "short",
        "Tracked operations of the chosen kinds. Running that only grows: ends are not seen, or something \
         upstream starts more than it finishes.",
    )
    .query(&states, "{{state}}")
    .none("nothing is tracked")
    .sized(12, 8)
}

fn sources() -> Panel {
    let tracked = all(fleet::OPERATIONS_TRACKED)
        .among("kind", &["$kind"])
        .increase(STEP);
    stacked_bars(
        "Taken under watch, by who brought them",
        "short",
        "How operations became known. None from a source that should bring some: look at its \
         configuration.",
    )
    .query(&by("sum", &["source"], &tracked), "{{source}}")
    .none("none was new")
    .sized(12, 8)
}

fn open() -> Panel {
    let info = all(run::OPERATION_INFO)
        .among("kind", &["$kind"])
        .without("kind", &[Kind::Notebook.label()]);
    let of_kind = |metric: Metric| of_open_operations(&with_kind(&all(metric).once(), &info));
    let age_of = |metric: Metric| age(&of_kind(metric));
    table(
        "Longest other open operations",
        "Operations other than jobs and notebooks that have not ended: their age, since when they tell nothing new, and \
         when they were last looked at. Old and unchanged: ask who started it, cancel it with `operation \
         cancel`.",
    )
    .rows(&with_project(&format!(
        "topk(20, {})",
        age_of(run::OPERATION_CREATED)
    )))
    .rows(&age_of(run::OPERATION_MODIFIED))
    .rows(&age_of(run::OPERATION_LAST_POLL))
    .order(&[
        "operation_id",
        "kind",
        "Value #A",
        "Value #B",
        "Value #C",
        "project_name",
    ])
    .column("operation_id", "Operation", &[pixels(190)])
    .column("kind", "Kind", &[])
    .column("Value #A", "Age", &[unit("dtdurations")])
    .column("Value #B", "Unchanged", &[unit("dtdurations")])
    .column("Value #C", "Last look", &[unit("dtdurations")])
    .column("project_name", "Project", &[])
    .sorted_by("Age")
    .none("nothing is open")
    .sized(12, 8)
}

fn errors() -> Panel {
    let errors = all(run::OPERATION_ERROR).without("code", &["CANCELLED"]).once();
    let done = all(run::OPERATION_DONE).once();
    table(
        "Operations with an error",
        "Operations of any kind that have an error set, ended or not, with what its code says; cancelled \
         ones aside. They leave with their retention.",
    )
    .rows(&with_project(&errors))
    .rows(&format!("{done} and on (project_id, operation_id) {errors}"))
    .order(&["operation_id", "code", "Value #B", "project_name"])
    .column("operation_id", "Operation", &[pixels(190)])
    .column("code", "Error", &codes())
    .column("Value #B", "Ended", &[mapped(words::ended()), pixels(80)])
    .column("project_name", "Project", &[])
    .none("no errors")
    .sized(12, 8)
}

/// How a column of codes looks, those without a meaning of their own too.
fn codes() -> [(&'static str, serde_json::Value); 4] {
    [
        mapped(words::codes()),
        coloured("color-text"),
        colour(BAD),
        pixels(390),
    ]
}

/// How many operations of the chosen kinds failed in the time shown, by code: the one count of failures on the page.
fn failed_by_code() -> String {
    let ends = all(fleet::OPERATION_RESULTS)
        .among("kind", &["$kind"])
        .among("outcome", &FAILED);
    let failures = by("sum", &["kind", "outcome", "code"], &ends.increase_since_birth());
    format!("(round({failures}) > 0)")
}

fn failures() -> Panel {
    table(
        "Failures by code",
        "What failed in the time shown among the chosen kinds, and what its code says. PERMISSION_DENIED asks for a role, \
         RESOURCE_EXHAUSTED for a quota or units, the others mostly for another try.",
    )
    .rows(&format!("topk(20, {})", failed_by_code()))
    .order(&["code", "Value", "outcome", "kind"])
    .column("code", "Code", &codes())
    .column("Value", "Count", &[unit("short"), pixels(80)])
    .column("outcome", "Outcome", &[])
    .column("kind", "Kind", &[])
    .sorted_by("Count")
    .none("nothing failed")
    .sized(12, 9)
}

fn durations() -> Panel {
    heatmap(
        "Duration of operations of the chosen kinds",
        "From creation to end, with exemplars that lead to traces. A band that climbs: the cloud answers \
         slower, or the work grows; choose one kind to see which.",
    )
    .buckets(&all(fleet::OPERATION_DURATION).among("kind", &["$kind"]).buckets())
    .none("nothing ended")
}
