//! Errors of the API as `application/problem+json`, RFC 9457.

use crate::cloud::CloudError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal that says what is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// The cloud's word for it, where it was the cloud that refused.
    cloud_code: Option<&'static str>,
    /// A header of the answer, beside the type of its content.
    header: Option<(header::HeaderName, HeaderValue)>,
}

/// When a call that found no room may come again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

impl Problem {
    /// `detail` says what happened, and what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            cloud_code: None,
            header: None,
        }
    }

    /// The request cannot be understood; `detail` names what is allowed.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Nothing is here.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// It is not to happen here, or not for this caller.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// The resource has other methods: the router says which, unless `allowed` does.
    pub(super) fn method_not_allowed(detail: impl Into<String>, allowed: Option<String>) -> Self {
        let allowed = allowed.and_then(|methods| HeaderValue::try_from(methods).ok());
        Self {
            header: allowed.map(|methods| (header::ALLOW, methods)),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        }
    }

    /// Not now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            header: Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// The exporter is about to end.
    pub(super) fn ending() -> Self {
        Self::unavailable("the exporter is shutting down; ask again once it is back")
    }

    /// The cloud refused, or did not answer.
    pub(super) fn of_cloud(error: &CloudError) -> Self {
        let code = error.code();
        let status = match code {
            "NOT_FOUND" => StatusCode::NOT_FOUND,
            "PERMISSION_DENIED" => StatusCode::FORBIDDEN,
            "INVALID_ARGUMENT" | "OUT_OF_RANGE" => StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION" | "ABORTED" | "ALREADY_EXISTS" => StatusCode::CONFLICT,
            "RESOURCE_EXHAUSTED" => StatusCode::TOO_MANY_REQUESTS,
            "UNIMPLEMENTED" => StatusCode::NOT_IMPLEMENTED,
            "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
            "DEADLINE_EXCEEDED" => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self {
            cloud_code: Some(code),
            ..Self::new(status, error.chain())
        }
    }

    /// What happened, and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// With one more thing to know.
    #[must_use]
    pub(super) fn and(self, more: &str) -> Self {
        let detail = format!("{}; {more}", self.detail);
        Self { detail, ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(code), Some(body)) = (self.cloud_code, body.as_object_mut()) {
            body.insert("cloud_code".to_owned(), code.into());
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.header);
        response
    }
}
