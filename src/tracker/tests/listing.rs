//! What listings tell, alone and together with looks.

use crate::model::{
    Change, Departure, JobId, JobSnapshot, JobStatus, Kind, ListingScope, OperationId, Outcome, OutcomeKind,
    Progress, RpcCode, Source, Text,
};
use crate::tracker::tests::story::{Story, at, job, operation, rpc_error};
use std::time::Duration;

fn ended(id: &str, status: JobStatus, started: i64, finished: i64) -> JobSnapshot {
    JobSnapshot {
        started_at: Some(at(started)),
        finished_at: Some(at(finished)),
        ..job(id, status)
    }
}

/// A project whose past was listed: one job ended long before.
fn watched() -> Story {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![]);
    story.list(
        ListingScope::Ended,
        vec![ended("old", JobStatus::Error, -200, -100)],
    );
    story.wait(Duration::from_secs(10));
    story
}

#[test]
fn ends_from_before_watching_began_only_seed_the_last_results() {
    let story = watched();
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 0);
    assert!(story.view().operations.find("old").is_none());
    let last = story.project("p1").job_names[""]
        .last
        .clone()
        .expect("a last result");
    assert_eq!(last.outcome, OutcomeKind::Failure);
}

#[test]
fn a_job_that_fails_between_two_listings_is_counted_once() {
    let mut story = watched();
    let quick = ended("quick", JobStatus::Error, 11, 14);
    for _ in 0..3 {
        story.list(
            ListingScope::Ended,
            vec![quick.clone(), ended("old", JobStatus::Error, -200, -100)],
        );
        story.wait(Duration::from_mins(1));
    }
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
    story.wait(Duration::from_hours(2));
    story.expire();
    assert!(story.view().operations.find("quick").is_none());
    story.list(ListingScope::Ended, vec![quick]);
    assert_eq!(
        story.finished_total("p1", Kind::Job, OutcomeKind::Failure),
        1,
        "its row is gone, its id is not"
    );
}

#[test]
fn a_job_that_leaves_the_live_listing_is_looked_at_once_and_at_once() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    assert!(story.due().is_empty(), "the listing follows it");
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![]);
    assert_eq!(story.due(), ["job j1"]);
    story.look_job("j1", ended("j1", JobStatus::Success, 10, 19));
    assert_eq!(story.row("j1").outcome, Some(Outcome::Success));
    assert_eq!(
        story.result("p1", OutcomeKind::Success, ""),
        1,
        "only its operation would know the code"
    );
    assert!(story.due().is_empty());
}

#[test]
fn absence_from_a_listing_that_broke_off_means_nothing() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.wait(Duration::from_secs(10));
    story.list_part(ListingScope::Live, vec![], false);
    assert!(story.due().is_empty());
}

#[test]
fn a_first_pass_that_breaks_off_makes_no_old_end_news() {
    let mut story = Story::new();
    story.list_part(
        ListingScope::Ended,
        vec![ended("a", JobStatus::Success, -20, -10)],
        false,
    );
    story.list_part(
        ListingScope::Ended,
        vec![ended("b", JobStatus::Success, -4, -2)],
        true,
    );
    story.list(
        ListingScope::Ended,
        vec![
            ended("a", JobStatus::Success, -20, -10),
            ended("b", JobStatus::Success, -4, -2),
        ],
    );
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Success), 0);
}

#[test]
fn a_job_and_its_operation_merge_into_one_that_is_counted_once() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let view = story.view();
    assert_eq!(view.operations.iter().count(), 1);
    let row = story.row("op1");
    assert_eq!(row.job_id.as_ref().map(JobId::as_str), Some("j1"));
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Discovery), 1);
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Config), 0);
    assert!(
        story
            .events
            .iter()
            .any(|event| event.change == Change::Left(Departure::Merged))
    );
}

#[test]
fn a_further_operation_of_a_live_job_is_an_alias() {
    let mut story = Story::new();
    for id in ["op1", "op2"] {
        story.sight(id);
        story.look(id, operation(id, job("j1", JobStatus::Executing)));
    }
    assert_eq!(story.view().operations.iter().count(), 1);
    assert_eq!(
        story.row("op2").operation_id.as_ref().map(OperationId::as_str),
        Some("op1")
    );
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Config), 1);
}

#[test]
fn a_later_start_after_the_end_is_another_attempt_counted_anew() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Error, 10, 20)]);
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
    story.wait(Duration::from_mins(1));
    let again = JobSnapshot {
        started_at: Some(at(60)),
        ..job("j1", JobStatus::Executing)
    };
    story.list(ListingScope::Live, vec![again]);
    let row = story.row("j1");
    assert_eq!((row.attempt, row.outcome), (2, None));
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Discovery), 2);
    assert_eq!(story.view().operations.iter().count(), 1);
}

#[test]
fn a_further_attempt_found_by_listing_keeps_its_labels_and_does_not_count_the_pause() {
    let mut story = watched();
    story.sight_labelled("op1", "team", "nlp");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let mut done = operation("op1", ended("j1", JobStatus::Error, 10, 20));
    done.done = true;
    story.look("op1", done);
    story.wait(Duration::from_hours(1));
    story.list(
        ListingScope::Live,
        vec![ended("j1", JobStatus::Executing, 3600, 3600)],
    );
    story.wait(Duration::from_mins(1));
    story.list(
        ListingScope::Ended,
        vec![ended("j1", JobStatus::Success, 3600, 3630)],
    );
    let row = story.row("j1");
    assert_eq!((row.attempt, row.outcome), (2, Some(Outcome::Success)));
    assert_eq!(
        row.about.labels.get("team").map(ToString::to_string),
        Some("nlp".to_owned())
    );
    assert_eq!(row.duration(), Some(Duration::from_secs(30)));
}

#[test]
fn a_stale_listing_does_not_bring_an_ended_job_back() {
    let mut story = watched();
    story.list(
        ListingScope::Live,
        vec![ended("j1", JobStatus::Executing, 10, 10)],
    );
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Success, 10, 20)]);
    story.list(
        ListingScope::Live,
        vec![ended("j1", JobStatus::Executing, 10, 10)],
    );
    assert_eq!(story.row("j1").outcome, Some(Outcome::Success));
    assert_eq!(story.jobs("p1", JobStatus::Success), 1);
    assert_eq!(story.jobs("p1", JobStatus::Executing), 0);
}

#[test]
fn an_end_seen_in_a_listing_hurries_the_look_that_knows_the_return_code() {
    let mut story = watched();
    story.sight("op1");
    assert_eq!(story.due(), ["operation op1"]);
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.wait(Duration::from_secs(1));
    assert!(story.due().is_empty());
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Success, 10, 11)]);
    assert_eq!(story.due(), ["operation op1"]);
}

#[test]
fn data_that_expires_is_known_for_jobs_that_ended_before_watching_began_too() {
    let mut story = Story::new();
    let mut old = ended("old", JobStatus::Success, -200, -100);
    old.data_expires_at = Some(at(500));
    story.list(ListingScope::Ended, vec![old.clone()]);
    assert_eq!(story.project("p1").expiries.len(), 1);
    old.data_cleared = true;
    story.list(ListingScope::Ended, vec![old]);
    assert_eq!(story.project("p1").expiries.len(), 0);
}

#[test]
fn a_look_that_waited_for_the_rate_limit_still_tells_what_no_listing_knows() {
    let mut story = watched();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let asked_at = story.now;
    story.wait(Duration::from_mins(1));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let mut seen = operation("op1", job("j1", JobStatus::Executing));
    seen.progress = Some(Progress {
        percent: 40,
        message: None,
        created_at: None,
    });
    story.look_asked("op1", seen.clone(), asked_at);
    assert!(story.row("op1").reported.progress.is_some());
    story.wait(Duration::from_mins(1));
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Success, 10, 80)]);
    story.look_asked("op1", seen, asked_at);
    assert_eq!(
        story.row("op1").status,
        Some(JobStatus::Success),
        "what is over does not live again"
    );
}

#[test]
fn how_another_operation_of_a_live_job_went_does_not_end_it() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.sight("op2");
    let mut refused = operation("op2", job("j1", JobStatus::Executing));
    refused.done = true;
    refused.error = rpc_error(RpcCode::UNKNOWN);
    story.look("op2", refused);
    assert_eq!(story.row("op1").outcome, None);
    assert_eq!(story.view().operations.iter().count(), 1);
}

#[test]
fn a_status_first_seen_under_way_is_zero_once_it_is_left_though_its_time_is_unknown() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Preparing)]);
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let row = story.row("j1");
    assert!(row.status_times.was_left(JobStatus::Preparing));
    assert_eq!(row.status_times.get(JobStatus::Preparing), None);
}

#[test]
fn a_listing_does_not_clear_what_only_looks_can_tell() {
    let mut story = watched();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    for _ in 0..3 {
        story.wait(Duration::from_secs(40));
        story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
        story.refuse("op1", RpcCode::NOT_FOUND);
    }
    story.wait(Duration::from_mins(2));
    assert_eq!(story.due(), ["job j1"], "the operation is gone, its job is not");
}

#[test]
fn an_operation_that_becomes_readable_after_its_job_was_counted_and_left_is_not_counted_again() {
    let mut story = watched();
    story.sight("op1");
    story.refuse("op1", RpcCode::PERMISSION_DENIED);
    story.list(
        ListingScope::Live,
        vec![ended("j1", JobStatus::Executing, 10, 10)],
    );
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Error, 10, 20)]);
    story.wait(Duration::from_hours(2));
    story.expire();
    let mut done = operation("op1", ended("j1", JobStatus::Error, 10, 20));
    done.done = true;
    story.look("op1", done);
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
    assert_eq!(story.view().operations.iter().count(), 0);
}

#[test]
fn ends_from_before_watching_began_are_the_last_results_of_their_names() {
    let mut story = Story::new();
    let cases = [
        ("a", JobStatus::Success, OutcomeKind::Success),
        ("b", JobStatus::Cancelled, OutcomeKind::Cancelled),
        ("c", JobStatus::Error, OutcomeKind::Failure),
    ];
    let jobs = cases.map(|(name, status, _)| JobSnapshot {
        name: Some(Text::bounded(name)),
        ..ended(&format!("job-{name}"), status, -200, -100)
    });
    story.list(ListingScope::Ended, jobs.into());
    let project = story.project("p1");
    for (name, _, expected) in cases {
        let last = project.job_names[name].last.as_ref().expect("a last result");
        assert_eq!((last.outcome, last.duration_seconds), (expected, Some(100.0)));
    }
}

#[test]
fn a_job_that_names_no_project_is_of_the_project_that_was_listed() {
    let mut story = watched();
    let mut silent = job("j1", JobStatus::Executing);
    silent.project_id = None;
    story.list(ListingScope::Live, vec![silent]);
    assert_eq!(story.tracked_total(Some("p1"), Kind::Job, Source::Discovery), 1);
}

#[test]
fn a_job_that_ended_before_it_was_started_and_starts_later_is_another_attempt() {
    for (started_at, attempt) in [(20, 1), (21, 2)] {
        let mut story = watched();
        story.list(ListingScope::Live, vec![job("j1", JobStatus::Preparing)]);
        let mut refused = ended("j1", JobStatus::Error, 0, 20);
        refused.started_at = None;
        story.list(ListingScope::Ended, vec![refused]);
        story.wait(Duration::from_mins(1));
        let mut again = job("j1", JobStatus::Executing);
        again.started_at = Some(at(started_at));
        story.list(ListingScope::Live, vec![again]);
        assert_eq!(story.row("j1").attempt, attempt, "started at {started_at}");
    }
}

#[test]
fn an_operation_begun_after_the_end_of_its_job_is_a_further_attempt_and_takes_its_place() {
    for (created_at, attempt) in [(19, 1), (20, 2)] {
        let mut story = Story::new();
        story.sight("op1");
        let mut done = operation("op1", ended("j1", JobStatus::Error, 10, 20));
        done.done = true;
        story.look("op1", done);
        story.sight("op2");
        let mut again = operation("op2", job("j1", JobStatus::Preparing));
        again.created_at = Some(at(created_at));
        story.look("op2", again);
        let row = story.row("op2");
        assert_eq!(row.attempt, attempt, "created at {created_at}");
        assert_eq!(row.outcome.is_none(), attempt == 2);
        assert_eq!(story.view().operations.iter().count(), 1);
        assert_eq!(
            story.tracked_total(Some("p1"), Kind::Job, Source::Config),
            u64::from(attempt)
        );
        assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
    }
}

#[test]
fn the_labels_of_an_operation_go_to_the_job_that_it_turns_out_to_be() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.sight_labelled("op1", "team", "nlp");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    let row = story.row("j1");
    assert_eq!(row.source, Source::Discovery);
    assert_eq!(row.about.labels.get("team").map(Text::as_str), Some("nlp"));
}

#[test]
fn an_ended_job_whose_data_is_cleared_does_not_expire_any_more() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let mut over = ended("j1", JobStatus::Success, 10, 20);
    over.data_expires_at = Some(at(500));
    story.list(ListingScope::Ended, vec![over.clone()]);
    story.wait(Duration::from_mins(1));
    story.list(ListingScope::Ended, vec![over.clone()]);
    assert_eq!(story.row("j1").reported.data_expires_at, Some(at(500)));
    over.data_cleared = true;
    story.wait(Duration::from_mins(1));
    story.list(ListingScope::Ended, vec![over]);
    assert_eq!(story.row("j1").reported.data_expires_at, None);
}

#[test]
fn a_lost_job_that_a_listing_shows_again_has_its_status_and_stays_lost() {
    let mut story = watched();
    story.sight("op1");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    for _ in 0..6 {
        story.wait(Duration::from_secs(40));
        story.refuse("op1", RpcCode::NOT_FOUND);
    }
    let row = story.row("op1");
    assert_eq!(
        (row.outcome, row.status),
        (Some(Outcome::Lost), Some(JobStatus::Unknown))
    );
    story.wait(Duration::from_mins(1));
    story.list(ListingScope::Ended, vec![ended("j1", JobStatus::Error, 10, 20)]);
    let row = story.row("op1");
    assert_eq!(
        (row.outcome, row.status),
        (Some(Outcome::Lost), Some(JobStatus::Error))
    );
}

#[test]
fn an_answer_about_a_job_of_which_nothing_could_be_read_changes_no_belief() {
    let mut story = watched();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.wait(Duration::from_secs(10));
    story.list(ListingScope::Live, vec![]);
    assert_eq!(story.due(), ["job j1"]);
    let mut unread = job("j1", JobStatus::Unknown);
    unread.created_at = None;
    story.look_job("j1", unread.clone());
    assert_eq!(story.row("j1").status, Some(JobStatus::Executing));
    story.wait(Duration::from_mins(5));
    assert_eq!(story.due(), ["job j1"], "it is still asked for");
    unread.created_at = Some(at(0));
    story.look_job("j1", unread);
    assert_eq!(
        story.row("j1").status,
        Some(JobStatus::Unknown),
        "the API's own word"
    );
}

#[test]
fn what_ended_before_the_newest_end_of_the_first_pass_is_no_news() {
    let mut story = Story::new();
    let past = [("a", -10), ("b", -20)];
    let jobs = past.map(|(id, finished)| ended(id, JobStatus::Success, -30, finished));
    story.list(ListingScope::Ended, jobs.into());
    for (id, finished, count) in [("c", -15, 0), ("d", -10, 1), ("e", -9, 2)] {
        story.list(
            ListingScope::Ended,
            vec![ended(id, JobStatus::Success, -30, finished)],
        );
        let counted = story.finished_total("p1", Kind::Job, OutcomeKind::Success);
        assert_eq!(counted, count, "{id}");
    }
}
