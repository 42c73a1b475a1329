use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::engine::telling::{Keeping, Telling};
use crate::flow::{ViewReader, ViewWriter};
use crate::limits::EVENTS_WAITING_MAX;
use crate::model::{JobStatus, ListingScope};
use crate::store::{self, Store};
use crate::traces::{self, Encoder};
use crate::tracker::tests::story::{Story, at, job};
use std::sync::Arc;
use tokio::sync::oneshot;

async fn telling() -> (Telling, Store, ViewReader) {
    let instruments = Instruments::new("1.2.3", "abc", "1.95.0");
    let opened = Store::open(
        store::Settings::default(),
        Clock::starting_at(at(0)),
        &instruments,
    )
    .await;
    let (store, _) = opened.expect("a store in memory");
    let (writer, views) = ViewWriter::new();
    let keeping = Keeping {
        store: store.clone(),
        encoder: Some(Arc::new(Encoder::new(traces::Settings::default()))),
    };
    (Telling::new(writer, Some(keeping)), store, views)
}

/// A story in which so many jobs are listed as running.
fn listed(jobs: usize) -> Story {
    let mut story = Story::traced();
    let jobs = (0..jobs).map(|number| job(&format!("j{number}"), JobStatus::Executing));
    story.list(ListingScope::Live, jobs.collect());
    story
}

#[tokio::test]
async fn a_fleet_that_is_listed_at_once_loses_no_span_while_the_store_works() {
    let (mut telling, store, _views) = telling().await;
    let jobs = EVENTS_WAITING_MAX / 2;
    let mut fleet = listed(jobs);
    telling.note(&fleet.events);
    telling.tell(&mut fleet.tracker);
    telling.committed().await;
    let figures = store.outbox().figures();
    assert_eq!(
        (figures.waiting, figures.dropped_total),
        (u64::try_from(jobs).expect("few"), 0)
    );
}

#[tokio::test]
async fn what_was_told_beside_a_slow_commit_is_committed_when_that_comes_back() {
    let (mut telling, store, views) = telling().await;
    let (come_back, slow) = oneshot::channel();
    telling
        .commits
        .spawn(async move { slow.await.expect("to come back") });
    let mut fleet = listed(1);
    telling.note(&fleet.events);
    telling.tell(&mut fleet.tracker);
    assert_eq!(
        views.view().operations.iter().count(),
        1,
        "told without its commit"
    );
    come_back.send(true).expect("a commit that waits");
    telling.committed().await;
    assert!(telling.is_retry_due());
    telling.tell(&mut fleet.tracker);
    telling.committed().await;
    assert!(!telling.is_retry_due());
    assert_eq!(store.outbox().figures().waiting, 1);
}
