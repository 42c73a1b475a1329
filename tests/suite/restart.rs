//! What survives a process that is killed, and what a store that fails does not stop.

use crate::scene;
use crate::support::{Setup, World, finished, row};
use datasphere_exporter::app::App;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::{Clock, Timestamp};
use datasphere_exporter::config::{Config, Flags};
use datasphere_exporter::model::{
    JobStatus, Kind, Labels, OpenQuestions, OperationId, OperationRecord, Outcome, OutcomeKind, Record,
    RecordKey, Sighting, Source, StatusTimes, Target, Text, TrackedOperation, View,
};
use datasphere_exporter::simulator::Handle;
use datasphere_exporter::store::{self, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The jobs of the fleet.
const JOBS: u64 = 18;

/// Jobs that begin one after the other and last some seconds each, at six hundred times the speed of life.
fn fleet() -> String {
    let job = |n: u64| {
        let start = 10 + 60 * n;
        format!(
            "{{ name: train-{n}, id: job-{n}, start: {start}s, timeline: [ {{ status: CREATING, lasts: 1m }}, \
             {{ status: PREPARING, lasts: 3m }}, {{ status: EXECUTING, lasts: 6m }} ] }}"
        )
    };
    let jobs = (0..JOBS).map(job).collect::<Vec<_>>().join(", ");
    format!(
        "speed: 600\ncommunities: [ {{ name: c, id: c, projects: [ {{ name: vision, id: vision, unit_balance: 1000, \
         jobs: [ {jobs} ] }} ] }} ]"
    )
}

#[test]
fn a_status_that_only_a_newer_version_knows_leaves_the_rest_of_its_record_as_it_is() {
    let record = OperationRecord {
        row: Arc::new(scene::training()),
        looked_at: Some(scene::now()),
        listed_at: None,
        is_seen: true,
        open: OpenQuestions::default(),
    };
    let written = serde_json::to_string(&record).expect("JSON");
    assert_eq!(
        serde_json::from_str::<OperationRecord>(&written).ok().as_ref(),
        Some(&record)
    );

    let newer = written
        .replace("\"EXECUTING\"", "\"HIBERNATING\"")
        .replace("\"PREPARING\":", "\"DREAMING\":");
    let read: OperationRecord = serde_json::from_str(&newer).expect("a record");
    let (mut expected, row) = (record.clone(), &record.row);
    let mut status_times = StatusTimes::default();
    status_times.add(
        JobStatus::Creating,
        row.status_times.get(JobStatus::Creating).expect("a time"),
    );
    let known = TrackedOperation {
        status: Some(JobStatus::Unknown),
        status_times,
        ..TrackedOperation::clone(row)
    };
    expected.row = Arc::new(known);
    assert_eq!(read, expected);
}

/// Short enough for the fleet's speed.
fn quick(setup: &mut Setup, _: &Handle) {
    setup.sources.projects = vec!["vision".parse().expect("an id")];
    setup.sources.list_interval = Duration::from_millis(100);
    setup.sources.sweep_interval = Duration::from_millis(200);
    setup.tracker.interval = Duration::from_millis(100);
    setup.tracker.interval_max = Duration::from_millis(500);
    setup.cloud.requests_per_second = 1e6;
}

async fn open(folder: &Path) -> (Store, Vec<Record>) {
    open_counted(folder, &Instruments::new("0.0.0", "test", "test")).await
}

async fn open_counted(folder: &Path, instruments: &Instruments) -> (Store, Vec<Record>) {
    let settings = store::Settings {
        path: Some(folder.to_owned()),
        ..store::Settings::default()
    };
    let clock = Clock::starting_at(Timestamp::from_seconds(1_700_000_000, 0).expect("in range"));
    let opened = Store::open(settings, clock, instruments).await;
    opened.expect("a store")
}

fn ends(view: &View) -> u64 {
    OutcomeKind::ALL
        .into_iter()
        .map(|outcome| finished(view, "vision", outcome))
        .sum()
}

#[tokio::test]
async fn a_watcher_that_is_killed_again_and_again_loses_no_operation_and_counts_none_twice() {
    let folder = TempDir::new().expect("a folder");
    let mut world = World::start_on(&fleet(), Some(open(folder.path()).await), quick);
    for kill in 1..=8 {
        world.until("more ends", |view| ends(view) >= 2 * kill).await;
        let before = world.view();
        world.kill().await;
        let (store, records) = open(folder.path()).await;
        world.watch(Some((store, records)), quick);
        world
            .until("a view", |view| view.operations.iter().next().is_some())
            .await;
        let after = world.view();
        assert!(ends(&after) >= ends(&before), "a count fell after a kill");
        for row in before.operations.iter().filter(|row| row.outcome.is_some()) {
            let kept = after
                .operations
                .iter()
                .find(|kept| kept.key == row.key)
                .expect("a row that was told");
            assert_eq!(kept.outcome, row.outcome);
            assert_eq!(kept.status_times, row.status_times);
        }
    }
    world.until("all ends", |view| ends(view) == JOBS).await;
    let view = world.view();
    let jobs: BTreeSet<_> = view
        .operations
        .iter()
        .filter_map(|row| row.job_id.clone())
        .collect();
    assert_eq!((jobs.len(), view.operations.iter().count()), (18, 18));
    let tracked: u64 = view
        .projects
        .values()
        .flat_map(|project| project.tracked_total.values())
        .sum();
    assert_eq!(tracked, JOBS);
}

#[tokio::test]
async fn what_was_registered_by_hand_is_watched_after_a_restart() {
    let folder = TempDir::new().expect("a folder");
    let operation: OperationId = "op-hand".parse().expect("an id");
    let fleet = "communities: [ { name: c, id: c, projects: [ { name: p, id: p, jobs: [ { name: j, id: j, \
                 operation_id: op-hand, timeline: [ { status: EXECUTING, lasts: 8h } ] } ] } ] } ]";
    let labels = Labels::new([("team".into(), Text::bounded("nlp"))].into());
    let mut world = World::start_on(fleet, Some(open(folder.path()).await), |_, _| {});
    world
        .sight(Sighting {
            target: Target::Operation(operation),
            source: Source::Api,
            labels: labels.clone(),
            trace_context: None,
        })
        .await;
    world
        .until("a look", |view| {
            row(view, "op-hand").is_some_and(|row| row.observed)
        })
        .await;
    world.kill().await;
    world.watch(Some(open(folder.path()).await), |_, _| {});
    world
        .until("a new look", |view| {
            row(view, "op-hand").is_some_and(|row| row.polled_at.is_some())
        })
        .await;
    let kept = row(&world.view(), "op-hand").expect("a row");
    assert_eq!((kept.source, &kept.about.labels), (Source::Api, &labels));
}

#[tokio::test]
async fn an_id_that_was_configured_by_mistake_is_forgotten_once_it_is_not_configured_any_more() {
    let folder = TempDir::new().expect("a folder");
    let mistaken = |setup: &mut Setup, _: &Handle| {
        setup.sources.operations = vec![("op-wrong".parse().expect("an id"), Labels::default())];
    };
    let mut world = World::start_on("communities: []", Some(open(folder.path()).await), mistaken);
    world.until("a row", |view| row(view, "op-wrong").is_some()).await;
    world.kill().await;
    let (store, records) = open(folder.path()).await;
    assert!(
        records
            .iter()
            .any(|record| matches!(record.key, RecordKey::Operation(_)))
    );
    world.watch(Some((store, records)), |_, _| {});
    world
        .until("its departure", |view| {
            view.tracker.tracked.get(&Kind::Other) == Some(&0)
        })
        .await;
    world.stop().await;
    let (_, records) = open(folder.path()).await;
    assert!(
        !records
            .iter()
            .any(|record| matches!(record.key, RecordKey::Operation(_)))
    );
}

#[tokio::test]
async fn a_store_that_does_not_come_back_holds_up_neither_watching_nor_views_and_then_keeps_all() {
    let folder = TempDir::new().expect("a folder");
    let instruments = Instruments::new("0.0.0", "test", "test");
    let mut world = World::start_on(
        &fleet(),
        Some(open_counted(folder.path(), &instruments).await),
        quick,
    );
    world
        .until("a first row", |view| view.operations.iter().next().is_some())
        .await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("state.db"));
    let mut other = SqliteConnection::connect_with(&options)
        .await
        .expect("a connection");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let held = world.view();
    world
        .until("ends without the store", |view| ends(view) > ends(&held) + 2)
        .await;
    assert!(instruments.store_errors_total.get() >= 1);
    other.execute("ROLLBACK").await.expect("released");
    world.until("all ends", |view| ends(view) == JOBS).await;
    world.stop().await;

    let mut again = World::start_on("communities: []", Some(open(folder.path()).await), |_, _| {});
    again
        .until("what was kept", |view| view.operations.iter().count() == 18)
        .await;
    let view = again.view();
    assert!(
        view.operations
            .iter()
            .all(|row| row.outcome == Some(Outcome::Success))
    );
}

#[tokio::test]
async fn what_was_kept_is_shown_before_anything_else_happens() {
    let folder = TempDir::new().expect("a folder");
    let mut world = World::start_on(&fleet(), Some(open(folder.path()).await), quick);
    world.until("some ends", |view| ends(view) >= 2).await;
    let before = world.view();
    world.kill().await;
    let yaml = format!(
        "cloud: {{ endpoint: '127.0.0.1:1', tls: {{ enabled: false }}, auth: {{ anonymous: {{}} }} }}\n\
         watch: {{ projects: [vision] }}\nstorage: {{ path: '{}' }}\nweb: {{ listen_address: '127.0.0.1:0' }}\n",
        folder.path().display()
    );
    let config = Config::parse(&yaml, Path::new(""), &Flags::default(), |_| None).expect("a configuration");
    let app = App::bind(config).await.expect("an exporter that has not begun");
    let shown = app.views().view();
    assert!(
        ends(&shown) >= ends(&before),
        "the first scrape knows less than the last one"
    );
}
