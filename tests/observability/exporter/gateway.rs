//! Calls that pass through the gateway: how many, how they ended, and what the gateway adds.

use crate::panel::{Panel, colour, lines, stacked, stacked_bars};
use crate::query::{STEP, all, by};
use crate::words::{BAD, DOUBTFUL, GOOD, WARNING};
use datasphere_exporter::catalogue::exporter;

fn calls_by(label: &str) -> String {
    by("sum", &[label], &all(exporter::GATEWAY_REQUESTS).rate())
}

pub(super) fn passed() -> Panel {
    stacked(
        "Calls through the gateway by method",
        "reqps",
        "What callers ask the cloud for through the gateway. None where you expect some: they still have \
         the cloud's own address.",
    )
    .query(&calls_by("method"), "{{method}}")
    .none("no calls")
    .sized(8, 8)
}

pub(super) fn passed_by_code() -> Panel {
    stacked(
        "Calls through the gateway by code",
        "reqps",
        "How they ended for their callers. UNAVAILABLE or 503: the gateway cannot reach the cloud, look \
         into its log; what else fails, fails without the gateway too.",
    )
    .query(&calls_by("code"), "{{code}}")
    .series_like("/^(OK|200)$/", &[colour(GOOD)])
    .series_like("/^(RESOURCE_EXHAUSTED|429)$/", &[colour(DOUBTFUL)])
    .series_like("/^(UNAVAILABLE|503)$/", &[colour(WARNING)])
    .series_like("/^(UNAUTHENTICATED|PERMISSION_DENIED|401|403)$/", &[colour(BAD)])
    .none("no calls")
    .sized(8, 8)
}

pub(super) fn added() -> Panel {
    let overhead = all(exporter::GATEWAY_OVERHEAD);
    lines(
        "Time that the gateway adds",
        "s",
        "Until a call is on its way, and while an answer waits for the watcher, at most 50 ms. More than \
         that: the machine is too busy, give the exporter more processor.",
    )
    .query(&overhead.quantile(0.5, &[], STEP), "median")
    .query(&overhead.quantile(0.99, &[], STEP), "p99")
    .lowest(0)
    .none("no calls")
    .sized(8, 8)
}

pub(super) fn unheard() -> Panel {
    let unheard = all(exporter::GATEWAY_UNHEARD).increase(STEP);
    stacked_bars(
        "Answers passed unread",
        "short",
        "Answers that may have been an operation and were not read: it is not watched. busy: too many at \
         once; size: larger than any that is read; unreadable: report it.",
    )
    .query(&by("sum", &["reason"], &unheard), "{{reason}}")
    .none("all were read")
    .sized(24, 6)
}
