//! Calls that clients make through the exporter.

use crate::panel::{Panel, lines, stacked, stacked_bars};
use crate::query::{STEP, all, by};
use datasphere_exporter::catalogue::exporter;

pub(super) fn passed() -> Panel {
    stacked(
        "Calls passed on, by code",
        "reqps",
        "Calls through the gateway, by the code or status of their answer. Codes other than OK are the \
         cloud's own; UNAVAILABLE alone: see the status page of the cloud.",
    )
    .query(&all(exporter::GATEWAY_REQUESTS).rate_of_seen("code"), "{{code}}")
    .none("nobody calls through it")
    .sized(8, 8)
}

pub(super) fn overhead() -> Panel {
    let overhead = all(exporter::GATEWAY_OVERHEAD);
    lines(
        "Time that the gateway adds",
        "s",
        "How much later a call is for going through the gateway. Milliseconds are usual; more says that the \
         exporter lacks processor time.",
    )
    .query(&overhead.quantile(0.5, &[], STEP), "median")
    .query(&overhead.quantile(0.99, &[], STEP), "p99")
    .lowest(0)
    .none("nobody calls through it")
    .sized(8, 8)
}

pub(super) fn unheard() -> Panel {
    let unheard = all(exporter::GATEWAY_UNHEARD).increase(STEP);
    stacked_bars(
        "Answers that were not searched",
        "short",
        "Answers passed on without a look for their operation, which is then found later by listing, or not at all. \
         busy: more processor time; size and unreadable: tell us.",
    )
    .query(&by("sum", &["reason"], &unheard), "{{reason}}")
    .none("all were searched")
    .sized(8, 8)
}
