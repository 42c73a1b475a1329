//! The signals that end the program, and the one that has it reload its configuration.

use crate::flow::Lifecycle;
use std::convert::Infallible;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Waits for SIGTERM or SIGINT and cancels `stop`.
///
/// # Errors
/// When the system refuses to tell of signals.
pub(crate) async fn on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "shutting down");
    stop.cancel();
    Ok(())
}

/// SIGHUPs from here on; until then one would end the process.
///
/// # Errors
/// When the system refuses to tell of signals.
pub(crate) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reloads at each; what becomes of it is in the log.
pub(crate) async fn reload_on(mut hangups: Signal, lifecycle: Lifecycle) -> Infallible {
    loop {
        hangups.recv().await;
        tracing::info!(signal = "SIGHUP", "reloading");
        let _ = lifecycle.reload().await;
    }
}

/// Takes each where there is nothing to read again, so that none ends the process.
pub(crate) async fn shrug_at(mut hangups: Signal) -> Infallible {
    loop {
        hangups.recv().await;
        tracing::info!(
            signal = "SIGHUP",
            "there is no configuration file to read again; SIGTERM or Ctrl-C ends this"
        );
    }
}
