//! Rows under ids that the cloud does not know or does not show, in the order in which they were named.

use crate::clock::Timestamp;
use crate::limits::UNKNOWN_TIME_MAX;
use crate::model::{OperationKey, Source, TrackedOperation, Unreadable};
use std::collections::BTreeMap;

/// Slots of such rows, the one named first in front: what nobody ever saw has no end after which it could leave.
///
/// A refusal of our own credential says nothing of an id: under `UNAUTHENTICATED` none is one of them. What the
/// configuration names is none either: it would only come back with the next start.
#[derive(Debug, Default)]
pub(crate) struct Unknown(BTreeMap<(Timestamp, OperationKey), usize>);

impl Unknown {
    /// Notes how the row at `slot` stands.
    pub(crate) fn note(&mut self, slot: usize, row: &TrackedOperation, unreadable: Option<Unreadable>) {
        let is_of_id = unreadable.is_some_and(|reason| reason != Unreadable::Unauthenticated);
        if is_of_id && !row.observed && row.source != Source::Config {
            self.0.insert((row.tracked_at, row.key), slot);
        } else {
            self.forget(row);
        }
    }

    /// Lets a row go.
    pub(crate) fn forget(&mut self, row: &TrackedOperation) {
        self.0.remove(&(row.tracked_at, row.key));
    }

    /// The slot of the one that was named first.
    pub(crate) fn oldest(&self) -> Option<usize> {
        self.0.first_key_value().map(|(_, slot)| *slot)
    }

    /// When that one leaves.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        let ((named_at, _), _) = self.0.first_key_value()?;
        Some(named_at.plus(UNKNOWN_TIME_MAX))
    }
}
