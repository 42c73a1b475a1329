//! What answers is something else: another protocol, a proxy, a page.

use crate::delivery::answer::{Answer, Verdict};
use crate::delivery::sender::Sender;
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::secured::Authority;
use crate::delivery::tests::{PATIENCE, PROTOCOLS, at, collector, entry};
use crate::delivery::{Exporter, Headers, Protocol, Tls};
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

async fn ask(protocol: Protocol, address: &str, headers: &str, tls: Tls) -> Answer {
    let mut collector = collector(protocol, address);
    collector.headers = Headers::parse(headers).expect("headers");
    collector.tls = tls;
    let mut sender = Sender::new(Exporter::Collector(Box::new(collector))).expect("settings that hold");
    let answer = timeout(PATIENCE, sender.send(Bytes::from(entry(1).bytes), at(0))).await;
    answer.expect("an end")
}

fn assert_mismatch(answer: &Answer, words: &str) {
    assert_eq!(
        (answer.verdict, answer.code.as_ref()),
        (Verdict::Misconfigured, "protocol"),
        "{answer}"
    );
    assert!(answer.to_string().contains(words), "{answer}");
}

/// Says the same to whoever asks, and hears the rest.
async fn speaking(words: &'static [u8]) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = JoinSet::from_iter([async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(words).await;
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
    }]);
    (address, serving)
}

/// Of a server in Go that got the preface of HTTP/2.
const HTTP1: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n\
    Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n505 HTTP Version Not Supported";
/// The frame that a server of gRPC begins with.
const GRPC: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0";
/// What a server of TLS says to what is not encrypted.
const ALERT: &[u8] = b"\x15\x03\x01\0\x02\x02\x0a";
const MAIL: &[u8] = b"220 mail ready\r\n";

fn trusting(authority: &Authority) -> Tls {
    Tls {
        certificate: Some(authority.ca()),
        ..Tls::default()
    }
}

#[tokio::test]
async fn what_does_not_speak_our_protocol_is_told_in_words_of_ours() {
    for (protocol, words, expected) in [
        (Protocol::Grpc, HTTP1, "does not speak gRPC"),
        (Protocol::Grpc, ALERT, "does not speak gRPC, or only encrypted"),
        (Protocol::Grpc, MAIL, "does not speak gRPC"),
        (Protocol::Http, GRPC, "does not speak HTTP/1.1"),
        (
            Protocol::Http,
            ALERT,
            "does not speak HTTP/1.1, or only encrypted",
        ),
        (Protocol::Http, MAIL, "does not speak HTTP/1.1"),
    ] {
        let (address, _serving) = speaking(words).await;
        let answer = ask(protocol, &format!("http://{address}"), "", Tls::default()).await;
        assert_mismatch(&answer, expected);
        let told = answer.to_string();
        assert!(
            told.contains(&format!("what answers at http://{address}/")),
            "{told}"
        );
        assert!(told.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{told}");
    }
}

#[tokio::test]
async fn what_is_not_encrypted_is_told_so() {
    let authority = Authority::new();
    for words in [b"HTTP/1.0 400 Bad Request\r\n\r\n", GRPC] {
        for protocol in PROTOCOLS {
            let (address, _serving) = speaking(words).await;
            let answer = ask(protocol, &format!("https://{address}"), "", trusting(&authority)).await;
            assert_mismatch(&answer, "does not speak TLS");
        }
    }
}

#[tokio::test]
async fn words_of_a_proxy_are_shown_without_secrets_and_a_page_is_not() {
    let long = "я".repeat(1000).leak();
    for (kind, body, expected) in [
        (
            "text/plain",
            "no tenant\r\n\x1b[31mfor k4n4ry",
            "no tenant   [31mfor ***",
        ),
        ("text/plain", "password=hunter2 is wrong", "password=*** is wrong"),
        (
            "application/json",
            r#"{ "error": "k4n4ry is not known" }"#,
            r#"{"error":"*** is not known"}"#,
        ),
        (
            "text/html; charset=utf-8",
            "<h1>k4n4ry</h1> sign in",
            "a page of HTML",
        ),
        ("text/plain", long, "яяя"),
    ] {
        let receiver = Receiver::start(move |_, _| Reply::Words(403, kind, body)).await;
        for protocol in PROTOCOLS {
            let answer = ask(protocol, &receiver.url(), "api-key=k4n4ry", Tls::default()).await;
            assert_eq!(answer.verdict, Verdict::Misconfigured, "{answer}");
            let told = answer.message.as_str();
            assert!(told.contains(expected), "{protocol:?}: {told}");
            assert!(!told.contains("sign in") && told.len() <= 256, "{told}");
        }
    }
}
