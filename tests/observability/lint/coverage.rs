//! Every metric of the exporter is on a dashboard, or there is a reason why not.

use crate::lint::{none, pages, text};
use crate::promql;
use datasphere_exporter::catalogue::{self, exporter};
use std::collections::BTreeSet;

/// Metrics that no dashboard shows, each with its reason.
const UNUSED: [(&str, &str); 4] = [
    (
        exporter::DATA_EXPIRY_WARNING.name,
        "datasphere_jobs_data_expiring counts by it already",
    ),
    (
        exporter::PROCESS_VIRTUAL_MEMORY.name,
        "resident memory is what runs out",
    ),
    (exporter::PROCESS_THREADS.name, "fixed by the number of cores"),
    (
        exporter::TASKS.name,
        "open file descriptors tell of connections already; for who looks for a leak",
    ),
];

/// The metrics that the dashboards read.
fn used() -> BTreeSet<&'static str> {
    let mut used = BTreeSet::new();
    for page in pages() {
        for panel in page.panels() {
            for target in panel.targets() {
                let expression = promql::parse(text(target, "/expr")).unwrap();
                let names: Vec<&str> = promql::selected(&expression)
                    .iter()
                    .map(|selected| selected.name)
                    .collect();
                used.extend(
                    names
                        .into_iter()
                        .filter_map(promql::metric)
                        .map(|metric| metric.name),
                );
            }
        }
    }
    used
}

#[test]
fn every_metric_is_shown_or_left_out_for_a_reason() {
    let (used, left_out) = (used(), UNUSED.map(|(name, _)| name));
    let all = catalogue::ALL.into_iter().flatten().map(|metric| metric.name);
    let faults: Vec<String> = all
        .filter(|name| used.contains(name) == left_out.contains(name))
        .map(|name| format!("{name} is neither shown nor left out, or both"))
        .collect();
    none(&faults);
}
