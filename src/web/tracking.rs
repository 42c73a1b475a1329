//! Putting operations under watch, and taking them off it.

use crate::flow::InboxClosed;
use crate::limits::ADMISSION_TIME_MAX;
use crate::model::{Admission, Input, JobId, OperationId, Sighting, Source, Target, Text, TrackedOperation};
use crate::web::operation_json;
use crate::web::problem::Problem;
use crate::web::request::{Body, Segment, Tracking, id, json, no_parameters, pairs};
use crate::web::routes::Shared;
use axum::Json;
use axum::extract::State as Extracted;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

/// `PUT /api/v1/operations/{id}`: under watch from now on; labels and a caller are added to what was there.
pub(super) async fn track(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
    body: Body,
) -> Result<Response, Problem> {
    let id: OperationId = id(segment)?;
    let is_job = is_by_job(&uri)?;
    let tracking: Tracking = json(body)?;
    let target = match known(&shared, &id) {
        Some(target) => target,
        None if is_job => Target::Job(as_job(&id)?),
        None => Target::Operation(id.clone()),
    };
    let sighting = Sighting {
        target,
        source: Source::Api,
        labels: tracking.labels()?,
        trace_context: tracking.trace_context()?,
    };
    let tracked = tracked(&shared, &id, Input::Sighted(sighting)).await?;
    tracked.response(&id)
}

/// `DELETE /api/v1/operations/{id}`.
pub(super) async fn untrack(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
) -> Result<Response, Problem> {
    let id: OperationId = id(segment)?;
    no_parameters(&uri)?;
    let target = known(&shared, &id);
    // What was dismissed or ended before is remembered by both of its ids, of which this may be either.
    let targets = match target {
        Some(target) => vec![target],
        None => vec![Target::Operation(id.clone()), Target::Job(as_job(&id)?)],
    };
    for target in targets {
        match admitted(&shared, Input::Dismissed(target)).await? {
            Some(Admission::Known | Admission::Gone | Admission::New) => {
                return Ok(StatusCode::NO_CONTENT.into_response());
            }
            Some(Admission::Absent | Admission::Full) => {}
            None => return Ok(pending(&id, PENDING)),
        }
    }
    Err(Problem::not_found(format!("{id} is not and was not under watch")))
}

/// What became of something that was to be put under watch, once that is kept and shown.
#[derive(Debug)]
pub(super) enum Tracked {
    New(Arc<TrackedOperation>),
    Known(Arc<TrackedOperation>),
    /// Not kept and shown in time.
    Pending,
    /// There is no room.
    Full,
}

impl Tracked {
    pub(super) fn response(&self, id: &OperationId) -> Result<Response, Problem> {
        match self {
            Self::New(row) => Ok(found(StatusCode::CREATED, row)),
            Self::Known(row) => Ok(found(StatusCode::OK, row)),
            Self::Pending => Ok(pending(id, PENDING)),
            Self::Full => Err(Problem::unavailable(
                "as many operations as watch.tracked_max allows are under watch, and all of them run",
            )),
        }
    }
}

/// Has something put under watch.
pub(super) async fn tracked(shared: &Shared, id: &OperationId, input: Input) -> Result<Tracked, Problem> {
    let admission = admitted(shared, input).await?;
    let view = shared.context.views.view();
    let row = || view.operations.find(id.as_str()).cloned();
    match admission {
        Some(Admission::New) => Ok(row().map_or(Tracked::Pending, Tracked::New)),
        Some(Admission::Known) => Ok(row().map_or(Tracked::Pending, Tracked::Known)),
        Some(Admission::Gone) => Err(Problem::new(
            StatusCode::GONE,
            format!("{id} was followed to its end or was taken off the watch, and is not watched again"),
        )),
        Some(Admission::Full) => Ok(Tracked::Full),
        Some(Admission::Absent) | None => Ok(Tracked::Pending),
    }
}

/// The store is slow, or the engine is busy: what was asked for will happen all the same.
const PENDING: &str = "taken in, but not kept and shown yet; ask for the operation in a while";

/// An operation as the whole of an answer.
pub(super) fn found(status: StatusCode, row: &TrackedOperation) -> Response {
    let mut response = (status, Json(operation_json(row))).into_response();
    if status == StatusCode::CREATED {
        let id = row.operation_id.as_ref().map(OperationId::as_str);
        let id = id.or(row.job_id.as_ref().map(JobId::as_str)).unwrap_or_default();
        if let Ok(location) = format!("/api/v1/operations/{id}").try_into() {
            response.headers_mut().insert(header::LOCATION, location);
        }
    }
    response
}

/// The id of what is not shown, and why.
pub(super) fn pending(id: &OperationId, detail: &str) -> Response {
    let body = json!({ "id": id.as_str(), "detail": detail });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// What became of an input; `None` when that is not told in time.
async fn admitted(shared: &Shared, input: Input) -> Result<Option<Admission>, Problem> {
    let told = async {
        // The inbox is let go of before the wait, which must not keep the engine from ending.
        let inbox = shared.context.inbox.upgrade()?;
        let receipt = inbox.deliver(input).await?;
        drop(inbox);
        Ok::<_, InboxClosed>(receipt.told().await)
    };
    match tokio::time::timeout(ADMISSION_TIME_MAX, told).await {
        Ok(Ok(Some(admission))) => Ok(Some(admission)),
        Ok(Ok(None) | Err(_)) => Err(Problem::ending()),
        Err(_) => Ok(None),
    }
}

/// What the operation of this id, job id or alias is known by, if it is under watch.
fn known(shared: &Shared, id: &OperationId) -> Option<Target> {
    let view = shared.context.views.view();
    let row = view.operations.find(id.as_str())?;
    let by_operation = row.operation_id.clone().map(Target::Operation);
    by_operation.or_else(|| row.job_id.clone().map(Target::Job))
}

/// Whether an id that is not known yet is said to be a job's.
fn is_by_job(uri: &Uri) -> Result<bool, Problem> {
    match pairs(uri)?.as_slice() {
        [] => Ok(false),
        [(name, value)] if name == "by" && value == "operation" => Ok(false),
        [(name, value)] if name == "by" && value == "job" => Ok(true),
        [(name, value), ..] => Err(Problem::bad_request(format!(
            "there is one parameter, by=operation or by=job, unlike {:?}",
            Text::bounded(&format!("{name}={value}"))
        ))),
    }
}

fn as_job(id: &OperationId) -> Result<JobId, Problem> {
    id.as_str()
        .parse()
        .map_err(|error| Problem::bad_request(format!("{error}")))
}
