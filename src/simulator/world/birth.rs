//! When the runs of a script begin, and under which ids.

use crate::clock::Timestamp;
use crate::simulator::{
    ids::derived_id,
    scenario::{JobScript, NotebookScript},
    world::{Body, units_per_second},
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A script and how often it runs.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) project_id: String,
    pub(crate) what: Scripted,
    first_at: Timestamp,
    every: Option<Duration>,
    runs: Option<u64>,
    pub(crate) keep: usize,
    /// How many scripts of this project had the same name before.
    namesakes: u64,
    /// See [`Scenario::edition`](crate::simulator::Scenario::edition).
    edition: Option<i64>,
    /// How long one run lasts on the clock; `None` is for ever.
    lasts: Option<Duration>,
    /// The number of the next run.
    pub(crate) next: u64,
    /// The numbers and the job or operation ids of the runs that are remembered, oldest first.
    pub(crate) known: VecDeque<(u64, String)>,
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

/// Where and when a script is at home.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home<'a> {
    pub(crate) project_id: &'a str,
    /// What `start` of a script counts from.
    pub(crate) origin_at: Timestamp,
    pub(crate) speed: f64,
    pub(crate) namesakes: u64,
    pub(crate) edition: Option<i64>,
}

/// Runs of one script that are alive at a time, at most: a script that never ends may begin every second.
pub(crate) const ALIVE_MAX: usize = 1000;

impl Birth {
    pub(crate) fn of_job(home: Home<'_>, script: &JobScript) -> Self {
        let body = Arc::new(Body::scripted(script, home.speed));
        let lasts = body.timeline.length();
        let what = Scripted::Job(Arc::new((script.clone(), body)));
        Self {
            project_id: home.project_id.to_owned(),
            what,
            first_at: shifted(home.origin_at, script.start.nanos_at_speed(home.speed)),
            every: script.every.map(|every| every.at_speed(home.speed)),
            runs: script.runs,
            keep: script.keep.max(1),
            namesakes: home.namesakes,
            edition: home.edition,
            lasts,
            next: 0,
            known: VecDeque::new(),
        }
    }

    pub(crate) fn of_notebook(home: Home<'_>, script: &NotebookScript) -> Self {
        Self {
            project_id: home.project_id.to_owned(),
            what: Scripted::Notebook(Arc::new(script.clone())),
            first_at: shifted(home.origin_at, script.start.nanos_at_speed(home.speed)),
            every: script.every.map(|every| every.at_speed(home.speed)),
            runs: script.runs,
            keep: script.keep.max(1),
            namesakes: home.namesakes,
            edition: home.edition,
            lasts: script.lasts.map(|lasts| lasts.at_speed(home.speed)),
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

    /// Passes over the runs that came and went while nobody looked, and would be forgotten by now; their number.
    pub(crate) fn pass_over(&mut self, now: Timestamp) -> u64 {
        let Some(every) = self.every.map(|every| every.as_nanos().max(1)) else {
            return 0;
        };
        let newest = now.since(self.first_at).as_nanos() / every;
        let newest = u64::try_from(newest).unwrap_or(u64::MAX);
        let newest = newest.min(self.runs.map_or(u64::MAX, |runs| runs.saturating_sub(1)));
        let alive = self
            .lasts
            .map_or(u128::MAX, |lasts| lasts.as_nanos().div_ceil(every));
        let alive = usize::try_from(alive).unwrap_or(usize::MAX).min(ALIVE_MAX);
        let remembered = u64::try_from(self.keep.max(alive)).unwrap_or(u64::MAX);
        let passed = newest.saturating_sub(self.next).saturating_sub(remembered);
        self.next += passed;
        passed
    }

    /// The price of the machine in units a second, and for how long one run needs it.
    pub(crate) fn cost(&self) -> (u64, Duration) {
        let lasts = self.lasts.unwrap_or_default();
        match &self.what {
            Scripted::Job(script) => {
                let body = &script.1;
                (
                    units_per_second(&body.instance_type),
                    body.timeline.at(lasts).busy,
                )
            }
            Scripted::Notebook(script) => (units_per_second(&script.instance_type), lasts),
        }
    }

    /// The ids of a run: those of the script, or derived from where it is, what it is called and its number.
    pub(crate) fn ids(&self, run: u64) -> RunIds {
        let edition = self
            .edition
            .map_or_else(String::new, |edition| format!(".{edition}"));
        let number = format!("{run}.{}{edition}", self.namesakes);
        let derived = |kind, name: &str| derived_id(&[kind, &self.project_id, name, &number]);
        match &self.what {
            Scripted::Job(script) => {
                let script = &script.0;
                let (job_id, operation_id) = (script.id.clone(), script.operation_id.clone());
                RunIds {
                    job_id: Some(job_id.unwrap_or_else(|| derived("job", &script.name))),
                    operation_id: operation_id.unwrap_or_else(|| derived("operation", &script.name)),
                }
            }
            Scripted::Notebook(script) => {
                let operation_id = script.operation_id.clone();
                let operation_id = operation_id.unwrap_or_else(|| derived("notebook", &script.path));
                RunIds {
                    job_id: None,
                    operation_id,
                }
            }
        }
    }
}

/// A time moved by signed nanoseconds; times before 1970 do not exist and leave it where it is.
pub(crate) fn shifted(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_add(nanos)).unwrap_or(at)
}
