//! The gateway: what passes unchanged, what is bounded, and what is heard.

mod certificate;
mod grpc;
mod half_dead;
mod heard;
mod limits;
mod listing;
mod rest;
pub(crate) mod support;
