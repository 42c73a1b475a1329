//! What the gateway itself answers: every message names it, so that nobody looks for the fault in the cloud.

use crate::decode::redact;
use crate::gateway::answer::AnswerBody;
use crate::gateway::upload::Unfinished;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use hyper::Error as HyperError;
use std::error::Error;
use tonic::{Code, Status};

/// Why a call was not passed on, or its answer not to its end.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    http_status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: &str) -> Self {
        Self {
            code,
            http_status: http_status(code),
            message: format!("datasphere-exporter gateway: {message}"),
        }
    }

    /// What a caller sent is more than is read of it.
    pub(crate) fn too_large(message: &str) -> Self {
        Self {
            http_status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::new(Code::ResourceExhausted, message)
        }
    }

    /// The connection to the cloud could not be made, or broke; or the caller broke its request off, and so the call.
    pub(crate) fn broken(authority: &str, error: &(dyn Error + 'static)) -> Self {
        let causes = || std::iter::successors(Some(error), |error| (*error).source());
        if let Some(unfinished) = causes().find_map(|error| error.downcast_ref::<Unfinished>()) {
            return Self {
                http_status: StatusCode::BAD_REQUEST,
                ..Self::new(Code::Cancelled, &unfinished.to_string())
            };
        }
        let code = causes().find_map(reset_code).unwrap_or(Code::Unavailable);
        // What is above the innermost cause only says that something failed.
        let cause = causes().last().map(ToString::to_string).unwrap_or_default();
        let cause = redact(&cause);
        Self::new(code, &format!("no answer from {authority}: {cause}"))
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// As an answer to a call of gRPC.
    pub(crate) fn grpc(&self) -> Response<AnswerBody> {
        self.status().into_http::<AnswerBody>()
    }

    /// As the end of an answer of gRPC that has begun.
    pub(crate) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        // Fails for text that no header can hold, and the text is percent-encoded.
        drop(self.status().add_header(&mut trailers));
        trailers
    }

    /// As an answer over REST, in the form of the cloud's own errors.
    pub(crate) fn http(&self) -> Response<AnswerBody> {
        let body = serde_json::json!({
            "code": i32::from(self.code),
            "message": self.message,
            "details": [],
        });
        let mut response = Response::new(AnswerBody::own(body.to_string().into(), None));
        *response.status_mut() = self.http_status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn status(&self) -> Status {
        Status::new(self.code, self.message.as_str())
    }
}

/// The number of a code over REST, as the cloud has it.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code that stands for a stream's reset: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn reset_code(error: &(dyn Error + 'static)) -> Option<Code> {
    if error
        .downcast_ref::<HyperError>()
        .is_some_and(HyperError::is_timeout)
    {
        return Some(Code::Unavailable);
    }
    let error = error.downcast_ref::<h2::Error>()?;
    if !error.is_reset() {
        return None;
    }
    Some(match error.reason()? {
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        _ => Code::Internal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_gateway_in_both_protocols() {
        let refusal = Refusal::new(Code::Unavailable, "no answer");
        assert_eq!(refusal.http().status(), StatusCode::SERVICE_UNAVAILABLE);
        let headers = refusal.grpc().into_parts().0.headers;
        assert_eq!(headers.get("grpc-status").expect("a status"), "14");
        let message = headers.get("grpc-message").expect("a message");
        assert!(message.to_str().expect("ascii").contains("gateway"));
        assert_eq!(refusal.trailers().get("grpc-status").expect("a status"), "14");
    }

    #[test]
    fn a_request_that_did_not_come_whole_is_not_told_as_the_clouds_fault() {
        let refusal = Refusal::broken("datasphere.example", &Unfinished::Ended);
        assert_eq!(refusal.code, Code::Cancelled);
        assert_eq!(refusal.http().status(), StatusCode::BAD_REQUEST);
        assert!(refusal.message().contains("the caller did not read"));
        assert!(!refusal.message().contains("datasphere.example"));
    }

    #[test]
    fn over_rest_a_code_has_the_number_that_the_cloud_gives_it() {
        let cases = [
            (Code::InvalidArgument, 400),
            (Code::PermissionDenied, 403),
            (Code::NotFound, 404),
            (Code::ResourceExhausted, 429),
            (Code::Internal, 500),
            (Code::Cancelled, 500),
            (Code::Unimplemented, 501),
            (Code::Unavailable, 503),
            (Code::DeadlineExceeded, 504),
        ];
        for (code, expected) in cases {
            assert_eq!(Refusal::new(code, "no").http().status(), expected, "{code:?}");
        }
    }
}
