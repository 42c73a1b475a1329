//! What a listing of a project's jobs changes.

use crate::clock::Timestamp;
use crate::model::{
    JobId, JobListing, JobSnapshot, JobStatus, ListingScope, ProjectId, ProjectScope, Source, Target,
};
use crate::tracker::Tracker;
use crate::tracker::rows::Asked;
use std::collections::HashSet;

impl Tracker {
    /// A listing: each job in it is an observation, and a live one that is missing from it has ended.
    pub(crate) fn listed(&mut self, listing: JobListing, now: Timestamp) {
        let project_id = listing.project_id;
        self.fleet.follow(project_id.clone());
        if listing.complete && listing.scope == ListingScope::Live {
            self.fleet
                .succeeded(&Some(project_id.clone()), ProjectScope::Jobs, now);
        }
        let mut shown = HashSet::with_capacity(listing.jobs.len());
        for decoded in listing.jobs {
            let mut job = decoded.value;
            job.project_id.get_or_insert_with(|| project_id.clone());
            shown.insert(job.id.clone());
            self.fleet.note_expiry(&project_id, &job);
            self.listed_job(&project_id, &job, listing.scope, listing.asked_at, now);
        }
        match listing.scope {
            ListingScope::Ended if listing.complete => self.ended.finish_seeding(&project_id),
            ListingScope::Live if listing.complete => {
                self.look_for_ends(&project_id, &shown, listing.asked_at, now);
            }
            ListingScope::Live | ListingScope::Ended => {}
        }
    }

    fn listed_job(
        &mut self,
        project_id: &ProjectId,
        job: &JobSnapshot,
        scope: ListingScope,
        asked_at: Timestamp,
        now: Timestamp,
    ) {
        let target = Target::Job(job.id.clone());
        if let Some(slot) = self.rows.find(&target) {
            let slot = self.observed(slot, None, Some(job), Asked::InListing(asked_at), now);
            self.hurry_if_over(slot, now);
        } else if self.ended.knows_execution(job) {
            // Counted when it ended, and gone from here since.
        } else if scope == ListingScope::Ended && !self.ended.is_news(project_id, job) {
            if !self.ended.is_seeded(project_id) {
                self.ended.seed(project_id, job);
                self.fleet.seed(project_id, job, now);
            }
        } else if let Some(slot) = self.track(&target, Source::Discovery, 1, now) {
            self.observed(slot, None, Some(job), Asked::InListing(asked_at), now);
        }
    }

    /// A job that is over by its status, while its operation has not said so, is looked at at once: only the
    /// operation knows the return code.
    fn hurry_if_over(&mut self, slot: usize, now: Timestamp) {
        let over = |status: Option<JobStatus>| status.is_some_and(JobStatus::is_terminal);
        let waits = self
            .rows
            .get(slot)
            .is_some_and(|row| row.outcome.is_none() && over(row.status));
        let just_now = self
            .rows
            .book(slot)
            .is_some_and(|book| book.open.terminal_since == Some(now));
        if waits && just_now {
            self.look_soon(slot, now);
        }
    }

    /// Live jobs that a complete listing no longer shows have ended, or were deleted: one look tells.
    fn look_for_ends(
        &mut self,
        project_id: &ProjectId,
        shown: &HashSet<JobId>,
        asked_at: Timestamp,
        now: Timestamp,
    ) {
        for slot in self.rows.live_jobs(project_id) {
            let Some(row) = self.rows.get(slot) else { continue };
            let lives = row.observed && !row.status.is_some_and(JobStatus::is_terminal);
            if !lives || row.tracked_at >= asked_at || row.job_id.as_ref().is_none_or(|id| shown.contains(id))
            {
                continue;
            }
            let left = self.rows.book(slot).is_some_and(|book| {
                !book.open.left_listing && book.asked_at().is_some_and(|applied| applied < asked_at)
            });
            if left {
                self.rows.note(slot, |book| book.open.left_listing = true);
                self.look_soon(slot, now);
            }
        }
    }
}
