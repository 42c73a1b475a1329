//! What rested too long leaves.

use crate::clock::Timestamp;
use crate::limits::{JOB_NAME_IDLE_MAX, PROJECT_IDLE_MAX};
use crate::model::{JobId, JobName, Project, RecordKey};
use crate::tracker::fleet::{Fleet, ProjectKey};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked for: names and projects rest for weeks.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_hours(1);

impl Fleet {
    /// Names and projects that rested too long leave, and so do expiries that have passed.
    pub(crate) fn forget_idle(&mut self, now: Timestamp) {
        if self
            .idle_checked_at
            .is_some_and(|checked_at| now.since(checked_at) < IDLE_CHECK_INTERVAL)
        {
            return;
        }
        self.idle_checked_at = Some(now);
        self.forget_dormant(now);
        for (key, known) in self.projects.as_ref().clone() {
            let rested = |name: &JobName| name.seen_at.is_some_and(|at| now.since(at) >= JOB_NAME_IDLE_MAX);
            let passed = |at: &Timestamp| *at <= now;
            let is_idle = known.job_names.values().any(|name| rested(name));
            if !is_idle && !known.expiries.values().any(passed) {
                continue;
            }
            let names = known.job_names.iter().filter(|(_, name)| rested(name));
            self.touched
                .extend(names.map(|(name, _)| RecordKey::JobName(key.clone(), name.clone())));
            let jobs = known.expiries.iter().filter(|(_, at)| passed(at));
            let expiry = |(job_id, _): (&JobId, _)| Some(RecordKey::Expiry(key.clone()?, job_id.clone()));
            self.touched.extend(jobs.filter_map(expiry));
            let Some(project) = self.project(&key) else {
                continue;
            };
            project.job_names.retain(|_, name| !rested(name));
            project.expiries = project
                .expiries
                .iter()
                .filter(|(_, at)| !passed(at))
                .map(|(id, at)| (id.clone(), *at))
                .collect();
        }
    }

    /// Forgets projects that nothing has concerned for long: nobody watches them any more.
    fn forget_dormant(&mut self, now: Timestamp) {
        let mut left = Vec::new();
        for (key, project) in &mut self.dormant {
            match project.concerned_at {
                Some(at) if now.since(at) < PROJECT_IDLE_MAX => {}
                Some(_) => left.push(key.clone()),
                // An earlier version did not tell.
                None => {
                    Arc::make_mut(project).concerned_at = Some(now);
                    self.touched.insert(RecordKey::Project(key.clone()));
                }
            }
        }
        for key in left {
            if let Some(project) = self.dormant.remove(&key) {
                self.touched.extend(record_keys(&key, &project));
            }
        }
    }
}

/// The keys of all records of a project.
fn record_keys(key: &ProjectKey, project: &Project) -> Vec<RecordKey> {
    let names = project.job_names.keys();
    let names = names.map(|name| RecordKey::JobName(key.clone(), name.clone()));
    let expiries = project.expiries.keys();
    let expiry = |job_id: &JobId| Some(RecordKey::Expiry(key.clone()?, job_id.clone()));
    let own = std::iter::once(RecordKey::Project(key.clone()));
    own.chain(names).chain(expiries.filter_map(expiry)).collect()
}
