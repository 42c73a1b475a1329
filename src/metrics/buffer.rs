//! The chunk that is being filled: bytes go in, a full chunk goes out, and its memory comes back.

use crate::limits::{SCRAPE_CHUNK_BYTES, SCRAPE_ROW_BYTES};
use bytes::{Bytes, BytesMut};
use std::fmt;

/// Takes bytes; what encoders write to. A [`Tally`] takes only their number.
pub(super) trait Output {
    /// Appends bytes.
    fn bytes(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn byte(&mut self, byte: u8);
}

/// One chunk of the exposition under way.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    chunk: BytesMut,
}

impl Buffer {
    /// Makes room for a chunk: the memory of the last one again, once its reader has dropped it.
    pub(super) fn prepare(&mut self) {
        self.chunk.reserve(SCRAPE_CHUNK_BYTES + SCRAPE_ROW_BYTES);
    }

    /// Whether the chunk should go out before the next row.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.chunk.len() >= SCRAPE_CHUNK_BYTES
    }

    /// The chunk, if there is anything in it.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (!self.chunk.is_empty()).then(|| self.chunk.split().freeze())
    }
}

impl Output for Buffer {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.chunk.extend_from_slice(&[byte]);
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// Counts the bytes it is given: the first pass of a format that tells lengths in advance.
#[derive(Debug, Default)]
pub(super) struct Tally(pub(super) usize);

impl Output for Tally {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    #[inline]
    fn byte(&mut self, _: u8) {
        self.0 += 1;
    }
}
