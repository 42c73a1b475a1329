//! `operation get` and `operation cancel`: one operation, straight from the cloud.

use crate::app::{AppError, REVISION, RUSTC_VERSION, VERSION};
use crate::catalogue::Instruments;
use crate::cli::arguments::{Cancel, Get, Output};
use crate::cli::watch::sighting;
use crate::cli::{Exit, logging, say, serve};
use crate::clock::{Clock, Timestamp};
use crate::cloud::Client;
use crate::config::{Config, LogLevel};
use crate::model::{
    Decoded, Input, JobStatus, Look, LookAnswer, NotebookStatus, OperationId, OperationSnapshot, OutcomeKind,
    Target, Text, TrackedOperation,
};
use crate::tracker::{self, Tracker};
use crate::web;
use anyhow::Context;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// Shows how an operation is.
pub(crate) fn get(arguments: &Get, config: &Config) -> anyhow::Result<Exit> {
    let (client, clock, runtime) = connect(config, LogLevel::Error)?;
    let answer = runtime.block_on(client.get_operation(&arguments.id))?;
    let row = believe(&arguments.id, answer, clock.now()).context("the answer names another operation")?;
    say(&show(&row, arguments.output, clock.now()));
    Ok(Exit::Well)
}

/// Asks an operation to end.
pub(crate) fn cancel(arguments: &Cancel, config: &Config) -> anyhow::Result<Exit> {
    let get = &arguments.get;
    let (client, clock, runtime) = connect(config, LogLevel::Error)?;
    let target = Target::Operation(get.id.clone());
    let ending = runtime.block_on(client.cancel(&target, None, arguments.graceful))?;
    if get.output == Output::Text {
        say(if ending.is_asked {
            "asked to end; `operation watch` shows when it does"
        } else {
            "it has ended"
        });
    }
    if let Some((_, answer)) = ending.newest {
        let row = believe(&get.id, answer, clock.now()).context("the answer names another operation")?;
        say(&show(&row, get.output, clock.now()));
    }
    Ok(Exit::Well)
}

/// A client for a command that is about one operation, and a runtime for it. Where nobody asks for another, it logs at
/// this level: what is `info` such a command says itself, and it would break into the bar; so are warnings where it
/// makes a single call, which ends with them.
pub(crate) fn connect(
    config: &Config,
    usual: LogLevel,
) -> anyhow::Result<(Client, Clock, tokio::runtime::Runtime)> {
    let level = match config.log_level {
        LogLevel::Info => usual,
        level => level,
    };
    logging::start(level, config.log_format, None);
    let runtime = serve::runtime()?;
    let clock = Clock::system();
    let instruments = Instruments::new(VERSION, REVISION, RUSTC_VERSION);
    let client = {
        let _inside = runtime.enter();
        Client::new(&config.cloud, clock, &instruments)
            .map_err(|error| AppError::from(error).placed(config))?
    };
    Ok((client, clock, runtime))
}

/// What the tracker would believe after this one answer.
pub(crate) fn believe(
    id: &OperationId,
    answer: Decoded<OperationSnapshot>,
    now: Timestamp,
) -> Option<Arc<TrackedOperation>> {
    let mut tracker = Tracker::new(tracker::Settings::default());
    let target = Target::Operation(id.clone());
    let described = Decoded {
        value: OperationSnapshot {
            described: true,
            ..answer.value
        },
        gaps: answer.gaps,
    };
    let look = LookAnswer::Operation(Box::new(described));
    tracker.apply(Input::Sighted(sighting(id)), now);
    tracker.apply(
        Input::Looked(Look {
            target,
            asked_at: now,
            answer: Ok(look),
        }),
        now,
    );
    tracker.view().operations.find(id.as_str()).cloned()
}

/// An operation for a person or a program.
pub(crate) fn show(row: &TrackedOperation, output: Output, now: Timestamp) -> String {
    match output {
        Output::Json => {
            let mut json = web::operation_json(row);
            // Nobody but the one who typed its id has named it.
            json.as_object_mut().and_then(|members| members.remove("source"));
            json.to_string()
        }
        Output::Text => describe(row, now),
    }
}

fn describe(row: &TrackedOperation, now: Timestamp) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(lines, "{name:<12}{value}");
        }
    };
    let text = |text: Option<&Text>| text.map(ToString::to_string);
    let (reported, about) = (&row.reported, &row.about);
    line("operation", row.operation_id.as_ref().map(ToString::to_string));
    line("kind", Some(row.kind.label().to_owned()));
    line("project", row.project_id.as_ref().map(ToString::to_string));
    line("job", row.job_id.as_ref().map(ToString::to_string));
    line("name", text(about.name.as_ref()));
    line("notebook", text(about.notebook_id.as_deref()));
    line("status", Some(status(row)));
    line("progress", progress(row, now));
    line(
        "outcome",
        row.outcome.map(|outcome| outcome.kind().label().to_owned()),
    );
    line("return code", reported.return_code.map(|code| code.to_string()));
    let error = reported.error.as_ref();
    line(
        "error",
        error.map(|error| match &error.message {
            Some(message) => format!("{}: {message}", error.code.name()),
            None => error.code.name().to_owned(),
        }),
    );
    line("machine", text(about.instance_type.as_ref()));
    line("created", row.created_at().map(Timestamp::rfc3339));
    line("started", reported.started_at.map(Timestamp::rfc3339));
    line("finished", reported.finished_at.map(Timestamp::rfc3339));
    line("data until", reported.data_expires_at.map(Timestamp::rfc3339));
    lines.trim_end().to_owned()
}

/// The most telling word for how an operation stands.
pub(crate) fn status(row: &TrackedOperation) -> String {
    let job = row.status.map(JobStatus::label);
    let notebook = row.notebook_status().map(NotebookStatus::label);
    job.or(notebook).unwrap_or(row.state.label()).to_owned()
}

/// How far it is, and when it ends if it goes on like that.
fn progress(row: &TrackedOperation, now: Timestamp) -> Option<String> {
    let progress = row.reported.progress.as_ref()?;
    let left = time_left(row, now)
        .map(|left| format!(", {left}"))
        .unwrap_or_default();
    Some(format!("{}%{left}", progress.percent))
}

/// When it ends, if it goes on like that.
pub(crate) fn time_left(row: &TrackedOperation, now: Timestamp) -> Option<String> {
    let left = row.time_left(now).filter(|left| !left.is_zero())?;
    Some(format!("about {} left", duration(left)))
}

/// A duration in its two largest units.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (0, hours, minutes, _) => format!("{hours}h{minutes:02}m"),
        (days, hours, _, _) => format!("{days}d{hours:02}h"),
    }
}

/// The exit code of an ended operation.
pub(crate) fn exit(outcome: OutcomeKind) -> Exit {
    match outcome {
        OutcomeKind::Success => Exit::Well,
        OutcomeKind::Failure => Exit::OperationFailure,
        OutcomeKind::Error => Exit::OperationError,
        OutcomeKind::Cancelled => Exit::OperationCancelled,
        OutcomeKind::Lost => Exit::OperationLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        let cases = [(5, "5s"), (65, "1m05s"), (3_725, "1h02m"), (90_000, "1d01h")];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn an_operations_outcome_is_the_exit_code() {
        let codes = OutcomeKind::ALL.map(|outcome| exit(outcome).code());
        assert_eq!(codes, [0, 3, 4, 5, 6]);
    }
}
