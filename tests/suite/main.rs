//! The integration tests, one binary; this list is their table of contents.
//!
//! The modules say `cfg(test)` so that helpers beside the tests are known to clippy as test code too.

#[cfg(test)]
mod callers;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod decode;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod exemplars;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod support;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod web;
