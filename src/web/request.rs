//! What a request asks for: ids and verbs of its path, parameters of its query, and its body.

use crate::cloud::IdempotencyKey;
use crate::limits::{
    API_BODY_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, LABEL_NAME_BYTES_MAX, LABELS_MAX, TEXT_BYTES_MAX,
};
use crate::model::{Labels, Text, TraceContext, is_label_name};
use crate::web::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

/// The last part of a path.
pub(super) type Segment = Result<Path<String>, PathRejection>;

/// A body as it arrived.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// What a caller attaches to what it puts under watch.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tracking {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

impl Tracking {
    /// The labels, each as it will be kept.
    pub(super) fn labels(&self) -> Result<Labels, Problem> {
        if self.labels.len() > LABELS_MAX {
            return Err(Problem::bad_request(format!(
                "labels are at most {LABELS_MAX}, not {}",
                self.labels.len()
            )));
        }
        let labels = self.labels.iter().map(|(name, value)| label(name, value));
        Ok(Arc::new(labels.collect::<Result<_, _>>()?))
    }

    /// Where the caller stands in its own trace.
    pub(super) fn trace_context(&self) -> Result<Option<TraceContext>, Problem> {
        let Some(header) = &self.traceparent else {
            return Ok(None);
        };
        let context = TraceContext::from_headers(header, self.tracestate.as_deref()).ok_or_else(|| {
            Problem::bad_request(
                "traceparent is 00-TRACE-SPAN-FLAGS with 32, 16 and 2 lower-case hexadecimal digits, no id all \
                 zero, as https://www.w3.org/TR/trace-context/ has it",
            )
        })?;
        Ok(Some(context))
    }
}

fn label(name: &str, value: &str) -> Result<(SmolStr, Text), Problem> {
    if !is_label_name(name) {
        return Err(Problem::bad_request(format!(
            "the name of a label has at most {LABEL_NAME_BYTES_MAX} letters, digits and underscores, without a \
             digit or two underscores first, unlike {:?}",
            Text::bounded(name)
        )));
    }
    if value.chars().count() > TEXT_BYTES_MAX {
        return Err(Problem::bad_request(format!(
            "the value of a label has at most {TEXT_BYTES_MAX} characters, unlike that of {name}"
        )));
    }
    Ok((SmolStr::new(name), Text::bounded(value)))
}

/// The id that a path ends with, with nothing behind it.
pub(super) fn id<T: FromStr<Err: Display>>(segment: Segment) -> Result<T, Problem> {
    let (id, verb) = split(segment)?;
    match verb.as_deref() {
        None => parsed(&id),
        Some("cancel") => Err(Problem::method_not_allowed(
            "an operation is cancelled by POST",
            Some("POST".to_owned()),
        )),
        Some(verb) => Err(no_verb(verb, "cancel")),
    }
}

/// The id that stands before this verb.
pub(super) fn id_before<T: FromStr<Err: Display>>(segment: Segment, wanted: &str) -> Result<T, Problem> {
    let (id, verb) = split(segment)?;
    match verb {
        Some(verb) if verb == wanted => parsed(&id),
        Some(verb) => Err(no_verb(&verb, wanted)),
        None if wanted == "cancel" => Err(Problem::method_not_allowed(
            "POST is for an id with :cancel behind it",
            Some("GET,HEAD,PUT,DELETE".to_owned()),
        )),
        None => Err(no_verb("", wanted)),
    }
}

fn no_verb(verb: &str, wanted: &str) -> Problem {
    let verb = Text::bounded(verb);
    Problem::not_found(format!("behind an id there may be :{wanted}, not {verb:?}"))
}

fn split(segment: Segment) -> Result<(String, Option<String>), Problem> {
    let Path(segment) = segment.map_err(|error| Problem::bad_request(error.body_text()))?;
    match segment.rsplit_once(':') {
        Some((id, verb)) => Ok((id.to_owned(), Some(verb.to_owned()))),
        None => Ok((segment, None)),
    }
}

fn parsed<T: FromStr<Err: Display>>(id: &str) -> Result<T, Problem> {
    id.parse()
        .map_err(|error| Problem::bad_request(format!("{error}")))
}

/// Names and values of a query, decoded.
pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|error| Problem::bad_request(error.body_text()))
}

/// Refuses a query where there is nothing to ask for.
pub(super) fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    match pairs(uri)?.first() {
        None => Ok(()),
        Some((name, _)) => Err(Problem::bad_request(format!(
            "this call has no parameters, such as {:?}",
            Text::bounded(name)
        ))),
    }
}

/// The header by which a call that is repeated is known.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What the caller calls this call, if it may come again.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut keys = headers.get_all(HeaderName::from_static("idempotency-key")).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = IdempotencyKey::from_header(key).filter(|_| keys.next().is_none());
    let refused = || {
        Problem::bad_request(format!(
            "{IDEMPOTENCY_KEY} is given once, as visible ASCII of at most {IDEMPOTENCY_KEY_BYTES_MAX} characters; a \
             new UUID does well"
        ))
    };
    key.map(Some).ok_or_else(refused)
}

/// A body as JSON; the default where there is none.
pub(super) fn json<T: DeserializeOwned + Default>(body: Body) -> Result<T, Problem> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has at most {API_BODY_BYTES_MAX} bytes"),
        ),
        _ => Problem::bad_request("the body did not arrive as a whole"),
    })?;
    if body.is_empty() {
        return Ok(T::default());
    }
    // An object first: what is derived would take a list of its fields too.
    let fields = serde_json::from_slice::<Map<String, Value>>(&body);
    let read = fields.and_then(|fields| serde_json::from_value(Value::Object(fields)));
    read.map_err(|error| {
        let error = error.to_string();
        Problem::bad_request(format!(
            "the body is not what it should be: {}; /api/v1/openapi.json tells its form",
            Text::bounded(&error)
        ))
    })
}
