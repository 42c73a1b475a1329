//! The chunk that is being filled: bytes go in, a full chunk goes out, and its memory comes back.

use crate::limits::{SCRAPE_CHUNK_BYTES, SCRAPE_CHUNKS_MAX, SCRAPE_ROW_BYTES};
use bytes::Bytes;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes bytes; what encoders write to. A [`Tally`] takes only their number.
pub(super) trait Output {
    /// Appends bytes.
    fn bytes(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn byte(&mut self, byte: u8);
}

/// The longest line that is written in one piece, in bytes: three ids at their longest, a name and a value.
pub(super) const LINE_BYTES: usize = 512;

/// The longest beginning of such a line: our longest name with two ids of 20 bytes, and few enough bytes to be
/// copied without a call.
pub(super) const BEGINNING_BYTES: usize = 128;

/// One chunk of the exposition under way.
///
/// Its memory is filled once with zeros and then written over again and again, which lets a line be written
/// in place by copies of fixed width: the cost of a line is what the benchmark `scrape` measures.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    used: usize,
    pool: Pool,
}

/// Memory of chunks that their readers have dropped.
type Pool = Arc<Mutex<Vec<Vec<u8>>>>;

/// A chunk on its way out.
struct Chunk {
    memory: Vec<u8>,
    used: usize,
    pool: Pool,
}

impl Buffer {
    /// Makes room for a chunk: the memory of an earlier one, once its reader has dropped it.
    pub(super) fn prepare(&mut self) {
        if self.memory.is_empty() {
            let earlier = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
            self.memory = earlier.unwrap_or_else(|| vec![0; SCRAPE_CHUNK_BYTES + SCRAPE_ROW_BYTES]);
        }
    }

    /// Whether the chunk should go out before the next row.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.used >= SCRAPE_CHUNK_BYTES
    }

    /// The chunk, if there is anything in it.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let used = mem::take(&mut self.used);
        (used > 0).then(|| {
            Bytes::from_owner(Chunk {
                memory: mem::take(&mut self.memory),
                used,
                pool: Arc::clone(&self.pool),
            })
        })
    }

    /// A line with this beginning, to be written in place; `None` near the end of the memory.
    #[inline]
    pub(super) fn line(&mut self, beginning: &[u8; BEGINNING_BYTES], length: usize) -> Option<Line<'_>> {
        let room = self.memory.get_mut(self.used..)?.first_chunk_mut()?;
        Some(Line::new(room, beginning, length))
    }

    /// Keeps the bytes that were written in place.
    #[inline]
    pub(super) fn keep(&mut self, written: usize) {
        self.used += written;
    }
}

impl Output for Buffer {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if self.memory.len() < end {
            self.memory.resize(end + SCRAPE_ROW_BYTES, 0);
        }
        if let Some(room) = self.memory.get_mut(self.used..end) {
            room.copy_from_slice(bytes);
        }
        self.used = end;
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.memory.get(..self.used).unwrap_or_default()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < SCRAPE_CHUNKS_MAX {
            pool.push(mem::take(&mut self.memory));
        }
    }
}

/// A line that is written in place.
#[derive(Debug)]
pub(super) struct Line<'a> {
    room: &'a mut [u8; LINE_BYTES],
    used: usize,
}

impl<'a> Line<'a> {
    /// A line that begins with the first bytes of an array: all of it is copied, and what is too much is
    /// written over.
    #[inline]
    fn new(room: &'a mut [u8; LINE_BYTES], beginning: &[u8; BEGINNING_BYTES], used: usize) -> Self {
        if let Some(first) = room.first_chunk_mut() {
            *first = *beginning;
        }
        Self { room, used }
    }

    /// Replaces a byte of the beginning.
    #[inline]
    pub(super) fn patch(&mut self, place: usize, byte: u8) {
        if let Some(room) = self.room.get_mut(place) {
            *room = byte;
        }
    }

    /// How many bytes were written; `None` when they did not fit.
    #[inline]
    pub(super) fn written(&self) -> Option<usize> {
        (self.used < LINE_BYTES).then_some(self.used)
    }
}

impl Output for Line<'_> {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if let Some(room) = self.room.get_mut(self.used..end) {
            copy_short(room, bytes);
        }
        self.used = end;
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        if let Some(room) = self.room.get_mut(self.used) {
            *room = byte;
        }
        self.used += 1;
    }
}

/// Copies between slices of one length. Ids have 20 bytes and words not many more: two copies of fixed width
/// that overlap are cheaper than a call that finds out.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "two million times a scrape; see the benchmark `scrape`"
)]
pub(super) fn copy_short(room: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        16..=32 => copy_ends::<16>(room, bytes),
        8..=15 => copy_ends::<8>(room, bytes),
        4..=7 => copy_ends::<4>(room, bytes),
        _ => {
            if room.len() == bytes.len() {
                room.copy_from_slice(bytes);
            }
        }
    }
}

/// Copies the first and the last `N` bytes.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body of `copy_short`")]
fn copy_ends<const N: usize>(room: &mut [u8], bytes: &[u8]) {
    if let (Some(room), Some(bytes)) = (room.first_chunk_mut::<N>(), bytes.first_chunk::<N>()) {
        *room = *bytes;
    }
    if let (Some(room), Some(bytes)) = (room.last_chunk_mut::<N>(), bytes.last_chunk::<N>()) {
        *room = *bytes;
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

impl Output for Vec<u8> {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_chunk_comes_back_once_it_was_read() {
        let mut buffer = Buffer::default();
        buffer.prepare();
        buffer.bytes(b"one");
        let first = buffer.take().expect("bytes");
        let place = first.as_ptr();
        buffer.prepare();
        buffer.bytes(b"two");
        let second = buffer.take().expect("bytes");
        assert_ne!(second.as_ptr(), place, "the first is still being read");
        drop(first);
        buffer.prepare();
        buffer.bytes(b"three");
        let third = buffer.take().expect("bytes");
        assert_eq!((third.as_ptr(), &*third), (place, &b"three"[..]));
    }

    #[test]
    fn a_line_that_does_not_fit_says_so() {
        let mut buffer = Buffer::default();
        let beginning = [b'-'; BEGINNING_BYTES];
        assert!(buffer.line(&beginning, 3).is_none(), "not prepared");
        buffer.prepare();
        let mut line = buffer.line(&beginning, 3).expect("room");
        let alphabet: Vec<u8> = (b'a'..=b'z').cycle().take(100).collect();
        let mut expected = b"---".to_vec();
        for length in [0, 1, 3, 4, 7, 8, 15, 16, 20, 32, 33, 100] {
            line.bytes(&alphabet[..length]);
            expected.extend(&alphabet[..length]);
        }
        let written = line.written().expect("it fits");
        line.bytes(&[b'x'; 300]);
        assert_eq!(line.written(), None);
        buffer.keep(written);
        assert_eq!(buffer.take().expect("bytes"), expected);
    }
}
