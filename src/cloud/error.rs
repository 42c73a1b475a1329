//! Why a call brought nothing, in words that say what to do.

use crate::cloud::answer::Answer;
use crate::model::{LookError, RpcCode};
use std::error::Error;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What went wrong between us and the cloud.
///
/// Messages name the method, the endpoint and the cloud's request id; words of the server are redacted and
/// bounded.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The API answered with a status other than OK, or the connection broke.
    #[error("{0}")]
    Answer(Box<Answer>),
    /// The call's own deadline passed.
    #[error(
        "{method} at {endpoint} did not answer within {after:?}: the API or the network is slow; \
         watch.request_timeout sets this time"
    )]
    Deadline {
        /// For instance `OperationService.Get`.
        method: &'static str,
        /// `host:port`.
        endpoint: Arc<str>,
        /// The time it had.
        after: Duration,
    },
    /// What a call needs did not come within the call's own time.
    #[error("{awaited} did not answer within {after:?}")]
    Awaited {
        /// What the call waited for.
        awaited: &'static str,
        /// The time it had.
        after: Duration,
    },
    /// There is no token to call with.
    #[error("{method} was not sent, there is no IAM token")]
    Token {
        /// The method that needed it.
        method: &'static str,
        /// Why.
        #[source]
        source: Arc<CloudError>,
    },
    /// Nobody told the address of a service.
    #[error("{method} was not sent, the address of the service is not known; cloud.endpoints can set it")]
    Discovery {
        /// The method that needed it.
        method: &'static str,
        /// Why.
        #[source]
        source: Arc<CloudError>,
    },
    /// The list of endpoints lacks one.
    #[error("the list of endpoints at {endpoint} has no {service}; set cloud.endpoints.{service}")]
    NotListed {
        /// Who was asked.
        endpoint: Arc<str>,
        /// What is missing.
        service: &'static str,
    },
    /// A listing would never end.
    #[error(
        "{method} gave a page token for the second time, or too many pages: the listing was left unfinished"
    )]
    EndlessListing {
        /// The method that lists.
        method: &'static str,
    },
    /// The method has no form in REST.
    #[error("{method} was not sent: it needs gRPC, and cloud.transport is rest")]
    NeedsGrpc {
        /// The method.
        method: &'static str,
    },
    /// A job cannot be sent its own signal in REST.
    #[error(
        "a job is sent its own signal over gRPC alone, and cloud.transport is rest; ask it to end without `graceful`"
    )]
    Graceful,
    /// What was started cannot be followed.
    #[error(
        "{method} was accepted, but the answer names no operation: look for it in DataSphere before asking again, \
         since that may start a second one"
    )]
    Unnamed {
        /// The method that starts something.
        method: &'static str,
    },
    /// An address is not one.
    #[error(
        "{address:?} is not an address ({problem}); write host:port, for instance api.cloud.yandex.net:443"
    )]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The user agent cannot be a header.
    #[error("the user agent has characters that no header may carry")]
    UserAgent,
    /// A file cannot be read.
    #[error("the {what} {} cannot be read", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("the {what} {} is not one: {problem}", path.display())]
    FileContent {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {problem}")]
    Tls {
        /// Why.
        problem: String,
    },
    /// The key could not sign.
    #[error("the service account key cannot sign: {problem}")]
    Signature {
        /// Why.
        problem: String,
    },
    /// What should be a token cannot be sent.
    #[error("the IAM token of {origin} is empty or has characters that no header may carry")]
    UnusableToken {
        /// Where it came from.
        origin: &'static str,
    },
    /// A token service that speaks HTTP gave no token.
    #[error("{url} gave no token: {problem}")]
    Exchange {
        /// Who was asked.
        url: String,
        /// What it said instead, redacted.
        problem: String,
    },
    /// A renewal ended without a result, which its own code never does.
    #[error("a renewal ended without a result; this is a fault of the exporter, please report it")]
    Unfinished,
}

impl CloudError {
    /// The value of the label `code`: the name of a gRPC code, of a set that never grows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Answer(answer) => answer.code.name(),
            Self::Deadline { .. } | Self::Awaited { .. } => "DEADLINE_EXCEEDED",
            Self::Token { .. } => self.refusal().map_or("UNAVAILABLE", RpcCode::name),
            Self::Discovery { source, .. } => source.code(),
            Self::Exchange { .. } => "UNAVAILABLE",
            Self::EndlessListing { .. } | Self::Unnamed { .. } => "DATA_LOSS",
            Self::NotListed { .. }
            | Self::Address { .. }
            | Self::UserAgent
            | Self::File { .. }
            | Self::FileContent { .. }
            | Self::UnusableToken { .. }
            | Self::Tls { .. } => "FAILED_PRECONDITION",
            Self::NeedsGrpc { .. } | Self::Graceful => "UNIMPLEMENTED",
            Self::Signature { .. } | Self::Unfinished => "INTERNAL",
        }
    }

    /// What the tracker learns from it.
    ///
    /// Only an answer about the thing that was asked for is a refusal. That the identity service does not know
    /// our key, say, tells nothing of the operation, and must never read as its `NOT_FOUND`.
    pub fn look(&self) -> LookError {
        self.refusal().map_or(LookError::Unanswered, LookError::Refused)
    }

    /// The file of the settings that it is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::FileContent { path, .. } => Some(path),
            _ => None,
        }
    }

    /// This message and those of its causes in one line.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a string does not fail.
            let _ = write!(line, ": {error}");
            cause = error.source();
        }
        line
    }

    fn refusal(&self) -> Option<RpcCode> {
        match self {
            Self::Answer(answer) => answer.is_refusal().then_some(answer.code),
            Self::Token { source, .. } => source.refusal().and(RpcCode::from_number(16)),
            Self::NeedsGrpc { .. } | Self::Graceful => RpcCode::from_number(12),
            _ => None,
        }
    }

    /// Whether the same call may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Answer(answer) => !answer.is_refusal() && !answer.too_large,
            Self::Deadline { .. }
            | Self::Awaited { .. }
            | Self::Exchange { .. }
            | Self::File { .. }
            | Self::Unfinished => true,
            Self::Token { source, .. } | Self::Discovery { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// Whether an answer was too large to be taken.
    pub(crate) fn is_about_size(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.too_large)
    }

    /// Whether a smaller page might pass where this one did not.
    pub(crate) fn asks_for_less(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.too_large || answer.code.name() == "DEADLINE_EXCEEDED",
            Self::Deadline { .. } => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::method::Method;
    use tonic::{Code, Status};

    fn answered(code: Code, message: &str) -> CloudError {
        CloudError::Answer(Box::new(Answer::new(
            &Method::for_test(),
            "localhost:443",
            &Status::new(code, message),
        )))
    }

    #[test]
    fn only_an_answer_about_the_thing_asked_for_is_a_refusal() {
        let refused = [
            Code::NotFound,
            Code::PermissionDenied,
            Code::Unauthenticated,
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::Unimplemented,
            Code::OutOfRange,
        ];
        for code in refused {
            let expected = RpcCode::from_number(i32::from(code)).expect("a code");
            assert_eq!(
                answered(code, "no").look(),
                LookError::Refused(expected),
                "{code:?}"
            );
        }
        let unanswered = [
            Code::Unavailable,
            Code::ResourceExhausted,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::Unknown,
            Code::Cancelled,
            Code::Aborted,
            Code::DataLoss,
        ];
        for code in unanswered {
            assert_eq!(answered(code, "no").look(), LookError::Unanswered, "{code:?}");
        }
        let too_large = answered(
            Code::OutOfRange,
            "Error, decoded message length too large: found 9 bytes",
        );
        assert_eq!(too_large.look(), LookError::Unanswered);
    }

    #[test]
    fn an_unknown_key_is_not_an_unknown_operation() {
        let error = CloudError::Token {
            method: "OperationService.Get",
            source: Arc::new(answered(Code::NotFound, "key not found")),
        };
        assert_eq!(
            error.look(),
            LookError::Refused(RpcCode::from_number(16).expect("a code"))
        );
        assert_eq!(error.code(), "UNAUTHENTICATED");
        assert!(error.chain().contains("key not found"), "{}", error.chain());
    }

    #[test]
    fn an_identity_service_that_is_down_leaves_operations_unanswered() {
        let error = CloudError::Token {
            method: "OperationService.Get",
            source: Arc::new(answered(Code::Unavailable, "down")),
        };
        assert_eq!(error.look(), LookError::Unanswered);
        assert_eq!(error.code(), "UNAVAILABLE");
        assert!(error.is_transient());
    }
}
