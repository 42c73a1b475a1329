//! How scripted executions come into being when their time has come and somebody looks, and how they are forgotten.

use crate::clock::Timestamp;
use crate::simulator::{
    scenario::{JobScript, NotebookScript},
    span::Span,
    world::{
        ALIVE_MAX, Birth, Body, Execution, Home, Job, NotebookRun, RunIds, Scripted, Work, World, shifted,
        units_per_second,
    },
};
use std::sync::Arc;
use std::time::Duration;

impl World {
    /// Makes every scripted run whose time has come.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(&(due_at, index)) = self.agenda.first()
            && due_at <= now
        {
            self.agenda.pop_first();
            self.pass_over(index, now);
            self.bear(index);
            self.forget_oldest(index, now);
            self.put_on_agenda(index);
        }
    }

    /// Takes in a job whose `start` counts from `origin_at`; the ids and the beginning of its first run.
    pub(crate) fn schedule_job(
        &mut self,
        project_id: &str,
        script: &JobScript,
        origin_at: Timestamp,
    ) -> Option<(RunIds, Timestamp)> {
        let namesakes = self.namesakes(project_id, &script.name)?;
        let home = Home {
            project_id,
            origin_at,
            speed: self.speed,
            namesakes,
            edition: self.edition,
        };
        self.schedule(Birth::of_job(home, script))
    }

    /// Takes in a notebook execution, as for a job.
    pub(crate) fn schedule_notebook(
        &mut self,
        project_id: &str,
        script: &NotebookScript,
        origin_at: Timestamp,
    ) -> Option<(RunIds, Timestamp)> {
        let namesakes = self.namesakes(project_id, &script.path)?;
        let home = Home {
            project_id,
            origin_at,
            speed: self.speed,
            namesakes,
            edition: self.edition,
        };
        self.schedule(Birth::of_notebook(home, script))
    }

    /// How many scripts of a project have had this name; `None` when there is no such project.
    fn namesakes(&mut self, project_id: &str, name: &str) -> Option<u64> {
        let names = &mut self.projects.get_mut(project_id)?.script_names;
        let count = names.entry(name.to_owned()).or_default();
        *count += 1;
        Some(*count - 1)
    }

    fn schedule(&mut self, birth: Birth) -> Option<(RunIds, Timestamp)> {
        let first = birth.begins_at(0).map(|at| (birth.ids(0), at));
        self.births.push(birth);
        self.put_on_agenda(self.births.len() - 1);
        first
    }

    fn put_on_agenda(&mut self, index: usize) {
        let next_at = self
            .births
            .get(index)
            .and_then(|birth| birth.begins_at(birth.next));
        self.agenda.extend(next_at.map(|at| (at, index)));
    }

    /// Leaves out what came and went while nobody looked; what it spent is spent.
    fn pass_over(&mut self, index: usize, now: Timestamp) {
        let Some(birth) = self.births.get_mut(index) else {
            return;
        };
        let (passed, (per_second, busy)) = (birth.pass_over(now), birth.cost());
        let project_id = birth.project_id.clone();
        let units = self.units(per_second, busy).saturating_mul(passed);
        if let Some(project) = self.projects.get_mut(&project_id) {
            project.spent_by_forgotten = project.spent_by_forgotten.saturating_add(units);
        }
    }

    /// Brings the next run of a script into being.
    fn bear(&mut self, index: usize) {
        let Some(birth) = self.births.get_mut(index) else {
            return;
        };
        let run = birth.next;
        birth.next += 1;
        let (Some(began_at), ids) = (birth.begins_at(run), birth.ids(run)) else {
            return;
        };
        let (project_id, what) = (birth.project_id.clone(), birth.what.clone());
        birth.known.push_back((
            run,
            ids.job_id.clone().unwrap_or_else(|| ids.operation_id.clone()),
        ));
        match what {
            Scripted::Job(script) => self.bear_job(&script.0, &script.1, (run, ids), &project_id, began_at),
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

    fn bear_job(
        &mut self,
        script: &JobScript,
        body: &Arc<Body>,
        (run, ids): (u64, RunIds),
        project_id: &str,
        began_at: Timestamp,
    ) {
        let id = ids.job_id.unwrap_or_default();
        let execution = Execution {
            operation_id: ids.operation_id.clone(),
            began_at,
            created_by: script.created_by.clone(),
            timeline: Arc::clone(&body.timeline),
        };
        let job = Job {
            name: self.rendered(&script.name, run, &id, began_at),
            id: id.clone(),
            project_id: project_id.to_owned(),
            created_by: script.created_by.clone(),
            created_at: began_at,
            parent_id: String::new(),
            executions: vec![execution],
            data_ttl: script.data_ttl.map(Span::length),
            data_cleared: false,
            body: Arc::clone(body),
        };
        self.works.insert(ids.operation_id, Work::Job(id.clone()));
        self.jobs.insert(id.clone(), job);
        if let Some(project) = self.projects.get_mut(project_id) {
            project.jobs.push(id);
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

    /// Forgets the oldest ended run of a script that remembers more than it keeps; live ones stay while they can.
    fn forget_oldest(&mut self, index: usize, now: Timestamp) {
        let Some(birth) = self
            .births
            .get(index)
            .filter(|birth| birth.known.len() > birth.keep)
        else {
            return;
        };
        let ended = birth.known.iter().position(|(_, id)| self.has_ended(id, now));
        let too_many = birth.known.len() > birth.keep + ALIVE_MAX;
        let Some(place) = ended.or(too_many.then_some(0)) else {
            return;
        };
        let forgotten = self
            .births
            .get_mut(index)
            .and_then(|birth| birth.known.remove(place));
        if let Some((_, id)) = forgotten {
            self.remove_execution(&id, now);
        }
    }

    fn has_ended(&self, id: &str, now: Timestamp) -> bool {
        match (self.jobs.get(id), self.works.get(id)) {
            (Some(job), _) => !job.is_running(now),
            (None, Some(Work::Notebook(run))) => run.ended_at(now).is_some(),
            (None, _) => true,
        }
    }

    /// Removes a job by its id, or a notebook execution by its operation's; what it spent stays spent.
    pub(crate) fn remove_execution(&mut self, id: &str, now: Timestamp) {
        let (project_id, instance_type, busy) = if let Some(job) = self.jobs.get(id) {
            (job.project_id.clone(), &job.body.instance_type, job.busy(now))
        } else if let Some(Work::Notebook(run)) = self.works.get(id) {
            (run.project_id.clone(), &run.instance_type, run.busy(now))
        } else {
            self.works.remove(id);
            return;
        };
        let units = self.units(units_per_second(instance_type), busy);
        for execution in self.jobs.remove(id).iter().flat_map(|job| &job.executions) {
            self.works.remove(&execution.operation_id);
        }
        self.works.remove(id);
        if let Some(project) = self.projects.get_mut(&project_id) {
            project.jobs.retain(|known| known != id);
            project.notebooks.retain(|known| known != id);
            project.spent_by_forgotten = project.spent_by_forgotten.saturating_add(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::scenario::Scenario;

    fn world(jobs: &str) -> World {
        let text = format!(
            "communities: [{{ name: c, projects: [{{ name: p, unit_balance: 0, jobs: [{jobs}] }}] }}]"
        );
        World::new(&Scenario::parse(&text).unwrap(), start()).unwrap()
    }

    fn start() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000, 0).unwrap()
    }

    fn after(hours: u64) -> Timestamp {
        start().plus(Duration::from_hours(hours))
    }

    #[test]
    fn a_world_that_nobody_looked_at_is_the_one_that_was_watched() {
        let jobs = "{ name: j, every: 1h, keep: 3 }, { name: long, every: 1h, keep: 2, timeline: [{ status: EXECUTING, lasts: 5h }] }";
        let (mut watched, mut left_alone) = (world(jobs), world(jobs));
        for hour in 0..=200 {
            watched.advance(after(hour));
        }
        left_alone.advance(after(200));
        let seen = |world: &World| {
            let mut ids: Vec<String> = world.jobs.keys().cloned().collect();
            ids.sort();
            let project = world.projects.values().next().unwrap();
            (ids, world.balance(project, after(200)))
        };
        assert_eq!(seen(&watched), seen(&left_alone));
        assert!(
            watched
                .jobs
                .values()
                .filter(|job| job.is_running(after(200)))
                .count()
                >= 5
        );
    }

    #[test]
    fn jobs_that_never_end_do_not_fill_the_memory() {
        let mut world = world("{ name: j, every: 3s, keep: 2, timeline: [{ status: EXECUTING }] }");
        world.advance(after(1));
        assert!(world.jobs.len() <= ALIVE_MAX + 2, "{}", world.jobs.len());
    }

    #[test]
    fn scripts_of_one_name_make_different_jobs() {
        let world = world("{ name: j }, { name: j }");
        assert_eq!(world.jobs.len(), 2);
        assert_eq!(world.works.len(), 2);
    }
}
