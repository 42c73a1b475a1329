//! What became of a request, by the rules of OTLP: <https://opentelemetry.io/docs/specs/otlp/#failures>.

use crate::cloud::{detail, is_about_size};
use crate::model::{RpcCode, Text};
use crate::proto::google::rpc;
use http::StatusCode;
use prost::Message;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use tonic::{Code, Status};

/// What a collector answered, or what came instead.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// The gRPC code or HTTP status, or `connection`, `protocol` or `timeout`: a bounded set, since it is a label.
    pub(crate) code: Cow<'static, str>,
    /// In the collector's words, without secrets.
    pub(crate) message: Text,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The collector has them, except for those that it will never take.
    Taken {
        /// How many those are.
        rejected: u64,
    },
    /// The same once more, at a later time.
    Again {
        /// The least time, if the collector told one.
        after: Option<Duration>,
    },
    /// Something in it will never be taken.
    Refused,
    /// A smaller one may be taken.
    TooLarge,
    /// It is we who are refused, or this is no collector: nothing that is sent would be taken.
    Misconfigured,
}

/// Instead of a code, where what answers speaks another protocol.
const PROTOCOL: &str = "protocol";

impl Answer {
    /// A partial success may carry a message though everything was taken.
    pub(crate) fn taken(code: impl Into<Cow<'static, str>>, rejected: i64, message: Text) -> Self {
        Self {
            verdict: Verdict::Taken {
                rejected: u64::try_from(rejected).unwrap_or(0),
            },
            code: code.into(),
            message,
        }
    }

    /// Nothing came in time.
    pub(crate) fn late(after: Duration) -> Self {
        Self {
            verdict: Verdict::Again { after: None },
            code: "timeout".into(),
            message: Text::bounded(&format!(
                "no answer within {after:?}; OTEL_EXPORTER_OTLP_TIMEOUT sets this time"
            )),
        }
    }

    /// The connection could not be made, or broke.
    pub(crate) fn broken(message: Text) -> Self {
        Self {
            verdict: Verdict::Again { after: None },
            code: "connection".into(),
            message,
        }
    }

    /// What answers speaks another protocol.
    pub(crate) fn mismatch(message: Text) -> Self {
        Self {
            verdict: Verdict::Misconfigured,
            code: PROTOCOL.into(),
            message,
        }
    }

    /// It can be of no use to anyone.
    pub(crate) fn refused(reason: &str) -> Self {
        Self {
            verdict: Verdict::Refused,
            code: "INVALID_ARGUMENT".into(),
            message: Text::bounded(reason),
        }
    }

    /// A gRPC status that a server made.
    pub(crate) fn of_grpc(status: &Status, message: Text) -> Self {
        let details = rpc::Status::decode(status.details()).unwrap_or_default();
        let after = retry_delay(&details);
        let verdict = match status.code() {
            _ if is_about_size(status) => Verdict::TooLarge,
            Code::ResourceExhausted if after.is_none() => Verdict::Refused,
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => Verdict::Again { after },
            Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => Verdict::Misconfigured,
            _ => Verdict::Refused,
        };
        Self {
            verdict,
            code: RpcCode::from_number(i32::from(status.code()))
                .unwrap_or(RpcCode::UNKNOWN)
                .name()
                .into(),
            message,
        }
    }

    /// An HTTP status other than success.
    pub(crate) fn of_http(status: StatusCode, after: Option<Duration>, message: Text) -> Self {
        let verdict = match status.as_u16() {
            429 | 502 | 503 | 504 => Verdict::Again { after },
            413 => Verdict::TooLarge,
            401 | 403 | 404 | 405 | 407 | 415 | 421 => Verdict::Misconfigured,
            400.. => Verdict::Refused,
            _ => Verdict::Misconfigured,
        };
        Self {
            verdict,
            code: status_label(status),
            message,
        }
    }

    /// Something answered that does not speak OTLP.
    pub(crate) fn no_collector(code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            verdict: Verdict::Misconfigured,
            code: code.into(),
            message: Text::bounded("what answers there is no collector of traces"),
        }
    }

    /// How many spans of so many the collector took.
    pub(crate) fn taken_of(&self, spans: u64) -> u64 {
        match self.verdict {
            Verdict::Taken { rejected } => spans.saturating_sub(rejected),
            _ => 0,
        }
    }

    /// What an operator should know, in words that stay the same while the problem does.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Taken { rejected: 0 } if self.message.as_str().is_empty() => None,
            Verdict::Taken { rejected: 0 } => Some("the collector of traces took everything, with a warning"),
            Verdict::Taken { .. } => Some("the collector of traces rejected some spans, they are lost"),
            Verdict::Again { .. } => Some("traces cannot be sent: they wait, and are sent again"),
            // It may take the halves: what came of them is told when that is known.
            Verdict::Refused => None,
            Verdict::TooLarge => {
                Some("the collector of traces wants smaller requests: it gets them from now on")
            }
            Verdict::Misconfigured if self.code == PROTOCOL => Some(
                "the collector of traces cannot be understood: nothing is lost yet, check the endpoint and the \
                 protocol",
            ),
            Verdict::Misconfigured => Some(
                "the collector of traces refuses us: nothing is lost yet, check the endpoint, the protocol and \
                 OTEL_EXPORTER_OTLP_HEADERS",
            ),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        match self.verdict {
            Verdict::Taken { rejected } if rejected > 0 => write!(f, ", {rejected} rejected")?,
            _ => {}
        }
        match self.message.as_str() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

/// How long the details of a status ask us to wait.
pub(crate) fn retry_delay(details: &rpc::Status) -> Option<Duration> {
    let delay = detail::<rpc::RetryInfo>(details)?.retry_delay?;
    Duration::try_from(delay).ok()
}

/// Statuses that nobody registered share a label.
pub(crate) fn status_label(status: StatusCode) -> Cow<'static, str> {
    match status.canonical_reason() {
        Some(_) => Cow::Owned(status.as_str().to_owned()),
        None => Cow::Borrowed("(other)"),
    }
}
