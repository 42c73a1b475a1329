//! The API in the words of `OpenAPI` 3.1, made from the table of its calls.

use crate::web::call::{Call, Content, Told};
use crate::web::problem::Problem;
use crate::web::request::no_parameters;
use crate::web::schema::{all, id, parameter, reference};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static TEXT: LazyLock<String> = LazyLock::new(document);

/// What stands in front of every call, by the web configuration: nobody who may is signed in, more come than are let
/// in, or more passwords than are checked.
const OF_ALL: &[u16] = &[401, 429, 503];

/// `GET /api/v1/openapi.json`.
pub(super) async fn answer(uri: Uri) -> Result<Response, Problem> {
    no_parameters(&uri)?;
    let media_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, media_type)], TEXT.as_str()).into_response())
}

/// The document, for `docs/openapi.json` too.
pub fn document() -> String {
    let mut paths: Map<String, Value> = Map::new();
    for call in Call::ALL {
        let told = call.told();
        let path = paths.entry(told.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(told.method.to_owned(), operation(&told));
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "datasphere-exporter",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Operations of Yandex DataSphere under watch",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        // With no users in the web configuration, everybody may call.
        "security": [{}, { "basic": [] }],
        "components": { "schemas": all(), "securitySchemes": { "basic": basic() } },
    });
    format!("{document:#}\n")
}

/// The table of calls in `docs/api.md`.
pub fn call_table() -> String {
    let rows = Call::ALL.map(|call| {
        let told = call.told();
        let needs = match told.setting {
            "" => String::new(),
            setting => format!("`{setting}` "),
        };
        let method = told.method.to_uppercase();
        format!("| `{method} {}` | {} | {needs}|\n", told.path, told.summary)
    });
    format!("| call | does | needs |\n|---|---|---|\n{}", rows.concat())
}

fn operation(told: &Told) -> Value {
    let mut parameters: Vec<Value> = told.parameters.iter().map(|name| parameter(name)).collect();
    if told.path.contains("{id}") {
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": id() }));
    }
    let mut operation = json!({
        "operationId": told.name,
        "summary": told.summary,
        "parameters": parameters,
        "responses": responses(told),
    });
    let Some(fields) = operation.as_object_mut() else {
        return operation;
    };
    if !told.setting.is_empty() {
        let description = format!("Needs `{}`.", told.setting);
        fields.insert("description".to_owned(), description.into());
    }
    if let Some(schema) = told.body {
        let body = json!({
            "required": told.is_body_required(),
            "content": { "application/json": { "schema": reference(schema) } },
        });
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

fn responses(told: &Told) -> Value {
    let mut responses = Map::new();
    for (status, description, content) in told.answers {
        let mut response = json!({ "description": description });
        let media = match content {
            Content::Nothing => None,
            Content::Json(schema) => Some(json!({ "application/json": { "schema": reference(schema) } })),
            Content::Stream => Some(stream()),
        };
        if let (Some(media), Some(response)) = (media, response.as_object_mut()) {
            response.insert("content".to_owned(), media);
        }
        responses.insert(status.to_string(), response);
    }
    for status in told.problems.iter().chain(OF_ALL) {
        let title = StatusCode::from_u16(*status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let response = json!({
            "description": title.unwrap_or_default(),
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn basic() -> Value {
    let description = "Where the web configuration has basic_auth_users: one of them";
    json!({ "type": "http", "scheme": "basic", "description": description })
}

fn stream() -> Value {
    let description = "Each event has an id, and as its data JSON of the schema Event. An event named reset says that \
        changes were missed: list the operations anew. An id without data tells a new reader where it stands. Comments \
        keep the connection open.";
    json!({ "text/event-stream": { "schema": { "type": "string", "description": description } } })
}
