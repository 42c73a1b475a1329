//! Calls to the cloud: how many, how they ended, how long they took, and how near the limit is.

use crate::panel::{Panel, bars, colour, heatmap, lines, stacked};
use crate::query::{STEP, Series, all, by, ratio, sum};
use crate::words::{BAD, DOUBTFUL, GOOD, WARNING};
use datasphere_exporter::catalogue::{Metric, exporter};

fn calls() -> String {
    sum(&all(exporter::API_REQUESTS).rate())
}

pub(super) fn by_method() -> Panel {
    stacked(
        "Calls by method",
        "reqps",
        "What the exporter asked the cloud for in the time shown. One method that grows alone: longer intervals for it, or \
         fewer projects.",
    )
    .query(&all(exporter::API_REQUESTS).rate_of_seen("method"), "{{method}}")
    .none("no calls")
    .sized(12, 8)
}

pub(super) fn by_code() -> Panel {
    stacked(
        "Calls by code",
        "reqps",
        "How they ended. RESOURCE_EXHAUSTED: lower the rate limit; UNAUTHENTICATED: a new key; \
         PERMISSION_DENIED: a role is missing; UNAVAILABLE: see the status page of the cloud.",
    )
    .query(&all(exporter::API_REQUESTS).rate_of_seen("code"), "{{code}}")
    .series("OK", &[colour(GOOD)])
    .series("RESOURCE_EXHAUSTED", &[colour(DOUBTFUL)])
    .series("UNAVAILABLE", &[colour(WARNING)])
    .series_like("/UNAUTHENTICATED|PERMISSION_DENIED/", &[colour(BAD)])
    .none("no calls")
    .sized(12, 8)
}

pub(super) fn budget() -> Panel {
    let limit = sum(&all(exporter::RATE_LIMIT).raw());
    let own = |operator: &str, series: &Series| by(operator, &["instance"], &series.raw());
    // The limits are each exporter's own: the nearest counts.
    let nearest = |part: &str, limit: Metric| {
        let share = format!("{part} / on (instance) ({} > 0)", own("max", &all(limit)));
        by("max", &[], &share)
    };
    let tracked = own("sum", &all(exporter::TRACKED_OPERATIONS));
    let series = own("max", &all(exporter::SERIES).with("tier", "run"));
    bars(
        "Used of the limits",
        "percentunit",
        "How near each limit is that is configured. Calls: near the end, looks come late; raise the rate \
         limit if the cloud allows it, or the intervals. Operations: raise `watch.tracked_max`. Series of \
         single operations: raise `metrics.series_max`.",
    )
    .query(&ratio(&calls(), &limit), "calls")
    .query(
        &nearest(&tracked, exporter::TRACKED_OPERATIONS_LIMIT),
        "operations",
    )
    .query(&nearest(&series, exporter::SERIES_LIMIT), "series")
    .bounds(0, 1)
    .steps(&[(GOOD, None), (WARNING, Some(0.7)), (BAD, Some(0.9))])
    .decimals(1)
    .none("no limit")
    .sized(6, 8)
}

pub(super) fn per_operation() -> Panel {
    let tracked = sum(&all(exporter::TRACKED_OPERATIONS).raw());
    lines(
        "Calls for each tracked operation",
        "reqps",
        "The price of watching one operation. It should stay or fall while the fleet grows; if it climbs, \
         operations are short or intervals too eager.",
    )
    .query(&ratio(&calls(), &tracked), "calls")
    .lowest(0)
    .none("nothing is tracked")
    .sized(9, 8)
}

pub(super) fn waits() -> Panel {
    let wait = all(exporter::RATE_LIMITER_WAIT);
    lines(
        "Wait for the rate limit",
        "s",
        "How long calls wait for their turn. Seconds: the limit is too low for what is tracked.",
    )
    .query(&wait.quantile(0.5, &[], STEP), "median")
    .query(&wait.quantile(0.99, &[], STEP), "p99")
    .lowest(0)
    .none("no calls")
    .sized(9, 8)
}

pub(super) fn latency() -> Panel {
    heatmap(
        "Time of calls",
        "How long the cloud takes to answer. A second band that appears is a part of the cloud that is \
         slow.",
    )
    .buckets(&all(exporter::API_REQUEST_DURATION).buckets())
    .none("no calls")
    .sized(12, 8)
}

pub(super) fn latencies() -> Panel {
    lines(
        "Slowest calls by method (p99)",
        "s",
        "The 99th percentile of each method. Near the timeout that is configured, calls fail next: raise \
         it, or ask the cloud's support.",
    )
    .query(
        &all(exporter::API_REQUEST_DURATION).quantile(0.99, &["method"], STEP),
        "{{method}}",
    )
    .lowest(0)
    .none("no calls")
    .sized(12, 8)
}
