//! A protected server as it changes, as it is written to, and as strangers abuse it.

use super::support::{self, Door, PATIENCE};
use super::tls::{Caller, Files, named, self_signed};
use crate::support::World;
use base64::Engine;
use bytes::Bytes;
use datasphere_exporter::config::protection;
use datasphere_exporter::listening::{Inherited, Listener};
use datasphere_exporter::web::{ApiSettings, Patience, Server, Settings};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

const TLS: &str = "tls_server_config: { cert_file: server.crt, key_file: server.key }\n";

/// Short enough for a test to see it pass.
const SHORT: Duration = Duration::from_millis(200);

fn alice() -> String {
    let hash = bcrypt::hash("secret", 4).expect("a hash");
    format!("basic_auth_users: {{ alice: \"{hash}\" }}\n")
}

fn authorization(user: &str, password: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_connections_are_open() {
    let files = Files::new();
    let (door, protected) = files.open(TLS).await;
    let serial = async |caller: &Caller| {
        let stream = caller.secure(door.connect().await).await.expect("TLS");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate");
        (shown[0].to_vec(), stream)
    };
    let (before, open) = serial(&files.caller()).await;
    let server = files.authority.server();
    files.write("server.key", &server.key);
    // A key without its certificate changes nothing.
    let refusal = protection(&files.web()).expect_err("half a pair").to_string();
    assert!(refusal.contains("cannot be used together"), "{refusal}");
    files.write("server.crt", &server.cert);
    assert!(protected.replace(protection(&files.web()).expect("a pair")));
    assert!(!protected.replace(protection(&files.web()).expect("the same pair")));
    let (after, _) = serial(&files.caller()).await;
    assert_ne!(before, after);
    let reply = support::try_ask(open, "GET", "/-/healthy", &[], Bytes::new()).await;
    assert_eq!(reply.expect("an open connection stays").status, 200);
}

#[tokio::test]
async fn who_may_connect_changes_while_it_runs() {
    let files = Files::new();
    let closed = "tls_server_config: { cert_file: server.crt, key_file: server.key, client_auth_type: \
                  RequireAndVerifyClientCert, client_ca_file: listed.pem }\n";
    let (door, protected) = files.open(closed).await;
    let change = |yaml: &str| {
        files.write("web.yml", yaml);
        protected.replace(protection(&files.web()).expect("a file"))
    };
    let newcomer = self_signed(named(&["newcomer.example"]));
    let caller = files.caller().showing(&newcomer);
    assert_eq!(caller.status(&door).await, None);
    files.write("listed.pem", &newcomer.cert);
    assert!(change(closed), "the file that is named differs");
    assert_eq!(caller.status(&door).await, Some(200));
    assert!(change(&format!("{TLS}{}", alice())));
    assert_eq!(caller.status(&door).await, Some(401));
    assert_eq!(
        caller.clone().signing_in("alice", "secret").status(&door).await,
        Some(200)
    );
    assert!(change(""));
    assert_eq!(Caller::plain().status(&door).await, Some(200));
}

#[tokio::test]
async fn http2_is_spoken_with_clients_that_want_it_unless_the_file_says_no() {
    let files = Files::new();
    let caller = Caller {
        protocols: vec!["h2", "http/1.1"],
        ..files.caller()
    };
    let (door, _) = files
        .open(&format!("{TLS}http_server_config: {{ http2: false }}\n"))
        .await;
    let stream = caller.secure(door.connect().await).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    let (door, _) = files.open(&format!("{TLS}{}", alice())).await;
    let stream = caller.secure(door.connect().await).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, driver) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let mut connection = JoinSet::new();
    connection.spawn(async move { drop(driver.await) });
    let ask = |method: &'static str, path: &'static str, password: &'static str| {
        let mut sender = sender.clone();
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .header("authorization", authorization("alice", password))
            .body(Full::new(Bytes::new()))
            .expect("a request");
        async move {
            let response = sender.send_request(request).await.expect("an answer");
            let status = response.status().as_u16();
            response.into_body().collect().await.expect("a whole body");
            status
        }
    };
    let (healthy, metrics, refused, written) = tokio::join!(
        ask("GET", "/-/healthy", "secret"),
        ask("GET", "/metrics", "secret"),
        ask("GET", "/metrics", "wrong"),
        // The inbox of this server is nobody's: what matters is that the guard let it pass.
        ask("PUT", "/api/v1/operations/x", "secret"),
    );
    assert_eq!((healthy, metrics, refused, written), (200, 200, 401, 503));
}

#[tokio::test]
async fn what_writes_needs_a_user_where_there_are_users_and_the_same_host_where_there_are_none() {
    let world = World::start("speed: 1", |_, _| {});
    let files = Files::new();
    let door = Door::of(world.context(), support::settings()).await;
    let path = "/api/v1/operations/op";
    assert_eq!(door.ask("PUT", path, &[]).await.status, 201);
    for header in [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-real-ip",
    ] {
        let reply = door.ask("PUT", path, &[(header, "10.0.0.9")]).await;
        assert_eq!(reply.status, 403, "{header}");
        assert!(
            reply.text().contains("api.unauthenticated_writes"),
            "{}",
            reply.text()
        );
    }
    let open = Settings {
        api: ApiSettings {
            unauthenticated_writes: true,
            ..ApiSettings::default()
        },
        ..support::settings()
    };
    let proxied = Door::of(world.context(), open).await;
    assert_eq!(
        proxied.ask("PUT", path, &[("via", "1.1 proxy")]).await.status,
        200
    );

    files.write("web.yml", &alice());
    let guarded = Door::of_changed(world.context(), support::settings(), |server| {
        server
            .protected()
            .replace(protection(&files.web()).expect("a file"));
        server
    })
    .await;
    assert_eq!(guarded.ask("PUT", path, &[]).await.status, 401);
    let signed = authorization("alice", "secret");
    let authorization = ("authorization", signed.as_str());
    for more in [
        ("accept", "*/*"),
        ("x-forwarded-for", "10.0.0.9"),
        ("host", "exporter.example.org"),
    ] {
        let reply = guarded.ask("PUT", path, &[authorization, more]).await;
        assert_eq!(reply.status, 200, "{more:?}: {}", reply.text());
    }
    let foreign = ("origin", "http://evil.example");
    assert_eq!(
        guarded.ask("PUT", path, &[authorization, foreign]).await.status,
        403
    );
}

#[tokio::test]
async fn a_verified_certificate_may_write_and_an_unverified_one_may_not() {
    let files = Files::new();
    let pair = "cert_file: server.crt, key_file: server.key";
    for (kind, identity, status) in [
        (
            "VerifyClientCertIfGiven, client_ca_file: clients.crt",
            Some(&files.client),
            503,
        ),
        ("VerifyClientCertIfGiven, client_ca_file: clients.crt", None, 403),
        (
            "RequireAndVerifyClientCert, client_ca_file: clients.crt",
            Some(&files.client),
            503,
        ),
        // Nobody vouches for it, so this server knows nobody: the call is one of the same host.
        ("RequireAnyClientCert", Some(&files.stranger), 503),
    ] {
        let yaml = format!("tls_server_config: {{ {pair}, client_auth_type: {kind} }}\n");
        let (door, _) = files.open(&yaml).await;
        let caller = Caller {
            identity: identity.cloned(),
            ..files.caller()
        };
        let stream = caller.secure(door.connect().await).await.expect("TLS");
        let reply = support::try_ask(stream, "PUT", "/api/v1/operations/x", &[], Bytes::new()).await;
        // The inbox of this server is nobody's: whom the guard lets pass is told to come again.
        assert_eq!(reply.expect("an answer").status, status, "{kind}");
    }
}

/// Everything that comes until the end.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    drop(read.await.expect("the server closes the connection"));
    bytes
}

#[tokio::test]
async fn handshakes_that_do_not_come_to_an_end_are_cut_off_and_hold_up_nobody() {
    let files = Files::new();
    let impatient = |server: Server| {
        server.with_patience(Patience {
            head_time_max: SHORT,
            ..Patience::default()
        })
    };
    let (door, _) = files.open_changed(TLS, impatient).await;
    // The beginning of a greeting: a record of 512 bytes, of which few come.
    let mut half = door.connect().await;
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
        .await
        .expect("sent");
    let silent = door.connect().await;
    let mut crowd = vec![silent];
    for _ in 0..50 {
        crowd.push(door.connect().await);
    }
    let mut slow = door.connect().await;
    slow.write_all(&[0x16]).await.expect("sent");
    assert_eq!(
        files.caller().status(&door).await,
        Some(200),
        "others are served meanwhile"
    );
    assert_eq!(rest(&mut half).await, b"");
    // A byte more does not give it more time.
    drop(slow.write_all(&[0x03]).await);
    rest(&mut slow).await;
    for mut stream in crowd {
        assert_eq!(rest(&mut stream).await, b"");
    }
    assert_eq!(files.caller().status(&door).await, Some(200));
}

#[tokio::test]
async fn what_is_no_tls_is_answered_once_and_closed() {
    let files = Files::new();
    let (door, _) = files.open(TLS).await;
    for garbage in [
        &b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        &[0; 64],
        &[0xff; 600],
    ] {
        let mut stream = door.connect().await;
        stream.write_all(garbage).await.expect("sent");
        let told = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 400"), "{told}");
    }
    let mut aborted = door.connect().await;
    aborted.shutdown().await.expect("an end");
    rest(&mut aborted).await;
    assert_eq!(files.caller().status(&door).await, Some(200));
}

#[tokio::test]
async fn one_server_listens_on_tcp_of_both_kinds_and_on_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.sock");
    // Some containers have no IPv6.
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let unix = format!("unix:{}", path.display());
    let addresses = [Some("127.0.0.1:0"), has_ipv6.then_some("[::1]:0"), Some(&unix)];
    let settings = Settings {
        listen_addresses: addresses.into_iter().flatten().map(str::to_owned).collect(),
        ..support::settings()
    };
    let mut door = Door::open_with(crate::scene::view(), settings, |server| server).await;
    assert_eq!(door.addresses.len(), 1 + usize::from(has_ipv6));
    for address in &door.addresses {
        let stream = TcpStream::connect(address).await.expect("it listens");
        assert_eq!(support::ask(stream, "GET", "/-/healthy", &[]).await.status, 200);
    }
    let unix = || async { UnixStream::connect(&path).await.expect("it listens") };
    let reply = support::try_ask(unix().await, "GET", "/metrics", &[], Bytes::new()).await;
    assert!(reply.expect("an answer").text().contains("datasphere_job_info"));
    // Whoever calls over it is on this host, whatever host is named; a proxy may call for anybody.
    for (header, status) in [(("host", "anything"), 503), (("via", "1.1 proxy"), 403)] {
        let reply = support::try_ask(
            unix().await,
            "PUT",
            "/api/v1/operations/x",
            &[header],
            Bytes::new(),
        )
        .await;
        assert_eq!(reply.expect("an answer").status, status, "{header:?}");
    }
    door.stop.cancel();
    door.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_server_listens_on_sockets_that_were_handed_over() {
    let handed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = handed.local_addr().expect("an address");
    let listener = Listener::inherit(Inherited::Tcp(handed)).expect("a socket");
    let (context, _writer) = support::context(datasphere_exporter::clock::Clock::system());
    let server = Server::on(vec![listener], support::settings(), context).expect("a server");
    assert_eq!(server.addresses(), [address]);
    let mut running = JoinSet::new();
    running.spawn(server.run(tokio_util::sync::CancellationToken::new()));
    let stream = TcpStream::connect(address).await.expect("it listens");
    assert_eq!(support::ask(stream, "GET", "/-/healthy", &[]).await.status, 200);
}

#[tokio::test]
async fn who_is_refused_is_told_the_methods_of_the_very_path() {
    let files = Files::new();
    let (door, _) = files.open(&alice()).await;
    let path = "/api/v1/operations/op";
    for (path, methods) in [
        (path.to_owned(), "GET,HEAD,PUT,DELETE"),
        (format!("{path}:cancel"), "POST"),
    ] {
        let reply = door.ask("OPTIONS", &path, &[]).await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (401, Some(methods)),
            "{path}"
        );
    }
}
