//! Where log lines go, and in which form.

use crate::config::{LogFormat, LogLevel};
use crate::delivery::OwnTraces;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends log lines to standard error from here on; a second call changes nothing.
///
/// Libraries are heard from `warn` up only, whatever is asked for: at `debug` the HTTP/2 library alone writes a line
/// for each frame, headers included. Spans are no lines: they go to `traces`, where they are wanted.
pub(crate) fn start(level: LogLevel, format: LogFormat, traces: Option<&OwnTraces>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_target("datasphere_exporter", level)
        .with_default(level.min(LevelFilter::WARN))
        .and(filter_fn(is_line).with_max_level_hint(LevelFilter::TRACE));
    let lines = match format {
        LogFormat::Logfmt => tracing_logfmt::builder()
            .with_target(false)
            .layer()
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.map(OwnTraces::layer))
        .try_init();
}

fn is_line(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}
