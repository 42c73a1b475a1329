//! Spans on their way to a collector, opaque to all who carry them.

use crate::clock::Timestamp;

/// Spans as they will be sent: encoded once, and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedSpans {
    /// Which they are: what has one key is sent with one content, the first.
    pub key: SpanKey,
    /// OTLP bytes.
    pub bytes: Vec<u8>,
    /// How many spans they are.
    pub count: u32,
    /// Whether they tell of an operation that did not end well: those are given up last.
    pub is_failure: bool,
    /// When they were made.
    pub at: Timestamp,
}

/// Trace id and span id, in W3C's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanKey(pub [u8; 24]);

impl SpanKey {
    /// The trace that it belongs to.
    pub fn trace_id(&self) -> Option<[u8; 16]> {
        self.0.first_chunk().copied()
    }
}
