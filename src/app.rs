//! Binds everything, runs it, and ends it in the order in which the data flows.
//!
//! In: a [`Config`]. Out: a running exporter and the addresses it listens on. Never: logic of its own; this is the
//! only room that knows the whole house.

mod ground;
mod keyring;
mod material;
mod reload;
mod standing;

pub use reload::{Load, check, line};

use crate::catalogue::Instruments;
use crate::cloud::CloudError;
use crate::config::{Config, ConfigError};
use crate::delivery::{Delivery, DeliveryError};
use crate::engine::Engine;
use crate::flow::{Inbox, Lifecycle, Readiness, ViewReader, ViewWriter};
use crate::gateway::{Gateway, GatewayError};
use crate::limits::{
    GATEWAY_DRAIN_TIME_MAX, GATEWAY_LAST_REPORTS_TIME_MAX, GATEWAY_LAST_WORDS_TIME_MAX,
    OTLP_SHUTDOWN_TIME_MAX, SHUTDOWN_GRACE,
};
use crate::listening::{Inherited, ListenError, Listener, Place};
use crate::sources::Sources;
use crate::store::StoreError;
use crate::tracker::Tracker;
use crate::web::{self, Server};
use ground::Ground;
use keyring::Keyring;
use material::Material;
use reload::{Reloading, Successors, exchange, exchanged};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// An exporter that listens and has not begun.
#[derive(Debug)]
pub struct App {
    sources: Sources,
    engine: Engine,
    delivery: Option<Delivery>,
    server: Server,
    gateway: Option<Gateway>,
    keyring: Keyring,
    inbox: Inbox,
    views: ViewReader,
    readiness: Readiness,
    lifecycle: Lifecycle,
    reloading: Box<Reloading>,
    successors: Successors,
}

/// How an exporter ended that was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything ended in time.
    Well,
    /// Something was cut short; the log names it.
    GraceExceeded,
}

/// Why an exporter cannot begin, or ended unasked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Something about the credentials or certificates that only the operator can mend.
    #[error("the connection to the cloud cannot be set up")]
    Cloud(#[from] CloudError),
    /// The folder of the store is another process's, or of a newer version.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// Something about the collector's certificates that only the operator can mend.
    #[error("the connection to the collector of traces cannot be set up")]
    Delivery(#[from] DeliveryError),
    /// An address cannot be listened on.
    #[error("the web server cannot start")]
    Web(#[from] web::WebError),
    /// The web configuration file, or a file that it names, cannot be used.
    #[error("the web configuration cannot be used")]
    WebConfiguration(#[from] ConfigError),
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    Configuration(ConfigError),
    /// The gateway's address cannot be listened on, or its certificate cannot be used.
    #[error("the gateway cannot start")]
    Gateway(#[from] GatewayError),
    /// A part ended though nobody asked it to.
    #[error("{part} ended unasked; this is a defect of the exporter, please report it with the log")]
    Unasked {
        /// Which.
        part: &'static str,
    },
    /// A part broke.
    #[error("a part of the exporter broke; please report it with the log")]
    Broke(#[from] JoinError),
}

impl AppError {
    /// The same, told with the place where the configuration names the file that it is about, if it is about one.
    pub(crate) fn placed(self, config: &Config) -> Self {
        let placed = match &self {
            Self::Cloud(error) => error.file().and_then(|path| config.of_file(path, &line(error))),
            Self::Delivery(error) => error.file().and_then(|path| config.of_file(path, &line(error))),
            Self::Gateway(GatewayError::Tls(error)) => {
                config.of_key(&format!("gateway.tls.{}", error.key), &error.problem)
            }
            _ => None,
        };
        placed.map_or(self, Self::Configuration)
    }
}

impl App {
    /// Opens every address and reads every key. A cloud that cannot be reached is no error: it may come back.
    ///
    /// # Errors
    /// What only the operator can mend.
    pub async fn bind(config: Config) -> Result<Self, AppError> {
        Self::bind_on(config, Vec::new()).await
    }

    /// The same with sockets for the web server that somebody opened for us; without any it opens its own.
    ///
    /// # Errors
    /// What only the operator can mend.
    pub async fn bind_on(config: Config, inherited: Vec<Inherited>) -> Result<Self, AppError> {
        let named = config.clone();
        let bound = Box::pin(Self::begin(config, inherited)).await;
        bound.map_err(|error| error.placed(&named))
    }

    async fn begin(config: Config, inherited: Vec<Inherited>) -> Result<Self, AppError> {
        let (inbox, deliveries) = Inbox::new();
        let material = Material::of(&config.cloud.tls, &config.cloud.auth);
        let (ground, records) = Ground::lay(&config, &inbox).await?;
        let mut tracker = Tracker::new(config.tracker.clone());
        tracker.restore(records, ground.clock.now());
        let (writer, views) = ViewWriter::new();
        // What was told before is told from the first scrape on.
        writer.publish(tracker.view());
        let sources = ground.sources(&config, inbox.clone());
        let delivery = ground.delivery(&config)?;
        let gateway = ground.gateway(&config, inbox.clone()).await?;
        let (changes, arrivals) = exchange(&config);
        let engine = Engine::new(
            config.engine,
            tracker,
            ground.client.clone(),
            ground.clock,
            deliveries,
            ground.keeping(&config),
            writer,
        )
        .reconfigured_by(arrivals.engine);
        let (lifecycle, asked) = Lifecycle::new();
        let context = web::Context {
            views: views.clone(),
            instruments: ground.instruments.clone(),
            metrics: arrivals.metrics,
            readiness: ground.readiness.clone(),
            clock: ground.clock,
            inbox: ground.inbox.clone(),
            client: ground.client.clone(),
            lifecycle: lifecycle.clone(),
        };
        let server = serve(config.web.clone(), context, inherited).await?;
        let keyring = ground.keyring(&config, &server, gateway.as_ref())?;
        Ok(Self {
            sources,
            engine,
            delivery,
            server,
            gateway,
            inbox,
            views,
            readiness: ground.readiness.clone(),
            lifecycle,
            successors: arrivals.successors,
            reloading: Box::new(Reloading {
                asked,
                load: None,
                began_with: config.clone(),
                in_effect: config,
                material,
                turn: Arc::default(),
                ground,
                changes,
                keyring: keyring.clone(),
            }),
            keyring,
        })
    }

    /// The same, with a configuration that can be read anew.
    #[must_use]
    pub fn reloading_by(mut self, load: Load) -> Self {
        self.reloading.load = Some(load);
        self
    }

    /// For whoever wants it to reload, or to end.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle.clone()
    }

    /// Where the web server listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// Where the gateway listens, if there is one.
    pub fn gateway_place(&self) -> Option<&Place> {
        self.gateway.as_ref().map(Gateway::place)
    }

    /// The web server's addresses of TCP, with the ports that were given out.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// The address of the gateway, if there is one that listens on TCP.
    pub fn gateway_address(&self) -> Option<SocketAddr> {
        self.gateway.as_ref().and_then(Gateway::address)
    }

    /// A way in for what nobody configured. The engine runs until it is dropped.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// What readers see.
    pub fn views(&self) -> ViewReader {
        self.views.clone()
    }

    /// Runs until `stop` is cancelled or somebody quits it, then ends in the order of the flow: not ready, sources,
    /// engine, and last the web server and the delivery of traces.
    ///
    /// # Errors
    /// When a part ends though nobody asked it to.
    pub async fn run(self, stop: CancellationToken) -> Result<Ended, AppError> {
        let Self {
            sources,
            engine,
            delivery,
            server,
            gateway,
            keyring,
            inbox,
            readiness,
            lifecycle,
            reloading,
            successors,
            ..
        } = self;
        let (sources_stop, readers_stop) = (CancellationToken::new(), CancellationToken::new());
        let instruments = reloading.ground.instruments.clone();
        let mut parts: JoinSet<&'static str> = JoinSet::new();
        let mut running = vec!["the reload", "the sources", ENGINE, "the web server", DELIVERY];
        parts.spawn(part("the reload", reloading.run(sources_stop.clone())));
        let sources = exchanged(sources, successors.sources, sources_stop.clone(), Sources::run);
        parts.spawn(part("the sources", sources));
        parts.spawn(part(ENGINE, engine.run()));
        parts.spawn(part("the web server", server.run(readers_stop.clone())));
        running.push("the reading of the keyring");
        parts.spawn(part(
            "the reading of the keyring",
            keyring.run(sources_stop.clone()),
        ));
        if let Some(gateway) = gateway {
            running.push("the gateway");
            parts.spawn(part("the gateway", gateway.run(sources_stop.clone())));
        }
        let ending = readers_stop.clone();
        let deliver = move |delivery, stop| deliver(delivery, stop, ending.clone(), instruments.clone());
        let delivery = exchanged(delivery, successors.delivery, readers_stop.clone(), deliver);
        parts.spawn(part(DELIVERY, delivery));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = lifecycle.quitting() => {}
            Some(ended) = parts.join_next() => return Err(AppError::Unasked { part: ended? }),
        }
        readiness.stop();
        sources_stop.cancel();
        drop(inbox);
        let orderly = async {
            while let Some(ended) = parts.join_next().await {
                let ended = ended?;
                running.retain(|part| *part != ended);
                if !running.contains(&ENGINE) {
                    readers_stop.cancel();
                }
            }
            Ok::<_, AppError>(())
        };
        if let Ok(ended) = tokio::time::timeout(SHUTDOWN_GRACE, orderly).await {
            return ended.map(|()| Ended::Well);
        }
        tracing::error!(
            parts = running.join(", "),
            "did not end in time and was cut short"
        );
        Ok(Ended::GraceExceeded)
    }
}

/// The web server, on its own sockets or on others'.
async fn serve(
    settings: web::Settings,
    context: web::Context,
    inherited: Vec<Inherited>,
) -> Result<Server, web::WebError> {
    if inherited.is_empty() {
        return Server::bind(settings, context).await;
    }
    let listeners: Result<Vec<_>, ListenError> = inherited.into_iter().map(Listener::inherit).collect();
    Server::on(listeners?, settings, context)
}

/// Sends traces, where they are sent at all.
async fn deliver(
    delivery: Option<Delivery>,
    stop: CancellationToken,
    ending: CancellationToken,
    instruments: Instruments,
) {
    let Some(delivery) = delivery else {
        return stop.cancelled().await;
    };
    delivery.run(stop, ending).await;
    // Whoever takes its place, if anybody does, will tell whether spans get through.
    instruments.forget_otlp_up();
}

/// What is left of [`SHUTDOWN_GRACE`] for the last commit of the engine, which comes between the gateway's end and the
/// last requests of the traces.
const SHUTDOWN_COMMIT_TIME: Duration = Duration::from_secs(1);

const _: () = assert!(
    GATEWAY_DRAIN_TIME_MAX.as_millis()
        + GATEWAY_LAST_WORDS_TIME_MAX.as_millis()
        + GATEWAY_LAST_REPORTS_TIME_MAX.as_millis()
        + SHUTDOWN_COMMIT_TIME.as_millis()
        + OTLP_SHUTDOWN_TIME_MAX.as_millis()
        <= SHUTDOWN_GRACE.as_millis(),
    "the parts of a shutdown that follow one another do not fit in its grace"
);

/// What readers and the collector wait for at the end.
const ENGINE: &str = "the engine";

const DELIVERY: &str = "the delivery of traces";

/// A part with its name as its last word.
async fn part(name: &'static str, running: impl Future<Output = ()>) -> &'static str {
    running.await;
    name
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const REVISION: &str = env!("DATASPHERE_EXPORTER_REVISION");

/// The compiler it was built with.
pub const RUSTC_VERSION: &str = env!("DATASPHERE_EXPORTER_RUSTC_VERSION");
