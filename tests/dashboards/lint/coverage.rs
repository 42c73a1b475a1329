//! Every metric of the exporter is on a dashboard, or there is a reason why not.

use crate::lint::{none, pages, text};
use crate::promql;
use datasphere_exporter::catalogue::{self, exporter, run};
use std::collections::BTreeSet;

/// Metrics that no dashboard shows, each with its reason.
const UNUSED: [(&str, &str); 3] = [
    (
        exporter::DATA_EXPIRY_WARNING.name,
        "datasphere_jobs_data_expiring counts by it already",
    ),
    (
        exporter::PROCESS_VIRTUAL_MEMORY.name,
        "resident memory is what runs out",
    ),
    (exporter::PROCESS_THREADS.name, "fixed by the number of cores"),
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

#[test]
fn wrong_queries_are_found() {
    let target = r#"job=~"$job",instance=~"$instance""#;
    let project = format!(r#"{target},project_id=~"$project""#);
    let wrong = [
        (
            format!("sum(datasphere_jobs{{{project}}})"),
            "adds up what each replica tells",
        ),
        (
            format!("datasphere_jobs{{{project}}}"),
            "tells each replica apart",
        ),
        (
            format!("max(datasphere_jobs{{{target}}})"),
            "not narrowed by the variable for project_id",
        ),
        (
            format!("max by (code) (datasphere_jobs{{{project}}})"),
            "no label code",
        ),
        (
            format!("max(datasphere_jobs{{{project},code=\"1\"}})"),
            "no label code",
        ),
        (format!("max(datasphere_job{{{project}}})"), "there is no metric"),
        (
            format!("max(rate(datasphere_jobs{{{project}}}[5m]))"),
            "is a gauge",
        ),
        (
            format!("max(datasphere_operations_finished_total{{{project}}})"),
            "is a counter",
        ),
        (
            format!(
                "max by (project_id) (datasphere_jobs{{{project}}}) * on (kind) max by (project_id) (datasphere_jobs{{{project}}})"
            ),
            "no label kind",
        ),
        (
            format!(
                "max by (project_id) (datasphere_jobs{{{project}}}) / max by (status) (datasphere_jobs{{{project}}})"
            ),
            "never matches",
        ),
        (
            format!(
                "histogram_quantile(0.9, sum(rate(datasphere_exporter_api_request_duration_seconds_bucket{{{target}}}[5m])))"
            ),
            "a quantile without le",
        ),
    ];
    for (query, fault) in wrong {
        let found = promql::faults(&promql::parse(&query).unwrap());
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{query}: {found:?}"
        );
    }
    let right = format!(
        "max by ({}) ({}{{{project}}})",
        run::JOB_PROGRESS.labels.join(", "),
        run::JOB_PROGRESS.name
    );
    assert_eq!(
        promql::faults(&promql::parse(&right).unwrap()),
        Vec::<String>::new()
    );
}
