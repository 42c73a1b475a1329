//! Taking operations under watch.

use crate::clock::Timestamp;
use crate::limits::ENDED_IDS_MAX;
use crate::model::{
    Admission, Change, Departure, Dropped, Event, OperationId, Sighting, Source, Target, TrackedOperation,
};
use crate::tracker::Tracker;
use std::collections::HashSet;
use std::sync::Arc;

impl Tracker {
    /// A sighting: of something new, of something known, or of something that ended and was counted before.
    pub(crate) fn sighted(&mut self, sighting: &Sighting, now: Timestamp) -> Admission {
        if let Some(slot) = self.rows.find(&sighting.target) {
            self.adopt(slot, sighting.source, now);
            self.label(slot, &sighting.labels, sighting.source, now);
            self.hear_caller(slot, sighting.trace_context, now);
            Admission::Known
        } else if self.ended.knows(&sighting.target) {
            self.late_callers_total += u64::from(self.heeds(sighting.trace_context).is_some());
            Admission::Gone
        } else if let Some(slot) = self.track(&sighting.target, sighting.source, 1, now) {
            self.label(slot, &sighting.labels, sighting.source, now);
            self.hear_caller(slot, sighting.trace_context, now);
            self.look_soon(slot, now);
            Admission::New
        } else {
            Admission::Full
        }
    }

    /// What the configuration names too, before it was observed, is the configuration's: it stays as long as it is
    /// named there.
    fn adopt(&mut self, slot: usize, source: Source, now: Timestamp) {
        let is_adopted = |row: &&Arc<TrackedOperation>| !row.observed && source == Source::Config;
        if let Some(row) = self.rows.get(slot).filter(is_adopted) {
            let next = TrackedOperation {
                source,
                ..TrackedOperation::clone(row)
            };
            self.commit(slot, next, now);
        }
    }

    /// The configuration named these: what an earlier one named by mistake, and nobody ever observed, leaves, and so do
    /// labels that only an earlier one gave.
    pub(crate) fn configured(&mut self, operations: &HashSet<OperationId>, now: Timestamp) {
        let is_named = |row: &TrackedOperation| {
            row.operation_id
                .as_ref()
                .is_some_and(|id| operations.contains(id))
        };
        let mistakes =
            |row: &TrackedOperation| !row.observed && row.source == Source::Config && !is_named(row);
        for slot in self.rows.slots_of(mistakes) {
            self.leave(slot, Departure::Unconfigured, now);
        }
        self.unlabel_others(operations, now);
    }

    /// Nobody wants it any more: it leaves, and whoever else names it does not bring it back.
    pub(crate) fn dismissed(&mut self, target: &Target, now: Timestamp) -> Admission {
        if let Some(slot) = self.rows.find(target) {
            self.leave(slot, Departure::Dismissed, now);
            Admission::Known
        } else if self.ended.knows(target) {
            Admission::Gone
        } else {
            Admission::Absent
        }
    }

    /// A new row, if there is room or if another can make room.
    pub(crate) fn track(
        &mut self,
        target: &Target,
        source: Source,
        attempt: u32,
        now: Timestamp,
    ) -> Option<usize> {
        if self.rows.len() >= self.settings.tracked_max && !self.make_room(now) {
            if self.untaken.len() >= ENDED_IDS_MAX {
                self.untaken.clear();
            }
            if self.untaken.insert(target.clone()) {
                self.drop_one(Dropped::TrackedMax);
            }
            return None;
        }
        let slot = self.rows.insert(target, source, attempt, now);
        let after = Arc::clone(self.rows.get(slot)?);
        self.events.push(Event {
            at: now,
            change: Change::Tracked,
            after,
        });
        Some(slot)
    }
}
