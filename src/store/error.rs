//! Why a store cannot be opened or written.

use crate::limits::STORE_COMMIT_TIME_MAX;
use std::io;
use std::path::PathBuf;

/// Why a store cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error(
        "{} is in use by another process{}; give each exporter a storage.path of its own",
        path.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// What that process calls itself: its number in its own container, if it is in one.
        pid: Option<u32>,
    },
    /// A later version of the program made it.
    #[error(
        "{} has schema {found}, and this version knows up to {known}: run the version that made it, or move the folder away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema this version knows.
        known: u32,
    },
    /// A folder or a file cannot be used.
    #[error("{} cannot be used", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database refused.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
    /// A commit does not come back.
    #[error("a commit has taken more than {} s", STORE_COMMIT_TIME_MAX.as_secs())]
    Delayed,
    /// Somebody moved or deleted the file while it was written.
    #[error("{} is not the file any more that was opened; restart the exporter, which makes a new one", path.display())]
    Gone {
        /// Which.
        path: PathBuf,
    },
    /// The file is no database of ours, or not all of it is there.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// A record cannot be written as JSON or read from it.
    #[error("a record cannot be converted")]
    Record(#[from] serde_json::Error),
}

/// Primary codes of SQLite that tell of the machine and not of the file: PERM, BUSY, LOCKED, NOMEM, READONLY,
/// INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, NOLFS, AUTH.
const ENVIRONMENT: [u32; 12] = [3, 5, 6, 7, 8, 9, 10, 13, 14, 15, 22, 23];

impl StoreError {
    /// Whether the operator has to decide, since going on would harm the other process or the newer file.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::InUse { .. } | Self::Newer { .. })
    }

    /// Whether the file itself is at fault, and a new one would do.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Record(_) | Self::Database(sqlx::Error::ColumnDecode { .. }) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<u32>().ok());
                !code.is_some_and(|code| ENVIRONMENT.contains(&(code & 0xff)))
            }
            Self::Database(_)
            | Self::Gone { .. }
            | Self::Delayed
            | Self::InUse { .. }
            | Self::Newer { .. }
            | Self::Folder { .. } => false,
        }
    }

    /// The message with its causes, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            line = format!("{line}: {next}");
            cause = next.source();
        }
        line
    }
}
