//! A believable DataSphere: the services that the exporter and the official clients speak to, over a scripted fleet.
//!
//! In: a [`Scenario`] and calls over gRPC, REST and HTTP. Out: answers, which follow from the script and the time alone.
//! Never: the exporter's own `decode` or `cloud`, whose mistakes it would share; a task or a timer for a job.

mod api;
mod cloud;
mod demo;
mod faults;
mod files;
mod front;
mod handle;
mod ids;
mod line;
mod logs;
mod rest;
pub mod scenario;
mod span;
mod timeline;
mod tokens;
mod urls;
mod world;

pub use demo::demo;
pub use handle::{Handle, Run};
pub use scenario::Scenario;
pub use span::Span;

use crate::clock::Clock;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;

/// Where a simulator listens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For gRPC and REST; port 0 takes any that is free.
    pub listen_address: SocketAddr,
    /// For files and instance metadata; port 0 takes any that is free.
    pub http_listen_address: SocketAddr,
    /// What endpoint discovery answers; `None` is the authority that the caller used.
    pub advertise_address: Option<String>,
    /// Certificate and key for gRPC and REST; `None` is plaintext. The HTTP half is always plaintext, as instance metadata is.
    pub identity: Option<Identity>,
}

/// A certificate chain and its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The chain, the server's own certificate first.
    pub certificate_pem: Vec<u8>,
    /// The key.
    pub key_pem: Vec<u8>,
}

/// A simulator that listens.
#[derive(Debug)]
pub struct Simulator {
    handle: Handle,
    grpc: TcpListener,
    http: TcpListener,
    grpc_address: SocketAddr,
    http_address: SocketAddr,
    identity: Option<Identity>,
}

/// Why a simulator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The scenario does not parse.
    #[error("the scenario cannot be read; docs/simulator.md describes what it may say")]
    Scenario {
        /// What the parser says, with line and column.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// The scenario asks for something impossible.
    #[error("the scenario is impossible: {what}")]
    Impossible {
        /// What, where, and what is allowed.
        what: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; another program may hold the port")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("the certificate and key of the simulator cannot be used; both must be PEM and belong together")]
    Tls {
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The gRPC server failed.
    #[error("the simulator's gRPC server failed")]
    Serve {
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The HTTP server failed.
    #[error("the simulator's HTTP server failed")]
    ServeHttp {
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Settings {
    /// Any free ports of the loopback interface, in plaintext.
    pub fn loopback() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen_address: any,
            http_listen_address: any,
            advertise_address: None,
            identity: None,
        }
    }
}

impl Simulator {
    /// Takes both addresses; nothing is answered before [`Simulator::run`].
    ///
    /// # Errors
    /// When an address is taken, the scenario contradicts itself, or a key file of it cannot be read.
    pub async fn bind(scenario: &Scenario, settings: Settings, clock: Clock) -> Result<Self, Error> {
        let (grpc, grpc_address) = listen(settings.listen_address).await?;
        let (http, http_address) = listen(settings.http_listen_address).await?;
        let handle = Handle::advertising(
            scenario,
            clock,
            &reachable(http_address),
            settings.advertise_address,
        )?;
        Ok(Self {
            handle,
            grpc,
            http,
            grpc_address,
            http_address,
            identity: settings.identity,
        })
    }

    /// Where gRPC and REST are served.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }

    /// Where files and instance metadata are served.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// A hand in the simulation while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `shutdown`.
    ///
    /// # Errors
    /// When a server fails, or certificate and key do not fit.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let http = axum::serve(self.http, self.handle.http_routes())
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let http = async { http.await.map_err(|source| Error::ServeHttp { source }) };
        let incoming = TcpListenerStream::new(self.grpc);
        let grpc = self.handle.serve_with_incoming(incoming, self.identity, shutdown);
        tokio::try_join!(grpc, http).map(|_| ())
    }
}

impl Error {
    /// The message with those of its causes, for tests.
    #[cfg(test)]
    pub(crate) fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity(***)")
    }
}

/// The address that a client on this machine reaches a listener at.
fn reachable(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("127.0.0.1:{}", address.port()),
        _ => address.to_string(),
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let refused = |source| Error::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let taken = listener.local_addr().map_err(refused)?;
    Ok((listener, taken))
}
