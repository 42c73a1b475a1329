//! Rows under ids that the cloud does not know or does not show us, in the order in which they were last named.

use crate::clock::Timestamp;
use crate::limits::UNKNOWN_TIME_MAX;
use crate::model::{OpenQuestions, OperationKey, Source, TrackedOperation, Unreadable};
use std::collections::{BTreeMap, HashMap};

/// Slots of such rows, the one named first in front: what we never saw has no end after which it could leave. What
/// somebody else's call tells of is named by each of its answers: we may never see it for all that.
///
/// A refusal of our own credential says nothing of an id: under `UNAUTHENTICATED` none is one of them. What the
/// configuration names is none either: it would only come back with the next start.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    by_time: BTreeMap<(Timestamp, OperationKey), usize>,
    named_at: HashMap<OperationKey, Timestamp>,
}

impl Unknown {
    /// Notes how the row at `slot` stands.
    pub(crate) fn note(&mut self, slot: usize, row: &TrackedOperation, open: &OpenQuestions) {
        self.forget(row);
        let is_of_id = open
            .unreadable
            .is_some_and(|reason| reason != Unreadable::Unauthenticated);
        let is_unseen = !row.observed || open.hearsay_at.is_some();
        if is_of_id && is_unseen && row.outcome.is_none() && row.source != Source::Config {
            let named_at = open.hearsay_at.unwrap_or(row.tracked_at);
            self.by_time.insert((named_at, row.key), slot);
            self.named_at.insert(row.key, named_at);
        }
    }

    /// Lets a row go.
    pub(crate) fn forget(&mut self, row: &TrackedOperation) {
        if let Some(named_at) = self.named_at.remove(&row.key) {
            self.by_time.remove(&(named_at, row.key));
        }
    }

    /// The slot of the one that was named first.
    pub(crate) fn oldest(&self) -> Option<usize> {
        self.by_time.first_key_value().map(|(_, slot)| *slot)
    }

    /// When that one leaves.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        let ((named_at, _), _) = self.by_time.first_key_value()?;
        Some(named_at.plus(UNKNOWN_TIME_MAX))
    }
}
