//! The bounded counters of every project: derived from changes, and from nothing else.

mod idle;
mod kept;

use crate::clock::Timestamp;
use crate::identity::{phase_key, span_id};
use crate::limits::{EXPIRIES_MAX, JOB_NAME_IDLE_MAX, PROJECTS_MAX, RESULT_CODES_MAX};
use crate::model::{
    Boundary, Buckets, Change, Exemplar, Histogram, JobId, JobSnapshot, JobStatus, Kind, LastResult, Outcome,
    OutcomeKind, Project, ProjectId, ProjectScope, ProjectSnapshot, RecordKey, ResultKey, SpanId, Trace,
    TrackedOperation, TrackerFigures, Visit,
};
use crate::tracker::is_polled;
use crate::tracker::names::{JobNames, OTHER};
use smol_str::{SmolStr, ToSmolStr};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

type ProjectKey = Option<ProjectId>;

/// Projects by id, shared with the views that were published.
#[derive(Debug)]
pub(crate) struct Fleet {
    names: JobNames,
    projects: Arc<BTreeMap<ProjectKey, Arc<Project>>>,
    /// Projects of an earlier process that nothing has concerned yet: they are not shown.
    dormant: BTreeMap<ProjectKey, Arc<Project>>,
    /// What changed since it was last recorded.
    touched: BTreeSet<RecordKey>,
    /// One empty histogram, shared until a project's own differs.
    empty: Arc<Histogram>,
    /// Rows that single looks follow: while there are any, looks at operations are due.
    polled: HashMap<ProjectKey, u32>,
    idle_checked_at: Option<Timestamp>,
    figures: TrackerFigures,
}

impl Fleet {
    pub(crate) fn new(names: JobNames) -> Self {
        Self {
            names,
            projects: Arc::default(),
            dormant: BTreeMap::new(),
            touched: BTreeSet::new(),
            empty: Arc::new(Histogram::new(Buckets::RUNS)),
            polled: HashMap::new(),
            idle_checked_at: None,
            figures: TrackerFigures::default(),
        }
    }

    pub(crate) fn projects(&self) -> Arc<BTreeMap<ProjectKey, Arc<Project>>> {
        Arc::clone(&self.projects)
    }

    /// The figures that are counted here; the tracker adds its own.
    pub(crate) fn figures(&self) -> TrackerFigures {
        self.figures.clone()
    }

    /// A project; when it is new and there is room, made with all its counters at zero or as it was kept.
    fn project(&mut self, key: &ProjectKey) -> Option<&mut Project> {
        if !self.projects.contains_key(key) {
            if self.projects.len() >= PROJECTS_MAX {
                return None;
            }
            let kept = self.dormant.remove(key);
            let project = kept.unwrap_or_else(|| Arc::new(Project::new(key.clone(), &self.empty)));
            Arc::make_mut(&mut self.projects).insert(key.clone(), project);
        }
        Arc::make_mut(&mut self.projects).get_mut(key).map(Arc::make_mut)
    }

    /// A project's jobs are listed from now on.
    pub(crate) fn follow(&mut self, project_id: ProjectId) {
        let key = Some(project_id);
        if !self.is_followed(&key)
            && let Some(project) = self.project(&key)
        {
            project.followed = true;
        }
    }

    /// Whether a project's jobs are listed.
    pub(crate) fn is_followed(&self, key: &ProjectKey) -> bool {
        self.projects.get(key).is_some_and(|project| project.followed)
    }

    /// Gives up all projects but these; which were given up. What they told of their present is not known from here on,
    /// and what was counted stays.
    pub(crate) fn unfollow_others(&mut self, projects: &HashSet<ProjectId>) -> Vec<ProjectId> {
        let is_other = |project: &&Arc<Project>| {
            let is_named = project.id.as_ref().is_some_and(|id| projects.contains(id));
            project.followed && !is_named
        };
        let others: Vec<ProjectId> = self
            .projects
            .values()
            .filter(is_other)
            .filter_map(|project| project.id.clone())
            .collect();
        for project_id in &others {
            let key = Some(project_id.clone());
            let expiry = |job_id: &JobId| RecordKey::Expiry(project_id.clone(), job_id.clone());
            let Some(project) = self.project(&key) else {
                continue;
            };
            project.followed = false;
            project.unit_balance = None;
            project.units_per_hour_max = None;
            project.units_per_execution_max = None;
            project.last_success_at.remove(&ProjectScope::Jobs);
            project.last_success_at.remove(&ProjectScope::Projects);
            let expiries = std::mem::take(&mut project.expiries);
            self.touched.extend(expiries.keys().map(expiry));
            self.touched.insert(RecordKey::Project(key));
        }
        others
    }

    /// Names jobs by these rules from now on; a job that has its name keeps it.
    pub(crate) fn name_by(&mut self, names: JobNames) {
        self.names = names;
    }

    /// A project told its name and limits.
    pub(crate) fn describe(&mut self, snapshot: ProjectSnapshot, now: Timestamp) {
        let key = Some(snapshot.id);
        let Some(project) = self.project(&key) else {
            return;
        };
        project.followed = true;
        project.name = snapshot.name.or(project.name.take());
        project.community_id = snapshot.community_id.or(project.community_id.take());
        project.units_per_hour_max = snapshot.units_per_hour_max;
        project.units_per_execution_max = snapshot.units_per_execution_max;
        project.last_success_at.insert(ProjectScope::Projects, now);
        project.concerned_at = Some(now);
        self.touched.insert(RecordKey::Project(key));
    }

    /// A project's balance: what it lost since the last one was spent; what it gained was paid in.
    pub(crate) fn balance(&mut self, project_id: ProjectId, units: Option<i64>, now: Timestamp) {
        let key = Some(project_id);
        let Some(project) = self.project(&key) else {
            return;
        };
        let is_changed = project.unit_balance != units || project.units_spent_total.is_none();
        if let Some(units) = units {
            let spent = project
                .unit_balance
                .map_or(0, |before| before.saturating_sub(units).max(0));
            let total = project.units_spent_total.get_or_insert(0);
            *total = total.saturating_add(spent.unsigned_abs());
        }
        project.unit_balance = units;
        project.followed = true;
        project.last_success_at.insert(ProjectScope::Projects, now);
        if is_changed {
            project.concerned_at = Some(now);
            self.touched.insert(RecordKey::Project(key));
        }
    }

    /// Something of a scope was told.
    pub(crate) fn succeeded(&mut self, key: &ProjectKey, scope: ProjectScope, now: Timestamp) {
        let is_due =
            scope != ProjectScope::Operations || self.polled.get(key).is_some_and(|count| *count > 0);
        if is_due && let Some(project) = self.project(key) {
            project.last_success_at.insert(scope, now);
        }
    }

    /// Moves a row from what it was to what it is, in every count of the present.
    pub(crate) fn shift(&mut self, before: Option<&TrackedOperation>, after: Option<&TrackedOperation>) {
        let place = |row: &TrackedOperation| {
            (
                row.project_id.clone(),
                row.kind,
                row.state,
                row.status,
                is_polled(row),
            )
        };
        let observed = |row: &&TrackedOperation| row.observed;
        let (before, after) = (
            before.filter(observed).map(place),
            after.filter(observed).map(place),
        );
        if before == after {
            return;
        }
        for (place, by) in [(before, -1), (after, 1)] {
            let Some((key, kind, state, status, polled)) = place else {
                continue;
            };
            if polled {
                self.count_polled(&key, by);
            }
            let Some(project) = self.project(&key) else {
                continue;
            };
            let operations = project.operations.entry((kind, state)).or_insert(0);
            *operations = operations.saturating_add_signed(by);
            let jobs = status
                .filter(|_| kind == Kind::Job)
                .and_then(|status| project.jobs.get_mut(status.index()));
            if let Some(jobs) = jobs {
                *jobs = jobs.saturating_add_signed(by);
            }
        }
    }

    fn count_polled(&mut self, key: &ProjectKey, by: i32) {
        let count = self.polled.entry(key.clone()).or_insert(0);
        *count = count.saturating_add_signed(by);
        if *count == 0
            && let Some(project) = self.project(key)
        {
            project.last_success_at.remove(&ProjectScope::Operations);
        }
    }

    /// Counts what a change adds to the project's history.
    pub(crate) fn count(&mut self, change: Change, after: &TrackedOperation, now: Timestamp) {
        if !after.observed {
            return;
        }
        if change == Change::Observed && self.project(&after.project_id).is_none() {
            self.figures.project_overflows_total += 1;
        }
        let Some(project) = self.project(&after.project_id) else {
            return;
        };
        let mut is_counted = true;
        match change {
            Change::Observed => {
                *project
                    .tracked_total
                    .entry((after.kind, after.source))
                    .or_insert(0) += 1;
            }
            Change::Status { left: Some(visit) } if visit.start != Boundary::FirstSeen => {
                if let Some(durations) = project.status_durations.get_mut(&visit.status) {
                    let exemplar = exemplar(after, now, |trace| phase_id(trace, &visit));
                    Arc::make_mut(durations).observe(visit.until.since(visit.since), exemplar);
                }
            }
            Change::Ended => self.count_end(after, now),
            _ => is_counted = false,
        }
        if is_counted {
            self.concern(&after.project_id, now);
        }
    }

    fn concern(&mut self, key: &ProjectKey, now: Timestamp) {
        if let Some(project) = self.project(key) {
            project.concerned_at = Some(now);
            self.touched.insert(RecordKey::Project(key.clone()));
        }
    }

    fn count_end(&mut self, row: &TrackedOperation, now: Timestamp) {
        let Some(outcome) = row.outcome else { return };
        let Some(project) = self.project(&row.project_id) else {
            return;
        };
        let key = (row.kind, outcome.kind());
        let exemplar = exemplar(row, now, |trace| Some(trace.root_id));
        let finished = project.finished_total.entry(key).or_default();
        finished.count += 1;
        finished.exemplar = exemplar.or(finished.exemplar);
        if let Some(duration) = row.duration().filter(|_| outcome != Outcome::Lost)
            && let Some(durations) = project.durations.get_mut(&key)
        {
            Arc::make_mut(durations).observe(duration, exemplar);
        }
        let results = Arc::make_mut(&mut project.results_total);
        let mut result = ResultKey {
            kind: row.kind,
            outcome: outcome.kind(),
            code: code(row, outcome),
        };
        let is_full = results
            .keys()
            .filter(|known| (known.kind, known.outcome) == key)
            .count()
            >= RESULT_CODES_MAX;
        let overflows = is_full && !results.contains_key(&result);
        if overflows {
            result.code = SmolStr::new_static(OTHER);
        }
        *results.entry(result).or_insert(0) += 1;
        self.figures.code_overflows_total += u64::from(overflows);
        if let Some(name) = &row.about.job_name {
            let finished_at = row
                .reported
                .finished_at
                .or(row.reported.modified_at)
                .unwrap_or(now);
            let last = LastResult {
                finished_at,
                outcome: outcome.kind(),
                duration_seconds: row.run_duration().map(|duration| duration.as_secs_f64()),
                return_code: row.reported.return_code,
            };
            let run = row.run_duration().map(|duration| (duration, exemplar));
            self.finish_name(&row.project_id, name, last, run, now);
        }
    }

    /// Puts an end into the history of its job name.
    fn finish_name(
        &mut self,
        key: &ProjectKey,
        name: &SmolStr,
        last: LastResult,
        run: Option<(Duration, Option<Exemplar>)>,
        now: Timestamp,
    ) {
        self.touched.insert(RecordKey::JobName(key.clone(), name.clone()));
        let Some(project) = self.project(key) else { return };
        let known = Arc::make_mut(project.job_names.entry(name.clone()).or_default());
        known.seen_at = known.seen_at.max(Some(now));
        let succeeded = last.outcome == OutcomeKind::Success;
        if succeeded && let Some((duration, exemplar)) = run {
            known
                .durations
                .get_or_insert_with(|| Histogram::new(Buckets::RUNS))
                .observe(duration, exemplar);
        }
        if name == OTHER {
            return;
        }
        if succeeded {
            known.last_success_at = known.last_success_at.max(Some(last.finished_at));
        }
        if known
            .last
            .as_ref()
            .is_none_or(|before| before.finished_at <= last.finished_at)
        {
            known.last = Some(last);
        }
    }

    /// Gives a job the name that its fleet series carry, once.
    pub(crate) fn name(&mut self, row: &mut TrackedOperation, now: Timestamp) {
        if row.about.job_name.is_some() {
            return;
        }
        let raw = row.about.name.as_ref().map_or("", |name| name.as_str());
        let name = self.claim_name(&row.project_id, &self.names.rewrite(raw), now);
        Arc::make_mut(&mut row.about).job_name = Some(name);
    }

    fn claim_name(&mut self, key: &ProjectKey, name: &SmolStr, now: Timestamp) -> SmolStr {
        let max = self.names.max;
        let Some(project) = self.project(key) else {
            return SmolStr::new_static(OTHER);
        };
        let own = project.job_names.keys().filter(|known| *known != OTHER).count();
        if own >= max && !project.job_names.contains_key(name) {
            self.figures.job_name_overflows_total += 1;
            return SmolStr::new_static(OTHER);
        }
        let known = Arc::make_mut(project.job_names.entry(name.clone()).or_default());
        known.seen_at = known.seen_at.max(Some(now));
        self.touched.insert(RecordKey::JobName(key.clone(), name.clone()));
        name.clone()
    }

    /// An end from before watching began: it is not counted, but it is the newest one known of its name.
    pub(crate) fn seed(&mut self, project_id: &ProjectId, job: &JobSnapshot, now: Timestamp) {
        let Some(finished_at) = job.finished_at.filter(|at| now.since(*at) < JOB_NAME_IDLE_MAX) else {
            return;
        };
        let key = Some(project_id.clone());
        let raw = job.name.as_ref().map_or("", |name| name.as_str());
        let name = self.claim_name(&key, &self.names.rewrite(raw), finished_at);
        let outcome = match job.status {
            JobStatus::Success => OutcomeKind::Success,
            JobStatus::Cancelled => OutcomeKind::Cancelled,
            _ => OutcomeKind::Failure,
        };
        let duration_seconds = job.started_at.map(|at| finished_at.since(at).as_secs_f64());
        let last = LastResult {
            finished_at,
            outcome,
            duration_seconds,
            return_code: None,
        };
        self.finish_name(&key, &name, last, None, finished_at);
    }

    /// Notes when the stored data of an ended job goes.
    pub(crate) fn note_expiry(&mut self, project_id: &ProjectId, job: &JobSnapshot) {
        if !job.status.is_terminal() && job.data_expires_at.is_none() {
            return;
        }
        let expires_at = job
            .data_expires_at
            .filter(|_| job.status.is_terminal() && !job.data_cleared);
        let Some(project) = self.project(&Some(project_id.clone())) else {
            return;
        };
        let expiries = &mut project.expiries;
        let before = expiries.get(&job.id).copied();
        if before == expires_at || (before.is_none() && expiries.len() >= EXPIRIES_MAX) {
            return;
        }
        match expires_at {
            Some(at) => expiries.insert(job.id.clone(), at),
            None => expiries.remove(&job.id),
        };
        let key = RecordKey::Expiry(project_id.clone(), job.id.clone());
        self.touched.insert(key);
    }
}

/// One more of a counter, as an exemplar: the trace of what was counted, if it is told at all. Its time is when we saw
/// it, which only grows, since a server drops what is older than what it has.
fn exemplar(
    row: &TrackedOperation,
    now: Timestamp,
    span: impl FnOnce(&Trace) -> Option<SpanId>,
) -> Option<Exemplar> {
    let trace = row.trace.as_deref()?;
    Some(Exemplar {
        trace_id: trace.trace_id.to_bytes(),
        span_id: span(trace)?.to_bytes(),
        value: 1.0,
        at: now,
    })
}

/// The span of a visit to a status.
fn phase_id(trace: &Trace, visit: &Visit) -> Option<SpanId> {
    let key = phase_key(visit.status, visit.number)?;
    Some(span_id(&trace.seed, &key))
}

/// The label `code` of a result.
fn code(row: &TrackedOperation, outcome: Outcome) -> SmolStr {
    let rpc = row.reported.error.as_ref().map(|error| error.code);
    match (row.kind, row.reported.return_code, row.reported.execution_status) {
        _ if outcome == Outcome::Lost => SmolStr::default(),
        _ if rpc.is_some() => SmolStr::new_static(rpc.map_or("", |code| code.name())),
        (Kind::Job, Some(code @ -255..=255), _) => code.to_smolstr(),
        (Kind::Job, Some(_), _) => SmolStr::new_static(OTHER),
        (Kind::Notebook, _, Some(status)) => SmolStr::new_static(status.label()),
        _ => SmolStr::default(),
    }
}
