//! Listening on TCP and unix sockets, in plain or with TLS: where, as whom, and for how many connections at once.
//!
//! In: an address as an operator wrote it, or a socket that somebody opened for us; certificates; how one connection is
//! served. Out: connections, each seen to its end. Never: a byte of what is said on them, and no key in a message.

mod place;
mod socket;
mod stream;
mod tls;
mod trust;
mod words;

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
    #[error(
        "cannot listen on {address}; another program may hold the port, the host may not have the address, or \
         a port below 1024 may need a right that this process lacks"
    )]
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

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    place: Place,
}

/// What a listener allows strangers.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
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
        let slots = Arc::new(Semaphore::new(bounds.connections_max));
        let serve = Arc::new(serve);
        let throttle = Throttle::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => told(ended),
                accepted = next(&self.socket, &slots) => match accepted {
                    Ok((plain, ends, slot)) => {
                        let stream = stream::opened(plain, ends, tls(), bounds.handshake_time_max);
                        let (serve, stop) = (Arc::clone(&serve), stop.clone());
                        connections.spawn(async move {
                            if let Some(Some(stream)) = stop.run_until_cancelled(stream).await {
                                serve(stream).await;
                            }
                            drop(slot);
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
}

/// A connection, once there is room for one.
async fn next(socket: &Socket, slots: &Arc<Semaphore>) -> io::Result<(Plain, Ends, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (plain, ends) = socket.accept().await?;
    Ok((plain, ends, slot))
}

fn told(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection was cut short; this is a defect of the exporter");
    }
}
