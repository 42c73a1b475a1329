//! What of the tracker's beliefs survives a restart: told as records, the newest of each key, and read back as such.

use crate::clock::Timestamp;
use crate::model::{
    Buckets, CommunityId, Completions, Histogram, JobId, JobName, JobStatus, Kind, OperationKey, OutcomeKind,
    Project, ProjectId, ResultKey, Source, SpanLink, Target, Text, TrackedOperation, Unreadable,
};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A piece of belief: a newer record of the same key replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is about.
    pub key: RecordKey,
    /// What is believed of it; `None` when it left.
    pub value: Option<RecordValue>,
}

/// What a record is about. Records are restored in this order: operations come last, into their projects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKey {
    /// The next key of an operation.
    NextKey,
    /// A project's counters, or those of what belongs to none.
    Project(Option<ProjectId>),
    /// A job name in a project.
    JobName(Option<ProjectId>, SmolStr),
    /// When the stored data of a job goes.
    Expiry(ProjectId, JobId),
    /// Up to where the ends in a project are no news.
    Horizon(ProjectId),
    /// An operation or a job that was counted and has left for good.
    Ended(Target),
    /// An operation under watch.
    Operation(OperationKey),
}

/// What is believed of a record's key.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordValue {
    /// For [`RecordKey::Operation`].
    Operation(Box<OperationRecord>),
    /// For [`RecordKey::Project`].
    Project(Arc<Project>),
    /// For [`RecordKey::JobName`].
    JobName(Arc<JobName>),
    /// For [`RecordKey::Expiry`].
    Expiry(Timestamp),
    /// For [`RecordKey::Ended`].
    Ended(EndedRecord),
    /// For [`RecordKey::Horizon`].
    Horizon(Horizon),
    /// For [`RecordKey::NextKey`].
    NextKey(OperationKey),
}

/// A row with the notes about looking at it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OperationRecord {
    /// What readers see.
    pub row: Arc<TrackedOperation>,
    /// When a look that was applied had been asked for; as of when the record was made.
    pub looked_at: Option<Timestamp>,
    /// The same of a listing.
    pub listed_at: Option<Timestamp>,
    /// Whether anybody ever looked at it.
    #[serde(default)]
    pub is_seen: bool,
    /// What looks have left open.
    #[serde(default)]
    pub open: OpenQuestions,
}

/// What looks at one operation have left open: the answers that follow are judged by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct OpenQuestions {
    /// When its job's status first said that it ended.
    pub terminal_since: Option<Timestamp>,
    /// When `NOT_FOUND` was first answered in the present run of such answers.
    pub not_found_since: Option<Timestamp>,
    /// `NOT_FOUND` answers in a row.
    pub not_found: u8,
    /// Looks that told nothing worth counting yet.
    pub undescribed: u8,
    /// The job left the live listing, so its end is to be found by a look.
    pub left_listing: bool,
    /// The cloud forgot the operation, though its job is known: ask for the job.
    pub operation_gone: bool,
    /// Why it cannot be read.
    pub unreadable: Option<Unreadable>,
    /// When somebody else's call last told of it, while no answer to our own ever did.
    pub hearsay_at: Option<Timestamp>,
}

/// The last execution under an id that was counted, by the cloud's own clock.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EndedRecord {
    /// Its place in the order in which ids are forgotten.
    pub place: u64,
    /// Its project.
    pub project_id: Option<ProjectId>,
    /// When it was started; of jobs only.
    pub started_at: Option<Timestamp>,
    /// When it finished.
    pub ended_at: Option<Timestamp>,
    /// Executions so far, as far as we saw.
    pub attempts: u32,
    /// The root of the first one, where it is in its caller's trace and so cannot be computed.
    pub first_root: Option<Box<SpanLink>>,
}

/// Ends up to here, by the cloud's own clock, are not news. So clocks that run apart do no harm.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Horizon {
    /// Whether the first pass over the ended jobs is over; until then nothing is news.
    pub seeded: bool,
    /// The newest end of that pass.
    pub newest_end: Option<Timestamp>,
    /// Jobs of that pass that ended at that very moment, or at an unknown one.
    pub seeded_at_newest: BTreeSet<JobId>,
}

/// What of a project survives by itself. Counts of the present follow from the rows, job names and expiries have
/// records of their own, and whether it is followed is for today's configuration to say.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct ProjectRecord {
    id: Option<ProjectId>,
    name: Option<Text>,
    community_id: Option<CommunityId>,
    tracked_total: Vec<(Kind, Source, u64)>,
    finished_total: Vec<(Kind, OutcomeKind, u64)>,
    results_total: Vec<(ResultKey, u64)>,
    durations: Vec<(Kind, OutcomeKind, Histogram)>,
    /// By the words of the API, so that another version may know more statuses or fewer.
    status_durations: BTreeMap<SmolStr, Histogram>,
    unit_balance: Option<i64>,
    units_spent_total: Option<u64>,
    units_per_hour_max: Option<i64>,
    units_per_execution_max: Option<i64>,
    concerned_at: Option<Timestamp>,
}

impl serde::Serialize for Project {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let observed =
            |histogram: &Arc<Histogram>| (histogram.count() > 0).then(|| Histogram::clone(histogram));
        let record = ProjectRecord {
            id: self.id.clone(),
            name: self.name.clone(),
            community_id: self.community_id.clone(),
            tracked_total: self
                .tracked_total
                .iter()
                .map(|((kind, source), n)| (*kind, *source, *n))
                .collect(),
            finished_total: self
                .finished_total
                .iter()
                .map(|((kind, outcome), ends)| (*kind, *outcome, ends.count))
                .collect(),
            results_total: self
                .results_total
                .iter()
                .map(|(key, n)| (key.clone(), *n))
                .collect(),
            durations: self
                .durations
                .iter()
                .filter_map(|((kind, outcome), known)| Some((*kind, *outcome, observed(known)?)))
                .collect(),
            status_durations: self
                .status_durations
                .iter()
                .filter_map(|(status, known)| Some((SmolStr::new_static(status.label()), observed(known)?)))
                .collect(),
            unit_balance: self.unit_balance,
            units_spent_total: self.units_spent_total,
            units_per_hour_max: self.units_per_hour_max,
            units_per_execution_max: self.units_per_execution_max,
            concerned_at: self.concerned_at,
        };
        record.serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for Project {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let record = ProjectRecord::deserialize(from)?;
        let mut project = Self::new(record.id, &Arc::new(Histogram::new(Buckets::RUNS)));
        project.name = record.name;
        project.community_id = record.community_id;
        let tracked = record.tracked_total.into_iter();
        project
            .tracked_total
            .extend(tracked.map(|(kind, source, n)| ((kind, source), n)));
        let finished = record.finished_total.into_iter();
        project
            .finished_total
            .extend(finished.map(|(kind, outcome, count)| {
                let ends = Completions {
                    count,
                    exemplar: None,
                };
                ((kind, outcome), ends)
            }));
        project.results_total = Arc::new(record.results_total.into_iter().collect());
        let durations = record.durations.into_iter();
        project
            .durations
            .extend(durations.map(|(kind, outcome, known)| ((kind, outcome), Arc::new(known))));
        let status_durations = record.status_durations.into_iter();
        project
            .status_durations
            .extend(status_durations.filter_map(|(label, known)| {
                let status = JobStatus::from_label(&label)?;
                Some((status, Arc::new(known)))
            }));
        project.unit_balance = record.unit_balance;
        project.units_spent_total = record.units_spent_total;
        project.units_per_hour_max = record.units_per_hour_max;
        project.units_per_execution_max = record.units_per_execution_max;
        project.concerned_at = record.concerned_at;
        Ok(project)
    }
}
