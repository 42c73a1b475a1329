//! What may be typed.

mod running;
mod starting;

pub(crate) use running::{Healthcheck, List, Running, Track, Untrack};
pub(crate) use starting::{JobCommand, JobExecute, NotebookCommand, NotebookExecute, Start};

use crate::config::{Flags, LogFormat, LogLevel};
use crate::model::OperationId;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--version` says: the version, and which commit and compiler it comes from.
const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("DATASPHERE_EXPORTER_REVISION"),
    ", rustc ",
    env!("DATASPHERE_EXPORTER_RUSTC_VERSION"),
    ")"
);

/// A Prometheus exporter for Yandex DataSphere: follows jobs, notebooks and other long-running operations, and tells
/// how they are and how they end.
#[derive(Debug, Parser)]
#[command(name = "datasphere-exporter", version = BUILD, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch and serve; the default
    Serve(Serve),
    /// The whole product without an account: a simulated fleet, and the exporter on it
    Demo(Demo),
    /// Only the simulator: a believable DataSphere on a local port
    Simulate(Simulate),
    /// Check the configuration and end
    CheckConfig(Printed),
    /// Print the configuration in effect, with secrets as ***
    PrintConfig(Printed),
    /// One operation, straight from the cloud
    #[command(subcommand)]
    Operation(OperationCommand),
    /// Jobs, straight from the cloud
    #[command(subcommand)]
    Job(JobCommand),
    /// Notebooks, straight from the cloud
    #[command(subcommand)]
    Notebook(NotebookCommand),
    /// Have a running exporter watch operations
    Track(Track),
    /// Have a running exporter watch and show operations no more, and never count them again
    Untrack(Untrack),
    /// Show what a running exporter watches
    List(List),
    /// Ask a running exporter whether it is well; exits with 0 if it is, and with 1 if not
    ///
    /// For containers and scripts that have no other program to ask with. With --output json it prints a document in
    /// either case.
    Healthcheck(Healthcheck),
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `serve`.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Check the configuration and end
    #[arg(long = "config.check")]
    pub(crate) config_check: bool,
    /// How to print what the check says
    #[arg(long, value_enum, default_value_t = Output::Text, requires = "config_check")]
    pub(crate) output: Output,
}

/// `check-config` and `print-config`.
#[derive(Args, Debug)]
pub(crate) struct Printed {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Settings on the command line. Each may also come from the environment, as `DATASPHERE_EXPORTER_` and its name with
/// dots and dashes as underscores; a flag wins over the environment, and that over the file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The configuration; docs/configuration.md lists all keys
    #[arg(long = "config.file", value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// The folder for what survives a restart [default: ./data]; empty keeps everything in memory
    #[arg(long = "storage.path", value_name = "FOLDER")]
    pub(crate) storage_path: Option<String>,
    #[command(flatten)]
    pub(crate) surface: Surface,
}

/// Settings of a command that calls the cloud itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct Access {
    /// The configuration, of which `cloud` and `watch` matter; docs/configuration.md lists all keys
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long = "log.level", value_name = "LEVEL")]
    log_level: Option<String>,
    /// logfmt or json [default: logfmt]
    #[arg(long = "log.format", value_name = "FORMAT")]
    log_format: Option<String>,
}

impl From<&Access> for Settings {
    fn from(access: &Access) -> Self {
        Self {
            config_file: access.config_file.clone(),
            surface: Surface {
                log_level: access.log_level.clone(),
                log_format: access.log_format.clone(),
                ..Surface::default()
            },
            ..Self::default()
        }
    }
}

/// What is served and logged, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Surface {
    /// Where to listen: HOST:PORT, :PORT or `unix:/PATH` [default: :10477, of `demo` 127.0.0.1:10477]; may be repeated
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    pub(crate) web_listen_address: Vec<String>,
    /// Where metrics are served [default: /metrics]
    #[arg(long = "web.telemetry-path", value_name = "PATH")]
    pub(crate) web_telemetry_path: Option<String>,
    /// Scrapes served at once [default: 40]
    #[arg(long = "web.max-requests", value_name = "NUMBER")]
    pub(crate) web_max_requests: Option<String>,
    /// Who may connect, and how: TLS, client certificates, users; docs/web-configuration.md tells more
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(crate) web_config_file: Option<String>,
    /// Listen on the sockets that systemd hands over, and on no address
    #[arg(long = "web.systemd-socket")]
    pub(crate) web_systemd_socket: bool,
    /// Where browsers find this server, if not at an address or localhost
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(crate) web_external_url: Option<String>,
    /// Have POST /-/reload reload the configuration, and POST /-/quit end the exporter
    #[arg(
        long = "web.enable-lifecycle",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) web_enable_lifecycle: Option<String>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long = "log.level", value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// logfmt or json [default: logfmt]
    #[arg(long = "log.format", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl From<&Settings> for Flags {
    fn from(settings: &Settings) -> Self {
        Self {
            storage_path: settings.storage_path.clone(),
            ..Self::from(&settings.surface)
        }
    }
}

impl From<&Surface> for Flags {
    fn from(surface: &Surface) -> Self {
        Self {
            web_listen_address: surface.web_listen_address.clone(),
            web_telemetry_path: surface.web_telemetry_path.clone(),
            web_max_requests: surface.web_max_requests.clone(),
            web_external_url: surface.web_external_url.clone(),
            web_enable_lifecycle: surface.web_enable_lifecycle.clone(),
            web_config_file: surface.web_config_file.clone(),
            web_systemd_socket: surface.web_systemd_socket,
            storage_path: None,
            log_level: surface.log_level.clone(),
            log_format: surface.log_format.clone(),
        }
    }
}

/// `demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) surface: Surface,
    /// How many seconds of the fleet's life pass in one
    #[arg(long, default_value_t = 60.0)]
    pub(crate) speed: f64,
    /// About how many jobs the fleet has
    #[arg(long, default_value_t = 40, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub(crate) jobs: usize,
    /// How to print where everything is
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `simulate`.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// Where gRPC is served
    #[arg(long, default_value = "127.0.0.1:10480")]
    pub(crate) listen_address: SocketAddr,
    /// Where files and instance metadata are served [default: any free port]
    #[arg(long)]
    pub(crate) http_listen_address: Option<SocketAddr>,
    /// What happens; docs/simulator.md tells how to write one [default: the demo's fleet]
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// How many seconds of script pass in one [default: the scenario's own]
    #[arg(long)]
    pub(crate) speed: Option<f64>,
    /// Certificate for TLS, in PEM
    #[arg(long = "tls.cert-file", requires = "tls_key_file")]
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long = "tls.key-file", requires = "tls_cert_file")]
    pub(crate) tls_key_file: Option<PathBuf>,
    /// How to print where it is
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// Logging of commands that have no configuration.
#[derive(Args, Debug)]
pub(crate) struct Log {
    /// error, warn, info, debug or trace
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub(crate) level: LogLevel,
    /// logfmt or json
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    pub(crate) format: LogFormat,
}

/// `operation`.
#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// Show how an operation is
    Get(Get),
    /// Follow an operation to its end; exits with 0 success, 3 failure, 4 error, 5 cancelled, 6 lost
    ///
    /// On a terminal it draws a bar, with the time that is left if it goes on like that. Ctrl-C ends the watching, not
    /// the operation, and exits with 130.
    Watch(Get),
    /// Ask an operation to end
    Cancel(Cancel),
}

/// Which operation, and how to show it.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The operation's id
    pub(crate) id: OperationId,
    #[command(flatten)]
    pub(crate) access: Access,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `operation cancel`.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) get: Get,
    /// Let a job shut down by its own signal first
    #[arg(long)]
    pub(crate) graceful: bool,
}

/// Form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Lines for people.
    Text,
    /// One JSON document a line; docs/commands.md tells their shapes.
    Json,
}
