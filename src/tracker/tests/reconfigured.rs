//! What another configuration changes, and what it leaves as it was.

use crate::model::{
    Input, JobSnapshot, JobStatus, Kind, Labels, ListingScope, OutcomeKind, ProjectScope, Record, RecordKey,
    Sighting, Source, Target, Text,
};
use crate::tracker::tests::story::{Story, at, caller, job, operation};
use crate::tracker::{JobNameRewrite, JobNames, Settings, TraceSettings};
use regex::Regex;
use std::time::Duration;

fn reconfigure(story: &mut Story, set: impl FnOnce(&mut Settings)) {
    let mut settings = Settings::default();
    set(&mut settings);
    let events = story.tracker.reconfigure(settings, story.now);
    story.events.extend(events);
}

fn follow_only(story: &mut Story, projects: &[&str]) {
    let projects = projects.iter().map(|id| id.parse().expect("an id"));
    story.apply(Input::ProjectsFollowed(projects.collect()));
}

fn named(id: &str, name: &str) -> JobSnapshot {
    JobSnapshot {
        name: Some(Text::bounded(name)),
        ..job(id, JobStatus::Executing)
    }
}

#[test]
fn a_job_of_a_project_that_is_given_up_is_followed_to_its_end_by_looks() {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.list(ListingScope::Ended, vec![]);
    story.wait(Duration::from_mins(5));
    assert!(story.due().is_empty(), "its project's listing follows it");
    follow_only(&mut story, &[]);
    story.wait(Duration::from_mins(2));
    assert_eq!(story.due(), ["job j1"]);
    story.look_job("j1", job("j1", JobStatus::Error));
    assert_eq!(story.finished_total("p1", Kind::Job, OutcomeKind::Failure), 1);
}

#[test]
fn nothing_tells_of_the_present_of_a_project_that_is_given_up_and_its_counters_stay() {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    story.balance("p1", Some(100));
    story.balance("p1", Some(60));
    follow_only(&mut story, &["p2"]);
    let project = story.project("p1");
    assert!(!project.followed);
    assert_eq!(
        (project.unit_balance, project.units_spent_total),
        (None, Some(40))
    );
    assert!(!project.last_success_at.contains_key(&ProjectScope::Jobs));
    story.follow("p1");
    story.balance("p1", Some(10));
    assert_eq!(
        story.project("p1").units_spent_total,
        Some(40),
        "nobody saw whether the rest was spent"
    );
}

#[test]
fn a_project_that_is_named_again_changes_nothing() {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    let before = story.project("p1");
    follow_only(&mut story, &["p1", "p2"]);
    assert_eq!(story.project("p1"), before);
    story.wait(Duration::from_mins(5));
    assert!(story.due().is_empty());
}

#[test]
fn new_rules_name_the_jobs_that_come_and_leave_the_others_their_name() {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![named("j1", "train-a")]);
    let rewrite = JobNameRewrite {
        regex: Regex::new("-[ab]$").expect("a regex"),
        replacement: String::new(),
    };
    reconfigure(&mut story, |settings| {
        settings.job_names = JobNames {
            max: 100,
            rewrites: vec![rewrite],
        };
    });
    story.wait(Duration::from_secs(10));
    story.list(
        ListingScope::Live,
        vec![named("j1", "train-a"), named("j2", "train-b")],
    );
    let name = |id| story.row(id).about.job_name.clone().expect("a name");
    assert_eq!((name("j1").as_str(), name("j2").as_str()), ("train-a", "train"));
    let names = &story.project("p1").job_names;
    assert!(names.contains_key("train-a") && names.contains_key("train"));
}

#[test]
fn a_lower_bound_of_series_hides_the_oldest_ended_and_a_longer_retention_keeps_what_is_there() {
    let mut story = Story::new();
    for (number, id) in ["o1", "o2"].into_iter().enumerate() {
        story.sight(id);
        let mut seen = operation(id, job(&format!("j{number}"), JobStatus::Success));
        seen.done = true;
        story.look(id, seen);
        story.wait(Duration::from_secs(1));
    }
    let each = story.view().tracker.run_series / 2;
    reconfigure(&mut story, |settings| {
        settings.series_max = each;
        settings.retention = Duration::from_hours(5);
    });
    assert!(story.row("o1").hidden && !story.row("o2").hidden);
    assert_eq!(story.view().tracker.run_series, each);
    story.wait(Duration::from_hours(2));
    assert_eq!(story.expire(), 0);
    reconfigure(&mut story, |settings| settings.per_run = false);
    assert_eq!(story.view().tracker.run_series, 0);
    assert_eq!(story.expire(), 2, "an hour is enough again");
}

#[test]
fn a_shorter_interval_holds_for_what_is_under_watch_already() {
    let mut story = Story::with(|settings| {
        settings.interval = Duration::from_mins(30);
        settings.interval_max = Duration::from_hours(1);
    });
    story.sight("o1");
    assert_eq!(story.due(), ["operation o1"]);
    story.look("o1", operation("o1", job("j1", JobStatus::Executing)));
    assert!(story.next_due_in() > Duration::from_mins(15));
    reconfigure(&mut story, |_| {});
    assert!(story.next_due_in() < Duration::from_mins(3));
}

#[test]
fn no_row_names_a_trace_that_nobody_receives_and_a_trace_that_is_wanted_again_is_the_same() {
    let mut story = Story::traced();
    story.sight("o1");
    story.look("o1", operation("o1", job("j1", JobStatus::Executing)));
    let trace_id = |story: &Story| story.row("o1").trace.as_ref().map(|trace| trace.trace_id);
    let before = trace_id(&story);
    assert!(before.is_some());
    reconfigure(&mut story, |_| {});
    assert_eq!(trace_id(&story), None);
    reconfigure(&mut story, |settings| {
        settings.traces = Some(TraceSettings::default());
    });
    story.wait(Duration::from_secs(10));
    story.look("o1", operation("o1", job("j1", JobStatus::UploadingOutput)));
    assert_eq!(trace_id(&story), before);
}

#[test]
fn a_project_that_is_given_up_forgets_when_data_of_its_jobs_expires() {
    let mut story = Story::new();
    let mut old = job("old", JobStatus::Success);
    (old.finished_at, old.data_expires_at) = (Some(at(-100)), Some(at(500)));
    story.list(ListingScope::Ended, vec![old]);
    assert_eq!(story.project("p1").expiries.len(), 1);
    drop(story.tracker.take_records());
    follow_only(&mut story, &["p2"]);
    assert!(story.project("p1").expiries.is_empty());
    let records = story.tracker.take_records();
    let is_forgotten =
        |record: &Record| matches!(record.key, RecordKey::Expiry(..)) && record.value.is_none();
    assert!(records.iter().any(is_forgotten), "{records:?}");
}

#[test]
fn a_lower_bound_of_series_leaves_what_lives_until_it_changes() {
    let mut story = Story::new();
    story.sight("op1");
    story.look("op1", operation("op1", named("j1", "train")));
    reconfigure(&mut story, |settings| settings.series_max = 1);
    assert!(!story.row("op1").hidden);
    story.wait(Duration::from_secs(10));
    let mut uploading = named("j1", "train");
    uploading.status = JobStatus::UploadingOutput;
    story.look("op1", operation("op1", uploading));
    assert!(story.row("op1").hidden);
    assert_eq!(story.view().tracker.run_series, 0);
}

#[test]
fn a_trace_in_its_callers_is_the_same_one_after_a_time_without_traces_and_a_restart() {
    let mut story = Story::traced();
    story.sight_called(Target::Operation("op1".parse().expect("an id")), caller(7));
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    story.look("op1", operation("op1", job("j1", JobStatus::Success)));
    let before = story.row("op1").trace.clone().expect("a trace");
    assert_eq!(before.parent_id, Some(caller(7).span_id));
    reconfigure(&mut story, |_| {});
    assert_eq!(story.row("op1").trace, None);
    let records = story.tracker.take_records();
    let mut after = Story::traced();
    after.tracker.restore(records, at(0));
    assert_eq!(after.row("op1").trace.as_deref(), Some(&*before));
    reconfigure(&mut story, |settings| {
        settings.traces = Some(TraceSettings::default());
    });
    assert_eq!(story.row("op1").trace.as_deref(), Some(&*before));
}

fn labelled(story: &mut Story, source: Source, labels: &[(&str, &str)]) {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).into(), Text::bounded(value)));
    let target = Target::Operation("op1".parse().expect("an id"));
    story.apply(Input::Sighted(Sighting {
        target,
        source,
        labels: Labels::new(labels.collect()),
        trace_context: None,
    }));
}

fn labels(story: &Story) -> String {
    let row = story.row("op1");
    let pairs = row
        .about
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

#[test]
fn labels_that_the_configuration_gives_no_more_go_and_those_that_a_caller_gave_stay() {
    let mut story = Story::new();
    labelled(&mut story, Source::Config, &[("team", "nlp"), ("run", "1")]);
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    labelled(&mut story, Source::Api, &[("run", "2"), ("who", "me")]);
    assert_eq!(labels(&story), "run=2 team=nlp who=me");
    labelled(&mut story, Source::Config, &[("run", "3"), ("stage", "a")]);
    assert_eq!(labels(&story), "run=2 stage=a who=me", "a caller's word stays");
    labelled(&mut story, Source::Config, &[]);
    assert_eq!(labels(&story), "run=2 who=me");
    labelled(&mut story, Source::Config, &[("team", "nlp")]);
    let records = story.tracker.take_records();
    let mut after = Story::new();
    after.tracker.restore(records, at(0));
    for mut story in [story, after] {
        assert_eq!(labels(&story), "run=2 team=nlp who=me");
        story.apply(Input::Configured([].into()));
        assert_eq!(labels(&story), "run=2 who=me", "it is not named any more");
    }
}

#[test]
fn labels_of_two_ids_of_one_execution_are_those_of_the_configuration_still() {
    let mut story = Story::new();
    story.list(ListingScope::Live, vec![job("j1", JobStatus::Executing)]);
    labelled(&mut story, Source::Config, &[("team", "nlp")]);
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(labels(&story), "team=nlp");
    labelled(&mut story, Source::Config, &[]);
    assert_eq!(labels(&story), "");
}
