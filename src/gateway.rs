//! The gateway: callers are pointed at it instead of at the cloud, and their calls pass through it.
//!
//! In: calls of gRPC and REST from anyone who may reach the port. Out: the same calls to the cloud, its answers back to
//! the callers, and the operations in these answers into the [`Inbox`]. Never: a byte changed, but for the addresses in
//! the list of endpoints; a credential kept, or one of ours lent; a failure of ours made the caller's: what cannot be
//! read or reported passes all the same.
//!
//! A call is a stream of frames in both directions, and is never held whole: flow control of either side holds up the
//! other. The end of an answer that is an operation waits a moment for the watcher, so that who asks the exporter about
//! it right after is answered; everything else goes on as it comes.

mod addresses;
mod answer;
mod call;
mod callers;
mod connection;
mod ear;
mod head;
mod method;
mod patience;
mod presence;
mod refusal;
mod relay;
mod sniffer;
mod splice;
mod stay;
mod tally;
mod upload;
mod upstream;

pub use sniffer::{Budget, Copied, Framing, Sniffer, Unheard};

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::cloud::{Client, CloudError};
use crate::flow::{Inbox, Said, Throttle};
use crate::limits::{
    GATEWAY_CONNECTIONS_MAX, GATEWAY_DRAIN_TIME_MAX, GATEWAY_GREETING_TIME_MAX, GATEWAY_LAST_WORDS_TIME_MAX,
    GATEWAY_PEER_CONNECTIONS_MAX, GATEWAY_STALL_TIME_MAX,
};
use crate::listening::{Bounds, ListenError, Listener, Pem, Place, Seats, Shown, TlsError, TlsSettings};
use call::Calls;
use connection::serve;
use ear::Ear;
use http::HeaderName;
use stay::Stays;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use upstream::Upstreams;

/// What an operator may set: the section `gateway` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen: `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every address of the host.
    pub listen_address: String,
    /// What the list of endpoints tells in place of the cloud's addresses; `None` for the address that a caller used.
    pub advertise_address: Option<String>,
    /// Metadata and headers that are not passed on to the cloud.
    pub strip_headers: Vec<HeaderName>,
    /// Plaintext without.
    pub tls: Option<Tls>,
}

/// The certificate that callers see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate and its chain.
    pub cert_file: PathBuf,
    /// PEM file of its key.
    pub key_file: PathBuf,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Nobody can connect.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate for callers.
    #[error("gateway.tls cannot be used")]
    Tls(#[from] TlsError),
    /// TLS to the cloud.
    #[error("connections of the gateway to the cloud cannot be set up")]
    Cloud(#[from] CloudError),
}

/// A gateway that listens, and passes calls once it runs.
pub struct Gateway {
    listener: Listener,
    calls: Arc<Calls>,
    certificate: Option<Shown>,
    stall_time_max: Duration,
}

impl Settings {
    /// Whether they could be used, without listening: for a check of the configuration.
    ///
    /// # Errors
    /// [`GatewayError`] when the certificate cannot be used.
    pub fn check(&self) -> Result<(), GatewayError> {
        self.tls.clone().map(certificate).transpose()?;
        Ok(())
    }
}

/// What the gateway works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the cloud is.
    pub client: Client,
    /// Where operations are reported.
    pub inbox: Inbox,
    /// What is counted.
    pub instruments: Instruments,
    /// The present.
    pub clock: Clock,
}

impl Gateway {
    /// Listens; connections wait until [`Self::run`].
    ///
    /// # Errors
    /// [`GatewayError`] when the address or the certificate cannot be used.
    pub async fn bind(settings: Settings, context: Context) -> Result<Self, GatewayError> {
        let Context {
            client,
            inbox,
            instruments,
            clock,
        } = context;
        let passage = client.passage();
        let certificate = settings.tls.map(certificate).transpose()?;
        let listener = Listener::bind(&settings.listen_address).await?;
        let calls = Calls {
            upstreams: Upstreams::new(&passage)?,
            passage,
            stays: Stays::default(),
            ear: Arc::new(Ear::new(inbox, clock, &instruments)),
            instruments,
            clock,
            throttle: Throttle::default(),
            stripped: settings.strip_headers,
            advertise_address: settings.advertise_address,
            cut: CancellationToken::new(),
        };
        let gateway = Self {
            listener,
            calls: Arc::new(calls),
            certificate,
            stall_time_max: GATEWAY_STALL_TIME_MAX,
        };
        if gateway.is_exposed() {
            tracing::warn!(
                address = %gateway.place(),
                "the gateway takes calls in plaintext from other hosts, and callers' tokens pass in them; set \
                 gateway.tls, or listen on a loopback address"
            );
        }
        Ok(gateway)
    }

    /// Whether callers' tokens come over a network that can read them.
    pub fn is_exposed(&self) -> bool {
        let is_local = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        self.certificate.is_none() && self.address().is_some_and(|address| !is_local(address))
    }

    /// The same with another patience with callers that stop reading.
    #[must_use]
    pub fn with_stall_time_max(self, stall_time_max: Duration) -> Self {
        Self {
            stall_time_max,
            ..self
        }
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        self.listener.place()
    }

    /// Its address, if it listens on TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        self.place().address()
    }

    /// The certificate that callers see, if they see one: it can be read anew.
    pub fn certificate(&self) -> Option<Shown> {
        self.certificate.clone()
    }

    /// Passes calls until `stop`; then it takes no more, lets those under way go on for a while, and ends what is left
    /// with a status.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            listener,
            calls,
            certificate,
            stall_time_max,
        } = self;
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_stalls(Arc::clone(&calls), stall_time_max, stop.clone()));
        let serve = {
            let (calls, until) = (Arc::clone(&calls), stop.clone());
            move |stream| serve(stream, Arc::clone(&calls), until.clone())
        };
        let bounds = Bounds {
            seats: Seats::new(GATEWAY_CONNECTIONS_MAX, GATEWAY_PEER_CONNECTIONS_MAX),
            handshake_time_max: GATEWAY_GREETING_TIME_MAX,
        };
        let tls = move || certificate.as_ref().map(Shown::newest);
        tasks.spawn(listener.accept(bounds, calls.clock, stop.clone(), tls, serve));
        stop.cancelled().await;
        let ended = async {
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a part of the gateway was cut short; this is a defect of the exporter");
                }
            }
        };
        let drain = async {
            tokio::time::sleep(GATEWAY_DRAIN_TIME_MAX).await;
            calls.cut.cancel();
            tokio::time::sleep(GATEWAY_LAST_WORDS_TIME_MAX).await;
        };
        tokio::select! {
            () = ended => {}
            () = drain => {}
        }
        calls.cut.cancel();
        calls.ear.close().await;
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// What both protocols are called: <https://www.iana.org/assignments/tls-extensiontype-values>.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// Reads the certificate for callers.
fn certificate(tls: Tls) -> Result<Shown, TlsError> {
    let (cert, key) = (Pem::File(tls.cert_file), Pem::File(tls.key_file));
    Shown::load(TlsSettings::new(cert, key, PROTOCOLS.to_vec()))
}

/// Shortest time between two walks past all calls.
const STALL_ROUND_MIN: Duration = Duration::from_millis(10);

/// Ends calls whose callers stopped reading.
async fn watch_stalls(calls: Arc<Calls>, stall_time_max: Duration, stop: CancellationToken) {
    let mut rounds = tokio::time::interval((stall_time_max / 10).max(STALL_ROUND_MIN));
    while stop.run_until_cancelled(rounds.tick()).await.is_some() {
        let ended = calls.stays.end_stalled(stall_time_max);
        if ended > 0
            && let Some(Said { held_back }) = calls.throttle.admit("stalled", calls.clock.now())
        {
            let seconds = stall_time_max.as_secs();
            tracing::warn!(
                ended,
                seconds,
                held_back,
                "callers of the gateway did not read their answers for too long: these calls were ended"
            );
        }
    }
}
