//! Listening, and the bounded number of connections.

use crate::clock::Clock;
use crate::flow::{Admitted, Throttle};
use crate::limits::{HTTP_ACCEPT_PAUSE, HTTP_CONNECTIONS_MAX};
use crate::web::WebError;
use crate::web::connection::{Patience, serve};
use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections that the kernel keeps waiting; what it allows by itself is often less.
const BACKLOG: i32 = 1024;

/// Takes connections in and sees each to its end.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) router: Router,
    pub(super) patience: Patience,
    pub(super) clock: Clock,
}

/// Listens on `HOST:PORT`, or on every address of the host for `:PORT`; with the address that was taken.
pub(super) async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), WebError> {
    let unheard = |source| WebError::Listen {
        address: address.to_owned(),
        source,
    };
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in candidates(address).await? {
        match bind(candidate) {
            Ok(listener) => {
                let local = listener.local_addr().map_err(unheard)?;
                return Ok((listener, local));
            }
            Err(error) => refusal = error,
        }
    }
    Err(unheard(refusal))
}

/// The socket addresses to try, best first.
async fn candidates(address: &str) -> Result<Vec<SocketAddr>, WebError> {
    let unknown = |source| WebError::Address {
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

impl Door {
    /// Serves connections until `stop`, then waits for those that are still being answered.
    pub(super) async fn open(self, listener: TcpListener, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
        let throttle = Throttle::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => told(ended),
                accepted = next(&listener, &slots) => match accepted {
                    Ok((stream, slot)) => {
                        let (door, stop) = (self.clone(), stop.clone());
                        connections.spawn(async move {
                            serve(stream, door.router, door.patience, stop).await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        if let Some(Admitted { held_back }) = throttle.admit("accept", self.clock.now()) {
                            tracing::warn!(%error, held_back, "a connection was not accepted; trying on");
                        }
                        tokio::time::sleep(HTTP_ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        while let Some(ended) = connections.join_next().await {
            told(ended);
        }
    }
}

/// A connection, once there is room for one.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // An answer goes out in large pieces, and its last one should not wait for an acknowledgement; a socket
    // that cannot promise this still works.
    drop(stream.set_nodelay(true));
    Ok((stream, slot))
}

fn told(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection was cut short; this is a defect of the exporter");
    }
}
