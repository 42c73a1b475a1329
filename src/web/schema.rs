//! The forms of what the API takes and gives, as JSON Schema.

use crate::limits::{
    API_PAGE_DEFAULT, API_PAGE_MAX, ID_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, LABELS_MAX, TEXT_BYTES_MAX,
    TRACE_STATE_CHARS_MAX, TRACE_STATE_MEMBERS_MAX,
};
use crate::model::{
    Change, Departure, JobStatus, Kind, NotebookStatus, OutcomeKind, RpcCode, Source, State, Unreadable,
};
use crate::web::actions::NOTEBOOK_CHARS_MAX;
use crate::web::request::IDEMPOTENCY_KEY;
use serde_json::{Map, Value, json};

/// What a reference to a schema begins with.
const SCHEMAS: &str = "#/components/schemas/";

/// A reference to one of [`all`].
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

/// Every schema, by name.
pub(super) fn all() -> Value {
    json!({
        "Operation": operation(),
        "OperationPage": page(),
        "Tracking": tracking(),
        "Cancellation": cancellation(),
        "NotebookExecution": notebook_execution(),
        "Pending": pending(),
        "Event": event(),
        "Problem": problem(),
        "Document": { "type": "object", "description": "OpenAPI 3.1", "required": ["openapi", "paths"] },
    })
}

/// A parameter of a query, or a header, by its name.
pub(super) fn parameter(name: &str) -> Value {
    let (place, schema, description) = match name {
        "state" => ("query", one_of(State::ALL.map(State::label)), "How far they are"),
        "kind" => ("query", one_of(Kind::ALL.map(Kind::label)), "What they execute"),
        "status" => (
            "query",
            one_of(JobStatus::ALL.map(JobStatus::label)),
            "The status of a job",
        ),
        "project_id" => ("query", id(), "Their project"),
        "limit" => (
            "query",
            json!({ "type": "integer", "minimum": 1, "maximum": API_PAGE_MAX, "default": API_PAGE_DEFAULT }),
            "Operations on a page",
        ),
        "page_token" => (
            "query",
            json!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,17})$" }),
            "The next_page_token of the page before",
        ),
        "by" => (
            "query",
            json!({ "type": "string", "enum": ["operation", "job"], "default": "operation" }),
            "Whose id it is, where nothing under watch has it yet",
        ),
        IDEMPOTENCY_KEY => (
            "header",
            json!({ "type": "string", "pattern": format!("^[!-~]{{1,{IDEMPOTENCY_KEY_BYTES_MAX}}}$") }),
            "A name for this call, such as a new UUID: whoever repeats it with the same one starts nothing twice",
        ),
        _ => (
            "header",
            json!({ "type": "string", "pattern": "^[0-9]{1,19}-[0-9]{1,18}$" }),
            "The id of the last event that was seen",
        ),
    };
    let schema = if matches!(name, "by" | IDEMPOTENCY_KEY | "Last-Event-ID") {
        schema
    } else {
        // Of a list, an empty parameter is one that was not given.
        json!({ "anyOf": [schema, { "const": "" }] })
    };
    json!({ "name": name, "in": place, "required": false, "schema": schema, "description": description })
}

/// An id, as the cloud writes it.
pub(super) fn id() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{}}}$", ID_BYTES_MAX - 1),
    })
}

fn operation() -> Value {
    let (time, seconds, text) = (time(), seconds(), json!({ "type": "string" }));
    let int64 = json!({ "type": "string", "pattern": "^-?[0-9]{1,20}$", "description": "A 64-bit integer" });
    let statuses = JobStatus::ALL.map(JobStatus::label);
    let status = one_of(statuses);
    let mut properties = json!({
        "operation_id": id(), "job_id": id(), "project_id": id(), "parent_job_id": id(),
        "kind": one_of(Kind::ALL.map(Kind::label)),
        "source": one_of(Source::ALL.map(Source::label)),
        "attempt": { "type": "integer", "minimum": 1 },
        "observed": { "type": "boolean", "description": "Whether the cloud has told of it" },
        "state": one_of(State::ALL.map(State::label)),
        "status": status,
        "status_boundary": {
            "enum": ["first_seen", "observed", "modified", "reported"],
            "description": "How well status_since is known",
        },
        "status_duration_seconds": {
            "type": "object", "propertyNames": { "enum": statuses.as_slice() }, "additionalProperties": seconds,
        },
        "unreadable_reason": {
            "enum": Unreadable::ALL.map(Unreadable::label),
            "description": "How the cloud refuses to tell of it, since unreadable_since; absent while it tells",
        },
        "notebook_status": one_of(NotebookStatus::ALL.map(NotebookStatus::label)),
        "outcome": one_of(OutcomeKind::ALL.map(OutcomeKind::label)),
        "duration_seconds": seconds, "run_duration_seconds": seconds,
        "progress": object(&["percent"], json!({
            "percent": { "type": "integer", "minimum": 0, "maximum": 100 },
            "message": text, "created_at": time,
        })),
        "return_code": int64, "data_size_bytes": int64,
        "output_errors": { "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } },
        "execution_status": text,
        "error": object(&["code"], json!({
            "code": { "enum": (0..=16).filter_map(RpcCode::from_number).map(RpcCode::name).collect::<Vec<_>>() },
            "message": text, "reason": text,
        })),
        "name": text, "job_name": text, "instance_type": text, "created_by": text, "notebook_id": text,
        "description": text, "status_details": text, "metadata_type": text,
        "labels": { "type": "object", "additionalProperties": text },
        "aliases": { "type": "array", "items": id(), "description": "Further operation ids of the same execution" },
    });
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(TIMES.map(|name| (name.to_owned(), time.clone())));
    }
    let required = ["source", "attempt", "observed", "tracked_at", "state"];
    object(&required, properties)
}

/// Times of an operation.
const TIMES: [&str; 12] = [
    "unreadable_since",
    "tracked_at",
    "polled_at",
    "status_since",
    "ended_at",
    "progress_changed_at",
    "operation_created_at",
    "modified_at",
    "job_created_at",
    "started_at",
    "finished_at",
    "data_expires_at",
];

fn page() -> Value {
    let operations = json!({ "type": "array", "maxItems": API_PAGE_MAX, "items": reference("Operation") });
    let token = json!({ "type": "string", "description": "For the next page; absent on the last" });
    object(
        &["operations"],
        json!({ "operations": operations, "next_page_token": token }),
    )
}

fn tracking() -> Value {
    let properties = json!({ "labels": labels(), "traceparent": traceparent(), "tracestate": tracestate() });
    object(&[], properties)
}

fn cancellation() -> Value {
    let description = "Whether a job is sent its own signal first, where it has one";
    let graceful = json!({ "type": "boolean", "default": false, "description": description });
    object(&[], json!({ "graceful": graceful }))
}

fn notebook_execution() -> Value {
    let properties = json!({
        "notebook": {
            "type": "string", "minLength": 1, "maxLength": NOTEBOOK_CHARS_MAX,
            "description": "Its path in the project",
        },
        "inputs": { "type": "object", "description": "Values for its variables, by name; never shown nor logged" },
        "labels": labels(),
        "traceparent": traceparent(),
        "tracestate": tracestate(),
    });
    object(&["notebook"], properties)
}

fn labels() -> Value {
    let description = format!(
        "Added to those that it has; metrics.labels names those that metrics show. Of a value, {TEXT_BYTES_MAX} bytes \
         are kept"
    );
    json!({
        "type": "object",
        "maxProperties": LABELS_MAX,
        "propertyNames": { "type": "string", "pattern": "^([a-zA-Z]|_(?!_))[a-zA-Z0-9_]{0,63}$" },
        "additionalProperties": { "type": "string", "maxLength": TEXT_BYTES_MAX },
        "description": description,
    })
}

fn traceparent() -> Value {
    json!({
        "type": ["string", "null"],
        "pattern": "^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "Where the caller stands in its own trace, after W3C Trace Context: the parent of the \
            operation's root, or a link of it when that was told already",
    })
}

fn tracestate() -> Value {
    let description = format!(
        "What the caller passes on along with traceparent. One that is not valid, or has more than          {TRACE_STATE_MEMBERS_MAX} members or {TRACE_STATE_CHARS_MAX} characters, is dropped, as is one without          traceparent"
    );
    json!({ "type": ["string", "null"], "description": description })
}

fn pending() -> Value {
    object(
        &["id", "detail"],
        json!({ "id": id(), "detail": { "type": "string" } }),
    )
}

fn event() -> Value {
    let seen = "What Last-Event-ID takes";
    let changes = Change::WORDS;
    let reasons = Departure::ALL.map(Departure::label);
    let reason = json!({ "enum": reasons, "description": "Why it left" });
    let properties = json!({
        "id": { "type": "string", "description": seen },
        "at": time(),
        "change": { "enum": changes },
        "reason": reason,
        "operation": reference("Operation"),
    });
    object(&["id", "at", "change", "operation"], properties)
}

/// RFC 9457.
fn problem() -> Value {
    let properties = json!({
        "type": { "type": "string" },
        "title": { "type": "string" },
        "status": { "type": "integer" },
        "detail": { "type": "string", "description": "What happened, and what to do" },
        "cloud_code": { "type": "string", "description": "The gRPC code, where the cloud refused" },
    });
    object(&["type", "title", "status", "detail"], properties)
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn seconds() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

fn one_of<const N: usize>(words: [&str; N]) -> Value {
    json!({ "type": "string", "enum": words.as_slice() })
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("properties".to_owned(), properties);
    schema.insert("additionalProperties".to_owned(), false.into());
    Value::Object(schema)
}
