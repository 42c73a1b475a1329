//! The status page at `/`, and a page for each operation: what runs, what ended and how, and how the exporter is.
//!
//! It is rendered here, from the newest view, and works without a script. The script asks for the same page again when
//! the stream of events tells of a change, and puts in what is different: there is one renderer. Text from outside is
//! escaped by its type: only what `maud` made from a literal is markup.

mod assets;
mod detail;
mod health;
mod links;
mod listing;
mod mark;
mod phases;
mod projects;
mod query;
mod readings;
mod shell;
mod table;
mod words;

pub(super) use assets::asset;
pub use links::{Link, LinkError, Links};

use crate::clock::Timestamp;
use crate::metrics;
use crate::model::{Project, TrackedOperation, View};
use crate::web::routes::Shared;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use listing::Listing;
use maud::{Markup, html};
use query::Query;
use shell::Shell;
use std::sync::Arc;

/// `GET /`: the fleet, as the query of the address has it.
pub(super) async fn overview(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let query = Query::parse(&uri);
    let view = shared.context.views.view();
    let scene = Scene::new(&shared, &view, "./");
    let listing = Listing::new(&view, &query);
    let body = html! {
        (listing.counts.chips(&query))
        (health::section(&scene, &shared))
        (query.form(&view))
        (table::sections(&scene, &listing, &query))
        (projects::section(&scene, &query))
    };
    let title = listing.counts.words();
    respond(
        StatusCode::OK,
        shell::page(
            &scene,
            &Shell {
                title: &title,
                telemetry_path: &shared.telemetry_path,
                body,
            },
        ),
    )
}

/// `GET /operations/{id}`: all that is known of one operation, by operation id, job id or alias.
pub(super) async fn operation(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let view = shared.context.views.view();
    let scene = Scene::new(&shared, &view, "../");
    let found = id.ok().and_then(|Path(id)| view.operations.find(&id));
    let (status, title, body) = match found {
        Some(row) => (StatusCode::OK, words::name(row), detail::article(&scene, row)),
        None => (StatusCode::NOT_FOUND, "No such operation", detail::absent()),
    };
    respond(
        status,
        shell::page(
            &scene,
            &Shell {
                title,
                telemetry_path: &shared.telemetry_path,
                body,
            },
        ),
    )
}

/// What every part of a page is made from.
struct Scene<'a> {
    view: &'a View,
    links: &'a Links,
    metrics: Arc<metrics::Settings>,
    now: Timestamp,
    /// Where the page at `/` is, seen from this one: links are relative, so that they hold behind a proxy that adds a
    /// prefix.
    root: &'static str,
}

impl<'a> Scene<'a> {
    fn new(shared: &'a Shared, view: &'a View, root: &'static str) -> Self {
        Self {
            view,
            links: &shared.links,
            metrics: shared.context.metrics(),
            now: shared.context.clock.now(),
            root,
        }
    }

    /// The project that an operation is in, once something is known of it.
    fn project(&self, row: &TrackedOperation) -> Option<&'a Project> {
        self.view.projects.get(&row.project_id).map(|project| &**project)
    }
}

/// Nothing is loaded, sent or framed but what this server has, and no text becomes markup or script in the browser.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

fn respond(status: StatusCode, page: Markup) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            CROSS_ORIGIN_OPENER_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (status, headers, page.into_string()).into_response()
}
