//! The trace of one operation: its ids, what they are made of, and what it hangs on.

use crate::clock::Timestamp;
use crate::model::{JobId, OperationId, TraceState};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// What is fixed of an operation's trace before anything of it is told. An operation without one is not traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The trace: the caller's where it is the parent, otherwise made from the seed.
    pub trace_id: TraceId,
    /// The span of the whole operation, made from the seed.
    pub root_id: SpanId,
    /// What every span id of it is made of.
    pub seed: Seed,
    /// The caller's span, if it is the parent.
    pub parent_id: Option<SpanId>,
    /// What the caller passes on along its trace, if it is the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TraceState>,
    /// Spans that the root links to, the first ones first; at most `limits::TRACE_LINKS_MAX`.
    pub links: Vec<SpanLink>,
    /// When the root begins: no span of the trace begins earlier.
    pub begins_at: Timestamp,
    /// When the operation was seen first, no earlier than its beginning and no later than its end.
    pub seen_at: Timestamp,
}

/// What an operation is, as far as the ids of its trace are concerned.
///
/// A job's first execution is known by the job alone, since a listing tells no operation id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seed {
    /// The first execution of a job.
    Job(JobId),
    /// A further one, with its operation id, or its start in RFC 3339 where that is unknown.
    Attempt(Box<(JobId, SmolStr)>),
    /// An operation that is no job.
    Operation(OperationId),
}

/// A span that another one points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanLink {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// What is passed on along its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TraceState>,
    /// Why it is pointed to.
    pub relation: Relation,
}

/// Why a span links to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// It asked for the execution.
    Caller,
    /// It is the first execution of the same job.
    FirstAttempt,
    /// It executed the job that this one was cloned from.
    ParentJob,
}

impl Relation {
    /// The value of the link's attribute.
    pub fn label(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::FirstAttempt => "first_attempt",
            Self::ParentJob => "parent_job",
        }
    }
}

/// Why a string is not an id of a trace or span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id of a trace has 32, one of a span 16 lower-case hexadecimal digits, not all of them zero")]
pub struct TraceIdError;

/// A trace's id: 16 bytes, not all zero. See <https://www.w3.org/TR/trace-context/#trace-id>.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TraceId(NonZeroU128);

/// A span's id: 8 bytes, not all zero. See <https://www.w3.org/TR/trace-context/#parent-id>.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SpanId(NonZeroU64);

macro_rules! hexadecimal {
    ($name:ident, $number:ty, $non_zero:ty, $bytes:literal) => {
        impl $name {
            /// From its bytes, in W3C's order; `None` when all are zero.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                <$non_zero>::new(<$number>::from_be_bytes(bytes)).map(Self)
            }

            /// Its bytes, in W3C's order.
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0.get().to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$x}", self.0, width = $bytes * 2)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = TraceIdError;

            fn from_str(hex: &str) -> Result<Self, TraceIdError> {
                let is_lower_hex = hex
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if hex.len() != $bytes * 2 || !is_lower_hex {
                    return Err(TraceIdError);
                }
                let number = <$number>::from_str_radix(hex, 16).map_err(|_| TraceIdError)?;
                <$non_zero>::new(number).map(Self).ok_or(TraceIdError)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = TraceIdError;

            fn try_from(hex: String) -> Result<Self, TraceIdError> {
                hex.parse()
            }
        }
    };
}

hexadecimal!(TraceId, u128, NonZeroU128, 16);
hexadecimal!(SpanId, u64, NonZeroU64, 8);

/// Where a caller stood in its own trace when it asked for an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The caller's trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub span_id: SpanId,
    /// Whether the caller's spans are recorded, so that a parent will exist.
    pub is_sampled: bool,
    /// What it passes on along its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TraceState>,
}

impl TraceContext {
    /// From the headers of one call; `None` unless `traceparent` is valid. A `tracestate` that is not is dropped.
    pub fn from_headers<'a>(
        traceparent: &str,
        tracestate: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        let context = Self::from_traceparent(traceparent)?;
        Some(Self {
            state: TraceState::from_headers(tracestate),
            ..context
        })
    }

    /// From a header `traceparent`; `None` unless it is valid to the letter. Of versions to come, the part that
    /// this one knows is read. See <https://www.w3.org/TR/trace-context/#traceparent-header>.
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (version, flags) = (hex_byte(version)?, hex_byte(flags)?);
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Some(Self {
            trace_id: trace_id.parse().ok()?,
            span_id: span_id.parse().ok()?,
            is_sampled: flags & 1 == 1,
            state: None,
        })
    }

    /// The caller as what a root links to.
    pub fn link(self) -> SpanLink {
        SpanLink {
            trace_id: self.trace_id,
            span_id: self.span_id,
            state: self.state,
            relation: Relation::Caller,
        }
    }
}

impl SpanLink {
    /// Whether it points to the same span for the same reason, whatever is passed on along with it.
    pub fn is_to_same(&self, other: &Self) -> bool {
        (self.trace_id, self.span_id, self.relation) == (other.trace_id, other.span_id, other.relation)
    }
}

impl Trace {
    /// The operation's root as what another one links to.
    pub fn link(&self, relation: Relation) -> SpanLink {
        SpanLink {
            trace_id: self.trace_id,
            span_id: self.root_id,
            state: self.state.clone(),
            relation,
        }
    }
}

/// Two lower-case hexadecimal digits.
fn hex_byte(hex: &str) -> Option<u8> {
    let is_lower_hex = hex
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (hex.len() == 2 && is_lower_hex)
        .then(|| u8::from_str_radix(hex, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_valid_traceparent_is_read() {
        let context = TraceContext::from_traceparent(&format!("00-{TRACE}-{SPAN}-01")).expect("valid");
        assert_eq!(context.trace_id.to_string(), TRACE);
        assert_eq!(context.span_id.to_string(), SPAN);
        assert!(context.is_sampled);
        let unsampled = TraceContext::from_traceparent(&format!("00-{TRACE}-{SPAN}-02")).expect("valid");
        assert!(!unsampled.is_sampled);
        assert!(TraceContext::from_traceparent(&format!("cc-{TRACE}-{SPAN}-01-what-comes")).is_some());
    }

    #[test]
    fn an_invalid_traceparent_is_no_context() {
        let (zero_trace, zero_span) = ("0".repeat(32), "0".repeat(16));
        for header in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{zero_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{zero_span}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
        ] {
            assert_eq!(TraceContext::from_traceparent(&header), None, "{header:?}");
        }
    }

    #[test]
    fn a_bad_tracestate_is_dropped_and_the_traceparent_stays() {
        let read =
            |state| TraceContext::from_headers(&format!("00-{TRACE}-{SPAN}-01"), [state]).expect("valid");
        assert_eq!(read("a=1").state.expect("a state").as_str(), "a=1");
        assert_eq!(read("a=1,a=2"), read(""));
        assert_eq!(TraceContext::from_headers("nonsense", ["a=1"]), None);
    }

    #[test]
    fn a_context_that_was_written_without_a_state_is_read() {
        let written = format!(r#"{{"trace_id":"{TRACE}","span_id":"{SPAN}","is_sampled":true}}"#);
        let context = serde_json::from_str::<TraceContext>(&written).expect("read");
        assert_eq!(context.state, None);
        assert_eq!(serde_json::to_string(&context).expect("written"), written);
    }

    #[test]
    fn ids_survive_being_written_and_read() {
        let header = format!("00-{TRACE}-{SPAN}-01");
        let context = TraceContext::from_headers(&header, ["ot=th:8,a=1"]).expect("valid");
        let written = serde_json::to_string(&context).expect("written");
        assert_eq!(
            serde_json::from_str::<TraceContext>(&written).expect("read"),
            context
        );
        assert_eq!("+".repeat(16).parse::<SpanId>(), Err(TraceIdError));
        assert_eq!(SpanId::from_bytes([0; 8]), None);
    }
}
