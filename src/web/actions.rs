//! What starts and ends work in the cloud, for whoever asks for just that.

use crate::clock::Timestamp;
use crate::cloud::{CloudError, Ending, Inputs};
use crate::limits::API_WORKS_MAX;
use crate::model::{
    Decoded, Input, JobId, Labels, OperationId, OperationSnapshot, Overheard, ProjectId, Sighting, Source,
    State, Target, TraceContext, TrackedOperation,
};
use crate::web::problem::Problem;
use crate::web::request::{Body, Segment, Tracking, id_before, idempotency_key, json, no_parameters};
use crate::web::routes::Shared;
use crate::web::tracking::{Tracked, found, pending, tracked};
use axum::extract::State as Extracted;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an operation is asked to end.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cancellation {
    graceful: bool,
}

/// Which notebook is run, and with what. Inputs may be secrets: there is no `Debug`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NotebookExecution {
    notebook: String,
    inputs: Map<String, Value>,
    labels: BTreeMap<String, String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
}

/// The cloud's own bound on the path of a notebook, in characters.
pub(super) const NOTEBOOK_CHARS_MAX: usize = 200;

/// `POST /api/v1/operations/{id}:cancel`.
pub(super) async fn cancel(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
    body: Body,
) -> Result<Response, Problem> {
    let id: OperationId = id_before(segment, "cancel")?;
    no_parameters(&uri)?;
    let Cancellation { graceful } = json(body)?;
    let view = shared.context.views.view();
    let row = view.operations.find(id.as_str()).cloned().ok_or_else(|| {
        Problem::not_found(format!(
            "only what is under watch is cancelled here, and {id} is not; PUT it first, or run `operation cancel {id}`, \
             which ends what was taken off the watch, too"
        ))
    })?;
    if row.state == State::Done {
        return Ok(found(StatusCode::OK, &row));
    }
    let ending = Arc::clone(&shared);
    to_the_end(&shared, async move { end(&ending, row, graceful).await }).await
}

/// `POST /api/v1/jobs/{id}:execute`.
pub(super) async fn execute_job(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: JobId = id_before(segment, "execute")?;
    no_parameters(&uri)?;
    let key = idempotency_key(&headers)?;
    let wishes = Wishes::of(&json(body)?)?;
    let starting = Arc::clone(&shared);
    let work = async move {
        let asked_at = starting.context.clock.now();
        let answer = starting.context.client.execute_job(&id, key).await;
        started(starting, wishes, asked_at, answer).await
    };
    to_the_end(&shared, work).await
}

/// `POST /api/v1/projects/{id}:execute`.
pub(super) async fn execute_notebook(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    segment: Segment,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: ProjectId = id_before(segment, "execute")?;
    no_parameters(&uri)?;
    let NotebookExecution {
        notebook,
        inputs,
        labels,
        traceparent,
        tracestate,
    } = json(body)?;
    if notebook.is_empty() || notebook.chars().count() > NOTEBOOK_CHARS_MAX {
        return Err(Problem::bad_request(format!(
            "notebook is the path of one in the project, of at most {NOTEBOOK_CHARS_MAX} characters"
        )));
    }
    let wishes = Wishes::of(&Tracking {
        labels,
        traceparent,
        tracestate,
    })?;
    let inputs = Inputs::from(inputs);
    let key = idempotency_key(&headers)?;
    let starting = Arc::clone(&shared);
    let work = async move {
        let asked_at = starting.context.clock.now();
        let client = &starting.context.client;
        let answer = client.execute_notebook(&id, &notebook, &inputs, key).await;
        started(starting, wishes, asked_at, answer).await
    };
    to_the_end(&shared, work).await
}

/// What is attached to what was started.
struct Wishes {
    labels: Labels,
    trace_context: Option<TraceContext>,
}

impl Wishes {
    fn of(tracking: &Tracking) -> Result<Self, Problem> {
        Ok(Self {
            labels: tracking.labels()?,
            trace_context: tracking.trace_context()?,
        })
    }
}

/// Does it all though the caller hangs up meanwhile: what was started has to be watched.
async fn to_the_end(
    shared: &Shared,
    work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let seat = Arc::clone(&shared.seats).try_acquire_owned().map_err(|_| {
        Problem::unavailable(format!(
            "{API_WORKS_MAX} calls that start or cancel are under way already; ask again in a while"
        ))
    })?;
    let seated = async move {
        let answer = work.await;
        drop(seat);
        answer
    };
    shared.works.spawn(seated).await.unwrap_or_else(|error| {
        if error.is_cancelled() {
            return Err(Problem::ending());
        }
        tracing::error!(%error, "a call was cut short; this is a defect of the exporter");
        Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the call was cut short; this is a defect of the exporter, please report it with the log",
        ))
    })
}

async fn end(shared: &Shared, row: Arc<TrackedOperation>, graceful: bool) -> Result<Response, Problem> {
    let by_operation = row.operation_id.clone().map(Target::Operation);
    let Some(target) = by_operation.or_else(|| row.job_id.clone().map(Target::Job)) else {
        return Ok(found(StatusCode::ACCEPTED, &row));
    };
    let ending = shared
        .context
        .client
        .cancel(&target, row.job_id.as_ref(), graceful);
    let Ending { is_asked, newest } = ending.await.map_err(|error| Problem::of_cloud(&error))?;
    let status = if is_asked {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let (Some((asked_at, answer)), Some(id)) = (newest, &row.operation_id) else {
        return Ok(found(status, &row));
    };
    let wishes = Wishes {
        labels: Labels::default(),
        trace_context: None,
    };
    // What cannot be shown in time was asked to end all the same.
    let shown = tracked(shared, id, overheard(sighting(id, wishes), asked_at, answer)).await;
    let row = match shown {
        Ok(Tracked::New(row) | Tracked::Known(row)) => row,
        Ok(Tracked::Pending | Tracked::Full) | Err(_) => Arc::clone(&row),
    };
    Ok(found(status, &row))
}

/// Has what was started watched; its id is told whatever becomes of that.
async fn started(
    shared: Arc<Shared>,
    wishes: Wishes,
    asked_at: Timestamp,
    answer: Result<Decoded<OperationSnapshot>, CloudError>,
) -> Result<Response, Problem> {
    let answer = answer.map_err(|error| {
        let problem = Problem::of_cloud(&error);
        if error.is_transient() {
            problem.and(
                "it may have been started all the same: ask again with the same Idempotency-Key, or look before",
            )
        } else {
            problem
        }
    })?;
    let id = answer.value.id.clone();
    let sighting = sighting(&id, wishes);
    let shown = tracked(&shared, &id, overheard(sighting.clone(), asked_at, answer)).await;
    if matches!(shown, Ok(Tracked::Full | Tracked::Pending)) {
        let insisting = Arc::clone(&shared);
        shared.works.spawn(async move {
            let inbox = || insisting.context.inbox.upgrade().ok();
            insisting.waiting.insist(sighting, inbox).await;
        });
    }
    match shown {
        Ok(Tracked::Full) => Ok(pending(&id, NO_ROOM)),
        Ok(shown) => shown.response(&id),
        Err(problem) => {
            let (operation_id, problem) = (id.as_str(), problem.detail());
            tracing::warn!(
                operation_id,
                problem,
                "an operation was started and is not watched"
            );
            let detail = format!("started, but it is not watched: {problem}");
            Ok(pending(&id, &detail))
        }
    }
}

const NO_ROOM: &str = "started, but there is no room to watch it yet: as many operations as watch.tracked_max allows \
     are under watch, and all of them run; it is tried again for an hour";

fn sighting(id: &OperationId, wishes: Wishes) -> Sighting {
    Sighting {
        target: Target::Operation(id.clone()),
        source: Source::Api,
        labels: wishes.labels,
        trace_context: wishes.trace_context,
    }
}

fn overheard(sighting: Sighting, asked_at: Timestamp, answer: Decoded<OperationSnapshot>) -> Input {
    Input::Overheard(Box::new(Overheard {
        sighting,
        asked_at,
        answer,
    }))
}
