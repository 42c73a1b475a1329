//! Clients that ask too much, too slowly or too often, and the end of the server.

use super::support::{self, Door, PATIENCE};
use crate::scene;
use bytes::Bytes;
use datasphere_exporter::limits::HTTP_PEER_CONNECTIONS_MAX;
use datasphere_exporter::model::View;
use datasphere_exporter::web::{Patience, Settings};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Short enough for a test to see it pass.
const SHORT: Duration = Duration::from_millis(100);

async fn one_at_a_time(patience: Patience) -> Door {
    let settings = Settings {
        max_requests: 1,
        ..support::settings()
    };
    Door::open_with(support::crowd(), settings, |server| {
        server.with_patience(patience)
    })
    .await
}

/// Everything that the server sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    // A reset is an end as well.
    drop(read.await.expect("the server closes the connection"));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_scrape_beyond_the_limit_is_told_to_come_again_until_the_one_before_has_ended() {
    let door = one_at_a_time(Patience::default()).await;
    let slow = door.slow_scrape().await;
    assert_eq!(slow.status(), 200);
    let reply = door.get("/metrics").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(reply.text().contains("--web.max-requests"), "{}", reply.text());
    assert_eq!(door.get("/-/healthy").await.status, 200, "health is no scrape");

    let body = slow.read_on().await.expect("a whole body");
    assert!(body.ends_with(b"\n"));
    assert_eq!(door.ask("HEAD", "/metrics", &[]).await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_scrape_gives_its_place_back() {
    let door = one_at_a_time(Patience::default()).await;
    let mut slow = door.slow_scrape().await;
    slow.read_a_piece().await;
    assert_eq!(door.ask("HEAD", "/metrics", &[]).await.status, 503);
    drop(slow);
    door.until_a_scrape_is_let_in().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_scrape_is_cut_off() {
    let door = one_at_a_time(Patience {
        answer_time_max: SHORT,
        ..Patience::default()
    })
    .await;
    let slow = door.slow_scrape().await;
    door.until_a_scrape_is_let_in().await;
    assert!(slow.read_on().await.is_err(), "the body has no end");
}

#[tokio::test]
async fn no_limit_on_scrapes_is_a_limit_of_zero() {
    let settings = Settings {
        max_requests: 0,
        ..support::settings()
    };
    let door = Door::open_with(support::crowd(), settings, |server| server).await;
    let _slow = [door.slow_scrape().await, door.slow_scrape().await];
    assert_eq!(door.ask("HEAD", "/metrics", &[]).await.status, 200);
}

#[tokio::test]
async fn who_sends_a_head_byte_by_byte_is_cut_off() {
    let patience = Patience {
        head_time_max: SHORT,
        ..Patience::default()
    };
    let door = Door::open_with(View::default(), support::settings(), |server| {
        server.with_patience(patience)
    })
    .await;
    let (mut reading, mut writing) = door.connect().await.into_split();
    let drip = async {
        let mut pace = tokio::time::interval(SHORT / 10);
        loop {
            pace.tick().await;
            if writing.write_all(b"G").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut answer));
    tokio::select! {
        closed = closed => drop(closed.expect("cut off")),
        () = drip => {}
    }
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(door.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_second_head_has_no_more_time_than_the_first() {
    let patience = Patience {
        head_time_max: SHORT,
        ..Patience::default()
    };
    let door = Door::open_with(View::default(), support::settings(), |server| {
        server.with_patience(patience)
    })
    .await;
    let mut stream = door.connect().await;
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.expect("an answer");
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    stream.write_all(b"GET /-/he").await.expect("sent");
    let rest = rest(&mut stream).await;
    assert!(rest.ends_with("healthy.\n"), "only the first is answered: {rest}");
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_the_next_request_and_no_longer_than_it_may() {
    let patience = Patience {
        idle_time_max: SHORT,
        ..Patience::default()
    };
    let door = Door::open_with(View::default(), support::settings(), |server| {
        server.with_patience(patience)
    })
    .await;
    let mut stream = door.connect().await;
    let request = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(&request.repeat(2)).await.expect("sent");
    let answers = rest(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}

async fn answer_to(door: &Door, head: &str) -> String {
    let mut stream = door.connect().await;
    let request = format!("GET /-/healthy HTTP/1.1\r\nhost: x\r\n{head}\r\n");
    // The server may close before all of it is sent.
    drop(stream.write_all(request.as_bytes()).await);
    rest(&mut stream).await
}

#[tokio::test]
async fn a_head_larger_than_any_of_ours_is_refused() {
    let door = Door::open(View::default()).await;
    let many = answer_to(&door, &"x: y\r\n".repeat(200)).await;
    assert!(many.starts_with("HTTP/1.1 431"), "{many}");
    // What was not read makes a reset of the close, which may overtake the answer.
    let huge = answer_to(&door, &format!("x: {}\r\n", "x".repeat(1 << 20))).await;
    assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 431"), "{huge}");
    assert_eq!(door.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn shutdown_ends_what_is_idle_and_finishes_a_scrape_under_way() {
    let hour = Duration::from_hours(1);
    let patience = Patience {
        head_time_max: hour,
        idle_time_max: hour,
        answer_time_max: hour,
    };
    let mut door = Door::open_with(support::crowd(), support::settings(), |server| {
        server.with_patience(patience)
    })
    .await;
    let mut silent = door.connect().await;
    let mut idle = door.connect().await;
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut begun = [0; 15];
    idle.read_exact(&mut begun).await.expect("an answer");
    let mut slow = door.slow_scrape().await;
    let begun = slow.read_a_piece().await;
    door.stop.cancel();
    assert_eq!(rest(&mut silent).await, "", "closed without a word");
    assert!(
        rest(&mut idle).await.ends_with("healthy.\n"),
        "closed after its answer"
    );
    let refused = async { while TcpStream::connect(door.addresses[0]).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("nobody new is let in");
    assert!(door.running.try_join_next().is_none(), "the scrape is under way");

    let end = slow.read_on().await.expect("a whole body");
    assert!(begun.len() + end.len() > 1 << 20);
    assert!(end.ends_with(b"\n"));
    door.ended().await;
}

#[tokio::test]
async fn shutdown_without_a_request_under_way_is_at_once() {
    let mut door = Door::open(scene::view()).await;
    assert_eq!(door.get("/metrics").await.status, 200);
    door.stop.cancel();
    door.ended().await;
}

#[tokio::test]
async fn idle_connections_of_one_address_on_all_listeners_leave_room_for_others() {
    let listen_addresses = vec!["127.0.0.1:0".to_owned(); 2];
    let settings = Settings {
        listen_addresses,
        ..support::settings()
    };
    let door = Door::open_with(support::crowd(), settings, |server| server).await;
    let mut idle = Vec::new();
    for at in 0..HTTP_PEER_CONNECTIONS_MAX {
        let address = door.addresses[at % 2];
        idle.push(TcpStream::connect(address).await.expect("it listens"));
    }
    for address in &door.addresses {
        let mut further = TcpStream::connect(address).await.expect("it listens");
        assert_eq!(rest(&mut further).await, "", "it is closed at once");
        let prometheus = TcpSocket::new_v4().expect("a socket");
        let elsewhere = "127.0.0.2:0".parse().expect("an address");
        prometheus.bind(elsewhere).expect("an address of this host");
        let scrape = prometheus.connect(*address).await.expect("it listens");
        let reply = support::try_ask(scrape, "GET", "/metrics", &[], Bytes::new()).await;
        assert_eq!(reply.expect("an answer").status, 200);
    }
    drop(idle);
}
