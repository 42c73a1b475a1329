//! The traces of operations: what changed, as spans in OTLP.
//!
//! In: [`Event`](crate::model::Event)s, and the projects as they are when those are told. Out:
//! [`EncodedSpans`](crate::model::EncodedSpans), each the same bytes whenever the same event is encoded. Never: a
//! clock, I/O, a failure, or anything about the exporter itself (version, host, time of sending), which would give
//! one span two contents.
//!
//! A trace is told as it grows: `started` when the operation is seen first, each phase when it is left, and the root
//! last. Ids are fixed in advance, so children may name a root that is still to come. `docs/traces.md` draws it.

mod attribute;
mod document;
mod encoder;
mod ending;
mod phase;
mod root;
mod span;

#[cfg(test)]
mod tests;

pub use document::attribute_table;
pub use encoder::{Encoder, Settings};
