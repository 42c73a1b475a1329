//! The span of a whole operation, told last and with everything.

use crate::clock::Timestamp;
use crate::model::{Kind, Outcome, SpanLink, Text, Trace, TrackedOperation, Visit};
use crate::traces::attribute::{
    ACTION_NAME, DATA_SIZE, DESCRIPTION, END_REASON, ERROR_CODE, ERROR_REASON, ERROR_TYPE, EXCEPTION_TYPE,
    JOB_CREATED_AT, METADATA_TYPE, NOT_FOUND, OTHER_OUTPUT_ERRORS, OUTCOME, RELATION, RESULT, STATUS_DETAILS,
    UPLOAD_FAILED,
};
use crate::traces::ending::Ending;
use crate::traces::phase::running;
use crate::traces::span::{
    Attributes, FLAGS_OF_LOCAL_PARENT, FLAGS_OF_REMOTE_PARENT, describe, identifying, nanos, passed_on,
    pipeline_name,
};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, status::StatusCode};

/// The root of an operation that ended; `left` is the visit to a status that the end closed.
pub(crate) fn root(row: &TrackedOperation, trace: &Trace, left: Option<&Visit>) -> Option<Span> {
    let ending = Ending::new(row, row.outcome?);
    let parent_id = trace.parent_id.map(|id| id.to_bytes().to_vec());
    Some(Span {
        trace_id: trace.trace_id.to_bytes().to_vec(),
        span_id: trace.root_id.to_bytes().to_vec(),
        trace_state: passed_on(trace.state.as_ref()),
        flags: if parent_id.is_some() {
            FLAGS_OF_REMOTE_PARENT
        } else {
            FLAGS_OF_LOCAL_PARENT
        },
        parent_span_id: parent_id.unwrap_or_default(),
        name: name(row),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanos(trace.begins_at),
        end_time_unix_nano: nanos(ends_at(row, trace, left)),
        attributes: attributes(row, ending).into_vec(),
        links: trace.links.iter().map(link).collect(),
        status: status(row, ending),
        ..Span::default()
    })
}

/// `RUN` and what is run, as far as that is one of few.
fn name(row: &TrackedOperation) -> String {
    match (row.kind, pipeline_name(row)) {
        (Kind::Notebook, _) => "RUN notebook".to_owned(),
        (_, Some(pipeline)) => format!("RUN {pipeline}"),
        (_, None) => "RUN".to_owned(),
    }
}

/// The end, no earlier than anything that was told of the trace: a clock that is wrong does not put a child outside
/// of its root.
fn ends_at(row: &TrackedOperation, trace: &Trace, left: Option<&Visit>) -> Timestamp {
    let phase_since = left.map(|visit| visit.since).or(row.status_since);
    let told_at = trace.begins_at.max(trace.seen_at);
    row.over_at()
        .max(phase_since)
        .map_or(told_at, |at| at.max(told_at))
}

fn attributes(row: &TrackedOperation, ending: Ending) -> Attributes {
    let (about, reported) = (&row.about, &row.reported);
    let mut attributes = identifying(row, row.status);
    describe(&mut attributes, row);
    attributes.text(ACTION_NAME, Some("RUN"));
    attributes.text(RESULT, Some(ending.result));
    attributes.text(ERROR_TYPE, ending.error_type);
    attributes.text(OUTCOME, row.outcome.map(|outcome| outcome.kind().label()));
    let is_lost = row.outcome == Some(Outcome::Lost);
    attributes.text(END_REASON, is_lost.then_some("lost"));
    running(&mut attributes, row);
    if let Some(error) = &reported.error {
        let reason = match row.kind {
            Kind::Notebook => EXCEPTION_TYPE,
            Kind::Job | Kind::Other => ERROR_REASON,
        };
        attributes.integer(ERROR_CODE, Some(error.code.number()));
        attributes.text(reason, error.reason.as_ref().map(Text::as_str));
    }
    attributes.text(DESCRIPTION, about.description.as_ref().map(Text::as_str));
    attributes.text(METADATA_TYPE, about.metadata_type.as_deref().map(Text::as_str));
    attributes.text(STATUS_DETAILS, about.status_details.as_deref().map(Text::as_str));
    attributes.text(JOB_CREATED_AT, reported.job_created_at.map(Timestamp::rfc3339));
    attributes.integer(DATA_SIZE, reported.data_size_bytes);
    if let Some(errors) = row.output_errors() {
        for (attribute, count) in [
            (UPLOAD_FAILED, errors.upload_failed),
            (NOT_FOUND, errors.not_found),
            (OTHER_OUTPUT_ERRORS, errors.unknown),
        ] {
            attributes.integer(attribute, Some(count).filter(|count| *count > 0));
        }
    }
    attributes
}

/// Unset unless something failed: that it went well is not ours to say.
fn status(row: &TrackedOperation, ending: Ending) -> Option<Status> {
    ending.error_type?;
    let message = row
        .reported
        .error
        .as_ref()
        .and_then(|error| error.message.as_ref());
    Some(Status {
        message: message.map(ToString::to_string).unwrap_or_default(),
        code: StatusCode::Error.into(),
    })
}

fn link(link: &SpanLink) -> Link {
    let mut attributes = Attributes::default();
    attributes.text(RELATION, Some(link.relation.label()));
    Link {
        trace_id: link.trace_id.to_bytes().to_vec(),
        span_id: link.span_id.to_bytes().to_vec(),
        trace_state: passed_on(link.state.as_ref()),
        attributes: attributes.into_vec(),
        ..Link::default()
    }
}
