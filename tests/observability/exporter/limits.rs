//! How fresh the data is, and how far the bounds of the exporter are.

use crate::panel::{Panel, bare, dashed, lines, stacked_bars};
use crate::query::{STEP, Series, all, by};
use datasphere_exporter::catalogue::{Metric, exporter};

/// The greatest value among the exporters, or by these labels.
fn most(metric: Metric, labels: &[&str]) -> String {
    by("max", labels, &all(metric).raw())
}

pub(super) fn ages() -> Panel {
    let newest = all(exporter::LAST_SUCCESS).once();
    lines(
        "Age of the data by scope",
        "s",
        "Time since something of each scope was last read, in the project that is furthest behind, with \
         five of its intervals dashed. Above the dashes: see the codes of the calls.",
    )
    .query(
        &by("max", &["scope"], &format!("(time() - {newest})")),
        "{{scope}}",
    )
    .query(
        &format!("5 * {}", most(exporter::POLL_INTERVAL, &["scope"])),
        "{{scope}}, five intervals",
    )
    .series_like("/five intervals$/", &[dashed(), bare()])
    .lowest(0)
    .none("nothing is due")
    .sized(12, 8)
}

pub(super) fn unreadable() -> Panel {
    lines(
        "Operations that cannot be read",
        "short",
        "Tracked, but the cloud refuses to tell of them. permission_denied: grant the role in their \
         project; not_found: they are too old or of another cloud.",
    )
    .query(&most(exporter::OPERATIONS_UNREADABLE, &["reason"]), "{{reason}}")
    .lowest(0)
    .reaching(1)
    .none("all can be read")
    .sized(12, 8)
}

pub(super) fn tracked() -> Panel {
    let kinds = by("max", &["kind"], &all(exporter::TRACKED_OPERATIONS).raw());
    lines(
        "Tracked operations",
        "short",
        "How many operations are under watch. A jump is a new project; near the limit, which is shown above, \
         raise `watch.tracked_max` or watch fewer projects: beyond it, ended ones leave early.",
    )
    .query(&kinds, "{{kind}}")
    .lowest(0)
    .none("not scraped")
    .sized(12, 8)
}

pub(super) fn series() -> Panel {
    lines(
        "Series by tier",
        "short",
        "Series of single operations (run) and of projects (fleet). Near the limit of the first, which is \
         shown above: raise `metrics.series_max`, shorten the retention, or switch single operations off.",
    )
    .query(&most(exporter::SERIES, &["tier"]), "{{tier}}")
    .lowest(0)
    .none("not scraped")
    .sized(12, 8)
}

fn counted(series: &Series, label: &str) -> String {
    by("sum", &[label], &series.increase(STEP))
}

pub(super) fn dropped() -> Panel {
    stacked_bars(
        "Dropped because of a limit",
        "short",
        "Operations, or their series, that were dropped. Any is too many: raise the limit that its reason \
         names.",
    )
    .query(
        &counted(&all(exporter::OPERATIONS_DROPPED), "reason"),
        "{{reason}}",
    )
    .none("nothing is dropped")
    .sized(6, 8)
}

pub(super) fn overflows() -> Panel {
    stacked_bars(
        "Names beyond their bound",
        "short",
        "Names shown as (other), or projects left out. job_name: tell `metrics.job_names` what differs \
         from run to run.",
    )
    .query(&counted(&all(exporter::LABEL_OVERFLOWS), "label"), "{{label}}")
    .none("no name is left out")
    .sized(6, 8)
}

pub(super) fn gaps() -> Panel {
    stacked_bars(
        "Parts that could not be understood",
        "short",
        "Parts of answers that were left out. unknown_enum or unknown_type: the API has grown, look for a \
         newer exporter; else tell us.",
    )
    .query(&counted(&all(exporter::DECODE_GAPS), "reason"), "{{reason}}")
    .none("all is understood")
    .sized(6, 8)
}

pub(super) fn samples() -> Panel {
    lines(
        "Samples of a scrape",
        "short",
        "What Prometheus stores from each exporter at a time. It should follow the series by tier; a jump \
         is a new project or many new names.",
    )
    .query(
        r#"max by (instance) (scrape_samples_scraped{job=~"$job",instance=~"$instance"})"#,
        "{{instance}}",
    )
    .lowest(0)
    .none("not scraped")
    .sized(6, 8)
}
