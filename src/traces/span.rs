//! What all spans of an operation have in common.

use crate::clock::Timestamp;
use crate::decode::redact;
use crate::identity::{STARTED_KEY, span_id};
use crate::model::{JobId, JobStatus, OperationId, Text, Trace, TraceState, TrackedOperation};
use crate::traces::attribute::{
    ATTEMPT, Attribute, JOB_ID, JOB_NAME, JOB_STATUS, KIND, NOTEBOOK_ID, OPERATION_ID, PARENT_JOB_ID,
    PIPELINE_NAME, RUN_ID, USER_ID,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};

/// Flags of a span whose parent is of the same trace and told by us: recorded, and known not to be remote.
pub(crate) const FLAGS_OF_LOCAL_PARENT: u32 = 0x101;

/// Flags of a span whose parent is told by somebody else.
pub(crate) const FLAGS_OF_REMOTE_PARENT: u32 = 0x301;

/// What the capped names of jobs become beyond their bound.
const OTHER_NAMES: &str = "(other)";

/// The attributes of one span, resource or link, in the order in which they were put.
#[derive(Default)]
pub(crate) struct Attributes(Vec<KeyValue>);

impl Attributes {
    /// A text, if it is known.
    pub(crate) fn text(&mut self, attribute: &Attribute, value: Option<impl Into<String>>) {
        let value = value.map(|value| Value::StringValue(value.into()));
        self.put(attribute.name, value);
    }

    /// A number, if it is known and one that OTLP has.
    pub(crate) fn integer(&mut self, attribute: &Attribute, value: Option<impl TryInto<i64>>) {
        let value = value.and_then(|value| value.try_into().ok());
        self.put(attribute.name, value.map(Value::IntValue));
    }

    /// A text of a name that no declaration knows.
    pub(crate) fn named(&mut self, name: &str, value: &str) {
        self.put(name, Some(Value::StringValue(value.to_owned())));
    }

    fn put(&mut self, name: &str, value: Option<Value>) {
        if value.is_some() {
            self.0.push(KeyValue {
                key: name.to_owned(),
                value: Some(AnyValue { value }),
                ..KeyValue::default()
            });
        }
    }

    /// As OTLP has them.
    pub(crate) fn into_vec(self) -> Vec<KeyValue> {
        self.0
    }
}

/// A span within the root of an operation, without attributes; it ends no earlier than it begins, and neither before
/// the root does.
pub(crate) fn child(trace: &Trace, key: &str, name: &str, from: Timestamp, to: Timestamp) -> Span {
    let from = from.max(trace.begins_at);
    Span {
        trace_id: trace.trace_id.to_bytes().to_vec(),
        span_id: span_id(&trace.seed, key).to_bytes().to_vec(),
        trace_state: passed_on(trace.state.as_ref()),
        parent_span_id: trace.root_id.to_bytes().to_vec(),
        flags: FLAGS_OF_LOCAL_PARENT,
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(from),
        end_time_unix_nano: nanos(to.max(from)),
        ..Span::default()
    }
}

/// The span without length that makes a trace findable from the first look on.
pub(crate) fn started(row: &TrackedOperation, trace: &Trace) -> Span {
    let mut attributes = identifying(row, row.status);
    describe(&mut attributes, row);
    Span {
        attributes: attributes.into_vec(),
        ..child(trace, STARTED_KEY, STARTED_KEY, trace.seen_at, trace.seen_at)
    }
}

/// What every span tells: by it, spans of one job are found.
pub(crate) fn identifying(row: &TrackedOperation, status: Option<JobStatus>) -> Attributes {
    let job_id = row.job_id.as_ref().map(JobId::as_str);
    let operation_id = row.operation_id.as_ref().map(OperationId::as_str);
    let mut attributes = Attributes::default();
    attributes.text(PIPELINE_NAME, pipeline_name(row));
    attributes.text(RUN_ID, job_id.or(operation_id));
    attributes.text(KIND, Some(row.kind.label()));
    attributes.text(JOB_ID, job_id);
    attributes.text(JOB_STATUS, status.map(JobStatus::label));
    attributes
}

/// What the spans of the whole operation tell besides.
pub(crate) fn describe(attributes: &mut Attributes, row: &TrackedOperation) {
    let about = &row.about;
    attributes.text(OPERATION_ID, row.operation_id.as_ref().map(OperationId::as_str));
    attributes.text(JOB_NAME, about.name.as_ref().map(|name| shown(name.as_str())));
    attributes.text(PARENT_JOB_ID, about.parent_job_id.as_deref().map(JobId::as_str));
    attributes.integer(ATTEMPT, Some(row.attempt).filter(|attempt| *attempt > 1));
    attributes.text(
        NOTEBOOK_ID,
        about.notebook_id.as_deref().map(|id| shown(id.as_str())),
    );
    attributes.text(USER_ID, about.created_by.as_ref().map(Text::as_str));
}

/// The job's name as far as it is one of few: what is beyond their bound has none.
pub(crate) fn pipeline_name(row: &TrackedOperation) -> Option<String> {
    let name = row.about.job_name.as_ref()?;
    (!name.is_empty() && name != OTHER_NAMES).then(|| shown(name))
}

/// A text that somebody wrote, without what looks like a secret, and bounded.
pub(crate) fn shown(text: &str) -> String {
    Text::bounded(&redact(text)).as_str().to_owned()
}

/// A trace's state as OTLP has it: every span of the trace has its, as that of an SDK has.
pub(crate) fn passed_on(state: Option<&TraceState>) -> String {
    state.map(|state| state.as_str().to_owned()).unwrap_or_default()
}

/// Unix time in nanoseconds, as OTLP has it.
pub(crate) fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.nanos()).unwrap_or(0)
}
