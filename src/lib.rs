//! A Prometheus exporter and observability sidecar for Yandex `DataSphere`.
//!
//! `ARCHITECTURE.md` draws the house; the modules below are its rooms, from the ground floor up.

pub mod clock;
pub mod config;
pub mod decode;
pub mod flow;
pub mod limits;
pub mod model;
pub mod proto;
