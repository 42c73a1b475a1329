//! The cost of one poll: the whole pipeline (get, decode, apply, publish) with 100 000 operations tracked, against a
//! bare tonic Get of the same bytes.
//!
//! `poll` alone measures CPU time, in turn, against a server in a process of its own, and prints the ratios.
//! `poll serve SIZE` is that server; `poll run KIND ADDRESS COUNT` is one run, for counting instructions: see
//! `benches/run.sh`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run says so and ends"
)]

use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{self, Auth, Client, Endpoints};
use datasphere_exporter::engine::{self, Engine};
use datasphere_exporter::flow::{Inbox, ViewWriter};
use datasphere_exporter::model::{
    Decoded, Gaps, Input, Kind, Labels, Look, LookAnswer, OperationSnapshot, Sighting, Source, Target,
};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs;
use datasphere_exporter::proto::yandex::cloud::operation::operation_service_client::OperationServiceClient;
use datasphere_exporter::proto::yandex::cloud::operation::operation_service_server::{
    OperationService, OperationServiceServer,
};
use datasphere_exporter::proto::yandex::cloud::operation::{GetOperationRequest, Operation};
use datasphere_exporter::tracker::{self, Tracker};
use prost_types::{Any, Timestamp};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

const TRACKED: usize = 100_000;
const LIVE: usize = 5_000;
const IN_FLIGHT: usize = 64;
const ROUNDS: usize = 7;
const POLLS: usize = 30_000;

/// As long as the ids of operations.
const JOB_ID: &str = "bt1job00000000000000";

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match arguments.as_slice() {
        ["serve", size] => runtime.block_on(serve(size)),
        ["run", kind, address, count] => {
            let polls = count.parse().expect("a number");
            println!("polls {}", runtime.block_on(run(kind, address, polls)).polls);
        }
        _ => compare(&runtime),
    }
}

/// What a run did, and what it cost this process.
struct Cost {
    polls: usize,
    cpu: Duration,
}

impl Cost {
    fn micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(self.polls).expect("few"))
    }
}

fn compare(runtime: &tokio::runtime::Runtime) {
    println!(
        "CPU time of the client process for one poll, {IN_FLIGHT} in flight, {TRACKED} tracked, {LIVE} live;"
    );
    println!("median of {ROUNDS} rounds, bare and pipeline in turn.");
    for size in ["small", "large"] {
        let (_server, address, bytes) = start(size);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = runtime.block_on(run("bare", &address, POLLS)).micros();
            let pipeline = runtime.block_on(run("pipeline", &address, POLLS)).micros();
            rounds.push((bare, pipeline, pipeline / bare));
        }
        let median = |of: fn(&(f64, f64, f64)) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(ROUNDS / 2).copied().expect("rounds")
        };
        println!(
            "{size:<6} {bytes:>6} B   bare {:6.2} us   pipeline {:6.2} us   ratio {:.2}",
            median(|round| round.0),
            median(|round| round.1),
            median(|round| round.2)
        );
    }
}

/// A server in a process of its own, its address, and the size of its answers.
fn start(size: &str) -> (Server, String, usize) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["serve", size])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server process");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("its address");
    let mut words = line.split_whitespace();
    let address = words.next().expect("an address").to_owned();
    let bytes = words.next().and_then(|bytes| bytes.parse().ok()).expect("a size");
    (Server(child), address, bytes)
}

/// Ends the server process with the comparison.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn serve(size: &str) {
    // Without this the kernel holds answers back until the client's delayed acknowledgement, 40 ms later.
    let port = "127.0.0.1:0".parse().expect("an address");
    let incoming = TcpIncoming::bind(port).expect("a port").with_nodelay(Some(true));
    let operation = operation(size == "large");
    let bytes = prost::Message::encoded_len(&operation);
    println!("{} {bytes}", incoming.local_addr().expect("an address"));
    tonic::transport::Server::builder()
        .add_service(OperationServiceServer::new(Fixed(operation)))
        .serve_with_incoming(incoming)
        .await
        .expect("a server");
}

/// Answers every question with the same operation.
struct Fixed(Operation);

#[tonic::async_trait]
impl OperationService for Fixed {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        let mut operation = self.0.clone();
        operation.id = request.into_inner().operation_id;
        if let Some(metadata) = &mut operation.metadata {
            own_job(&mut metadata.value, operation.id.as_bytes());
        }
        Ok(Response::new(operation))
    }
}

/// Gives the job the operation's id, which is as long: operations of one job would be aliases of each other.
fn own_job(metadata: &mut [u8], id: &[u8]) {
    let places: Vec<usize> = (0..metadata.len())
        .filter(|at| {
            metadata
                .get(*at..)
                .is_some_and(|rest| rest.starts_with(JOB_ID.as_bytes()))
        })
        .collect();
    for at in places {
        if let Some(place) = metadata.get_mut(at..at + id.len()) {
            place.copy_from_slice(id);
        }
    }
}

/// An executing job with progress; the large one carries the deprecated job with its whole configuration.
fn operation(is_large: bool) -> Operation {
    let at = |seconds: i64| {
        Some(Timestamp {
            seconds: 1_780_000_000 + seconds,
            nanos: 0,
        })
    };
    let metadata = jobs::JobMetadata {
        id: JOB_ID.to_owned(),
        name: "train-resnet50".to_owned(),
        created_at: at(0),
        started_at: at(300),
        status: jobs::JobStatus::Executing.into(),
        created_by_id: "ajeuser0000000000000".to_owned(),
        project_id: "bt1project0000000000".to_owned(),
        ..jobs::JobMetadata::default()
    };
    let progress = jobs::JobProgress {
        message: "epoch 7 of 100".to_owned(),
        progress: 7,
        create_time: at(900),
    };
    let job = is_large.then(|| jobs::Job {
        id: metadata.id.clone(),
        name: metadata.name.clone(),
        status: metadata.status,
        config: "name: train-resnet50\ncmd: python train.py --epochs 100\n".repeat(100),
        project_id: metadata.project_id.clone(),
        data_size_bytes: 1 << 30,
        actual_cloud_instance_type: Some(jobs::CloudInstanceType {
            name: "g2.1".to_owned(),
        }),
        job_parameters: Some(jobs::JobParameters {
            cmd: "python train.py --epochs 100".to_owned(),
            input_files: (0..12).map(input).collect(),
            ..jobs::JobParameters::default()
        }),
        ..jobs::Job::default()
    });
    let metadata = jobs::ExecuteProjectJobMetadata {
        job,
        progress: Some(progress),
        metadata: Some(metadata),
    };
    Operation {
        description: "Execute job".to_owned(),
        created_at: at(10),
        created_by: "ajeuser0000000000000".to_owned(),
        modified_at: at(900),
        metadata: Some(Any::from_msg(&metadata).expect("a message")),
        ..Operation::default()
    }
}

fn input(number: usize) -> jobs::File {
    jobs::File {
        desc: Some(jobs::FileDesc {
            path: format!("src/module_{number}.py"),
            var: String::new(),
        }),
        sha256: "0123456789abcdef".repeat(4),
        size_bytes: 4096,
        compression_type: 0,
    }
}

async fn run(kind: &str, address: &str, polls: usize) -> Cost {
    match kind {
        "bare" => bare(address, polls).await,
        "pipeline" => pipeline(address, polls).await,
        _ => Cost {
            polls: 0,
            cpu: Duration::ZERO,
        },
    }
}

/// The generated client, and nothing after it.
async fn bare(address: &str, polls: usize) -> Cost {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let client = OperationServiceClient::new(endpoint.connect().await.expect("a connection"));
    let before = cpu_time();
    let mut calls = JoinSet::new();
    for number in 0..polls {
        if calls.len() >= IN_FLIGHT {
            calls.join_next().await;
        }
        let mut client = client.clone();
        calls.spawn(async move {
            let request = GetOperationRequest {
                operation_id: operation_id(number % LIVE),
            };
            std::hint::black_box(client.get(request).await.expect("an answer").into_inner());
        });
    }
    while calls.join_next().await.is_some() {}
    Cost {
        polls,
        cpu: cpu_time().saturating_sub(before),
    }
}

/// The engine as it runs in the product, except that everything is always due.
async fn pipeline(address: &str, polls: usize) -> Cost {
    let clock = Clock::system();
    let instruments = Instruments::new("bench", "bench", "bench");
    let endpoint = Some(address.to_owned());
    let settings = cloud::Settings {
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
    };
    let client = Client::new(&settings, clock, &instruments).expect("a client");
    let (inbox, deliveries) = Inbox::new();
    let (writer, mut views) = ViewWriter::new();
    let tracker = fleet(clock);
    let engine = Engine::new(
        engine::Settings {
            concurrency: IN_FLIGHT,
        },
        tracker,
        client,
        clock,
        deliveries,
        None,
        writer,
    );
    let answered = instruments
        .api_requests_total
        .with_label_values(&["OperationService.Get", "OK"]);
    let before = cpu_time();
    let mut tasks = JoinSet::new();
    tasks.spawn(engine.run());
    while usize::try_from(answered.get()).expect("few") < polls {
        views.changed().await;
    }
    drop(inbox);
    tasks.join_next().await;
    Cost {
        polls: usize::try_from(answered.get()).expect("few"),
        cpu: cpu_time().saturating_sub(before),
    }
}

/// A tracker with its usual load: most operations have ended, some are live.
fn fleet(clock: Clock) -> Tracker {
    let interval = Duration::from_millis(1);
    let mut tracker = Tracker::new(tracker::Settings {
        interval,
        interval_max: interval,
        tracked_max: TRACKED + 1,
        ..tracker::Settings::default()
    });
    let now = clock.now();
    for number in 0..TRACKED {
        let target = Target::Operation(operation_id(number).parse().expect("an id"));
        tracker.apply(
            Input::Sighted(Sighting {
                target: target.clone(),
                source: Source::Config,
                labels: Labels::default(),
                trace_context: None,
            }),
            now,
        );
        if number >= LIVE {
            let answer = Ok(LookAnswer::Operation(Box::new(ended(number))));
            tracker.apply(
                Input::Looked(Look {
                    target,
                    asked_at: now,
                    answer,
                }),
                now,
            );
        }
    }
    tracker
}

fn ended(number: usize) -> Decoded<OperationSnapshot> {
    let value = OperationSnapshot {
        id: operation_id(number).parse().expect("an id"),
        kind: Kind::Notebook,
        described: true,
        description: None,
        created_at: None,
        modified_at: None,
        created_by: None,
        done: true,
        error: None,
        project_id: Some("bt1project0000000000".parse().expect("an id")),
        job: None,
        progress: None,
        return_code: None,
        output_errors: None,
        notebook: None,
        execution_status: None,
        metadata_type: None,
    };
    Decoded {
        value,
        gaps: Gaps::default(),
    }
}

fn operation_id(number: usize) -> String {
    format!("bt1op{number:015}")
}

/// CPU time of this process, all threads, from the kernel's own account.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("the kernel's account");
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .expect("a number");
    Duration::from_nanos(nanos)
}
