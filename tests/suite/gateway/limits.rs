//! What a stranger cannot make large, and what one caller cannot do to another.

use crate::gateway::support::{Caller, House, PATIENCE, ask, body, framed, settings, whole};
use bytes::Bytes;
use datasphere_exporter::limits::{
    GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX, GATEWAY_PEER_CALLS_MAX, GATEWAY_PEER_CONNECTIONS_MAX,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::error::Error;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// Room of one call in one direction: a window on each side of the gateway, and a buffer and a part in the gateway and
/// at whoever sends. Sockets have no part in it: what is not in a window does not leave.
const ROOM_BYTES: usize = 5 * (64 << 10) + 2 * (16 << 10);

/// The value once it has stopped to grow.
async fn settled(counter: &AtomicUsize) -> usize {
    let mut rounds = interval(Duration::from_millis(300));
    let mut before = usize::MAX;
    loop {
        rounds.tick().await;
        let now = counter.load(Ordering::Relaxed);
        if now == before {
            return now;
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_stops_reading_holds_up_its_own_answer_and_nobody_elses() {
    let house = House::open().await;
    let mut slow = Caller::connect(house.gateway).await;
    let (outgoing, answering) = slow.open("/echo.Echo/Flood", &[]);
    let mut unread = answering.await.expect("a head").into_body();
    let held = timeout(PATIENCE, settled(&house.told.flooded_bytes))
        .await
        .expect("it stops");
    assert!(held > 0 && held < ROOM_BYTES, "{held} bytes");
    // The same connection and another one go on.
    slow.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    let mut other = Caller::connect(house.gateway).await;
    other.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    let mut read = 0;
    while read < 4 * ROOM_BYTES {
        let frame = unread.frame().await.expect("no end").expect("no error");
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    drop((outgoing, unread));
    house.until(0, 3).await;
}

/// Patience with callers that stop reading, where a test waits for its end.
const STALL_TIME_MAX: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_read_for_too_long_loses_its_call_and_no_other() {
    let house = House::open_patient(settings(), STALL_TIME_MAX).await;
    let mut caller = Caller::connect(house.gateway).await;
    // It could still send, which keeps nothing.
    let (_outgoing, answering) = caller.open("/echo.Echo/Flood", &[]);
    let response = answering.await.expect("a head");
    // A silent stream is not one that nobody reads.
    let (_other, silent) = caller.open("/echo.Echo/Silence", &[]);
    let silent = silent.await.expect("a head");
    house.until(1, 1).await;
    let read = timeout(PATIENCE, response.into_body().collect()).await;
    let error = read.expect("an end in time").expect_err("it was reset");
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    assert_eq!(cause.and_then(h2::Error::reason), Some(h2::Reason::CANCEL));
    assert_eq!(house.counted("other", "CANCELLED"), 1);
    assert!(caller.is_open());
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_calls_nobody_reads_ends() {
    let house = House::open_patient(settings(), STALL_TIME_MAX).await;
    let mut caller = Caller::connect(house.gateway).await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let (outgoing, answering) = caller.open("/echo.Echo/Flood", &[]);
        unread.push((outgoing, answering.await.expect("a head")));
    }
    caller.closed().await;
    house.until(0, 3).await;
    assert_eq!(house.counted("other", "CANCELLED"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_1_a_caller_that_does_not_read_loses_its_connection_and_what_the_kernel_held() {
    let house = House::open_patient(settings(), STALL_TIME_MAX).await;
    let mut stream = TcpStream::connect(house.gateway).await.expect("it listens");
    stream
        .write_all(b"GET /operations/Flood HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("it reads");
    house.until(0, 1).await;
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    let error = ended.expect("an end in time").expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(house.counted("OperationService.Get", "CANCELLED"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nobody_takes_the_end_of_an_answer_ends() {
    let house = House::open_patient(settings(), STALL_TIME_MAX).await;
    let stream = TcpStream::connect(house.gateway).await.expect("it listens");
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(1)
        .handshake::<_, Bytes>(stream)
        .await
        .expect("HTTP/2");
    let request = Request::post(format!("http://{}/echo.Echo/Echo", house.gateway))
        .header("content-type", "application/grpc")
        .body(())
        .expect("a request");
    let asking = async {
        let mut sender = sender.ready().await.expect("room");
        let (answering, mut outgoing) = sender.send_request(request, false).expect("it listens");
        outgoing.send_data(framed(&[1; 1_000]), true).expect("it listens");
        let response = answering.await.expect("a head");
        // Held, and not read: of its body one byte came.
        std::future::pending::<()>().await;
        drop(response);
    };
    tokio::select! {
        () = asking => unreachable!("it holds the answer"),
        ended = timeout(PATIENCE, connection) => drop(ended.expect("an end in time")),
    }
    // The cloud had answered, and nothing is left of the call.
    house.until(0, 1).await;
    assert_eq!(house.counted("other", "OK"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_of_calls_that_nobody_reads_are_given_back_with_their_memory() {
    let house = House::open_patient(settings(), Duration::from_secs(1)).await;
    let mut caller = Caller::connect(house.gateway).await;
    let mut unread = Vec::new();
    for _ in 0..GATEWAY_PEER_CALLS_MAX {
        let (outgoing, answering) = caller.open("/echo.Echo/Flood", &[]);
        let response = timeout(PATIENCE, answering).await.expect("in time");
        unread.push((outgoing, response.expect("a head")));
    }
    house.until(0, GATEWAY_PEER_CALLS_MAX).await;
    caller.closed().await;
    let mut caller = Caller::connect(house.gateway).await;
    let mut open = Vec::new();
    for _ in 0..GATEWAY_PEER_CALLS_MAX {
        let (outgoing, answering) = caller.open("/echo.Echo/Silence", &[]);
        let response = timeout(PATIENCE, answering).await.expect("in time");
        let response = response.expect("a head");
        assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
        open.push((outgoing, response));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_stops_reading_holds_up_its_caller() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, _answering) = caller.open("/echo.Echo/Nothing", &[]);
    let sent = AtomicUsize::new(0);
    let part = Bytes::from(vec![1; 16 << 10]);
    let sending = async {
        loop {
            outgoing
                .send(Ok(Frame::data(part.clone())))
                .await
                .expect("it listens");
            sent.fetch_add(part.len(), Ordering::Relaxed);
        }
    };
    let held = tokio::select! {
        held = settled(&sent) => held,
        () = sending => unreachable!("it never ends"),
    };
    assert!(held < ROOM_BYTES, "{held} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_passes_in_parts() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let part = Bytes::from(vec![1; 1 << 20]);
    let parts = vec![part; 64];
    let reply = caller.call("/echo.Echo/Take", &[], &parts).await;
    assert_eq!(
        reply
            .trailers
            .expect("trailers")
            .get("grpc-status")
            .expect("a status"),
        "0"
    );
    assert_eq!(house.told.taken_bytes.load(Ordering::Relaxed), 64 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_open_streams_leave_room_for_short_calls() {
    let house = House::open().await;
    let mut callers = Vec::new();
    let mut open = Vec::new();
    for host in 1..=4 {
        let mut caller = Caller::connect_from(host, house.gateway).await;
        for _ in 0..500 {
            let (outgoing, answering) = caller.open("/echo.Echo/Silence", &[]);
            let response = timeout(PATIENCE, answering)
                .await
                .expect("in time")
                .expect("a head");
            open.push((outgoing, response));
        }
        callers.push(caller);
    }
    house.until(2_000, 0).await;
    let reply = callers[0].call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.body, framed(b"one"));
    // The upstream lets a connection have a hundred.
    let connections = house.told.connections.load(Ordering::Relaxed);
    assert!((20..=64).contains(&connections), "{connections}");
    drop(open);
    house.until(0, 2_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_there_are_seats_are_told_to_come_again() {
    let house = House::open().await;
    let mut open = Vec::new();
    let mut callers = Vec::new();
    for host in 1..=5 {
        callers.push(Caller::connect_from(host, house.gateway).await);
    }
    let mut refused = 0;
    for number in 0..4_200 {
        let (outgoing, answering) = callers[number % 5].open("/echo.Echo/Silence", &[]);
        let response = timeout(PATIENCE, answering)
            .await
            .expect("in time")
            .expect("a head");
        if response
            .headers()
            .get("grpc-status")
            .is_some_and(|status| status == "14")
        {
            refused += 1;
        } else {
            open.push((outgoing, response));
        }
    }
    assert_eq!((refused, open.len()), (104, 4_096));
    open.truncate(4_000);
    house.until(4_000, 96).await;
    let reply = callers[0].call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.body, framed(b"one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_the_seats_of_all() {
    let house = House::open().await;
    let mut open = Vec::new();
    let mut callers = [
        Caller::connect(house.gateway).await,
        Caller::connect(house.gateway).await,
    ];
    for number in 0..=GATEWAY_PEER_CALLS_MAX {
        let (outgoing, answering) = callers[number % 2].open("/echo.Echo/Silence", &[]);
        let response = timeout(PATIENCE, answering).await.expect("in time");
        open.push((outgoing, response.expect("a head")));
    }
    let (_, last) = open.pop().expect("a call");
    assert_eq!(last.headers().get("grpc-status").expect("a status"), "8");
    let message = last.headers().get("grpc-message").expect("a message");
    assert!(
        message.to_str().expect("ascii").contains("gateway"),
        "{message:?}"
    );
    house.until(GATEWAY_PEER_CALLS_MAX, 0).await;
    let mut other = Caller::connect_from(2, house.gateway).await;
    let reply = other.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.body, framed(b"one"));
    drop(open);
    house.until(0, GATEWAY_PEER_CALLS_MAX + 1).await;
    let reply = callers[0].call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.body, framed(b"one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_addresses_that_never_come_to_an_end_take_seats_like_all_others() {
    const LIST: &str = "/yandex.cloud.endpoint.ApiEndpointService/List";
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let mut further = Caller::connect(house.gateway).await;
    let mut halves = Vec::new();
    let mut answers = FuturesUnordered::new();
    for number in 0..=GATEWAY_PEER_CALLS_MAX {
        let caller = if number % 2 == 0 {
            &mut caller
        } else {
            &mut further
        };
        let (outgoing, answering) = caller.open(LIST, &[("grpc-timeout", "10H")]);
        halves.push(outgoing);
        answers.push(answering);
    }
    let refused = timeout(PATIENCE, answers.next()).await.expect("in time");
    let refused = refused.expect("a call").expect("a head");
    assert_eq!(refused.headers().get("grpc-status").expect("a status"), "8");
    let mut other = Caller::connect_from(2, house.gateway).await;
    let (outgoing, answering) = other.open(LIST, &[]);
    drop(outgoing);
    let reply = whole(
        timeout(PATIENCE, answering)
            .await
            .expect("in time")
            .expect("a head"),
    )
    .await;
    assert_eq!(
        reply
            .trailers
            .expect("trailers")
            .get("grpc-status")
            .expect("a status"),
        "0"
    );
    drop(halves);
}

#[tokio::test]
async fn a_large_request_for_addresses_is_refused_over_either_protocol() {
    let house = House::open().await;
    let large = Bytes::from(vec![0; GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX + 1]);
    let mut caller = Caller::connect(house.gateway).await;
    let path = "/yandex.cloud.endpoint.ApiEndpointService/List";
    let reply = caller.call(path, &[], std::slice::from_ref(&large)).await;
    assert_eq!(reply.headers.get("grpc-status").expect("a status"), "8");
    let request = Request::get("/endpoints")
        .header("host", "cloud.example")
        .header("transfer-encoding", "chunked");
    let request = request.body(body(vec![large])).expect("a request");
    let answer = timeout(PATIENCE, ask(house.gateway, request))
        .await
        .expect("in time");
    assert_eq!(answer.expect("an answer").status(), 413);
    assert!(house.take_seen().is_empty());
}

#[tokio::test]
async fn connections_beyond_the_share_of_an_address_are_closed() {
    let house = House::open().await;
    let mut open = Vec::new();
    for _ in 0..GATEWAY_PEER_CONNECTIONS_MAX {
        open.push(TcpStream::connect(house.gateway).await.expect("it listens"));
    }
    let mut further = TcpStream::connect(house.gateway).await.expect("it listens");
    let ended = timeout(PATIENCE, further.read(&mut [0; 1]))
        .await
        .expect("in time");
    assert!(ended.is_err() || ended.is_ok_and(|bytes| bytes == 0));
    let mut other = Caller::connect_from(2, house.gateway).await;
    let reply = other.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    assert_eq!(reply.body, framed(b"one"));
}

#[tokio::test]
async fn heads_that_are_too_large_end_their_own_call() {
    let house = House::open().await;
    let large = "x".repeat(100_000);
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, answering) = caller.open("/echo.Echo/Echo", &[("x-large", &large)]);
    drop(outgoing);
    let answered = timeout(PATIENCE, answering).await.expect("in time");
    assert!(answered.is_err() || answered.is_ok_and(|response| response.status() == 431));
    assert!(house.take_seen().is_empty());
    let mut other = Caller::connect(house.gateway).await;
    let reply = other
        .call("/echo.Echo/Echo", &[("x-fits", &large[..40_000])], &[])
        .await;
    assert_eq!(reply.headers.get("x-fits").expect("it passes").len(), 40_000);
}

#[tokio::test]
async fn nonsense_ends_its_own_connection() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x05\x04\0\0\0\0\0garbage of a settings frame",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /operations/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = TcpStream::connect(house.gateway).await.expect("it listens");
        stream.write_all(nonsense).await.expect("it reads");
        let mut answer = Vec::new();
        stream.shutdown().await.expect("a socket");
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{nonsense:?}");
    }
    let (outgoing, answering) = caller.open("/echo.Echo/Echo", &[]);
    drop(outgoing);
    assert_eq!(whole(answering.await.expect("an answer")).await.status, 200);
}
