//! What may be typed to a running exporter.

use crate::cli::arguments::Output;
use crate::cli::exporter::BaseUrl;
use crate::model::{JobStatus, Kind, OperationId, ProjectId, State};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Where the exporter is, and how its answers are shown.
#[derive(Args, Debug)]
pub(crate) struct Running {
    /// The exporter's own address, not the cloud's, or `unix:/PATH`; also from the environment, as `DATASPHERE_EXPORTER_URL`, where
    /// others do not see the password of `http://USER:PASSWORD@HOST` [default: `http://localhost:10477`]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<BaseUrl>,
    /// PEM file of the authorities that vouch for the exporter's certificate [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// PEM file of a certificate to show to the exporter
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// The user to sign in as; the password is in --password-file, or in the environment as
    /// `DATASPHERE_EXPORTER_PASSWORD`
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// File of the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `track`.
#[derive(Args, Debug)]
pub(crate) struct Track {
    /// Ids of operations, or of jobs with --job
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<OperationId>,
    /// A label to attach, shown where metrics.labels names it; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
    /// The ids are of jobs, so without progress and return code
    #[arg(long)]
    pub(crate) job: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// `untrack`.
#[derive(Args, Debug)]
pub(crate) struct Untrack {
    /// Ids of operations or jobs
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<OperationId>,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// `list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only what is in this state
    #[arg(long, value_parser = PossibleValuesParser::new(State::ALL.map(State::label)))]
    pub(crate) state: Option<String>,
    /// Only this kind
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::label)))]
    pub(crate) kind: Option<String>,
    /// Only jobs in this status
    #[arg(long, value_parser = PossibleValuesParser::new(JobStatus::ALL.map(JobStatus::label)))]
    pub(crate) status: Option<String>,
    /// Only what is of this project
    #[arg(long, value_name = "PROJECT_ID")]
    pub(crate) project: Option<ProjectId>,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// `healthcheck`.
#[derive(Args, Debug)]
pub(crate) struct Healthcheck {
    /// Ask whether it is ready, which waits for the first look at the cloud, and not only whether it is alive
    #[arg(long)]
    pub(crate) ready: bool,
    /// Take whatever certificate it shows, which is seldom for `localhost`; for loopback addresses only
    #[arg(long, conflicts_with = "ca_file")]
    pub(crate) insecure: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// A name and a value.
pub(crate) fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE"),
    }
}
