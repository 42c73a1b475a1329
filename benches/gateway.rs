//! The cost of the gateway: calls direct and through it, in turn, on loopback, and its memory while a stream passes.
//!
//! The upstream and the exporter with its gateway are processes of their own. Figures are ratios of medians of the
//! rounds; nothing is asserted.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot run says so and ends"
)]

use bytes::Bytes;
use datasphere_exporter::app::App;
use datasphere_exporter::config::{Config, Flags};
use datasphere_exporter::proto::yandex::cloud::iam::v1::iam_token_service_client::IamTokenServiceClient;
use datasphere_exporter::proto::yandex::cloud::iam::v1::{CreateIamTokenRequest, CreateIamTokenResponse};
use datasphere_exporter::proto::yandex::cloud::operation::operation_service_client::OperationServiceClient;
use datasphere_exporter::proto::yandex::cloud::operation::{GetOperationRequest, Operation};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

const ROUNDS: usize = 7;
const CALLS: usize = 2_000;
const IN_FLIGHT: usize = 100;
const CALLS_IN_FLIGHT: usize = 20_000;
const PART_BYTES: usize = 16 << 10;
const STREAM_MEBIBYTES: [usize; 3] = [16, 64, 256];

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match arguments.as_slice() {
        ["upstream"] => runtime.block_on(upstream()),
        ["gateway", upstream] => runtime.block_on(gateway(upstream)),
        _ => runtime.block_on(measure()),
    }
}

/// A process of this program that prints its address.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("a path");
        let mut process = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut address = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut address)
            .expect("an address");
        Self {
            process,
            address: address.trim().to_owned(),
        }
    }

    /// Resident memory and its peak, in kilobytes.
    fn memory_kb(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Linux");
        let field = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .expect("a line");
            line.split_whitespace()
                .nth(1)
                .expect("a number")
                .parse()
                .expect("a number")
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn measure() {
    let upstream = Served::start(&["upstream"]);
    let gateway = Served::start(&["gateway", &upstream.address]);
    let channel = |address: &str| {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        endpoint.tcp_nodelay(true).connect_lazy()
    };
    let ways = [channel(&upstream.address), channel(&gateway.address)];
    for (name, is_operation) in [("unary", false), ("unary with an Operation", true)] {
        let mut medians = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            for (way, medians) in ways.iter().zip(&mut medians) {
                let median = one_by_one(way, is_operation).await;
                if round > 0 {
                    medians.push(median);
                }
            }
        }
        let [direct, passed] = medians.map(median);
        println!(
            "{name:<24} one at a time   direct {:6.1} µs   gateway {:6.1} µs   ratio {:.2}",
            direct * 1e6,
            passed * 1e6,
            passed / direct
        );
    }
    for (name, is_operation) in [("unary", false), ("unary with an Operation", true)] {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            for (way, rates) in ways.iter().zip(&mut rates) {
                let rate = in_flight(way, is_operation).await;
                if round > 0 {
                    rates.push(rate);
                }
            }
        }
        let [direct, passed] = rates.map(median);
        println!(
            "{name:<24} {IN_FLIGHT} in flight   direct {direct:6.0} /s   gateway {passed:6.0} /s   share {:.0} %",
            passed / direct * 100.0
        );
    }
    for mebibytes in STREAM_MEBIBYTES {
        let begun = Instant::now();
        read_stream(&gateway.address, mebibytes).await;
        let (resident, peak) = gateway.memory_kb();
        println!(
            "stream of {mebibytes:>3} MiB         {:5.0} MiB/s   gateway's memory {:.1} MiB, peak {:.1} MiB",
            mebibytes as f64 / begun.elapsed().as_secs_f64(),
            resident as f64 / 1024.0,
            peak as f64 / 1024.0
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn call(way: &Channel, is_operation: bool) {
    if is_operation {
        let request = GetOperationRequest {
            operation_id: "bt1operation00000000".to_owned(),
        };
        OperationServiceClient::new(way.clone())
            .get(request)
            .await
            .expect("an answer");
    } else {
        let request = CreateIamTokenRequest::default();
        IamTokenServiceClient::new(way.clone())
            .create(request)
            .await
            .expect("an answer");
    }
}

/// The median of calls one after the other, in seconds.
async fn one_by_one(way: &Channel, is_operation: bool) -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        call(way, is_operation).await;
        times.push(begun.elapsed().as_secs_f64());
    }
    median(times)
}

/// Calls a second.
async fn in_flight(way: &Channel, is_operation: bool) -> f64 {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let way = way.clone();
        callers.spawn(async move {
            for _ in 0..CALLS_IN_FLIGHT / IN_FLIGHT {
                call(&way, is_operation).await;
            }
        });
    }
    callers.join_all().await;
    CALLS_IN_FLIGHT as f64 / begun.elapsed().as_secs_f64()
}

async fn read_stream(address: &str, mebibytes: usize) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let mut running = JoinSet::new();
    running.spawn(connection);
    let request = Request::post(format!("http://{address}/bench.Bench/{mebibytes}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let mut body = sender.send_request(request).await.expect("an answer").into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.expect("no error").data_ref().map_or(0, Bytes::len);
    }
    assert_eq!(read, mebibytes << 20, "the whole stream");
}

/// The exporter with its gateway before an upstream, as `serve` runs it.
async fn gateway(upstream: &str) {
    let yaml = format!(
        "cloud: {{ endpoint: \"{upstream}\", endpoints: {{ operation: \"{upstream}\", datasphere: \"{upstream}\", iam: \
         \"{upstream}\" }}, tls: {{ enabled: false }}, auth: {{ anonymous: {{}} }} }}\nstorage: {{ path: \"\" }}\n\
         web: {{ listen_address: \"127.0.0.1:0\" }}\ngateway: {{ listen_address: \"127.0.0.1:0\" }}\n"
    );
    let config = Config::parse(&yaml, Path::new(""), &Flags::default(), |_| None).expect("a configuration");
    let app = App::bind(config).await.expect("free ports");
    println!("{}", app.gateway_address().expect("a gateway"));
    app.run(CancellationToken::new()).await.expect("it runs");
}

async fn upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("an address"));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        stream.set_nodelay(true).expect("a socket");
        connections.spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

type Part = Result<Frame<Bytes>, Infallible>;

async fn answer(request: Request<Incoming>) -> Response<StreamBody<impl tokio_stream::Stream<Item = Part>>> {
    let (head, body) = request.into_parts();
    drop(body.collect().await);
    let name = head.uri.path().rsplit('/').next().unwrap_or_default();
    let (part, count) = match name.parse::<usize>() {
        Ok(mebibytes) => (Bytes::from(vec![1; PART_BYTES]), (mebibytes << 20) / PART_BYTES),
        Err(_) if name == "Get" => (framed(&operation()), 1),
        Err(_) => (framed(&token()), 1),
    };
    let parts = std::iter::repeat_n(part, count).map(|part| Ok(Frame::data(part)));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let parts = tokio_stream::iter(parts.chain(std::iter::once(Ok(Frame::trailers(trailers)))));
    let mut response = Response::new(StreamBody::new(parts));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

fn token() -> CreateIamTokenResponse {
    CreateIamTokenResponse {
        iam_token: "t1.".repeat(70),
        ..CreateIamTokenResponse::default()
    }
}

fn operation() -> Operation {
    Operation {
        id: "bt1operation00000000".to_owned(),
        description: "x".repeat(200),
        ..Operation::default()
    }
}

fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).expect("short");
    [&[0][..], &length.to_be_bytes(), &message].concat().into()
}
