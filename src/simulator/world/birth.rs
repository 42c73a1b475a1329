//! How scripted executions come into being: when their time has come and somebody looks.

use crate::clock::Timestamp;
use crate::simulator::{
    ids::derived_id,
    scenario::{JobScript, NotebookScript},
    span::Span,
    world::{Body, Execution, Job, NotebookRun, Work, World, units_per_second},
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A script and how often it runs.
#[derive(Debug)]
pub(crate) struct Birth {
    project_id: String,
    what: Scripted,
    first_at: Timestamp,
    every: Option<Duration>,
    runs: Option<u64>,
    keep: usize,
    /// The number of the next run.
    next: u64,
    /// Job or operation ids of the runs that are remembered, oldest first.
    known: VecDeque<String>,
}

/// What runs.
#[derive(Clone, Debug)]
pub(crate) enum Scripted {
    Job(Arc<(JobScript, Arc<Body>)>),
    Notebook(Arc<NotebookScript>),
}

/// The ids of a run, known before it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunIds {
    pub(crate) job_id: Option<String>,
    pub(crate) operation_id: String,
}

impl Birth {
    pub(crate) fn of_job(world: &World, project_id: &str, script: &JobScript) -> Self {
        let body = Arc::new(Body::scripted(script, world.speed));
        Self {
            project_id: project_id.to_owned(),
            what: Scripted::Job(Arc::new((script.clone(), body))),
            first_at: shifted(world.start_at, script.start.nanos_at_speed(world.speed)),
            every: script.every.map(|every| every.at_speed(world.speed)),
            runs: script.runs,
            keep: script.keep.max(1),
            next: 0,
            known: VecDeque::new(),
        }
    }

    pub(crate) fn of_notebook(world: &World, project_id: &str, script: &NotebookScript) -> Self {
        Self {
            project_id: project_id.to_owned(),
            what: Scripted::Notebook(Arc::new(script.clone())),
            first_at: shifted(world.start_at, script.start.nanos_at_speed(world.speed)),
            every: script.every.map(|every| every.at_speed(world.speed)),
            runs: script.runs,
            keep: script.keep.max(1),
            next: 0,
            known: VecDeque::new(),
        }
    }

    /// When a run begins; `None` when there is no such run.
    pub(crate) fn begins_at(&self, run: u64) -> Option<Timestamp> {
        if self.runs.is_some_and(|runs| run >= runs) {
            return None;
        }
        match self.every {
            None => (run == 0).then_some(self.first_at),
            Some(every) => {
                let nanos = u64::try_from(every.as_nanos()).ok()?.checked_mul(run)?;
                Some(self.first_at.plus(Duration::from_nanos(nanos)))
            }
        }
    }

    /// The newest run that has begun.
    fn newest(&self, now: Timestamp) -> u64 {
        let since = now.since(self.first_at).as_nanos();
        let every = self.every.map_or(u128::MAX, |every| every.as_nanos().max(1));
        u64::try_from(since / every)
            .unwrap_or(u64::MAX)
            .min(self.runs.map_or(u64::MAX, |runs| runs.saturating_sub(1)))
    }

    /// The ids of a run: those of the script, or derived from where it is, what it is called and its number.
    pub(crate) fn ids(&self, run: u64) -> RunIds {
        let number = run.to_string();
        match &self.what {
            Scripted::Job(script) => {
                let (script, _) = script.as_ref();
                let derived = |kind| derived_id(&[kind, &self.project_id, &script.name, &number]);
                RunIds {
                    job_id: Some(script.id.clone().unwrap_or_else(|| derived("job"))),
                    operation_id: script
                        .operation_id
                        .clone()
                        .unwrap_or_else(|| derived("operation")),
                }
            }
            Scripted::Notebook(script) => RunIds {
                job_id: None,
                operation_id: script
                    .operation_id
                    .clone()
                    .unwrap_or_else(|| derived_id(&["notebook", &self.project_id, &script.path, &number])),
            },
        }
    }

    /// The number of the oldest run that is remembered.
    pub(crate) fn first_known(&self) -> u64 {
        self.next
            .saturating_sub(u64::try_from(self.known.len()).unwrap_or(0))
    }

    pub(crate) fn project_id(&self) -> &str {
        &self.project_id
    }
}

impl World {
    /// Makes every scripted run whose time has come.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(&(due_at, index)) = self.agenda.first()
            && due_at <= now
        {
            self.agenda.pop_first();
            let Some(birth) = self.births.get_mut(index) else {
                continue;
            };
            let newest = birth.newest(now);
            let skipped = newest
                .saturating_sub(birth.next)
                .saturating_sub(u64::try_from(birth.keep).unwrap_or(0));
            birth.next += skipped;
            let run = birth.next;
            birth.next += 1;
            self.account_for_skipped(index, skipped);
            self.bear(index, run);
            self.forget_oldest(index, now);
            self.put_on_agenda(index);
        }
    }

    pub(crate) fn schedule(&mut self, birth: Birth) {
        self.births.push(birth);
        self.put_on_agenda(self.births.len() - 1);
    }

    fn put_on_agenda(&mut self, index: usize) {
        let next_at = self
            .births
            .get(index)
            .and_then(|birth| birth.begins_at(birth.next));
        self.agenda.extend(next_at.map(|at| (at, index)));
    }

    /// Brings one run into being.
    fn bear(&mut self, index: usize, run: u64) {
        let Some(birth) = self.births.get_mut(index) else {
            return;
        };
        let (Some(began_at), ids) = (birth.begins_at(run), birth.ids(run)) else {
            return;
        };
        let project_id = birth.project_id.clone();
        birth
            .known
            .push_back(ids.job_id.clone().unwrap_or_else(|| ids.operation_id.clone()));
        match birth.what.clone() {
            Scripted::Job(script) => {
                let (script, body) = script.as_ref();
                let id = ids.job_id.unwrap_or_default();
                let job = Job {
                    name: self.rendered(&script.name, run, &id, began_at),
                    id: id.clone(),
                    project_id: project_id.clone(),
                    created_by: script.created_by.clone(),
                    created_at: began_at,
                    parent_id: String::new(),
                    executions: vec![Execution {
                        operation_id: ids.operation_id.clone(),
                        began_at,
                        created_by: script.created_by.clone(),
                        timeline: Arc::clone(&body.timeline),
                    }],
                    data_ttl: script.data_ttl.map(Span::length),
                    data_cleared: false,
                    body: Arc::clone(body),
                };
                self.works.insert(ids.operation_id, Work::Job(id.clone()));
                self.jobs.insert(id.clone(), job);
                self.projects
                    .entry(project_id)
                    .and_modify(|project| project.jobs.push(id));
            }
            Scripted::Notebook(script) => {
                let run = NotebookRun::scripted(&script, &project_id, began_at, self.speed);
                self.works
                    .insert(ids.operation_id.clone(), Work::Notebook(Box::new(run)));
                self.projects
                    .entry(project_id)
                    .and_modify(|project| project.notebooks.push(ids.operation_id));
            }
        }
    }

    /// The name of a run, its placeholders replaced; the date is that of script time.
    fn rendered(&self, name: &str, run: u64, id: &str, began_at: Timestamp) -> String {
        let ahead = Duration::from_millis(self.script_millis(began_at.since(self.start_at)));
        let behind = Duration::from_millis(self.script_millis(self.start_at.since(began_at)));
        let behind = i64::try_from(behind.as_nanos()).unwrap_or(0);
        let date = shifted(self.start_at.plus(ahead), -behind).rfc3339();
        name.replace("{date}", date.get(..10).unwrap_or_default())
            .replace("{run}", &run.to_string())
            .replace("{hash}", id.get(3..10).unwrap_or_default())
    }

    /// Forgets the oldest run of a script when more than it keeps are known; live ones stay.
    fn forget_oldest(&mut self, index: usize, now: Timestamp) {
        let Some(birth) = self.births.get(index) else {
            return;
        };
        let Some(oldest) = birth
            .known
            .front()
            .filter(|_| birth.known.len() > birth.keep)
            .cloned()
        else {
            return;
        };
        let ended = match (self.jobs.get(&oldest), self.works.get(&oldest)) {
            (Some(job), _) => job.moment(now).is_none_or(|moment| moment.finished.is_some()),
            (None, Some(Work::Notebook(run))) => run.ended_at(now).is_some(),
            (None, _) => true,
        };
        if !ended {
            return;
        }
        if let Some(birth) = self.births.get_mut(index) {
            birth.known.pop_front();
        }
        self.remove_execution(&oldest, now);
    }

    /// Removes a job by its id, or a notebook execution by its operation's; what it spent stays spent.
    pub(crate) fn remove_execution(&mut self, id: &str, now: Timestamp) {
        let (project_id, units) = if let Some(job) = self.jobs.get(id) {
            (
                job.project_id.clone(),
                self.units(units_per_second(&job.body.instance_type), job.busy(now)),
            )
        } else if let Some(Work::Notebook(run)) = self.works.get(id) {
            (
                run.project_id.clone(),
                self.units(units_per_second(&run.instance_type), run.busy(now)),
            )
        } else {
            return;
        };
        if let Some(job) = self.jobs.remove(id) {
            job.executions
                .iter()
                .for_each(|execution| drop(self.works.remove(&execution.operation_id)));
        }
        self.works.remove(id);
        if let Some(project) = self.projects.get_mut(&project_id) {
            project.jobs.retain(|known| known != id);
            project.notebooks.retain(|known| known != id);
            project.spent_by_forgotten = project.spent_by_forgotten.saturating_add(units);
        }
    }

    /// Adds what runs spent that came and went while nobody looked.
    fn account_for_skipped(&mut self, index: usize, skipped: u64) {
        let Some(birth) = self.births.get(index).filter(|_| skipped > 0) else {
            return;
        };
        let (per_second, busy) = match &birth.what {
            Scripted::Job(script) => {
                let body = &script.1;
                let busy = body.timeline.length().map(|length| body.timeline.at(length).busy);
                (units_per_second(&body.instance_type), busy)
            }
            Scripted::Notebook(script) => (
                units_per_second(&script.instance_type),
                script.lasts.map(|lasts| lasts.at_speed(self.speed)),
            ),
        };
        let units = self
            .units(per_second, busy.unwrap_or_default())
            .saturating_mul(skipped);
        let project_id = birth.project_id.clone();
        if let Some(project) = self.projects.get_mut(&project_id) {
            project.spent_by_forgotten = project.spent_by_forgotten.saturating_add(units);
        }
    }
}

/// A time moved by signed nanoseconds; times before 1970 do not exist and leave it where it is.
fn shifted(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_add(nanos)).unwrap_or(at)
}
