//! What is more than there is room for.

use crate::limits::{ALIASES_MAX, ENDED_IDS_MAX, PROJECTS_MAX, RESULT_CODES_MAX, TRACE_LINKS_MAX};
use crate::model::{
    Dropped, Input, JobStatus, ListingScope, OperationSnapshot, Outcome, OutcomeKind, ProjectId,
    ProjectSnapshot, RecordKey, Target, TrackedOperation,
};
use crate::tracker::ended::EndedIds;
use crate::tracker::tests::story::{Story, at, caller, job, operation};

fn done(id: &str, job_id: &str) -> OperationSnapshot {
    let mut done = operation(id, job(job_id, JobStatus::Success));
    done.done = true;
    done
}

#[test]
fn projects_beyond_their_bound_have_no_counters_and_their_operations_are_followed_all_the_same() {
    let mut story = Story::new();
    for number in 1..=PROJECTS_MAX {
        story.follow(&format!("p{number}"));
    }
    let beyond: ProjectId = "beyond".parse().expect("an id");
    story.follow("beyond");
    story.balance("beyond", Some(5));
    story.apply(Input::Project(ProjectSnapshot {
        id: beyond.clone(),
        name: None,
        community_id: None,
        units_per_hour_max: None,
        units_per_execution_max: None,
    }));
    for id in ["op1", "op2"] {
        story.sight(id);
        let mut seen = done(id, &format!("job-{id}"));
        seen.project_id = Some(beyond.clone());
        let job = seen.job.as_mut().expect("a job");
        (job.project_id, job.data_expires_at) = (Some(beyond.clone()), Some(at(500)));
        story.look(id, seen);
        let row = story.row(id);
        assert_eq!(row.outcome, Some(Outcome::Success));
        assert_eq!(row.about.job_name.as_deref(), Some("(other)"));
    }
    let view = story.view();
    assert_eq!(view.projects.len(), PROJECTS_MAX);
    assert!(!view.projects.contains_key(&Some(beyond)));
    assert_eq!(view.tracker.project_overflows_total, 2);
}

#[test]
fn codes_beyond_their_bound_share_one_and_those_that_were_there_before_do_not() {
    let mut story = Story::new();
    let codes = i64::try_from(RESULT_CODES_MAX).expect("small");
    for (number, code) in (1..=codes).chain([codes + 1, codes + 2, 1]).enumerate() {
        let id = format!("op{number}");
        story.sight(&id);
        let mut failed = done(&id, &format!("j{number}"));
        failed.return_code = Some(code);
        story.look(&id, failed);
    }
    assert_eq!(story.result("p1", OutcomeKind::Failure, "1"), 2);
    assert_eq!(story.result("p1", OutcomeKind::Failure, "(other)"), 2);
    assert_eq!(story.view().tracker.code_overflows_total, 2);
}

#[test]
fn a_return_code_that_no_process_has_shares_one_label() {
    let mut story = Story::new();
    for (id, code) in [("op1", 256), ("op2", i64::MIN), ("op3", -255)] {
        story.sight(id);
        let mut failed = done(id, &format!("job-{id}"));
        failed.return_code = Some(code);
        story.look(id, failed);
    }
    assert_eq!(story.result("p1", OutcomeKind::Failure, "(other)"), 2);
    assert_eq!(story.result("p1", OutcomeKind::Failure, "-255"), 1);
}

#[test]
fn after_a_restart_with_a_lower_bound_what_ended_first_leaves_and_what_lives_stays() {
    let mut before = Story::new();
    for id in ["op1", "op2", "live"] {
        before.sight(id);
    }
    before.look("op1", done("op1", "j1"));
    before.look("op2", done("op2", "j2"));
    let mut after = Story::with(|settings| settings.tracked_max = 2);
    after.tracker.restore(before.tracker.take_records(), after.now);
    after.expire();
    let view = after.view();
    assert!(view.operations.find("op1").is_none());
    assert!(view.operations.find("op2").is_some() && view.operations.find("live").is_some());
    assert_eq!(view.tracker.dropped_total[&Dropped::EndedEarly], 1);
}

#[test]
fn operations_of_a_live_job_beyond_their_bound_leave_no_alias() {
    let mut story = Story::new();
    for number in 0..ALIASES_MAX + 2 {
        let id = format!("op{number}");
        story.sight(&id);
        story.look(&id, operation(&id, job("j1", JobStatus::Executing)));
    }
    let view = story.view();
    assert_eq!(view.operations.iter().count(), 1);
    assert_eq!(story.row("j1").about.aliases.len(), ALIASES_MAX);
    assert!(view.operations.find(&format!("op{ALIASES_MAX}")).is_some());
    assert!(view.operations.find(&format!("op{}", ALIASES_MAX + 1)).is_none());
}

#[test]
fn callers_beyond_the_links_of_a_trace_are_counted_as_late() {
    let mut story = Story::traced();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    for number in (1..=u8::MAX).take(TRACE_LINKS_MAX + 2) {
        story.sight_called(Target::Job("j1".parse().expect("an id")), caller(number));
    }
    let trace = story.row("j1").trace.clone().expect("a trace");
    assert_eq!(trace.links.len(), TRACE_LINKS_MAX);
    assert_eq!(trace.links[0], caller(1).link());
    assert_eq!(story.view().tracker.late_callers_total, 2);
}

#[test]
fn an_end_that_is_forgotten_for_want_of_room_does_not_become_news() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", done("op1", "j1"));
    let mut row = TrackedOperation::clone(&story.row("op1"));
    row.operation_id = None;
    let project_id: ProjectId = "p1".parse().expect("an id");
    let mut ended = EndedIds::default();
    ended.finish_seeding(&project_id);
    ended.forget_records();
    for number in (0..).take(ENDED_IDS_MAX + 2) {
        row.job_id = Some(format!("j{number}").parse().expect("an id"));
        // The second one that is forgotten ended before the first.
        row.reported.finished_at = Some(at(if number == 1 { -5 } else { number }));
        ended.remember(&row);
    }
    let of_job = |id: &str| Target::Job(id.parse().expect("an id"));
    let known = ["j0", "j1", "j2"].map(|id| ended.knows(&of_job(id)));
    assert_eq!(known, [false, false, true]);
    let is_news = |id: &str, seconds| {
        let mut listed = job(id, JobStatus::Success);
        listed.finished_at = Some(at(seconds));
        ended.is_news(&project_id, &listed)
    };
    assert!(!is_news("j0", 0) && !is_news("j1", -5), "they were counted");
    assert!(!is_news("earlier", -1));
    assert!(is_news("another", 0) && is_news("later", 1));
    let mut records = Vec::new();
    ended.record(&mut records);
    let forgotten = RecordKey::Ended(of_job("j0"));
    let told = records.iter().find(|record| record.key == forgotten);
    assert!(told.expect("a record").value.is_none());
}
