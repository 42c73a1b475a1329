//! A panel: what it asks, what it says, and how it looks.

use crate::words::{BAD, QUIET};
use serde_json::{Map, Value, json};

mod kinds;
mod look;

pub(crate) use kinds::{bars, gauge, heatmap, lines, stacked, stacked_bars, stat, table, text, timeline};
pub(crate) use look::{
    bare, blank, bounds, colour, coloured, dashed, filled, from_the_left, hidden, link_to_datasphere,
    link_to_job, mapped, pixels, unit, unlisted,
};

/// Below every value that is shown.
const LOWEST: f64 = -1e12;

/// The data source that the reader chooses.
pub(crate) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// One panel of a dashboard, without its place.
pub(crate) struct Panel {
    body: Value,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Panel {
    fn new(kind: &str, title: &str, description: &str, (width, height): (u32, u32)) -> Self {
        let body = json!({
            "type": kind,
            "title": title,
            "description": description,
            "datasource": datasource(),
            "fieldConfig": { "defaults": { "custom": {}, "mappings": [] }, "overrides": [] },
            "options": {},
            "targets": [],
        });
        Self { body, width, height }
    }

    /// The panel as Grafana reads it, at its place.
    pub(crate) fn placed(self, id: u32, x: u32, y: u32) -> Value {
        let (width, height) = (self.width, self.height);
        let place = json!({ "x": x, "y": y, "w": width, "h": height });
        self.set("/id", json!(id)).set("/gridPos", place).body
    }

    /// Its size in columns and rows; a wide graph has its legend beside it, where all of it can be seen.
    pub(crate) fn sized(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        let is_wide_graph = width >= 12 && self.body["type"] == "timeseries";
        if is_wide_graph {
            return self.set("/options/legend/placement", json!("right"));
        }
        self
    }

    /// A query over the time shown.
    pub(crate) fn query(self, expression: &str, legend: &str) -> Self {
        self.target(expression, legend, &json!({ "range": true, "instant": false }))
    }

    /// A query whose exemplars are shown too.
    pub(crate) fn query_with_exemplars(self, expression: &str, legend: &str) -> Self {
        self.target(
            expression,
            legend,
            &json!({ "range": true, "instant": false, "exemplar": true }),
        )
    }

    /// A query at the end of the time shown.
    pub(crate) fn instant(self, expression: &str, legend: &str) -> Self {
        self.target(expression, legend, &json!({ "range": false, "instant": true }))
    }

    /// The rows of a table; the value's column is called `Value #` and the letter of the query.
    pub(crate) fn rows(self, expression: &str) -> Self {
        let how = json!({ "range": false, "instant": true, "format": "table" });
        self.target(expression, "", &how)
    }

    /// The buckets of a heatmap.
    pub(crate) fn buckets(self, expressions: &[String]) -> Self {
        let how = json!({ "range": true, "instant": false, "format": "heatmap", "exemplar": true });
        expressions
            .iter()
            .fold(self, |panel, expression| panel.target(expression, "{{le}}", &how))
    }

    fn target(mut self, expression: &str, legend: &str, how: &Value) -> Self {
        let Some(targets) = self.body.pointer_mut("/targets").and_then(Value::as_array_mut) else {
            return self;
        };
        let letter = ('A'..='Z').nth(targets.len()).unwrap_or('Z').to_string();
        let mut target = json!({
            "refId": letter,
            "datasource": datasource(),
            "editorMode": "code",
            "expr": expression,
            "legendFormat": legend,
        });
        merge(&mut target, how);
        targets.push(target);
        self
    }

    /// What is shown where there is nothing to show.
    pub(crate) fn none(self, words: &str) -> Self {
        self.set("/fieldConfig/defaults/noValue", json!(words))
    }

    fn unit(self, unit: &str) -> Self {
        self.set("/fieldConfig/defaults/unit", json!(unit))
    }

    pub(crate) fn decimals(self, decimals: u32) -> Self {
        self.set("/fieldConfig/defaults/decimals", json!(decimals))
    }

    pub(crate) fn lowest(self, least: i32) -> Self {
        self.set("/fieldConfig/defaults/min", json!(least))
    }

    pub(crate) fn bounds(self, least: i32, most: i32) -> Self {
        self.lowest(least).set("/fieldConfig/defaults/max", json!(most))
    }

    pub(crate) fn sparkline(self) -> Self {
        self.set("/options/graphMode", json!("area"))
    }

    pub(crate) fn background(self) -> Self {
        self.set("/options/colorMode", json!("background"))
    }

    /// A stat of several values, one below the other, each with its name.
    pub(crate) fn listed(self) -> Self {
        self.set("/options/orientation", json!("horizontal"))
            .set("/options/textMode", json!("value_and_name"))
            .set("/options/text", json!({ "titleSize": 12, "valueSize": 18 }))
    }

    /// A stat that shows a label instead of the number: the name of its series.
    pub(crate) fn names(self) -> Self {
        self.set("/options/textMode", json!("name"))
    }

    pub(crate) fn mappings(self, mappings: Value) -> Self {
        self.set("/fieldConfig/defaults/mappings", mappings)
    }

    /// Colours from each bound upwards, the first from below everything.
    ///
    /// Grafana gives the first to the words for no data too, and what is not known is not bad.
    pub(crate) fn steps(self, steps: &[(&str, Option<f64>)]) -> Self {
        let unknown = steps
            .first()
            .filter(|first| **first == (BAD, None))
            .map(|_| (QUIET, None));
        let steps: Vec<Value> = unknown
            .iter()
            .chain(steps)
            .enumerate()
            .map(|(index, (color, value))| json!({ "color": color, "value": value.or((index > 0).then_some(LOWEST)) }))
            .collect();
        self.set("/fieldConfig/defaults/color", json!({ "mode": "thresholds" }))
            .set(
                "/fieldConfig/defaults/thresholds",
                json!({ "mode": "absolute", "steps": steps }),
            )
    }

    /// Lines at the bounds of a graph, whose series keep their own colours.
    pub(crate) fn bound_lines(self, steps: &[(&str, Option<f64>)]) -> Self {
        self.steps(steps)
            .set(
                "/fieldConfig/defaults/color",
                json!({ "mode": "palette-classic" }),
            )
            .custom(&json!({ "thresholdsStyle": { "mode": "dashed" } }))
    }

    /// The axis reaches at least so far: without it, Grafana draws nothing but zeros on an axis up to 100.
    pub(crate) fn reaching(self, most: u32) -> Self {
        self.custom(&json!({ "axisSoftMax": most }))
    }

    /// How the series of one query look.
    pub(crate) fn series(self, name: &str, properties: &[(&str, Value)]) -> Self {
        self.matched(&json!({ "id": "byName", "options": name }), properties)
    }

    /// How the series of the query with this letter look.
    pub(crate) fn of_query(self, letter: &str, properties: &[(&str, Value)]) -> Self {
        self.matched(&json!({ "id": "byFrameRefID", "options": letter }), properties)
    }

    /// How the series look whose names match.
    pub(crate) fn series_like(self, pattern: &str, properties: &[(&str, Value)]) -> Self {
        self.matched(&json!({ "id": "byRegexp", "options": pattern }), properties)
    }

    /// A column of a table: its name, and how its values are read.
    pub(crate) fn column(self, field: &str, name: &str, properties: &[(&str, Value)]) -> Self {
        let named = ("displayName", json!(name));
        let all: Vec<(&str, Value)> = [named].into_iter().chain(properties.iter().cloned()).collect();
        self.matched(&json!({ "id": "byName", "options": field }), &all)
    }

    fn matched(mut self, matcher: &Value, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> = properties
            .iter()
            .map(|(id, value)| json!({ "id": id, "value": value }))
            .collect();
        if let Some(overrides) = self
            .body
            .pointer_mut("/fieldConfig/overrides")
            .and_then(Value::as_array_mut)
        {
            overrides.push(json!({ "matcher": matcher, "properties": properties }));
        }
        self
    }

    /// The columns of a table, in order; all others are hidden.
    pub(crate) fn order(mut self, fields: &[&str]) -> Self {
        let order: Map<String, Value> = fields
            .iter()
            .enumerate()
            .map(|(index, field)| ((*field).to_owned(), json!(index)))
            .collect();
        let keep = json!({ "id": "filterFieldsByName", "options": { "include": { "names": fields } } });
        let arrange = json!({ "id": "organize", "options": { "indexByName": order } });
        if let Some(steps) = self
            .body
            .pointer_mut("/transformations")
            .and_then(Value::as_array_mut)
        {
            steps.extend([keep, arrange]);
        }
        self
    }

    /// The column that a table is sorted by, greatest first.
    pub(crate) fn sorted_by(self, name: &str) -> Self {
        self.set("/options/sortBy", json!([{ "displayName": name, "desc": true }]))
    }

    fn options(mut self, options: &Value) -> Self {
        if let Some(own) = self.body.get_mut("options") {
            merge(own, options);
        }
        self
    }

    fn custom(mut self, custom: &Value) -> Self {
        if let Some(own) = self.body.pointer_mut("/fieldConfig/defaults/custom") {
            merge(own, custom);
        }
        self
    }

    /// Sets what stands at a JSON pointer whose parents exist.
    pub(crate) fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(parent) = self.body.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.insert(key.to_owned(), value);
        }
        self
    }
}

/// Lays the second object over the first, one level of objects inside included.
fn merge(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else {
        return;
    };
    for (key, value) in from {
        into.insert(key.clone(), value.clone());
    }
}
