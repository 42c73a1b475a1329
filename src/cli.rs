//! The command line: flags, subcommands, exit codes.
//!
//! In: arguments and the environment, read here and nowhere else. Out: an exit code, and what was asked for on
//! standard output; everything else goes to the log on standard error. Never: a decision about operations.

mod arguments;
mod demo;
mod document;
mod execution;
mod exporter;
mod healthcheck;
mod logging;
mod operation;
mod serve;
mod shutdown;
mod tracking;
mod unverified;
mod watch;

pub use document::document;

use crate::app;
use crate::config::{Config, ConfigError, Flags};
use crate::simulator;
use arguments::{
    Arguments, Command, JobCommand, NotebookCommand, OperationCommand, Output, Printed, Settings,
};
use clap::{CommandFactory, Parser};
use serde_json::json;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// How the program ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Ended well.
    Well,
    /// Failed.
    Failed,
    /// Something did not end within the shutdown's grace.
    GraceExceeded,
    /// The watched operation ended with outcome `failure`.
    OperationFailure,
    /// The watched operation ended with outcome `error`.
    OperationError,
    /// The watched operation was cancelled.
    OperationCancelled,
    /// The watched operation was lost.
    OperationLost,
    /// Usage or configuration: `EX_USAGE` of `sysexits.h`.
    Usage,
    /// Ctrl-C while something was followed: as a shell tells of SIGINT.
    Interrupted,
}

/// What was typed cannot be meant; the message says what may be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 1,
            Self::GraceExceeded => 2,
            Self::OperationFailure => 3,
            Self::OperationError => 4,
            Self::OperationCancelled => 5,
            Self::OperationLost => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Runs the program on these arguments, the program's own name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Well
            };
        }
    };
    match dispatch(arguments) {
        Ok(exit) => exit,
        Err(error) => {
            say_error(&error);
            if is_usage(&error) {
                Exit::Usage
            } else {
                Exit::Failed
            }
        }
    }
}

/// Whether what was written is at fault: the configuration, or the scenario of a simulation.
fn is_usage(error: &anyhow::Error) -> bool {
    use simulator::Error::{File, Impossible, Scenario};
    let of_scenario = error.downcast_ref::<simulator::Error>();
    let of_app = error.downcast_ref::<app::AppError>();
    error.is::<ConfigError>()
        || matches!(of_app, Some(app::AppError::Configuration(_)))
        || error.is::<Usage>()
        || matches!(
            of_scenario,
            Some(File { .. } | Impossible { .. } | Scenario { .. })
        )
}

fn dispatch(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(serve) if serve.config_check => check(&serve.settings, serve.output),
        Command::Serve(serve) => serve::serve(serve.settings),
        Command::Demo(demo) => demo::demo(&demo),
        Command::Simulate(simulate) => demo::simulate(&simulate),
        Command::CheckConfig(printed) => check(&printed.settings, printed.output),
        Command::PrintConfig(printed) => print(&printed),
        Command::Operation(OperationCommand::Get(get)) => operation::get(&get, &load(&(&get.access).into())?),
        Command::Operation(OperationCommand::Watch(get)) => watch::watch(&get, &load(&(&get.access).into())?),
        Command::Operation(OperationCommand::Cancel(cancel)) => {
            operation::cancel(&cancel, &load(&(&cancel.get.access).into())?)
        }
        Command::Job(JobCommand::Execute(execute)) => {
            execution::job(&execute, &load(&(&execute.start.access).into())?)
        }
        Command::Notebook(NotebookCommand::Execute(execute)) => {
            execution::notebook(&execute, &load(&(&execute.start.access).into())?)
        }
        Command::Track(track) => tracking::track(&track),
        Command::Untrack(untrack) => tracking::untrack(&untrack),
        Command::List(list) => tracking::list(&list),
        Command::Healthcheck(asked) => healthcheck::healthcheck(&asked),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "datasphere-exporter",
                &mut script,
            );
            say(String::from_utf8_lossy(&script).trim_end());
            Ok(Exit::Well)
        }
    }
}

fn check(settings: &Settings, output: Output) -> anyhow::Result<Exit> {
    let config = load(settings)?;
    let checked = serve::runtime()?.block_on(app::check(&config));
    checked.map_err(|error| Usage(app::line(&error)))?;
    let of_rest = config.sources.note(config.cloud.transport).map(str::to_owned);
    let notes: Vec<String> = serve::notes(&config).into_iter().chain(of_rest).collect();
    match output {
        Output::Text => {
            say("the configuration is valid");
            for note in notes {
                say(&format!("note: {note}"));
            }
        }
        Output::Json => say(&json!({ "valid": true, "notes": notes }).to_string()),
    }
    Ok(Exit::Well)
}

fn print(printed: &Printed) -> anyhow::Result<Exit> {
    let config = load(&printed.settings)?;
    match printed.output {
        Output::Text => say(config.to_yaml().trim_end()),
        Output::Json => say(&config.to_json().to_string()),
    }
    Ok(Exit::Well)
}

fn load(settings: &Settings) -> Result<Config, ConfigError> {
    let file = settings
        .config_file
        .clone()
        .or_else(|| environment("DATASPHERE_EXPORTER_CONFIG_FILE").map(Into::into));
    Config::load(file.as_deref(), &Flags::from(settings), environment)
}

/// A variable of the environment, if it is set and readable.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read here and nowhere else"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What was asked for goes to standard output; a reader that has gone is no error.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What somebody at the terminal should know beside what was asked for.
fn say_aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "datasphere-exporter: {text}");
}

fn say_error(error: &anyhow::Error) {
    say_aside(&app::line(error.as_ref()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(words: &[&str]) -> Exit {
        let program = std::iter::once("datasphere-exporter");
        run(program.chain(words.iter().copied()).map(OsString::from))
    }

    #[test]
    fn check_config_reads_the_keys_and_certificates_that_a_start_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let empty = write("key.json", "");
        let anonymous = "auth: { anonymous: {} }";
        let gateway = format!(
            "gateway: {{ listen_address: '127.0.0.1:0', tls: {{ cert_file: {empty}, key_file: {empty} }} }}"
        );
        for (config, exit_expected) in [
            (format!("cloud: {{ {anonymous} }}"), Exit::Well),
            (
                format!("cloud: {{ auth: {{ service_account_key_file: {empty} }} }}"),
                Exit::Usage,
            ),
            (
                format!("cloud: {{ {anonymous}, tls: {{ ca_file: {empty} }} }}"),
                Exit::Usage,
            ),
            (format!("cloud: {{ {anonymous} }}\n{gateway}"), Exit::Usage),
        ] {
            let file = format!("--config.file={}", write("exporter.yaml", &config));
            for words in [
                &["check-config", &file][..],
                &["serve", "--config.check", "--output=json", &file],
            ] {
                assert_eq!(exit(words), exit_expected, "{words:?} {config}");
            }
        }
    }

    #[test]
    fn a_key_that_is_none_is_told_with_the_line_that_names_it_whoever_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key.json"), "{}").expect("a file");
        let yaml = "\ncloud:\n  auth: { service_account_key_file: key.json }\nstorage: { path: '' }\n";
        std::fs::write(path("exporter.yaml"), yaml).expect("a file");
        let settings = Settings {
            config_file: Some(path("exporter.yaml")),
            ..Settings::default()
        };
        let config = load(&settings).expect("a configuration");
        let runtime = serve::runtime().expect("a runtime");
        let place = format!(
            "{}:3: cloud.auth.service_account_key_file: the service account key file {} is not one",
            path("exporter.yaml").display(),
            path("key.json").display()
        );
        let checked = runtime.block_on(app::check(&config)).expect_err("no key");
        let begun = runtime
            .block_on(app::App::bind(config.clone()))
            .expect_err("no key");
        let asked = operation::connect(&config, crate::config::LogLevel::Error).expect_err("no key");
        for told in [app::line(&checked), app::line(&begun), app::line(asked.as_ref())] {
            assert!(told.starts_with(&place), "{told}");
        }
    }

    #[test]
    fn an_impossible_or_missing_scenario_is_a_usage_error() {
        assert_eq!(exit(&["demo", "--speed=0"]), Exit::Usage);
        assert_eq!(exit(&["simulate", "--speed=0"]), Exit::Usage);
        assert_eq!(exit(&["simulate", "--scenario=/nowhere/fleet.yaml"]), Exit::Usage);
    }
}
