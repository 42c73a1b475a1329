//! What is kept on disk, and what is sent to the collector of traces.

use crate::panel::{Panel, colour, lines, stacked, stacked_bars, unit};
use crate::query::{STEP, age, all, by};
use crate::words::{BAD, DOUBTFUL, GOOD};
use datasphere_exporter::catalogue::exporter;

pub(super) fn commits() -> Panel {
    let commit = all(exporter::STORE_COMMIT_DURATION);
    lines(
        "Time of commits",
        "s",
        "How long it takes until what is told is kept. A view waits for it up to five seconds: above a \
         second, move `storage.path` to a faster disk.",
    )
    .query(&commit.quantile(0.5, &[], STEP), "median")
    .query(&commit.quantile(0.99, &[], STEP), "p99")
    .lowest(0)
    .none("no store")
    .sized(8, 8)
}

pub(super) fn store_errors() -> Panel {
    let errors = all(exporter::STORE_ERRORS).increase(STEP);
    stacked_bars(
        "Errors of the store",
        "short",
        "Failures to open or write it. What ends now may be counted again after a restart: free space, \
         then look at permissions.",
    )
    .query(&by("sum", &["instance"], &errors), "{{instance}}")
    .none("no errors")
    .sized(8, 8)
}

pub(super) fn outbox() -> Panel {
    lines(
        "Waiting for the collector",
        "short",
        "Entries and bytes of spans that were not taken yet; they survive a restart. Growing for hours: \
         mend the collector before the oldest are dropped.",
    )
    .query(
        &by("sum", &["instance"], &all(exporter::OUTBOX_RECORDS).raw()),
        "entries of {{instance}}",
    )
    .query(
        &by("sum", &["instance"], &all(exporter::OUTBOX_BYTES).raw()),
        "bytes of {{instance}}",
    )
    .series_like(
        "/^bytes /",
        &[
            unit("bytes"),
            ("custom.axisPlacement", serde_json::json!("right")),
        ],
    )
    .lowest(0)
    .none("no traces are sent")
    .sized(8, 8)
}

pub(super) fn outbox_age() -> Panel {
    let oldest = by("min", &["instance"], &all(exporter::OUTBOX_OLDEST).raw());
    lines(
        "Age of what waits longest",
        "s",
        "How long the oldest entry has waited. More than a few minutes: the collector refuses or cannot be \
         reached; the codes beside say which.",
    )
    .query(&age(&oldest), "{{instance}}")
    .lowest(0)
    .none("nothing waits")
    .sized(6, 8)
}

pub(super) fn spans() -> Panel {
    let spans = by("sum", &["outcome"], &all(exporter::OTLP_SPANS).rate());
    stacked(
        "Spans of operations",
        "cps",
        "What became of them. rejected: the collector's log says why; dropped: the outbox was full.",
    )
    .query(&spans, "{{outcome}}")
    .series("exported", &[colour(GOOD)])
    .series("rejected", &[colour(DOUBTFUL)])
    .series("dropped", &[colour(BAD)])
    .none("no traces are sent")
    .sized(6, 8)
}

pub(super) fn collector() -> Panel {
    let requests = by("sum", &["code"], &all(exporter::OTLP_REQUESTS).rate());
    stacked(
        "Answers of the collector",
        "reqps",
        "By code, or what came instead. connection: address or certificate; timeout: it is overloaded; \
         UNAUTHENTICATED or 401: its header.",
    )
    .query(&requests, "{{code}}")
    .none("no traces are sent")
    .sized(6, 8)
}

pub(super) fn own_spans() -> Panel {
    let spans = by("sum", &["outcome"], &all(exporter::SELF_SPANS).rate());
    stacked(
        "Spans of the exporter itself",
        "cps",
        "Off by default. Dropped ones are lost on purpose: they never wait; sample fewer of them.",
    )
    .query(&spans, "{{outcome}}")
    .reaching(1)
    .none("they are off")
    .sized(6, 8)
}
