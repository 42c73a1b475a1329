//! Going on under another configuration.

use crate::clock::Timestamp;
use crate::model::{Change, Event, ProjectId, TrackedOperation};
use crate::tracker::{Settings, Tracker};
use std::collections::HashSet;
use std::sync::Arc;

impl Tracker {
    /// Goes on under other settings, and tells what they change. What was named, counted or hidden before stays so.
    pub fn reconfigure(&mut self, settings: Settings, now: Timestamp) -> Vec<Event> {
        let before = std::mem::replace(&mut self.settings, settings);
        self.fleet.name_by(self.settings.job_names.clone());
        if self.settings.traces.is_none() {
            let slots = self.rows.slots_of(|row| row.trace.is_some());
            self.change(slots, now, Self::withhold_trace);
        } else {
            let slots = self.rows.slots_of(|row| row.about.unsent_trace.is_some());
            self.change(slots, now, Self::resume_trace);
        }
        let rows = self.rows.operations();
        self.run_series = rows.iter().map(|row| u64::from(self.series_of(row))).sum();
        self.hide_beyond_max(None, now);
        let paces = [&before, &self.settings].map(|settings| (settings.interval, settings.interval_max));
        if paces[0] != paces[1] {
            for slot in self.rows.slots_of(|row| row.outcome.is_none()) {
                self.reschedule(slot, now);
            }
        }
        // Somebody may just have mended what was refused.
        for slot in self.rows.slots_unreadable() {
            self.look_soon(slot, now);
        }
        std::mem::take(&mut self.events)
    }

    /// These projects are followed, and no others: what is live in another is looked at by itself from now on, and what
    /// was known of that project's present is not known any more.
    pub(crate) fn follow_only(&mut self, projects: &HashSet<ProjectId>, now: Timestamp) {
        for project_id in self.fleet.unfollow_others(projects) {
            for slot in self.rows.live_jobs(&project_id) {
                self.reschedule(slot, now);
            }
        }
    }

    /// Makes the same change to many rows.
    fn change(&mut self, slots: Vec<usize>, now: Timestamp, change: impl Fn(&mut TrackedOperation)) {
        for slot in slots {
            let Some(row) = self.rows.get(slot) else { continue };
            let mut next = TrackedOperation::clone(row);
            change(&mut next);
            let after = Arc::new(next);
            self.rows.replace(slot, &after);
            self.events.push(Event {
                at: now,
                change: Change::Updated,
                after,
            });
        }
    }
}
