//! What all samples of one operation begin with in one family.

use crate::metrics::buffer::{BEGINNING_BYTES, copy_short};
use std::ops::Range;

/// The bytes before a row's third label or its value: constant pieces around two ids.
///
/// Ids have nearly always the same length, so that the next row's beginning is this one with other ids in it,
/// and each of its samples starts as a copy of fixed width.
#[derive(Debug)]
pub(super) struct Beginning {
    padded: [u8; BEGINNING_BYTES],
    length: usize,
    ids: [Range<usize>; 2],
    /// All of it when it is longer than that.
    long: Vec<u8>,
}

impl Beginning {
    /// That of no row: the first row replaces it.
    pub(super) const NONE: Self = Self {
        padded: [0; BEGINNING_BYTES],
        length: 0,
        ids: [0..0, 0..0],
        long: Vec::new(),
    };

    /// The pieces before, between and after the ids.
    pub(super) fn new(pieces: [&[u8]; 3], ids: [&str; 2]) -> Self {
        let mut new = Self::NONE;
        let [first, second, last] = pieces;
        for ((piece, id), place) in [first, second].into_iter().zip(ids).zip(&mut new.ids) {
            new.long.extend_from_slice(piece);
            *place = new.long.len()..new.long.len() + id.len();
            new.long.extend_from_slice(id.as_bytes());
        }
        new.long.extend_from_slice(last);
        new.length = new.long.len();
        if let Some(bytes) = new.padded.get_mut(..new.length) {
            bytes.copy_from_slice(&new.long);
            new.long.clear();
        }
        new
    }

    /// Puts other ids in; `false` when their lengths differ, or it is that of no row, or long.
    #[inline]
    pub(super) fn replace(&mut self, [first, second]: [&str; 2]) -> bool {
        let [first_place, second_place] = self.ids.clone();
        if first_place.len() != first.len() || second_place.len() != second.len() || self.padded().is_none() {
            return false;
        }
        let Some(room) = self.padded.get_mut(first_place) else {
            return false;
        };
        copy_short(room, first.as_bytes());
        let Some(room) = self.padded.get_mut(second_place) else {
            return false;
        };
        copy_short(room, second.as_bytes());
        true
    }

    /// Its bytes with others behind them, to be copied at once, and their number; `None` when it is long.
    #[inline]
    pub(super) fn padded(&self) -> Option<(&[u8; BEGINNING_BYTES], usize)> {
        (self.length > 0 && self.length <= BEGINNING_BYTES).then_some((&self.padded, self.length))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.padded.get(..self.length).unwrap_or(&self.long)
    }

    /// How many bytes it has.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: [&[u8]; 3] = [b"metric{a=\"", b"\",b=\"", b"\"} "];

    #[test]
    fn other_ids_of_the_same_length_take_the_place_of_the_first() {
        let mut beginning = Beginning::NONE;
        assert!(!beginning.replace(["", ""]), "there is nothing to put ids in");
        beginning = Beginning::new(PIECES, ["bt1p0", "bt1j00000000000000001"]);
        assert!(beginning.replace(["bt1p1", "bt1j00000000000000002"]));
        assert_eq!(
            beginning.bytes(),
            b"metric{a=\"bt1p1\",b=\"bt1j00000000000000002\"} "
        );
        assert!(!beginning.replace(["", "bt1j00000000000000003"]));
        assert!(beginning.padded().is_some());
    }

    #[test]
    fn a_long_beginning_is_kept_whole() {
        let id = "x".repeat(64);
        let mut beginning = Beginning::new(PIECES, [&id, &id]);
        assert_eq!(
            beginning.bytes(),
            format!("metric{{a=\"{id}\",b=\"{id}\"}} ").as_bytes()
        );
        assert!(beginning.padded().is_none());
        assert!(!beginning.replace([&id, &id]));
    }
}
