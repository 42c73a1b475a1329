//! The integration tests, one binary; this list is their table of contents.

// So helpers beside the tests are known to clippy as test code too.
#![cfg(test)]

mod callers;
mod canary;
mod cloud;
mod collector;
mod configuration;
mod decode;
mod documents;
mod exemplars;
mod gateway;
mod json;
mod metrics;
mod reload;
mod restart;
mod scene;
mod schema;
mod secrets;
mod simulated;
mod simulator;
mod support;
mod telemetry;
mod watching;
mod web;
