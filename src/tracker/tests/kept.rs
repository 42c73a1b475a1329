//! What an earlier process kept.

use crate::limits::PROJECT_IDLE_MAX;
use crate::model::{JobSnapshot, JobStatus, ListingScope, Record, RecordKey};
use crate::tracker::tests::story::{Story, at, job, operation};
use std::time::Duration;

/// What a process kept that listed a job whose data expires.
fn expiring() -> Vec<Record> {
    let mut story = Story::new();
    let old = JobSnapshot {
        finished_at: Some(at(-100)),
        data_expires_at: Some(at(500)),
        ..job("old", JobStatus::Success)
    };
    story.list(ListingScope::Ended, vec![old]);
    story.tracker.take_records()
}

fn restored(records: Vec<Record>) -> Story {
    let mut story = Story::new();
    story.tracker.restore(records, story.now);
    story
}

/// Whether a key was recorded since the last call, and with a value.
fn recorded(records: &[Record], key: &RecordKey) -> Option<bool> {
    let found = records.iter().find(|record| record.key == *key);
    found.map(|record| record.value.is_some())
}

fn expiry() -> RecordKey {
    RecordKey::Expiry("p1".parse().expect("an id"), "old".parse().expect("an id"))
}

#[test]
fn when_data_expires_is_known_after_a_restart_and_forgotten_once_it_has() {
    let records = expiring();
    assert_eq!(recorded(&records, &expiry()), Some(true));
    let mut story = restored(records);
    story.follow("p1");
    let expiries: Vec<_> = story.project("p1").expiries.values().copied().collect();
    assert_eq!(expiries, [at(500)]);
    story.wait(Duration::from_secs(499));
    story.expire();
    assert_eq!(story.project("p1").expiries.len(), 1);
    story.wait(Duration::from_hours(1));
    story.expire();
    assert!(story.project("p1").expiries.is_empty());
    assert_eq!(recorded(&story.tracker.take_records(), &expiry()), Some(false));
}

#[test]
fn of_several_expiries_those_that_lie_ahead_stay() {
    let mut story = restored(expiring());
    let later = JobSnapshot {
        finished_at: Some(at(-50)),
        data_expires_at: Some(at(90_000)),
        ..job("later", JobStatus::Success)
    };
    story.list(ListingScope::Ended, vec![later]);
    story.wait(Duration::from_secs(500));
    story.expire();
    let left: Vec<String> = story
        .project("p1")
        .expiries
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(left, ["later"]);
}

#[test]
fn a_project_that_does_not_tell_when_it_was_last_concerned_is_kept_for_a_month_from_the_restart() {
    let project = RecordKey::Project(Some("p1".parse().expect("an id")));
    let mut story = restored(expiring());
    story.expire();
    let records = story.tracker.take_records();
    assert_eq!(recorded(&records, &project), Some(true), "from now on it tells");
    story.wait(PROJECT_IDLE_MAX.saturating_sub(Duration::from_secs(1)));
    story.expire();
    assert_eq!(recorded(&story.tracker.take_records(), &project), None);
    story.wait(Duration::from_hours(1));
    story.expire();
    let records = story.tracker.take_records();
    assert_eq!(recorded(&records, &project), Some(false));
    assert_eq!(
        recorded(&records, &expiry()),
        Some(false),
        "its expiries go with it"
    );
}

#[test]
fn a_trace_that_nobody_receives_any_more_is_not_put_back() {
    let mut before = Story::traced();
    before.sight("op1");
    before.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let trace = before.row("op1").trace.clone();
    assert!(trace.is_some());
    let records = before.tracker.take_records();
    assert_eq!(restored(records.clone()).row("op1").trace, None);
    let mut traced = Story::traced();
    traced.tracker.restore(records, traced.now);
    assert_eq!(traced.row("op1").trace, trace);
}
