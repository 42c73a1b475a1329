//! What holds whatever the API answers, in whatever order.

use crate::model::{
    Change, Histogram, JobStatus, ListingScope, LookError, OperationKey, Project, Record, RecordKey,
    RecordValue, RpcCode, Source, State, Target, TrackedOperation, View, Visit,
};
use crate::tracker::tests::story::{Story, caller, job, notebook, operation, rpc_error};
use crate::tracker::{Settings, TraceSettings};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Sight(u8),
    Name(u8),
    Call {
        operation: u8,
        span: u8,
    },
    Job {
        operation: u8,
        job: u8,
        status: usize,
        done: bool,
        error: bool,
        code: Option<i64>,
        started: Option<u16>,
    },
    Notebook {
        operation: u8,
        done: bool,
    },
    Refuse {
        operation: u8,
        code: i32,
    },
    Silence(u8),
    Overhear {
        operation: u8,
        job: u8,
        status: usize,
    },
    Dismiss(u8),
    List {
        jobs: BTreeMap<u8, (usize, Option<u16>)>,
        ended: bool,
        complete: bool,
    },
    Take(usize),
    Wait(u32),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let status = 0..JobStatus::ALL.len();
    let listed = prop::collection::btree_map(0..4u8, (status.clone(), prop::option::of(0..2000u16)), 0..4);
    prop_oneof![
        3 => (0..6u8).prop_map(Step::Sight),
        2 => (0..6u8).prop_map(Step::Name),
        1 => (0..6u8).prop_map(|operation| Step::Refuse { operation, code: 5 }),
        1 => (0..6u8, 1..3u8).prop_map(|(operation, span)| Step::Call { operation, span }),
        6 => (0..6u8, 0..4u8, status, any::<bool>(), prop::bool::weighted(0.1), prop::option::of(-2..3i64),
              prop::option::of(0..2000u16))
            .prop_map(|(operation, job, status, done, error, code, started)| Step::Job {
                operation, job, status, done: done && (error || code.is_some()), error, code, started }),
        2 => (0..6u8, any::<bool>()).prop_map(|(operation, done)| Step::Notebook { operation: operation + 10, done }),
        2 => (0..6u8, 0..17i32).prop_map(|(operation, code)| Step::Refuse { operation, code }),
        1 => (0..6u8).prop_map(Step::Silence),
        2 => (0..6u8, 0..4u8, 0..JobStatus::ALL.len())
            .prop_map(|(operation, job, status)| Step::Overhear { operation, job, status }),
        1 => (0..6u8).prop_map(Step::Dismiss),
        3 => (listed, any::<bool>(), any::<bool>()).prop_map(|(jobs, ended, complete)| Step::List { jobs, ended, complete }),
        3 => (0..5usize).prop_map(Step::Take),
        2 => (0..2000u32).prop_map(Step::Wait),
        1 => (20_000..90_000u32).prop_map(Step::Wait),
    ]
}

pub(crate) fn tell(story: &mut Story, step: Step) {
    let started_at = |story: &Story, seconds: Option<u16>| {
        seconds.map(|seconds| story.now.plus(Duration::from_secs(u64::from(seconds))))
    };
    match step {
        Step::Sight(operation) => story.sight(&format!("op{operation}")),
        Step::Name(operation) => drop(story.sight_from(Source::Api, &format!("op{operation}"))),
        Step::Call { operation, span } => {
            let target = Target::Operation(format!("op{operation}").parse().expect("an id"));
            story.sight_called(target, caller(span));
        }
        Step::Job {
            operation: id,
            job: of,
            status,
            done,
            error,
            code,
            started,
        } => {
            let mut job = job(&format!("j{of}"), JobStatus::ALL[status]);
            job.started_at = started_at(story, started);
            let mut seen = operation(&format!("op{id}"), job);
            (seen.done, seen.return_code) = (done, code);
            seen.error = error.then_some(RpcCode::UNKNOWN).and_then(rpc_error);
            story.look(&format!("op{id}"), seen);
        }
        Step::Notebook { operation: id, done } => {
            story.sight(&format!("op{id}"));
            let mut seen = notebook(&format!("op{id}"));
            seen.done = done;
            story.look(&format!("op{id}"), seen);
        }
        Step::Refuse { operation, code } => {
            let code = RpcCode::from_number(code).expect("in the table");
            story.refuse(&format!("op{operation}"), code);
        }
        Step::Overhear {
            operation: id,
            job: of,
            status,
        } => {
            let job = job(&format!("j{of}"), JobStatus::ALL[status]);
            story.overhear(operation(&format!("op{id}"), job));
        }
        Step::Dismiss(operation) => drop(story.dismiss(&format!("op{operation}"))),
        Step::Silence(operation) => story.fail(&format!("op{operation}"), LookError::Unanswered),
        Step::List {
            jobs,
            ended,
            complete,
        } => {
            let jobs = jobs.into_iter().map(|(id, (status, started))| {
                let mut job = job(&format!("j{id}"), JobStatus::ALL[status]);
                job.started_at = started_at(story, started);
                job
            });
            let jobs = jobs.collect();
            let scope = [ListingScope::Live, ListingScope::Ended][usize::from(ended)];
            story.list_part(scope, jobs, complete);
        }
        Step::Take(limit) => drop(story.tracker.take_due(story.now, limit)),
        Step::Wait(seconds) => {
            story.wait(Duration::from_secs(u64::from(seconds)));
            story.expire();
        }
    }
}

/// A row without what looks note of it and make no event of.
fn without_polls(row: &TrackedOperation) -> TrackedOperation {
    TrackedOperation {
        polled_at: None,
        unreadable: None,
        hidden: false,
        ..row.clone()
    }
}

/// Takes the story's new events out, into rows that only events ever touched.
fn replay(story: &mut Story, rows: &mut BTreeMap<OperationKey, TrackedOperation>) {
    for event in std::mem::take(&mut story.events) {
        match event.change {
            Change::Left(_) => rows.remove(&event.after.key),
            _ => rows.insert(event.after.key, without_polls(&event.after)),
        };
    }
}

fn rows(view: &View) -> BTreeMap<OperationKey, TrackedOperation> {
    view.operations
        .iter()
        .map(|row| (row.key, without_polls(row)))
        .collect()
}

fn counts_agree(view: &View) -> Result<(), TestCaseError> {
    for (key, project) in view.projects.as_ref() {
        let of_project: Vec<&Arc<TrackedOperation>> = view
            .operations
            .iter()
            .filter(|row| row.observed && row.project_id == *key)
            .collect();
        for ((kind, state), count) in &project.operations {
            let found = of_project
                .iter()
                .filter(|row| row.kind == *kind && row.state == *state)
                .count();
            prop_assert_eq!(
                u32::try_from(found).expect("few"),
                *count,
                "{:?} {:?}",
                kind,
                state
            );
        }
        for status in JobStatus::ALL {
            let found = of_project.iter().filter(|row| row.status == Some(status)).count();
            prop_assert_eq!(
                u32::try_from(found).expect("few"),
                project.jobs[status.index()],
                "{:?}",
                status
            );
        }
        let finished: u64 = project
            .finished_total
            .values()
            .map(|completions| completions.count)
            .sum();
        prop_assert_eq!(finished, project.results_total.values().sum::<u64>());
    }
    let tracked: u64 = view.tracker.tracked.values().sum();
    prop_assert_eq!(
        tracked,
        u64::try_from(view.operations.iter().count()).expect("few")
    );
    Ok(())
}

/// Collects what must survive, the newest of each key, as a store does.
fn keep(kept: &mut BTreeMap<RecordKey, RecordValue>, story: &mut Story) {
    for Record { key, value } in story.tracker.take_records() {
        match value {
            Some(value) => kept.insert(key, value),
            None => kept.remove(&key),
        };
    }
}

/// Through the form in which a store keeps them.
fn reread(kept: BTreeMap<RecordKey, RecordValue>) -> Vec<Record> {
    let record = |(key, value)| {
        let (key, value) = (
            serde_json::to_string(&key).expect("a key"),
            serde_json::to_string(&value).expect("a value"),
        );
        Record {
            key: serde_json::from_str(&key).expect("the same key"),
            value: serde_json::from_str(&value).expect("the same value"),
        }
    };
    kept.into_iter().map(record).collect()
}

/// A restart forgets when the last look was, so a status may have begun longer ago.
fn without_looks(row: TrackedOperation) -> TrackedOperation {
    TrackedOperation {
        status_uncertainty_ms: 0,
        ..row
    }
}

/// The same of a change.
fn lasting_change(change: Change) -> Change {
    let surely = |visit| Visit {
        start_uncertainty_ms: 0,
        end_uncertainty_ms: 0,
        ..visit
    };
    match change {
        Change::Status { left } => Change::Status {
            left: left.map(surely),
        },
        change => change,
    }
}

/// A project without the exemplars, which the next observation brings anew.
fn without_exemplars(project: &Project) -> Project {
    let mut project = project.clone();
    for finished in project.finished_total.values_mut() {
        finished.exemplar = None;
    }
    let durations = project.durations.values_mut();
    for durations in durations.chain(project.status_durations.values_mut()) {
        *durations = Arc::new(durations.without_exemplars());
    }
    for name in project.job_names.values_mut() {
        let name = Arc::make_mut(name);
        name.durations = name.durations.as_ref().map(Histogram::without_exemplars);
    }
    project
}

/// What of a view a restart does not change: all but when something was looked at last, and projects of which nothing
/// was counted.
fn lasting(view: &View) -> impl PartialEq + std::fmt::Debug + use<> {
    let is_concerned =
        |project: &&Arc<Project>| project.followed || project.tracked_total.values().any(|count| *count > 0);
    let projects = view
        .projects
        .values()
        .filter(is_concerned)
        .map(|project| Project {
            last_success_at: BTreeMap::new(),
            ..without_exemplars(project)
        });
    let tracker = &view.tracker;
    let is_some = |count: &u64| *count > 0;
    (
        rows(view).into_values().map(without_looks).collect::<Vec<_>>(),
        projects.collect::<Vec<_>>(),
        tracker
            .tracked
            .values()
            .copied()
            .filter(is_some)
            .collect::<Vec<_>>(),
        tracker
            .unreadable
            .values()
            .copied()
            .filter(is_some)
            .collect::<Vec<_>>(),
        tracker.run_series,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn replaying_all_events_gives_the_view_and_every_count_agrees_with_the_rows(steps in prop::collection::vec(step(), 1..80)) {
        let mut story = Story::with(|settings| {
            settings.tracked_max = 5;
            settings.traces = Some(TraceSettings::default());
        });
        let mut traces = HashMap::new();
        let mut outcomes = HashMap::new();
        let (mut counted, mut replayed) = (BTreeMap::new(), BTreeMap::new());
        for step in steps {
            tell(&mut story, step);
            let view = story.view();
            prop_assert!(view.operations.iter().count() <= 5);
            replay(&mut story, &mut replayed);
            prop_assert_eq!(&replayed, &rows(&view));
            counts_agree(&view)?;
            for row in view.operations.iter() {
                let fixed = row.trace.as_ref().map(|trace| trace.root_id);
                let before = traces.insert(row.key, fixed).flatten();
                prop_assert!(before.is_none() || before == fixed, "a trace changed");
                prop_assert!(row.observed || fixed.is_none(), "a trace before its first observation");
                prop_assert_eq!(row.outcome.is_some(), row.state == State::Done);
                prop_assert_eq!(row.outcome.is_some(), row.ended_at.is_some());
                if let Some(outcome) = row.outcome {
                    prop_assert_eq!(*outcomes.entry(row.key).or_insert(outcome), outcome);
                }
            }
            for (key, project) in view.projects.as_ref() {
                let total: u64 = project.tracked_total.values().sum::<u64>()
                    + project.finished_total.values().map(|completions| completions.count).sum::<u64>();
                let before = counted.insert(key.clone(), total).unwrap_or(0);
                prop_assert!(before <= total, "a counter went down");
            }
        }
    }

    #[test]
    fn a_story_cut_anywhere_and_restored_from_its_records_goes_on_as_if_nothing_had_happened(
        before in prop::collection::vec((step(), any::<bool>()), 1..60),
        after in prop::collection::vec(step(), 1..60),
    ) {
        let few = |settings: &mut Settings| {
            settings.tracked_max = 5;
            settings.traces = Some(TraceSettings::default());
        };
        let (mut whole, mut cut) = (Story::with(few), Story::with(few));
        let mut kept = BTreeMap::new();
        for (step, recorded) in before {
            tell(&mut whole, step.clone());
            tell(&mut cut, step);
            if recorded {
                keep(&mut kept, &mut cut);
            }
        }
        keep(&mut kept, &mut cut);
        let mut restored = Story::with(few);
        restored.now = cut.now;
        restored.tracker.restore(reread(kept), cut.now);
        prop_assert!(restored.tracker.take_records().is_empty());
        for story in [&mut whole, &mut restored] {
            story.follow("p1");
        }
        prop_assert!(restored.events.is_empty());
        whole.events.clear();
        prop_assert_eq!(lasting(&restored.view()), lasting(&whole.view()));
        for step in after {
            tell(&mut whole, step.clone());
            tell(&mut restored, step);
            prop_assert_eq!(lasting(&restored.view()), lasting(&whole.view()));
        }
        let told = |story: &Story| {
            let events = story.events.iter();
            events.map(|event| (lasting_change(event.change), event.after.key)).collect::<Vec<_>>()
        };
        prop_assert_eq!(told(&restored), told(&whole));
    }

    #[test]
    fn one_look_is_in_flight_for_each_operation(steps in prop::collection::vec(step(), 1..60)) {
        let mut story = Story::new();
        for step in steps {
            tell(&mut story, step);
            let mut twice = BTreeSet::new();
            let due = story.tracker.take_due(story.now, usize::MAX);
            for target in due {
                let is_new = twice.insert(format!("{target:?}"));
                prop_assert!(is_new);
            }
            prop_assert!(story.tracker.take_due(story.now, usize::MAX).is_empty());
        }
    }

    #[test]
    fn sighting_again_makes_no_event(ids in prop::collection::vec(0..5u8, 1..20)) {
        let mut story = Story::new();
        for id in &ids {
            story.sight(&format!("op{id}"));
        }
        let distinct = ids.iter().collect::<BTreeSet<_>>().len();
        prop_assert_eq!(story.events.len(), distinct);
        prop_assert!(story.view().operations.iter().all(|row| row.source == Source::Config));
    }
}
