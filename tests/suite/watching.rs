//! The watcher against the simulator, in time that moves only when nobody is busy.

use crate::support::{World, finished, jobs, project, row};
use datasphere_exporter::cloud::Transport;
use datasphere_exporter::model::{
    Admission, Gap, Input, JobStatus, Kind, Labels, Outcome, OutcomeKind, Sighting, Source, State, Target,
    Unreadable, View,
};
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::scenario::{Action, Fault, JobScript, Part};
use datasphere_exporter::sources::FilePattern;
use std::time::Duration;
use tokio::time::Instant;

/// A project with jobs that run an hour, one that fails, and one that is refused within seconds.
const FLEET: &str = r"
communities:
  - name: research
    id: community
    projects:
      - name: vision
        id: vision
        unit_balance: 100000
        max_units_per_hour: 5000
        jobs:
          - { name: train, id: train, operation_id: op-train, start: 1m, progress: { every: 30s }, timeline: &hour [
              { status: CREATING, lasts: 10s }, { status: PREPARING, lasts: 5m }, { status: EXECUTING, lasts: 1h },
              { status: UPLOADING_OUTPUT, lasts: 1m } ] }
          - { name: crash, id: crash, operation_id: op-crash, start: 1m, end: { return_code: 137 }, timeline: *hour }
          - { name: refused, id: refused, operation_id: op-refused, start: 5m, timeline: [ { status: CREATING, lasts: 3s } ],
              end: { error: { code: RESOURCE_EXHAUSTED, message: Job execution quota exhausted } } }
        notebooks:
          - { path: /home/report.ipynb, operation_id: op-notebook, start: 1m, lasts: 10m, end: failed }
      - name: speech
        id: speech
        jobs:
          - { name: train, id: other, operation_id: op-other, start: 1m, timeline: *hour }
";

fn ids<T: std::str::FromStr<Err: std::fmt::Debug>>(ids: &[&str]) -> Vec<T> {
    ids.iter().map(|id| id.parse().expect("an id")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_community_is_followed_from_birth_to_end_without_touching_anything() {
    let mut world = World::start(FLEET, |setup, _| setup.sources.communities = ids(&["community"]));
    world
        .until("executing", |view| {
            jobs(view, "vision", JobStatus::Executing) == 2
        })
        .await;
    world
        .until("the other project", |view| {
            jobs(view, "speech", JobStatus::Executing) == 1
        })
        .await;
    world
        .until("both ends", |view| {
            finished(view, "vision", OutcomeKind::Success) >= 1
        })
        .await;
    world
        .until("the refusal", |view| {
            finished(view, "vision", OutcomeKind::Failure) >= 1
        })
        .await;
    let view = world.view();
    let vision = project(&view, "vision").expect("a project");
    assert_eq!(
        vision.name.as_ref().map(ToString::to_string).as_deref(),
        Some("vision")
    );
    assert_eq!(vision.units_per_hour_max, Some(5000));
    assert!(vision.unit_balance.is_some_and(|units| units < 100_000));
    assert!(vision.units_spent_total.is_some_and(|units| units > 0));
    for method in ["/Execute", "/Create", "/Clone", "/Cancel", "/Delete"] {
        assert_eq!(world.calls(method), 0, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn over_rest_operations_are_followed_to_their_ends_and_projects_without_their_jobs() {
    let mut world = World::start(FLEET, |setup, _| {
        setup.cloud.transport = Transport::Rest;
        setup.tracker.retention = Duration::from_hours(24);
        setup.sources.projects = ids(&["vision"]);
        setup.sources.communities = ids(&["community"]);
        setup.sources.operations = ["op-train", "op-crash", "op-refused", "op-notebook"]
            .iter()
            .map(|id| (id.parse().expect("an id"), Labels::default()))
            .collect();
    });
    world
        .until("readiness without listings", |view| {
            view.operations.iter().count() == 4
        })
        .await;
    world
        .until("all ends", |view| {
            view.operations.iter().all(|row| row.state == State::Done)
        })
        .await;
    let view = world.view();
    let outcome = |id| row(&view, id).and_then(|row| row.outcome);
    assert_eq!(outcome("op-train"), Some(Outcome::Success));
    assert_eq!(outcome("op-crash"), Some(Outcome::Failure));
    assert_eq!(outcome("op-refused").map(Outcome::kind), Some(OutcomeKind::Error));
    assert_eq!(outcome("op-notebook"), Some(Outcome::Failure));
    let crash = row(&view, "op-crash").and_then(|row| row.reported.return_code);
    assert_eq!(crash, Some(137));
    for id in ["vision", "speech"] {
        let project = project(&view, id).expect("a project");
        assert_eq!(
            project.name.as_ref().map(ToString::to_string).as_deref(),
            Some(id)
        );
    }
    let vision = project(&view, "vision").expect("a project");
    assert!(vision.unit_balance.is_some_and(|units| units < 100_000));
    for method in ["/Execute", "/Create", "/Clone", "/Cancel", "/Delete"] {
        assert_eq!(world.calls(method), 0, "{method}");
    }
    assert_eq!(world.calls("ProjectJobService/List"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_refused_within_seconds_is_not_missed() {
    let mut world = World::start(FLEET, |setup, _| setup.sources.projects = ids(&["vision"]));
    world
        .until("the refusal", |view| {
            row(view, "refused").is_some_and(|row| row.outcome.is_some())
        })
        .await;
    let row = row(&world.view(), "refused").expect("a row");
    assert_eq!(
        row.outcome,
        Some(Outcome::Failure),
        "without its operation, the status is all there is"
    );
    assert_eq!(finished(&world.view(), "vision", OutcomeKind::Failure), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operation_tells_progress_return_code_and_error_which_no_listing_knows() {
    let operations = ["op-train", "op-crash", "op-refused", "op-notebook"];
    let mut world = World::start(FLEET, |setup, _| {
        setup.tracker.retention = Duration::from_hours(24);
        setup.sources.operations = operations
            .iter()
            .map(|id| (id.parse().expect("an id"), Labels::default()))
            .collect();
    });
    world
        .until("progress", |view| {
            row(view, "op-train").is_some_and(|row| row.reported.progress.is_some())
        })
        .await;
    world
        .until("all ends", |view| {
            view.operations.iter().all(|row| row.state == State::Done)
        })
        .await;
    let view = world.view();
    let outcome = |id| row(&view, id).and_then(|row| row.outcome);
    assert_eq!(outcome("op-train"), Some(Outcome::Success));
    assert_eq!(outcome("op-crash"), Some(Outcome::Failure));
    let crash = row(&view, "op-crash").and_then(|row| row.reported.return_code);
    assert_eq!(crash, Some(137));
    assert_eq!(outcome("op-refused").map(Outcome::kind), Some(OutcomeKind::Error));
    assert_eq!(outcome("op-notebook"), Some(Outcome::Failure));
    let executing = row(&view, "op-train").and_then(|row| row.status_times.get(JobStatus::Executing));
    assert_eq!(
        executing.map(|time| time.as_secs()),
        Some(3600),
        "both boundaries are reported"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listed_job_and_its_configured_operation_are_one() {
    let mut world = World::start(FLEET, |setup, _| {
        setup.sources.projects = ids(&["vision"]);
        setup.sources.operations = vec![("op-crash".parse().expect("an id"), Labels::default())];
    });
    world
        .until("the end", |view| {
            row(view, "op-crash").is_some_and(|row| row.outcome.is_some())
        })
        .await;
    let view = world.view();
    assert_eq!(
        view.operations
            .iter()
            .filter(|row| row.job_id.as_ref().is_some_and(|id| id.as_str() == "crash"))
            .count(),
        1
    );
    assert_eq!(
        row(&view, "crash").and_then(|row| row.outcome),
        Some(Outcome::Failure)
    );
    world.pass(Duration::from_mins(10)).await;
    assert_eq!(
        finished(&world.view(), "vision", OutcomeKind::Failure),
        2,
        "crash and refused, once each"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_project_never_stops_the_others() {
    let mut world = World::start(FLEET, |setup, handle| {
        let refuse = Action::Refuse {
            code: Code::PermissionDenied.into(),
            message: String::new(),
        };
        handle.set_fault(Fault::of(refuse).about("speech"));
        setup.sources.projects = ids(&["speech", "vision"]);
    });
    world
        .until("the other's ends", |view| {
            finished(view, "vision", OutcomeKind::Success) == 2
        })
        .await;
    assert_eq!(finished(&world.view(), "speech", OutcomeKind::Success), 0);
    let lists = world.calls("/List");
    assert!(
        lists < 700,
        "a refused project is asked less and less often: {lists}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_hides_nothing_and_loses_nothing() {
    let mut world = World::start(FLEET, |setup, _| {
        setup.sources.projects = ids(&["vision"]);
        setup.sources.operations = vec![("op-train".parse().expect("an id"), Labels::default())];
    });
    world
        .until("executing", |view| {
            jobs(view, "vision", JobStatus::Executing) == 2
        })
        .await;
    world.handle.set_fault(Fault::of(Action::Reset));
    let before = world.calls_in_all();
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(
        jobs(&world.view(), "vision", JobStatus::Executing),
        2,
        "what was known stays"
    );
    let tries = world.calls_in_all() - before;
    assert!(
        tries < 1500,
        "a dead API is not hammered: {tries} calls in two hours"
    );
    world.handle.clear_faults();
    let outcome = |view: &View| row(view, "op-train").and_then(|row| row.outcome);
    world.until("the end", |view| outcome(view).is_some()).await;
    assert_eq!(outcome(&world.view()), Some(Outcome::Success));
}

#[tokio::test(start_paused = true)]
async fn a_slow_api_shows_its_lag_and_never_more_looks_than_allowed() {
    let mut world = World::start(FLEET, |setup, handle| {
        for number in 0..40 {
            handle.add_job(
                "speech",
                &JobScript {
                    operation_id: Some(format!("op-{number}")),
                    ..hour(number)
                },
            );
            setup
                .sources
                .operations
                .push((format!("op-{number}").parse().expect("an id"), Labels::default()));
        }
        setup.cloud.requests_per_second = 1.0;
        setup.engine.concurrency = 4;
    });
    world
        .until("all seen", |view| {
            view.operations.iter().filter(|row| row.observed).count() == 40
        })
        .await;
    world.pass(Duration::from_mins(1)).await;
    let view = world.view();
    let due_at = view.tracker.earliest_due_at.expect("something is due");
    assert!(
        world.clock.now().since(due_at) > Duration::from_secs(5),
        "the lag is seen"
    );
    let before = world.calls_in_all();
    world.pass(Duration::from_secs(100)).await;
    assert!(world.calls_in_all() - before <= 101);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_the_cloud_forgets_is_lost_and_one_it_never_knew_is_unreadable() {
    let mut world = World::start(FLEET, |setup, _| {
        let ids = ["op-notebook", "op-typo"];
        setup.sources.operations = ids
            .iter()
            .map(|id| (id.parse().expect("an id"), Labels::default()))
            .collect();
    });
    world
        .until("the notebook", |view| {
            row(view, "op-notebook").is_some_and(|row| row.observed)
        })
        .await;
    let forget = Action::Refuse {
        code: Code::NotFound.into(),
        message: String::new(),
    };
    world.handle.set_fault(Fault::of(forget).about("op-notebook"));
    world
        .until("the loss", |view| {
            row(view, "op-notebook").is_some_and(|row| row.outcome == Some(Outcome::Lost))
        })
        .await;
    assert_eq!(row(&world.view(), "op-typo").and_then(|row| row.outcome), None);
    assert_eq!(
        world.view().tracker.unreadable.get(&Unreadable::NotFound),
        Some(&1)
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_waits_for_the_first_look_or_for_its_grace() {
    let mut world = World::start(FLEET, |setup, _| setup.sources.projects = ids(&["vision"]));
    assert!(!world.readiness.is_ready());
    world
        .until("the first listing", |view| project(view, "vision").is_some())
        .await;
    world.pass(Duration::from_secs(1)).await;
    assert!(world.readiness.is_ready());

    let world = World::start(FLEET, |setup, handle| {
        handle.set_fault(Fault::of(Action::Reset));
        setup.sources.operations = vec![("op-train".parse().expect("an id"), Labels::default())];
    });
    world.pass(Duration::from_secs(31)).await;
    assert!(
        world.readiness.is_ready(),
        "a dead cloud does not keep us out for ever"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_the_sources_then_the_engine_and_leaves_the_last_view() {
    let mut world = World::start(FLEET, |setup, _| setup.sources.communities = ids(&["community"]));
    world
        .until("executing", |view| {
            jobs(view, "vision", JobStatus::Executing) == 2
        })
        .await;
    let last = tokio::time::timeout(Duration::from_secs(30), world.stop())
        .await
        .expect("an orderly end");
    assert_eq!(jobs(&last, "vision", JobStatus::Executing), 2);
}

fn hour(number: u32) -> JobScript {
    JobScript {
        id: Some(format!("job-{number}")),
        ..JobScript::named("many")
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_jobs_of_one_project_cost_a_listing_and_not_a_call_each() {
    let world = World::start(FLEET, |setup, handle| {
        for number in 0..500 {
            let mut job = hour(number);
            job.timeline.iter_mut().for_each(|stage| stage.lasts = None);
            handle.add_job("speech", &job);
        }
        setup.sources.projects = ids(&["speech"]);
    });
    world.pass(Duration::from_mins(10)).await;
    let before = world.calls_in_all();
    world.pass(Duration::from_mins(10)).await;
    let calls = (world.calls_in_all() - before) * 6;
    println!("500 live jobs: {calls} API calls an hour; one call for each job every 5 s would be 360000");
    assert!(calls < 5_000, "{calls}");
    assert_eq!(
        world
            .view()
            .operations
            .iter()
            .filter(|row| row.outcome.is_none())
            .count(),
        501
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_true_is_a_counted_gap_and_the_rest_is_shown() {
    let mut world = World::start(FLEET, |setup, handle| {
        handle.set_fault(Fault::of(Action::Truncate(Part::Metadata)).about("op-train"));
        handle.set_fault(Fault::of(Action::UnknownType).about("op-crash"));
        handle.set_fault(Fault::of(Action::Pad(5 << 20)).about("op-notebook"));
        let ids = ["op-train", "op-crash", "op-notebook"];
        setup.sources.operations = ids
            .iter()
            .map(|id| (id.parse().expect("an id"), Labels::default()))
            .collect();
    });
    world
        .until("all seen", |view| {
            view.operations.iter().filter(|row| row.observed).count() == 3
        })
        .await;
    let gaps = |reason: Gap| {
        world
            .instruments
            .decode_gaps_total
            .with_label_values(&[reason.label()])
            .get()
    };
    assert!(gaps(Gap::Malformed) > 0);
    assert!(gaps(Gap::UnknownType) > 0);
    let view = world.view();
    assert_eq!(row(&view, "op-crash").map(|row| row.kind), Some(Kind::Other));
    assert_eq!(
        row(&view, "op-notebook").map(|row| row.kind),
        Some(Kind::Notebook),
        "an answer of 5 MiB"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_a_file_names_is_watched_to_its_end_though_the_file_vanishes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("train.json");
    std::fs::write(&file, r#"{"job_id": "train", "operation_id": "op-train"}"#).expect("a file");
    let pattern = FilePattern::parse("*.json").expect("a pattern");
    let mut world = World::start(FLEET, |setup, _| {
        setup.sources.execution_files = vec![pattern.within(folder.path())];
    });
    world
        .until("progress", |view| {
            row(view, "op-train").is_some_and(|row| row.reported.progress.is_some())
        })
        .await;
    let row_before = row(&world.view(), "op-train").expect("a row");
    assert_eq!(row_before.source, Source::File);
    std::fs::remove_file(&file).expect("a file");
    world
        .until("the end", |view| {
            row(view, "op-train").is_some_and(|row| row.outcome == Some(Outcome::Success))
        })
        .await;
    for method in ["/Execute", "/Create", "/Clone", "/Cancel"] {
        assert_eq!(world.calls(method), 0, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_hands_an_operation_over_is_told_what_became_of_it_once_it_shows() {
    let world = World::start(FLEET, |setup, _| setup.tracker.tracked_max = 1);
    world.pass(Duration::from_mins(2)).await;
    let target = |id: &str| Target::Operation(id.parse().expect("an id"));
    let sighting = |id: &str| {
        Input::Sighted(Sighting {
            target: target(id),
            source: Source::Api,
            labels: Labels::default(),
            trace_context: None,
        })
    };
    let began = Instant::now();
    for (input, admission, is_shown) in [
        (sighting("op-train"), Admission::New, true),
        (sighting("op-train"), Admission::Known, true),
        (sighting("op-other"), Admission::Full, true),
        (Input::Dismissed(target("op-train")), Admission::Known, false),
        (sighting("op-train"), Admission::Gone, false),
    ] {
        let what = format!("{input:?}");
        assert_eq!(world.deliver(input).await, Some(admission), "{what}");
        assert_eq!(row(&world.view(), "op-train").is_some(), is_shown, "{what}");
    }
    assert!(
        began.elapsed() < Duration::from_millis(50),
        "nobody waits for the next view"
    );
}
