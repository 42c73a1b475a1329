//! The front door on real sockets, over views made by hand.

mod actions;
mod api;
mod document;
mod events;
mod limits;
mod page;
mod protected;
mod support;
mod tls;
mod toolkit;
mod writes;

use crate::scene;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::listening::ListenError;
use datasphere_exporter::model::View;
use datasphere_exporter::web::{Server, Settings, WebError};
use flate2::read::GzDecoder;
use std::io::Read;
use support::{Door, context};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn the_exposition_comes_in_the_format_that_the_client_prefers() {
    let door = Door::open(scene::view()).await;
    let cases = [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "text/plain;version=1.0.0",
            "text/plain; version=1.0.0; charset=utf-8",
        ),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        ),
    ];
    for (accept, content_type) in cases {
        let reply = door.get_with("/metrics", &[("accept", accept)]).await;
        assert_eq!(reply.status, 200, "{accept}");
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(reply.header("content-encoding"), None);
        let started: u64 = reply
            .header("process-start-time-unix")
            .and_then(|text| text.parse().ok())
            .expect("unix seconds");
        assert!(started > 1_600_000_000, "{started}");
        assert!(reply.body.len() > 1000, "{accept}");
    }
}

#[tokio::test]
async fn a_compressed_exposition_is_the_same_text() {
    let door = Door::open(scene::view()).await;
    let fleet = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let lines = text.lines().filter(|line| line.starts_with("datasphere_job"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = fleet(&door.get("/metrics").await.body);
    assert!(plain.len() > 20);

    let reply = door.get_with("/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut unzipped = Vec::new();
    GzDecoder::new(&*reply.body)
        .read_to_end(&mut unzipped)
        .expect("gzip");
    assert_eq!(fleet(&unzipped), plain);

    let weights = [("accept-encoding", "gzip;q=0.5, zstd;q=0.9")];
    let reply = door.get_with("/metrics", &weights).await;
    assert_eq!(reply.header("content-encoding"), Some("zstd"));
    assert_eq!(fleet(&zstd::decode_all(&*reply.body).expect("zstd")), plain);
}

#[tokio::test]
async fn readiness_is_refused_with_its_reason_until_every_latch_is_released_and_from_shutdown_on() {
    let door = Door::open(View::default()).await;
    let latch = door.readiness.latch();
    for path in ["/-/ready", "/readyz"] {
        let reply = door.get(path).await;
        assert_eq!(reply.status, 503);
        assert!(reply.text().contains("looked at"), "{}", reply.text());
    }
    drop(latch);
    for path in ["/-/ready", "/readyz"] {
        assert_eq!(door.get(path).await.status, 200);
    }
    door.readiness.stop();
    let reply = door.get("/-/ready").await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("shutting down"), "{}", reply.text());
    for path in ["/-/healthy", "/healthz", "/livez"] {
        assert_eq!(door.get(path).await.status, 200, "alive is alive");
    }
}

#[tokio::test]
async fn what_has_no_path_is_not_found_and_what_is_only_read_cannot_be_written() {
    let door = Door::open(View::default()).await;
    for path in [
        "/favicon.ico",
        "/metrics/",
        "/-/",
        "//",
        "/assets/",
        "/assets/page.html",
    ] {
        let reply = door.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    for path in ["/metrics", "/", "/-/ready"] {
        let reply = door.ask("POST", path, &[]).await;
        assert_eq!(reply.status, 405, "{path}");
        assert_eq!(reply.header("allow"), Some("GET,HEAD"));
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[tokio::test]
async fn a_head_is_the_answer_without_its_body() {
    let door = Door::open(scene::view()).await;
    for path in ["/metrics", "/", "/-/healthy", "/api/v1/operations"] {
        let (head, full) = (door.ask("HEAD", path, &[]).await, door.get(path).await);
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("content-type"), full.header("content-type"));
        assert!(head.body.is_empty(), "{path}");
        assert!(!full.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_what_a_stranger_typed() {
    let door = Door::open(scene::view()).await;
    door.get("/metrics").await;
    door.get("/api/v1/operations/bt1opTraining").await;
    for number in 0..3 {
        door.get(&format!("/api/v1/operations/nobody{number}")).await;
        door.get(&format!("/wp-admin/{number}")).await;
    }
    let count = |handler, code| {
        let counters = &door.instruments.http_requests_total;
        counters.with_label_values(&[handler, code]).get()
    };
    assert_eq!(count("/metrics", "200"), 1);
    assert_eq!(count("/api/v1/operations/{id}", "200"), 1);
    assert_eq!(count("/api/v1/operations/{id}", "404"), 3);
    assert_eq!(count("(other)", "404"), 3);
}

#[tokio::test]
async fn the_telemetry_path_may_be_moved_even_to_the_root() {
    for path in ["/", "/telemetry/v1"] {
        let settings = Settings {
            telemetry_path: path.to_owned(),
            ..support::settings()
        };
        let door = Door::open_with(scene::view(), settings, |server| server).await;
        let reply = door.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.text().contains("datasphere_job_info"), "{path}");
        assert_eq!(door.get("/metrics").await.status, 404);
    }
}

async fn refusal(settings: Settings) -> WebError {
    let (context, _writer) = context(Clock::starting_at(scene::now()));
    Server::bind(settings, context).await.expect_err("refused")
}

#[tokio::test]
async fn a_telemetry_path_that_would_hide_another_is_refused() {
    for path in [
        "",
        "metrics",
        "/-/ready",
        "/api/v1/operations",
        "/healthz",
        "/operations/x",
        "/assets",
        "/{id}",
        "/a b",
        "/:x",
    ] {
        let settings = Settings {
            telemetry_path: path.to_owned(),
            ..support::settings()
        };
        let error = refusal(settings).await;
        assert!(
            matches!(&error, WebError::TelemetryPath { path: told, .. } if told == path),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_named_with_the_reason() {
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = holder.local_addr().expect("bound").to_string();
    let of = |address: &str| Settings {
        listen_addresses: vec![address.to_owned()],
        ..Settings::default()
    };
    let error = refusal(of(&address)).await;
    assert!(
        matches!(error, WebError::Listen(ListenError::Listen { .. })),
        "{error}"
    );
    assert!(error.to_string().contains(&address), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    for nowhere in ["127.0.0.1", ":http", ":70000", ""] {
        let error = refusal(of(nowhere)).await;
        assert!(
            matches!(error, WebError::Listen(ListenError::Address { .. })),
            "{nowhere}: {error}"
        );
    }
    let none = Settings {
        listen_addresses: Vec::new(),
        ..Settings::default()
    };
    assert!(matches!(refusal(none).await, WebError::AddressCount(0)));
}

#[tokio::test]
async fn a_port_without_a_host_is_every_address_of_the_host() {
    let settings = Settings {
        listen_addresses: vec![":0".to_owned(), "127.0.0.1:0".to_owned()],
        ..Settings::default()
    };
    let door = Door::open_with(View::default(), settings, |server| server).await;
    assert_eq!(door.addresses.len(), 2);
    assert!(door.addresses.iter().all(|address| address.port() != 0));
    assert!(door.addresses[0].ip().is_unspecified());
    for address in &door.addresses {
        let by_ipv4 = ("127.0.0.1", address.port());
        let stream = TcpStream::connect(by_ipv4).await.expect("open by IPv4");
        assert_eq!(support::ask(stream, "GET", "/-/healthy", &[]).await.status, 200);
    }
    if door.addresses[0].is_ipv6() {
        let by_ipv6 = ("::1", door.addresses[0].port());
        let stream = TcpStream::connect(by_ipv6).await.expect("open by IPv6");
        assert_eq!(support::ask(stream, "GET", "/-/healthy", &[]).await.status, 200);
    }
}
