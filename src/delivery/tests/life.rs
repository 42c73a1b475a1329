//! A delivery from its first request to its last.

use crate::delivery::answer::Verdict;
use crate::delivery::batch::Batch;
use crate::delivery::console::Console;
use crate::delivery::sender::Sender;
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::{Lines, PATIENCE, PROTOCOLS, World, collector, entry, named, to};
use crate::delivery::{Next, Protocol};
use crate::limits::{OTLP_BATCH_BYTES_MAX, OTLP_BATCH_SPANS_MAX};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn spans_arrive_once_and_in_order_over_both_protocols_compressed_or_not() {
    for protocol in PROTOCOLS {
        for is_compressed in [false, true] {
            let receiver = Receiver::start(|_, _| Reply::Taken).await;
            let mut world = World::new().await;
            world.put(0..1200).await;
            let mut collector = collector(protocol, &receiver.url());
            collector.is_compressed = is_compressed;
            world.start(to(collector));
            world.until_empty().await;
            world.put(1200..1201).await;
            receiver.until_requests(4).await;
            world.until_empty().await;
            let expected: Vec<String> = (0..1201).map(|number| number.to_string()).collect();
            assert_eq!(receiver.names(), expected, "{protocol:?}");
            let requests = receiver.requests();
            let full = usize::try_from(OTLP_BATCH_SPANS_MAX).expect("small");
            assert!(requests.iter().all(|received| received.names().len() <= full));
            let coding = ["content-encoding", "grpc-encoding"]
                .iter()
                .any(|name| requests[0].headers.contains_key(*name));
            assert_eq!(coding, is_compressed);
            assert_eq!(world.spans("exported"), 1201);
            assert_eq!(world.up(), Some(true));
            world.stop().await;
        }
    }
}

#[tokio::test]
async fn a_batch_is_the_bytes_of_its_entries_and_no_more_of_them_than_fit() {
    let world = World::new().await;
    world.put(0..10).await;
    let oldest = world.store.outbox().oldest(100).await.expect("entries");
    let one = entry(0).bytes.len();
    let bytes: Vec<u8> = (0..10).flat_map(|number| entry(number).bytes).collect();
    let whole = Batch::of(oldest.clone(), OTLP_BATCH_BYTES_MAX).expect("a batch");
    assert_eq!(whole.body(), bytes);
    assert_eq!(
        Batch::of(oldest.clone(), 3 * one + 1).map(|batch| batch.count()),
        Some(3)
    );
    assert_eq!(
        Batch::of(oldest, 1).map(|batch| batch.count()),
        Some(1),
        "at least one"
    );
    assert!(Batch::of(Vec::new(), 1).is_none());
}

#[tokio::test]
async fn whoever_is_killed_between_sending_and_marking_sends_the_same_bytes_again() {
    for protocol in PROTOCOLS {
        let receiver =
            Receiver::start(|before, _| if before == 0 { Reply::Silence } else { Reply::Taken }).await;
        let mut world = World::new().await;
        world.put(0..20).await;
        world.start(to(collector(protocol, &receiver.url())));
        receiver.until_requests(1).await;
        world.running.shutdown().await;
        assert_eq!(world.store.outbox().figures().waiting, 20);
        world.start(to(collector(protocol, &receiver.url())));
        world.until_empty().await;
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(
            requests[0].request.encode_to_vec(),
            requests[1].request.encode_to_vec()
        );
        world.stop().await;
    }
}

#[tokio::test]
async fn at_the_end_what_waits_is_sent_once_more() {
    let receiver = Receiver::start(|_, _| Reply::Taken).await;
    let mut world = World::new().await;
    let mut delivery = world.delivery(to(collector(Protocol::Grpc, &receiver.url())));
    delivery.jobs.linger = Duration::from_hours(1);
    world.run(delivery);
    world.put(0..600).await;
    let store = world.store.clone();
    world.stop().await;
    assert_eq!(receiver.names().len(), 600);
    assert_eq!(store.outbox().figures().waiting, 0);
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_up_no_end() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(|_, _| Reply::Silence).await;
        let mut world = World::new().await;
        world.put(0..3).await;
        let mut delivery = world.delivery(to(collector(protocol, &receiver.url())));
        delivery.grace = Duration::from_millis(100);
        world.run(delivery);
        receiver.until_requests(1).await;
        let (store, begun_at) = (world.store.clone(), Instant::now());
        timeout(PATIENCE, world.stop()).await.expect("an end");
        assert!(begun_at.elapsed() < Duration::from_secs(5));
        assert_eq!(store.outbox().figures().waiting, 3, "they stay");
    }
}

/// A span with something of everything.
fn failed_run() -> Vec<u8> {
    let mut request =
        ExportTraceServiceRequest::decode(named(1, "RUN train").bytes.as_slice()).expect("OTLP");
    let of_resource = &mut request.resource_spans[0];
    of_resource.resource = Some(Resource {
        attributes: vec![pair("service.name", Value::StringValue("datasphere".to_owned()))],
        ..Resource::default()
    });
    let span = &mut of_resource.scope_spans[0].spans[0];
    span.kind = SpanKind::Server.into();
    span.parent_span_id = vec![7; 8];
    span.attributes = vec![
        pair("process.exit.code", Value::IntValue(137)),
        pair("datasphere.job.progress", Value::DoubleValue(0.5)),
    ];
    span.status = Some(Status {
        message: "nonzero exit".to_owned(),
        code: StatusCode::Error.into(),
    });
    span.links = vec![Link {
        trace_id: vec![8; 16],
        span_id: vec![9; 8],
        ..Link::default()
    }];
    request.encode_to_vec()
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Gives what is written to a test.
struct Pipe(mpsc::Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_console_prints_a_line_for_each_span() {
    let (sender, printed) = mpsc::channel();
    let console = Console::new(Pipe(sender));
    let bytes = [failed_run(), entry(2).bytes].concat();
    let answer = console.print(Bytes::from(bytes)).await;
    assert_eq!(answer.verdict, Verdict::Taken { rejected: 0 });
    let printed: Vec<u8> = printed.try_iter().flatten().collect();
    insta::assert_snapshot!(String::from_utf8(printed).expect("text"));
    let answer = console.print(Bytes::from_static(b"\xff")).await;
    assert_eq!(answer.verdict, Verdict::Refused);
}

/// Takes everything, but fails to bring the first so many of it out.
struct Full {
    failures: usize,
    pipe: Pipe,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pipe.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failures == 0 {
            return Ok(());
        }
        self.failures -= 1;
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[tokio::test]
async fn what_could_not_be_printed_waits_and_is_printed_later() {
    let (lines, _guard) = Lines::keep();
    let (sender, printed) = mpsc::channel();
    let mut world = World::new().await;
    world.put(0..3).await;
    let mut delivery = world.delivery(to(collector(Protocol::Http, "http://localhost")));
    let pipe = Pipe(sender);
    delivery.jobs.sender = Sender::Console(Console::new(Full { failures: 2, pipe }));
    for failures in 1..=2 {
        assert!(matches!(delivery.jobs.turn().await, Next::After(_)));
        assert_eq!(world.store.outbox().figures().waiting, 3);
        assert_eq!(
            (world.requests("connection"), world.spans("exported")),
            (failures, 0)
        );
        assert_eq!(world.up(), Some(false));
    }
    let told = lines.text();
    assert_eq!(
        told.matches("standard output cannot be written").count(),
        1,
        "{told}"
    );
    world.run(delivery);
    world.until_empty().await;
    assert_eq!((world.spans("exported"), world.up()), (3, Some(true)));
    assert!(printed.try_iter().count() >= 3);
    assert!(lines.text().contains("traces are taken again"));
    world.stop().await;
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_any_more_is_a_failure_and_no_end() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let console = Console::new(writer);
    for _ in 0..2 {
        let answer = console.print(Bytes::from(entry(1).bytes)).await;
        assert_eq!(answer.verdict, Verdict::Again { after: None }, "{answer}");
        assert!(answer.to_string().contains("Broken pipe"), "{answer}");
    }
}
