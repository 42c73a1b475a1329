//! Everything that exists in the simulated cloud at a moment.
//!
//! Scripted executions are born when somebody looks: [`World::advance`] makes those whose time has come, and each
//! then answers as a pure function of the time since it began. No task runs for any of them.

mod birth;
mod job;
mod life;
mod notebook;
mod operation;
mod plain;
mod project;

pub(crate) use birth::{ALIVE_MAX, Birth, Home, RunIds, Scripted, shifted};
pub(crate) use job::{Body, Execution, Job, Output, fitting_status};
pub(crate) use notebook::NotebookRun;
pub(crate) use operation::packed;
pub(crate) use plain::{Change, Plain};
pub(crate) use project::{Community, Project, units_per_second};

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::operation::Operation;
use crate::simulator::{
    Error,
    ids::derived_id,
    scenario::{JobScript, NotebookScript, Scenario},
    urls::Urls,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use tonic::Status;

/// The present as an answer tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    pub(crate) now: Timestamp,
    /// How far the timestamps of the answer are off.
    pub(crate) skew_nanos: i64,
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Present {
    /// A time as the answer tells it.
    pub(crate) fn stamp(&self, at: Timestamp) -> prost_types::Timestamp {
        let nanos = at.nanos().saturating_add(self.skew_nanos);
        prost_types::Timestamp {
            seconds: nanos.div_euclid(NANOS_PER_SECOND),
            nanos: i32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).unwrap_or(0),
        }
    }
}

/// What an operation id stands for.
#[derive(Debug)]
pub(crate) enum Work {
    /// An execution of this job.
    Job(String),
    Notebook(Box<NotebookRun>),
    Plain(Box<Plain>),
}

/// The state of the simulated cloud.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) speed: f64,
    edition: Option<i64>,
    pub(crate) start_at: Timestamp,
    pub(crate) operation_ttl: Option<Duration>,
    pub(crate) communities: Vec<Community>,
    pub(crate) projects: HashMap<String, Project>,
    pub(crate) jobs: HashMap<String, Job>,
    pub(crate) works: HashMap<String, Work>,
    pub(crate) births: Vec<Birth>,
    /// When the next run of each birth is due.
    pub(crate) agenda: BTreeSet<(Timestamp, usize)>,
    /// Answers that a test has laid ready, by operation id; the last one stays.
    pub(crate) laid_ready: HashMap<String, VecDeque<Result<Operation, Status>>>,
    /// Operations that clients began, oldest first, jobs excepted.
    begun: VecDeque<String>,
    /// The operation that each idempotency key began, and the keys in order of age.
    keys: (HashMap<String, String>, VecDeque<String>),
    pub(crate) template: Templates,
    made: u64,
}

/// What executions do that clients begin.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    pub(crate) jobs: Vec<JobScript>,
    pub(crate) notebooks: Vec<NotebookScript>,
}

/// Jobs that clients may make: the simulator must survive a client that makes them in a loop.
const JOBS_MAX: usize = 200_000;
/// Operations of clients that are remembered, jobs excepted, and idempotency keys likewise.
const BEGUN_MAX: usize = 10_000;

impl World {
    /// The world at its start.
    pub(crate) fn new(scenario: &Scenario, start_at: Timestamp) -> Result<Self, Error> {
        scenario.check()?;
        let mut world = Self {
            speed: scenario.speed,
            edition: scenario.edition,
            start_at,
            operation_ttl: scenario.operation_ttl.map(|ttl| ttl.at_speed(scenario.speed)),
            communities: Vec::new(),
            projects: HashMap::new(),
            jobs: HashMap::new(),
            works: HashMap::new(),
            births: Vec::new(),
            agenda: BTreeSet::new(),
            laid_ready: HashMap::new(),
            begun: VecDeque::new(),
            keys: (HashMap::new(), VecDeque::new()),
            template: Templates {
                jobs: scenario.created_jobs.clone(),
                notebooks: scenario.executed_notebooks.clone(),
            },
            made: 0,
        };
        for community in &scenario.communities {
            world.add_community(community)?;
        }
        world.advance(start_at);
        // A scripted balance is the one at the start, whatever runs have spent that began before it.
        let balances: Vec<(String, Option<i64>)> = world
            .projects
            .values()
            .map(|project| (project.id.clone(), project.units()))
            .collect();
        for (project_id, units) in balances {
            world.set_balance(&project_id, units, start_at);
        }
        Ok(world)
    }

    /// A project; unknown ones are refused as the cloud does, without telling whether they exist.
    pub(crate) fn project(&self, id: &str) -> Result<&Project, Status> {
        self.projects
            .get(id)
            .filter(|project| !project.denied)
            .ok_or_else(|| denied(id))
    }

    /// A project, to change it.
    pub(crate) fn project_mut(&mut self, id: &str) -> Result<&mut Project, Status> {
        self.projects
            .get_mut(id)
            .filter(|project| !project.denied)
            .ok_or_else(|| denied(id))
    }

    /// A job.
    pub(crate) fn job(&self, id: &str) -> Result<&Job, Status> {
        let job = self.jobs.get(id).ok_or_else(|| unknown_job(id))?;
        self.project(&job.project_id)?;
        Ok(job)
    }

    /// A job, to change it.
    pub(crate) fn job_mut(&mut self, id: &str) -> Result<&mut Job, Status> {
        self.job(id)?;
        self.jobs.get_mut(id).ok_or_else(|| unknown_job(id))
    }

    /// An operation as it is now.
    pub(crate) fn operation(&mut self, id: &str, present: Present, urls: &Urls) -> Result<Operation, Status> {
        if let Some(answers) = self.laid_ready.get_mut(id) {
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            };
            return answer.unwrap_or_else(|| Err(unknown_operation(id)));
        }
        let operation = match self.works.get(id) {
            None => None,
            Some(Work::Job(job_id)) => self.job(job_id)?.operation(id, present, urls),
            Some(Work::Notebook(run)) => {
                self.project(&run.project_id)?;
                Some(run.operation(id, present))
            }
            Some(Work::Plain(plain)) => Some(plain.operation(id, present)),
        };
        operation
            .filter(|(_, done_at)| !self.is_forgotten(*done_at, present.now))
            .map(|(operation, _)| operation)
            .ok_or_else(|| unknown_operation(id))
    }

    fn is_forgotten(&self, done_at: Option<Timestamp>, now: Timestamp) -> bool {
        done_at
            .zip(self.operation_ttl)
            .is_some_and(|(done_at, ttl)| done_at.plus(ttl) <= now)
    }

    /// The name of everything that a call about these ids is about.
    pub(crate) fn subjects(&self, ids: &[&str]) -> Vec<String> {
        let mut subjects: Vec<String> = Vec::new();
        for id in ids {
            subjects.push((*id).to_owned());
            let (job_id, project_id) = match self.works.get(*id) {
                Some(Work::Job(job_id)) => (job_id.as_str(), None),
                Some(Work::Notebook(run)) => {
                    subjects.push(run.path.clone());
                    (*id, Some(run.project_id.as_str()))
                }
                Some(Work::Plain(_)) | None => (*id, Some(*id)),
            };
            let job = self.jobs.get(job_id);
            subjects.extend(job.iter().flat_map(|job| [job.id.clone(), job.name.clone()]));
            let project_id = job.map(|job| job.project_id.as_str()).or(project_id);
            let project = project_id.and_then(|id| self.projects.get(id));
            subjects.extend(project.iter().flat_map(|project| {
                [
                    project.id.clone(),
                    project.name.clone(),
                    project.community_id.clone(),
                ]
            }));
        }
        subjects
    }

    /// A new id that no other thing has.
    pub(crate) fn new_id(&mut self, kind: &str) -> String {
        self.made += 1;
        derived_id(&[kind, "made", &self.made.to_string()])
    }

    /// Whether clients may make another job.
    pub(crate) fn has_room(&self) -> Result<(), Status> {
        if self.jobs.len() < JOBS_MAX {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "The simulator keeps at most {JOBS_MAX} jobs; delete some"
        )))
    }

    /// Takes in an operation that a client began; the oldest of too many is forgotten.
    pub(crate) fn begin(&mut self, id: &str, work: Work, now: Timestamp) {
        if !matches!(work, Work::Job(_)) {
            self.begun.push_back(id.to_owned());
            if self.begun.len() > BEGUN_MAX
                && let Some(oldest) = self.begun.pop_front()
            {
                self.remove_execution(&oldest, now);
            }
        }
        self.works.insert(id.to_owned(), work);
    }

    /// The operation that this idempotency key began before.
    pub(crate) fn operation_of_key(&self, key: &str) -> Option<String> {
        self.keys.0.get(key).cloned()
    }

    /// Remembers which operation an idempotency key began.
    pub(crate) fn remember_key(&mut self, key: String, operation_id: &str) {
        let (operations, ages) = &mut self.keys;
        if ages.len() >= BEGUN_MAX
            && let Some(oldest) = ages.pop_front()
        {
            operations.remove(&oldest);
        }
        operations.insert(key.clone(), operation_id.to_owned());
        ages.push_back(key);
    }

    /// A length of time on the clock as seconds of script, in thousandths.
    pub(crate) fn script_millis(&self, length: Duration) -> u64 {
        u64::try_from(length.mul_f64(self.speed).as_millis()).unwrap_or(u64::MAX)
    }
}

fn denied(id: &str) -> Status {
    Status::permission_denied(format!("Permission denied to resource {id}"))
}

fn unknown_job(id: &str) -> Status {
    Status::not_found(format!("Job {id} not found"))
}

fn unknown_operation(id: &str) -> Status {
    Status::not_found(format!("Operation {id} not found"))
}
