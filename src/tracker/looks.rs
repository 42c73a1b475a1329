//! What the answer to one look changes.

use crate::clock::Timestamp;
use crate::limits::{ALIASES_MAX, LOST_AFTER_MIN, LOST_LOOKS_MIN, SILENT_END_MAX, UNDESCRIBED_LOOKS_MAX};
use crate::model::{
    Admission, Departure, JobSnapshot, JobStatus, Kind, Look, LookAnswer, LookError, OperationSnapshot,
    Outcome, Overheard, ProjectScope, RpcCode, Source, State, Target, TrackedOperation, Unreadable,
};
use crate::tracker::Tracker;
use crate::tracker::labelled::take_labels;
use crate::tracker::observation::{Observation, enter_status, observe, observe_ended};
use crate::tracker::outcome::{final_status, outcome};
use crate::tracker::rows::Asked;
use std::sync::Arc;

impl Tracker {
    /// An answer, or why there is none. The operation may have left meanwhile.
    pub(crate) fn looked(&mut self, look: Look, now: Timestamp) {
        let Some(slot) = self.rows.find(&look.target) else {
            return;
        };
        self.rows.looked(slot);
        let slot = match look.answer {
            Ok(LookAnswer::Operation(answer)) => {
                self.rows.note(slot, |book| book.open.hearsay_at = None);
                self.answered(slot, &answer.value, look.asked_at, now)
            }
            Ok(LookAnswer::Job(answer)) if is_unreadable(&answer.value) => slot,
            Ok(LookAnswer::Job(answer)) => {
                self.rows.note(slot, |book| book.open.hearsay_at = None);
                self.observed(slot, None, Some(&answer.value), Asked::Alone(look.asked_at), now)
            }
            Err(error) => {
                self.unanswered(slot, error, now);
                slot
            }
        };
        self.reschedule(slot, now);
    }

    /// A call that was no look, somebody else's mostly, told of an operation: it is watched, and the answer spares it a look.
    pub(crate) fn overheard(&mut self, heard: &Overheard, now: Timestamp) -> Admission {
        let admission = self.sighted(&heard.sighting, now);
        let Some(named) = self.rows.find(&heard.sighting.target) else {
            return admission;
        };
        self.rows.seen(named);
        let is_seen = self.rows.get(named).is_some_and(|row| row.observed);
        let is_ours = heard.sighting.source != Source::Gateway;
        self.rows.note(named, |book| {
            if is_ours {
                book.open.hearsay_at = None;
            } else if !is_seen || book.open.hearsay_at.is_some() {
                book.open.hearsay_at = Some(now);
            }
        });
        let slot = self.answered(named, &heard.answer.value, heard.asked_at, now);
        self.reschedule(slot, now);
        if self.rows.get(slot).is_none() {
            // It turned out to be what has left.
            Admission::Gone
        } else if slot != named {
            Admission::Known
        } else {
            admission
        }
    }

    /// An operation answered. The slot in which it is kept from now on: it may be one with a row we knew.
    fn answered(
        &mut self,
        slot: usize,
        seen: &OperationSnapshot,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> usize {
        let known = self.rows.get(slot).is_some_and(|row| row.observed);
        if !known && !seen.described && !seen.done && self.is_worth_waiting(slot) {
            return slot;
        }
        if known && tells_nothing(seen) {
            return slot;
        }
        let slot = self.identify(slot, seen, now);
        let is_alias =
            |row: &Arc<TrackedOperation>| row.operation_id.as_ref().is_some_and(|id| *id != seen.id);
        if self.rows.get(slot).is_some_and(is_alias) {
            // How another operation of the same job went says nothing of the one that is followed; the job that a
            // live one describes is the same.
            let job = seen.job.as_ref().filter(|_| !seen.done);
            return self.observed(slot, None, job, Asked::Alone(asked_at), now);
        }
        self.observed(slot, Some(seen), seen.job.as_ref(), Asked::Alone(asked_at), now)
    }

    /// An operation without metadata may be a job whose metadata is still to come: a few looks are worth it,
    /// since what was counted as another kind cannot be taken back.
    fn is_worth_waiting(&mut self, slot: usize) -> bool {
        self.rows.set_readable(slot);
        self.rows.note(slot, |book| {
            book.open.undescribed = book.open.undescribed.saturating_add(1);
        });
        self.rows
            .book(slot)
            .is_some_and(|book| book.open.undescribed < UNDESCRIBED_LOOKS_MAX)
    }

    /// Takes an answer into a row, and closes the row when that was its end.
    pub(crate) fn observed(
        &mut self,
        slot: usize,
        operation: Option<&OperationSnapshot>,
        job: Option<&JobSnapshot>,
        asked: Asked,
        now: Timestamp,
    ) -> usize {
        self.rows.seen(slot);
        match asked {
            Asked::Alone(_) => self.rows.set_readable(slot),
            Asked::InListing(_) => self.rows.note(slot, |book| book.open.hearsay_at = None),
        }
        let slot = job.map_or(slot, |job| self.next_attempt(slot, job, now));
        self.rows.seen(slot);
        let (Some(row), Some(book)) = (self.rows.get(slot), self.rows.book(slot)) else {
            return slot;
        };
        let is_over = row.status.is_some_and(JobStatus::is_terminal);
        let says_over =
            operation.is_some_and(|seen| seen.done) || job.is_some_and(|job| job.status.is_terminal());
        if book.is_stale(asked, is_over, says_over) {
            return slot;
        }
        let mut next = TrackedOperation::clone(row);
        if let Some(job) = job.filter(|_| !next.observed && next.attempt == 1) {
            next.attempt = self.ended.attempts(&job.id).saturating_add(1);
        }
        let previous_at = book.asked_at();
        let seen = Observation {
            operation,
            job,
            previous_at,
            now,
        };
        if next.outcome.is_some() {
            observe_ended(&mut next, &seen);
        } else {
            observe(&mut next, &seen);
            if next.kind == Kind::Job {
                self.fleet.name(&mut next, now);
            }
            self.close(slot, &mut next, &seen);
        }
        next.polled_at = next.polled_at.or(Some(now));
        let project_id = next.project_id.clone();
        if let (Some(project_id), Some(job)) = (&project_id, job) {
            self.fleet.note_expiry(project_id, job);
        }
        self.commit(slot, next, now);
        self.rows.polled(slot, now);
        if operation.is_some() {
            self.fleet.succeeded(&project_id, ProjectScope::Operations, now);
        }
        self.rows.note(slot, |book| book.applied(asked));
        slot
    }

    /// Ends a row that is over: at `done`, or by its job's status where no operation will tell.
    fn close(&mut self, slot: usize, next: &mut TrackedOperation, seen: &Observation<'_>) {
        let Some(open) = self.rows.book(slot).map(|book| book.open) else {
            return;
        };
        let over = next.status.is_some_and(JobStatus::is_terminal);
        let terminal_since = over.then(|| open.terminal_since.unwrap_or(seen.now));
        self.rows
            .note(slot, |book| book.open.terminal_since = terminal_since);
        let no_operation = next.operation_id.is_none() || open.operation_gone;
        let silent = terminal_since.is_some_and(|since| seen.now.since(since) >= SILENT_END_MAX);
        if next.state == State::Done || (over && (no_operation || silent)) {
            end(next, outcome(next), seen);
        }
    }

    /// An attempt after the end: the row of the attempt before makes room. The slot of the present one.
    fn next_attempt(&mut self, slot: usize, job: &JobSnapshot, now: Timestamp) -> usize {
        let Some(row) = self.rows.get(slot).filter(|row| row.outcome.is_some()) else {
            return slot;
        };
        let is_later = match (job.started_at, row.reported.started_at, row.reported.finished_at) {
            (Some(started_at), Some(before), _) => started_at > before,
            (Some(started_at), None, Some(finished_at)) => started_at > finished_at,
            _ => false,
        };
        if !is_later {
            return slot;
        }
        let (source, attempt) = (row.source, row.attempt.saturating_add(1));
        let about = Arc::clone(&row.about);
        self.leave(slot, Departure::Replaced, now);
        let Some(next) = self.track(&Target::Job(job.id.clone()), source, attempt, now) else {
            return slot;
        };
        if let Some(row) = self.rows.get(next) {
            let mut row = TrackedOperation::clone(row);
            take_labels(Arc::make_mut(&mut row.about), &about);
            self.commit(next, row, now);
        }
        next
    }

    /// Whether the operation at `slot` turns out to be an execution that another row follows already. The
    /// slot that stays.
    fn identify(&mut self, slot: usize, seen: &OperationSnapshot, now: Timestamp) -> usize {
        let Some(job) = seen.job.as_ref() else { return slot };
        let is_new = self.rows.get(slot).is_some_and(|row| !row.observed);
        if is_new && self.rows.find(&Target::Job(job.id.clone())).is_none() && self.ended.knows_execution(job)
        {
            // Its job was followed to its end, counted, and has left: nothing is counted twice.
            self.leave(slot, Departure::Merged, now);
            self.ended.remember_alias(&seen.id, &job.id);
            return slot;
        }
        let Some(known) = self
            .rows
            .find(&Target::Job(job.id.clone()))
            .filter(|known| *known != slot)
        else {
            return slot;
        };
        let Some(row) = self.rows.get(known).cloned() else {
            return slot;
        };
        if row.outcome.is_some() && begins_after(seen, &row) {
            self.leave(known, Departure::Replaced, now);
            if let Some(this) = self.rows.get(slot) {
                let next = TrackedOperation {
                    attempt: row.attempt.saturating_add(1),
                    ..TrackedOperation::clone(this)
                };
                self.commit(slot, next, now);
            }
            return slot;
        }
        let about = self
            .rows
            .get(slot)
            .map(|this| Arc::clone(&this.about))
            .unwrap_or_default();
        self.leave(slot, Departure::Merged, now);
        let mut next = TrackedOperation::clone(&row);
        if next.operation_id.is_none() {
            next.operation_id = Some(seen.id.clone());
        } else if next.about.aliases.len() < ALIASES_MAX {
            let about = Arc::make_mut(&mut next.about);
            about.aliases = about.aliases.iter().chain([&seen.id]).cloned().collect();
        }
        take_labels(Arc::make_mut(&mut next.about), &about);
        if let Some(caller) = about.caller.as_deref().cloned() {
            self.hang_on(&mut next, caller);
        }
        self.commit(known, next, now);
        known
    }

    /// No answer: what is not known to be over goes on.
    fn unanswered(&mut self, slot: usize, error: LookError, now: Timestamp) {
        let Some(observed) = self.rows.get(slot).map(|row| row.observed) else {
            return;
        };
        match error {
            LookError::Unanswered => {
                self.rows
                    .note(slot, |book| book.unanswered = book.unanswered.saturating_add(1));
                self.end_silent(slot, now);
            }
            LookError::Refused(RpcCode::NOT_FOUND) if observed => {
                self.not_found(slot, now);
                self.end_silent(slot, now);
            }
            LookError::Refused(code) => {
                self.rows.set_unreadable(slot, unreadable(code), now);
                self.end_silent(slot, now);
            }
        }
    }

    /// An operation seen before is not found: lost, once that is sure.
    fn not_found(&mut self, slot: usize, now: Timestamp) {
        self.rows.note(slot, |book| {
            if book.open.not_found == 0 {
                book.open.not_found_since = Some(now);
            }
            book.open.not_found = book.open.not_found.saturating_add(1);
        });
        let Some(open) = self.rows.book(slot).map(|book| book.open) else {
            return;
        };
        let lasted = open
            .not_found_since
            .is_some_and(|since| now.since(since) >= LOST_AFTER_MIN);
        if open.not_found < LOST_LOOKS_MIN || !lasted {
            return;
        }
        let Some(row) = self.rows.get(slot).filter(|row| row.outcome.is_none()) else {
            return;
        };
        let mut next = TrackedOperation::clone(row);
        let by_job = next.operation_id.is_some() && next.job_id.is_some();
        if by_job && !open.operation_gone {
            self.rows.note(slot, |book| {
                book.open.operation_gone = true;
                book.open.not_found = 0;
            });
            return;
        }
        // A job that is over by its status has ended by that as soon as its operation was gone.
        end(
            &mut next,
            Outcome::Lost,
            &Observation {
                operation: None,
                job: None,
                previous_at: None,
                now,
            },
        );
        self.commit(slot, next, now);
    }

    /// Ends a row whose job is over by its status, when its operation has been silent for too long.
    fn end_silent(&mut self, slot: usize, now: Timestamp) {
        let Some(row) = self.rows.get(slot).filter(|row| row.outcome.is_none()) else {
            return;
        };
        let mut next = TrackedOperation::clone(row);
        self.close(
            slot,
            &mut next,
            &Observation {
                operation: None,
                job: None,
                previous_at: None,
                now,
            },
        );
        self.commit(slot, next, now);
    }
}

/// Whether an answer is one of which nothing could be read: it changes no belief.
fn tells_nothing(seen: &OperationSnapshot) -> bool {
    !seen.described && !seen.done && seen.created_at.is_none() && seen.modified_at.is_none()
}

/// The same of a job: every job has a time of creation.
fn is_unreadable(job: &JobSnapshot) -> bool {
    job.status == JobStatus::Unknown && job.created_at.is_none()
}

/// Ends a row. A job's status follows: one that ended is not `EXECUTING`, whatever was reported last.
fn end(row: &mut TrackedOperation, outcome: Outcome, seen: &Observation<'_>) {
    row.state = State::Done;
    row.outcome = Some(outcome);
    row.ended_at = Some(seen.now);
    let status = final_status(outcome);
    let is_live = !row.status.is_some_and(JobStatus::is_terminal);
    if row.kind == Kind::Job && is_live && row.status != Some(status) {
        enter_status(row, status, seen);
    }
}

/// Whether an operation was started after an execution had ended, by the cloud's own clock.
fn begins_after(seen: &OperationSnapshot, ended: &TrackedOperation) -> bool {
    let Some(finished_at) = ended.reported.finished_at.or(ended.reported.modified_at) else {
        return false;
    };
    let started_at = seen.job.as_ref().and_then(|job| job.started_at);
    seen.created_at.or(started_at).is_some_and(|at| at >= finished_at)
}

fn unreadable(code: RpcCode) -> Unreadable {
    match code {
        RpcCode::PERMISSION_DENIED => Unreadable::PermissionDenied,
        RpcCode::UNAUTHENTICATED => Unreadable::Unauthenticated,
        RpcCode::NOT_FOUND => Unreadable::NotFound,
        _ => Unreadable::Refused,
    }
}
