//! Binds everything, runs it, and ends it in the order in which the data flows.
//!
//! In: a [`Config`]. Out: a running exporter and the addresses it listens on. Never: logic of its own; this is the
//! only file that knows the whole house.

mod credentials;

pub use credentials::{Credentials, CredentialsError};

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::cloud::{Client, CloudError};
use crate::config::{Config, ConfigError, protection};
use crate::delivery::{Delivery, DeliveryError};
use crate::engine::{Engine, Keeping};
use crate::flow::{Inbox, Readiness, ViewReader, ViewWriter};
use crate::gateway::{self, Gateway, GatewayError};
use crate::limits::{READINESS_GRACE, SHUTDOWN_GRACE};
use crate::listening::{Inherited, ListenError, Listener, Place};
use crate::sources::Sources;
use crate::store::{Store, StoreError};
use crate::traces::Encoder;
use crate::tracker::Tracker;
use crate::web::{self, Server};
use credentials::WebFile;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
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
    credentials: Credentials,
    inbox: Inbox,
    views: ViewReader,
    readiness: Readiness,
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
    #[error("the web server cannot be protected")]
    Protection(#[from] ConfigError),
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
        let clock = Clock::system();
        let instruments = instruments(clock);
        let client = Client::new(&config.cloud, clock, &instruments)?;
        let readiness = Readiness::with_grace(READINESS_GRACE);
        let (inbox, deliveries) = Inbox::new();
        let (writer, views) = ViewWriter::new();
        let sources = Sources::new(
            config.sources,
            client.clone(),
            inbox.clone(),
            clock,
            readiness.clone(),
        );
        let mut tracker = Tracker::new(config.tracker);
        let (store, records) = Store::open(config.store, clock, &instruments).await?;
        tracker.restore(records, clock.now());
        // What was told before is told from the first scrape on.
        writer.publish(tracker.view());
        let encoder = config
            .delivery
            .is_some()
            .then(|| Arc::new(Encoder::new(config.traces)));
        let delivery = config
            .delivery
            .map(|settings| Delivery::new(settings, store.outbox(), clock, &instruments))
            .transpose()?;
        let is_kept = store.is_durable() || encoder.is_some();
        let keeping = is_kept.then_some(Keeping { store, encoder });
        let context = gateway::Context {
            client: client.clone(),
            inbox: inbox.clone(),
            instruments: instruments.clone(),
            clock,
        };
        let gateway = gateway(config.gateway, context).await?;
        let engine = Engine::new(
            config.engine,
            tracker,
            client.clone(),
            clock,
            deliveries,
            keeping,
            writer,
        );
        let context = web::Context {
            views: views.clone(),
            instruments: instruments.clone(),
            metrics: config.metrics,
            readiness: readiness.clone(),
            clock,
            inbox: inbox.downgrade(),
            client,
        };
        let server = serve(config.web, context, inherited).await?;
        let web = config.web_file.map(|path| protect(&server, path)).transpose()?;
        let certificate = gateway.as_ref().and_then(Gateway::certificate);
        Ok(Self {
            sources,
            engine,
            delivery,
            server,
            gateway,
            credentials: Credentials::new(web, certificate, instruments, clock),
            inbox,
            views,
            readiness,
        })
    }

    /// Where the web server listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// Where the gateway listens, if there is one.
    pub fn gateway_place(&self) -> Option<&Place> {
        self.gateway.as_ref().map(Gateway::place)
    }

    /// Certificates, users and passwords, to be read anew before their time.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
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

    /// Runs until `stop` is cancelled, then ends in the order of the flow: not ready, sources, engine, and last the web
    /// server and the delivery of traces.
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
            credentials,
            inbox,
            readiness,
            ..
        } = self;
        let (sources_stop, readers_stop) = (CancellationToken::new(), CancellationToken::new());
        let mut parts: JoinSet<&'static str> = JoinSet::new();
        let mut running = vec!["the sources", ENGINE, "the web server"];
        parts.spawn(part("the sources", sources.run(sources_stop.clone())));
        parts.spawn(part(ENGINE, engine.run()));
        parts.spawn(part("the web server", server.run(readers_stop.clone())));
        running.push("the reading of credentials");
        parts.spawn(part(
            "the reading of credentials",
            credentials.run(sources_stop.clone()),
        ));
        if let Some(gateway) = gateway {
            running.push("the gateway");
            parts.spawn(part("the gateway", gateway.run(sources_stop.clone())));
        }
        if let Some(delivery) = delivery {
            running.push("the delivery of traces");
            parts.spawn(part("the delivery of traces", delivery.run(readers_stop.clone())));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
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

/// The gateway, where there is to be one.
async fn gateway(
    settings: Option<gateway::Settings>,
    context: gateway::Context,
) -> Result<Option<Gateway>, GatewayError> {
    match settings {
        None => Ok(None),
        Some(settings) => Gateway::bind(settings, context).await.map(Some),
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

/// Puts the web configuration before a server.
fn protect(server: &Server, path: PathBuf) -> Result<WebFile, ConfigError> {
    let protected = server.protected();
    protected.replace(protection(&path)?);
    Ok(WebFile { path, protected })
}

/// The metrics of a process that has just read its configuration.
fn instruments(clock: Clock) -> Instruments {
    let instruments = Instruments::new(VERSION, REVISION, RUSTC_VERSION);
    instruments.config_last_reload_successful.set(1.0);
    instruments
        .config_last_reload_success_timestamp_seconds
        .set(clock.now().seconds_f64());
    instruments
}

/// What readers and the collector wait for at the end.
const ENGINE: &str = "the engine";

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
