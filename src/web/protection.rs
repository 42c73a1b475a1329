//! What stands between the server and whoever calls: TLS, users and passwords, a rate, headers of every answer.
//!
//! It is the web configuration file, as it is in effect, and may change at any time: a connection takes what holds when
//! it is opened, a request what holds when it arrives.

use crate::flow::Said;
use crate::listening::{Ends, Tls};
use crate::web::call;
use crate::web::problem::Problem;
use crate::web::rate::Rate;
use crate::web::routes::Shared;
use crate::web::users::{SignedIn, Users};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, PoisonError, RwLock};

/// What stands between the server and whoever calls; by default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Protection {
    /// Connections are in plain without.
    pub tls: Option<Tls>,
    /// Who may call; everybody, when there are none.
    pub users: Users,
    /// Paths that everybody may read all the same.
    pub open_paths: Vec<String>,
    /// How many requests are answered.
    pub rate_limit: Option<Rate>,
    /// What every answer says beside its own headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Protection {
    /// Whether it can tell one caller from another.
    fn knows_callers(&self) -> bool {
        !self.users.is_empty() || self.tls.as_ref().is_some_and(Tls::verifies_clients)
    }
}

/// What protects a server now.
#[derive(Clone, Debug, Default)]
pub struct Protected(Arc<RwLock<Arc<Protection>>>);

impl Protected {
    /// What holds now.
    pub fn newest(&self) -> Arc<Protection> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place; whether it differs.
    pub fn replace(&self, protection: Protection) -> bool {
        let mut newest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let differs = **newest != protection;
        if differs {
            *newest = Arc::new(protection);
        }
        differs
    }
}

/// What is known of whoever calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    /// By password or certificate.
    pub(super) is_known: bool,
    /// Whether the server can know callers at all.
    pub(super) is_asked: bool,
}

/// The realm tells people which password is meant: <https://www.rfc-editor.org/rfc/rfc7617>.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"datasphere-exporter\", charset=\"UTF-8\"");

/// By which an orchestrator asks for health and readiness.
const HEALTH_PATHS: [&str; 5] = ["/-/healthy", "/-/ready", "/healthz", "/livez", "/readyz"];

/// Whether a connection is closed after such an answer to somebody unknown: what is refused holds no room for more.
fn ends_connection(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Lets those pass who may.
pub(super) async fn protected(
    State(shared): State<Arc<Shared>>,
    ends: Option<Extension<Ends>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let version = head.version;
    let protection = shared.protected.newest();
    let ends = ends.map(|Extension(ends)| ends).unwrap_or_default();
    let (mut response, is_known) = match admit(&shared, &protection, ends, &head).await {
        Ok(caller) => {
            head.extensions.insert(caller);
            (next.run(Request::from_parts(head, body)).await, caller.is_known)
        }
        Err(refusal) => (refusal, false),
    };
    // HTTP/2 has no such header.
    if !is_known && version <= Version::HTTP_11 && ends_connection(response.status()) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    let headers = protection.headers.iter().cloned();
    // The operator's word stands in place of ours.
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

async fn admit(
    shared: &Shared,
    protection: &Protection,
    ends: Ends,
    head: &Parts,
) -> Result<Caller, Response> {
    if let Some(limit) = protection.rate_limit
        && !is_probe(head)
        && !shared.bucket.takes(limit)
    {
        let text = "more requests come than rate_limit of the web configuration lets in; ask again later";
        let mut response = refusal(head, StatusCode::TOO_MANY_REQUESTS, text);
        let after = HeaderValue::from(limit.retry_after_seconds());
        response.headers_mut().insert(header::RETRY_AFTER, after);
        return Err(response);
    }
    let caller = Caller {
        is_known: ends.is_verified,
        is_asked: protection.knows_callers(),
    };
    if protection.users.is_empty() {
        return Ok(caller);
    }
    let is_open = protection.open_paths.iter().any(|path| path == head.uri.path());
    let peer = ends.peer.map(|peer| peer.ip());
    match shared.sign_in.check(&protection.users, peer, &head.headers).await {
        SignedIn::Yes => Ok(Caller {
            is_known: true,
            ..caller
        }),
        _ if is_open => Ok(Caller {
            is_known: false,
            ..caller
        }),
        SignedIn::Busy => {
            let text = "too many passwords wait to be checked; ask again later";
            let mut response = refusal(head, StatusCode::SERVICE_UNAVAILABLE, text);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            Err(response)
        }
        refused @ (SignedIn::No | SignedIn::Untried) => {
            if refused == SignedIn::No {
                complain(shared, ends);
            }
            let text =
                "this needs a user and a password, as basic_auth_users of the web configuration lists them";
            let mut response = refusal(head, StatusCode::UNAUTHORIZED, text);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
            Err(response)
        }
    }
}

/// Whether it is answered whatever the rate, since others must not have an orchestrator end the exporter; with a password
/// it could be a guess.
fn is_probe(head: &Parts) -> bool {
    HEALTH_PATHS.contains(&head.uri.path()) && !head.headers.contains_key(header::AUTHORIZATION)
}

/// Somebody may be guessing.
fn complain(shared: &Shared, ends: Ends) {
    let admitted = shared.throttle.admit("sign_in", shared.context.clock.now());
    if let Some(Said { held_back }) = admitted {
        let peer = ends.peer.map(tracing::field::display);
        tracing::warn!(
            peer,
            held_back,
            "somebody was refused: the user or the password is wrong"
        );
    }
}

/// As the API tells it, or as a line.
fn refusal(head: &Parts, status: StatusCode, text: &str) -> Response {
    if head.uri.path().starts_with("/api/") {
        let mut response = Problem::new(status, text).into_response();
        // Of a method that it does not know, the router would tell those of every verb behind an id.
        let methods = call::methods(head.uri.path()).and_then(|methods| HeaderValue::try_from(methods).ok());
        if let Some(methods) = methods {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    } else {
        (status, format!("{text}\n")).into_response()
    }
}
