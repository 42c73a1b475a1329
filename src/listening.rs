//! Listening on TCP and unix sockets, in plain or with TLS: where, as whom, and for how many connections at once.
//!
//! In: an address as an operator wrote it, or a socket that somebody opened for us; certificates; how one connection is
//! served. Out: connections, each seen to its end. Never: a byte of what is said on them, and no key in a message.

mod peers;
mod place;
mod socket;
mod stream;
mod tls;
mod trust;
mod words;

pub(crate) use peers::{Peers, Share};
pub use place::Place;
pub use socket::Inherited;
pub use stream::{Ends, Severance, Stream};
pub use tls::{Pem, Shown, Tls, TlsError, TlsSettings};
pub use trust::{ClientAuth, Clients};
pub use words::{CipherSuite, Curve, TlsVersion, cipher_suite_names, curve_names, tls_version_names};

use crate::clock::Clock;
use crate::flow::{Said, Throttle};
use crate::limits::HTTP_ACCEPT_PAUSE;
use socket::{Plain, Socket};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address that names no place.
    #[error("cannot find the listen address {address:?}; write HOST:PORT, [IPV6]:PORT, :PORT or unix:/PATH")]
    Address {
        /// As it was given.
        address: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}{}", hint(source.kind()))]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A unix socket that cannot be listened on.
    #[error("cannot listen on the unix socket {}; its folder must be there, and this process must be able to write to it", path.display())]
    Unix {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file that is not ours to replace.
    #[error("cannot listen on the unix socket {}: {problem}", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
        /// By what.
        problem: &'static str,
    },
    /// A socket that was opened for us and cannot be used.
    #[error("a socket that was handed over at the start cannot be used")]
    Inherited(#[source] io::Error),
}

/// What is the matter, most likely.
fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            ", which is held already: by another listen address of this exporter, or by another program"
        }
        io::ErrorKind::AddrNotAvailable => ", which is no address of this host",
        io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs a right that this process lacks; take another, or give it CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    place: Place,
}

/// Room for connections, which listeners may share.
#[derive(Clone, Debug)]
pub struct Seats {
    all: Arc<Semaphore>,
    peers: Peers,
}

impl Seats {
    /// So many at once, of which each listener keeps one for who comes next; further ones wait in the kernel's queue.
    /// Those of one address beyond `peer_connections_max` are closed at once.
    pub fn new(connections_max: usize, peer_connections_max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections_max)),
            peers: Peers::new(peer_connections_max),
        }
    }
}

/// What a listener allows strangers.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at once.
    pub seats: Seats,
    /// For TLS to come up; a connection that takes longer is closed.
    pub handshake_time_max: Duration,
}

impl Listener {
    /// Listens on `HOST:PORT`, on every address of the host for `:PORT`, or on `unix:/PATH`; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ListenError`], about the last of the addresses that a name stands for.
    pub async fn bind(address: &str) -> Result<Self, ListenError> {
        let (socket, place) = socket::bind(address).await?;
        Ok(Self { socket, place })
    }

    /// Listens on a socket that somebody opened for us.
    ///
    /// # Errors
    /// [`ListenError::Inherited`] when it is none that listens.
    pub fn inherit(inherited: Inherited) -> Result<Self, ListenError> {
        let (socket, place) = socket::inherit(inherited).map_err(ListenError::Inherited)?;
        Ok(Self { socket, place })
    }

    /// Where it listens, with the port that was taken for port 0.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Serves connections until `stop`, then waits for those that are still being served. Each connection is secured
    /// by what `tls` says at that moment, and is in plain where it says nothing.
    pub async fn accept<F>(
        self,
        bounds: Bounds,
        clock: Clock,
        stop: CancellationToken,
        tls: impl Fn() -> Option<Tls>,
        serve: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = Arc::new(serve);
        let throttle = Throttle::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => told(ended),
                accepted = next(&self.socket, &bounds.seats.all) => match accepted {
                    Ok((plain, ends, seat)) => {
                        let peer = ends.peer.map(|peer| peer.ip());
                        let Some(share) = bounds.seats.peers.share(peer) else {
                            self.tell_of_share(peer, &throttle, clock);
                            continue;
                        };
                        let stream = stream::opened(plain, ends, tls(), bounds.handshake_time_max);
                        let (serve, stop) = (Arc::clone(&serve), stop.clone());
                        connections.spawn(async move {
                            if let Some(Some(stream)) = stop.run_until_cancelled(stream).await {
                                serve(stream).await;
                            }
                            drop((seat, share));
                        });
                    }
                    Err(error) => {
                        if let Some(Said { held_back }) = throttle.admit("accept", clock.now()) {
                            let address = &self.place;
                            tracing::warn!(%address, %error, held_back, "a connection was not accepted; trying on");
                        }
                        tokio::time::sleep(HTTP_ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        while let Some(ended) = connections.join_next().await {
            told(ended);
        }
    }

    fn tell_of_share(&self, peer: Option<IpAddr>, throttle: &Throttle, clock: Clock) {
        if let Some(Said { held_back }) = throttle.admit("share", clock.now()) {
            let (address, peer) = (&self.place, peer.map(tracing::field::display));
            tracing::warn!(
                %address,
                peer,
                held_back,
                "a connection was closed, since its address has its share of them open"
            );
        }
    }
}

/// A connection, once there is room for one.
async fn next(socket: &Socket, seats: &Arc<Semaphore>) -> io::Result<(Plain, Ends, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (plain, ends) = socket.accept().await?;
    Ok((plain, ends, seat))
}

fn told(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection was cut short; this is a defect of the exporter");
    }
}
