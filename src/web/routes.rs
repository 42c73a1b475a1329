//! Which path leads where, and what every answer has in common.

use crate::catalogue::{Instruments, exporter};
use crate::clock::Clock;
use crate::flow::{Throttle, WaitingRoom};
use crate::limits::API_WORKS_MAX;
use crate::web::events::Streams;
use crate::web::guard::Guard;
use crate::web::problem::Problem;
use crate::web::protection::{self, Protected};
use crate::web::rate::Bucket;
use crate::web::scrape::{self, Scrapes};
use crate::web::users::SignIn;
use crate::web::{Context, Links, Settings, WebError, call, lifecycle, page};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every answer is made from.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) context: Context,
    pub(super) telemetry_path: String,
    pub(super) links: Links,
    pub(super) scrapes: Scrapes,
    pub(super) process_start_time: HeaderValue,
    pub(super) protected: Protected,
    pub(super) sign_in: SignIn,
    pub(super) bucket: Bucket,
    pub(super) guard: Guard,
    pub(super) streams: Streams,
    /// Calls that go on though their caller hung up.
    pub(super) works: TaskTracker,
    /// Room for those.
    pub(super) seats: Arc<Semaphore>,
    /// What those began and the watcher has no room for.
    pub(super) waiting: WaitingRoom,
    pub(super) throttle: Throttle,
}

impl Shared {
    /// Answers without an end do end with `stop`.
    pub(super) fn new(settings: Settings, context: Context, stop: CancellationToken) -> Self {
        let run = context.clock.now().millis().to_string();
        Self {
            process_start_time: process_start_time(&context.instruments, context.clock),
            scrapes: Scrapes::at_most(settings.max_requests),
            protected: Protected::default(),
            sign_in: SignIn::default(),
            bucket: Bucket::default(),
            guard: Guard::new(&settings),
            waiting: WaitingRoom::new(context.clock, stop.clone()),
            streams: Streams::new(run, stop),
            works: TaskTracker::new(),
            seats: Arc::new(Semaphore::new(API_WORKS_MAX)),
            throttle: Throttle::default(),
            telemetry_path: settings.telemetry_path,
            links: settings.links,
            context,
        }
    }
}

/// First parts of paths that are taken.
const TAKEN: [&str; 7] = ["-", "api", "assets", "operations", "healthz", "livez", "readyz"];

/// The label `handler` of requests that lead nowhere.
const OTHER: &str = "(other)";

/// Refuses a telemetry path that is not a plain path or hides another.
pub(super) fn check_telemetry_path(path: &str) -> Result<(), WebError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let reason = if !path.starts_with('/') {
        "it has to begin with /"
    } else if !path.chars().all(is_plain) {
        "it may have letters, digits and / - _ . ~ only"
    } else if path.split('/').nth(1).is_some_and(|first| TAKEN.contains(&first)) {
        "health, the API and the pages live there"
    } else {
        return Ok(());
    };
    Err(WebError::TelemetryPath {
        path: path.to_owned(),
        reason,
    })
}

/// The whole of the server, ready to answer.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let telemetry_path = &shared.telemetry_path;
    let mut router = Router::new()
        .route(telemetry_path, get(scrape::answer))
        .route("/-/healthy", get(healthy))
        .route("/healthz", get(healthy))
        .route("/livez", get(healthy))
        .route("/-/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/assets/{name}", get(page::asset))
        .route("/operations/{id}", get(page::operation));
    if telemetry_path != "/" {
        router = router.route("/", get(page::overview));
    }
    router
        .merge(call::router(&shared))
        .merge(lifecycle::router(&shared))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&shared), protection::protected))
        .layer(from_fn_with_state(Arc::clone(&shared), seen))
        .layer(middleware::map_response(guarded))
        .with_state(shared)
}

/// Alive: this much is true whenever it is told.
async fn healthy() -> &'static str {
    "The exporter is healthy.\n"
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let readiness = &shared.context.readiness;
    let reason = if readiness.is_stopping() {
        "The exporter is shutting down.\n"
    } else if readiness.is_ready() {
        return "The exporter is ready.\n".into_response();
    } else {
        "The exporter is not ready: what it watches was not looked at for the first time yet.\n"
    };
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

async fn not_found(uri: Uri) -> Response {
    if is_api(&uri) {
        let allowed = call::paths();
        return Problem::not_found(format!("nothing is here; the API has {allowed}")).into_response();
    }
    (StatusCode::NOT_FOUND, "Nothing is here; / tells what there is.\n").into_response()
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    if is_api(&uri) {
        let text = format!("{method} is not allowed here; the header Allow tells what is");
        return Problem::method_not_allowed(text, call::methods(uri.path())).into_response();
    }
    let allowed = if lifecycle::is_at(uri.path()) {
        "POST and PUT"
    } else {
        "GET and HEAD"
    };
    let text = format!("{method} is not allowed here; {allowed} are");
    (StatusCode::METHOD_NOT_ALLOWED, format!("{text}.\n")).into_response()
}

fn is_api(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}

/// Counts a request under the route it took: paths come from strangers, routes from us.
async fn seen(
    State(shared): State<Arc<Shared>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let handler = route.as_ref().map_or(OTHER, MatchedPath::as_str);
    shared
        .context
        .instruments
        .http_requests_total
        .with_label_values(&[handler, response.status().as_str()])
        .inc();
    response
}

/// No answer is worth keeping unless it says so, and none is anything but what its type says.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// When the process started, in unix seconds, as `Process-Start-Time-Unix` tells it to scrapers that date counters
/// by it; where the system does not tell, when the server was made.
fn process_start_time(instruments: &Instruments, clock: Clock) -> HeaderValue {
    let gathered = instruments.registry().gather();
    let family = gathered
        .iter()
        .find(|family| family.name() == exporter::PROCESS_START_TIME.name);
    let told = family
        .and_then(|family| family.get_metric().first())
        .map(|metric| metric.get_gauge().get_value());
    let seconds = told.unwrap_or_else(|| clock.now().seconds_f64()).floor();
    HeaderValue::try_from(format!("{seconds:.0}")).unwrap_or(HeaderValue::from_static("0"))
}
