//! What of the fleet's counters is recorded, and how it is put back.

use crate::clock::Timestamp;
use crate::model::{JobId, JobName, Project, ProjectId, Record, RecordKey, RecordValue};
use crate::tracker::fleet::{Fleet, ProjectKey};
use smol_str::SmolStr;
use std::sync::Arc;

impl Fleet {
    /// Records what changed since the last call.
    pub(crate) fn record(&mut self, records: &mut Vec<Record>) {
        for key in std::mem::take(&mut self.touched) {
            let project = |id: &ProjectKey| self.projects.get(id).or_else(|| self.dormant.get(id));
            let value = match &key {
                RecordKey::Project(id) => project(id).cloned().map(RecordValue::Project),
                RecordKey::JobName(id, name) => {
                    let known = project(id).and_then(|project| project.job_names.get(name));
                    known.cloned().map(RecordValue::JobName)
                }
                RecordKey::Expiry(id, job_id) => {
                    let known = project(&Some(id.clone())).and_then(|project| project.expiries.get(job_id));
                    known.copied().map(RecordValue::Expiry)
                }
                _ => None,
            };
            records.push(Record { key, value });
        }
    }

    /// Counts everything as recorded.
    pub(crate) fn forget_records(&mut self) {
        self.touched.clear();
    }

    /// Puts a project back; it is shown once something concerns it.
    pub(crate) fn restore_project(&mut self, key: ProjectKey, project: Arc<Project>) {
        self.dormant.insert(key, project);
    }

    /// Puts a job name back into its project.
    pub(crate) fn restore_name(&mut self, key: &ProjectKey, name: SmolStr, known: Arc<JobName>) {
        self.dormant(key).job_names.insert(name, known);
    }

    /// Puts the expiry of a job's data back into its project.
    pub(crate) fn restore_expiry(&mut self, project_id: ProjectId, job_id: JobId, expires_at: Timestamp) {
        self.dormant(&Some(project_id))
            .expiries
            .insert(job_id, expires_at);
    }

    fn dormant(&mut self, key: &ProjectKey) -> &mut Project {
        let made = || Arc::new(Project::new(key.clone(), &self.empty));
        Arc::make_mut(self.dormant.entry(key.clone()).or_insert_with(made))
    }
}
