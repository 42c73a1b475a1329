//! `docs/metrics.md` is what the catalogue declares.

use datasphere_exporter::catalogue::{self, Metric, Tier, USER_LABEL_PREFIX};
use datasphere_exporter::metrics::{Format, FormatKind};
use std::fmt::Write;
use std::path::Path;

fn tier_text(tier: Tier) -> &'static str {
    match tier {
        Tier::Fleet => {
            "## Fleet\n\nAbout projects: always on, and bounded by projects, closed label sets and \
             `metrics.job_names.max`. `project_id` is empty for operations that belong to no project."
        }
        Tier::Run => {
            "## Runs\n\nAbout single jobs and operations: they appear with the first observation and leave \
             `watch.retention` after the end was observed. `metrics.per_run: false` switches them off; at \
             `metrics.series_max` whole operations leave, oldest ended first. Names and properties are on the \
             `_info` series; join them by id:\n\n```promql\n\
             datasphere_job_progress_ratio * on (project_id, job_id) group_left (job_name) datasphere_job_info\n```"
        }
        Tier::Exporter => "## The exporter about itself",
    }
}

fn row(metric: &Metric) -> String {
    let mut kind = metric.metric_type.word().to_owned();
    for (has, word) in [
        (metric.native, "classic and native"),
        (metric.exemplars, "exemplars"),
    ] {
        if has {
            write!(kind, ", {word}").expect("a string takes everything");
        }
    }
    let mut labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    if metric.user_labels {
        labels.push(format!("`{USER_LABEL_PREFIX}…`"));
    }
    let unit = metric.unit.unwrap_or_default();
    format!(
        "| `{}` | {kind} | {unit} | {} | {} |\n",
        metric.name,
        labels.join(" "),
        metric.help
    )
}

fn document() -> String {
    let mut text = String::from(
        "<!-- Generated from src/catalogue; UPDATE_DOCS=1 cargo test --test suite metric_docs makes it anew. -->\n\n\
         # Metrics\n\n\
         Names, labels and meanings are the same in every format. A value that is not known is absent, never 0 \
         or NaN. Moments are unix time in seconds, at millisecond resolution. `label_…` stands for labels that \
         users attached, as far as `metrics.labels` allows them.\n",
    );
    for tier in catalogue::ALL {
        let heading = tier
            .first()
            .map(|metric| tier_text(metric.tier))
            .expect("a metric");
        write!(
            text,
            "\n{heading}\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
        )
        .expect("a string takes everything");
        text.extend(tier.iter().map(row));
    }
    text.push_str("\n## Formats\n\nChosen by `Accept`, with its weights; compressed by `Accept-Encoding` (`gzip`, `zstd`).\n\n");
    for kind in [
        FormatKind::Text,
        FormatKind::Text1,
        FormatKind::OpenMetrics,
        FormatKind::Protobuf,
    ] {
        let format = Format { kind, escaping: None };
        writeln!(text, "- `{}`", format.content_type()).expect("a string takes everything");
    }
    text.push_str(
        "\nExemplars come with OpenMetrics and protobuf, native histograms with protobuf. A Prometheus that asks \
         for native histograms stores only the native side of a histogram that has both.\n",
    );
    text
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "who generates the document says so by environment"
)]
fn the_document_of_metrics_is_what_the_catalogue_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document()).expect("a writable document");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == document(),
        "docs/metrics.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite metric_docs makes it so"
    );
}
