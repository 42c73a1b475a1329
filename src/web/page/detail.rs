//! The page of one operation: all that the API tells of it, for people.

use crate::model::TrackedOperation;
use crate::web::operation_json;
use crate::web::page::{Scene, links, phases, projects, table, words};
use maud::{Markup, html};
use serde_json::Value;

/// All that is known of an operation.
pub(super) fn article(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    let project = scene.project(row).filter(|project| project.id.is_some());
    html! {
        nav .way aria-label="Way back" {
            a href=(scene.root) { "All operations" }
            @if let Some(project) = project {
                @if let Some(id) = &project.id { " › " a href={ (scene.root) "?project=" (id) } { bdi { (projects::name(project)) } } }
            }
        }
        article .operation aria-labelledby="name" {
            h2 #name tabindex="-1" { bdi { (words::name(row)) } }
            div .glance {
                div { @if row.outcome.is_some() { (table::outcome(row)) } @else { (table::standing(scene, row)) } }
                @if row.outcome.is_none() { div { (table::progress(scene, row)) } } @else { div .said { (table::said(row)) } }
                div .phases { (phases::timeline(row, scene.now)) }
                div .links { (links::of_operation(scene, row)) }
            }
            h3 { "All that is known" }
            (record(&operation_json(row)))
            p .more { a href={ (scene.root) "api/v1/operations/" (row.id()) } { "The same as JSON" } }
        }
    }
}

/// For an id that nothing has.
pub(super) fn absent() -> Markup {
    html! {
        article .operation {
            h2 { "No such operation" }
            p { "Nothing under watch has this operation id, job id or alias: it may have left after its retention, or was never named." }
            p { a href="../" { "All operations" } }
        }
    }
}

/// An object as a list of names and values; one within another is a list of its own.
fn record(value: &Value) -> Markup {
    html! {
        dl { @for (name, value) in value.as_object().into_iter().flatten() {
            div { dt { (name.replace('_', " ")) } dd { (told(value)) } }
        } }
    }
}

fn told(value: &Value) -> Markup {
    match value {
        Value::Object(_) => record(value),
        Value::Array(items) => html! { @for item in items { span { (told(item)) } " " } },
        Value::String(text) => html! { bdi { (text) } },
        Value::Null | Value::Bool(_) | Value::Number(_) => html! { (value.to_string()) },
    }
}
