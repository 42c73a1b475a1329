//! A project and its bounded counters: the fleet tier, as plain data.

use crate::clock::Timestamp;
use crate::model::{
    CommunityId, Exemplar, Histogram, JobId, JobStatus, Kind, OutcomeKind, ProjectId, Source, State, Text,
};
use imbl::OrdMap;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A project, with everything that its fleet series show. The project of operations that belong to none
/// has no id. Cloning is cheap: what is large is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Its id; `None` gathers what belongs to no project.
    pub id: Option<ProjectId>,
    /// Its name, once it was told.
    pub name: Option<Text>,
    /// Its community, once it was told.
    pub community_id: Option<CommunityId>,
    /// Whether its jobs are listed.
    pub followed: bool,
    /// Jobs known now, by [`JobStatus::index`].
    pub jobs: [u32; JobStatus::ALL.len()],
    /// Observed operations now, by kind and state.
    pub operations: BTreeMap<(Kind, State), u32>,
    /// Operations taken under watch.
    pub tracked_total: BTreeMap<(Kind, Source), u64>,
    /// Operations that ended.
    pub finished_total: BTreeMap<(Kind, OutcomeKind), Completions>,
    /// The same by code; appears with the first of its code.
    pub results_total: Arc<BTreeMap<ResultKey, u64>>,
    /// Created to done.
    pub durations: BTreeMap<(Kind, OutcomeKind), Arc<Histogram>>,
    /// Time in a status, observed when it is left.
    pub status_durations: BTreeMap<JobStatus, Arc<Histogram>>,
    /// By job name, at most `metrics.job_names.max`, and one for all others.
    pub job_names: BTreeMap<SmolStr, Arc<JobName>>,
    /// When the stored data of ended jobs will be deleted.
    pub expiries: OrdMap<JobId, Timestamp>,
    /// Units left; `None` when there is no limit or it is not known.
    pub unit_balance: Option<i64>,
    /// Sum of the decreases of the balance that were seen; `None` until a balance was told.
    pub units_spent_total: Option<u64>,
    /// Limit in units an hour.
    pub units_per_hour_max: Option<i64>,
    /// Limit in units an execution.
    pub units_per_execution_max: Option<i64>,
    /// When each scope last told us something; absent while nothing of it is due.
    pub last_success_at: BTreeMap<ProjectScope, Timestamp>,
    /// When something of it was told or counted last: one that rests too long is forgotten.
    pub concerned_at: Option<Timestamp>,
}

/// Operations that ended, and the newest of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completions {
    /// How many.
    pub count: u64,
    /// The newest, when it has a trace.
    pub exemplar: Option<Exemplar>,
}

/// Labels of `datasphere_operation_results_total`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ResultKey {
    /// The label `kind`.
    pub kind: Kind,
    /// The label `outcome`.
    pub outcome: OutcomeKind,
    /// The label `code`: bounded by decoding and by `limits::RESULT_CODES_MAX`.
    pub code: SmolStr,
}

/// What is known of all executions of one job name in a project.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct JobName {
    /// Started to finished, of successes; made with the first.
    pub durations: Option<Histogram>,
    /// The newest ended execution; never kept for the overflow name.
    pub last: Option<LastResult>,
    /// The newest success.
    pub last_success_at: Option<Timestamp>,
    /// When an execution of this name was seen last: names that rest too long leave.
    pub seen_at: Option<Timestamp>,
}

/// The newest ended execution of a job name.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LastResult {
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// Started to finished, in seconds, where the API told both.
    pub duration_seconds: Option<f64>,
    /// The program's return code, where it is known.
    pub return_code: Option<i64>,
}

/// The label `scope` of `datasphere_exporter_last_success_timestamp_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProjectScope {
    /// Looks at single operations.
    Operations,
    /// Listings of jobs.
    Jobs,
    /// The project's own balance and limits.
    Projects,
}

impl ProjectScope {
    /// All scopes, in the order in which the exposition lists them.
    pub const ALL: [Self; 3] = [Self::Operations, Self::Jobs, Self::Projects];

    /// The value of the label `scope`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Jobs => "jobs",
            Self::Projects => "projects",
        }
    }
}

impl Project {
    /// A project of which nothing is known yet: every counter that the types foresee is there, at zero.
    pub fn new(id: Option<ProjectId>, empty: &Arc<Histogram>) -> Self {
        let ends = || {
            Kind::ALL
                .into_iter()
                .flat_map(|kind| OutcomeKind::ALL.map(|outcome| (kind, outcome)))
        };
        let left = JobStatus::ALL.into_iter().filter(|status| !status.is_terminal());
        Self {
            id,
            name: None,
            community_id: None,
            followed: false,
            jobs: [0; JobStatus::ALL.len()],
            operations: Kind::ALL
                .into_iter()
                .flat_map(|kind| State::ALL.map(|s| ((kind, s), 0)))
                .collect(),
            tracked_total: Kind::ALL
                .into_iter()
                .flat_map(|kind| Source::ALL.map(|s| ((kind, s), 0)))
                .collect(),
            finished_total: ends().map(|key| (key, Completions::default())).collect(),
            results_total: Arc::default(),
            durations: ends().map(|key| (key, Arc::clone(empty))).collect(),
            status_durations: left.map(|status| (status, Arc::clone(empty))).collect(),
            job_names: BTreeMap::new(),
            expiries: OrdMap::new(),
            unit_balance: None,
            units_spent_total: None,
            units_per_hour_max: None,
            units_per_execution_max: None,
            last_success_at: BTreeMap::new(),
            concerned_at: None,
        }
    }
}
