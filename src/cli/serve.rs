//! `serve`: the exporter, until a signal ends it.

use crate::app::{App, Ended};
use crate::cli::arguments::Settings;
use crate::cli::{Exit, load, logging, shutdown};
use crate::config;
use anyhow::Context;
use std::pin::pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs the exporter.
pub(crate) fn serve(settings: Settings) -> anyhow::Result<Exit> {
    let config = load(&settings)?;
    let traces = config
        .delivery
        .as_ref()
        .and_then(|delivery| delivery.own.as_ref());
    logging::start(config.log_level, config.log_format, traces);
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let app = App::bind(config)
            .await?
            .reloading_by(Arc::new(move || load(&settings)));
        for address in app.addresses() {
            tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        }
        if let Some(address) = app.gateway_address() {
            tracing::info!(%address, "the gateway is listening");
        }
        let lifecycle = app.lifecycle();
        tokio::select! {
            exit = run(app, CancellationToken::new()) => exit,
            never = shutdown::reload_on_hangup(lifecycle) => match never.context("cannot listen to signals")? {},
        }
    });
    // Whoever still reads from a file system that hangs is not waited for.
    runtime.shutdown_background();
    exit
}

/// Runs an exporter that is bound until a signal ends it, which cancels `stop` for whoever else feeds it.
pub(crate) async fn run(app: App, stop: CancellationToken) -> anyhow::Result<Exit> {
    warn_of_slips();
    let (mut signals, mut running) = (pin!(shutdown::on_signal(stop.clone())), pin!(app.run(stop)));
    let ended = tokio::select! {
        ended = &mut running => ended?,
        heard = &mut signals => {
            heard.context("cannot listen to signals")?;
            running.await?
        }
    };
    Ok(match ended {
        Ended::Well => Exit::Well,
        Ended::GraceExceeded => Exit::GraceExceeded,
    })
}

/// Names variables that were meant for traces, most likely, and are not heard.
fn warn_of_slips() {
    for (name, _) in std::env::vars_os() {
        if let Some(name) = name.to_str()
            && let Some(meant) = config::meant_by(name)
        {
            tracing::warn!(
                variable = name,
                "this variable is not known; did you mean {meant}?"
            );
        }
    }
}

/// The runtime that everything runs on.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
