//! The front door: the exposition, health, the JSON API and the status page over HTTP.
//!
//! In: views and what changed, the exporter's own instruments, readiness; requests of callers. Out: answers, within the
//! limits of [`crate::limits`], and what callers want watched or not. Never: a call to the cloud, but when a caller asks
//! for just that and `api.actions` lets it; a wait for the cloud before an exposition.

mod actions;
mod call;
mod connection;
mod events;
mod guard;
mod lifecycle;
mod openapi;
mod operations;
mod page;
mod problem;
mod protection;
mod rate;
mod record;
mod request;
mod routes;
mod schema;
mod scrape;
mod tracking;
mod users;

pub use connection::Patience;
pub use openapi::{call_table, document};
pub use page::{Link, LinkError, Links};
pub use protection::{Protected, Protection};
pub use rate::Rate;
pub use record::operation_json;
pub use users::{PasswordHash, Users};

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::cloud::Client;
use crate::flow::{Lifecycle, Readiness, ViewReader, WeakInbox};
use crate::limits::{HTTP_CONNECTIONS_MAX, HTTP_PEER_CONNECTIONS_MAX, LISTEN_ADDRESSES_MAX};
use crate::listening::{Bounds, ListenError, Listener, Place, Seats};
use crate::metrics;
use connection::serve;
use routes::Shared;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen: `HOST:PORT`, `[IPV6]:PORT`, `:PORT` for every address of the host, or `unix:/PATH`; port 0
    /// takes any free one. `--web.listen-address`.
    pub listen_addresses: Vec<String>,
    /// The path of the exposition: `--web.telemetry-path`.
    pub telemetry_path: String,
    /// The most scrapes at once; 0 for no bound of its own. `--web.max-requests`.
    pub max_requests: usize,
    /// The host of the URL that browsers know us by, in lower case: `--web.external-url`.
    pub external_host: Option<String>,
    /// What callers may change.
    pub api: ApiSettings,
    /// Whether callers may have the configuration reloaded and the exporter end: `--web.enable-lifecycle`.
    pub enable_lifecycle: bool,
    /// Where the status page leads to.
    pub links: Links,
}

/// What callers of the API may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// What is watched.
    pub track: bool,
    /// Whether operations are started and cancelled.
    pub actions: bool,
    /// Both for everybody who reaches us, and not for callers of the same host alone; it counts only where the web
    /// configuration asks for neither users nor certificates.
    pub unauthenticated_writes: bool,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            track: true,
            actions: false,
            unauthenticated_writes: false,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen_addresses: vec![":10477".to_owned()],
            telemetry_path: "/metrics".to_owned(),
            max_requests: 40,
            external_host: None,
            api: ApiSettings::default(),
            enable_lifecycle: false,
            links: Links::default(),
        }
    }
}

impl Settings {
    /// Whether they could ever be used, without listening: for a check of the configuration.
    ///
    /// # Errors
    /// [`WebError::AddressCount`] and [`WebError::TelemetryPath`].
    pub fn check(&self) -> Result<(), WebError> {
        check_count(self.listen_addresses.len())?;
        routes::check_telemetry_path(&self.telemetry_path)
    }
}

fn check_count(count: usize) -> Result<(), WebError> {
    if count == 0 || count > LISTEN_ADDRESSES_MAX {
        return Err(WebError::AddressCount(count));
    }
    Ok(())
}

/// What the answers are made from.
#[derive(Clone, Debug)]
pub struct Context {
    /// The newest view.
    pub views: ViewReader,
    /// The exporter's metrics about itself; requests are counted into them.
    pub instruments: Instruments,
    /// What the exposition shows beside the view.
    pub metrics: watch::Receiver<Arc<metrics::Settings>>,
    /// What `/-/ready` tells.
    pub readiness: Readiness,
    /// The present, for ages in the exposition.
    pub clock: Clock,
    /// For what callers want watched or not.
    pub inbox: WeakInbox,
    /// For what callers start and cancel.
    pub client: Client,
    /// For who wants a reload, or the end.
    pub lifecycle: Lifecycle,
}

impl Context {
    fn metrics(&self) -> Arc<metrics::Settings> {
        Arc::clone(&self.metrics.borrow())
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Too few or too many addresses.
    #[error(
        "{0} listen addresses are set; give web.listen-address 1 to {LISTEN_ADDRESSES_MAX}, such as :10477"
    )]
    AddressCount(usize),
    /// Nobody can connect.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A path that cannot carry the exposition.
    #[error("web.telemetry-path cannot be {path:?}: {reason}")]
    TelemetryPath {
        /// As it was given.
        path: String,
        /// What a path must be.
        reason: &'static str,
    },
}

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    places: Vec<Place>,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    patience: Patience,
    /// Ends answers that have no end of their own.
    stop: CancellationToken,
}

impl Server {
    /// Listens on every address of the settings; connections wait until [`Self::run`].
    ///
    /// # Errors
    /// [`WebError`] when an address or the telemetry path cannot be used.
    pub async fn bind(settings: Settings, context: Context) -> Result<Self, WebError> {
        settings.check()?;
        let mut listeners = Vec::new();
        for address in &settings.listen_addresses {
            listeners.push(Listener::bind(address).await?);
        }
        Self::on(listeners, settings, context)
    }

    /// The same on sockets that listen already, whatever addresses the settings name.
    ///
    /// # Errors
    /// [`WebError`] when there are too few or too many, or the telemetry path cannot be used.
    pub fn on(listeners: Vec<Listener>, settings: Settings, context: Context) -> Result<Self, WebError> {
        settings.check()?;
        check_count(listeners.len())?;
        let places: Vec<Place> = listeners
            .iter()
            .map(|listener| listener.place().clone())
            .collect();
        let stop = CancellationToken::new();
        Ok(Self {
            listeners,
            addresses: places.iter().filter_map(Place::address).collect(),
            places,
            shared: Arc::new(Shared::new(settings, context, stop.clone())),
            patience: Patience::default(),
            stop,
        })
    }

    /// The same with other time limits for its clients.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Where it listens, in the order of the settings.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// What protects it: nothing, until something is put there, before or while it runs.
    pub fn protected(&self) -> Protected {
        self.shared.protected.clone()
    }

    /// Its addresses of TCP, in the order of the settings, with the ports that were taken for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until `stop`, then finishes the answers under way and returns.
    ///
    /// Dropping the future cuts them off: the grace of a shutdown is the caller's.
    pub async fn run(self, stop: CancellationToken) {
        let (router, works) = (routes::router(Arc::clone(&self.shared)), &self.shared.works);
        let mut accepting = JoinSet::new();
        let seats = Seats::new(HTTP_CONNECTIONS_MAX, HTTP_PEER_CONNECTIONS_MAX);
        for listener in self.listeners {
            let (router, patience, until) = (router.clone(), self.patience, stop.clone());
            let serve = move |stream| serve(stream, router.clone(), patience, until.clone());
            let clock = self.shared.context.clock;
            let bounds = Bounds {
                seats: seats.clone(),
                handshake_time_max: patience.head_time_max,
            };
            let protected = self.shared.protected.clone();
            let tls = move || protected.newest().tls.clone();
            accepting.spawn(listener.accept(bounds, clock, stop.clone(), tls, serve));
        }
        let stopping = async {
            stop.cancelled().await;
            self.stop.cancel();
            std::future::pending::<()>().await;
        };
        let accepting = async {
            while let Some(ended) = accepting.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a listener was cut short; this is a defect of the exporter");
                }
            }
            works.close();
            works.wait().await;
        };
        tokio::select! {
            () = stopping => {}
            () = accepting => {}
        }
    }
}
