//! Upstreams that are neither there nor gone.

use crate::gateway::support::{Caller, House, PATIENCE, ask, body, framed, settings, whole};
use bytes::Bytes;
use datasphere_exporter::cloud::Endpoints;
use datasphere_exporter::limits::{
    GATEWAY_GREETING_TIME_MAX, GATEWAY_HTTP_SILENCE_MAX, GATEWAY_IDLE_TIME_MAX, GATEWAY_PING_INTERVAL,
    GATEWAY_PING_TIMEOUT,
};
use h2::{Reason, server};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, advance, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Time after which a cloud that says nothing at all is given up.
const GIVEN_UP_AFTER: Duration = GATEWAY_PING_INTERVAL.saturating_add(GATEWAY_PING_TIMEOUT);

/// What a clock that jumps may be off.
const SLACK: Duration = Duration::from_secs(15);

/// Beyond all patience of the gateway.
const LONG: Duration = Duration::from_hours(1);

/// A house before an upstream that does this with its first connection, and holds it.
async fn house<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> House
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let endpoints = Endpoints {
        operation: Some(address.clone()),
        datasphere: Some(address.clone()),
        iam: Some(address),
    };
    let mut house = House::open_before(settings(), LONG, |_| endpoints).await;
    house.upstream_running.spawn(async move {
        let (stream, _) = listener.accept().await.expect("accepts");
        serve(stream).await;
    });
    house.upstream_running.spawn(tick());
    house
}

/// A clock that jumps does so even while bytes are on their way: with this, never far.
async fn tick() {
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
    }
}

/// Accepts, and never says a word.
async fn frozen(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// Begins an answer over gRPC; then it does `and_then` with the connection.
async fn begin<F>(
    stream: TcpStream,
    told: CancellationToken,
    and_then: impl FnOnce(server::Connection<TcpStream, Bytes>) -> F,
) where
    F: Future<Output = ()>,
{
    let mut connection = server::handshake(stream).await.expect("HTTP/2");
    let (_request, mut respond) = connection.accept().await.expect("a call").expect("no error");
    let head = Response::builder().header("content-type", "application/grpc");
    let mut sending = respond
        .send_response(head.body(()).expect("a head"), false)
        .expect("it listens");
    sending
        .send_data(Bytes::from_static(b"part"), false)
        .expect("it listens");
    tokio::select! {
        _ = connection.accept() => unreachable!("there is one call"),
        () = told.cancelled() => {}
    }
    and_then(connection).await;
}

fn status(headers: Option<&HeaderMap>) -> &str {
    let status = headers.and_then(|headers| headers.get("grpc-status"));
    status
        .and_then(|status| status.to_str().ok())
        .unwrap_or("no status")
}

fn assert_took(begun: Instant, expected: Duration) {
    let took = begun.elapsed();
    assert!(took >= expected && took < expected + SLACK, "{took:?}");
}

#[tokio::test]
async fn an_upstream_that_takes_no_more_calls_keeps_those_that_it_has_and_new_ones_go_elsewhere() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    let mut open = answering.await.expect("a head").into_body();
    house.told.leaving.notify_waiters();
    let elsewhere = async {
        while house.told.connections.load(Ordering::Relaxed) < 2 {
            let reply = caller.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
            assert_eq!(status(reply.trailers.as_ref()), "0", "{reply:?}");
        }
    };
    timeout(PATIENCE, elsewhere)
        .await
        .expect("another connection in time");
    outgoing
        .send(Ok(Frame::data(framed(b"last"))))
        .await
        .expect("it listens");
    drop(outgoing);
    let echoed = open.frame().await.expect("a frame").expect("no error");
    assert_eq!(echoed.into_data().expect("data"), framed(b"last"));
    let end = open.frame().await.expect("a frame").expect("no error");
    assert_eq!(status(end.trailers_ref()), "0");
}

#[tokio::test]
async fn an_upstream_that_throws_its_calls_out_ends_each_with_a_status() {
    let leaves = CancellationToken::new();
    let told = leaves.clone();
    let house = house(|stream| {
        begin(stream, told, |mut connection| async move {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            while connection.accept().await.is_some() {}
        })
    })
    .await;
    let mut caller = Caller::connect(house.gateway).await;
    let (_outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    let response = answering.await.expect("a head");
    leaves.cancel();
    let reply = timeout(PATIENCE, whole(response)).await.expect("an end in time");
    assert_eq!(status(reply.trailers.as_ref()), "14", "{reply:?}");
    assert!(caller.is_open(), "and nothing else");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_accepts_and_never_answers_is_unavailable_once_its_ping_stays_away() {
    let house = house(frozen).await;
    let begun = Instant::now();
    let mut caller = Caller::connect(house.gateway).await;
    let (_outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    let response = timeout(LONG, answering).await.expect("an end").expect("a head");
    assert_eq!(status(Some(response.headers())), "14", "{response:?}");
    assert_took(begun, GIVEN_UP_AFTER);
    assert!(caller.is_open(), "and nothing else");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_freezes_in_mid_stream_ends_the_call_with_a_status() {
    let freezes = CancellationToken::new();
    let told = freezes.clone();
    let house = house(|stream| {
        begin(stream, told, |connection| async move {
            std::future::pending::<()>().await;
            drop(connection);
        })
    })
    .await;
    let mut caller = Caller::connect(house.gateway).await;
    let (_outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    let mut body = answering.await.expect("a head").into_body();
    let part = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(part.into_data().expect("data"), &b"part"[..]);
    freezes.cancel();
    let begun = Instant::now();
    let end = timeout(LONG, body.frame()).await.expect("an end");
    let end = end.expect("a frame").expect("no error");
    assert_eq!(status(end.trailers_ref()), "14");
    assert_took(begun, GIVEN_UP_AFTER);
    assert!(caller.is_open(), "and nothing else");
}

fn get(path: &str) -> Request<StreamBody<crate::gateway::support::Frames>> {
    let request = Request::get(path).header("host", "x").body(body(Vec::new()));
    request.expect("a request")
}

#[tokio::test(start_paused = true)]
async fn over_rest_an_upstream_that_never_answers_is_504() {
    let house = house(frozen).await;
    let begun = Instant::now();
    let answer = timeout(LONG, ask(house.gateway, get("/operations/bt1"))).await;
    assert_eq!(answer.expect("an end").expect("a head").status(), 504);
    assert_took(begun, GATEWAY_HTTP_SILENCE_MAX);
}

#[tokio::test(start_paused = true)]
async fn over_rest_an_upstream_that_freezes_leaves_a_body_that_is_visibly_not_whole() {
    let house = house(|mut stream| async move {
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.expect("a request") > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart";
        stream.write_all(answer).await.expect("it listens");
        frozen(stream).await;
    })
    .await;
    let begun = Instant::now();
    let response = ask(house.gateway, get("/datasphere/v2/projects"))
        .await
        .expect("a head");
    let collected = timeout(LONG, response.into_body().collect()).await;
    assert!(collected.expect("an end").is_err());
    assert_took(begun, GATEWAY_HTTP_SILENCE_MAX);
    assert_eq!(house.counted("ProjectService.List", "DEADLINE_EXCEEDED"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_over_rest_may_last_as_long_as_it_goes_on() {
    let mut house = House::open_before(settings(), LONG, |upstream| Endpoints {
        operation: Some(upstream.to_string()),
        datasphere: Some(upstream.to_string()),
        iam: Some(upstream.to_string()),
    })
    .await;
    // While a thread is busy, time moves by hand only.
    let (release, busy) = std::sync::mpsc::channel::<()>();
    house.upstream_running.spawn_blocking(move || {
        let _ = busy.recv();
    });
    let (sender, frames) = mpsc::channel(1);
    let request = Request::post("/datasphere/v2/Take")
        .header("host", "x")
        .body(StreamBody::new(ReceiverStream::new(frames)))
        .expect("a request");
    let begun = Instant::now();
    let uploading = async {
        for sent in 1..=3 {
            let part = Frame::data(Bytes::from_static(b"part"));
            sender.send(Ok(part)).await.expect("it listens");
            while house.told.taken_bytes.load(Ordering::Relaxed) < 4 * sent {
                tokio::task::yield_now().await;
            }
            advance(GATEWAY_HTTP_SILENCE_MAX.saturating_sub(SLACK)).await;
        }
        drop((sender, release));
    };
    let answered = async { whole(ask(house.gateway, request).await.expect("a head")).await };
    let (reply, ()) = tokio::join!(answered, uploading);
    assert_eq!(reply.status, 200);
    assert_eq!(house.told.taken_bytes.load(Ordering::Relaxed), 12);
    assert!(begun.elapsed() > GATEWAY_HTTP_SILENCE_MAX * 2);
}

#[tokio::test]
async fn a_call_that_the_cloud_resets_ends_with_the_code_that_the_reset_stands_for() {
    for (reason, expected) in [
        (Reason::CANCEL, "1"),
        (Reason::INADEQUATE_SECURITY, "7"),
        (Reason::ENHANCE_YOUR_CALM, "8"),
        (Reason::INTERNAL_ERROR, "13"),
        (Reason::REFUSED_STREAM, "14"),
    ] {
        let house = house(move |stream| async move {
            let mut connection = server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                respond.send_reset(reason);
            }
        })
        .await;
        let mut caller = Caller::connect(house.gateway).await;
        let reply = caller.call("/echo.Echo/Echo", &[], &[framed(b"")]).await;
        assert_eq!(status(Some(&reply.headers)), expected, "{reason:?}");
        assert!(caller.is_open(), "and nothing else");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_says_nothing_is_hung_up_on() {
    let house = house(frozen).await;
    let mut caller = Caller::connect(house.gateway).await;
    let begun = Instant::now();
    let gone = async |caller: &Caller| {
        while caller.is_open() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LONG, gone(&caller)).await.expect("an end");
    assert_took(begun, GATEWAY_GREETING_TIME_MAX);
    caller = Caller::connect(house.gateway).await;
    let list = "/yandex.cloud.endpoint.ApiEndpointService/List";
    let reply = caller.call(list, &[], &[framed(b"")]).await;
    assert_eq!(status(reply.trailers.as_ref()), "0", "it is answered here");
    let begun = Instant::now();
    timeout(LONG, gone(&caller)).await.expect("an end");
    assert_took(begun, GATEWAY_IDLE_TIME_MAX);
}
