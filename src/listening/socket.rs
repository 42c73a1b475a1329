//! Sockets that listen: made from an address, or handed over by whoever started us.

use crate::listening::{Ends, ListenError, Place};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};
use tokio_util::either::Either;

/// Connections that the kernel keeps waiting; what it allows by itself is often less.
const BACKLOG: i32 = 1024;

/// A socket that listens, and what stands for it in the file system.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Removed when it is dropped; a file that somebody else made is left alone.
        _file: Option<SocketFile>,
    },
}

/// A connection before anything was said on it.
pub(crate) type Plain = Either<TcpStream, UnixStream>;

/// A listening socket that somebody opened for us: systemd, as a rule.
#[derive(Debug)]
pub enum Inherited {
    /// Of TCP.
    Tcp(std::net::TcpListener),
    /// In the file system.
    Unix(StdUnixListener),
}

impl Socket {
    pub(crate) async fn accept(&self) -> io::Result<(Plain, Ends)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // What is small, or last, should not wait for an acknowledgement; a socket that cannot promise this
                // still works.
                drop(stream.set_nodelay(true));
                let ends = Ends {
                    local: stream.local_addr().ok(),
                    peer: stream.peer_addr().ok(),
                    ..Ends::default()
                };
                Ok((Either::Left(stream), ends))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let ends = Ends {
                    is_unix: true,
                    ..Ends::default()
                };
                Ok((Either::Right(stream), ends))
            }
        }
    }
}

/// See [`super::Listener::bind`].
pub(crate) async fn bind(address: &str) -> Result<(Socket, Place), ListenError> {
    if let Some(path) = Place::unix_path(address) {
        return bind_unix(path);
    }
    let unheard = |source| ListenError::Listen {
        address: address.to_owned(),
        source,
    };
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in candidates(address).await? {
        match bind_tcp(candidate) {
            Ok(listener) => {
                let place = Place::Tcp(listener.local_addr().map_err(unheard)?);
                return Ok((Socket::Tcp(listener), place));
            }
            Err(error) => refusal = error,
        }
    }
    Err(unheard(refusal))
}

/// See [`super::Listener::inherit`].
pub(crate) fn inherit(inherited: Inherited) -> io::Result<(Socket, Place)> {
    match inherited {
        Inherited::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let place = Place::Tcp(listener.local_addr()?);
            Ok((Socket::Tcp(listener), place))
        }
        Inherited::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            let address = listener.local_addr()?;
            let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
            let socket = Socket::Unix {
                listener,
                _file: None,
            };
            Ok((socket, Place::Unix(path)))
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
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A listening socket in the file system. One that a dead process left behind is replaced; anything else that is there
/// stays.
fn bind_unix(path: &Path) -> Result<(Socket, Place), ListenError> {
    let unheard = |source| ListenError::Unix {
        path: path.to_owned(),
        source,
    };
    let taken = |problem| ListenError::Taken {
        path: path.to_owned(),
        problem,
    };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(taken(
                "a file that is no socket is there; remove it, or take another path",
            ));
        }
        Ok(_) => match StdUnixStream::connect(path) {
            Ok(_) => return Err(taken("another process answers there")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(unheard)?;
            }
            Err(error) => return Err(unheard(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unheard(error)),
    }
    let listener = UnixListener::bind(path).map_err(unheard)?;
    let file = SocketFile::at(path).map_err(unheard)?;
    let socket = Socket::Unix {
        listener,
        _file: Some(file),
    };
    Ok((socket, Place::Unix(path.to_owned())))
}

/// The file of a unix socket that is ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: the same path may be another's by now.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.sock");
        let address = format!("unix:{}", path.display());
        // A listener of std leaves its file behind when it is dropped, as a process that was killed does.
        drop(StdUnixListener::bind(&path).expect("a socket"));
        assert!(path.exists());
        let (socket, place) = bind(&address).await.expect("the dead one is replaced");
        assert_eq!(place.to_string(), address);
        let refusal = bind(&address).await.expect_err("a live one").to_string();
        assert!(refusal.contains("another process answers"), "{refusal}");
        drop(socket);
        assert!(!path.exists(), "a socket leaves with its listener");
    }

    #[tokio::test]
    async fn an_address_that_we_hold_ourselves_is_not_said_to_be_another_programs_alone() {
        let (_socket, place) = bind("127.0.0.1:0").await.expect("a port");
        let told = bind(&place.to_string()).await.expect_err("held").to_string();
        assert_eq!(
            told,
            format!(
                "cannot listen on {place}, which is held already: by another listen address of this exporter, or by \
                 another program"
            )
        );
        let told = bind("192.0.2.1:0").await.expect_err("elsewhere").to_string();
        assert!(told.ends_with("which is no address of this host"), "{told}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_of_ours_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.txt");
        fs::write(&path, "mine").expect("a file");
        let address = format!("unix:{}", path.display());
        let refusal = bind(&address).await.expect_err("a file").to_string();
        assert!(refusal.contains("no socket"), "{refusal}");
        fs::remove_file(&path).expect("it is still there");
        let (socket, _) = bind(&address).await.expect("free");
        fs::remove_file(&path).expect("a socket");
        fs::write(&path, "another's").expect("a file");
        drop(socket);
        assert_eq!(fs::read_to_string(&path).expect("it stays"), "another's");
    }

    #[tokio::test]
    async fn a_socket_that_was_handed_over_is_listened_on() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (_socket, place) = inherit(Inherited::Tcp(listener)).expect("a socket");
        assert_eq!(place.address(), Some(address));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("activated.sock");
        let listener = StdUnixListener::bind(&path).expect("a socket");
        let (socket, place) = inherit(Inherited::Unix(listener)).expect("a socket");
        assert_eq!(place, Place::Unix(path.clone()));
        drop(socket);
        assert!(path.exists(), "what another made is another's to remove");
    }
}
