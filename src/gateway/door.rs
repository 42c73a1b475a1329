//! Listening, and the bounded number of connections.

use crate::flow::Admitted;
use crate::gateway::GatewayError;
use crate::gateway::call::Calls;
use crate::gateway::connection::serve;
use crate::limits::{GATEWAY_CONNECTIONS_MAX, HTTP_ACCEPT_PAUSE};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Connections that the kernel keeps waiting; what it allows by itself is often less.
const BACKLOG: i32 = 1024;

/// Silence after which the kernel asks whether a caller over HTTP/1.1 is still there; HTTP/2 has pings.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

/// Takes connections in and sees each to its end.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) calls: Arc<Calls>,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Listens on `HOST:PORT`, or on every address of the host for `:PORT`; with the address that was taken.
pub(crate) async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let unheard = |source| GatewayError::Listen {
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
async fn candidates(address: &str) -> Result<Vec<SocketAddr>, GatewayError> {
    let unknown = |source| GatewayError::Address {
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
    // A restart must not wait for the connections of the process before.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Door {
    /// Serves connections until `stop`, then waits for those that still have calls.
    pub(crate) async fn open(self, listener: TcpListener, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(GATEWAY_CONNECTIONS_MAX));
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
                            serve(stream, door.tls, door.calls, stop).await;
                            drop(slot);
                        });
                    }
                    Err(error) => self.pause(&error).await,
                },
            }
        }
        drop(listener);
        while let Some(ended) = connections.join_next().await {
            told(ended);
        }
    }

    async fn pause(&self, error: &io::Error) {
        if let Some(Admitted { held_back }) = self.calls.throttle.admit("accept", self.calls.clock.now()) {
            tracing::warn!(%error, held_back, "the gateway did not accept a connection; trying on");
        }
        tokio::time::sleep(HTTP_ACCEPT_PAUSE).await;
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
    // Small messages must not wait for acknowledgements; a socket that cannot promise either still works.
    drop(stream.set_nodelay(true));
    let keepalive = TcpKeepalive::new().with_time(TCP_KEEPALIVE);
    drop(SockRef::from(&stream).set_tcp_keepalive(&keepalive));
    Ok((stream, slot))
}

fn told(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection of the gateway was cut short; this is a defect of the exporter");
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}
