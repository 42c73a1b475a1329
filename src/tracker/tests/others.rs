//! What others do: calls of theirs that are overheard, and operations that they dismiss.

use crate::limits::PROJECT_IDLE_MAX;
use crate::model::{
    Admission, Change, Departure, Input, JobStatus, Kind, ListingScope, OperationSnapshot, OutcomeKind,
    Record, RecordKey, RpcCode, Source, State, Target,
};
use crate::tracker::tests::story::{Story, at, job, operation, rpc_error};
use std::time::Duration;

#[test]
fn an_overheard_operation_is_watched_counted_once_and_spared_a_look() {
    let mut story = Story::new();
    for _ in 0..2 {
        story.overhear(operation("op1", job("j1", JobStatus::Executing)));
    }
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Gateway), 1);
    assert!(story.due().is_empty(), "what was just heard is not asked for");
    assert!(story.next_due_in() >= Duration::from_secs(1));
}

#[test]
fn an_overheard_answer_does_not_bring_a_second_look_into_flight() {
    let mut story = Story::new();
    story.sight("op1");
    assert_eq!(story.due(), ["operation op1"]);
    story.overhear(operation("op1", job("j1", JobStatus::Executing)));
    story.wait(Duration::from_hours(1));
    assert!(story.due().is_empty(), "the look is still under way");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.wait(Duration::from_hours(1));
    assert_eq!(story.due(), ["operation op1"]);
}

#[test]
fn a_look_that_was_asked_for_before_an_overheard_call_tells_nothing_new() {
    let mut story = Story::new();
    story.sight("op1");
    let asked_at = story.now;
    story.wait(Duration::from_secs(1));
    story.overhear(operation("op1", job("j1", JobStatus::UploadingOutput)));
    story.look_asked("op1", operation("op1", job("j1", JobStatus::Executing)), asked_at);
    assert_eq!(story.row("op1").status, Some(JobStatus::UploadingOutput));
}

#[test]
fn an_end_that_is_overheard_is_an_end() {
    let mut story = Story::new();
    let mut done = operation("op1", job("j1", JobStatus::Success));
    (done.done, done.return_code) = (true, Some(0));
    story.overhear(done);
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Success), 1);
}

#[test]
fn what_was_dismissed_leaves_and_nobody_brings_it_back_or_counts_it_again() {
    let mut story = Story::new();
    let mut running = job("j1", JobStatus::Executing);
    running.started_at = Some(at(0));
    story.list(ListingScope::Ended, Vec::new());
    story.sight("op1");
    story.look("op1", operation("op1", running.clone()));
    story.dismiss("op1");
    assert_eq!(
        story.events.last().map(|event| event.change),
        Some(Change::Left(Departure::Dismissed))
    );
    story.sight("op1");
    story.overhear(operation("op1", running.clone()));
    story.list(ListingScope::Live, vec![running.clone()]);
    let mut ended = running;
    (ended.status, ended.finished_at) = (JobStatus::Success, Some(at(60)));
    story.list(ListingScope::Ended, vec![ended]);
    assert_eq!(story.view().operations.iter().count(), 0);
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Config), 1);
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Success), 0);
    assert_eq!(story.dismiss("op1"), Admission::Gone);
    assert_eq!(story.dismiss("op2"), Admission::Absent);
}

#[test]
fn a_further_operation_of_a_job_that_has_left_is_gone_and_stays_gone() {
    let mut done = job("j1", JobStatus::Success);
    (done.started_at, done.finished_at) = (Some(at(0)), Some(at(60)));
    let ended = OperationSnapshot {
        done: true,
        ..operation("op1", done.clone())
    };
    let mut retained = Story::new();
    retained.sight("op1");
    retained.look("op1", ended);
    retained.wait(Duration::from_hours(2));
    assert_eq!(retained.expire(), 1);
    let mut dismissed = Story::new();
    dismissed.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let by_job = Input::Dismissed(Target::Job("j1".parse().expect("an id")));
    assert_eq!(dismissed.apply(by_job), Admission::Known);
    for mut story in [retained, dismissed] {
        let further = operation("op2", job("j1", JobStatus::Executing));
        assert_eq!(story.overhear(further.clone()), Admission::Gone);
        let last = story.events.last().map(|event| event.change);
        assert_eq!(last, Some(Change::Left(Departure::Merged)));
        story.events.clear();
        // From now on its id alone is enough.
        assert_eq!(story.overhear(further), Admission::Gone);
        assert_eq!(story.sight_from(Source::Api, "op2"), Admission::Gone);
        assert_eq!(story.dismiss("op2"), Admission::Gone);
        assert!(story.events.is_empty(), "{:?}", story.events);
        assert_eq!(story.view().operations.iter().count(), 0);
    }
}

#[test]
fn what_became_of_an_operation_is_told() {
    let mut story = Story::with(|settings| settings.tracked_max = 1);
    let running = || job("j1", JobStatus::Executing);
    assert_eq!(story.overhear(operation("op1", running())), Admission::New);
    assert_eq!(story.overhear(operation("op1", running())), Admission::Known);
    assert_eq!(
        story.overhear(operation("op2", job("j2", JobStatus::Executing))),
        Admission::Full
    );
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![running()]);
    assert_eq!(
        story.overhear(operation("op1", running())),
        Admission::Known,
        "by the id of its job"
    );
}

#[test]
fn a_later_execution_of_a_dismissed_job_is_another_operation() {
    let mut story = Story::new();
    let mut running = job("j1", JobStatus::Executing);
    running.started_at = Some(at(0));
    story.sight("op1");
    story.look("op1", operation("op1", running.clone()));
    story.dismiss("op1");
    running.started_at = Some(at(3600));
    story.list(ListingScope::Live, vec![running]);
    assert_eq!(story.row("j1").attempt, 2);
}

#[test]
fn a_project_that_nobody_follows_any_more_is_forgotten_after_a_month_and_not_before() {
    let mut before = Story::new();
    before.sight("op1");
    let mut done = operation("op1", job("j1", JobStatus::Success));
    done.done = true;
    before.look("op1", done);
    let finished = before.finished_total("p1", Kind::Job, OutcomeKind::Success);
    assert_eq!(finished, 1);
    before.wait(Duration::from_hours(2));
    before.expire();
    let records = before.tracker.take_records();
    let is_kept = |records: &[Record]| {
        let project = RecordKey::Project(Some("p1".parse().expect("an id")));
        let told = records.iter().filter(|record| record.key == project);
        told.map(|record| record.value.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(is_kept(&records), [true]);
    let mut after = Story::new();
    after.now = before.now;
    after.tracker.restore(records, after.now);
    after.wait(PROJECT_IDLE_MAX.saturating_sub(Duration::from_hours(4)));
    after.expire();
    assert!(is_kept(&after.tracker.take_records()).is_empty());
    after.wait(Duration::from_hours(4));
    after.expire();
    let records = after.tracker.take_records();
    assert_eq!(is_kept(&records), [false]);
    assert!(
        records
            .iter()
            .any(|record| matches!(record.key, RecordKey::JobName(..)) && record.value.is_none()),
        "its job names go with it: {records:?}"
    );
    assert!(after.view().projects.is_empty());
}

#[test]
fn an_answer_of_which_nothing_could_be_read_changes_no_belief() {
    let mut story = Story::new();
    story.sight("op1");
    let mut failing = operation("op1", job("j1", JobStatus::Executing));
    failing.error = rpc_error(RpcCode::UNKNOWN);
    story.look("op1", failing.clone());
    let before = story.row("op1");
    story.wait(Duration::from_secs(1));
    let mut unread = operation("op1", job("j1", JobStatus::Executing));
    (unread.kind, unread.described, unread.created_at) = (Kind::Other, false, None);
    (unread.job, unread.project_id) = (None, None);
    story.look("op1", unread.clone());
    assert_eq!(story.row("op1"), before);
    unread.modified_at = Some(at(1));
    story.look("op1", unread);
    assert_eq!(
        story.row("op1").state,
        State::Running,
        "this one says that nothing is wrong"
    );
}
