//! The span of one phase: a job's visit to a status.

use crate::identity::{phase_key, phase_name};
use crate::model::{Boundary, JobStatus, Outcome, Text, Trace, TrackedOperation, Visit};
use crate::traces::attribute::{
    Attribute, END_SOURCE, END_UNCERTAINTY, EXIT_CODE, INSTANCE_TYPE, PROGRESS, RUN_STATE, START_SOURCE,
    START_UNCERTAINTY,
};
use crate::traces::span::{Attributes, child, identifying};
use opentelemetry_proto::tonic::trace::v1::Span;

/// The phase that was left; `None` for a status in which nothing runs, and where nobody saw the beginning.
pub(crate) fn phase(row: &TrackedOperation, trace: &Trace, visit: &Visit) -> Option<Span> {
    let (key, name) = (phase_key(visit.status, visit.number)?, phase_name(visit.status)?);
    let start_source = source(visit.start)?;
    let mut attributes = identifying(row, Some(visit.status));
    attributes.text(RUN_STATE, Some(run_state(visit.status)));
    attributes.text(START_SOURCE, Some(start_source));
    uncertainty(&mut attributes, START_UNCERTAINTY, visit.start_uncertainty_ms);
    let lost_at = row.over_at().filter(|_| row.outcome == Some(Outcome::Lost));
    if lost_at.is_some() {
        attributes.text(END_SOURCE, Some("last_seen"));
    } else {
        attributes.text(END_SOURCE, source(visit.end));
        uncertainty(&mut attributes, END_UNCERTAINTY, visit.end_uncertainty_ms);
    }
    // That an operation was lost is known long after it was seen last.
    let until = lost_at.map_or(visit.until, |at| at.min(visit.until).max(visit.since));
    if visit.status == JobStatus::Executing {
        running(&mut attributes, row);
    }
    Some(Span {
        attributes: attributes.into_vec(),
        ..child(trace, &key, name, visit.since, until)
    })
}

/// What is known of the program that ran.
pub(crate) fn running(attributes: &mut Attributes, row: &TrackedOperation) {
    let progress = row.reported.progress.as_ref();
    attributes.integer(EXIT_CODE, row.reported.return_code);
    attributes.text(INSTANCE_TYPE, row.about.instance_type.as_ref().map(Text::as_str));
    attributes.integer(PROGRESS, progress.map(|progress| progress.percent));
}

/// Nothing is said of an uncertainty that is none, or is not known.
fn uncertainty(attributes: &mut Attributes, attribute: &Attribute, millis: u32) {
    attributes.integer(attribute, Some(millis).filter(|millis| *millis > 0));
}

fn source(boundary: Boundary) -> Option<&'static str> {
    match boundary {
        Boundary::FirstSeen => None,
        Boundary::Observed => Some("observed"),
        Boundary::Modified => Some("modified"),
        Boundary::Reported => Some("reported"),
    }
}

fn run_state(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Creating | JobStatus::Preparing => "pending",
        JobStatus::Executing => "executing",
        _ => "finalizing",
    }
}
