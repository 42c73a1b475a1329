//! What an operator is told: lines, and whether the collector is up.

use crate::delivery::Protocol;
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::{Lines, PROTOCOLS, World, collector, to};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::Status;

fn refusal(protocol: Protocol) -> Reply {
    match protocol {
        Protocol::Grpc => Reply::Grpc(Status::invalid_argument("bad span")),
        Protocol::Http => Reply::Http(400, None),
    }
}

#[tokio::test]
async fn a_collector_that_refuses_everything_is_down_until_it_takes_something() {
    for protocol in PROTOCOLS {
        let (lines, _guard) = Lines::keep();
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let receiver = Receiver::start(move |_, _| {
            if mended.load(Ordering::SeqCst) {
                Reply::Taken
            } else {
                refusal(protocol)
            }
        })
        .await;
        let world = World::new().await;
        world.put(0..4).await;
        let mut delivery = world.delivery(to(collector(protocol, &receiver.url())));
        delivery.jobs.turn().await;
        assert_eq!(world.store.outbox().figures().set_aside, 4);
        assert_eq!(
            (world.up(), world.spans("rejected"), world.spans("exported")),
            (Some(false), 4, 0)
        );
        let told = lines.text();
        let answer = match protocol {
            Protocol::Grpc => "INVALID_ARGUMENT: bad span",
            Protocol::Http => "400: told 400",
        };
        for part in [
            answer,
            "refused=4",
            "taken=0",
            "trace_id=\"00000000010101010101010101010101\"",
            "span_name=0",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(told.matches("WARN").count(), 1, "one line for all: {told}");

        is_mended.store(true, Ordering::SeqCst);
        world.put(4..6).await;
        delivery.jobs.turn().await;
        assert_eq!((world.up(), world.spans("exported")), (Some(true), 2));
        assert_eq!(
            lines.text().matches("traces are taken again").count(),
            1,
            "{}",
            lines.text()
        );
    }
}

#[tokio::test]
async fn one_refused_span_among_others_is_told_with_those_that_were_taken() {
    for protocol in PROTOCOLS {
        let (lines, _guard) = Lines::keep();
        let receiver = Receiver::start(move |_, received| {
            if received.names().contains(&"5") {
                refusal(protocol)
            } else {
                Reply::Taken
            }
        })
        .await;
        let world = World::new().await;
        world.put(0..8).await;
        let mut delivery = world.delivery(to(collector(protocol, &receiver.url())));
        delivery.jobs.turn().await;
        let told = lines.text();
        for part in ["refused=1", "taken=7", "span_name=5"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("taken again"), "nothing failed as a whole: {told}");
        assert_eq!(world.up(), Some(true));
    }
}

#[tokio::test]
async fn what_waits_after_a_part_was_taken_has_an_end_that_is_told() {
    let (lines, _guard) = Lines::keep();
    let receiver = Receiver::start(|before, _| match before {
        0 => Reply::Http(413, None),
        2 => Reply::Http(503, None),
        _ => Reply::Taken,
    })
    .await;
    let world = World::new().await;
    world.put(0..4).await;
    let mut delivery = world.delivery(to(collector(Protocol::Http, &receiver.url())));
    delivery.jobs.turn().await;
    assert_eq!((world.spans("exported"), world.up()), (2, Some(false)));
    delivery.jobs.turn().await;
    assert_eq!((world.spans("exported"), world.up()), (4, Some(true)));
    let told = lines.text();
    assert_eq!(told.matches("traces are taken again").count(), 1, "{told}");
}

#[tokio::test]
async fn a_line_about_refused_spans_does_not_wait_for_a_slow_batch() {
    let (lines, _guard) = Lines::keep();
    let receiver = Receiver::start(|_, _| refusal(Protocol::Http)).await;
    let world = World::new().await;
    world.put(0..8).await;
    let mut delivery = world.delivery(to(collector(Protocol::Http, &receiver.url())));
    delivery.jobs.patience = Duration::ZERO;
    delivery.jobs.turn().await;
    assert_eq!(world.spans("rejected"), 8);
    assert_eq!(lines.text().matches("refused=1 ").count(), 1, "{}", lines.text());
    assert_eq!(
        lines.text().matches("refused=").count(),
        1,
        "the rest is held back"
    );
}

#[tokio::test]
async fn a_collector_that_takes_a_part_is_up_and_one_that_takes_none_of_it_is_not() {
    for (rejected, is_up) in [(1, true), (2, false)] {
        let receiver = Receiver::start(move |_, _| Reply::Partly(rejected, "too old")).await;
        let world = World::new().await;
        world.put(0..2).await;
        let mut delivery = world.delivery(to(collector(Protocol::Http, &receiver.url())));
        delivery.jobs.turn().await;
        assert_eq!(world.up(), Some(is_up), "{rejected} of 2 rejected");
    }
}

#[tokio::test]
async fn the_last_line_tells_what_waits_where_it_is_stored_and_what_is_lost_where_it_is_not() {
    for is_stored in [false, true] {
        let (lines, _guard) = Lines::keep();
        let receiver = Receiver::start(|_, _| Reply::Silence).await;
        let folder = tempfile::TempDir::new().expect("a folder");
        let mut world = World::at(is_stored.then(|| folder.path().to_owned())).await;
        world.put(0..3).await;
        let mut delivery = world.delivery(to(collector(Protocol::Http, &receiver.url())));
        delivery.grace = Duration::from_millis(50);
        world.run(delivery);
        receiver.until_requests(1).await;
        world.stop().await;
        let told = lines.text();
        let last = told.lines().last().expect("a line");
        let expected = if is_stored {
            ["waiting=3", "are sent after the next start"]
        } else {
            ["lost=3", "are lost: nothing is stored"]
        };
        for part in expected {
            assert!(last.contains(part), "{part}: {last}");
        }
        assert!(last.contains(&receiver.address.to_string()), "{last}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_at_the_end_leaves_a_line_and_one_that_took_all_leaves_none() {
    let (lines, _guard) = Lines::keep();
    let receiver = Receiver::start(|before, _| match before {
        0 => Reply::Taken,
        _ => Reply::Http(503, None),
    })
    .await;
    let mut world = World::new().await;
    world.put(0..3).await;
    world.start(to(collector(Protocol::Http, &receiver.url())));
    world.until_empty().await;
    world.stop().await;
    assert!(!lines.text().contains("lost"), "{}", lines.text());
    let mut world = World::new().await;
    world.put(0..3).await;
    world.start(to(collector(Protocol::Http, &receiver.url())));
    receiver.until_requests(2).await;
    world.stop().await;
    assert!(lines.text().contains("lost=3"), "{}", lines.text());
}

#[tokio::test]
async fn the_first_line_tells_where_traces_go_and_why_without_a_query() {
    let (lines, _guard) = Lines::keep();
    let receiver = Receiver::start(|_, _| Reply::Taken).await;
    let mut world = World::new().await;
    world.start(to(collector(
        Protocol::Http,
        &format!("{}/?key=k4n4ry", receiver.url()),
    )));
    world.stop().await;
    let told = lines.text();
    let first = told.lines().next().expect("a line");
    for part in [
        "operations are traced",
        &format!("{}/v1/traces", receiver.url()),
        "http/protobuf",
        "traces.endpoint",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    assert!(!told.contains("k4n4ry"), "{told}");
}
