//! What the process takes, and whom it answers.

use crate::panel::{Panel, lines, stacked};
use crate::query::{all, by};
use datasphere_exporter::catalogue::exporter;
use serde_json::json;

pub(super) fn cpu() -> Panel {
    lines(
        "Processor",
        "percentunit",
        "Cores in use. A whole core for long: many operations in few seconds, or scrapes too often.",
    )
    .query(
        &by("sum", &["instance"], &all(exporter::PROCESS_CPU).rate()),
        "{{instance}}",
    )
    .lowest(0)
    // The metric counts whole seconds, and a short step has none or one of them.
    .set("/interval", json!("2m"))
    .none("not scraped")
    .sized(6, 8)
}

pub(super) fn memory() -> Panel {
    let memory = by(
        "max",
        &["instance"],
        &all(exporter::PROCESS_RESIDENT_MEMORY).raw(),
    );
    lines(
        "Memory",
        "bytes",
        "Resident memory. It follows the tracked operations; growth without them is a fault, tell us.",
    )
    .query(&memory, "{{instance}}")
    .lowest(0)
    .none("not scraped")
    .sized(6, 8)
}

pub(super) fn files() -> Panel {
    let open = by("max", &["instance"], &all(exporter::PROCESS_OPEN_FDS).raw());
    let most = by("max", &["instance"], &all(exporter::PROCESS_MAX_FDS).raw());
    lines(
        "Open files, of those allowed",
        "percentunit",
        "File descriptors in use. Near one: connections are not closed by somebody, or the limit of the \
         service is low.",
    )
    .query(&format!("{open} / {most}"), "{{instance}}")
    .bounds(0, 1)
    .none("not scraped")
    .sized(6, 8)
}

pub(super) fn requests() -> Panel {
    let requests = all(exporter::HTTP_REQUESTS).rate();
    stacked(
        "Requests answered",
        "reqps",
        "By handler and status. Many 503: the exporter is not ready or has too many callers at once.",
    )
    .query(
        &by("sum", &["handler", "code"], &requests),
        "{{handler}} {{code}}",
    )
    .none("nobody asked")
    .sized(6, 8)
}
