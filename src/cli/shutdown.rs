//! The signals that end the program, and the one that has it reload its configuration.

use crate::flow::Lifecycle;
use std::convert::Infallible;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Waits for SIGTERM or SIGINT and cancels `stop`. A second signal ends the process as it would by default.
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

/// Reloads at each SIGHUP; what becomes of it is in the log.
///
/// # Errors
/// When the system refuses to tell of signals.
pub(crate) async fn reload_on_hangup(lifecycle: Lifecycle) -> std::io::Result<Infallible> {
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        hangup.recv().await;
        tracing::info!(signal = "SIGHUP", "reloading");
        let _ = lifecycle.reload().await;
    }
}
