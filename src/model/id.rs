//! Ids, parsed and bounded at the edge, so that no room above has to escape or measure them.

use crate::limits::ID_BYTES_MAX;
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("an id cannot be empty")]
    Empty,
    /// Longer than any id of the cloud.
    #[error("an id has at most {ID_BYTES_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// A character that no id of the cloud has.
    #[error("an id has letters, digits, '-', '_' and '.' only, not {0:?}")]
    Character(char),
}

fn check(id: &str) -> Result<SmolStr, IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if id.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(id.len()));
    }
    match id
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        Some(character) => Err(IdError::Character(character)),
        // In a path it would lead elsewhere.
        None if id.bytes().all(|byte| byte == b'.') => Err(IdError::Character('.')),
        None => Ok(SmolStr::new(id)),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Up to 23 bytes are kept in place, which holds every id the cloud gives out.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(SmolStr);

        impl $name {
            /// The id as the API writes it; needs no escaping in any format.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(id: &str) -> Result<Self, IdError> {
                check(id).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let id = SmolStr::deserialize(from)?;
                id.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A long-running operation of the cloud's API: one execution.
    OperationId
}
id! {
    /// A job; it may be executed more than once, each time by another operation.
    JobId
}
id! {
    /// A `DataSphere` project.
    ProjectId
}
id! {
    /// A `DataSphere` community, which holds projects.
    CommunityId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_need_no_escaping() {
        assert_eq!("".parse::<JobId>(), Err(IdError::Empty));
        assert_eq!("a\"b".parse::<JobId>(), Err(IdError::Character('"')));
        assert_eq!("x".repeat(65).parse::<JobId>(), Err(IdError::TooLong(65)));
        assert!("bt1a-B_9.z".parse::<OperationId>().is_ok());
    }
}
