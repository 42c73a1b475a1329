//! What survives a restart: told as records, and put back before anything else happens.

use crate::clock::Timestamp;
use crate::model::{OperationRecord, Record, RecordKey, RecordValue};
use crate::tracker::schedule::Lane;
use crate::tracker::{Tracker, is_polled};
use std::sync::Arc;

impl Tracker {
    /// What changed since the last call and must survive: at most one record of each key.
    pub fn take_records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        self.rows.record(&mut records);
        self.fleet.record(&mut records);
        self.ended.record(&mut records);
        records
    }

    /// Lets go of what [`Self::take_records`] would tell: nobody keeps it.
    pub fn forget_records(&mut self) {
        self.rows.forget_records();
        self.fleet.forget_records();
        self.ended.forget_records();
    }

    /// Puts back what an earlier process recorded, without an event. To be called before anything else.
    pub fn restore(&mut self, mut records: Vec<Record>, now: Timestamp) {
        records.sort_by(|left, right| left.key.cmp(&right.key));
        let (mut ended, mut horizons) = (Vec::new(), Vec::new());
        for Record { key, value } in records {
            let Some(value) = value else { continue };
            match (key, value) {
                (RecordKey::NextKey, RecordValue::NextKey(key)) => self.rows.restore_next_key(key),
                (RecordKey::Project(key), RecordValue::Project(project)) => {
                    self.fleet.restore_project(key, project);
                }
                (RecordKey::JobName(key, name), RecordValue::JobName(known)) => {
                    self.fleet.restore_name(&key, name, known);
                }
                (RecordKey::Expiry(project_id, job_id), RecordValue::Expiry(at)) => {
                    self.fleet.restore_expiry(project_id, job_id, at);
                }
                (RecordKey::Horizon(project_id), RecordValue::Horizon(horizon)) => {
                    horizons.push((project_id, horizon));
                }
                (RecordKey::Ended(target), RecordValue::Ended(record)) => ended.push((target, record)),
                (RecordKey::Operation(_), RecordValue::Operation(record)) => self.restore_row(*record, now),
                _ => {}
            }
        }
        self.ended.restore(ended, horizons);
    }

    fn restore_row(&mut self, mut record: OperationRecord, now: Timestamp) {
        if self.settings.traces.is_none() {
            Self::withhold_trace(Arc::make_mut(&mut record.row));
        } else {
            Self::resume_trace(Arc::make_mut(&mut record.row));
        }
        let slot = self.rows.restore(record, now);
        let (Some(row), Some(book)) = (self.rows.get(slot), self.rows.book(slot)) else {
            return;
        };
        self.fleet.shift(None, Some(row));
        self.run_series += u64::from(self.series_of(row));
        if row.ended_at.is_some() {
            self.retained.insert(slot, &self.rows);
            return;
        }
        let (lane, due_at) = if book.is_awaited() {
            (Lane::Urgent, now)
        } else if is_polled(row) {
            (Lane::Routine, now)
        } else {
            // A listing follows it again, unless its project is not followed any more: by then that is known.
            (Lane::Routine, now.plus(self.settings.interval_max))
        };
        self.schedule.put(slot, lane, due_at);
    }
}
