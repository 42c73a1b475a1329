//! How one series or one column looks: the properties of an override.

use serde_json::{Value, json};

/// A link that opens the page of the job in this row.
pub(crate) fn link_to_job() -> (&'static str, Value) {
    let url = concat!(
        "/d/datasphere-job?${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}",
        "&var-project=${__data.fields.project_id}&var-job_name=$__all&var-job_id=${__data.fields.job_id}",
    );
    ("links", json!([{ "title": "Open this job", "url": url }]))
}

/// A link that opens the job of this row in DataSphere itself.
pub(crate) fn link_to_datasphere() -> (&'static str, Value) {
    let url = concat!(
        "https://datasphere.yandex.cloud/communities/${__data.fields.community_id}",
        "/projects/${__data.fields.project_id}/job/${__data.fields.job_id}",
    );
    (
        "links",
        json!([{ "title": "Open in DataSphere", "url": url, "targetBlank": true }]),
    )
}

pub(crate) fn unit(unit: &str) -> (&'static str, Value) {
    ("unit", json!(unit))
}

pub(crate) fn mapped(mappings: Value) -> (&'static str, Value) {
    ("mappings", mappings)
}

pub(crate) fn coloured(kind: &str) -> (&'static str, Value) {
    ("custom.cellOptions", json!({ "type": kind }))
}

pub(crate) fn filled(least: i32, most: i32) -> [(&'static str, Value); 3] {
    [
        (
            "custom.cellOptions",
            json!({ "type": "gauge", "mode": "gradient" }),
        ),
        ("min", json!(least)),
        ("max", json!(most)),
    ]
}

pub(crate) fn bounds(steps: &[(&str, Option<f64>)]) -> (&'static str, Value) {
    let steps: Vec<Value> = steps
        .iter()
        .map(|(color, value)| json!({ "color": color, "value": value }))
        .collect();
    ("thresholds", json!({ "mode": "absolute", "steps": steps }))
}

/// What a cell without a value says.
pub(crate) fn blank(words: &str) -> (&'static str, Value) {
    ("noValue", json!(words))
}

/// The width of a column whose text is longer, or shorter, than a fair share of the table.
pub(crate) fn pixels(width: u32) -> (&'static str, Value) {
    ("custom.width", json!(width))
}

/// A column of words that begin at its left edge, also where their numbers would stand at the right.
pub(crate) fn from_the_left() -> (&'static str, Value) {
    ("custom.align", json!("left"))
}

/// A column that is not shown, for the links of its row.
pub(crate) fn hidden() -> (&'static str, Value) {
    ("custom.hidden", json!(true))
}

/// A line that the legend leaves out.
pub(crate) fn unlisted() -> (&'static str, Value) {
    (
        "custom.hideFrom",
        json!({ "legend": true, "tooltip": false, "viz": false }),
    )
}

/// A line without an area below it.
pub(crate) fn bare() -> (&'static str, Value) {
    ("custom.fillOpacity", json!(0))
}

pub(crate) fn colour(colour: &str) -> (&'static str, Value) {
    ("color", json!({ "mode": "fixed", "fixedColor": colour }))
}

pub(crate) fn dashed() -> (&'static str, Value) {
    ("custom.lineStyle", json!({ "fill": "dash", "dash": [10, 10] }))
}
