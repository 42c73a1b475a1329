//! The stream of events: what changes, in order, to readers that come back and to those that are too slow.

use super::support::{self, Door, PATIENCE};
use crate::scene;
use datasphere_exporter::limits::{CHANGES_KEPT_MAX, EVENT_STREAMS_MAX};
use datasphere_exporter::model::{Change, Departure, Event, Kind, TrackedOperation, View};
use datasphere_exporter::web::Patience;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn change(key: u64, change: Change) -> Event {
    let row = TrackedOperation {
        operation_id: Some(format!("op{key}").parse().expect("an id")),
        ..scene::blank(key, Kind::Job)
    };
    Event {
        at: scene::now(),
        change,
        after: Arc::new(row),
    }
}

/// Makes changes, and publishes a view that shows them.
fn tell(door: &Door, keys: impl IntoIterator<Item = u64>) {
    for key in keys {
        door.views.note(&[change(key, Change::Updated)]);
    }
    door.views.publish(door.views.taken(View::default()));
}

#[tokio::test]
async fn a_change_is_told_once_the_view_shows_it_and_not_before() {
    let door = Door::open(View::default()).await;
    tell(&door, 1..=3);
    let mut events = door.events(None).await;
    assert_eq!(events.status(), 200);
    assert_eq!(events.content_type(), Some("text/event-stream"));
    let begin = events.next().await.expect("where it stands");
    assert!(begin.id.is_some() && begin.data.is_none(), "{begin:?}");
    door.views.note(&[change(4, Change::Left(Departure::Dismissed))]);
    tell(&door, [5]);
    let left = events.next().await.expect("an event");
    let data = left.data.expect("data");
    assert_eq!(
        (&data["change"], &data["reason"], &data["at"]),
        (
            &"left".into(),
            &"dismissed".into(),
            &scene::now().rfc3339().into()
        )
    );
    assert_eq!(data["operation"]["operation_id"], "op4");
    assert_eq!(data["id"].as_str(), left.id.as_deref());
    let next = events.next().await.expect("an event").data.expect("data");
    assert_eq!((&next["change"], next.get("reason")), (&"updated".into(), None));
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let door = Door::open(View::default()).await;
    let mut events = door.events(None).await;
    events.next().await.expect("where it stands");
    tell(&door, 1..=2);
    let seen = events.next().await.expect("an event").id.expect("an id");
    drop(events);
    tell(&door, 3..=300);
    let mut events = door.events(Some(&seen)).await;
    for key in 2..=300 {
        let event = events.next().await.expect("an event");
        assert_eq!(
            event.data.expect("data")["operation"]["operation_id"],
            format!("op{key}")
        );
    }
}

#[tokio::test]
async fn a_reader_that_missed_changes_is_told_to_list_anew() {
    let door = Door::open(View::default()).await;
    let mut events = door.events(None).await;
    let begin = events.next().await.expect("where it stands").id.expect("an id");
    drop(events);
    let kept = u64::try_from(CHANGES_KEPT_MAX).expect("small");
    tell(&door, 0..=kept);
    let newest = {
        let mut events = door.events(None).await;
        events.next().await.expect("where it stands").id.expect("an id")
    };
    let (run, _) = newest.split_once('-').expect("two parts");
    let of_the_future = format!("{run}-{}", u64::MAX);
    for lost in [begin.as_str(), "1-1", "nonsense", &of_the_future] {
        let mut events = door.events(Some(lost)).await;
        let reset = events.next().await.expect("an event");
        assert_eq!(reset.name.as_deref(), Some("reset"), "{lost}");
        assert_eq!(reset.id.as_ref(), Some(&newest), "{lost}");
        drop(events);
    }
    tell(&door, [7]);
    let mut events = door.events(Some(&newest)).await;
    assert!(events.next().await.expect("an event").data.is_some());
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_place_back() {
    let door = Door::open(View::default()).await;
    let mut open = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        let events = door.events(None).await;
        assert_eq!(events.status(), 200);
        open.push(events);
    }
    let refused = door.get("/api/v1/events").await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        door.get("/-/healthy").await.status,
        200,
        "others are still served"
    );
    open.pop();
    let let_in = async { while door.events(None).await.status() == 503 {} };
    tokio::time::timeout(PATIENCE, let_in)
        .await
        .expect("a free place");
}

#[tokio::test]
async fn a_stream_lives_longer_than_an_answer_may_take_and_ends_with_the_server() {
    let patience = Patience {
        answer_time_max: Duration::from_millis(200),
        ..Patience::default()
    };
    let server = |server: datasphere_exporter::web::Server| server.with_patience(patience);
    let mut door = Door::open_with(View::default(), support::settings(), server).await;
    let mut events = door.events(None).await;
    events.next().await.expect("where it stands");
    let begun = Instant::now();
    let mut key = 0;
    while begun.elapsed() < 2 * patience.answer_time_max {
        key += 1;
        tell(&door, [key]);
        assert!(events.next().await.expect("an event").data.is_some());
    }
    door.stop.cancel();
    door.ended().await;
    while events.next().await.is_some() {}
}
