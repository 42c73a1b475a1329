//! Tests of the tracker as a whole: what a story of answers makes of an operation.

mod bounds;
mod exemplars;
mod kept;
mod listing;
mod others;
pub(crate) mod properties;
mod reconfigured;
pub(crate) mod story;
mod traced;
mod unreadable;

use crate::limits::{LOST_AFTER_MIN, SILENT_END_MAX};
use crate::model::{
    Admission, Change, Departure, Dropped, ExecutionStatus, JobStatus, Kind, LookError, Outcome, OutcomeKind,
    RpcCode, Source, State, Unreadable,
};
use std::time::Duration;
use story::{Story, at, job, notebook, operation, rpc_error};

#[test]
fn an_operation_is_counted_at_its_first_observation_and_not_before() {
    let mut story = Story::new();
    story.sight("op1");
    assert_eq!(story.tracked_total(None, Kind::Job, Source::Config), 0);
    assert!(!story.row("op1").observed);
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Config), 1);
    assert_eq!(
        story.changes(),
        [Change::Tracked, Change::Observed, Change::Status { left: None }][..2].to_vec()
    );
}

#[test]
fn a_job_that_exits_nonzero_is_failed_though_its_operation_succeeded() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let mut done = operation("op1", job("j1", JobStatus::Success));
    done.done = true;
    done.return_code = Some(137);
    story.look("op1", done);
    assert_eq!(story.row("op1").outcome, Some(Outcome::Failure));
    assert_eq!(story.row("op1").reported.return_code, Some(137));
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
    assert_eq!(story.result("p1", OutcomeKind::Failure, "137"), 1);
}

#[test]
fn an_error_while_not_done_is_failing_and_not_an_end() {
    let mut story = Story::new();
    story.sight("op1");
    let mut failing = operation("op1", job("j1", JobStatus::Executing));
    failing.error = rpc_error(RpcCode::UNKNOWN);
    story.look("op1", failing.clone());
    assert_eq!(story.row("op1").state, State::Failing);
    assert_eq!(story.row("op1").outcome, None);
    failing.done = true;
    story.look("op1", failing);
    assert_eq!(story.row("op1").outcome, Some(Outcome::Error(RpcCode::UNKNOWN)));
}

#[test]
fn the_outcome_follows_one_precedence() {
    let aborted = Some(ExecutionStatus::Aborted);
    let failed = Some(ExecutionStatus::Error);
    let unknown = RpcCode::UNKNOWN;
    let cases = [
        (
            JobStatus::Cancelled,
            Some(unknown),
            Some(1),
            None,
            Outcome::Cancelled,
        ),
        (
            JobStatus::Error,
            Some(RpcCode::CANCELLED),
            None,
            None,
            Outcome::Cancelled,
        ),
        (JobStatus::Unknown, None, None, aborted, Outcome::Cancelled),
        (
            JobStatus::Error,
            Some(unknown),
            Some(1),
            None,
            Outcome::Error(unknown),
        ),
        (JobStatus::Error, None, None, None, Outcome::Failure),
        (JobStatus::Success, None, Some(-9), None, Outcome::Failure),
        (JobStatus::Unknown, None, None, failed, Outcome::Failure),
        (JobStatus::Success, None, Some(0), None, Outcome::Success),
        (JobStatus::Executing, None, None, None, Outcome::Success),
    ];
    for (status, code, return_code, execution_status, expected) in cases {
        let mut story = Story::new();
        story.sight("op1");
        let mut done = operation("op1", job("j1", status));
        done.done = true;
        done.error = code.and_then(rpc_error);
        (done.return_code, done.execution_status) = (return_code, execution_status);
        story.look("op1", done);
        assert_eq!(
            story.row("op1").outcome,
            Some(expected),
            "{status:?} {code:?} {return_code:?}"
        );
        assert_eq!(story.row("op1").reported.return_code, return_code);
    }
}

#[test]
fn an_ended_operation_never_changes_its_outcome() {
    let mut story = Story::new();
    story.sight("op1");
    let mut done = operation("op1", job("j1", JobStatus::Success));
    done.done = true;
    story.look("op1", done.clone());
    done.return_code = Some(1);
    done.error = rpc_error(RpcCode::UNKNOWN);
    story.look("op1", done);
    assert_eq!(story.row("op1").outcome, Some(Outcome::Success));
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Success), 1);
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Error), 0);
}

#[test]
fn a_seen_operation_that_is_not_found_three_times_over_a_minute_is_lost() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", notebook("op1"));
    for _ in 0..5 {
        story.wait(Duration::from_secs(1));
        story.refuse("op1", RpcCode::NOT_FOUND);
    }
    assert_eq!(story.row("op1").outcome, None, "five looks, but within seconds");
    story.wait(LOST_AFTER_MIN);
    story.refuse("op1", RpcCode::NOT_FOUND);
    assert_eq!(story.row("op1").outcome, Some(Outcome::Lost));
    assert_eq!(story.result_of(Kind::Notebook, "p1", OutcomeKind::Lost, ""), 1);
}

#[test]
fn an_answer_between_clears_the_suspicion_that_an_operation_is_lost() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", notebook("op1"));
    for _ in 0..4 {
        story.refuse("op1", RpcCode::NOT_FOUND);
        story.refuse("op1", RpcCode::NOT_FOUND);
        story.wait(LOST_AFTER_MIN);
        story.look("op1", notebook("op1"));
    }
    assert_eq!(story.row("op1").outcome, None);
}

#[test]
fn a_job_whose_operation_was_forgotten_is_followed_by_its_job_id() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    for _ in 0..3 {
        story.refuse("op1", RpcCode::NOT_FOUND);
        story.wait(LOST_AFTER_MIN);
    }
    assert_eq!(story.row("op1").outcome, None);
    assert_eq!(story.due(), ["job j1"]);
    story.look_job("j1", job("j1", JobStatus::Success));
    assert_eq!(story.row("j1").outcome, Some(Outcome::Success));
}

#[test]
fn an_id_that_was_never_seen_is_unreadable_and_never_lost() {
    let mut story = Story::new();
    story.sight("typo");
    for _ in 0..10 {
        story.wait(LOST_AFTER_MIN);
        story.refuse("typo", RpcCode::NOT_FOUND);
    }
    assert_eq!(story.row("typo").outcome, None);
    assert_eq!(
        story.view().tracker.unreadable.get(&Unreadable::NotFound),
        Some(&1)
    );
}

#[test]
fn a_refused_access_ends_nothing_and_heals() {
    let mut story = Story::new();
    story.sight("op1");
    story.refuse("op1", RpcCode::PERMISSION_DENIED);
    assert_eq!(
        story.view().tracker.unreadable.get(&Unreadable::PermissionDenied),
        Some(&1)
    );
    story.look("op1", notebook("op1"));
    assert_eq!(
        story.view().tracker.unreadable.get(&Unreadable::PermissionDenied),
        Some(&0)
    );
    assert!(story.row("op1").observed);
}

#[test]
fn a_silent_operation_ends_by_its_jobs_status_after_two_minutes() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Error)));
    assert_eq!(
        story.row("op1").outcome,
        None,
        "the operation itself may still say more"
    );
    story.wait(SILENT_END_MAX);
    story.fail("op1", LookError::Unanswered);
    assert_eq!(story.row("op1").outcome, Some(Outcome::Failure));
}

#[test]
fn statuses_that_skip_repeat_or_go_backwards_are_taken_as_they_come() {
    let mut story = Story::new();
    story.sight("op1");
    for status in [
        JobStatus::Creating,
        JobStatus::Executing,
        JobStatus::Executing,
        JobStatus::Preparing,
    ] {
        story.look("op1", operation("op1", job("j1", status)));
        story.wait(Duration::from_mins(1));
    }
    let row = story.row("op1");
    assert_eq!(row.status, Some(JobStatus::Preparing));
    assert!(
        row.status_times
            .get(JobStatus::Executing)
            .is_some_and(|time| time == Duration::from_mins(2))
    );
    assert_eq!(story.jobs("p1", JobStatus::Executing), 0);
    assert_eq!(story.jobs("p1", JobStatus::Preparing), 1);
}

#[test]
fn a_status_under_way_when_first_seen_is_never_measured() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Preparing)));
    story.wait(Duration::from_mins(1));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(story.row("op1").status_times.get(JobStatus::Preparing), None);
    assert_eq!(story.status_durations("p1", JobStatus::Preparing), 0);
}

#[test]
fn an_answer_older_than_the_newest_one_applied_changes_nothing() {
    let mut story = Story::new();
    story.sight("op1");
    let early = story.now;
    story.wait(Duration::from_secs(5));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.look_asked("op1", operation("op1", job("j1", JobStatus::Creating)), early);
    assert_eq!(story.row("op1").status, Some(JobStatus::Executing));
}

#[test]
fn clocks_that_run_apart_make_no_negative_and_no_absurd_duration() {
    let mut story = Story::new();
    story.sight("op1");
    let mut ahead = job("j1", JobStatus::Executing);
    ahead.started_at = Some(story.now.plus(Duration::from_hours(5)));
    story.look("op1", operation("op1", ahead.clone()));
    ahead.status = JobStatus::Success;
    ahead.finished_at = ahead.started_at.map(|at| at.plus(Duration::from_secs(30)));
    let mut done = operation("op1", ahead);
    done.done = true;
    story.look("op1", done);
    assert_eq!(story.row("op1").run_duration(), Some(Duration::from_secs(30)));
    assert_eq!(
        story.row("op1").status_times.get(JobStatus::Executing),
        Some(Duration::from_secs(30))
    );
}

#[test]
fn an_operation_without_metadata_is_given_a_few_looks_before_it_counts_as_another_kind() {
    let mut story = Story::new();
    story.sight("op1");
    let mut bare = notebook("op1");
    (bare.kind, bare.described, bare.notebook, bare.project_id) = (Kind::Other, false, None, None);
    story.look("op1", bare.clone());
    assert!(!story.row("op1").observed);
    story.look("op1", operation("op1", job("j1", JobStatus::Creating)));
    assert_eq!(story.row("op1").kind, Kind::Job);
    assert_eq!(story.tracked_total(None, Kind::Other, Source::Config), 0);
    story.sight("op2");
    for _ in 0..3 {
        bare.id = "op2".parse().expect("an id");
        story.look("op2", bare.clone());
    }
    assert_eq!(story.tracked_total(None, Kind::Other, Source::Config), 1);
}

#[test]
fn ended_operations_leave_after_their_retention_and_live_ones_never() {
    let mut story = Story::new();
    story.sight("op1");
    story.sight("op2");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let mut done = operation("op2", job("j2", JobStatus::Success));
    done.done = true;
    story.look("op2", done);
    story.wait(Duration::from_secs(3599));
    assert_eq!(story.expire(), 0);
    story.wait(Duration::from_secs(1));
    assert_eq!(story.expire(), 1);
    assert!(story.view().operations.find("op2").is_none());
    story.wait(Duration::from_hours(1000));
    assert_eq!(story.expire(), 0);
    assert!(story.view().operations.find("op1").is_some());
}

#[test]
fn a_full_tracker_lets_the_oldest_ended_go_and_refuses_what_is_too_much() {
    let mut story = Story::with(|settings| settings.tracked_max = 2);
    story.sight("op1");
    let mut done = operation("op1", job("j1", JobStatus::Success));
    done.done = true;
    story.look("op1", done);
    for id in ["op2", "op3", "op4"] {
        story.sight(id);
    }
    let view = story.view();
    assert!(view.operations.find("op1").is_none());
    assert!(view.operations.find("op3").is_some());
    assert!(view.operations.find("op4").is_none());
    assert_eq!(view.tracker.dropped_total.get(&Dropped::EndedEarly), Some(&1));
    assert_eq!(view.tracker.dropped_total.get(&Dropped::TrackedMax), Some(&1));
}

#[test]
fn an_id_that_the_cloud_never_knew_leaves_after_a_day_unless_the_configuration_names_it() {
    let mut story = Story::new();
    story.sight("configured");
    for id in ["mistaken", "adopted", "expired", "late"] {
        story.sight_from(Source::Api, id);
    }
    for id in ["configured", "mistaken", "adopted", "late"] {
        story.refuse(id, RpcCode::NOT_FOUND);
    }
    story.refuse("expired", RpcCode::UNAUTHENTICATED);
    story.sight("adopted");
    story.look("late", operation("late", job("j1", JobStatus::Executing)));
    story.wait(Duration::from_hours(24).saturating_sub(Duration::from_secs(1)));
    assert_eq!(story.expire(), 0);
    assert_eq!(story.tracker.next_expiry(), Some(at(24 * 3600)));
    story.wait(Duration::from_secs(1));
    story.events.clear();
    assert_eq!(story.expire(), 1);
    assert_eq!(story.events[0].change, Change::Left(Departure::Unknown));
    assert_eq!(story.tracker.next_expiry(), None);
    let view = story.view();
    assert!(view.operations.find("mistaken").is_none());
    for id in ["configured", "adopted", "expired", "late"] {
        assert!(view.operations.find(id).is_some(), "{id}");
    }
    story.sight_from(Source::Api, "mistaken");
    assert!(story.view().operations.find("mistaken").is_some());
}

#[test]
fn an_id_that_was_never_shown_leaves_after_a_day_unless_our_own_credential_is_refused() {
    let mut story = Story::new();
    for (id, code) in [
        ("denied", RpcCode::PERMISSION_DENIED),
        ("invalid", RpcCode::from_number(3).expect("INVALID_ARGUMENT")),
        ("expired", RpcCode::UNAUTHENTICATED),
        ("seen", RpcCode::PERMISSION_DENIED),
    ] {
        story.sight_from(Source::Api, id);
        story.refuse(id, code);
    }
    story.look("seen", notebook("seen"));
    story.refuse("seen", RpcCode::PERMISSION_DENIED);
    story.wait(Duration::from_hours(24));
    assert_eq!(story.expire(), 2);
    let view = story.view();
    for (id, is_left) in [
        ("denied", true),
        ("invalid", true),
        ("expired", false),
        ("seen", false),
    ] {
        assert_eq!(view.operations.find(id).is_none(), is_left, "{id}");
    }
}

#[test]
fn what_only_the_calls_of_others_tell_of_leaves_a_day_after_the_last_of_them() {
    let mut story = Story::new();
    for id in ["theirs", "told", "ours"] {
        story.overhear(operation(id, job(id, JobStatus::Executing)));
        story.refuse(id, RpcCode::PERMISSION_DENIED);
        assert!(story.row(id).observed);
    }
    story.look("ours", operation("ours", job("ours", JobStatus::Executing)));
    story.refuse("ours", RpcCode::PERMISSION_DENIED);
    story.wait(Duration::from_hours(12));
    story.overhear(operation("told", job("told", JobStatus::Executing)));
    story.refuse("told", RpcCode::PERMISSION_DENIED);
    story.wait(Duration::from_hours(12));
    story.events.clear();
    assert_eq!(story.expire(), 1);
    assert_eq!(story.events[0].change, Change::Left(Departure::Unknown));
    let view = story.view();
    assert!(view.operations.find("theirs").is_none());
    assert_eq!(view.tracker.dropped_total.get(&Dropped::Unknown), Some(&1));
    assert!(view.operations.find("told").is_some(), "they still ask for it");
    assert!(
        view.operations.find("ours").is_some(),
        "we may read it, as a rule"
    );
    story.wait(Duration::from_hours(12));
    assert_eq!(story.expire(), 1);
    assert!(story.view().operations.find("told").is_none());
    let again = story.overhear(operation("told", job("told", JobStatus::Executing)));
    assert_eq!(again, Admission::Gone, "it would be counted twice");
}

#[test]
fn in_a_full_tracker_the_oldest_id_that_the_cloud_never_knew_makes_room_first() {
    let mut story = Story::with(|settings| settings.tracked_max = 3);
    story.sight("ended");
    let mut done = operation("ended", job("j1", JobStatus::Success));
    done.done = true;
    story.look("ended", done);
    for id in ["mistake1", "mistake2"] {
        story.sight_from(Source::File, id);
        story.refuse(id, RpcCode::NOT_FOUND);
        story.wait(Duration::from_secs(1));
    }
    story.sight("op1");
    let view = story.view();
    assert!(view.operations.find("mistake1").is_none());
    story.sight("op2");
    story.sight("op3");
    let view = story.view();
    assert!(view.operations.find("mistake2").is_none());
    assert!(view.operations.find("ended").is_none());
    assert_eq!(view.tracker.dropped_total.get(&Dropped::Unknown), Some(&2));
    assert_eq!(view.tracker.dropped_total.get(&Dropped::EndedEarly), Some(&1));
    assert_eq!(view.tracker.unreadable.values().sum::<u64>(), 0);
}

#[test]
fn looks_come_quickly_for_the_young_and_slowly_for_the_old() {
    let mut story = Story::new();
    story.sight("op1");
    let mut running = operation("op1", job("j1", JobStatus::Executing));
    running.job.as_mut().expect("a job").started_at = Some(at(0));
    story.look("op1", running.clone());
    let young = story.next_due_in();
    assert!(young <= Duration::from_secs(11), "{young:?}");
    story.wait(Duration::from_hours(5));
    story.look("op1", running.clone());
    let old = story.next_due_in();
    assert!(
        old >= Duration::from_secs(100) && old <= Duration::from_secs(132),
        "{old:?}"
    );
    running.progress = Some(crate::model::Progress {
        percent: 99,
        message: None,
        created_at: None,
    });
    story.look("op1", running);
    let near_its_end = story.next_due_in();
    assert!(near_its_end < old, "{near_its_end:?}");
}

#[test]
fn at_most_one_look_at_an_operation_is_under_way() {
    let mut story = Story::new();
    story.sight("op1");
    assert_eq!(story.due(), ["operation op1"]);
    story.sight("op1");
    assert!(story.due().is_empty());
    story.look("op1", notebook("op1"));
    story.wait(Duration::from_mins(10));
    assert_eq!(story.due(), ["operation op1"]);
}

#[test]
fn the_balance_counts_what_was_spent_and_not_what_was_paid_in() {
    let mut story = Story::new();
    for units in [
        Some(100),
        Some(70),
        Some(500),
        Some(490),
        None,
        Some(480),
        Some(-5),
    ] {
        story.balance("p1", units);
    }
    let project = story.project("p1");
    assert_eq!(project.unit_balance, Some(-5));
    assert_eq!(project.units_spent_total, Some(30 + 10 + 485));
}

#[test]
fn job_names_beyond_their_bound_share_one_and_it_has_no_last_result() {
    let mut story = Story::with(|settings| settings.job_names.max = 1);
    for (id, name) in [("op1", "a"), ("op2", "b"), ("op3", "c")] {
        story.sight(id);
        let mut done = operation(id, job(&format!("job-{id}"), JobStatus::Success));
        done.job.as_mut().expect("a job").name = Some(crate::model::Text::bounded(name));
        done.done = true;
        story.look(id, done);
    }
    let project = story.project("p1");
    assert_eq!(project.job_names.keys().collect::<Vec<_>>(), ["(other)", "a"]);
    assert!(project.job_names["(other)"].last.is_none());
    assert!(project.job_names["a"].last.is_some());
    assert_eq!(story.view().tracker.job_name_overflows_total, 2);
}

#[test]
fn a_run_tier_that_is_full_lets_whole_operations_go_the_oldest_ended_first() {
    let mut story = Story::with(|settings| settings.series_max = 40);
    for id in ["op1", "op2"] {
        story.sight(id);
        let mut done = operation(id, job(&format!("job-{id}"), JobStatus::Success));
        done.done = true;
        story.look(id, done);
        story.wait(Duration::from_secs(1));
    }
    for id in ["op3", "op4", "op5", "op6"] {
        story.sight(id);
        story.look(id, operation(id, job(&format!("job-{id}"), JobStatus::Executing)));
    }
    let view = story.view();
    let hidden: Vec<&str> = view
        .operations
        .iter()
        .filter(|row| row.hidden)
        .map(|row| row.id())
        .collect();
    assert!(hidden.starts_with(&["op1"]), "{hidden:?}");
    let shown: u64 = view
        .operations
        .iter()
        .filter(|row| row.in_run_tier())
        .map(|row| u64::from(row.run_series()))
        .sum();
    assert_eq!(view.tracker.run_series, shown);
    assert!(shown <= 40);
    assert!(view.tracker.dropped_total[&Dropped::SeriesMax] >= 1);
}

#[test]
fn an_id_that_the_cloud_never_knew_is_asked_for_ever_less_often() {
    let mut story = Story::new();
    story.sight("op1");
    let mut looks = 0;
    while story.now < at(86_400) {
        looks += story.due().len();
        story.refuse("op1", RpcCode::NOT_FOUND);
        story.wait(story.next_due_in());
    }
    assert!((20..100).contains(&looks), "{looks} looks in a day");
    assert!(story.next_due_in() <= Duration::from_mins(66));
}
