//! What goes wrong between us and a collector.

use crate::delivery::Protocol;
use crate::delivery::answer::Verdict;
use crate::delivery::sender::Sender;
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::{Lines, PATIENCE, PROTOCOLS, World, at, collector, entry, to};
use crate::delivery::{Exporter, Headers};
use bytes::Bytes;
use http::HeaderValue;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::Status;
use tonic::metadata::MetadataMap;

#[tokio::test]
async fn an_outage_ends_and_everything_arrives() {
    for protocol in PROTOCOLS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let mut world = World::new().await;
        world.put(0..700).await;
        let mut delivery = world.delivery(to(collector(protocol, &format!("http://{address}"))));
        for _ in 0..3 {
            delivery.jobs.turn().await;
        }
        assert_eq!((world.requests("connection"), world.up()), (3, Some(false)));
        let receiver = Receiver::start_at(&address, None, |_, _| Reply::Taken).await;
        world.run(delivery);
        world.until_empty().await;
        assert_eq!(receiver.names().len(), 700);
        assert_eq!(world.up(), Some(true));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_collector_that_falls_silent_is_left_and_asked_over_a_new_connection() {
    for protocol in PROTOCOLS {
        let receiver =
            Receiver::start(|before, _| if before == 0 { Reply::Silence } else { Reply::Taken }).await;
        let mut world = World::new().await;
        world.put(0..1).await;
        let mut collector = collector(protocol, &receiver.url());
        collector.timeout = Duration::from_millis(200);
        world.start(to(collector));
        world.until_empty().await;
        assert!(world.requests("timeout") >= 1);
        let requests = receiver.requests();
        assert_eq!(requests[0].request, requests[1].request);
        world.stop().await;
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let flood = tokio::task::JoinSet::from_iter([async move {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n")
            .await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    }]);
    let exporter = Exporter::Collector(Box::new(collector(Protocol::Http, &address)));
    let mut sender = Sender::new(exporter).expect("settings that hold");
    let answer = timeout(PATIENCE, sender.send(Bytes::from(entry(1).bytes), at(0))).await;
    let answer = answer.expect("an end");
    assert_eq!(answer.verdict, Verdict::Misconfigured, "{answer}");
    drop(flood);
}

#[tokio::test]
async fn details_that_are_no_base64_end_nothing() {
    let receiver = Receiver::start(|before, _| {
        if before > 0 {
            return Reply::Taken;
        }
        let mut metadata = MetadataMap::new().into_headers();
        metadata.insert("grpc-status-details-bin", HeaderValue::from_static("%%%"));
        let metadata = MetadataMap::from_headers(metadata);
        Reply::Grpc(Status::with_metadata(tonic::Code::Unavailable, "", metadata))
    })
    .await;
    let mut world = World::new().await;
    world.put(0..1).await;
    world.start(to(collector(Protocol::Grpc, &receiver.url())));
    world.until_empty().await;
    assert_eq!(world.spans("exported"), 1);
    world.stop().await;
}

#[tokio::test]
async fn headers_arrive_and_an_echo_of_them_reaches_neither_the_log_nor_a_reason() {
    let (lines, _guard) = Lines::keep_all();
    for (protocol, message) in [
        (Protocol::Grpc, "the key k4n4ry is bad"),
        (Protocol::Http, "the key k4n4ry is worse"),
    ] {
        let receiver = Receiver::start(move |before, _| match protocol {
            _ if before > 1 => Reply::Taken,
            Protocol::Grpc if before == 0 => Reply::Grpc(Status::unauthenticated(message)),
            Protocol::Grpc => Reply::Grpc(Status::invalid_argument(message)),
            Protocol::Http => Reply::Partly(1, message),
        })
        .await;
        let mut collector = collector(protocol, &receiver.url());
        collector.headers = Headers::parse("api-key=k4n4ry,x-tenant=lab").expect("headers");
        let shown = format!("{collector:?}");
        assert!(!shown.contains("k4n4ry") && shown.contains("api-key"), "{shown}");
        let mut world = World::new().await;
        world.put(0..1).await;
        world.start(to(collector));
        world.until_empty().await;
        let request = &receiver.requests()[0];
        assert_eq!(request.headers["api-key"], "k4n4ry");
        assert_eq!(request.headers["x-tenant"], "lab");
        let agent = request.headers["user-agent"].to_str().expect("ascii");
        assert!(agent.starts_with("datasphere-exporter/"), "{agent}");
        world.stop().await;
    }
    let told = lines.text();
    assert!(
        told.contains("the key *** is bad") && told.contains("the key *** is worse"),
        "{told}"
    );
    assert!(!told.contains("k4n4ry"), "{told}");
}
