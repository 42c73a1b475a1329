//! What the exporter's metrics are read by: dashboards, rules and runbooks. The dashboards are made from its own
//! declarations and compared with what is committed; all of them are held to rules.

// So helpers beside the tests are known to clippy as test code too.
#![cfg(test)]

mod committed;
mod dashboard;
mod exporter;
mod fleet;
mod fragments;
mod job;
mod levels;
mod lint;
mod operations;
mod panel;
mod promql;
mod query;
mod rules;
mod words;
