//! What is wrong with a configuration, told so that it can be put right.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A value in the file cannot be used.
    #[error("{}{colon}{invalid}", path.display(), colon = if invalid.place.is_line() { ":" } else { ": " })]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        invalid: Invalid,
    },
    /// A flag or a variable of the environment cannot be used.
    #[error("{0}")]
    Elsewhere(Invalid),
    /// Something is missing that a file would tell, and none was named.
    #[error("{0}; no configuration file was named: --config.file=FILE names one")]
    NoFile(Invalid),
}

/// A value that cannot be used: where it is, its key, and what is allowed. Values are never quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where it was written.
    pub place: Place,
    /// Its whole key; empty for the document itself.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, from 1.
    Line(u64),
    /// A flag, with its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(String),
    /// Not written at all.
    Nowhere,
}

impl Place {
    pub(crate) fn is_line(&self) -> bool {
        matches!(self, Self::Line(_))
    }
}

impl ConfigError {
    /// A finding in a configuration of this file, or of none.
    pub(crate) fn about(path: Option<&Path>, invalid: Invalid) -> Self {
        match (path, &invalid.place) {
            (_, Place::Flag(_) | Place::Environment(_)) | (None, Place::Line(_)) => Self::Elsewhere(invalid),
            (Some(path), _) => Self::InFile {
                path: path.to_owned(),
                invalid,
            },
            (None, Place::Nowhere) => Self::NoFile(invalid),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => f.write_str(name),
            Self::Nowhere => f.write_str("nowhere"),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line(line) => write!(f, "{line}: ")?,
            Place::Flag(_) | Place::Environment(_) => return write!(f, "{}: {}", self.place, self.problem),
            Place::Nowhere => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}
