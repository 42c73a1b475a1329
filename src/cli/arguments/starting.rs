//! What may be typed to start something.

use crate::cli::arguments::{Access, Output};
use crate::model::{JobId, ProjectId};
use clap::{Args, Subcommand};

/// `job`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Start a job that was made before; prints the operation's id first
    ///
    /// A job that is running goes on in the operation that it has. A job that has ended starts a new run, which costs
    /// units and may replace its results. To look without starting anything, use `track` or `operation get`.
    Execute(JobExecute),
}

/// `notebook`.
#[derive(Debug, Subcommand)]
pub(crate) enum NotebookCommand {
    /// Run a notebook of a project; prints the operation's id first
    Execute(NotebookExecute),
}

/// Whether to stay, and how to show it.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// Follow the run to its end; exits with 0 success, 3 failure, 4 error, 5 cancelled, 6 lost. Ctrl-C ends the
    /// waiting, not the run, and exits with 130
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) access: Access,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `job execute`.
#[derive(Args, Debug)]
pub(crate) struct JobExecute {
    /// The job's id
    #[arg(value_name = "JOB_ID")]
    pub(crate) id: JobId,
    #[command(flatten)]
    pub(crate) start: Start,
}

/// `notebook execute`. Inputs may be secrets, so they are read where no message quotes them.
#[derive(Args)]
pub(crate) struct NotebookExecute {
    /// The project's id
    #[arg(value_name = "PROJECT_ID")]
    pub(crate) project_id: ProjectId,
    /// The notebook's path in the project, such as /home/jupyter/report.ipynb
    #[arg(long, value_name = "PATH")]
    pub(crate) notebook: String,
    /// A value for a variable of the notebook; may be repeated. What reads as JSON is taken as such, so a number is
    /// one; put it in double quotes to have it as text: 'code="5"'
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) start: Start,
}

impl std::fmt::Debug for NotebookExecute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotebookExecute")
            .field("project_id", &self.project_id)
            .field("notebook", &self.notebook)
            .field("inputs", &self.inputs.len())
            .finish_non_exhaustive()
    }
}
