//! Listening on TCP: where, and for how many connections at once.
//!
//! In: an address as an operator wrote it, and how one connection is served. Out: connections, each seen to its end.
//! Never: a byte of what is said on them.

use crate::clock::Clock;
use crate::flow::{Admitted, Throttle};
use crate::limits::HTTP_ACCEPT_PAUSE;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections that the kernel keeps waiting; what it allows by itself is often less.
const BACKLOG: i32 = 1024;

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address that names no place.
    #[error("cannot find the listen address {address:?}; write HOST:PORT, [IPV6]:PORT or :PORT")]
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
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on `HOST:PORT`, or on every address of the host for `:PORT`; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ListenError`], about the last of the addresses that a name stands for.
    pub async fn bind(address: &str) -> Result<Self, ListenError> {
        let unheard = |source| ListenError::Listen {
            address: address.to_owned(),
            source,
        };
        let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for candidate in candidates(address).await? {
            match bind(candidate) {
                Ok(socket) => {
                    let address = socket.local_addr().map_err(unheard)?;
                    return Ok(Self { socket, address });
                }
                Err(error) => refusal = error,
            }
        }
        Err(unheard(refusal))
    }

    /// Where it listens, with the port that was taken for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `stop`, at most so many at once, then waits for those that are still being served.
    pub async fn accept<F>(
        self,
        connections_max: usize,
        clock: Clock,
        stop: CancellationToken,
        serve: impl Fn(TcpStream) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(connections_max));
        let throttle = Throttle::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => told(ended),
                accepted = next(&self.socket, &slots) => match accepted {
                    Ok((stream, slot)) => {
                        let served = serve(stream);
                        connections.spawn(async move {
                            served.await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        if let Some(Admitted { held_back }) = throttle.admit("accept", clock.now()) {
                            let address = self.address;
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

/// The socket addresses to try, best first.
async fn candidates(address: &str) -> Result<Vec<SocketAddr>, ListenError> {
    let unknown = |source| ListenError::Address {
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let port = port
            .parse()
            .map_err(|error| unknown(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        return Ok(vec![
            (Ipv6Addr::UNSPECIFIED, port).into(),
            (Ipv4Addr::UNSPECIFIED, port).into(),
        ]);
    }
    Ok(lookup_host(address).await.map_err(unknown)?.collect())
}

/// A listening socket; `[::]` takes IPv4 too, whatever the system's default.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the connections of the process before; elsewhere than on Unix the option
    // would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A connection, once there is room for one.
async fn next(socket: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    // What is small, or last, should not wait for an acknowledgement; a socket that cannot promise this still works.
    drop(stream.set_nodelay(true));
    Ok((stream, slot))
}

fn told(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection was cut short; this is a defect of the exporter");
    }
}
