//! Configuration.
mod error;
mod node;
pub use error::{ConfigError, Invalid, Place};
