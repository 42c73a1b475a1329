//! The exporter's own traces.

use crate::delivery::tests::receiver::{Received, Receiver, Reply};
use crate::delivery::tests::{PROTOCOLS, World, collector, to};
use crate::delivery::{OwnSettings, OwnTraces, Protocol, Sampling, Settings};
use crate::limits::OWN_SPANS_MAX;
use futures_util::FutureExt;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn traces(sampling: Sampling, attributes: &[(&str, &str)]) -> OwnTraces {
    let attributes = attributes.iter();
    OwnTraces::new(OwnSettings {
        resource_attributes: attributes
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        sampling,
        is_parent_based: true,
    })
}

fn record(own: &OwnTraces) -> DefaultGuard {
    tracing_subscriber::registry().with(own.layer()).set_default()
}

fn settings(protocol: Protocol, receiver: &Receiver, own: OwnTraces) -> Settings {
    Settings {
        own: Some(own),
        ..to(collector(protocol, &receiver.url()))
    }
}

fn call(name: &str) {
    let span = tracing::info_span!(target: "datasphere_exporter::cloud::attempt", "call", "otel.name" = name, "otel.kind" = "client");
    let _inside = span.enter();
    tracing::info!(target: "datasphere_exporter::cloud::call", "an event is no part of a span");
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let pair = attributes.iter().find(|pair| pair.key == key)?;
    match &pair.value {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => Some(text.clone()),
        _ => None,
    }
}

fn own_spans(world: &World, outcome: &str) -> u64 {
    let counter = &world.instruments.self_spans_total;
    counter.with_label_values(&[outcome]).get()
}

#[tokio::test]
async fn spans_of_this_program_are_sent_and_sending_them_makes_none() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(|_, _| Reply::Taken).await;
        let own = traces(Sampling::Always, &[("service.name", "watcher"), ("team", "nlp")]);
        let _guard = record(&own);
        let mut world = World::new().await;
        world.put(0..3).await;
        world.start(settings(protocol, &receiver, own));
        world.until_empty().await;
        call("Service/Get");
        drop(tracing::info_span!(target: "hyper", "a library's"));
        drop(tracing::info_span!(target: "datasphere_exporter::delivery::sender", "of the sending"));
        drop(tracing::debug_span!(target: "datasphere_exporter::cloud", "a detail"));
        let instruments = world.instruments.clone();
        world.stop().await;
        let requests = receiver.requests();
        let [_, of_own] = requests.as_slice() else {
            panic!("{} requests", requests.len())
        };
        let spans: Vec<_> = of_own.spans().collect();
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert_eq!(spans[0].name, "Service/Get");
        assert!(spans[0].events.is_empty());
        let of_resource = &of_own.request.resource_spans[0];
        let attributes = &of_resource.resource.as_ref().expect("a resource").attributes;
        assert_eq!(text(attributes, "service.name").as_deref(), Some("watcher"));
        assert_eq!(text(attributes, "team").as_deref(), Some("nlp"));
        assert_eq!(
            text(attributes, "service.version").as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        let scope = of_resource.scope_spans[0].scope.as_ref().expect("a scope");
        assert_eq!(scope.name, "datasphere-exporter/self");
        let exported = instruments
            .self_spans_total
            .with_label_values(&["exported"])
            .get();
        assert_eq!(exported, 1);
    }
}

#[tokio::test]
async fn without_a_name_they_have_that_of_the_program() {
    let receiver = Receiver::start(|_, _| Reply::Taken).await;
    let own = traces(Sampling::Ratio(1.0), &[]);
    let _guard = record(&own);
    let mut world = World::new().await;
    world.start(settings(Protocol::Http, &receiver, own));
    call("Service/Get");
    world.stop().await;
    let requests: Vec<Received> = receiver.requests();
    let resource = requests[0].request.resource_spans[0].resource.as_ref();
    let attributes = &resource.expect("a resource").attributes;
    assert_eq!(
        text(attributes, "service.name").as_deref(),
        Some("datasphere-exporter")
    );
}

#[tokio::test]
async fn what_is_not_sampled_is_neither_sent_nor_lost() {
    let receiver = Receiver::start(|_, _| Reply::Taken).await;
    for sampling in [Sampling::Never, Sampling::Ratio(0.0)] {
        let own = traces(sampling, &[]);
        let _guard = record(&own);
        let mut world = World::new().await;
        world.start(settings(Protocol::Http, &receiver, own));
        call("Service/Get");
        let instruments = world.instruments.clone();
        world.stop().await;
        let dropped = instruments.self_spans_total.with_label_values(&["dropped"]);
        assert_eq!((receiver.requests().len(), dropped.get()), (0, 0));
    }
}

#[tokio::test]
async fn what_finds_no_room_or_no_collector_is_lost_and_counted() {
    let receiver = Receiver::start(|_, _| Reply::Http(503, None)).await;
    let own = traces(Sampling::Always, &[]);
    let _guard = record(&own);
    let world = World::new().await;
    let delivery = world.delivery(settings(Protocol::Http, &receiver, own));
    for _ in 0..OWN_SPANS_MAX + 5 {
        call("Service/Get");
    }
    let stopped = world.stop.clone();
    stopped.cancel();
    delivery.run(stopped.clone(), stopped).await;
    let lost = u64::try_from(OWN_SPANS_MAX + 5).expect("small");
    assert_eq!(
        (own_spans(&world, "dropped"), own_spans(&world, "exported")),
        (lost, 0)
    );
}

#[tokio::test]
async fn a_sender_that_is_cut_short_leaves_the_queue_to_whoever_takes_its_place() {
    let first = Receiver::start(|_, _| Reply::Taken).await;
    let second = Receiver::start(|_, _| Reply::Taken).await;
    let own = traces(Sampling::Always, &[]);
    let _guard = record(&own);
    let mut world = World::new().await;
    let delivery = world.delivery(settings(Protocol::Http, &first, own.clone()));
    let mut running = Box::pin(delivery.run(world.stop.clone(), world.stop.clone()));
    assert!(running.as_mut().now_or_never().is_none(), "it waits for a span");
    assert!(own.queue_is_lent(), "nobody else sends meanwhile");
    drop(running);
    world.start(settings(Protocol::Http, &second, own));
    call("Service/Get");
    world.stop().await;
    assert_eq!(first.names(), Vec::<String>::new());
    assert_eq!(second.names(), ["Service/Get"]);
}
