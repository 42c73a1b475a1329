//! The words and colours of values: one table for every status, outcome and code, wherever it is shown.
//!
//! Colour never stands alone: each value has its word.

use datasphere_exporter::model::{JobStatus, NotebookStatus, OutcomeKind};
use serde_json::{Map, Value, json};

pub(crate) const GOOD: &str = "green";
pub(crate) const BAD: &str = "red";
pub(crate) const DOUBTFUL: &str = "orange";
pub(crate) const WARNING: &str = "yellow";
pub(crate) const NEUTRAL: &str = "blue";
pub(crate) const QUIET: &str = "#8e8e8e";

/// What return codes say, and what to do about them.
pub(crate) const RETURN_CODES: [(&str, &str); 10] = [
    ("0", "success"),
    ("1", "error in the program: read its log"),
    ("2", "wrong usage: check the command line"),
    ("126", "not executable: check file mode and interpreter"),
    ("127", "command not found: check the environment and PATH"),
    ("130", "interrupted (SIGINT)"),
    ("134", "aborted (SIGABRT): an assertion or a native library"),
    ("137", "killed (SIGKILL): most often out of memory"),
    ("139", "segmentation fault (SIGSEGV): a native library"),
    ("143", "terminated (SIGTERM): stopped from outside"),
];

/// What the codes of errors say.
const RPC_CODES: [(&str, &str); 8] = [
    ("CANCELLED", "cancelled by a caller"),
    ("INVALID_ARGUMENT", "the request is wrong"),
    ("DEADLINE_EXCEEDED", "took too long"),
    ("PERMISSION_DENIED", "a role is missing"),
    ("RESOURCE_EXHAUSTED", "quota or balance used up"),
    ("FAILED_PRECONDITION", "not in a state for it"),
    ("INTERNAL", "error of the cloud: try again"),
    ("UNAVAILABLE", "the cloud was away: try again"),
];

/// What the codes of notebook executions say.
const NOTEBOOK_CODES: [(&str, &str); 2] = [
    ("ERROR", "a cell of the notebook failed"),
    ("ABORTED", "somebody stopped the notebook"),
];

/// The number of a job's status in a graph.
pub(crate) fn job_status_number(status: JobStatus) -> usize {
    status.index() + 1
}

/// The number of a notebook's status in a graph.
pub(crate) fn notebook_status_number(status: NotebookStatus) -> usize {
    number_of(&NotebookStatus::ALL, &status)
}

/// The number of an outcome in a graph.
pub(crate) fn outcome_number(outcome: OutcomeKind) -> usize {
    number_of(&OutcomeKind::ALL, &outcome)
}

fn number_of<T: PartialEq>(all: &[T], one: &T) -> usize {
    all.iter().position(|other| other == one).map_or(0, |at| at + 1)
}

pub(crate) fn job_statuses() -> Value {
    let word = |status: JobStatus| {
        let colour = match status {
            JobStatus::Creating => QUIET,
            JobStatus::Preparing => "light-blue",
            JobStatus::Executing => NEUTRAL,
            JobStatus::UploadingOutput => "purple",
            JobStatus::Success => GOOD,
            JobStatus::Error => BAD,
            JobStatus::Cancelling => WARNING,
            JobStatus::Cancelled => "#6e6e6e",
            JobStatus::Unknown => DOUBTFUL,
        };
        (
            job_status_number(status).to_string(),
            status.label().to_owned(),
            colour,
        )
    };
    table(JobStatus::ALL.map(word))
}

pub(crate) fn notebook_statuses() -> Value {
    let word = |status: NotebookStatus| {
        let colour = match status {
            NotebookStatus::Running => NEUTRAL,
            NotebookStatus::Ok => GOOD,
            NotebookStatus::Error => BAD,
            NotebookStatus::Aborted => WARNING,
            NotebookStatus::Unknown => DOUBTFUL,
        };
        (
            notebook_status_number(status).to_string(),
            status.label().to_owned(),
            colour,
        )
    };
    table(NotebookStatus::ALL.map(word))
}

pub(crate) fn outcome_colour(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::Success => GOOD,
        OutcomeKind::Failure => BAD,
        OutcomeKind::Error => "purple",
        OutcomeKind::Cancelled => QUIET,
        OutcomeKind::Lost => DOUBTFUL,
    }
}

pub(crate) fn outcomes() -> Value {
    let word = |outcome: OutcomeKind| {
        let number = outcome_number(outcome).to_string();
        (number, outcome.label().to_owned(), outcome_colour(outcome))
    };
    table(OutcomeKind::ALL.map(word))
}

/// Codes of ends with their meanings; what is not in the table is shown as it is.
pub(crate) fn codes() -> Value {
    let all = RETURN_CODES.iter().chain(&RPC_CODES).chain(&NOTEBOOK_CODES);
    let word = |(code, meaning): &(&str, &str)| {
        let colour = match *code {
            "0" => GOOD,
            "CANCELLED" | "ABORTED" => QUIET,
            _ => BAD,
        };
        ((*code).to_owned(), format!("{code}: {meaning}"), colour)
    };
    table(
        all.map(word)
            .chain([(String::new(), "not known".to_owned(), QUIET)]),
    )
}

/// How much an alert wants of its reader.
pub(crate) fn severities() -> Value {
    table(
        [("critical", BAD), ("warning", DOUBTFUL)]
            .map(|(word, colour)| (word.to_owned(), word.to_owned(), colour)),
    )
}

/// 0 in place of a moment that does not come nearer.
pub(crate) fn standstill() -> Value {
    table([("0".to_owned(), "stands still".to_owned(), DOUBTFUL)])
}

/// 1 and 0 of a gauge that says whether something is well.
pub(crate) fn yes_or_no(yes: &str, no: &str) -> Value {
    table([
        ("1".to_owned(), yes.to_owned(), GOOD),
        ("0".to_owned(), no.to_owned(), BAD),
    ])
}

/// 1 and 0 of `datasphere_operation_done`.
pub(crate) fn ended() -> Value {
    table([
        ("1".to_owned(), "yes".to_owned(), QUIET),
        ("0".to_owned(), "no".to_owned(), NEUTRAL),
    ])
}

fn table(rows: impl IntoIterator<Item = (String, String, &'static str)>) -> Value {
    let options: Map<String, Value> = rows
        .into_iter()
        .enumerate()
        .map(|(index, (value, text, color))| (value, json!({ "text": text, "color": color, "index": index })))
        .collect();
    json!([{ "type": "value", "options": options }])
}
