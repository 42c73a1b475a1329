//! Scripted faults: what goes wrong, where, when and how often.

use crate::simulator::{scenario::CodeName, span::Span};
use serde::Deserialize;

/// Something that goes wrong while all its conditions hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method: a full path, or its end, as `OperationService/Get`; absent means every method.
    pub method: Option<String>,
    /// An id or a name that the call is about: of an operation, a job, a notebook, a project or a community.
    /// What belongs to a project or a job is about that project or job as well.
    pub id: Option<String>,
    /// Since when, counted from the start; absent means from the start.
    pub from: Option<Span>,
    /// Until when; absent means for ever.
    pub until: Option<Span>,
    /// How many calls pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls are hit; absent means all.
    pub count: Option<u64>,
    /// What happens.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What happens to a call.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The call fails.
    Refuse {
        /// With this code.
        code: CodeName,
        /// And this message.
        #[serde(default)]
        message: String,
    },
    /// The answer comes this much later, on the clock.
    Delay(Span),
    /// The connection is dropped without an answer.
    Reset,
    /// More calls than this in a second on the clock fail with `RESOURCE_EXHAUSTED`.
    RateLimit(u32),
    /// Every token issued so far dies before the call is looked at.
    RevokeTokens,
    /// The `Any` values of an operation carry a type that nobody knows.
    UnknownType,
    /// A part of an operation ends in mid-field.
    Truncate(Part),
    /// The metadata of an operation grows by so many bytes.
    Pad(usize),
    /// The timestamps of the answer are off by this much, on the clock.
    ClockSkew(Span),
}

/// A part of an operation.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `Operation.metadata`.
    Metadata,
    /// `Operation.response`.
    Response,
}

impl Fault {
    /// A fault that hits every call, always; narrow it by setting fields.
    pub fn of(action: Action) -> Self {
        Self {
            method: None,
            id: None,
            from: None,
            until: None,
            skip: 0,
            count: None,
            action,
        }
    }

    /// Only calls of this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only calls about this id or name.
    #[must_use]
    pub fn about(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// Only so many calls.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}
