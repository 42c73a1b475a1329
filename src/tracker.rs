//! What we believe about every operation, what just changed, and when each is due for the next look.
//!
//! In: [`Input`]s and the time. Out: [`Event`]s, the [`Target`]s that are due, and a [`View`]. Never: a clock,
//! I/O, a failure, or a look of its own: the same inputs at the same times give the same events.

mod ended;
mod fleet;
mod index;
mod kept;
mod labelled;
mod listing;
mod looks;
mod names;
mod observation;
mod outcome;
mod reconfigured;
mod retained;
mod rows;
mod schedule;
mod settings;
mod sighted;
mod traced;
mod unknown;

#[cfg(test)]
pub(crate) mod tests;

pub use names::{JobNameRewrite, JobNames};
pub use settings::{CallerContext, Settings, TraceSettings};

use crate::clock::Timestamp;
use crate::model::{
    Admission, Change, Departure, Dropped, Event, Input, OperationKey, Source, State, Target,
    TrackedOperation, View,
};
use ended::EndedIds;
use fleet::Fleet;
use retained::{Place, Retained, place};
use rows::Rows;
use schedule::{Lane, Schedule, poll_interval};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Everything that is believed; see the module.
#[derive(Debug)]
pub struct Tracker {
    settings: Settings,
    rows: Rows,
    schedule: Schedule,
    fleet: Fleet,
    ended: EndedIds,
    /// Ended rows: retention takes them from the front.
    retained: Retained,
    /// Up to here, retained rows have lost their run series to `metrics.series_max`.
    hidden_to: Option<Place>,
    dropped_total: BTreeMap<Dropped, u64>,
    /// What was not taken for want of room, so that a listing which shows it again does not count it again.
    untaken: HashSet<Target>,
    late_callers_total: u64,
    run_series: u64,
    events: Vec<Event>,
}

impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            fleet: Fleet::new(settings.job_names.clone()),
            settings,
            rows: Rows::default(),
            schedule: Schedule::default(),
            ended: EndedIds::default(),
            retained: Retained::default(),
            hidden_to: None,
            dropped_total: BTreeMap::new(),
            untaken: HashSet::new(),
            late_callers_total: 0,
            run_series: 0,
            events: Vec::new(),
        }
    }

    /// Takes an input in and tells what it changed.
    pub fn apply(&mut self, input: Input, now: Timestamp) -> Vec<Event> {
        self.admit(input, now).1
    }

    /// The same, and what became of the operation that the input names.
    pub fn admit(&mut self, input: Input, now: Timestamp) -> (Admission, Vec<Event>) {
        let admission = match input {
            Input::Sighted(sighting) => self.sighted(&sighting, now),
            Input::Overheard(heard) => self.overheard(&heard, now),
            Input::Dismissed(target) => self.dismissed(&target, now),
            unnamed => {
                self.learn(unnamed, now);
                Admission::Absent
            }
        };
        (admission, std::mem::take(&mut self.events))
    }

    /// Takes in what names nothing to be watched or not.
    fn learn(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Sighted(_) | Input::Overheard(_) | Input::Dismissed(_) => {}
            Input::Configured(operations) => self.configured(&operations, now),
            Input::Looked(look) => self.looked(look, now),
            Input::Listed(listing) => self.listed(listing, now),
            Input::ProjectFollowed(project_id) => self.fleet.follow(project_id),
            Input::ProjectsFollowed(projects) => self.follow_only(&projects, now),
            Input::Project(project) => self.fleet.describe(project, now),
            Input::Balance { project_id, units } => self.fleet.balance(project_id, units, now),
        }
    }

    /// Lets time pass: what ended `retention` ago leaves, and so do ids that the cloud never showed and job names that
    /// rested too long; after a restart with a lower `tracked_max`, what can make room leaves too.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Event> {
        let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        while is_past(self.retained_until())
            && let Some(slot) = self.retained.oldest()
        {
            self.leave(slot, Departure::Retention, now);
        }
        while is_past(self.rows.unknown().next_expiry())
            && let Some(slot) = self.rows.unknown().oldest()
        {
            if self.rows.get(slot).is_some_and(|row| row.observed) {
                self.drop_one(Dropped::Unknown);
            }
            self.leave(slot, Departure::Unknown, now);
        }
        while self.rows.len() > self.settings.tracked_max && self.make_room(now) {}
        self.fleet.forget_idle(now);
        std::mem::take(&mut self.events)
    }

    /// At most `limit` targets whose look is due, the urgent ones first. Each stays out of the schedule until
    /// its look is applied: one look in flight per operation.
    pub fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Target> {
        let slots = self.schedule.take_due(now, limit);
        slots
            .into_iter()
            .filter_map(|slot| self.needs_looks(slot).then(|| self.rows.depart(slot))?)
            .collect()
    }

    /// Whether looks follow a row, and not the listing of its project alone.
    fn needs_looks(&self, slot: usize) -> bool {
        let (row, book) = (self.rows.get(slot), self.rows.book(slot));
        row.zip(book).is_some_and(|(row, book)| {
            let is_left_alone = || is_polled(row) || !self.fleet.is_followed(&row.project_id);
            row.outcome.is_none() && (book.is_awaited() || is_left_alone())
        })
    }

    /// What is believed of the operation that is known by a target.
    pub fn find(&self, target: &Target) -> Option<&TrackedOperation> {
        let slot = self.rows.find(target)?;
        self.rows.get(slot).map(Arc::as_ref)
    }

    /// When the next look is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule.earliest()
    }

    /// When the next operation leaves by itself.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let expiries = [self.retained_until(), self.rows.unknown().next_expiry()];
        expiries.into_iter().flatten().min()
    }

    /// When the oldest ended one leaves.
    fn retained_until(&self) -> Option<Timestamp> {
        let oldest = self.rows.get(self.retained.oldest()?)?;
        Some(oldest.ended_at?.plus(self.settings.retention))
    }

    /// Operations that were never looked at, successfully or not.
    pub fn unlooked(&self) -> usize {
        self.rows.unlooked()
    }

    /// A picture for readers; costs the same however much is tracked.
    pub fn view(&self) -> View {
        let mut tracker = self.fleet.figures();
        tracker.tracked = self.rows.tracked();
        tracker.unreadable = self.rows.unreadable();
        tracker.dropped_total.clone_from(&self.dropped_total);
        tracker.late_callers_total = self.late_callers_total;
        tracker.run_series = self.run_series;
        tracker.earliest_due_at = self.schedule.earliest();
        View {
            operations: self.rows.operations(),
            projects: self.fleet.projects(),
            tracker,
            // The teller knows.
            changes: 0,
        }
    }

    /// Makes `next` the row at `slot`, tells what is different, and counts it. The only way a row changes.
    fn commit(&mut self, slot: usize, mut next: TrackedOperation, now: Timestamp) {
        let Some(before) = self.rows.get(slot).cloned() else {
            return;
        };
        if before.outcome.is_none() {
            self.fix_trace(&mut next, now);
        }
        if *before == next {
            return;
        }
        let after = Arc::new(next);
        let changes = changes(&before, &after);
        self.fleet.shift(Some(&before), Some(&after));
        for change in &changes {
            self.fleet.count(*change, &after, now);
        }
        self.rows.replace(slot, &after);
        if after.ended_at.is_some() {
            self.retained.insert(slot, &self.rows);
            self.schedule.remove(slot);
        }
        self.events.extend(changes.into_iter().map(|change| Event {
            at: now,
            change,
            after: Arc::clone(&after),
        }));
        self.recount_series(slot, &before, &after, now);
    }

    /// Takes the row at `slot` away.
    fn leave(&mut self, slot: usize, departure: Departure, now: Timestamp) {
        self.retained.remove(slot, &self.rows);
        self.schedule.remove(slot);
        let Some(before) = self.rows.remove(slot) else {
            return;
        };
        self.fleet.shift(Some(&before), None);
        self.run_series = self.run_series.saturating_sub(u64::from(self.series_of(&before)));
        // What was counted and traced before it left would be so twice if it came back.
        let is_told = before.observed && departure == Departure::Unknown;
        if before.outcome.is_some() || departure == Departure::Dismissed || is_told {
            self.ended.remember(&before);
        }
        self.events.push(Event {
            at: now,
            change: Change::Left(departure),
            after: before,
        });
    }

    /// Puts a live row back into the schedule, as far as looks are what follows it.
    fn reschedule(&mut self, slot: usize, now: Timestamp) {
        let Some(row) = self.rows.get(slot) else { return };
        let Some(book) = self.rows.book(slot).filter(|book| !book.in_flight) else {
            return;
        };
        if !self.needs_looks(slot) {
            self.schedule.remove(slot);
            return;
        }
        let wait = poll_interval(row, book, &self.settings, now);
        let lane = if book.is_awaited() || now.since(row.tracked_at) < wait {
            Lane::Urgent
        } else {
            Lane::Routine
        };
        self.schedule.put(slot, lane, now.plus(wait));
    }

    /// Puts a row at the head of the schedule, unless a look at it is under way.
    fn look_soon(&mut self, slot: usize, now: Timestamp) {
        if self.rows.book(slot).is_some_and(|book| !book.in_flight) {
            self.schedule.put(slot, Lane::Urgent, now);
        }
    }

    /// Lets one go that is missed least: what the cloud never showed, or what ended first.
    fn make_room(&mut self, now: Timestamp) -> bool {
        let (slot, reason, departure) = if let Some(slot) = self.rows.unknown().oldest() {
            (slot, Dropped::Unknown, Departure::Unknown)
        } else if let Some(slot) = self.retained.oldest() {
            (slot, Dropped::EndedEarly, Departure::TrackedMax)
        } else {
            return false;
        };
        self.drop_one(reason);
        self.leave(slot, departure, now);
        true
    }

    fn drop_one(&mut self, reason: Dropped) {
        *self.dropped_total.entry(reason).or_insert(0) += 1;
    }

    fn series_of(&self, row: &TrackedOperation) -> u32 {
        if self.settings.per_run && row.in_run_tier() {
            row.run_series()
        } else {
            0
        }
    }

    /// Keeps the run tier within `series_max`: whole operations leave it, the oldest ended first, and if none
    /// is left the one that came last.
    fn recount_series(
        &mut self,
        slot: usize,
        before: &TrackedOperation,
        after: &TrackedOperation,
        now: Timestamp,
    ) {
        self.run_series += u64::from(self.series_of(after));
        self.run_series = self.run_series.saturating_sub(u64::from(self.series_of(before)));
        self.hide_beyond_max(Some(slot), now);
    }

    /// Hides operations until the others fit: the oldest ended first, then the one in `last`.
    fn hide_beyond_max(&mut self, last: Option<usize>, now: Timestamp) {
        while self.run_series > self.settings.series_max {
            let is_hidden = self
                .oldest_shown()
                .or(last)
                .is_some_and(|slot| self.hide(slot, now));
            if !is_hidden {
                return;
            }
        }
    }

    /// The oldest ended row that still has run series. What was passed over once is not looked at again.
    fn oldest_shown(&mut self) -> Option<usize> {
        let is_shown = |slot: &usize| self.rows.get(*slot).is_some_and(|row| row.in_run_tier());
        let oldest = self.retained.from(self.hidden_to, &self.rows).find(is_shown);
        let newest = self.retained.newest().and_then(|slot| place(slot, &self.rows));
        // What ends at the same moment as the newest may still come to stand before it.
        let before_newest = newest.map(|(ended_at, _)| (ended_at, OperationKey(0)));
        self.hidden_to = oldest.map_or(before_newest, |slot| place(slot, &self.rows));
        oldest
    }

    fn hide(&mut self, slot: usize, now: Timestamp) -> bool {
        let Some(row) = self.rows.get(slot).filter(|row| row.in_run_tier()) else {
            return false;
        };
        let series = u64::from(self.series_of(row));
        let hidden = Arc::new(TrackedOperation {
            hidden: true,
            ..TrackedOperation::clone(row)
        });
        self.rows.replace(slot, &hidden);
        self.run_series = self.run_series.saturating_sub(series);
        self.drop_one(Dropped::SeriesMax);
        self.events.push(Event {
            at: now,
            change: Change::Updated,
            after: hidden,
        });
        true
    }
}

/// Whether looks at the single operation follow it; jobs found by listing are followed by the listing.
fn is_polled(row: &TrackedOperation) -> bool {
    row.outcome.is_none() && (row.operation_id.is_some() || row.source != Source::Discovery)
}

/// What is different between two versions of a row, most important first; never empty for unequal ones.
fn changes(before: &TrackedOperation, after: &TrackedOperation) -> Vec<Change> {
    let mut changes = Vec::new();
    if after.observed && !before.observed {
        changes.push(Change::Observed);
    }
    if after.trace.is_some() && before.trace.is_none() {
        changes.push(Change::Traced);
    }
    if after.status != before.status {
        changes.push(Change::Status {
            left: before.visit_before(after),
        });
    }
    if after.reported.progress != before.reported.progress {
        changes.push(Change::Progress);
    }
    if after.state == State::Failing && before.state != after.state {
        changes.push(Change::Failing);
    }
    if after.outcome.is_some() && before.outcome.is_none() {
        changes.push(Change::Ended);
    }
    if changes.is_empty() {
        changes.push(Change::Updated);
    }
    changes
}
