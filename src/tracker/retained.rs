//! Ended rows, in the order in which their ends were observed.

use crate::clock::Timestamp;
use crate::model::OperationKey;
use crate::tracker::rows::Rows;
use std::collections::VecDeque;

/// Slots of ended rows, oldest end first. Only slots are kept, since the rows know the rest: ends come at the back and
/// leave at the front, and what little goes from between is found by halving.
#[derive(Debug, Default)]
pub(crate) struct Retained(VecDeque<usize>);

/// A row's place in the order: when its end was observed, and which of those that ended at once it is.
pub(crate) type Place = (Timestamp, OperationKey);

impl Retained {
    /// Takes a row in whose end was just observed.
    pub(crate) fn insert(&mut self, slot: usize, rows: &Rows) {
        if let Err(at) = self.find(slot, rows) {
            self.0.insert(at, slot);
        }
    }

    /// Lets a row go that is still among `rows`.
    pub(crate) fn remove(&mut self, slot: usize, rows: &Rows) {
        if let Ok(at) = self.find(slot, rows) {
            self.0.remove(at);
        }
    }

    /// The slot of the oldest end.
    pub(crate) fn oldest(&self) -> Option<usize> {
        self.0.front().copied()
    }

    /// The slot of the newest end.
    pub(crate) fn newest(&self) -> Option<usize> {
        self.0.back().copied()
    }

    /// Slots from a place on.
    pub(crate) fn from(&self, first: Option<Place>, rows: &Rows) -> impl Iterator<Item = usize> {
        let at = self.0.partition_point(|slot| place(*slot, rows) < first);
        self.0.range(at..).copied()
    }

    fn find(&self, slot: usize, rows: &Rows) -> Result<usize, usize> {
        let wanted = place(slot, rows);
        self.0.binary_search_by(|known| place(*known, rows).cmp(&wanted))
    }
}

/// Where a row stands, once it ended.
pub(crate) fn place(slot: usize, rows: &Rows) -> Option<Place> {
    let row = rows.get(slot)?;
    Some((row.ended_at?, row.key))
}
