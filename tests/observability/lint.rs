//! The rules that every committed dashboard keeps; each gives a reason, and none has an exception.

use crate::committed::read;
use serde_json::Value;

mod coverage;
mod pages;
mod panels;
mod queries;

/// A committed dashboard.
struct Page {
    name: String,
    body: Value,
}

/// A panel of a committed dashboard, with where it is.
struct Shown<'a> {
    place: String,
    body: &'a Value,
}

fn pages() -> Vec<Page> {
    let page = |(name, body)| Page { name, body };
    read().into_iter().map(page).collect()
}

impl Page {
    /// Its panels, titles of rows aside.
    fn panels(&self) -> Vec<Shown<'_>> {
        let place = |panel: &Value| format!("{}: {}", self.name, panel["title"]);
        list(&self.body, "/panels")
            .filter(|panel| panel["type"] != "row")
            .map(|body| Shown {
                place: place(body),
                body,
            })
            .collect()
    }

    fn variables(&self) -> impl Iterator<Item = &Value> {
        list(&self.body, "/templating/list")
    }
}

impl Shown<'_> {
    fn kind(&self) -> &str {
        text(self.body, "/type")
    }

    fn targets(&self) -> impl Iterator<Item = &Value> {
        list(self.body, "/targets")
    }
}

/// The entries of a list; none where there is no list.
fn list<'a>(body: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    body.pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A text; empty where there is none.
fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Ends the test with every fault, so that one run tells all.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
