//! A status other than OK, read for what it means.

use crate::cloud::method::Method;
use crate::cloud::pushback::Pushback;
use crate::decode;
use crate::fault::{Fault, innermost};
use crate::limits::ID_BYTES_MAX;
use crate::model::{RpcCode, Text};
use crate::proto::google::rpc;
use prost::{Message, Name};
use std::error::Error;
use std::fmt;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

/// What the API, or the connection to it, answered instead of what was asked for.
#[derive(Debug)]
pub struct Answer {
    /// For instance `OperationService.Get`.
    pub method: &'static str,
    /// `host:port`.
    pub endpoint: Box<str>,
    /// The code; `UNAVAILABLE` for a connection that broke, whatever the library makes of it.
    pub code: RpcCode,
    /// The message, redacted and bounded.
    pub message: Text,
    /// The cloud's id of the request, for its support.
    pub request_id: Option<Text>,
    /// Whether it is about the size of a message.
    pub too_large: bool,
    pub(crate) origin: Origin,
    pub(crate) pushback: Option<Pushback>,
    role: &'static str,
    fault: Option<Fault>,
}

/// Who made the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The other side said it.
    Server,
    /// The connection broke at some point; the call may have been executed.
    Connection,
    /// There was no connection, so nothing was sent.
    Unsent,
}

impl Answer {
    pub(crate) fn new(method: &Method, endpoint: &str, status: &Status) -> Self {
        let origin = origin(status);
        let details = rpc::Status::decode(status.details()).unwrap_or_default();
        let message = match origin {
            Origin::Server => status.message().to_owned(),
            Origin::Connection | Origin::Unsent => root_cause(status),
        };
        Self {
            method: method.label,
            endpoint: endpoint.into(),
            code: code(status, origin),
            message: Text::bounded(&decode::redact(&message)),
            request_id: request_id(status, &details),
            too_large: is_about_size(status),
            origin,
            pushback: Pushback::of(status, &details),
            role: method.role,
            fault: match origin {
                Origin::Server => None,
                Origin::Connection | Origin::Unsent => status.source().and_then(Fault::of),
            },
        }
    }

    /// Whether the cloud refused what was asked for, as opposed to not answering it.
    pub(crate) fn is_refusal(&self) -> bool {
        !self.too_large
            && matches!(
                self.code.name(),
                "NOT_FOUND"
                    | "PERMISSION_DENIED"
                    | "UNAUTHENTICATED"
                    | "INVALID_ARGUMENT"
                    | "ALREADY_EXISTS"
                    | "FAILED_PRECONDITION"
                    | "OUT_OF_RANGE"
                    | "UNIMPLEMENTED"
            )
    }

    fn advice(&self) -> &'static str {
        if self.too_large {
            return "the answer is larger than any that is accepted";
        }
        if let Some(fault) = self.fault {
            return mended(fault);
        }
        match self.code.name() {
            "UNAUTHENTICATED" => "check the credentials under cloud.auth and this machine's clock",
            "NOT_FOUND" => "check the id, and that it belongs to this cloud; old operations are forgotten",
            "UNIMPLEMENTED" => "the address may be that of another service, see cloud.endpoints",
            "RESOURCE_EXHAUSTED" => "a lower watch.requests_per_second helps when this stays",
            "UNAVAILABLE" if self.origin != Origin::Server => {
                "check that this address can be reached, cloud.tls, and where HTTP/2 is blocked cloud.transport"
            }
            _ => "",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.origin {
            Origin::Server => "answered",
            Origin::Connection | Origin::Unsent => "could not be reached:",
        };
        write!(
            f,
            "{} at {} {verb} {}",
            self.method,
            self.endpoint,
            self.code.name()
        )?;
        if !self.message.as_str().is_empty() {
            write!(f, " ({})", self.message)?;
        }
        if let Some(request_id) = &self.request_id {
            write!(f, ", request id {request_id}")?;
        }
        match (self.code.name(), self.advice()) {
            ("PERMISSION_DENIED", _) if !self.role.is_empty() => write!(f, "; needs the role {}", self.role),
            (_, "") => Ok(()),
            (_, advice) => write!(f, "; {advice}"),
        }
    }
}

/// What is to be done about a connection that cannot come up.
fn mended(fault: Fault) -> &'static str {
    match fault {
        Fault::NoTls => {
            "what answers there speaks no TLS: an endpoint in plaintext, such as the simulator's, needs cloud.tls.enabled: \
             false"
        }
        Fault::NoHttp2 => {
            "what answers there speaks no gRPC, or only over TLS: see cloud.tls.enabled, and cloud.endpoint"
        }
        Fault::NoHttp1 => {
            "what answers there speaks no HTTP/1.1, or only over TLS: see cloud.tls.enabled, and cloud.endpoint"
        }
        Fault::Untrusted => {
            "nobody trusted vouches for its certificate: cloud.tls.ca_file names who does, and cloud.tls.server_name the name \
             that it carries"
        }
        Fault::Unidentified => "it wants a certificate of the caller, which the exporter has not",
    }
}

/// Whether this is tonic's own timer, which reads as a cancellation by the server otherwise.
pub(crate) fn is_local_timeout(status: &Status) -> bool {
    status.code() == Code::Cancelled && has_cause::<TimeoutExpired>(status)
}

/// tonic gives a source to what it made of an error of its own, and none to what arrived.
fn origin(status: &Status) -> Origin {
    if status.source().is_none() {
        Origin::Server
    } else if has_cause::<ConnectError>(status) {
        Origin::Unsent
    } else {
        Origin::Connection
    }
}

fn code(status: &Status, origin: Origin) -> RpcCode {
    let number = match (status.code(), origin) {
        // A reset connection is UNKNOWN to tonic and UNAVAILABLE to every other client.
        (Code::Unknown, Origin::Connection | Origin::Unsent) => Code::Unavailable,
        (code, _) => code,
    };
    RpcCode::from_number(i32::from(number)).unwrap_or(RpcCode::UNKNOWN)
}

fn has_cause<E: Error + 'static>(status: &Status) -> bool {
    causes(status).any(<dyn Error>::is::<E>)
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |error: &&(dyn Error + 'static)| {
        (*error).source()
    })
}

/// What is above the innermost cause only says "transport error" in different words.
fn root_cause(status: &Status) -> String {
    status
        .source()
        .map_or_else(|| status.message().to_owned(), innermost)
}

/// Messages of tonic, grpc-go, grpc-java and the C++ core about a message that is too large; all of them use
/// codes that mean other things as well.
pub(crate) fn is_about_size(status: &Status) -> bool {
    if !matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted) {
        return false;
    }
    let message = status.message().to_ascii_lowercase();
    message.contains("message")
        && ["larger than max", "too large", "maximum size", "size limit"]
            .iter()
            .any(|words| message.contains(words))
}

fn request_id(status: &Status, details: &rpc::Status) -> Option<Text> {
    let header = status
        .metadata()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok());
    let id = match header {
        Some(id) => id.to_owned(),
        None => detail::<rpc::RequestInfo>(details)?.request_id,
    };
    let cut = id.floor_char_boundary(ID_BYTES_MAX.min(id.len()));
    id.get(..cut).and_then(Text::non_empty)
}

/// The first detail of a kind.
pub(crate) fn detail<M: Message + Name + Default>(details: &rpc::Status) -> Option<M> {
    let any = details
        .details
        .iter()
        .find(|any| any.type_url.rsplit('/').next() == Some(M::full_name().as_str()))?;
    M::decode(any.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::io;
    use std::sync::Arc;
    use tonic::metadata::MetadataMap;

    fn answer(status: &Status) -> Answer {
        Answer::new(&Method::for_test(), "operation.example:443", status)
    }

    fn with_details<M: Message + Name>(detail: &M) -> Status {
        let any = prost_types::Any {
            type_url: M::type_url(),
            value: detail.encode_to_vec(),
        };
        let details = rpc::Status {
            details: vec![any],
            ..rpc::Status::default()
        };
        Status::with_details(Code::Unavailable, "busy", Bytes::from(details.encode_to_vec()))
    }

    #[test]
    fn a_message_says_who_answered_what_and_which_role_is_missing() {
        let mut metadata = MetadataMap::new();
        metadata.insert("x-request-id", "3f5c".parse().expect("ascii"));
        let status = Status::with_metadata(Code::PermissionDenied, "Permission denied", metadata);
        assert_eq!(
            answer(&status).to_string(),
            "Test.Read at operation.example:443 answered PERMISSION_DENIED (Permission denied), request id 3f5c; \
             needs the role test.viewer"
        );
    }

    #[test]
    fn a_request_id_in_the_details_is_found_too() {
        let status = with_details(&rpc::RequestInfo {
            request_id: "77aa".to_owned(),
            serving_data: String::new(),
        });
        assert_eq!(
            answer(&status).request_id.as_ref().map(Text::as_str),
            Some("77aa")
        );
    }

    #[test]
    fn messages_about_size_are_told_from_other_uses_of_their_codes() {
        let cases = [
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
                true,
            ),
            (
                Code::ResourceExhausted,
                "grpc: received message larger than max (5 vs. 4)",
                true,
            ),
            (
                Code::ResourceExhausted,
                "gRPC message exceeds maximum size 4: 5",
                true,
            ),
            (
                Code::ResourceExhausted,
                "Error decompressing: size limit, of 4 bytes, exceeded while decompressing message",
                true,
            ),
            (Code::ResourceExhausted, "Job execution quota exhausted", false),
            (Code::OutOfRange, "page_size must be at most 1000", false),
            (Code::Internal, "message larger than max", false),
        ];
        for (code, message, expected) in cases {
            assert_eq!(
                answer(&Status::new(code, message)).too_large,
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn a_broken_connection_is_unavailable_with_its_innermost_cause() {
        let reset = io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer");
        let mut status = Status::unknown("transport error");
        status.set_source(Arc::new(reset));
        let answer = answer(&status);
        assert_eq!(answer.code.name(), "UNAVAILABLE");
        assert_eq!(answer.origin, Origin::Connection);
        assert_eq!(answer.message.as_str(), "connection reset by peer");
    }

    #[test]
    fn tonics_own_timer_is_not_a_cancellation() {
        let status = Status::from_error(Box::new(TimeoutExpired(())));
        assert_eq!(status.code(), Code::Cancelled);
        assert!(is_local_timeout(&status));
        assert!(
            !is_local_timeout(&Status::cancelled("Timeout expired")),
            "said by a server"
        );
    }
}
