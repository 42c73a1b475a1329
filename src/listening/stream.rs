//! A connection that was taken: in plain or secured, over TCP or a unix socket.

use crate::limits::HTTP_HEAD_BYTES_MAX;
use crate::listening::Tls;
use crate::listening::socket::Plain;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A connection that was taken.
#[derive(Debug)]
pub struct Stream {
    io: Either<Plain, Box<TlsStream<Plain>>>,
    ends: Ends,
    severance: Severance,
}

/// Has the end of a connection be a reset: what its peer has not read is dropped with it, instead of being kept by the
/// kernel until it is read.
#[derive(Clone, Debug, Default)]
pub struct Severance(Arc<AtomicBool>);

impl Severance {
    /// From now on.
    pub fn sever(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Who is at the two ends of a connection, as the answering side sees them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The address that was called; none over a unix socket.
    pub local: Option<SocketAddr>,
    /// The address that called.
    pub peer: Option<SocketAddr>,
    /// Whether it is a unix socket.
    pub is_unix: bool,
    /// Whether the peer has shown a certificate that an authority of ours vouches for.
    pub is_verified: bool,
}

impl Ends {
    /// Whether the peer is on this host, for certain.
    pub fn is_same_host(&self) -> bool {
        let is_loopback =
            |end: Option<SocketAddr>| end.is_some_and(|address| address.ip().to_canonical().is_loopback());
        self.is_unix || (is_loopback(self.local) && is_loopback(self.peer))
    }
}

/// Told in plain to whoever does not speak TLS where it is spoken.
const NOT_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
    content-length: 52\r\n\r\nThis port speaks TLS: call it with https, not http.\n";

/// A connection that is ready for what it is there for; `None` when TLS did not come up in time: whoever does not come
/// to speak it notices by itself.
pub(crate) async fn opened(
    plain: Plain,
    ends: Ends,
    tls: Option<Tls>,
    handshake_time_max: Duration,
) -> Option<Stream> {
    let Some(tls) = tls else {
        return Some(Stream {
            io: Either::Left(plain),
            ends,
            severance: Severance::default(),
        });
    };
    let secured = timeout(handshake_time_max, secured(plain, &tls)).await.ok()??;
    let is_verified = tls.verifies_clients() && secured.get_ref().1.peer_certificates().is_some();
    Some(Stream {
        io: Either::Right(Box::new(secured)),
        ends: Ends { is_verified, ..ends },
        severance: Severance::default(),
    })
}

async fn secured(plain: Plain, tls: &Tls) -> Option<TlsStream<Plain>> {
    if !greets_in_tls(&plain).await {
        tell_of_tls(plain).await;
        return None;
    }
    let acceptor = TlsAcceptor::from(tls.config());
    match acceptor.accept(plain).into_fallible().await {
        Ok(secured) => Some(secured),
        Err((_, plain)) => {
            // What is wrong has been said in TLS.
            part(plain).await;
            None
        }
    }
}

/// By the first byte: <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>. Over a unix socket nobody mistakes one port
/// for another.
async fn greets_in_tls(plain: &Plain) -> bool {
    const HANDSHAKE: u8 = 22;
    let mut first = [HANDSHAKE];
    match plain {
        Either::Left(tcp) => tcp.peek(&mut first).await.is_ok() && first == [HANDSHAKE],
        Either::Right(_) => true,
    }
}

async fn tell_of_tls(mut plain: Plain) {
    if plain.write_all(NOT_TLS).await.is_ok() {
        part(plain).await;
    }
}

/// Ends a connection so that what was said last is heard: what comes is read as far as a request goes, since bytes that
/// nobody read would reset the connection before.
async fn part(mut plain: Plain) {
    if plain.shutdown().await.is_ok() {
        let bytes_max = u64::try_from(HTTP_HEAD_BYTES_MAX).unwrap_or(u64::MAX);
        drop(copy(&mut plain.take(bytes_max), &mut sink()).await);
    }
}

impl Stream {
    /// Who is at its ends.
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// Whether both sides agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        match &self.io {
            Either::Left(_) => false,
            Either::Right(secured) => secured.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// Has the kernel ask, after so much silence, whether the peer is still there; a socket that cannot still works.
    pub fn keep_alive(&self, silence: Duration) {
        if let Some(tcp) = self.tcp() {
            let keepalive = TcpKeepalive::new().with_time(silence);
            drop(SockRef::from(tcp).set_tcp_keepalive(&keepalive));
        }
    }

    /// Has the kernel hold no more than about twice this of what the peer has not read; a socket that cannot still
    /// works.
    pub fn bound_unsent(&self, bytes_max: usize) {
        if let Some(tcp) = self.tcp() {
            drop(SockRef::from(tcp).set_send_buffer_size(bytes_max));
        }
    }

    /// What can have this connection end with a reset.
    pub fn severance(&self) -> Severance {
        self.severance.clone()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        let plain = match &self.io {
            Either::Left(plain) => plain,
            Either::Right(secured) => secured.get_ref().0,
        };
        match plain {
            Either::Left(tcp) => Some(tcp),
            Either::Right(_) => None,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.severance.0.load(Ordering::Relaxed)
            && let Some(tcp) = self.tcp()
        {
            drop(SockRef::from(tcp).set_linger(Some(Duration::ZERO)));
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        let ends = Ends {
            local: stream.local_addr().ok(),
            peer: stream.peer_addr().ok(),
            ..Ends::default()
        };
        Self {
            io: Either::Left(Either::Left(stream)),
            ends,
            severance: Severance::default(),
        }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        let ends = Ends {
            is_unix: true,
            ..Ends::default()
        };
        Self {
            io: Either::Left(Either::Right(stream)),
            ends,
            severance: Severance::default(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_on_the_loopback_in_either_notation() {
        let ends = |local: &str, peer: &str| Ends {
            local: Some(local.parse().expect("an address")),
            peer: Some(peer.parse().expect("an address")),
            ..Ends::default()
        };
        for inside in [
            ends("127.0.0.1:1", "127.0.0.1:2"),
            ends("[::1]:1", "[::1]:2"),
            ends("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:2"),
            Ends {
                is_unix: true,
                ..Ends::default()
            },
        ] {
            assert!(inside.is_same_host(), "{inside:?}");
        }
        for outside in [
            ends("10.0.0.1:1", "10.0.0.2:2"),
            ends("127.0.0.1:1", "10.0.0.2:2"),
            Ends::default(),
        ] {
            assert!(!outside.is_same_host(), "{outside:?}");
        }
    }

    #[test]
    fn what_is_told_to_a_plain_caller_is_as_long_as_it_says() {
        let text = std::str::from_utf8(NOT_TLS).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{head}"
        );
    }
}
