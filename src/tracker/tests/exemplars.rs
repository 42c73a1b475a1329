//! Counters and histograms name the trace of what they counted.

use crate::identity::span_id;
use crate::model::{Exemplar, Histogram, JobStatus, Kind, OutcomeKind, Target, Text, Trace};
use crate::tracker::tests::story::{Story, at, caller, job, operation};
use std::sync::Arc;
use std::time::Duration;

/// A job that executed for half a minute and succeeded, seen on its way.
fn tell(story: &mut Story) {
    story.sight_called(Target::Operation("op1".parse().expect("an id")), caller(7));
    for status in [JobStatus::Preparing, JobStatus::Executing, JobStatus::Success] {
        let mut job = job("j1", status);
        job.name = Text::non_empty("train");
        job.started_at = (status != JobStatus::Preparing).then(|| at(15));
        job.finished_at = status.is_terminal().then(|| at(45));
        let mut seen = operation("op1", job);
        (seen.done, seen.modified_at) = (status.is_terminal(), Some(story.now));
        story.look("op1", seen);
        story.wait(Duration::from_secs(30));
    }
}

fn only(histogram: &Histogram) -> Vec<Exemplar> {
    histogram
        .cumulative()
        .filter_map(|(_, _, exemplar)| exemplar.copied())
        .collect()
}

fn exemplar(trace: &Trace, key: &str, value: f64, seconds: i64) -> Exemplar {
    Exemplar {
        trace_id: trace.trace_id.to_bytes(),
        span_id: span_id(&trace.seed, key).to_bytes(),
        value,
        at: at(seconds),
    }
}

#[test]
fn an_end_is_an_exemplar_with_the_trace_that_was_told_and_the_time_at_which_it_was_seen() {
    let mut story = Story::traced();
    tell(&mut story);
    let trace: Arc<Trace> = story.row("op1").trace.clone().expect("a trace");
    assert_eq!(
        trace.trace_id,
        caller(7).trace_id,
        "the caller's, not one of its own"
    );
    let project = story.project("p1");
    let key = (Kind::Job, OutcomeKind::Success);
    assert_eq!(
        project.finished_total[&key].exemplar,
        Some(exemplar(&trace, "run", 1.0, 60))
    );
    assert_eq!(
        only(&project.durations[&key]),
        [exemplar(&trace, "run", 45.0, 60)]
    );
    let of_name = project.job_names["train"].durations.as_ref().expect("a success");
    assert_eq!(only(of_name), [exemplar(&trace, "run", 30.0, 60)]);
    let executing = &project.status_durations[&JobStatus::Executing];
    assert_eq!(only(executing), [exemplar(&trace, "executing", 30.0, 60)]);
}

#[test]
fn a_value_lies_in_the_bucket_of_its_exemplar() {
    let mut story = Story::traced();
    tell(&mut story);
    let project = story.project("p1");
    let mut lower = f64::NEG_INFINITY;
    for (bound, _, exemplar) in project.durations[&(Kind::Job, OutcomeKind::Success)].cumulative() {
        assert!(exemplar.is_none_or(|exemplar| lower < exemplar.value && exemplar.value <= bound));
        lower = bound;
    }
}

#[test]
fn without_traces_there_are_no_exemplars() {
    let mut story = Story::new();
    tell(&mut story);
    let project = story.project("p1");
    let key = (Kind::Job, OutcomeKind::Success);
    assert_eq!(project.finished_total[&key].count, 1);
    assert_eq!(project.finished_total[&key].exemplar, None);
    assert_eq!(only(&project.durations[&key]), []);
}
