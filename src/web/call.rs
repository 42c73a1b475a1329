//! The calls of the API: the one table that the router and the documents are made from.

use crate::limits::API_BODY_BYTES_MAX;
use crate::web::request::IDEMPOTENCY_KEY;
use crate::web::routes::Shared;
use crate::web::{actions, events, guard, openapi, operations, tracking};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};
use std::sync::Arc;

/// Everything that the API can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    List,
    Get,
    Track,
    Untrack,
    Cancel,
    ExecuteJob,
    ExecuteNotebook,
    Events,
    Document,
}

/// What the documents tell of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) method: &'static str,
    /// With the verb of a custom method behind the id.
    pub(super) path: &'static str,
    /// The name that generated clients give it.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The setting that lets it happen; empty for what only reads.
    pub(super) setting: &'static str,
    /// Parameters of the query, and headers.
    pub(super) parameters: &'static [&'static str],
    /// The schema of its body, see [`Told::is_body_required`].
    pub(super) body: Option<&'static str>,
    pub(super) answers: &'static [(u16, &'static str, Content)],
    pub(super) problems: &'static [u16],
}

/// What an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// JSON of a schema.
    Json(&'static str),
    /// A stream of events.
    Stream,
}

use Content::{Json, Nothing, Stream};

/// What a call that puts something under watch may be answered with.
const TRACKED: &[(u16, &str, Content)] = &[
    (200, "It was under watch already", Json("Operation")),
    (201, "It is under watch from now on", Json("Operation")),
    (
        202,
        "Taken in, but not kept and shown in time; or started, but it is not watched",
        Json("Pending"),
    ),
];

impl Told {
    /// Whether the call says nothing without a body.
    pub(super) fn is_body_required(&self) -> bool {
        self.body == Some("NotebookExecution")
    }
}

impl Call {
    pub(super) const ALL: [Self; 9] = [
        Self::List,
        Self::Get,
        Self::Track,
        Self::Untrack,
        Self::Cancel,
        Self::ExecuteJob,
        Self::ExecuteNotebook,
        Self::Events,
        Self::Document,
    ];

    fn handler(self) -> MethodRouter<Arc<Shared>> {
        match self {
            Self::List => get(operations::list),
            Self::Get => get(operations::get),
            Self::Track => put(tracking::track),
            Self::Untrack => delete(tracking::untrack),
            Self::Cancel => post(actions::cancel),
            Self::ExecuteJob => post(actions::execute_job),
            Self::ExecuteNotebook => post(actions::execute_notebook),
            Self::Events => get(events::stream),
            Self::Document => get(openapi::answer),
        }
    }

    pub(super) fn told(self) -> Told {
        match self {
            Self::List => LIST,
            Self::Get => GET,
            Self::Track => TRACK,
            Self::Untrack => UNTRACK,
            Self::Cancel => CANCEL,
            Self::ExecuteJob => EXECUTE_JOB,
            Self::ExecuteNotebook => EXECUTE_NOTEBOOK,
            Self::Events => EVENTS,
            Self::Document => DOCUMENT,
        }
    }
}

/// Every call; a verb behind an id is no part of a route, its handler looks for it.
pub(super) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let calls = Call::ALL.into_iter().fold(Router::new(), |router, call| {
        let path = call.told().path;
        let route = path
            .rsplit_once("}:")
            .map_or(path.to_owned(), |(before, _)| format!("{before}}}"));
        router.route(&route, call.handler())
    });
    calls
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .route_layer(from_fn_with_state(Arc::clone(shared), guard::watched))
}

/// The methods of a path, as the header `Allow` lists them; `None` for one that is none of ours.
pub(super) fn methods(path: &str) -> Option<String> {
    let is_at = |told: &Told| match told.path.split_once("{id}") {
        None => told.path == path,
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|id| !id.is_empty() && !id.contains(['/', ':'])),
    };
    let calls = Call::ALL.map(Call::told);
    let methods = calls
        .iter()
        .filter(|told| is_at(told))
        .map(|told| match told.method {
            "get" => "GET,HEAD".to_owned(),
            method => method.to_uppercase(),
        });
    let methods: Vec<String> = methods.collect();
    (!methods.is_empty()).then(|| methods.join(","))
}

/// The paths, for whoever took a wrong one.
pub(super) fn paths() -> String {
    let mut paths: Vec<&str> = Call::ALL.into_iter().map(|call| call.told().path).collect();
    paths.dedup();
    paths.join(", ")
}

const LIST: Told = Told {
    method: "get",
    path: "/api/v1/operations",
    name: "listOperations",
    summary: "Operations under watch, in the order in which they came",
    setting: "",
    parameters: &["state", "kind", "project_id", "status", "limit", "page_token"],
    body: None,
    answers: &[(200, "A page of them", Json("OperationPage"))],
    problems: &[400],
};

const GET: Told = Told {
    method: "get",
    path: "/api/v1/operations/{id}",
    name: "getOperation",
    summary: "One operation under watch, by operation id, job id or alias",
    setting: "",
    parameters: &[],
    body: None,
    answers: &[(200, "As it is now", Json("Operation"))],
    problems: &[400, 404],
};

const TRACK: Told = Told {
    method: "put",
    path: "/api/v1/operations/{id}",
    name: "trackOperation",
    summary: "Puts an operation under watch, or adds labels and a caller to one that is",
    setting: "api.track",
    parameters: &["by"],
    body: Some("Tracking"),
    answers: TRACKED,
    problems: &[400, 403, 410, 413, 415, 503],
};

const UNTRACK: Told = Told {
    method: "delete",
    path: "/api/v1/operations/{id}",
    name: "untrackOperation",
    summary: "Watches and shows it no longer; nothing brings it back, and it is never counted again",
    setting: "api.track",
    parameters: &[],
    body: None,
    answers: &[
        (202, "Taken in, but not kept in time", Json("Pending")),
        (204, "It is not under watch", Nothing),
    ],
    problems: &[400, 403, 404, 415, 503],
};

/// What may come of a call that is passed on to the cloud.
const PASSED_ON: &[u16] = &[400, 403, 404, 409, 413, 415, 429, 500, 501, 502, 503, 504];

const CANCEL: Told = Told {
    method: "post",
    path: "/api/v1/operations/{id}:cancel",
    name: "cancelOperation",
    summary: "Asks an operation under watch to end",
    setting: "api.actions",
    parameters: &[],
    body: Some("Cancellation"),
    answers: &[
        (200, "It has ended; nothing was asked for", Json("Operation")),
        (202, "It was asked to end", Json("Operation")),
    ],
    problems: PASSED_ON,
};

const EXECUTE_JOB: Told = Told {
    method: "post",
    path: "/api/v1/jobs/{id}:execute",
    name: "executeJob",
    summary: "Runs a job that was made; one that has ended runs anew, one that runs goes on",
    setting: "api.actions",
    parameters: &[IDEMPOTENCY_KEY],
    body: Some("Tracking"),
    answers: TRACKED,
    problems: PASSED_ON,
};

const EXECUTE_NOTEBOOK: Told = Told {
    method: "post",
    path: "/api/v1/projects/{id}:execute",
    name: "executeNotebook",
    summary: "Runs a notebook of a project",
    setting: "api.actions",
    parameters: &[IDEMPOTENCY_KEY],
    body: Some("NotebookExecution"),
    answers: TRACKED,
    problems: PASSED_ON,
};

const EVENTS: Told = Told {
    method: "get",
    path: "/api/v1/events",
    name: "streamEvents",
    summary: "What changes, as server-sent events",
    setting: "",
    parameters: &["Last-Event-ID"],
    body: None,
    answers: &[(200, "Without an end", Stream)],
    problems: &[400, 503],
};

const DOCUMENT: Told = Told {
    method: "get",
    path: "/api/v1/openapi.json",
    name: "getDocument",
    summary: "This document",
    setting: "",
    parameters: &[],
    body: None,
    answers: &[(200, "OpenAPI 3.1", Json("Document"))],
    problems: &[400],
};
