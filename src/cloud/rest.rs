//! Calls as requests of HTTP/1.1 with JSON, for networks that block HTTP/2.
//!
//! Whatever comes back becomes the message or the status that gRPC would have brought, so that nothing above this
//! file knows how it came. The API's gateway is Envoy's transcoder; it answers errors as `google.rpc.Status`, while a
//! proxy on the way answers with pages of its own, of which only the status is believed.

use crate::cloud::binding::{Binding, Bound};
use crate::cloud::method::Method;
use crate::decode::json::{Body, transcode};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::proto::google::rpc;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::response::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::connect::Connect;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Code, ConnectError, Status};

/// Sends requests of HTTP/1.1, and keeps the connections for the next; copies share them.
#[derive(Clone)]
pub struct Http(Arc<Exchange>);

type Exchange = dyn Fn(Request<Full<Bytes>>) -> ResponseFuture + Send + Sync;

/// Shorter than the gateway's own time, as far as gateways in general go: a connection that the other side has just
/// closed costs a call.
const IDLE_TIME: Duration = Duration::from_mins(1);

impl Http {
    /// Over connections that the connector makes.
    pub fn over<C>(connector: C) -> Self
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .build(connector);
        Self(Arc::new(move |request| client.request(request)))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

/// The REST side of one address.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    pub(crate) http: Http,
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) user_agent: HeaderValue,
}

impl Rest {
    /// Calls a method, as gRPC would.
    pub(crate) async fn unary<Q, A>(
        &self,
        method: &Method,
        headers: HeaderMap,
        message: &Q,
    ) -> Result<A, Status>
    where
        Q: Bound,
        A: Message + Default,
    {
        let Some(binding) = message.binding() else {
            return Err(Status::internal(format!("{} has no form in REST", method.label)));
        };
        let mut answer = self.send(&binding.verb, &binding, headers.clone()).await;
        if let (Err(status), Some(verb)) = (&answer, &binding.otherwise)
            && status.code() == Code::Unimplemented
        {
            answer = self.send(verb, &binding, headers).await;
        }
        // As damaged bytes would: nothing in it may be shown.
        A::decode(answer?).map_err(|_| Status::internal("the answer cannot be read"))
    }

    async fn send(
        &self,
        verb: &http::Method,
        binding: &Binding,
        mut headers: HeaderMap,
    ) -> Result<Bytes, Status> {
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(ACCEPT, JSON);
        headers.insert(CONTENT_TYPE, JSON);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(binding.path.as_str())
            .build()
            .map_err(|error| Status::internal(error.to_string()))?;
        let mut request = Request::new(Full::new(binding.body.clone()));
        *request.method_mut() = verb.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let response = (self.http.0)(request).await.map_err(|error| {
            if error.is_connect() {
                Status::from_error(Box::new(ConnectError(Box::new(error))))
            } else {
                broken(Arc::new(error))
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MESSAGE_BYTES_MAX)
            .collect()
            .await
            .map_err(cut)?;
        let body = body.to_bytes();
        if head.status == StatusCode::OK {
            transcode(binding.answer, &body).map_err(|error| Status::internal(error.to_string()))
        } else {
            Err(refusal(head, &body))
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The connection broke; the call may have arrived.
fn broken(cause: Arc<dyn Error + Send + Sync>) -> Status {
    let mut status = Status::unavailable("the connection broke");
    status.set_source(cause);
    status
}

fn cut(error: Box<dyn Error + Send + Sync>) -> Status {
    if error.is::<LengthLimitError>() {
        return Status::out_of_range(format!(
            "the message is larger than max ({MESSAGE_BYTES_MAX} bytes)"
        ));
    }
    broken(error.into())
}

/// The status of an answer that is not OK: what the API says of it, or what the HTTP status means.
fn refusal(head: Parts, body: &[u8]) -> Status {
    let metadata = MetadataMap::from_headers(head.headers);
    let told = transcode(Body::Status, body)
        .ok()
        .and_then(|bytes| rpc::Status::decode(bytes).ok())
        .filter(|told| (1..=16).contains(&told.code));
    match told {
        Some(told) => {
            let details = told.encode_to_vec().into();
            Status::with_details_and_metadata(Code::from(told.code), told.message, details, metadata)
        }
        None => Status::with_metadata(
            code(head.status),
            format!("HTTP status {}, without the API's own words", head.status),
            metadata,
        ),
    }
}

/// The table of the API's documentation read backwards
/// (<https://yandex.cloud/en/docs/api-design-guide/concepts/errors>), but for 404: that somebody on the way has no
/// such page does not tell that there is no such operation.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 405 | 501 => Code::Unimplemented,
        409 => Code::Aborted,
        429 => Code::ResourceExhausted,
        499 => Code::Cancelled,
        500 => Code::Internal,
        502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::answer::Answer;
    use crate::cloud::pushback::Pushback;
    use crate::model::Text;
    use serde_json::json;

    fn refused(status: u16, header: Option<(&'static str, &'static str)>, body: &str) -> Answer {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some((name, value)) = header {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        let status = refusal(response.into_parts().0, body.as_bytes());
        Answer::new(&Method::for_test(), "operation.example:443", &status)
    }

    #[test]
    fn the_api_tells_code_message_and_request_id() {
        let body = json!({"code": 16, "message": "The token is expired, token=t1.canary", "details": [
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "77aa"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"},
        ]});
        let answer = refused(401, None, &body.to_string());
        assert_eq!(answer.code.name(), "UNAUTHENTICATED");
        assert!(
            answer.message.as_str().starts_with("The token is expired"),
            "{answer}"
        );
        assert!(!answer.to_string().contains("canary"), "{answer}");
        assert_eq!(answer.request_id.as_ref().map(Text::as_str), Some("77aa"));
        assert_eq!(answer.pushback, Some(Pushback::After(Duration::from_secs(3))));
        let answer = refused(401, Some(("x-request-id", "3f5c")), &body.to_string());
        assert_eq!(answer.request_id.as_ref().map(Text::as_str), Some("3f5c"));
    }

    #[test]
    fn of_a_proxys_own_page_only_the_status_is_believed() {
        let table = [
            (302, "UNKNOWN"),
            (400, "INVALID_ARGUMENT"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (407, "UNKNOWN"),
            (409, "ABORTED"),
            (429, "RESOURCE_EXHAUSTED"),
            (500, "INTERNAL"),
            (502, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
        ];
        for (status, code) in table {
            for body in [
                "<html>canary</html>",
                "",
                "{\"code\": 404}",
                "{\"code\": \"canary\"}",
                "[]",
            ] {
                let answer = refused(status, None, body);
                assert_eq!(answer.code.name(), code, "{status} {body}");
                assert!(!answer.to_string().contains("canary"), "{answer}");
            }
        }
        let busy = refused(503, Some(("retry-after", "7")), "<html>canary</html>");
        assert_eq!(busy.pushback, Some(Pushback::After(Duration::from_secs(7))));
        let told = refused(404, None, r#"{"code": 5, "message": "Operation bt1 not found"}"#);
        assert_eq!(told.code.name(), "NOT_FOUND");
    }
}
