//! What keeping costs: a fleet in which every operation changes its status at every look, with store and traces on
//! and with both off, in turn.
//!
//! `keeping` alone measures CPU time against a cloud and a collector in a process of their own, and prints the ratio;
//! `keeping serve` is that process.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run says so and ends"
)]

use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{self, Auth, Client, Endpoints};
use datasphere_exporter::delivery::{self, Collector, Delivery, Endpoint, Exporter, Headers, Protocol};
use datasphere_exporter::engine::{self, Engine, Keeping};
use datasphere_exporter::flow::{Inbox, ViewWriter};
use datasphere_exporter::model::{Input, Labels, Sighting, Source, Target, View};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs;
use datasphere_exporter::proto::yandex::cloud::operation::operation_service_server::{
    OperationService, OperationServiceServer,
};
use datasphere_exporter::proto::yandex::cloud::operation::{GetOperationRequest, Operation, operation};
use datasphere_exporter::store::{self, Store};
use datasphere_exporter::traces::{self, Encoder};
use datasphere_exporter::tracker::{self, Tracker};
use prost_types::{Any, Timestamp};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

const ROUNDS: usize = 5;
/// Operations that begin one after the other, so that a thousand looks and changes fall into each second.
const OPERATIONS: usize = 2_000;
const INTERVAL: Duration = Duration::from_secs(2);
const STATUSES: [jobs::JobStatus; 5] = [
    jobs::JobStatus::Creating,
    jobs::JobStatus::Preparing,
    jobs::JobStatus::Executing,
    jobs::JobStatus::UploadingOutput,
    jobs::JobStatus::Success,
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if std::env::args().any(|argument| argument == "serve") {
        runtime.block_on(serve());
    } else {
        compare(&runtime);
    }
}

/// What a run did, and what it cost this process.
struct Cost {
    cpu: Duration,
    /// How late the most overdue look was, at each view.
    lags: Vec<Duration>,
}

fn compare(runtime: &tokio::runtime::Runtime) {
    println!(
        "{OPERATIONS} operations, a new status at each of {} looks, a thousand looks a second;",
        STATUSES.len()
    );
    println!("CPU time of the exporter for one look, median of {ROUNDS} rounds, off and on in turn.");
    let (_server, cloud, collector) = start();
    let looks = f64::from(u32::try_from(OPERATIONS * STATUSES.len()).expect("few"));
    let micros = |cost: &Cost| cost.cpu.as_secs_f64() * 1e6 / looks;
    let mut rounds = Vec::new();
    let mut lags = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let off = runtime.block_on(run(&cloud, round * 2, None));
        let on = runtime.block_on(run(&cloud, round * 2 + 1, Some(&collector)));
        for (lags, cost) in lags.iter_mut().zip([&off, &on]) {
            lags.extend_from_slice(&cost.lags);
        }
        rounds.push((micros(&off), micros(&on), micros(&on) / micros(&off)));
    }
    let median = |of: fn(&(f64, f64, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(ROUNDS / 2).copied().expect("rounds")
    };
    println!(
        "off {:6.1} us   on {:6.1} us   ratio {:.2}",
        median(|round| round.0),
        median(|round| round.1),
        median(|round| round.2),
    );
    for (lags, how) in lags.iter_mut().zip(["off", "on"]) {
        lags.sort();
        let at = |share: usize| {
            lags.get((lags.len() - 1) * share / 1000)
                .copied()
                .unwrap_or_default()
        };
        println!(
            "lag at a view, {how:<3}: median {:?}, 99 % {:?}, longest {:?}",
            at(500),
            at(990),
            at(1000)
        );
    }
}

/// The cloud and the collector in a process of their own, with their addresses.
fn start() -> (Server, String, String) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server process");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("its addresses");
    let mut words = line.split_whitespace().map(str::to_owned);
    let (cloud, collector) = (
        words.next().expect("an address"),
        words.next().expect("an address"),
    );
    (Server(child), cloud, collector)
}

/// Ends the server process with the comparison.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn serve() {
    let cloud = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let collector = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = |listener: &TcpListener| listener.local_addr().expect("an address");
    println!("{} {}", address(&cloud), address(&collector));
    let taken = axum::Router::new().fallback(async |_body: bytes::Bytes| http::StatusCode::OK);
    let mut servers = JoinSet::new();
    servers.spawn(async move { axum::serve(collector, taken).await.expect("a collector") });
    tonic::transport::Server::builder()
        .add_service(OperationServiceServer::new(Hasty::default()))
        .serve_with_incoming(TcpListenerStream::new(cloud))
        .await
        .expect("a server");
}

/// Answers every question about an operation with its next status.
#[derive(Default)]
struct Hasty(Mutex<HashMap<String, usize>>);

#[tonic::async_trait]
impl OperationService for Hasty {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        let id = request.into_inner().operation_id;
        let mut asked = self.0.lock().expect("not poisoned");
        let count = asked.entry(id.clone()).or_insert(0);
        let status = STATUSES.get(*count).copied().unwrap_or(jobs::JobStatus::Success);
        *count += 1;
        Ok(Response::new(operation(id, status)))
    }
}

fn operation(id: String, status: jobs::JobStatus) -> Operation {
    let now = Clock::system().now();
    let at = |ago_seconds: i64| {
        Some(Timestamp {
            seconds: now.nanos() / 1_000_000_000 - ago_seconds,
            nanos: 0,
        })
    };
    let metadata = jobs::JobMetadata {
        id: format!("job-{id}"),
        name: "train-resnet50".to_owned(),
        created_at: at(60),
        status: status.into(),
        created_by_id: "ajeuser0000000000000".to_owned(),
        project_id: "bt1project0000000000".to_owned(),
        ..jobs::JobMetadata::default()
    };
    let metadata = jobs::ExecuteProjectJobMetadata {
        metadata: Some(metadata),
        ..jobs::ExecuteProjectJobMetadata::default()
    };
    let is_done = status == jobs::JobStatus::Success;
    let response = jobs::ExecuteProjectJobResponse::default();
    Operation {
        id,
        description: "Execute job".to_owned(),
        created_at: at(30),
        created_by: "ajeuser0000000000000".to_owned(),
        modified_at: at(0),
        done: is_done,
        metadata: Some(Any::from_msg(&metadata).expect("a message")),
        result: is_done.then(|| operation::Result::Response(Any::from_msg(&response).expect("a message"))),
    }
}

/// The exporter's loop on a fleet of its own, until all have ended and are told.
async fn run(address: &str, number: usize, collector: Option<&str>) -> Cost {
    let clock = Clock::system();
    let instruments = Instruments::new("bench", "bench", "bench");
    let client = Client::new(&cloud_at(address), clock, &instruments).expect("a client");
    let (inbox, deliveries) = Inbox::new();
    let (writer, mut views) = ViewWriter::new();
    let tracker = Tracker::new(tracker::Settings {
        interval: INTERVAL,
        interval_max: INTERVAL,
        traces: collector.map(|_| tracker::TraceSettings::default()),
        ..tracker::Settings::default()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let stop = CancellationToken::new();
    let mut sinks = JoinSet::new();
    let mut keeping = None;
    if let Some(collector) = collector {
        let settings = store::Settings {
            path: Some(folder.path().to_owned()),
            ..store::Settings::default()
        };
        let (store, _) = Store::open(settings, clock, &instruments).await.expect("a store");
        let settings = delivery::Settings {
            exporter: to(collector),
            own: None,
            enabled_by: "traces.endpoint",
        };
        let delivery = Delivery::new(settings, store.outbox(), clock, &instruments).expect("a delivery");
        sinks.spawn(delivery.run(stop.clone(), stop.clone()));
        let encoder = Some(Arc::new(Encoder::new(traces::Settings::default())));
        keeping = Some(Keeping { store, encoder });
    }
    let engine = Engine::new(
        engine::Settings::default(),
        tracker,
        client,
        clock,
        deliveries,
        keeping,
        writer,
    );
    let before = cpu_time();
    let mut tasks = JoinSet::new();
    tasks.spawn(engine.run());
    tasks.spawn(sight(inbox.clone(), number));
    let mut lags = Vec::new();
    while ends(&views.view()) < OPERATIONS {
        views.changed().await;
        let due_at = views.view().tracker.earliest_due_at;
        lags.push(due_at.map_or(Duration::ZERO, |at| clock.now().since(at)));
    }
    // The engine ends once the last inbox is dropped, and what it holds is committed.
    drop(inbox);
    while tasks.join_next().await.is_some() {}
    stop.cancel();
    while sinks.join_next().await.is_some() {}
    Cost {
        cpu: cpu_time().saturating_sub(before),
        lags,
    }
}

fn cloud_at(address: &str) -> cloud::Settings {
    let endpoint = Some(address.to_owned());
    cloud::Settings {
        endpoints: Endpoints {
            operation: endpoint.clone(),
            datasphere: endpoint.clone(),
            iam: endpoint,
        },
        tls: cloud::Tls {
            enabled: false,
            ..cloud::Tls::default()
        },
        requests_per_second: 1e9,
        ..cloud::Settings::new(Auth::Anonymous)
    }
}

fn to(collector: &str) -> Exporter {
    let endpoint = format!("http://{collector}/v1/traces");
    Exporter::Collector(Box::new(Collector {
        protocol: Protocol::Http,
        endpoint: Endpoint::parse(&endpoint, None).expect("an address"),
        headers: Headers::default(),
        timeout: Duration::from_secs(10),
        is_compressed: false,
        tls: delivery::Tls::default(),
    }))
}

/// Names the operations one after the other, so that looks are spread over the interval.
async fn sight(inbox: Inbox, run: usize) {
    let pause = INTERVAL / u32::try_from(OPERATIONS).expect("few");
    let mut ticks = tokio::time::interval(pause);
    for number in 0..OPERATIONS {
        ticks.tick().await;
        let sighting = Sighting {
            target: Target::Operation(format!("bt1op{run:05}{number:010}").parse().expect("an id")),
            source: Source::Config,
            labels: Labels::default(),
            trace_context: None,
        };
        inbox.send(Input::Sighted(sighting)).await.expect("an engine");
    }
}

fn ends(view: &View) -> usize {
    let count = |project: &datasphere_exporter::model::Project| {
        project
            .finished_total
            .values()
            .map(|ends| ends.count)
            .sum::<u64>()
    };
    let total: u64 = view.projects.values().map(|project| count(project)).sum();
    usize::try_from(total).expect("few")
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("positive"),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}
