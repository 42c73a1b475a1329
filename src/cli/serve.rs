//! `serve`: the exporter, until a signal ends it.

use crate::app::{App, Ended};
use crate::cli::arguments::Settings;
use crate::cli::{Exit, load, logging, shutdown};
use crate::config::{self, Config};
use crate::listening::Inherited;
use anyhow::{Context, bail};
use listenfd::ListenFd;
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
    tell_notes(&config);
    let inherited = inherited(config.web_systemd_socket)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let hangups = shutdown::hangups().context("cannot listen to signals")?;
        let app = App::bind_on(config, inherited)
            .await?
            .reloading_by(Arc::new(move || load(&settings)));
        for address in app.places() {
            tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        }
        if let Some(address) = app.gateway_place() {
            tracing::info!(%address, "the gateway is listening");
        }
        let lifecycle = app.lifecycle();
        tokio::select! {
            exit = run(app, CancellationToken::new()) => exit,
            never = shutdown::reload_on(hangups, lifecycle) => match never {},
        }
    });
    // Whoever still reads from a file system that hangs is not waited for.
    runtime.shutdown_background();
    exit
}

/// The sockets that systemd hands over, which tells of them in the environment.
pub(crate) fn inherited(is_asked: bool) -> anyhow::Result<Vec<Inherited>> {
    if !is_asked {
        return Ok(Vec::new());
    }
    let mut handed = ListenFd::from_env();
    let mut inherited = Vec::with_capacity(handed.len());
    for index in 0..handed.len() {
        let unfit =
            || format!("socket {index} of web.systemd_socket listens neither on TCP nor on a unix socket");
        let socket = match handed.take_tcp_listener(index) {
            Ok(tcp) => tcp.map(Inherited::Tcp),
            Err(_) => handed
                .take_unix_listener(index)
                .with_context(unfit)?
                .map(Inherited::Unix),
        };
        inherited.extend(socket);
    }
    if inherited.is_empty() {
        bail!(
            "web.systemd_socket is set, and no socket was handed over: start this by a socket unit of systemd, or leave \
             it out"
        );
    }
    Ok(inherited)
}

/// Runs an exporter that is bound until a signal ends it, which cancels `stop` for whoever else feeds it.
pub(crate) async fn run(app: App, stop: CancellationToken) -> anyhow::Result<Exit> {
    let (mut signals, mut running) = (pin!(shutdown::on_signal(stop.clone())), pin!(app.run(stop)));
    let ended = tokio::select! {
        ended = &mut running => ended?,
        heard = &mut signals => {
            heard.context("cannot listen to signals")?;
            tokio::select! {
                ended = &mut running => ended?,
                // Whoever asks twice does not want to wait.
                again = shutdown::on_signal(CancellationToken::new()) => {
                    again.context("cannot listen to signals")?;
                    Ended::GraceExceeded
                }
            }
        }
    };
    Ok(match ended {
        Ended::Well => Exit::Well,
        Ended::GraceExceeded => Exit::GraceExceeded,
    })
}

/// What an operator may not expect, of the configuration and of variables that nobody hears: a sentence each.
pub(crate) fn notes(config: &Config) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let of_variables = names.filter_map(|name| config::unknown(&name));
    config.notes().iter().cloned().chain(of_variables).collect()
}

/// Logs them.
pub(crate) fn tell_notes(config: &Config) {
    for note in notes(config) {
        tracing::warn!("{note}");
    }
}

/// The runtime that everything runs on.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
