//! Why spans cannot be sent at all.

use std::io;
use std::path::{Path, PathBuf};

/// What only the operator can mend; that a collector cannot be reached is none of these.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A file cannot be read.
    #[error("the {what} {} for the collector of traces cannot be read", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("the {what} {} for the collector of traces holds none in PEM", path.display())]
    FileContent {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// TLS cannot be set up, with these files or with the system's authorities.
    #[error("TLS to the collector of traces cannot be set up: {0}")]
    Tls(String),
}

impl DeliveryError {
    /// The file of the settings that it is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::FileContent { path, .. } => Some(path),
            Self::Tls(_) => None,
        }
    }
}
