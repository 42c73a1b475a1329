//! The reference of the metrics, as a document.

use crate::catalogue::{ALL, Metric, Tier};
use std::fmt::Write;

/// `docs/metrics.md`: every metric with its type, labels and meaning, made from its declaration.
pub fn document() -> String {
    let mut out = INTRODUCTION.to_owned();
    for metrics in ALL {
        let Some(tier) = metrics.first().map(|metric| metric.tier) else {
            continue;
        };
        out.push_str(heading(tier));
        out.push_str("\n| name | type | labels | meaning |\n|---|---|---|---|\n");
        for metric in metrics {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} |",
                metric.name,
                kind(metric),
                labels(metric),
                metric.help
            );
        }
    }
    out
}

fn kind(metric: &Metric) -> String {
    let native = if metric.native { ", native too" } else { "" };
    let exemplars = if metric.exemplars {
        ", may carry exemplars"
    } else {
        ""
    };
    format!("{}{native}{exemplars}", metric.metric_type.word())
}

fn labels(metric: &Metric) -> String {
    let mut labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    if metric.user_labels {
        labels.push("`label_*`".to_owned());
    }
    labels.join(", ")
}

fn heading(tier: Tier) -> &'static str {
    match tier {
        Tier::Fleet => {
            "\n## The fleet\nBounded by projects, job names and closed label sets; always on. Counters are there at 0 \
             as soon as their project is known.\n"
        }
        Tier::Run => {
            "\n## Single operations\nOne set for each job and operation under watch, from its first observation until \
             `watch.retention` after its end was seen; `metrics.per_run: false` switches them off, and \
             `metrics.series_max` bounds them.\n"
        }
        Tier::Exporter => "\n## The exporter itself\n",
    }
}

const INTRODUCTION: &str = "\
<!-- Made from src/catalogue by `UPDATE_DOCS=1 cargo test --test suite documents`; do not edit. -->
# Metrics

A value that is not known is absent, never 0 or -1. Moments are unix seconds, ratios are 0 to 1. Names, types and \
sample values are the same in every format. `status` carries the API's own words; an unknown number is `UNKNOWN` and \
counted. A Prometheus that asks for native histograms stores only their native side.

- `kind` is `job`, `notebook` or `other`; `outcome` is `success`, `failure` (the user's program), `error` (the \
operation), `cancelled` or `lost` (the cloud forgot it).
- `code` is the return code of a job, `OK`, `ERROR` or `ABORTED` of a notebook, the name of a gRPC code for errors, and \
empty where it is not known: a job that was found by listing alone tells no return code, and counts as a success by its \
status, though its program may have failed.
- `job_name` is the user's name without what tells one run from the next, as `metrics.job_names` says; beyond its bound \
it is `(other)`.
- Properties live on the `_info` series: join with `* on (project_id, job_id) group_left (job_name)`.
";
