//! A Prometheus exporter and observability sidecar for Yandex `DataSphere`.
//!
//! `ARCHITECTURE.md` draws the house; the modules below are its rooms, from the ground floor up.

pub mod app;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod decode;
pub mod delivery;
pub mod engine;
pub mod files;
pub mod flow;
pub mod gateway;
pub mod identity;
pub mod limits;
pub mod listening;
pub mod metrics;
pub mod model;
pub mod proto;
pub mod simulator;
pub mod sources;
pub mod store;
pub mod traces;
pub mod tracker;
pub mod web;
