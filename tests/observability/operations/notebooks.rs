//! Notebook executions: how they end, how long they take, and what runs.

use crate::fragments::{OPERATION, notebook_status, with_kind, with_project};
use crate::panel::{
    Panel, bare, bounds, colour, coloured, lines, pixels, stacked_bars, table, timeline, unit,
};
use crate::query::{STEP, Series, age, all, by};
use crate::words::{self, BAD, DOUBTFUL, GOOD, WARNING};
use datasphere_exporter::catalogue::{Metric, fleet, run};
use datasphere_exporter::model::{Kind, NotebookStatus, OutcomeKind};
use serde_json::json;

fn notebooks(metric: Metric) -> Series {
    all(metric).with("kind", Kind::Notebook.label())
}

pub(super) fn ends() -> Panel {
    let ends = by(
        "sum",
        &["outcome"],
        &notebooks(fleet::OPERATIONS_FINISHED).increase(STEP),
    );
    let panel = stacked_bars(
        "Ends of notebook executions",
        "short",
        "How many executions ended in each step of time, by outcome; cancelled are those that were \
         aborted. Failures of many people at once point to a shared image or to data.",
    )
    .query(&ends, "{{outcome}}")
    .none("none ended")
    .sized(12, 8);
    OutcomeKind::ALL.into_iter().fold(panel, |panel, outcome| {
        panel.series(outcome.label(), &[colour(words::outcome_colour(outcome))])
    })
}

pub(super) fn durations() -> Panel {
    let duration = notebooks(fleet::OPERATION_DURATION);
    lines(
        "Duration of notebook executions",
        "s",
        "Median and 95th percentile from creation to end, with exemplars that lead to traces. A climbing \
         p95 under a still median: a few cells have become heavy.",
    )
    .query_with_exemplars(&duration.quantile(0.5, &[], STEP), "median")
    .query_with_exemplars(&duration.quantile(0.95, &[], STEP), "p95")
    .series("median", &[colour(GOOD), bare()])
    .series("p95", &[colour(DOUBTFUL), bare()])
    .set("/interval", json!("5m"))
    .lowest(0)
    .none("none ended")
    .sized(12, 8)
}

pub(super) fn running() -> Panel {
    let created = with_kind(
        &all(run::OPERATION_CREATED).once(),
        &notebooks(run::OPERATION_INFO),
    );
    let running = all(run::NOTEBOOK_STATUS).with("status", NotebookStatus::Running.label());
    let running = format!("({} == 1)", running.by(&OPERATION));
    let info =
        notebooks(run::OPERATION_INFO).by(&["project_id", "operation_id", "notebook_id", "created_by"]);
    let of_running = |expression: &str| format!("({expression}) and on (project_id, operation_id) {running}");
    table(
        "Running notebook executions",
        "Executions that have not ended, oldest last to be touched. Beyond 1h or 3h, the limits that \
         DataSphere itself offers for stale executions, ask their owner and stop them.",
    )
    .rows(&with_project(&of_running(&info)))
    .rows(&of_running(&by("max", &OPERATION, &age(&format!("({created})")))))
    .order(&[
        "notebook_id",
        "Value #B",
        "project_name",
        "created_by",
        "operation_id",
    ])
    .column(
        "Value #B",
        "Age",
        &[unit("dtdurations"), coloured("color-text"), stale()],
    )
    .column("notebook_id", "Notebook", &[pixels(190)])
    .column("project_name", "Project", &[])
    .column("created_by", "By", &[pixels(180)])
    .column("operation_id", "Operation", &[pixels(190)])
    .sorted_by("Age")
    .none("no notebook runs")
    .sized(12, 9)
}

fn stale() -> (&'static str, serde_json::Value) {
    bounds(&[(GOOD, None), (WARNING, Some(3600.0)), (BAD, Some(10800.0))])
}

pub(super) fn states() -> Panel {
    let info = notebooks(run::OPERATION_INFO).by(&["project_id", "operation_id", "notebook_id"]);
    let one = by("topk", &OPERATION, &format!("1, {info}"));
    // Those that had ended before the time shown would fill the page.
    let running = all(run::NOTEBOOK_STATUS).with("status", NotebookStatus::Running.label());
    let ran = by(
        "max",
        &OPERATION,
        &format!("max_over_time({}[$__range] @ end())", running.raw()),
    );
    let states = format!(
        "({} and on (project_id, operation_id) ({ran} == 1)) * on (project_id, operation_id) group_left (notebook_id) {one}",
        notebook_status()
    );
    timeline(
        "States of notebook executions",
        words::notebook_statuses(),
        "The life of each execution that had not ended before, as it was seen. A row that ends red: a cell failed; yellow: somebody \
         stopped it.",
    )
    .query(&states, "{{notebook_id}}")
    .none("none was seen")
    .sized(12, 9)
}
