//! gRPC: byte for byte what a direct call is.

use crate::gateway::support::{Caller, House, PATIENCE, Seen, ask, body, framed, refusal, whole};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

const METADATA: &[(&str, &str)] = &[
    ("authorization", "Bearer t1.caller"),
    ("user-agent", "grpc-python/1.60.0 grpc-c/37.0.0 (linux; chttp2)"),
    ("grpc-timeout", "30S"),
    ("grpc-accept-encoding", "identity, deflate, gzip"),
    ("grpc-encoding", "gzip"),
    ("x-blob-bin", "AAEC/w=="),
    ("x-blob-bin", "/w"),
    ("x-client-request-id", "cafe"),
    ("idempotency-key", "2b1e0c5a-3f0e-4c3e-8a52-a1b2c3d4e5f6"),
    (
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    ("tracestate", "rojo=00f067aa0ba902b7 , Not=Valid"),
];

#[tokio::test]
async fn a_call_through_the_gateway_is_byte_for_byte_a_direct_one() {
    let house = House::open().await;
    let shapes: [&[Bytes]; 4] = [
        &[framed(b"one")],
        &[framed(b"one"), framed(&vec![0xff; 100_000]), framed(b"")],
        &[],
        &[
            Bytes::from_static(b"\x01\0\0\0\x02no"),
            Bytes::from_static(b"t a frame of gRPC"),
        ],
    ];
    for parts in shapes {
        for path in [
            "/echo.Echo/Echo",
            "/echo.Echo/Refuse",
            "/yandex.cloud.ai.Some/Thing2?a=%20",
        ] {
            let direct = Caller::connect(house.upstream)
                .await
                .call(path, METADATA, parts)
                .await;
            let [seen_direct]: [Seen; 1] = house.take_seen().try_into().expect("one call");
            let passed = Caller::connect(house.gateway)
                .await
                .call(path, METADATA, parts)
                .await;
            let [seen_passed]: [Seen; 1] = house.take_seen().try_into().expect("one call");
            assert_eq!(passed, direct, "the answer of {path}");
            assert_eq!(seen_passed, seen_direct, "the call of {path}");
        }
    }
    assert_eq!(house.counted("other", "PERMISSION_DENIED"), 4);
    assert_eq!(house.counted("other", "OK"), 8);
}

#[tokio::test]
async fn a_refusal_without_a_body_stays_one() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, answering) = caller.open("/echo.Echo/Refuse", &[]);
    drop(outgoing);
    let response = answering.await.expect("an answer");
    assert!(hyper::body::Body::is_end_stream(response.body()), "trailers only");
    let mut expected = refusal();
    expected.insert("content-type", HeaderValue::from_static("application/grpc"));
    assert_eq!(response.headers(), &expected);
}

#[tokio::test]
async fn both_directions_of_a_stream_flow_at_once() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    let mut body = answering
        .await
        .expect("a head before the first message")
        .into_body();
    for round in 0..50_u32 {
        let message = framed(&round.to_be_bytes());
        outgoing
            .send(Ok(Frame::data(message.clone())))
            .await
            .expect("it listens");
        let frame = timeout(PATIENCE, body.frame()).await.expect("an echo in time");
        let echoed = frame
            .expect("a frame")
            .expect("no error")
            .into_data()
            .expect("data");
        assert_eq!(echoed, message);
    }
    drop(outgoing);
    let last = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(
        last.trailers_ref()
            .and_then(|trailers| trailers.get("grpc-status"))
            .expect("a status"),
        "0"
    );
}

#[tokio::test]
async fn a_caller_that_gives_up_ends_the_call_to_the_cloud() {
    let house = House::open().await;
    for path in ["/echo.Echo/Silence", "/echo.Echo/Nothing"] {
        let mut caller = Caller::connect(house.gateway).await;
        let (outgoing, answering) = caller.open(path, &[]);
        let mut answering = Box::pin(answering);
        let ended = house.told.open.borrow().1;
        let mut opened = house.told.open.subscribe();
        tokio::select! {
            response = &mut answering => {
                house.until(1, ended).await;
                drop(response.expect("a head").into_body());
            }
            _ = opened.wait_for(|counts| counts.0 == 1), if path.ends_with("Nothing") => drop(answering),
        }
        drop(outgoing);
        house.until(0, ended + 1).await;
        assert!(caller.is_open(), "and nothing else");
    }
}

#[tokio::test(start_paused = false)]
async fn a_call_that_outlasts_its_deadline_ends_with_its_status() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller
        .call("/echo.Echo/Nothing", &[("grpc-timeout", "10m")], &[])
        .await;
    assert_eq!(reply.headers.get("grpc-status").expect("a status"), "4");
    let (outgoing, answering) = caller.open("/echo.Echo/Silence", &[("grpc-timeout", "10m")]);
    let reply = whole(answering.await.expect("a head")).await;
    drop(outgoing);
    assert_eq!(status(reply.trailers.as_ref()), "4");
    house.until(0, 2).await;
    assert_eq!(house.counted("other", "DEADLINE_EXCEEDED"), 2);
}

fn status(trailers: Option<&HeaderMap>) -> String {
    let status = trailers.and_then(|trailers| trailers.get("grpc-status"));
    let status = status.and_then(|status| status.to_str().ok());
    status.unwrap_or("no status").to_owned()
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_unavailable_and_the_gateway_says_so() {
    let mut house = House::open().await;
    house.upstream_running.shutdown().await;
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers.get("grpc-status").expect("a status"), "14");
    let message = reply
        .headers
        .get("grpc-message")
        .expect("a message")
        .to_str()
        .expect("ascii");
    assert!(
        message.contains("gateway") && message.contains("refused"),
        "{message}"
    );
    assert_eq!(house.counted("other", "UNAVAILABLE"), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_a_status() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call("/echo.Echo/Break", &[], &[framed(b"one")]).await;
    assert_eq!(&*reply.body, b"part");
    assert_eq!(status(reply.trailers.as_ref()), "13", "{reply:?}");
    assert!(caller.is_open(), "and nothing else");
}

#[tokio::test]
async fn an_upstream_that_dies_in_mid_stream_ends_each_call_with_a_status() {
    let mut house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (_outgoing, answering) = caller.open("/echo.Echo/Silence", &[]);
    let response = answering.await.expect("a head");
    house.upstream_running.shutdown().await;
    let reply = timeout(PATIENCE, whole(response)).await.expect("an end in time");
    assert_eq!(status(reply.trailers.as_ref()), "14", "{reply:?}");
    assert!(caller.is_open(), "and nothing else");
}

#[tokio::test]
async fn an_answer_without_a_status_passes_as_it_is_and_counts_as_what_its_caller_takes_it_for() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call("/echo.Echo/Untold", &[], &[framed(b"one")]).await;
    assert_eq!((&*reply.body, reply.trailers), (&b"part"[..], None));
    assert_eq!(house.counted("other", "UNKNOWN"), 1);
    let reply = caller.call("/echo.Echo/Away", &[], &[framed(b"one")]).await;
    assert_eq!(reply.status, 502);
    assert_eq!(house.counted("other", "UNAVAILABLE"), 1);
    assert_eq!(house.counted("other", "CANCELLED"), 0);
}

#[tokio::test]
async fn callers_share_connections_to_the_cloud() {
    let house = House::open().await;
    for _ in 0..20 {
        let mut caller = Caller::connect(house.gateway).await;
        caller.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    }
    assert_eq!(house.told.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_end_of_the_exporter_lets_calls_finish_and_then_tells_them() {
    let mut house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (short, short_answering) = caller.open("/echo.Echo/Echo", &[]);
    let (_long, long_answering) = caller.open("/echo.Echo/Silence", &[]);
    let (short_response, long_response) = (
        short_answering.await.expect("a head"),
        long_answering.await.expect("a head"),
    );
    let (_headless, headless_answering) = caller.open("/echo.Echo/Nothing", &[]);
    let request = Request::get("/operations/Nothing").header("host", "x");
    let over_rest = ask(house.gateway, request.body(body(Vec::new())).expect("a request"));
    let mut over_rest = pin!(over_rest);
    tokio::select! {
        () = house.until(4, 0) => {}
        _ = over_rest.as_mut() => unreachable!("it is never answered"),
    }
    house.stop.cancel();
    short
        .send(Ok(Frame::data(framed(b"last"))))
        .await
        .expect("it listens");
    drop(short);
    assert_eq!(whole(short_response).await.body, framed(b"last"));
    let reply = timeout(PATIENCE, whole(long_response))
        .await
        .expect("an end in time");
    assert_eq!(status(reply.trailers.as_ref()), "14");
    // Those whose answer had not begun are told as well.
    let headless = timeout(PATIENCE, headless_answering).await.expect("in time");
    assert_eq!(status(Some(headless.expect("a head").headers())), "14");
    let refused = timeout(PATIENCE, over_rest).await.expect("in time");
    assert_eq!(refused.expect("a head").status(), 503);
    let ended = timeout(Duration::from_secs(10), house.running.join_next()).await;
    ended.expect("it ends").expect("a task").expect("without panic");
    assert!(house.deliveries.recv().await.is_none(), "the engine may end");
}
