//! Slots by id. The ids themselves stay in the rows: a hundred thousand copies of them would be a third of all memory.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Slots under the ids by which their rows are known.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashTable<Entry>,
    hasher: DefaultHashBuilder,
}

/// A slot under one of its ids; half of the id's hash is kept, so that the table can grow without the id.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    hash: u32,
    slot: u32,
}

impl Entry {
    /// The table looks at the highest and at the lowest bits.
    fn spread(self) -> u64 {
        (u64::from(self.hash) << 32) | u64::from(self.hash)
    }

    fn slot(self) -> usize {
        usize::try_from(self.slot).unwrap_or(usize::MAX)
    }
}

impl Index {
    /// The slot whose row `is_known_by` this id.
    pub(crate) fn find(&self, id: &str, is_known_by: impl Fn(usize) -> bool) -> Option<usize> {
        let wanted = self.entry(id, 0);
        self.entries
            .find(wanted.spread(), |entry| {
                entry.hash == wanted.hash && is_known_by(entry.slot())
            })
            .map(|entry| entry.slot())
    }

    /// Puts a slot under an id.
    pub(crate) fn insert(&mut self, id: &str, slot: usize) {
        let entry = self.entry(id, slot);
        let present = self.entries.find(entry.spread(), |known| *known == entry);
        if present.is_none() {
            self.entries
                .insert_unique(entry.spread(), entry, |entry| entry.spread());
        }
    }

    /// Takes a slot away from under an id.
    pub(crate) fn remove(&mut self, id: &str, slot: usize) {
        let entry = self.entry(id, slot);
        if let Ok(found) = self.entries.find_entry(entry.spread(), |known| *known == entry) {
            found.remove();
        }
    }

    fn entry(&self, id: &str, slot: usize) -> Entry {
        Entry {
            hash: u32::try_from(self.hasher.hash_one(id) >> 32).unwrap_or(0),
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
        }
    }
}
