//! `operation watch`, and what `--wait` does: follows one operation to its end.

use crate::cli::Exit;
use crate::cli::arguments::{Get, Output};
use crate::cli::operation::{connect, duration, exit, show, status, time_left};
use crate::cli::{say, say_aside};
use crate::clock::{Clock, Timestamp};
use crate::cloud::Client;
use crate::config::{Config, LogLevel};
use crate::engine::Engine;
use crate::flow::{Inbox, ViewReader, ViewWriter};
use crate::model::{
    Input, Labels, OperationId, Outcome, Overheard, Sighting, Source, Target, TrackedOperation,
};
use crate::tracker::Tracker;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Longest time between two looks: somebody is waiting.
const INTERVAL_MAX: Duration = Duration::from_secs(10);

/// How often a bar is drawn: its clock runs between two looks.
const DRAW_INTERVAL: Duration = Duration::from_secs(1);

/// What it takes to follow an operation, and how to tell of it.
pub(crate) struct Story<'a> {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) config: &'a Config,
    pub(crate) output: Output,
}

/// Follows an operation; exits with its outcome.
pub(crate) fn watch(arguments: &Get, config: &Config) -> anyhow::Result<Exit> {
    let (client, clock, runtime) = connect(config, LogLevel::Warn)?;
    runtime.block_on(async {
        let asked_at = clock.now();
        let answer = client.get_operation(&arguments.id).await?;
        let story = Story {
            client,
            clock,
            config,
            output: arguments.output,
        };
        let heard = Overheard {
            sighting: sighting(&arguments.id),
            asked_at,
            answer,
        };
        follow(story, heard).await
    })
}

/// Follows an operation of which somebody heard, to its end or until Ctrl-C, which does not end the operation.
pub(crate) async fn follow(story: Story<'_>, heard: Overheard) -> anyhow::Result<Exit> {
    let Story {
        client,
        clock,
        config,
        output,
    } = story;
    let Target::Operation(id) = heard.sighting.target.clone() else {
        bail!("an operation is followed by its id");
    };
    let mut settings = config.tracker.clone();
    settings.interval_max = settings.interval_max.min(INTERVAL_MAX).max(settings.interval);
    let (inbox, deliveries) = Inbox::new();
    let (writer, views) = ViewWriter::new();
    let tracker = Tracker::new(settings);
    let engine = Engine::new(config.engine, tracker, client, clock, deliveries, None, writer);
    let mut tasks = JoinSet::new();
    tasks.spawn(engine.run());
    inbox.send(Input::Overheard(Box::new(heard))).await?;
    tokio::select! {
        outcome = tell(&id, output, views, clock) => Ok(exit(outcome?.kind())),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen to signals")?;
            say_aside(&format!(
                "{id} goes on; `operation watch {id}` follows it again, `operation cancel {id}` ends it"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

/// An operation that somebody named on the command line.
pub(crate) fn sighting(id: &OperationId) -> Sighting {
    Sighting {
        target: Target::Operation(id.clone()),
        source: Source::Config,
        labels: Labels::default(),
        trace_context: None,
    }
}

async fn tell(
    id: &OperationId,
    output: Output,
    mut views: ViewReader,
    clock: Clock,
) -> anyhow::Result<Outcome> {
    let display = Display::new(output);
    let mut shown: Option<Arc<TrackedOperation>> = None;
    loop {
        let view = views.view();
        let row = view.operations.find(id.as_str());
        if let Some(row) = row.filter(|row| row.observed) {
            let same = |before: &Arc<TrackedOperation>| is_same(before, row);
            display.draw(row, shown.as_ref().is_some_and(same), clock.now());
            shown = Some(Arc::clone(row));
            if let Some(outcome) = row.outcome {
                display.close(row, outcome, clock.now());
                return Ok(outcome);
            }
        }
        tokio::select! {
            open = views.changed() => if !open {
                bail!("watching ended before the operation did");
            },
            () = tokio::time::sleep(DRAW_INTERVAL) => {}
        }
    }
}

/// Whether nothing that is shown differs.
fn is_same(before: &TrackedOperation, row: &TrackedOperation) -> bool {
    (before.status, before.state, &before.reported.progress)
        == (row.status, row.state, &row.reported.progress)
}

/// Where the story goes.
enum Display {
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// A line for each change.
    Lines(Output),
}

impl Display {
    fn new(output: Output) -> Self {
        if output == Output::Json || !std::io::stderr().is_terminal() {
            return Self::Lines(output);
        }
        let bar = ProgressBar::new(100);
        let template = "{prefix:.bold} [{bar:32}] {percent:>3}% {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self::Bar(bar)
    }

    fn draw(&self, row: &TrackedOperation, is_same: bool, now: Timestamp) {
        match self {
            Self::Bar(bar) => {
                bar.set_prefix(status(row));
                bar.set_position(
                    row.reported
                        .progress
                        .as_ref()
                        .map_or(0, |progress| u64::from(progress.percent)),
                );
                bar.set_message(times(row, now));
            }
            Self::Lines(_) if is_same => {}
            Self::Lines(Output::Json) => say(&show(row, Output::Json, now)),
            Self::Lines(Output::Text) => {
                let percent = row
                    .reported
                    .progress
                    .as_ref()
                    .map(|progress| format!(" {}%", progress.percent));
                let (percent, times) = (percent.unwrap_or_default(), times(row, now));
                say(&format!("{} {}{percent} {times}", now.rfc3339(), status(row)));
            }
        }
    }

    fn close(&self, row: &TrackedOperation, outcome: Outcome, now: Timestamp) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
        if !matches!(self, Self::Lines(Output::Json)) {
            let code = row
                .reported
                .return_code
                .map(|code| format!(", return code {code}"))
                .unwrap_or_default();
            say(&format!("{} {}{code}", now.rfc3339(), outcome.kind().label()));
        }
    }
}

/// How long it has been running, and how long it may still.
fn times(row: &TrackedOperation, now: Timestamp) -> String {
    let since = row.reported.started_at.or(row.created_at());
    let until = row.reported.finished_at.unwrap_or(now);
    let elapsed = since.map(|since| format!("{} elapsed", duration(until.since(since))));
    elapsed
        .into_iter()
        .chain(time_left(row, now))
        .collect::<Vec<_>>()
        .join(", ")
}
