//! Which operations have left for good, so that nothing is counted twice, and which ends lie before watching began.

use crate::clock::Timestamp;
use crate::limits::ENDED_IDS_MAX;
use crate::model::{
    EndedRecord, Horizon, JobId, JobSnapshot, OperationId, ProjectId, Record, RecordKey, RecordValue,
    Relation, SpanLink, Target, Trace, TrackedOperation,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Ids that were counted and have left, the oldest forgotten first, and per project the newest end that lies before.
#[derive(Debug, Default)]
pub(crate) struct EndedIds {
    /// A tree: at its bound something leaves with each that comes, and a hash table keeps the places of what left until it
    /// doubles.
    counted: BTreeMap<Target, EndedRecord>,
    /// The same, oldest first.
    order: VecDeque<Target>,
    next_place: u64,
    horizons: HashMap<ProjectId, Horizon>,
    /// What changed since it was last recorded.
    touched: BTreeSet<RecordKey>,
}

impl EndedIds {
    /// Remembers a row that leaves for good: after its end, or because it was dismissed.
    pub(crate) fn remember(&mut self, row: &TrackedOperation) {
        let is_first = |trace: &&Arc<Trace>| row.attempt == 1 && trace.parent_id.is_some();
        let in_callers_trace = row.trace.as_ref().filter(is_first);
        let own_root = in_callers_trace.map(|trace| Box::new(trace.link(Relation::FirstAttempt)));
        let job = row.job_id.iter().cloned().map(Target::Job);
        let operations = row.operation_id.iter().chain(&row.about.aliases);
        for target in job.chain(operations.cloned().map(Target::Operation)) {
            let before = self.counted.remove(&target);
            if before.is_none() {
                self.order.push_back(target.clone());
            }
            let ended = EndedRecord {
                place: before.as_ref().map_or(self.next_place, |before| before.place),
                project_id: row.project_id.clone(),
                started_at: row.reported.started_at,
                ended_at: row.reported.finished_at,
                attempts: row.attempt,
                first_root: before.map_or_else(|| own_root.clone(), |before| before.first_root),
            };
            self.next_place = self.next_place.max(ended.place.saturating_add(1));
            self.touched.insert(RecordKey::Ended(target.clone()));
            self.counted.insert(target, ended);
        }
        self.forget_beyond_max();
    }

    /// Remembers a further operation of a job that has left: a repeated Execute makes one.
    pub(crate) fn remember_alias(&mut self, id: &OperationId, job_id: &JobId) {
        let target = Target::Operation(id.clone());
        let Some(of_job) = self.execution(job_id).filter(|_| !self.knows(&target)) else {
            return;
        };
        let ended = EndedRecord {
            place: self.next_place,
            ..of_job.clone()
        };
        self.next_place = self.next_place.saturating_add(1);
        self.order.push_back(target.clone());
        self.touched.insert(RecordKey::Ended(target.clone()));
        self.counted.insert(target, ended);
        self.forget_beyond_max();
    }

    fn forget_beyond_max(&mut self) {
        while self.order.len() > ENDED_IDS_MAX {
            self.forget_oldest();
        }
    }

    /// An id that is forgotten must not become news again: the horizon moves past its end.
    fn forget_oldest(&mut self) {
        let Some((target, oldest)) = self
            .order
            .pop_front()
            .and_then(|target| self.counted.remove_entry(&target))
        else {
            return;
        };
        if let (Some(project_id), Some(ended_at)) = (oldest.project_id, oldest.ended_at) {
            let horizon = self.horizon(&project_id);
            if Some(ended_at) > horizon.newest_end {
                horizon.newest_end = Some(ended_at);
                horizon.seeded_at_newest.clear();
            }
            if let (true, Target::Job(id)) = (horizon.newest_end == Some(ended_at), &target) {
                horizon.seeded_at_newest.insert(id.clone());
            }
        }
        self.touched.insert(RecordKey::Ended(target));
    }

    /// A project's horizon, about to change.
    fn horizon(&mut self, project_id: &ProjectId) -> &mut Horizon {
        self.touched.insert(RecordKey::Horizon(project_id.clone()));
        self.horizons.entry(project_id.clone()).or_default()
    }

    /// Records what changed since the last call.
    pub(crate) fn record(&mut self, records: &mut Vec<Record>) {
        for key in std::mem::take(&mut self.touched) {
            let value = match &key {
                RecordKey::Ended(target) => self.counted.get(target).cloned().map(RecordValue::Ended),
                RecordKey::Horizon(project_id) => {
                    self.horizons.get(project_id).cloned().map(RecordValue::Horizon)
                }
                _ => None,
            };
            records.push(Record { key, value });
        }
    }

    /// Puts back what was recorded.
    pub(crate) fn restore(
        &mut self,
        mut ended: Vec<(Target, EndedRecord)>,
        horizons: Vec<(ProjectId, Horizon)>,
    ) {
        ended.sort_by_key(|(_, record)| record.place);
        for (target, record) in ended {
            self.next_place = self.next_place.max(record.place.saturating_add(1));
            self.order.push_back(target.clone());
            self.counted.insert(target, record);
        }
        self.horizons.extend(horizons);
    }

    /// Whether an operation or any execution of a job was counted and has left.
    pub(crate) fn knows(&self, target: &Target) -> bool {
        self.counted.contains_key(target)
    }

    /// Counts everything as recorded.
    pub(crate) fn forget_records(&mut self) {
        self.touched.clear();
    }

    /// Whether this execution of a job was counted: a later start is another one, and what was counted without a
    /// start is told from it by its end.
    pub(crate) fn knows_execution(&self, job: &JobSnapshot) -> bool {
        self.execution(&job.id).is_some_and(|counted| {
            let before = counted.started_at.or(counted.ended_at);
            before.is_none() || job.started_at <= before
        })
    }

    fn execution(&self, job_id: &JobId) -> Option<&EndedRecord> {
        self.counted.get(&Target::Job(job_id.clone()))
    }

    /// Executions of a job that were counted.
    pub(crate) fn attempts(&self, job_id: &JobId) -> u32 {
        self.execution(job_id).map_or(0, |counted| counted.attempts)
    }

    /// The root of a job's first execution, where it cannot be computed.
    pub(crate) fn first_root(&self, job_id: &JobId) -> Option<SpanLink> {
        self.execution(job_id)
            .and_then(|counted| counted.first_root.as_deref().cloned())
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

    /// Notes an ended job of the first pass, while the project is not seeded.
    pub(crate) fn seed(&mut self, project_id: &ProjectId, job: &JobSnapshot) {
        let ended_at = end_of(job);
        let horizon = self.horizon(project_id);
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
        if !self.is_seeded(project_id) {
            self.horizon(project_id).seeded = true;
        }
    }
}

fn end_of(job: &JobSnapshot) -> Option<Timestamp> {
    job.finished_at.or(job.created_at)
}
