//! Whether the exporter itself is well, and what it asks of the cloud.

use crate::dashboard::{Dashboard, project_variable, row};
use crate::exporter::cost::{budget, by_code, by_method, latencies, latency, per_operation, waits};
use crate::exporter::gateway::{overhead, passed, unheard};
use crate::exporter::keeping::{collector, commits, outbox, outbox_age, own_spans, spans, store_errors};
use crate::exporter::limits::{ages, dropped, gaps, overflows, samples, series, tracked, unreadable};
use crate::exporter::process::{cpu, files, memory, requests};
use crate::panel::{Panel, stat};
use crate::query::{SHOWN, all, by, sum_or_zero};
use crate::words::{self, BAD, GOOD, NEUTRAL, WARNING};
use datasphere_exporter::catalogue::exporter;

mod cost;
mod gateway;
mod keeping;
mod limits;
mod process;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "datasphere-exporter",
        title: "DataSphere / Exporter",
        description: "Whether the exporter itself is well, and what it asks of the cloud.",
        from: "now-3h",
        refresh: "",
        variables: vec![project_variable()],
        rows: vec![
            row(
                "Health",
                vec![
                    up(),
                    version(),
                    token(),
                    restarts(),
                    lag(),
                    configuration(),
                    store(),
                    traces(),
                ],
            ),
            row(
                "Calls to the cloud",
                vec![
                    by_method(),
                    by_code(),
                    budget(),
                    per_operation(),
                    waits(),
                    latency(),
                    latencies(),
                ],
            ),
            row(
                "Freshness and limits",
                vec![
                    ages(),
                    unreadable(),
                    tracked(),
                    series(),
                    dropped(),
                    overflows(),
                    gaps(),
                    samples(),
                ],
            ),
            row(
                "Store and traces",
                vec![
                    commits(),
                    store_errors(),
                    outbox(),
                    outbox_age(),
                    spans(),
                    collector(),
                    own_spans(),
                ],
            ),
            row("Gateway", vec![passed(), overhead(), unheard()]),
            row("Process", vec![cpu(), memory(), files(), requests()]),
        ],
    }
}

fn up() -> Panel {
    stat(
        "Up",
        "none",
        "Whether Prometheus reaches every exporter. Down: see whether the process is there, its port open, \
         and the scrape in time.",
    )
    .query(r#"min(up{job=~"$job",instance=~"$instance"})"#, "up")
    .mappings(words::yes_or_no("up", "down"))
    .none("not scraped")
    .steps(&[(BAD, None), (GOOD, Some(1.0))])
}

fn version() -> Panel {
    stat(
        "Version",
        "none",
        "What is deployed. Two versions for long: a roll-out has stopped half way.",
    )
    .instant(&all(exporter::BUILD_INFO).once(), "{{version}}")
    .names()
    .none("not scraped")
}

fn token() -> Panel {
    let expiry = by("min", &[], &all(exporter::IAM_TOKEN_EXPIRY).raw());
    let failures = all(exporter::IAM_TOKEN_REFRESH_FAILURES).increase(SHOWN);
    stat(
        "IAM token",
        "dtdurations",
        "Time until the first token expires, and how many renewals failed in the time shown. Short: look \
         at the log for why it is not renewed; a revoked key needs a new one.",
    )
    .query(&format!("{expiry} - time()"), "left")
    .instant(&format!("round({})", sum_or_zero(&failures)), "failed renewals")
    .series(
        "failed renewals",
        &[
            crate::panel::unit("short"),
            crate::panel::bounds(&[(GOOD, None), (BAD, Some(1.0))]),
        ],
    )
    .none("no token is needed")
    .listed()
    .steps(&[(BAD, None), (WARNING, Some(900.0)), (GOOD, Some(3600.0))])
}

fn restarts() -> Panel {
    let restarts = format!("changes({}[{SHOWN}])", all(exporter::PROCESS_START_TIME).raw());
    stat(
        "Restarts",
        "short",
        "Starts of the process in the time shown. More than your own roll-outs: see the reason in the \
         log's last line and the memory below.",
    )
    .instant(&sum_or_zero(&restarts), "restarts")
    .none("0")
    .steps(&[(GOOD, None), (WARNING, Some(1.0))])
}

fn lag() -> Panel {
    stat(
        "Late by",
        "s",
        "How late the most overdue look is. Growing: the rate limit is too low for what is tracked; see \
         the budget below.",
    )
    .query(&by("max", &[], &all(exporter::POLL_LAG).raw()), "late")
    .none("not scraped")
    .sparkline()
    .steps(&[(GOOD, None), (WARNING, Some(30.0)), (BAD, Some(300.0))])
}

fn configuration() -> Panel {
    let loaded = by("min", &[], &all(exporter::CONFIG_LAST_RELOAD_SUCCESS).raw());
    stat(
        "Configuration",
        "none",
        "Whether the last load of the configuration succeeded, and when one did. Failed: the exporter goes \
         on with the old one; `check-config` says what is wrong.",
    )
    .query(
        &by("min", &[], &all(exporter::CONFIG_LAST_RELOAD_SUCCESSFUL).raw()),
        "state",
    )
    .query(&format!("1000 * {loaded}"), "since")
    .mappings(words::yes_or_no("loaded", "failed"))
    .series(
        "since",
        &[
            crate::panel::unit("dateTimeFromNow"),
            crate::panel::mapped(serde_json::json!([])),
            crate::panel::bounds(&[(NEUTRAL, None)]),
        ],
    )
    .none("not scraped")
    .listed()
    .steps(&[(BAD, None), (GOOD, Some(1.0))])
}

fn store() -> Panel {
    stat(
        "Store",
        "none",
        "Whether what is told also survives a restart. Failing: look at the disk behind `storage.path`, \
         its space and its permissions.",
    )
    .query(&by("min", &[], &all(exporter::STORE_UP).raw()), "store")
    .mappings(words::yes_or_no("writable", "failing"))
    .none("no store")
    .steps(&[(BAD, None), (GOOD, Some(1.0))])
}

fn traces() -> Panel {
    stat(
        "Collector",
        "none",
        "Whether the collector takes what is sent. Refusing: spans wait in the outbox; look at its \
         address, its certificate and its own log.",
    )
    .query(&by("min", &[], &all(exporter::OTLP_UP).raw()), "collector")
    .mappings(words::yes_or_no("accepting", "refusing"))
    .none("not asked yet")
    .steps(&[(BAD, None), (GOOD, Some(1.0))])
}
