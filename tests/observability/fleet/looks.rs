//! Alerts that fire: how many ask for somebody, and which.

use crate::panel::{Panel, bounds, coloured, mapped, pixels, stat, table, unit};
use crate::words::{self, BAD, DOUBTFUL, GOOD};
use serde_json::json;

/// Firing alerts of DataSphere whose severity matches; what is for information wants nobody.
fn firing_ones(severity: &str) -> String {
    format!(r#"ALERTS{{alertstate="firing",alertname=~"Datasphere.+",severity{severity}}}"#)
}

pub(super) fn alerts() -> Panel {
    let count = |severity: &str| {
        let alerts = firing_ones(&format!(r#"="{severity}""#));
        format!("(count({alerts}) or vector(0))")
    };
    stat(
        "Firing alerts",
        "short",
        "Alerts of DataSphere that fire now: critical ones want somebody at once, warnings wait for the \
         morning. Their table is below.",
    )
    .instant(&count("critical"), "critical")
    .instant(&count("warning"), "warning")
    .series("critical", &[bounds(&[(GOOD, None), (BAD, Some(1.0))])])
    .series("warning", &[bounds(&[(GOOD, None), (DOUBTFUL, Some(1.0))])])
    .none("0")
    .listed()
    .set(
        "/links",
        json!([{ "title": "Alerts", "url": "/alerting/list?search=Datasphere", "targetBlank": true }]),
    )
}

pub(super) fn firing() -> Panel {
    table(
        "Firing alerts by name",
        "What fires now, and for how many jobs, projects or exporters. Each has a runbook of its name in \
         docs/runbooks; begin with what is critical.",
    )
    .rows(&format!(
        "count by (alertname, severity) ({})",
        firing_ones(r#"=~"critical|warning""#)
    ))
    .order(&["alertname", "severity", "Value"])
    .column("alertname", "Alert", &[])
    .column(
        "severity",
        "Severity",
        &[mapped(words::severities()), coloured("color-text"), pixels(110)],
    )
    .column("Value", "Firing", &[unit("short"), pixels(90)])
    // "critical" comes before "warning" in the alphabet too.
    .set(
        "/options/sortBy",
        json!([{ "displayName": "Severity", "desc": false }, { "displayName": "Firing", "desc": true }]),
    )
    .none("nothing fires")
    .sized(12, 8)
}
