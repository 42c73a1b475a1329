//! What every gRPC call passes before its service: counting, authentication, and the headers of support.

use crate::simulator::{cloud::Cloud, ids::derived_uuid, line::Cut, tokens::Verdict};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use tonic::Status;

/// A call as the services see it, in the extensions of its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// The full path, `/package.Service/Method`.
    pub(crate) method: String,
    /// Who calls.
    pub(crate) caller: String,
    /// The host and port that the caller used.
    pub(crate) authority: String,
    pub(crate) cut: Option<Cut>,
    bearer: Option<String>,
}

/// Services that answer callers without a token: they are how one gets a token.
const OPEN_SERVICES: [&str; 2] = [
    "/yandex.cloud.endpoint.ApiEndpointService/",
    "/yandex.cloud.iam.v1.IamTokenService/",
];
const ANONYMOUS: &str = "anonymous";

/// Passes a call on to its service, and gives its answer the headers that every answer of the cloud carries.
pub(crate) async fn front(State(cloud): State<Arc<Cloud>>, mut request: Request, next: Next) -> Response {
    let call = Call::of(&request);
    cloud.count(&call.method);
    let request_id = derived_uuid(&["request", &rand::random::<u64>().to_string()]);
    let mut response = match call.checked(&cloud) {
        Ok(caller) => {
            request.extensions_mut().insert(Call { caller, ..call });
            next.run(request).await
        }
        Err(status) => status.into_http(),
    };
    let trace_id = request_id.replace('-', "");
    let half = trace_id.get(..16).unwrap_or_default();
    set(
        response.headers_mut(),
        "x-server-trace-id",
        &format!("{half}:{half}:0:1"),
    );
    set(response.headers_mut(), "x-request-id", &request_id);
    response
}

impl Call {
    fn of(request: &Request) -> Self {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let authority = request
            .uri()
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| header("host"));
        Self {
            method: request.uri().path().to_owned(),
            caller: ANONYMOUS.to_owned(),
            authority: authority.unwrap_or_default().to_owned(),
            cut: Cut::of(request.extensions()).cloned(),
            bearer: header("authorization")
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
        }
    }

    /// Who calls, unless a token is missing or dead. A token of somebody else's making counts as none.
    pub(crate) fn checked(&self, cloud: &Cloud) -> Result<String, Status> {
        if OPEN_SERVICES
            .iter()
            .any(|service| self.method.starts_with(service))
        {
            return Ok(self.caller.clone());
        }
        let verdict = self
            .bearer
            .as_ref()
            .map(|token| cloud.tokens.check(token, cloud.clock.now()));
        match verdict {
            Some(Verdict::Valid(subject)) => Ok(subject),
            Some(Verdict::Dead) => Err(Status::unauthenticated("The token is expired or revoked")),
            Some(Verdict::Foreign) | None if cloud.tokens.required => {
                Err(Status::unauthenticated("The token is missing or invalid"))
            }
            Some(Verdict::Foreign) | None => Ok(ANONYMOUS.to_owned()),
        }
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
