//! A caller's own trace: what comes of it through the inbox, over a restart, and in what is sent.

use crate::gateway::support::{gateway, settings as gateway_settings};
use crate::support::{Setup, World, row};
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::{Clock, Timestamp};
use datasphere_exporter::model::{Labels, Record, Sighting, Source, Target, TraceContext, View};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs::project_job_service_client::ProjectJobServiceClient;
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs::{
    CreateProjectJobMetadata, CreateProjectJobRequest, ExecuteProjectJobRequest,
};
use datasphere_exporter::simulator::Handle;
use datasphere_exporter::store::{self, Store};
use datasphere_exporter::traces;
use datasphere_exporter::tracker::{CallerContext, TraceSettings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

const CALLERS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";
const CALLERS_STATE: &str = "rojo=00f067aa0ba902b7,ot=th:8";

/// A job that begins after half a second of real time and ends two seconds later.
const FLEET: &str = "speed: 600\ncommunities: [ { name: c, id: c, projects: [ { name: p, id: p, jobs: [ \
    { name: train, id: train, operation_id: op-train, start: 5m, timeline: [ \
    { status: CREATING, lasts: 5m }, { status: EXECUTING, lasts: 15m } ] } ] } ] } ]";

/// Whatever is executed ends within two seconds.
const NOBODY_YET: &str = "speed: 600\ncommunities: [ { name: c, id: c, projects: [ { name: p, id: p } ] } ]\n\
    created_jobs: [ { name: '*', timeline: [ { status: CREATING, lasts: 5m }, { status: EXECUTING, lasts: 15m } ] } ]";

fn traced(caller_context: CallerContext) -> impl FnOnce(&mut Setup, &Handle) {
    move |setup, _| {
        setup.cloud.requests_per_second = 1e6;
        setup.tracker.interval = Duration::from_millis(100);
        setup.tracker.interval_max = Duration::from_millis(200);
        setup.tracker.traces = Some(TraceSettings {
            caller_context,
            ..TraceSettings::default()
        });
        setup.traces = Some(traces::Settings::default());
    }
}

async fn open(folder: &Path) -> (Store, Vec<Record>) {
    let settings = store::Settings {
        path: Some(folder.to_owned()),
        ..store::Settings::default()
    };
    let clock = Clock::starting_at(Timestamp::from_seconds(1_700_000_000, 0).expect("in range"));
    let instruments = Instruments::new("0.0.0", "test", "test");
    Store::open(settings, clock, &instruments).await.expect("a store")
}

fn sighting() -> Sighting {
    Sighting {
        target: Target::Operation("op-train".parse().expect("an id")),
        source: Source::Api,
        labels: Labels::default(),
        trace_context: TraceContext::from_headers(
            &format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"),
            [CALLERS_STATE],
        ),
    }
}

/// Everything that waits for a collector, in its order.
async fn spans(store: &Store) -> Vec<Span> {
    let waiting = store.outbox().oldest(100).await.expect("entries");
    let decode = |bytes: &[u8]| ExportTraceServiceRequest::decode(bytes).expect("a request");
    let requests = waiting.iter().map(|(_, spans)| decode(&spans.bytes));
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

async fn until_the_end(world: &mut World) {
    let is_over = |view: &View| row(view, "op-train").is_some_and(|row| row.outcome.is_some());
    world.until("the end", is_over).await;
}

#[tokio::test]
async fn a_callers_span_is_the_parent_also_when_the_exporter_was_killed_before_the_first_look() {
    let folder = TempDir::new().expect("a folder");
    let mut world = World::start_on(
        FLEET,
        Some(open(folder.path()).await),
        traced(CallerContext::Parent),
    );
    world.sight(sighting()).await;
    world
        .until("the sighting", |view| row(view, "op-train").is_some())
        .await;
    world.kill().await;
    let (store, records) = open(folder.path()).await;
    world.watch(Some((store.clone(), records)), traced(CallerContext::Parent));
    until_the_end(&mut world).await;
    let spans = spans(&store).await;
    let root = spans.last().expect("a root");
    assert_eq!(root.name, "RUN train");
    assert_eq!(hex(&root.parent_span_id), CALLERS_SPAN);
    assert!(spans.len() >= 3, "{spans:?}");
    assert!(spans.iter().all(|span| span.trace_state == CALLERS_STATE));
    assert!(spans.iter().all(|span| hex(&span.trace_id) == CALLERS_TRACE));
}

#[tokio::test]
async fn a_caller_who_comes_after_the_first_span_is_linked() {
    let folder = TempDir::new().expect("a folder");
    let (store, records) = open(folder.path()).await;
    let mut world = World::start_on(
        FLEET,
        Some((store.clone(), records)),
        traced(CallerContext::Parent),
    );
    let anonymous = Sighting {
        trace_context: None,
        ..sighting()
    };
    world.sight(anonymous).await;
    world
        .until("a trace", |view| {
            row(view, "op-train").is_some_and(|row| row.trace.is_some())
        })
        .await;
    world.sight(sighting()).await;
    until_the_end(&mut world).await;
    let spans = spans(&store).await;
    let root = spans.last().expect("a root");
    assert!(root.parent_span_id.is_empty());
    assert!(spans.iter().all(|span| hex(&span.trace_id) != CALLERS_TRACE));
    let links: Vec<String> = root.links.iter().map(|link| hex(&link.span_id)).collect();
    assert_eq!(links, [CALLERS_SPAN]);
    assert_eq!(root.links[0].trace_state, CALLERS_STATE);
    assert!(spans.iter().all(|span| span.trace_state.is_empty()));
}

#[tokio::test]
async fn a_caller_is_a_link_or_nothing_where_that_is_configured() {
    for (caller_context, links) in [(CallerContext::Link, 1), (CallerContext::Ignore, 0)] {
        let folder = TempDir::new().expect("a folder");
        let (store, records) = open(folder.path()).await;
        let mut world = World::start_on(FLEET, Some((store.clone(), records)), traced(caller_context));
        world.sight(sighting()).await;
        until_the_end(&mut world).await;
        let spans = spans(&store).await;
        let root = spans.last().expect("a root");
        assert_eq!((root.links.len(), root.parent_span_id.len()), (links, 0));
        assert!(spans.iter().all(|span| hex(&span.trace_id) != CALLERS_TRACE));
    }
}

#[tokio::test]
async fn what_is_executed_through_the_gateway_is_traced_below_its_callers_span() {
    let folder = TempDir::new().expect("a folder");
    let (store, records) = open(folder.path()).await;
    let mut world = World::start_on(
        NOBODY_YET,
        Some((store.clone(), records)),
        traced(CallerContext::Parent),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = listener.local_addr().expect("an address");
    let (handle, stop) = (world.handle.clone(), CancellationToken::new());
    let mut running = JoinSet::new();
    let ended = stop.clone();
    running.spawn(async move {
        let incoming = TcpListenerStream::new(listener);
        drop(handle.serve_with_incoming(incoming, None, ended).await);
    });
    let (inbox, clock) = (world.inbox(), world.clock);
    let gateway = gateway(gateway_settings(), upstream, inbox, &world.instruments, clock).await;
    let address = format!("http://{}", gateway.address().expect("TCP"));
    running.spawn(gateway.run(stop.clone()));
    let mut client = ProjectJobServiceClient::connect(address)
        .await
        .expect("it listens");
    let mut roots = Vec::new();
    for (name, is_traced_at_execute) in [("made", false), ("executed", true)] {
        let mut create = Request::new(CreateProjectJobRequest {
            project_id: "p".to_owned(),
            name: name.to_owned(),
            ..CreateProjectJobRequest::default()
        });
        if !is_traced_at_execute {
            give_context(create.metadata_mut());
        }
        let made = client.create(create).await.expect("a job").into_inner();
        let made =
            CreateProjectJobMetadata::decode(&*made.metadata.expect("metadata").value).expect("a message");
        let mut execute = Request::new(ExecuteProjectJobRequest { job_id: made.job_id });
        if is_traced_at_execute {
            give_context(execute.metadata_mut());
        }
        let operation = client.execute(execute).await.expect("an execution").into_inner();
        let is_over = |view: &View| row(view, &operation.id).is_some_and(|row| row.outcome.is_some());
        world.until("the end", is_over).await;
        roots.push(format!("RUN {name}"));
    }
    stop.cancel();
    let spans = spans(&store).await;
    for root in roots {
        let root = spans.iter().find(|span| span.name == root).expect("a root");
        assert_eq!(hex(&root.trace_id), CALLERS_TRACE);
        assert_eq!(hex(&root.parent_span_id), CALLERS_SPAN);
        assert_eq!(root.trace_state, CALLERS_STATE);
    }
}

/// The headers of W3C, with the state in two of them, as it may come.
fn give_context(metadata: &mut MetadataMap) {
    let ascii = |value: &str| value.parse::<AsciiMetadataValue>().expect("ascii");
    let (first, second) = CALLERS_STATE.split_once(',').expect("two members");
    metadata.insert(
        "traceparent",
        ascii(&format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01")),
    );
    metadata.append("tracestate", ascii(first));
    metadata.append("tracestate", ascii(second));
}
