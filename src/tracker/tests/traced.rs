//! When a trace is fixed, and what it hangs on.

use crate::identity::{ROOT_KEY, link_to_job, span_id, trace_id};
use crate::model::{
    Boundary, Change, JobId, JobStatus, ListingScope, OperationId, Relation, Seed, Target, Trace,
    TraceContext, TraceState, Visit,
};
use crate::tracker::CallerContext;
use crate::tracker::tests::story::{Story, at, caller, job, notebook, operation};
use std::sync::Arc;
use std::time::Duration;

fn job_id(id: &str) -> JobId {
    id.parse().expect("an id")
}

fn of_operation(id: &str) -> Target {
    Target::Operation(id.parse().expect("an id"))
}

fn trace(story: &Story, id: &str) -> Arc<Trace> {
    story.row(id).trace.clone().expect("a trace")
}

fn visits(story: &Story) -> Vec<Visit> {
    let left = |change| match change {
        Change::Status { left } => left,
        _ => None,
    };
    story
        .events
        .iter()
        .filter_map(|event| left(event.change))
        .collect()
}

#[test]
fn a_listing_and_an_operation_lead_to_the_same_trace() {
    let mut listed = Story::traced();
    listed.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let mut looked_at = Story::traced();
    looked_at.sight("op1");
    looked_at.look("op1", operation("op1", job("j1", JobStatus::Preparing)));
    assert_eq!(trace(&listed, "j1"), trace(&looked_at, "op1"));
    assert_eq!(trace(&listed, "j1").trace_id, trace_id(&Seed::Job(job_id("j1"))));
}

#[test]
fn an_operation_that_is_no_job_has_a_trace_of_its_own_id() {
    let mut story = Story::traced();
    story.sight("op1");
    assert_eq!(story.row("op1").trace, None, "nothing was observed yet");
    story.look("op1", notebook("op1"));
    let seed = Seed::Operation("op1".parse::<OperationId>().expect("an id"));
    assert_eq!(trace(&story, "op1").root_id, span_id(&seed, ROOT_KEY));
    let changes: Vec<Change> = story.events.iter().map(|event| event.change).collect();
    assert_eq!(changes, [Change::Tracked, Change::Observed, Change::Traced]);
}

#[test]
fn a_job_that_waits_for_its_operation_has_no_trace_yet() {
    let mut story = Story::traced();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Creating)]);
    assert_eq!(story.row("j1").trace, None);
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Preparing)]);
    assert!(story.row("j1").trace.is_some(), "the job has left CREATING");
}

#[test]
fn a_caller_that_comes_before_the_trace_is_fixed_is_its_parent() {
    let mut story = Story::traced();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Creating)]);
    story.sight_called(of_operation("op1"), caller(7));
    story.look("op1", operation("op1", job("j1", JobStatus::Creating)));
    let trace = trace(&story, "op1");
    assert_eq!(trace.trace_id, caller(7).trace_id);
    assert_eq!(trace.parent_id, Some(caller(7).span_id));
    assert_eq!(trace.root_id, span_id(&Seed::Job(job_id("j1")), ROOT_KEY));
    assert_eq!(trace.links, []);
    assert_eq!(story.row("op1").about.caller, None, "it is told once");
}

#[test]
fn what_a_caller_passes_on_is_the_traces_where_it_is_the_parent_and_the_links_where_it_is_linked() {
    let stated = |span| TraceContext {
        state: TraceState::from_headers(["ot=th:8"]),
        ..caller(span)
    };
    let mut story = Story::traced();
    story.sight_called(of_operation("op1"), stated(7));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(trace(&story, "op1").state, stated(7).state);
    story.sight_called(of_operation("op1"), stated(8));
    // The same span is linked once, whatever it passes on.
    story.sight_called(of_operation("op1"), caller(8));
    assert_eq!(trace(&story, "op1").links, [stated(8).link()]);
}

#[test]
fn a_caller_known_by_the_job_is_the_parent_too() {
    let mut story = Story::traced();
    story.sight_called(Target::Job(job_id("j1")), caller(7));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    assert_eq!(trace(&story, "j1").parent_id, Some(caller(7).span_id));
}

#[test]
fn a_caller_that_comes_later_is_linked_and_after_the_end_it_is_too_late() {
    let mut story = Story::traced();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.sight_called(of_operation("op1"), caller(7));
    story.sight_called(of_operation("op1"), caller(7));
    assert_eq!(trace(&story, "op1").trace_id, trace_id(&Seed::Job(job_id("j1"))));
    assert_eq!(trace(&story, "op1").links, [caller(7).link()]);
    let mut done = operation("op1", job("j1", JobStatus::Success));
    done.done = true;
    story.look("op1", done);
    story.sight_called(of_operation("op1"), caller(8));
    assert_eq!(trace(&story, "op1").links, [caller(7).link()]);
    assert_eq!(story.view().tracker.late_callers_total, 1);
}

#[test]
fn a_caller_whose_spans_are_not_recorded_is_only_linked() {
    let unsampled = TraceContext {
        is_sampled: false,
        ..caller(7)
    };
    let mut story = Story::traced();
    story.sight_called(of_operation("op1"), unsampled.clone());
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(trace(&story, "op1").parent_id, None);
    assert_eq!(trace(&story, "op1").links, [unsampled.link()]);
}

#[test]
fn a_caller_that_an_earlier_process_heard_is_what_the_settings_make_of_it_now() {
    let mut before = Story::traced();
    before.sight_called(of_operation("op1"), caller(7));
    let records = before.tracker.take_records();
    let mut story = Story::with(|settings| {
        settings.traces.get_or_insert_default().caller_context = CallerContext::Ignore;
    });
    story.tracker.restore(records, story.now);
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let trace = trace(&story, "op1");
    assert_eq!((trace.parent_id, trace.links.len()), (None, 0));
}

#[test]
fn the_settings_decide_what_a_caller_is() {
    for (setting, links) in [
        (CallerContext::Link, vec![caller(7).link()]),
        (CallerContext::Ignore, vec![]),
    ] {
        let mut story = Story::with(|settings| {
            settings.traces.get_or_insert_default().caller_context = setting;
        });
        story.sight_called(of_operation("op1"), caller(7));
        story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
        assert_eq!(trace(&story, "op1").parent_id, None);
        assert_eq!(trace(&story, "op1").links, links);
    }
}

#[test]
fn what_ended_long_before_it_is_seen_is_counted_but_not_traced() {
    for (waited, is_traced) in [(3_700, false), (3_500, true)] {
        let mut story = Story::traced();
        story.wait(Duration::from_secs(waited));
        story.sight("op1");
        let mut ended = job("j1", JobStatus::Success);
        ended.finished_at = Some(at(0));
        let mut done = operation("op1", ended);
        done.done = true;
        story.look("op1", done);
        assert!(story.row("op1").outcome.is_some());
        assert_eq!(story.row("op1").trace.is_some(), is_traced);
    }
}

#[test]
fn a_second_attempt_links_to_the_first_even_when_that_has_left() {
    for waits in [Duration::ZERO, Duration::from_hours(2)] {
        let mut story = Story::traced();
        story.sight_called(of_operation("op1"), caller(7));
        let mut first = job("j1", JobStatus::Success);
        (first.started_at, first.finished_at) = (Some(at(1)), Some(at(2)));
        let mut done = operation("op1", first);
        done.done = true;
        story.look("op1", done);
        let first = trace(&story, "op1");
        story.wait(waits);
        story.expire();
        let mut second = job("j1", JobStatus::Executing);
        second.started_at = Some(at(100));
        story.list(ListingScope::Live, vec![second]);
        let second = trace(&story, "j1");
        assert_eq!(story.row("j1").attempt, 2);
        assert_ne!(second.root_id, first.root_id);
        assert_eq!(second.links, [first.link(Relation::FirstAttempt)]);
    }
}

#[test]
fn a_clone_links_to_the_job_it_was_made_from() {
    let mut story = Story::traced();
    let mut clone = job("j2", JobStatus::Executing);
    clone.parent_job_id = Some(job_id("j1"));
    story.list(ListingScope::Live, vec![clone]);
    assert_eq!(
        trace(&story, "j2").links,
        [link_to_job(&job_id("j1"), Relation::ParentJob)]
    );
}

#[test]
fn a_clone_of_a_job_under_watch_links_to_the_trace_that_its_caller_gave_that() {
    let mut story = Story::traced();
    story.sight_called(of_operation("op1"), caller(7));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let parent = trace(&story, "op1");
    assert_eq!(parent.trace_id, caller(7).trace_id);
    let mut clone = job("j2", JobStatus::Executing);
    clone.parent_job_id = Some(job_id("j1"));
    story.list(ListingScope::Live, vec![clone]);
    assert_eq!(trace(&story, "j2").links, [parent.link(Relation::ParentJob)]);
}

#[test]
fn an_event_tells_the_visit_that_ended() {
    let mut story = Story::traced();
    let mut creating = job("j1", JobStatus::Creating);
    creating.created_at = Some(at(-5));
    story.list(ListingScope::Live, vec![creating]);
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Preparing)]);
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Creating)]);
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Preparing)]);
    let visits = visits(&story);
    assert_eq!(
        visits[0],
        Visit {
            status: JobStatus::Creating,
            since: at(-5),
            until: at(10),
            start: Boundary::Reported,
            end: Boundary::Observed,
            start_uncertainty_ms: 0,
            end_uncertainty_ms: 10_000,
            number: 1,
        }
    );
    let numbers: Vec<u8> = visits.iter().map(|visit| visit.number).collect();
    assert_eq!(numbers, [1, 1, 2]);
}

#[test]
fn without_traces_nothing_is_fixed() {
    let mut story = Story::new();
    story.sight_called(of_operation("op1"), caller(7));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(story.row("op1").trace, None);
    assert_eq!(story.row("op1").about.caller, None);
}
