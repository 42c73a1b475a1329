//! An upstream that echoes, the gateway before it, and a caller that speaks raw HTTP.

use bytes::Bytes;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{self, Auth, Client, Endpoints};
use datasphere_exporter::flow::{Delivery, Inbox};
use datasphere_exporter::gateway::{Context, Gateway, Settings};
use datasphere_exporter::listening::Shown;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// The longest a test waits for anything; what never comes fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) type Frames = ReceiverStream<Result<Frame<Bytes>, &'static str>>;
pub(crate) type Outgoing = mpsc::Sender<Result<Frame<Bytes>, &'static str>>;

/// A call as the upstream saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

/// What an answer was.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Bytes of one call that caller and upstream keep under way, and as many that wait to be sent: as the gateway does.
pub(crate) const WINDOW_BYTES: u32 = 64 << 10;

/// What the upstream tells of itself.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) connections: AtomicUsize,
    pub(crate) flooded_bytes: AtomicUsize,
    pub(crate) taken_bytes: AtomicUsize,
    /// Calls that are open, and calls that ended.
    pub(crate) open: watch::Sender<(usize, usize)>,
    /// Has all present connections take no more calls.
    pub(crate) leaving: Notify,
    /// Answers of the path `/operation`, in turn.
    pub(crate) message: Mutex<Bytes>,
}

/// A gateway, and the upstream behind it.
pub(crate) struct House {
    pub(crate) gateway: SocketAddr,
    pub(crate) certificate: Option<Shown>,
    pub(crate) upstream: SocketAddr,
    pub(crate) told: Arc<Told>,
    pub(crate) instruments: Instruments,
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinSet<()>,
    pub(crate) upstream_running: JoinSet<()>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        listen_address: "127.0.0.1:0".to_owned(),
        advertise_address: None,
        strip_headers: Vec::new(),
        tls: None,
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::open_with(settings()).await
    }

    pub(crate) async fn open_with(settings: Settings) -> Self {
        Self::open_patient(settings, PATIENCE).await
    }

    /// With so much patience with callers that stop reading.
    pub(crate) async fn open_patient(settings: Settings, stall_time_max: Duration) -> Self {
        Self::open_before(settings, stall_time_max, every_endpoint).await
    }

    /// Before a cloud of which so much is set.
    pub(crate) async fn open_before(
        settings: Settings,
        stall_time_max: Duration,
        endpoints: impl FnOnce(SocketAddr) -> Endpoints,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let upstream = listener.local_addr().expect("an address");
        let told = Arc::new(Told::default());
        let mut upstream_running = JoinSet::new();
        upstream_running.spawn(serve(listener, Arc::clone(&told)));
        let instruments = Instruments::new("test", "test", "test");
        let (inbox, deliveries) = Inbox::new();
        let gateway = gateway_before(
            settings,
            upstream,
            endpoints(upstream),
            inbox,
            &instruments,
            Clock::system(),
        )
        .await
        .with_stall_time_max(stall_time_max);
        let address = gateway.address().expect("TCP");
        let certificate = gateway.certificate();
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(gateway.run(stop.clone()));
        Self {
            gateway: address,
            certificate,
            upstream,
            told,
            instruments,
            deliveries,
            stop,
            running,
            upstream_running,
        }
    }

    /// How often calls with these labels were counted.
    pub(crate) fn counted(&self, method: &str, code: &str) -> u64 {
        let counter = &self.instruments.gateway_requests_total;
        counter.with_label_values(&[method, code]).get()
    }

    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.told.seen.lock().expect("not poisoned"))
    }

    /// Waits for so many calls to be open, and so many to have ended.
    pub(crate) async fn until(&self, open: usize, ended: usize) {
        let mut counts = self.told.open.subscribe();
        let there = counts.wait_for(|counts| counts.0 == open && counts.1 >= ended);
        let found = tokio::time::timeout(PATIENCE, there).await;
        assert!(found.is_ok(), "{:?}", *self.told.open.borrow());
    }
}

/// An upstream that serves everything.
fn every_endpoint(upstream: SocketAddr) -> Endpoints {
    let address = Some(upstream.to_string());
    Endpoints {
        operation: address.clone(),
        datasphere: address.clone(),
        iam: address,
    }
}

/// A gateway before an upstream that serves everything.
pub(crate) async fn gateway(
    settings: Settings,
    upstream: SocketAddr,
    inbox: Inbox,
    instruments: &Instruments,
    clock: Clock,
) -> Gateway {
    gateway_before(
        settings,
        upstream,
        every_endpoint(upstream),
        inbox,
        instruments,
        clock,
    )
    .await
}

async fn gateway_before(
    settings: Settings,
    upstream: SocketAddr,
    endpoints: Endpoints,
    inbox: Inbox,
    instruments: &Instruments,
    clock: Clock,
) -> Gateway {
    let mut cloud = cloud::Settings::new(Auth::Anonymous);
    cloud.tls.enabled = false;
    cloud.endpoint = upstream.to_string();
    cloud.endpoints = endpoints;
    let context = Context {
        client: Client::new(&cloud, clock, instruments).expect("no files"),
        inbox,
        instruments: instruments.clone(),
        clock,
    };
    Gateway::bind(settings, context).await.expect("a free port")
}

/// Counts a call for as long as it is open.
struct Open(Arc<Told>);

impl Open {
    fn new(told: &Arc<Told>) -> Self {
        told.open.send_modify(|counts| counts.0 += 1);
        Self(Arc::clone(told))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|counts| {
            counts.0 -= 1;
            counts.1 += 1;
        });
    }
}

async fn serve(listener: TcpListener, told: Arc<Told>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        told.connections.fetch_add(1, Ordering::Relaxed);
        let told = Arc::clone(&told);
        connections.spawn(async move {
            let serving = Arc::clone(&told);
            let service = service_fn(move |request| {
                let told = Arc::clone(&serving);
                async move { Ok::<_, Infallible>(echo(request, told).await) }
            });
            let mut server = auto::Builder::new(TokioExecutor::new());
            server
                .http2()
                .max_concurrent_streams(100)
                .initial_stream_window_size(WINDOW_BYTES)
                .max_send_buf_size(64 << 10)
                .max_header_list_size(1 << 20)
                .auto_date_header(false);
            server.http1().auto_date_header(false);
            let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = told.leaving.notified() => connection.as_mut().graceful_shutdown(),
            }
            drop(connection.await);
        });
    }
}

type Echo = Either<StreamBody<Frames>, Empty<Bytes>>;

async fn echo(request: Request<Incoming>, told: Arc<Told>) -> Response<Echo> {
    let (head, body) = request.into_parts();
    let open = Open::new(&told);
    let path = head
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    told.seen.lock().expect("not poisoned").push(Seen {
        method: head.method,
        path: path.clone(),
        headers: head.headers.clone(),
    });
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, &'static str>>(1);
    let mut response = Response::new(Either::Left(StreamBody::new(ReceiverStream::new(receiver))));
    let is_grpc = head.version == Version::HTTP_2;
    for (name, value) in &head.headers {
        if name.as_str().starts_with("x-") {
            response.headers_mut().append(name, value.clone());
        }
    }
    if is_grpc {
        for name in ["content-type", "grpc-encoding"] {
            if let Some(value) = head.headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    match path.as_str() {
        path if path.ends_with("/Refuse") => {
            response.headers_mut().extend(refusal());
            return response.map(|_| Either::Right(Empty::new()));
        }
        path if path.ends_with("/Away") => {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            return response.map(|_| Either::Right(Empty::new()));
        }
        path if path.ends_with("/Nothing") => {
            std::future::pending::<()>().await;
        }
        path if path.ends_with("/teapot") => {
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
                .headers_mut()
                .insert("connection", HeaderValue::from_static("x-mine"));
            response
                .headers_mut()
                .insert("x-mine", HeaderValue::from_static("1"));
        }
        path if path.starts_with("/endpoints") => {
            let length = told.message.lock().expect("not poisoned").len();
            if length > 0 {
                response.headers_mut().insert("content-length", length.into());
            }
        }
        _ => {}
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        speak(&path, body, &sender, &told, is_grpc).await;
        drop(open);
    });
    // It ends with what it sends to.
    tasks.detach_all();
    response
}

/// The body of an answer, by the path that was asked for.
async fn speak(path: &str, mut body: Incoming, sender: &Outgoing, told: &Told, is_grpc: bool) {
    match path.rsplit('/').next().unwrap_or_default() {
        "Flood" => return flood(sender, &told.flooded_bytes).await,
        "Silence" => return sender.closed().await,
        "Break" => {
            let part = Frame::data(Bytes::from_static(b"part"));
            drop(sender.send(Ok(part)).await);
            drop(sender.send(Err("broken")).await);
            return;
        }
        "Untold" => {
            drop(sender.send(Ok(Frame::data(Bytes::from_static(b"part")))).await);
            return;
        }
        "Take" => {
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                told.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
        }
        _ if is_operation(path) => {
            let message = told.message.lock().expect("not poisoned").clone();
            drop(sender.send(Ok(Frame::data(message))).await);
        }
        _ => {
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data()
                    && sender.send(Ok(Frame::data(data))).await.is_err()
                {
                    return;
                }
            }
        }
    }
    finish(sender, is_grpc).await;
}

fn is_operation(path: &str) -> bool {
    ["/yandex.cloud.", "/operations/", "/endpoints"]
        .iter()
        .any(|beginning| path.starts_with(beginning))
}

async fn flood(sender: &Outgoing, sent_bytes: &AtomicUsize) {
    let part = Bytes::from(vec![7; 16 << 10]);
    while sender.send(Ok(Frame::data(part.clone()))).await.is_ok() {
        sent_bytes.fetch_add(part.len(), Ordering::Relaxed);
    }
}

async fn finish(sender: &Outgoing, is_grpc: bool) {
    if is_grpc {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.append("x-tail-bin", HeaderValue::from_static("AAEC/w"));
        trailers.append("x-tail-bin", HeaderValue::from_static("/w"));
        drop(sender.send(Ok(Frame::trailers(trailers))).await);
    }
}

/// A status with everything that it may have.
pub(crate) fn refusal() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static("7"));
    headers.insert(
        "grpc-message",
        HeaderValue::from_static("no %D0%BD%D0%B5%D1%82%0A"),
    );
    headers.insert("grpc-status-details-bin", HeaderValue::from_static("CAcSAm5v"));
    headers.insert("x-request-id", HeaderValue::from_static("7d1c3e0a"));
    headers
}

/// A caller's connection.
pub(crate) struct Caller {
    sender: http2::SendRequest<StreamBody<Frames>>,
    authority: SocketAddr,
    connection: JoinSet<()>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_from(1, address).await
    }

    /// From the host of this number, all of which are this machine.
    pub(crate) async fn connect_from(host: u8, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let own = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
        socket.bind((own, 0).into()).expect("a free port");
        let stream = socket.connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .max_send_buf_size(64 << 10)
            .max_header_list_size(1 << 20)
            .handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        let mut running = JoinSet::new();
        running.spawn(async move { drop(connection.await) });
        Self {
            sender,
            authority: address,
            connection: running,
        }
    }

    /// Whether the connection is still there.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.connection.is_empty()
    }

    /// Returns once the connection has ended.
    pub(crate) async fn closed(mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.connection.join_next()).await;
        ended
            .expect("an end in time")
            .expect("it runs")
            .expect("it ends well");
    }

    /// Opens a call: what is sent on it, and the answer to come.
    pub(crate) fn open(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (
        Outgoing,
        impl Future<Output = hyper::Result<Response<Incoming>>> + use<>,
    ) {
        let (outgoing, frames) = mpsc::channel(1);
        let mut request = Request::post(format!("http://{}{path}", self.authority))
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = StreamBody::new(ReceiverStream::new(frames));
        let request = request.body(body).expect("a request");
        (outgoing, self.sender.send_request(request))
    }

    /// Sends these parts and reads the whole answer.
    pub(crate) async fn call(&mut self, path: &str, headers: &[(&str, &str)], parts: &[Bytes]) -> Reply {
        let (outgoing, answering) = self.open(path, headers);
        let sending = async {
            for part in parts {
                if outgoing.send(Ok(Frame::data(part.clone()))).await.is_err() {
                    break;
                }
            }
            drop(outgoing);
        };
        let whole = async { whole(answering.await.expect("an answer")).await };
        let both = async { tokio::join!(sending, whole).1 };
        tokio::time::timeout(PATIENCE, both)
            .await
            .expect("an answer in time")
    }
}

/// The whole answer.
pub(crate) async fn whole(response: Response<Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.expect("a whole answer");
    Reply {
        status: head.status,
        headers: head.headers,
        trailers: collected.trailers().cloned(),
        body: collected.to_bytes(),
    }
}

/// One request over HTTP/1.1.
pub(crate) async fn ask(
    address: SocketAddr,
    request: Request<StreamBody<Frames>>,
) -> hyper::Result<Response<Incoming>> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut running = JoinSet::new();
    running.spawn(async move { drop(connection.await) });
    let response = sender.send_request(request).await;
    running.detach_all();
    response
}

/// A body of these parts.
pub(crate) fn body(parts: Vec<Bytes>) -> StreamBody<Frames> {
    let (sender, frames) = mpsc::channel(parts.len().max(1));
    for part in parts {
        sender.try_send(Ok(Frame::data(part))).expect("there is room");
    }
    StreamBody::new(ReceiverStream::new(frames))
}

/// A message of gRPC as it is framed.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("short");
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}
