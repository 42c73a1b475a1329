//! The operations under watch, as JSON.

use crate::limits::{API_PAGE_DEFAULT, API_PAGE_MAX};
use crate::model::{
    JobStatus, Kind, OperationId, OperationKey, ProjectId, State, Text, TrackedOperation, View,
};
use crate::web::operation_json;
use crate::web::problem::Problem;
use crate::web::request::{Segment, id, no_parameters, pairs};
use crate::web::routes::Shared;
use axum::Json;
use axum::extract::State as Extracted;
use axum::http::Uri;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of the list, as the refusal of any other names them.
const PARAMETERS: &str = "state, kind, project_id, status, limit and page_token";

/// What a list asks for; an empty parameter is one that was not given.
#[derive(Debug, Default, PartialEq)]
struct Query {
    state: Option<State>,
    kind: Option<Kind>,
    project_id: Option<ProjectId>,
    status: Option<JobStatus>,
    limit: Option<usize>,
    after: Option<OperationKey>,
}

/// Operations of one page, and whether there are more.
struct Page<'a> {
    rows: BTreeMap<OperationKey, &'a TrackedOperation>,
    has_more: bool,
}

/// `GET /api/v1/operations`: in the order in which they came under watch, so that what comes or leaves between
/// two pages moves no other operation to another page.
pub(super) async fn list(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::parse(&uri)?;
    let view = shared.context.views.view();
    let page = query.page(&view);
    let mut answer = Map::new();
    let last = page.rows.keys().next_back().filter(|_| page.has_more);
    if let Some(OperationKey(last)) = last {
        answer.insert("next_page_token".to_owned(), last.to_string().into());
    }
    let rows: Vec<Value> = page.rows.into_values().map(operation_json).collect();
    answer.insert("operations".to_owned(), rows.into());
    Ok(Json(Value::Object(answer)))
}

/// `GET /api/v1/operations/{id}`, by operation id, job id or alias.
pub(super) async fn get(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
) -> Result<Json<Value>, Problem> {
    let id: OperationId = id(segment)?;
    no_parameters(&uri)?;
    let view = shared.context.views.view();
    view.operations
        .find(id.as_str())
        .map(|row| Json(operation_json(row)))
        .ok_or_else(|| {
            Problem::not_found(format!(
                "nothing under watch has the operation id, job id or alias {id}"
            ))
        })
}

impl Query {
    fn parse(uri: &Uri) -> Result<Self, Problem> {
        let mut query = Self::default();
        let mut given: Vec<String> = Vec::new();
        for (name, value) in pairs(uri)? {
            if given.contains(&name) {
                return Err(Problem::bad_request(format!("{name} is given twice")));
            }
            query.set(&name, &value)?;
            given.push(name);
        }
        Ok(query)
    }

    /// Takes one parameter; the first that is unknown ends the parsing, so that few are ever remembered.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let value = (!value.is_empty()).then_some(value);
        match name {
            "state" => self.state = one_of(name, value, &State::ALL, State::label)?,
            "kind" => self.kind = one_of(name, value, &Kind::ALL, Kind::label)?,
            "status" => self.status = one_of(name, value, &JobStatus::ALL, JobStatus::label)?,
            "project_id" => {
                let parsed = value.map(str::parse).transpose();
                self.project_id =
                    parsed.map_err(|error| Problem::bad_request(format!("project_id: {error}")))?;
            }
            "limit" => {
                let allowed = format!("a number from 1 to {API_PAGE_MAX}");
                let in_range = |limit: &usize| (1..=API_PAGE_MAX).contains(limit);
                self.limit = checked(name, value, &allowed, |value| value.parse().ok().filter(in_range))?;
            }
            "page_token" => {
                let allowed = "the next_page_token of an answer before";
                self.after = checked(name, value, allowed, |value| value.parse().ok().map(OperationKey))?;
            }
            _ => {
                let name = Text::bounded(name);
                return Err(Problem::bad_request(format!(
                    "there is no parameter {name:?}; there are {PARAMETERS}"
                )));
            }
        }
        Ok(())
    }

    /// The first operations after the token; walks all of them and keeps no more than a page.
    fn page<'a>(&self, view: &'a View) -> Page<'a> {
        let limit = self.limit.unwrap_or(API_PAGE_DEFAULT);
        let mut rows: BTreeMap<OperationKey, &TrackedOperation> = BTreeMap::new();
        let mut has_more = false;
        for row in view.operations.iter().filter(|row| self.matches(row)) {
            if rows.len() == limit {
                has_more = true;
                if rows.keys().next_back().is_some_and(|last| *last < row.key) {
                    continue;
                }
                rows.pop_last();
            }
            rows.insert(row.key, row);
        }
        Page { rows, has_more }
    }

    fn matches(&self, row: &TrackedOperation) -> bool {
        self.after.is_none_or(|after| row.key > after)
            && self.state.is_none_or(|state| row.state == state)
            && self.kind.is_none_or(|kind| row.kind == kind)
            && self.status.is_none_or(|status| row.status == Some(status))
            && (self.project_id.is_none() || self.project_id == row.project_id)
    }
}

/// The one of `all` that the value names.
fn one_of<T: Copy>(
    name: &str,
    value: Option<&str>,
    all: &[T],
    label: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let labels: Vec<_> = all.iter().map(|known| label(*known)).collect();
    checked(name, value, &format!("one of {}", labels.join(", ")), |value| {
        all.iter().copied().find(|known| label(*known) == value)
    })
}

/// What a value means; a refusal that tells what it may be when it means nothing.
fn checked<T>(
    name: &str,
    value: Option<&str>,
    allowed: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    let parsed = parse(value).ok_or_else(|| {
        let value = Text::bounded(value);
        Problem::bad_request(format!("{name} is {allowed}, not {value:?}"))
    })?;
    Ok(Some(parsed))
}
