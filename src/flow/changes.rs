//! What changed from view to view, numbered, so that a reader who was away for a while goes on where it was.

use crate::limits::{CHANGES_KEPT_MAX, CHANGES_READ_MAX};
use crate::model::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The newest changes, at most [`CHANGES_KEPT_MAX`], numbered from 1 on. Clones share them.
///
/// A change is read once the view that shows it is published: [`crate::model::View::changes`] is the newest number that
/// may be read.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Event>,
    /// The number of the newest.
    newest: u64,
}

impl Changes {
    /// Changes after the number `after` up to `until`, each with its number, the oldest first and not too many at once.
    /// `None` when some of them are no longer kept, or were never there.
    pub fn between(&self, after: u64, until: u64) -> Option<Vec<(u64, Event)>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(kept.events.len()).unwrap_or(u64::MAX);
        let gone = kept.newest.saturating_sub(count);
        let skipped = usize::try_from(after.checked_sub(gone)?).ok()?;
        let wanted = usize::try_from(until.checked_sub(after)?).ok()?;
        let events = kept.events.iter().skip(skipped).cloned();
        let numbered = (after.saturating_add(1)..).zip(events);
        Some(numbered.take(wanted.min(CHANGES_READ_MAX)).collect())
    }

    pub(crate) fn note(&self, events: &[Event]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if kept.events.len() >= CHANGES_KEPT_MAX {
                kept.events.pop_front();
            }
            kept.events.push_back(event.clone());
            kept.newest = kept.newest.saturating_add(1);
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).newest
    }
}
