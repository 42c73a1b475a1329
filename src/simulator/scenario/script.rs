//! Scripts of single executions.

use crate::proto::yandex::cloud::datasphere::v2::jobs::JobStatus;
use crate::simulator::{
    Error,
    scenario::{CodeName, StatusName},
    span::Span,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A job, once or again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobScript {
    /// Its name; `{date}`, `{run}` and `{hash}` are replaced in each run.
    pub name: String,
    /// Its id, when it must be a certain one; not with `every`.
    pub id: Option<String>,
    /// The id of its operation, when it must be a certain one; not with `every`.
    pub operation_id: Option<String>,
    /// A text for people.
    #[serde(default)]
    pub description: String,
    /// The machine it runs on.
    #[serde(default = "default_instance_type")]
    pub instance_type: String,
    /// When it begins, counted from the start; negative means that it began before.
    #[serde(default)]
    pub start: Span,
    /// The time from one run to the next; absent means one run.
    pub every: Option<Span>,
    /// How many runs in all; absent means no end.
    pub runs: Option<u64>,
    /// How many of the newest runs are remembered.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// The statuses it goes through.
    #[serde(default = "default_timeline")]
    pub timeline: Vec<Stage>,
    /// What it tells while it executes; absent means nothing.
    pub progress: Option<ProgressScript>,
    /// How it ends.
    #[serde(default)]
    pub end: End,
    /// Its status once it ended; absent means the one that fits the end.
    pub final_status: Option<StatusName>,
    /// How long its operation stays not done after that.
    #[serde(default)]
    pub done_after: Span,
    /// How long its data is kept, on the clock; absent means for ever.
    pub data_ttl: Option<Span>,
    /// Its command line.
    #[serde(default = "default_command")]
    pub command: String,
    /// Its environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The files it makes.
    #[serde(default)]
    pub outputs: Vec<OutputFile>,
    /// The files it fails to make.
    #[serde(default)]
    pub output_errors: Vec<OutputError>,
    /// Who made it.
    #[serde(default = "default_author")]
    pub created_by: String,
}

/// One status on the way.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Which.
    pub status: StatusName,
    /// For how long; absent means for ever.
    pub lasts: Option<Span>,
}

/// What a job tells about its progress while it executes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressScript {
    /// The time from one telling to the next.
    #[serde(default = "default_telling")]
    pub every: Span,
    /// Executing time from 0 to 100 percent; absent means all of it.
    pub over: Option<Span>,
    /// How it rises.
    #[serde(default)]
    pub curve: Curve,
    /// The percentage at which the job falls silent.
    pub stalls_at: Option<i64>,
}

/// How progress rises.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Evenly.
    #[default]
    Linear,
    /// Slowly at first.
    Accelerating,
    /// Slowly at last.
    Decelerating,
}

/// How an execution ends after its last stage.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The operation succeeds with return code 0.
    #[default]
    Success,
    /// The operation succeeds with this return code.
    ReturnCode(i64),
    /// The operation succeeds and says nothing of a return code.
    WithoutResult,
    /// The operation fails.
    Error(Refusal),
    /// The operation fails with `CANCELLED`.
    Cancelled,
}

/// An error of the service.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Its code.
    pub code: CodeName,
    /// Its message.
    #[serde(default)]
    pub message: String,
    /// The quota that was exceeded, as a `google.rpc.QuotaFailure` detail.
    pub quota: Option<String>,
    /// The Python exception of a notebook, as a `NodeExecutionErrorDetails` detail.
    pub exception: Option<String>,
}

/// A file that a job makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFile {
    /// Where the job writes it.
    pub path: String,
    /// The variable that stands for the path.
    #[serde(default)]
    pub var: String,
    /// What is in it; absent means a line that says whose it is.
    pub content: Option<String>,
}

/// A file that a job fails to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputError {
    /// Where the job should have written it.
    pub path: String,
    /// Whether it was never written, rather than not stored.
    #[serde(default)]
    pub not_found: bool,
    /// A text for people.
    #[serde(default)]
    pub description: String,
}

/// A notebook execution, once or again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotebookScript {
    /// The path of the notebook.
    pub path: String,
    /// The id of its operation, when it must be a certain one; not with `every`.
    pub operation_id: Option<String>,
    /// When it begins, counted from the start.
    #[serde(default)]
    pub start: Span,
    /// The time from one run to the next; absent means one run.
    pub every: Option<Span>,
    /// How many runs in all; absent means no end.
    pub runs: Option<u64>,
    /// How many of the newest runs are remembered.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// How long it runs: half a minute unless given; `null` means for ever.
    #[serde(default = "default_notebook")]
    pub lasts: Option<Span>,
    /// How it ends.
    #[serde(default)]
    pub end: NotebookEnd,
    /// Whether the messages of the first API version are used.
    #[serde(default)]
    pub v1: bool,
    /// The machine it runs on.
    #[serde(default = "default_instance_type")]
    pub instance_type: String,
    /// Who started it.
    #[serde(default = "default_author")]
    pub created_by: String,
}

/// How a notebook execution ends.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum NotebookEnd {
    /// The operation succeeds with `OK`.
    #[default]
    Ok,
    /// The operation succeeds with `ERROR`.
    Failed,
    /// The operation succeeds with `ABORTED`.
    Aborted,
    /// The operation fails.
    Error(Refusal),
}

impl JobScript {
    /// A job of this name that lives an ordinary life.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: None,
            operation_id: None,
            description: String::new(),
            instance_type: default_instance_type(),
            start: Span::default(),
            every: None,
            runs: None,
            keep: default_keep(),
            timeline: default_timeline(),
            progress: None,
            end: End::default(),
            final_status: None,
            done_after: Span::default(),
            data_ttl: None,
            command: default_command(),
            environment: BTreeMap::new(),
            outputs: Vec::new(),
            output_errors: Vec::new(),
            created_by: default_author(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let name = &self.name;
        check_repetition(name, self.every, self.id.is_some() || self.operation_id.is_some())?;
        if self
            .timeline
            .iter()
            .any(|stage| stage.lasts.is_some_and(Span::is_negative))
        {
            return Err(impossible(name, "`lasts` of a stage is negative"));
        }
        if self.progress.is_some_and(|progress| {
            progress.every <= Span::default() || progress.over.is_some_and(|over| over <= Span::default())
        }) {
            return Err(impossible(
                name,
                "`every` and `over` of its `progress` must be above zero",
            ));
        }
        if self.done_after.is_negative() {
            return Err(impossible(name, "`done_after` is negative"));
        }
        Ok(())
    }
}

impl NotebookScript {
    /// An execution of this notebook that ends well after half a minute.
    pub fn of(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            operation_id: None,
            start: Span::default(),
            every: None,
            runs: None,
            keep: default_keep(),
            lasts: default_notebook(),
            end: NotebookEnd::default(),
            v1: false,
            instance_type: default_instance_type(),
            created_by: default_author(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        check_repetition(&self.path, self.every, self.operation_id.is_some())?;
        if self.lasts.is_some_and(Span::is_negative) {
            return Err(impossible(&self.path, "`lasts` is negative"));
        }
        Ok(())
    }
}

fn check_repetition(name: &str, every: Option<Span>, has_id: bool) -> Result<(), Error> {
    match every {
        Some(every) if every <= Span::default() => Err(impossible(name, "`every` must be above zero")),
        Some(_) if has_id => Err(impossible(
            name,
            "`every` makes many runs, so no run can be given an id",
        )),
        _ => Ok(()),
    }
}

fn impossible(name: &str, why: &str) -> Error {
    Error::Impossible {
        what: format!("script `{name}`: {why}"),
    }
}

fn default_instance_type() -> String {
    "c1.4".to_owned()
}

fn default_keep() -> usize {
    10
}

fn default_timeline() -> Vec<Stage> {
    let stage = |status: JobStatus, seconds| Stage {
        status: status.into(),
        lasts: Some(Span::seconds(seconds)),
    };
    vec![
        stage(JobStatus::Creating, 5),
        stage(JobStatus::Preparing, 60),
        stage(JobStatus::Executing, 300),
        stage(JobStatus::UploadingOutput, 10),
    ]
}

fn default_telling() -> Span {
    Span::seconds(30)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the default of a field that may be absent"
)]
fn default_notebook() -> Option<Span> {
    Some(Span::seconds(30))
}

fn default_command() -> String {
    "python train.py".to_owned()
}

fn default_author() -> String {
    "ajesimulatedauthor01".to_owned()
}
