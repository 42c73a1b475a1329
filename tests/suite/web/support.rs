//! A running server and a client that reads as fast or as slowly as a test wants.

use crate::scene;
use bytes::Bytes;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{self, Auth, Client};
use datasphere_exporter::flow::{Inbox, Lifecycle, Readiness, ViewReader, ViewWriter};
use datasphere_exporter::model::{Kind, TrackedOperation, View};
use datasphere_exporter::web::{Context, Server, Settings};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The longest a test waits for anything; what never comes fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Small enough that a scrape of [`crowd`] cannot end before its client reads.
const RECEIVE_BUFFER_BYTES: u32 = 16 << 10;

/// A server that runs until it is dropped.
pub(crate) struct Door {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) readiness: Readiness,
    pub(crate) instruments: Instruments,
    pub(crate) views: ViewWriter,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinSet<()>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    headers: hyper::HeaderMap,
}

/// On a free port of the loopback.
pub(crate) fn settings() -> Settings {
    Settings {
        listen_addresses: vec!["127.0.0.1:0".to_owned()],
        ..Settings::default()
    }
}

/// What answers are made from, with the writer of its views.
pub(crate) fn context(clock: Clock) -> (Context, ViewWriter) {
    let (writer, views): (ViewWriter, ViewReader) = ViewWriter::new();
    let context = Context {
        views,
        instruments: Instruments::new("0.1.0", "abc123", "1.95.0"),
        metrics: watch::channel(Arc::default()).1,
        readiness: Readiness::default(),
        clock,
        // Nobody reads it: what is written there comes back as a refusal.
        inbox: Inbox::new().0.downgrade(),
        client: client(clock),
        // Nobody reads it either.
        lifecycle: Lifecycle::new().0,
    };
    (context, writer)
}

/// A client that is never called.
fn client(clock: Clock) -> Client {
    let instruments = Instruments::new("0.1.0", "abc123", "1.95.0");
    Client::new(&cloud::Settings::new(Auth::Anonymous), clock, &instruments).expect("a client")
}

/// Enough jobs for some ten megabytes, more than the sockets of two ends hold.
pub(crate) fn crowd() -> View {
    scene::view_of((0..6_000).map(|key| TrackedOperation {
        job_id: Some(format!("bt1job{key}").parse().expect("an id")),
        operation_id: Some(format!("bt1op{key}").parse().expect("an id")),
        key: scene::blank(key, Kind::Job).key,
        ..scene::training()
    }))
}

impl Door {
    pub(crate) async fn open(view: View) -> Self {
        Self::open_with(view, settings(), |server| server).await
    }

    pub(crate) async fn open_with(
        view: View,
        settings: Settings,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let (context, views) = context(Clock::starting_at(scene::now()));
        views.publish(view);
        Self::over(context, views, settings, change).await
    }

    /// A server of a world that runs.
    pub(crate) async fn of(context: Context, settings: Settings) -> Self {
        Self::of_changed(context, settings, |server| server).await
    }

    pub(crate) async fn of_changed(
        context: Context,
        settings: Settings,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        Self::over(context, ViewWriter::new().0, settings, change).await
    }

    async fn over(
        context: Context,
        views: ViewWriter,
        settings: Settings,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let (readiness, instruments) = (context.readiness.clone(), context.instruments.clone());
        let server = change(Server::bind(settings, context).await.expect("a free port"));
        let addresses = server.addresses().to_vec();
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(server.run(stop.clone()));
        Self {
            addresses,
            readiness,
            instruments,
            views,
            stop,
            running,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.expect("it listens")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask("GET", path, headers).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        ask(self.connect().await, method, path, headers).await
    }

    /// A request with JSON.
    pub(crate) async fn send(&self, method: &str, path: &str, json: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send_as(method, path, &headers, json.to_string().into())
            .await
    }

    /// A request with any body.
    pub(crate) async fn send_as(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Reply {
        ask_with(self.connect().await, method, path, headers, body).await
    }

    /// Opens a stream of events.
    pub(crate) async fn events(&self, last_event_id: Option<&str>) -> Events {
        let mut connection = JoinSet::new();
        let header = last_event_id.map(|id| ("last-event-id", id));
        let headers: Vec<_> = header.into_iter().collect();
        let stream = self.connect().await;
        let response = send(
            stream,
            "GET",
            "/api/v1/events",
            &headers,
            Bytes::new(),
            &mut connection,
        )
        .await;
        Events {
            response,
            text: String::new(),
            _connection: connection,
        }
    }

    /// A scrape whose client has read the head of the answer, and then waits.
    pub(crate) async fn slow_scrape(&self) -> SlowScrape {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
            .expect("a small buffer");
        let stream = socket.connect(self.addresses[0]).await.expect("it listens");
        let mut connection = JoinSet::new();
        let response = send(stream, "GET", "/metrics", &[], Bytes::new(), &mut connection).await;
        SlowScrape {
            response,
            _connection: connection,
        }
    }

    /// Waits until a scrape is let in again.
    pub(crate) async fn until_a_scrape_is_let_in(&self) {
        let let_in = async { while self.ask("HEAD", "/metrics", &[]).await.status == 503 {} };
        tokio::time::timeout(PATIENCE, let_in).await.expect("a free slot");
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(&mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next());
        ended
            .await
            .expect("in time")
            .expect("it ran")
            .expect("it ended well");
    }
}

/// A scrape under way.
pub(crate) struct SlowScrape {
    response: Response<Incoming>,
    _connection: JoinSet<()>,
}

/// A stream of events under way.
pub(crate) struct Events {
    response: Response<Incoming>,
    text: String,
    _connection: JoinSet<()>,
}

/// One event of a stream.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) data: Option<Value>,
}

impl Events {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.response.headers().get("content-type")?.to_str().ok()
    }

    /// Reads up to the end of the next event; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        let block = tokio::time::timeout(PATIENCE, self.block()).await;
        let block = block.expect("in time")?;
        let mut told = Told::default();
        for line in block.lines() {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name {
                "id" => told.id = Some(value.to_owned()),
                "event" => told.name = Some(value.to_owned()),
                "data" => told.data = Some(serde_json::from_str(value).expect("JSON")),
                _ => {}
            }
        }
        Some(told)
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = self.response.body_mut().frame().await?.ok()?;
            let bytes = frame.into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }
}

impl SlowScrape {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Reads one piece of the body.
    pub(crate) async fn read_a_piece(&mut self) -> Bytes {
        let frame = self.response.body_mut().frame().await;
        frame
            .expect("more to come")
            .expect("no error")
            .into_data()
            .expect("data")
    }

    /// Reads the rest of it; an error when the server cut it off.
    pub(crate) async fn read_on(self) -> hyper::Result<Bytes> {
        let body = tokio::time::timeout(PATIENCE, self.response.into_body().collect());
        Ok(body.await.expect("in time")?.to_bytes())
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// One request and its whole answer.
pub(crate) async fn ask(stream: TcpStream, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    ask_with(stream, method, path, headers, Bytes::new()).await
}

async fn ask_with(
    stream: TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Reply {
    try_ask(stream, method, path, headers, body)
        .await
        .expect("an answer")
}

/// The same over any connection, or why there is no answer.
pub(crate) async fn try_ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Reply, String> {
    let mut connection = JoinSet::new();
    let whole = async {
        let response = try_send(stream, method, path, headers, body, &mut connection)
            .await
            .map_err(|error| error.to_string())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await;
        Ok(Reply {
            status,
            headers,
            body: body.map_err(|error| error.to_string())?.to_bytes(),
        })
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("in time")
}

async fn send(
    stream: TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
    connection: &mut JoinSet<()>,
) -> Response<Incoming> {
    let sent = try_send(stream, method, path, headers, body, connection).await;
    sent.expect("an answer")
}

async fn try_send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
    connection: &mut JoinSet<()>,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    connection.spawn(async move { drop(driver.await) });
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).expect("a request");
    sender.send_request(request).await
}
