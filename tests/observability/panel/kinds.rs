//! The kinds of panels of Grafana's core, as each looks everywhere.

use crate::panel::{Panel, blank};
use serde_json::{Value, json};

/// A number above its history.
pub(crate) fn stat(title: &str, unit: &str, description: &str) -> Panel {
    let options = json!({
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "textMode": "auto",
    });
    Panel::new("stat", title, description, (3, 4))
        .unit(unit)
        .options(&options)
        .steps(&[("blue", None)])
}

/// A share of a whole.
pub(crate) fn gauge(title: &str, description: &str) -> Panel {
    let options = json!({
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "showThresholdLabels": false,
        "showThresholdMarkers": false,
    });
    Panel::new("gauge", title, description, (3, 4))
        .unit("percentunit")
        .bounds(0, 1)
        .options(&options)
        .steps(&[("blue", None)])
}

/// Bars side by side, one for each series.
pub(crate) fn bars(title: &str, unit: &str, description: &str) -> Panel {
    let options = json!({
        "displayMode": "gradient",
        "maxVizHeight": 40,
        "minVizHeight": 16,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "showUnfilled": true,
        "sizing": "manual",
        "valueMode": "color",
    });
    Panel::new("bargauge", title, description, (8, 8))
        .unit(unit)
        .lowest(0)
        .options(&options)
        .steps(&[("blue", None)])
}

/// Lines over time.
pub(crate) fn lines(title: &str, unit: &str, description: &str) -> Panel {
    let options = json!({
        "legend": {
            "calcs": ["lastNotNull", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": true,
            "sortBy": "Max",
            "sortDesc": true,
        },
        "tooltip": { "mode": "multi", "sort": "desc" },
    });
    let custom = json!({ "drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "auto", "spanNulls": false });
    Panel::new("timeseries", title, description, (8, 8))
        .unit(unit)
        .options(&options)
        .custom(&custom)
}

/// Amounts for each step of time, one upon the other.
pub(crate) fn stacked_bars(title: &str, unit: &str, description: &str) -> Panel {
    let custom = json!({
        "drawStyle": "bars",
        "fillOpacity": 80,
        "lineWidth": 0,
        "stacking": { "mode": "normal", "group": "A" },
    });
    lines(title, unit, description)
        .lowest(0)
        .custom(&custom)
        .decimals(0)
        .reaching(1)
        // Windows overlap by a scrape and reach beyond the axis: their sum would be another truth than the counts.
        .set(
            "/options/legend",
            json!({ "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true }),
        )
        .set("/interval", json!("5m"))
        .set("/maxDataPoints", json!(100))
}

/// Areas over time, one upon the other.
pub(crate) fn stacked(title: &str, unit: &str, description: &str) -> Panel {
    let custom = json!({ "fillOpacity": 60, "lineWidth": 0, "stacking": { "mode": "normal", "group": "A" } });
    lines(title, unit, description).lowest(0).custom(&custom)
}

/// How observations spread, over time.
pub(crate) fn heatmap(title: &str, description: &str) -> Panel {
    let options = json!({
        "calculate": false,
        "cellGap": 1,
        "color": { "mode": "scheme", "scheme": "Oranges", "scale": "exponential", "exponent": 0.5, "steps": 64 },
        "exemplars": { "color": "rgba(31, 96, 196, 0.9)" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "tooltip": { "mode": "single", "showColorScale": true, "yHistogram": true },
        "yAxis": { "axisPlacement": "left", "unit": "s" },
    });
    Panel::new("heatmap", title, description, (12, 9))
        .unit("s")
        .options(&options)
        .set("/interval", json!("2m"))
        .set("/maxDataPoints", json!(120))
}

/// States that follow one another, a row for each series.
pub(crate) fn timeline(title: &str, mappings: Value, description: &str) -> Panel {
    let options = json!({
        "alignValue": "left",
        "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
        "mergeValues": true,
        "perPage": 20,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": { "mode": "single", "sort": "none" },
    });
    Panel::new("state-timeline", title, description, (16, 10))
        .unit("none")
        .options(&options)
        .custom(&json!({ "fillOpacity": 80, "lineWidth": 0, "spanNulls": false }))
        .steps(&[("#8e8e8e", None)])
        .mappings(mappings)
        .set("/maxDataPoints", json!(300))
}

/// Rows with columns; what each column is called and how it is read follows with [`Panel::column`].
pub(crate) fn table(title: &str, description: &str) -> Panel {
    Panel::new("table", title, description, (24, 8))
        .unit("short")
        .options(&json!({ "cellHeight": "sm", "footer": { "show": false }, "showHeader": true }))
        .custom(&json!({ "align": "auto", "filterable": true, "minWidth": 80 }))
        .series_like("/.*/", &[blank("–")])
        .set("/transformations", json!([{ "id": "merge", "options": {} }]))
}

/// Words, for what no number tells.
pub(crate) fn text(title: &str, markdown: &str) -> Panel {
    let mut panel = Panel::new("text", title, title, (24, 4));
    if let Some(body) = panel.body.as_object_mut() {
        for unneeded in ["datasource", "fieldConfig", "targets"] {
            body.remove(unneeded);
        }
    }
    panel.options(&json!({ "mode": "markdown", "content": markdown }))
}
