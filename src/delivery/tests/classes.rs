//! Each class of answer, as a table and on the wire.

use crate::delivery::answer::{Answer, Verdict};
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::{PROTOCOLS, World, collector, to};
use crate::delivery::{Protocol, Settings};
use crate::model::Text;
use crate::proto::google::rpc;
use http::StatusCode;
use prost::{Message, Name};
use std::time::Duration;
use tonic::{Code, Status};

/// A status with `RetryInfo`.
fn patient(code: Code, seconds: i64) -> Status {
    let info = rpc::RetryInfo {
        retry_delay: Some(prost_types::Duration { seconds, nanos: 0 }),
    };
    let details = rpc::Status {
        details: vec![prost_types::Any {
            type_url: rpc::RetryInfo::type_url(),
            value: info.encode_to_vec(),
        }],
        ..rpc::Status::default()
    };
    Status::with_details(code, "patience", details.encode_to_vec().into())
}

#[test]
fn every_code_of_grpc_has_the_meaning_that_otlp_gives_it() {
    let verdict = |status: &Status| Answer::of_grpc(status, Text::default()).verdict;
    let again = Verdict::Again { after: None };
    for (code, expected) in [
        (Code::Cancelled, again),
        (Code::Unknown, Verdict::Refused),
        (Code::InvalidArgument, Verdict::Refused),
        (Code::DeadlineExceeded, again),
        (Code::NotFound, Verdict::Refused),
        (Code::AlreadyExists, Verdict::Refused),
        (Code::PermissionDenied, Verdict::Misconfigured),
        (Code::ResourceExhausted, Verdict::Refused),
        (Code::FailedPrecondition, Verdict::Refused),
        (Code::Aborted, again),
        (Code::OutOfRange, again),
        (Code::Unimplemented, Verdict::Misconfigured),
        (Code::Internal, Verdict::Refused),
        (Code::Unavailable, again),
        (Code::DataLoss, again),
        (Code::Unauthenticated, Verdict::Misconfigured),
    ] {
        assert_eq!(verdict(&Status::new(code, "")), expected, "{code:?}");
    }
    let after = Some(Duration::from_secs(3));
    for code in [Code::ResourceExhausted, Code::Unavailable] {
        assert_eq!(verdict(&patient(code, 3)), Verdict::Again { after }, "{code:?}");
    }
    let large = Status::resource_exhausted("grpc: received message larger than max (5 vs. 4)");
    assert_eq!(verdict(&large), Verdict::TooLarge);
}

#[test]
fn every_status_of_http_has_the_meaning_that_otlp_gives_it() {
    let again = Verdict::Again { after: None };
    for (status, expected) in [
        (301, Verdict::Misconfigured),
        (400, Verdict::Refused),
        (401, Verdict::Misconfigured),
        (403, Verdict::Misconfigured),
        (404, Verdict::Misconfigured),
        (405, Verdict::Misconfigured),
        (408, Verdict::Refused),
        (413, Verdict::TooLarge),
        (422, Verdict::Refused),
        (429, again),
        (500, Verdict::Refused),
        (501, Verdict::Refused),
        (502, again),
        (503, again),
        (504, again),
    ] {
        let code = StatusCode::from_u16(status).expect("a status");
        let answer = Answer::of_http(code, None, Text::default());
        assert_eq!((answer.verdict, answer.code.as_ref()), (expected, code.as_str()));
    }
    let made_up = StatusCode::from_u16(799).expect("a status");
    assert_eq!(Answer::of_http(made_up, None, Text::default()).code, "(other)");
}

fn settings(protocol: Protocol, receiver: &Receiver) -> Settings {
    to(collector(protocol, &receiver.url()))
}

#[tokio::test]
async fn what_may_be_sent_again_is_sent_again_and_arrives() {
    let grpc = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ];
    let http = [429, 502, 503, 504, 429, 503];
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |before, _| match protocol {
            _ if before == grpc.len() => Reply::Taken,
            Protocol::Grpc => Reply::Grpc(Status::new(grpc[before], "later")),
            Protocol::Http => Reply::Http(http[before], None),
        })
        .await;
        let mut world = World::new().await;
        world.put(0..3).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        assert_eq!(receiver.requests().len(), grpc.len() + 1);
        assert_eq!((world.spans("exported"), world.spans("rejected")), (3, 0));
        assert_eq!(world.up(), Some(true));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_collector_is_not_asked_before_the_time_it_told() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |before, _| match protocol {
            _ if before > 0 => Reply::Taken,
            Protocol::Grpc => Reply::Grpc(patient(Code::ResourceExhausted, 1)),
            Protocol::Http => Reply::Http(503, Some("1")),
        })
        .await;
        let mut world = World::new().await;
        world.put(0..1).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        let requests = receiver.requests();
        let waited = requests[1].at - requests[0].at;
        assert!(waited >= Duration::from_secs(1), "{protocol:?}: {waited:?}");
        world.stop().await;
    }
}

#[tokio::test]
async fn what_a_collector_rejects_of_a_batch_is_counted_and_not_sent_again() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(|_, _| Reply::Partly(2, "too old")).await;
        let mut world = World::new().await;
        world.put(0..5).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        assert_eq!((world.spans("exported"), world.spans("rejected")), (3, 2));
        world.stop().await;
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_collector_that_rejects_more_than_it_got_is_not_believed() {
    let receiver = Receiver::start(|before, _| Reply::Partly([i64::MAX, i64::MIN][before], "")).await;
    let mut world = World::new().await;
    world.put(0..5).await;
    world.start(settings(Protocol::Http, &receiver));
    world.until_empty().await;
    assert_eq!((world.spans("exported"), world.spans("rejected")), (0, 5));
    world.put(5..7).await;
    receiver.until_requests(2).await;
    world.until_empty().await;
    assert_eq!((world.spans("exported"), world.spans("rejected")), (2, 5));
    world.stop().await;
}

#[tokio::test]
async fn one_bad_span_is_set_aside_and_takes_no_other_with_it() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |_, received| {
            let is_bad = received.names().contains(&"317");
            match protocol {
                _ if !is_bad => Reply::Taken,
                Protocol::Grpc => Reply::Grpc(Status::invalid_argument("bad span")),
                Protocol::Http => Reply::Http(400, None),
            }
        })
        .await;
        let mut world = World::new().await;
        world.put(0..512).await;
        world.start(settings(protocol, &receiver));
        world
            .until(|figures| figures.waiting == 0 && figures.set_aside == 1)
            .await;
        assert_eq!((world.spans("exported"), world.spans("rejected")), (511, 1));
        world.stop().await;
        let requests = receiver.requests();
        let taken = requests
            .iter()
            .filter(|received| !received.names().contains(&"317"));
        let mut names: Vec<u32> = taken
            .flat_map(|received| {
                received
                    .names()
                    .into_iter()
                    .map(|name| name.parse().expect("a number"))
            })
            .collect();
        assert!(names.is_sorted(), "the order stays");
        names.dedup();
        assert_eq!(names.len(), 511, "each once");
        assert!(requests.len() <= 20, "{} requests", requests.len());
    }
}

#[tokio::test]
async fn while_we_are_refused_nothing_is_lost() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |before, _| match protocol {
            _ if before >= 3 => Reply::Taken,
            Protocol::Grpc => Reply::Grpc(Status::unauthenticated("who are you?")),
            Protocol::Http => Reply::Http(401, None),
        })
        .await;
        let mut world = World::new().await;
        world.put(0..4).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        let code = match protocol {
            Protocol::Grpc => "UNAUTHENTICATED",
            Protocol::Http => "401",
        };
        assert_eq!(world.requests(code), 3);
        assert_eq!((world.spans("exported"), world.spans("rejected")), (4, 0));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_collector_that_wants_less_gets_less_from_then_on() {
    const BYTES_MAX: usize = 1000;
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |_, received| match protocol {
            _ if received.bytes() <= BYTES_MAX => Reply::Taken,
            Protocol::Grpc => Reply::Grpc(Status::resource_exhausted("message larger than max")),
            Protocol::Http => Reply::Http(413, None),
        })
        .await;
        let mut world = World::new().await;
        world.put(0..200).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        let first = receiver.requests().len();
        world.put(200..400).await;
        world.until_empty().await;
        assert_eq!(world.spans("exported"), 400);
        let later = receiver.requests().split_off(first);
        assert!(later.iter().all(|received| received.bytes() <= BYTES_MAX));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_span_that_is_too_large_by_itself_does_not_make_requests_smaller() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(move |_, received| match protocol {
            _ if !received.names().contains(&"7") => Reply::Taken,
            Protocol::Grpc => Reply::Grpc(Status::resource_exhausted("message larger than max")),
            Protocol::Http => Reply::Http(413, None),
        })
        .await;
        let mut world = World::new().await;
        world.put(0..64).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        let first = receiver.requests().len();
        world.put(64..128).await;
        world.until_empty().await;
        assert_eq!((world.spans("exported"), world.spans("rejected")), (127, 1));
        assert_eq!(receiver.requests().len(), first + 1, "{protocol:?}");
        world.stop().await;
    }
}

#[tokio::test]
async fn what_answers_with_a_page_is_no_collector_and_gets_nothing() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(|before, _| if before < 2 { Reply::Page } else { Reply::Taken }).await;
        let mut world = World::new().await;
        world.put(0..2).await;
        world.start(settings(protocol, &receiver));
        world.until_empty().await;
        assert_eq!(receiver.requests().len(), 3, "{protocol:?}");
        assert_eq!(world.spans("exported"), 2);
        world.stop().await;
    }
}
