//! A simulator for tests: over pipes, where paused time stays paused, or over loopback sockets.

use datasphere_exporter::clock::{Clock, Timestamp};
use datasphere_exporter::simulator::{Handle, Scenario, Settings, Simulator};
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};

/// When every test begins.
pub(crate) const START_SECONDS: i64 = 1_800_000_000;
/// Bytes in flight on a pipe.
const PIPE_BYTES: usize = 64 << 10;

/// A simulator on pipes. It ends when it is dropped.
pub(crate) struct Piped {
    pub(crate) handle: Handle,
    connector: Pipes,
    _server: JoinSet<()>,
}

impl Piped {
    pub(crate) fn start(scenario: &str) -> Self {
        let handle = Handle::new(&scenario_of(scenario), clock(), "files.simulated").unwrap();
        Self::serving(handle)
    }

    /// A server for a simulation that may have had one before.
    pub(crate) fn serving(handle: Handle) -> Self {
        let (sender, receiver) = mpsc::channel(4);
        let mut server = JoinSet::new();
        let simulation = handle.clone();
        server.spawn(async move {
            let incoming = ReceiverStream::new(receiver);
            simulation
                .serve_with_incoming(incoming, None, CancellationToken::new())
                .await
                .unwrap();
        });
        Self {
            handle,
            connector: Pipes(sender),
            _server: server,
        }
    }

    /// A channel to it; a new pipe is laid whenever the last one broke.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_static("http://simulated:443").connect_with_connector_lazy(self.connector())
    }

    /// What lays pipes, for clients that want to connect in their own way.
    pub(crate) fn connector(&self) -> Pipes {
        self.connector.clone()
    }
}

/// Connects by making a pipe and handing one end to the server.
#[derive(Clone)]
pub(crate) struct Pipes(mpsc::Sender<io::Result<DuplexStream>>);

impl Service<Uri> for Pipes {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let server = self.0.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            server
                .send(Ok(theirs))
                .await
                .map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Wire::new(ours))
        })
    }
}

/// Our end of a pipe, as clients of gRPC and of HTTP want their connections.
pub(crate) struct Wire(TokioIo<DuplexStream>);

impl Wire {
    pub(crate) fn new(end: DuplexStream) -> Self {
        Self(TokioIo::new(end))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A simulator on loopback sockets. It ends when it is dropped.
pub(crate) struct Bound {
    pub(crate) handle: Handle,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    _server: JoinSet<()>,
}

impl Bound {
    pub(crate) async fn start(scenario: &str) -> Self {
        Self::with(scenario, Settings::loopback()).await
    }

    pub(crate) async fn with(scenario: &str, settings: Settings) -> Self {
        let simulator = Simulator::bind(&scenario_of(scenario), settings, clock())
            .await
            .unwrap();
        let (handle, grpc, http) = (
            simulator.handle(),
            simulator.grpc_address(),
            simulator.http_address(),
        );
        let mut server = JoinSet::new();
        server.spawn(async move { simulator.run(CancellationToken::new()).await.unwrap() });
        Self {
            handle,
            grpc,
            http,
            _server: server,
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }
}

/// One request over a connection of its own: the status, and the body as text.
pub(crate) async fn http(request: &str, address: SocketAddr) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let head = head.replace('\n', "\r\n");
    let length = body.len();
    let request =
        format!("{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(crate) fn clock() -> Clock {
    Clock::starting_at(Timestamp::from_seconds(START_SECONDS, 0).unwrap())
}

pub(crate) fn scenario_of(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}
