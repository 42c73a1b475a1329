//! Times, numbers and names in words that people read.

use crate::clock::Timestamp;
use crate::model::{JobId, JobStatus, Kind, OperationId, State, Text, TrackedOperation};
use maud::{Markup, html};
use std::time::Duration;

/// A duration in its two largest units.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    let units = match (days, hours, minutes) {
        (0, 0, 0) => [(seconds, "s"), (0, "")],
        (0, 0, _) => [(minutes, "min"), (seconds, "s")],
        (0, _, _) => [(hours, "h"), (minutes, "min")],
        _ => [(days, "d"), (hours, "h")],
    };
    let told = units
        .iter()
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0);
    let told: Vec<String> = told
        .map(|(_, (count, unit))| format!("{count}\u{a0}{unit}"))
        .collect();
    told.join(" ")
}

/// How long ago something was, in its largest unit, with the moment itself for programs and for who points at it.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> Markup {
    let told = span(now.since(at));
    let largest = told.split(' ').next().unwrap_or_default();
    moment(at, &format!("{largest} ago"))
}

/// Words for a moment, with the moment itself.
pub(super) fn moment(at: Timestamp, words: &str) -> Markup {
    let exact = at.rfc3339();
    html! { time datetime=(exact) title=(exact) { (words) } }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push('\u{202f}');
        }
        told.push(digit);
    }
    told
}

/// The number of things in a list.
pub(super) fn length(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// What an operation is called: by its user, or else by the cloud.
pub(super) fn name(row: &TrackedOperation) -> &str {
    let notebook = row.about.notebook_id.as_deref();
    let named = row.about.name.as_ref().or(notebook).map(Text::as_str);
    named.filter(|name| !name.trim().is_empty()).unwrap_or(row.id())
}

/// A name for the row's element, the same from one rendering to the next.
pub(super) fn anchor(row: &TrackedOperation) -> String {
    format!("operation-{}", row.key.0)
}

/// How a live operation stands.
pub(super) fn standing(row: &TrackedOperation) -> &'static str {
    if let Some(unread) = row.unreadable.filter(|_| row.outcome.is_none()) {
        return unread.reason.words();
    }
    match (row.state, row.status) {
        _ if !row.observed => "not read yet",
        (State::Failing, _) => "failing",
        (_, Some(status)) => phase(status),
        (State::Running | State::Done, None) => "running",
    }
}

/// A status as a word of prose.
pub(super) fn phase(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Creating => "creating",
        JobStatus::Preparing => "preparing",
        JobStatus::Executing => "executing",
        JobStatus::UploadingOutput => "uploading",
        JobStatus::Cancelling => "cancelling",
        JobStatus::Success => "success",
        JobStatus::Error => "error",
        JobStatus::Cancelled => "cancelled",
        JobStatus::Unknown => "unknown status",
    }
}

/// What it executes, where that is no job.
pub(super) fn kind(row: &TrackedOperation) -> Option<&'static str> {
    match row.kind {
        Kind::Job => None,
        Kind::Notebook => Some("notebook"),
        Kind::Other => row.observed.then_some("other operation"),
    }
}

/// All ids it is known by.
pub(super) fn ids(row: &TrackedOperation) -> impl Iterator<Item = &str> {
    let operation_id = row.operation_id.as_ref().map(OperationId::as_str);
    let job_id = row.job_id.as_ref().map(JobId::as_str);
    let aliases = row.about.aliases.iter().map(OperationId::as_str);
    operation_id.into_iter().chain(job_id).chain(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_two_largest_units_and_none_that_is_zero() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (3_725, "1 h 2 min"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
        ];
        for (seconds, words) in cases {
            let told = span(Duration::from_secs(seconds));
            assert_eq!(told.replace('\u{a0}', " "), words);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")];
        for (number, words) in cases {
            assert_eq!(count(number).replace('\u{202f}', " "), words);
        }
    }
}
