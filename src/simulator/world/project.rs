//! Communities and projects, and what projects may still spend.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::datasphere::v2::{self as pb, project};
use crate::simulator::{
    Error,
    ids::derived_id,
    scenario::{CommunityScript, ProjectScript},
    world::{Present, Work, World, shifted},
};
use std::collections::HashMap;
use std::time::Duration;

/// A community.
#[derive(Debug)]
pub(crate) struct Community {
    pub(crate) id: String,
    pub(crate) name: String,
    created_at: Timestamp,
}

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) community_id: String,
    pub(crate) denied: bool,
    pub(crate) labels: HashMap<String, String>,
    pub(crate) limits: Option<project::Limits>,
    pub(crate) settings: Option<project::Settings>,
    created_at: Timestamp,
    created_by: String,
    /// Units it had at the start, were nothing spent; `None` is without a limit.
    units: Option<i64>,
    units_per_second: u32,
    /// Units spent by runs that are no longer remembered.
    pub(crate) spent_by_forgotten: u64,
    /// How many scripts of each name there are.
    pub(crate) script_names: HashMap<String, u64>,
    /// Its jobs, in the order they were made.
    pub(crate) jobs: Vec<String>,
    /// The operations of its notebook executions, in the order they began.
    pub(crate) notebooks: Vec<String>,
}

/// How long before the start communities and projects were made: ninety days.
const AGE_NANOS: i64 = 90 * 86_400 * 1_000_000_000;
const MILLIS_PER_SECOND: u64 = 1000;

impl Community {
    /// The message of the API.
    pub(crate) fn message(&self, present: Present) -> pb::Community {
        pb::Community {
            id: self.id.clone(),
            created_at: Some(present.stamp(self.created_at)),
            name: self.name.clone(),
            description: String::new(),
            labels: HashMap::new(),
            created_by_id: "ajesimulatedowner001".to_owned(),
            organization_id: derived_id(&["organization", "simulated"]),
            zone_id: "ru-central1-a".to_owned(),
        }
    }
}

impl Project {
    /// A project that a client makes.
    pub(crate) fn made(id: String, request: pb::CreateProjectRequest, author: &str, now: Timestamp) -> Self {
        Self {
            id,
            name: request.name,
            description: request.description,
            community_id: request.community_id,
            denied: false,
            labels: request.labels,
            limits: request.limits,
            settings: request.settings,
            created_at: now,
            created_by: author.to_owned(),
            units: None,
            units_per_second: 0,
            spent_by_forgotten: 0,
            script_names: HashMap::new(),
            jobs: Vec::new(),
            notebooks: Vec::new(),
        }
    }

    /// Units it would have if nothing were spent.
    pub(crate) fn units(&self) -> Option<i64> {
        self.units
    }

    /// The message of the API.
    pub(crate) fn message(&self, present: Present) -> pb::Project {
        pb::Project {
            id: self.id.clone(),
            created_at: Some(present.stamp(self.created_at)),
            name: self.name.clone(),
            description: self.description.clone(),
            labels: self.labels.clone(),
            created_by_id: self.created_by.clone(),
            settings: self.settings.clone(),
            limits: self.limits,
            community_id: self.community_id.clone(),
        }
    }
}

impl World {
    /// Takes in a scripted community with all that is in it.
    pub(crate) fn add_community(&mut self, script: &CommunityScript) -> Result<(), Error> {
        let id = script
            .id
            .clone()
            .unwrap_or_else(|| derived_id(&["community", &script.name]));
        if self.communities.iter().any(|community| community.id == id) {
            return Err(twice("community", &script.name));
        }
        let created_at = shifted(self.start_at, -AGE_NANOS);
        self.communities.push(Community {
            id: id.clone(),
            name: script.name.clone(),
            created_at,
        });
        for project in &script.projects {
            self.add_project(&id, created_at, project)?;
        }
        Ok(())
    }

    fn add_project(
        &mut self,
        community_id: &str,
        created_at: Timestamp,
        script: &ProjectScript,
    ) -> Result<(), Error> {
        let id = script
            .id
            .clone()
            .unwrap_or_else(|| derived_id(&["project", community_id, &script.name]));
        let limits = project::Limits {
            max_units_per_hour: script.max_units_per_hour,
            max_units_per_execution: script.max_units_per_execution,
        };
        let project = Project {
            id: id.clone(),
            name: script.name.clone(),
            description: String::new(),
            community_id: community_id.to_owned(),
            denied: script.denied,
            labels: script.labels.clone().into_iter().collect(),
            limits: Some(limits),
            settings: None,
            created_at,
            created_by: "ajesimulatedowner001".to_owned(),
            units: script.unit_balance,
            units_per_second: script.units_per_second,
            spent_by_forgotten: 0,
            script_names: HashMap::new(),
            jobs: Vec::new(),
            notebooks: Vec::new(),
        };
        if self.projects.insert(id.clone(), project).is_some() {
            return Err(twice("project", &script.name));
        }
        for job in &script.jobs {
            self.schedule_job(&id, job, self.start_at);
        }
        for notebook in &script.notebooks {
            self.schedule_notebook(&id, notebook, self.start_at);
        }
        Ok(())
    }

    /// What a project may still spend; `None` is without a limit.
    pub(crate) fn balance(&self, project: &Project, now: Timestamp) -> Option<i64> {
        let spent = i64::try_from(self.spent(project, now)).unwrap_or(i64::MAX);
        project.units.map(|units| units.saturating_sub(spent))
    }

    /// Sets what a project may still spend.
    pub(crate) fn set_balance(&mut self, id: &str, units: Option<i64>, now: Timestamp) {
        let spent = self
            .projects
            .get(id)
            .map_or(0, |project| self.spent(project, now));
        let spent = i64::try_from(spent).unwrap_or(i64::MAX);
        if let Some(project) = self.projects.get_mut(id) {
            project.units = units.map(|units| units.saturating_add(spent));
        }
    }

    /// Units spent since the start, and before it by runs that had begun.
    fn spent(&self, project: &Project, now: Timestamp) -> u64 {
        let drained = self.units(u64::from(project.units_per_second), now.since(self.start_at));
        let by_jobs = project
            .jobs
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .map(|job| self.units(units_per_second(&job.body.instance_type), job.busy(now)));
        let by_notebooks = project
            .notebooks
            .iter()
            .filter_map(|id| match self.works.get(id) {
                Some(Work::Notebook(run)) => {
                    Some(self.units(units_per_second(&run.instance_type), run.busy(now)))
                }
                _ => None,
            });
        by_jobs.chain(by_notebooks).fold(
            drained.saturating_add(project.spent_by_forgotten),
            u64::saturating_add,
        )
    }

    /// Units that leave at so many a second of script; whole seconds are paid, rounded up.
    pub(crate) fn units(&self, per_second: u64, busy: Duration) -> u64 {
        self.script_millis(busy)
            .div_ceil(MILLIS_PER_SECOND)
            .saturating_mul(per_second)
    }
}

/// The price of a machine, in units a second; from the published table of configurations.
///
/// Source: `en/_pricing/datasphere/usd-unit-and-resource.md` of the cloud's documentation.
pub(crate) fn units_per_second(instance_type: &str) -> u64 {
    match instance_type {
        "c1.8" => 8,
        "c1.32" => 32,
        "c1.80" => 80,
        "g1.1" => 72,
        "g1.2" => 144,
        "g1.4" => 288,
        "g2.1" => 116,
        "g2.2" => 232,
        "g2.4" => 464,
        "g2.8" => 928,
        "g2.mig" => 18,
        "gt4.1" => 36,
        "gt4i.1" => 50,
        _ => 4,
    }
}

fn twice(kind: &str, name: &str) -> Error {
    Error::Impossible {
        what: format!("{kind} `{name}` is there twice; give one of them another name or id"),
    }
}
