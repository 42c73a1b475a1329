//! The integration tests, one binary; this list is their table of contents.
//!
//! The modules say `cfg(test)` so that helpers beside the tests are known to clippy as test code too.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod schema;
