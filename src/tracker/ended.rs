//! Which ends were counted, beyond the rows that are still there, and which lie before watching began.

use crate::clock::Timestamp;
use crate::limits::ENDED_IDS_MAX;
use crate::model::{
    JobId, JobSnapshot, OperationId, ProjectId, Relation, SpanLink, Target, Trace, TrackedOperation,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Ids whose end was counted, the oldest forgotten first, and per project the newest end that lies before.
#[derive(Debug, Default)]
pub(crate) struct EndedIds {
    jobs: HashMap<JobId, Counted>,
    operations: HashSet<OperationId>,
    order: VecDeque<Remembered>,
    horizons: HashMap<ProjectId, Horizon>,
}

/// The last execution of a job that was counted, by the cloud's own clock.
#[derive(Clone, Debug)]
struct Counted {
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// Executions so far, as far as we saw.
    attempts: u32,
    /// The root of the first one, where it is in its caller's trace and so cannot be computed.
    first_root: Option<Box<SpanLink>>,
}

#[derive(Debug)]
struct Remembered {
    target: Target,
    project_id: Option<ProjectId>,
    ended_at: Option<Timestamp>,
}

/// Ends up to here, by the cloud's own clock, are not news. So clocks that run apart do no harm.
#[derive(Debug, Default)]
struct Horizon {
    /// Whether the first pass over the ended jobs is over; until then nothing is news.
    seeded: bool,
    newest_end: Option<Timestamp>,
    /// Jobs of the first pass that ended at that very moment, or at an unknown one.
    seeded_at_newest: HashSet<JobId>,
}

impl EndedIds {
    /// Remembers a row that leaves after its end.
    pub(crate) fn remember(&mut self, row: &TrackedOperation) {
        let ended_at = row.reported.finished_at;
        let project_id = &row.project_id;
        let mut add = |target| {
            self.order.push_back(Remembered {
                target,
                project_id: project_id.clone(),
                ended_at,
            });
        };
        if let Some(id) = &row.job_id {
            let before = self.jobs.remove(id);
            if before.is_none() {
                add(Target::Job(id.clone()));
            }
            let is_first = |trace: &&Arc<Trace>| row.attempt == 1 && trace.parent_id.is_some();
            let in_callers_trace = row.trace.as_ref().filter(is_first);
            let own_root = || in_callers_trace.map(|trace| Box::new(trace.link(Relation::FirstAttempt)));
            let counted = Counted {
                started_at: row.reported.started_at,
                ended_at,
                attempts: row.attempt,
                first_root: before.map_or_else(own_root, |before| before.first_root),
            };
            self.jobs.insert(id.clone(), counted);
        }
        for id in row.operation_id.iter().chain(&row.about.aliases) {
            if self.operations.insert(id.clone()) {
                add(Target::Operation(id.clone()));
            }
        }
        while self.order.len() > ENDED_IDS_MAX {
            self.forget_oldest();
        }
    }

    /// An id that is forgotten must not become news again: the horizon moves past its end.
    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else {
            return;
        };
        match &oldest.target {
            Target::Operation(id) => {
                self.operations.remove(id);
            }
            Target::Job(id) => {
                self.jobs.remove(id);
            }
        }
        if let (Some(project_id), Some(ended_at)) = (oldest.project_id, oldest.ended_at) {
            let horizon = self.horizons.entry(project_id).or_default();
            if Some(ended_at) > horizon.newest_end {
                horizon.newest_end = Some(ended_at);
                horizon.seeded_at_newest.clear();
            }
            if let (true, Target::Job(id)) = (horizon.newest_end == Some(ended_at), oldest.target) {
                horizon.seeded_at_newest.insert(id);
            }
        }
    }

    /// Whether an operation or any execution of a job was counted.
    pub(crate) fn knows(&self, target: &Target) -> bool {
        match target {
            Target::Operation(id) => self.operations.contains(id),
            Target::Job(id) => self.jobs.contains_key(id),
        }
    }

    /// Whether this execution of a job was counted: a later start is another one, and what was counted without a
    /// start is told from it by its end.
    pub(crate) fn knows_execution(&self, job: &JobSnapshot) -> bool {
        self.jobs.get(&job.id).is_some_and(|counted| {
            let before = counted.started_at.or(counted.ended_at);
            before.is_none() || job.started_at <= before
        })
    }

    /// Executions of a job that were counted.
    pub(crate) fn attempts(&self, job_id: &JobId) -> u32 {
        self.jobs.get(job_id).map_or(0, |counted| counted.attempts)
    }

    /// The root of a job's first execution, where it cannot be computed.
    pub(crate) fn first_root(&self, job_id: &JobId) -> Option<SpanLink> {
        self.jobs
            .get(job_id)
            .and_then(|counted| counted.first_root.as_deref().copied())
    }

    /// Whether the past of a project is known, so that further ends are news.
    pub(crate) fn is_seeded(&self, project_id: &ProjectId) -> bool {
        self.horizons
            .get(project_id)
            .is_some_and(|horizon| horizon.seeded)
    }

    /// Whether an ended job that we never saw live ended after watching began.
    pub(crate) fn is_news(&self, project_id: &ProjectId, job: &JobSnapshot) -> bool {
        let Some(horizon) = self.horizons.get(project_id).filter(|horizon| horizon.seeded) else {
            return false;
        };
        let ended_at = end_of(job);
        let is_later = ended_at.is_none() || ended_at > horizon.newest_end;
        is_later || (ended_at == horizon.newest_end && !horizon.seeded_at_newest.contains(&job.id))
    }

    /// Notes an ended job of the first pass.
    pub(crate) fn seed(&mut self, project_id: &ProjectId, job: &JobSnapshot) {
        let horizon = self.horizons.entry(project_id.clone()).or_default();
        if horizon.seeded {
            return;
        }
        let ended_at = end_of(job);
        if ended_at > horizon.newest_end {
            horizon.newest_end = ended_at;
            horizon.seeded_at_newest.clear();
        }
        if ended_at == horizon.newest_end {
            horizon.seeded_at_newest.insert(job.id.clone());
        }
    }

    /// The first pass over a project's ended jobs is complete: what ends from here on is news.
    pub(crate) fn finish_seeding(&mut self, project_id: &ProjectId) {
        self.horizons.entry(project_id.clone()).or_default().seeded = true;
    }
}

fn end_of(job: &JobSnapshot) -> Option<Timestamp> {
    job.finished_at.or(job.created_at)
}
