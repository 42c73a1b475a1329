//! Where something listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket; empty when it has no name.
    Unix(PathBuf),
}

/// In front of the path of a unix socket.
const UNIX: &str = "unix:";

impl Place {
    /// Its address, if it is of TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path in `unix:/PATH`.
    pub fn unix_path(address: &str) -> Option<&Path> {
        address.strip_prefix(UNIX).map(Path::new)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}
