//! The cases of Prometheus' exporter-toolkit (`web/testdata`, and the tests that read it), with files and certificates of
//! our own: what is good there is good here, but for what the TLS library lacks.

use super::tls::{Caller, Files, called, named};
use rcgen::SanType;
use rustls::{CipherSuite, NamedGroup};
use std::net::IpAddr;

const PAIR: &str = "  cert_file: server.crt\n  key_file: server.key\n";

/// TLS with these keys more.
fn tls(keys: &str) -> String {
    format!("tls_server_config:\n{PAIR}  {}\n", keys.replace("; ", "\n  "))
}

fn inline(name: &str, text: &str) -> String {
    format!("  {name}: |\n    {}\n", text.trim_end().replace('\n', "\n    "))
}

/// A file of these lines, where PAIR is a certificate with its key.
fn file(text: &str) -> String {
    let text = text.replace("PAIR", "cert_file: server.crt, key_file: server.key");
    format!("{text}\n")
}

fn check_refusals(cases: &[(&str, &str)]) {
    let files = Files::new();
    for (yaml, expected) in cases {
        let refusal = files.refusal(&file(yaml));
        assert!(refusal.contains(expected), "{yaml}: {refusal}");
        assert!(refusal.contains("web.yml:"), "{refusal}");
        assert!(
            !refusal.contains("dave123") && !refusal.contains("PRIVATE KEY-"),
            "{refusal}"
        );
    }
}

#[test]
fn files_that_are_not_there_or_hold_something_else_are_told_with_their_key() {
    let missing = Files::new().folder.path().join("somefile");
    let error = datasphere_exporter::config::protection(&missing).expect_err("no file");
    assert!(error.to_string().contains("somefile"), "{error}");
    check_refusals(&[
        (
            "tls_server_config:\n  cert_file: nobody\n  key_file: server.key",
            "2: tls_server_config.cert_file: cannot read",
        ),
        (
            "tls_server_config: { cert_file: server.crt, key_file: nobody }",
            "tls_server_config.key_file: cannot read",
        ),
        (
            "tls_server_config: { cert_file: nobody, key_file: nobody }",
            "tls_server_config.cert_file: cannot read",
        ),
        (
            "tls_server_config: { PAIR, client_auth_type: RequireAndVerifyClientCert, client_ca_file: nobody }",
            "tls_server_config.client_ca_file: cannot read",
        ),
        (
            "tls_server_config: { PAIR, client_auth_type: RequireAndVerifyClientCert, client_ca_file: empty.pem }",
            "tls_server_config.client_ca_file: there is no certificate in PEM in it",
        ),
        (
            "tls_server_config: { PAIR, client_auth_type: RequireAndVerifyClientCert, client_ca: nothing }",
            "tls_server_config.client_ca: there is no certificate in PEM in it",
        ),
        // Not among theirs: a pair that is none.
        (
            "tls_server_config: { cert_file: server.crt, key_file: other.key }",
            "tls_server_config.cert_file: certificate and key cannot be used together",
        ),
        (
            "tls_server_config: { cert_file: empty.pem, key_file: server.key }",
            "cert_file: there is no certificate",
        ),
        (
            "tls_server_config: { cert_file: server.crt, key_file: empty.pem }",
            "key_file: there is no private key",
        ),
    ]);
}

#[test]
fn what_is_bad_there_is_bad_here_and_is_told_with_its_key() {
    check_refusals(&[
        ("hsc3bsbcc", "expected keys"),
        (
            "tls_server_config: { cert_filse: server.crt }",
            "cert_filse: unknown key (did you mean cert_file?)",
        ),
        (
            "tls_server_config: { cert_file: '', key_file: server.key }",
            "one of cert_file and cert is missing",
        ),
        (
            "tls_server_config: { cert: '', key_file: server.key }",
            "one of cert_file and cert is missing",
        ),
        (
            "tls_server_config: { cert_file: server.crt, key_file: '' }",
            "one of key_file and key is missing",
        ),
        (
            "tls_server_config: { cert_file: server.crt, key: '' }",
            "one of key_file and key is missing",
        ),
        (
            "tls_server_config: { cert_file: '', key_file: '', client_auth_type: RequireAnyClientCert }",
            "one of cert_file and cert is missing",
        ),
        (
            "tls_server_config: { PAIR, client_ca_file: /dev/null }",
            "client_ca_file: needs a client_auth_type",
        ),
        (
            "tls_server_config: { PAIR, client_allowed_sans: [a] }",
            "client_allowed_sans: needs the client_auth_type",
        ),
        (
            "tls_server_config: { PAIR, client_auth_type: RequestClientCert, client_allowed_sans: [a] }",
            "client_allowed_sans: needs the client_auth_type",
        ),
        (
            "basic_auth_users:\n  dave: dave123",
            "2: basic_auth_users.dave: it is no hash of bcrypt",
        ),
    ]);
}

#[test]
fn words_that_are_bad_there_are_bad_here_and_so_are_some_that_are_good() {
    check_refusals(&[
        (
            "tls_server_config: { PAIR, cipher_suites: [TLS_INVENTED] }",
            "cipher_suites[0]: expected one of TLS_AES",
        ),
        (
            "tls_server_config: { PAIR, curve_preferences: [CurveP000] }",
            "curve_preferences[0]: expected one of X25519",
        ),
        (
            "tls_server_config: { PAIR, min_version: TLS111 }",
            "min_version: expected one of TLS13, TLS12",
        ),
        (
            "tls_server_config: { PAIR, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384], max_version: TLS12 }",
            "cipher_suites: HTTP/2 needs one of",
        ),
        (
            "http_server_config: { headers: { X-Content-Type-Options: x } }",
            "X-Content-Type-Options: expected one of nosniff",
        ),
        (
            "http_server_config: { headers: { X-Frame-Options: x } }",
            "X-Frame-Options: expected one of deny, sameorigin",
        ),
        (
            "http_server_config: { headers: { X-Not-Allowed: x } }",
            "X-Not-Allowed: unknown key",
        ),
        // Good there, and not offered by the TLS library.
        (
            "tls_server_config: { PAIR, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA] }",
            "cipher_suites[0]: is not offered",
        ),
        (
            "tls_server_config: { PAIR, curve_preferences: [CurveP521] }",
            "curve_preferences[0]: is not offered",
        ),
        (
            "tls_server_config: { PAIR, min_version: TLS10 }",
            "min_version: is not offered",
        ),
    ]);
}

#[tokio::test]
async fn plain_and_secured_clients_meet_plain_and_secured_servers() {
    let files = Files::new();
    let pair = format!(
        "tls_server_config:\n{}{}",
        inline("cert", &files.read("server.crt")),
        inline("key", &files.read("server.key"))
    );
    let half = format!(
        "tls_server_config:\n  cert_file: server.crt\n{}",
        inline("key", &files.read("server.key"))
    );
    let cases = [
        ("", Caller::plain(), Some(200)),
        ("", files.caller(), None),
        (&tls(""), Caller::plain(), Some(400)),
        (&tls(""), files.caller(), Some(200)),
        (&pair, files.caller(), Some(200)),
        (&half, files.caller(), Some(200)),
        (
            &tls("min_version: TLS13"),
            with_versions(&files, &[&rustls::version::TLS12]),
            None,
        ),
        (&tls("min_version: TLS13"), files.caller(), Some(200)),
        (
            &tls("max_version: TLS12"),
            with_versions(&files, &[&rustls::version::TLS13]),
            None,
        ),
        (&tls("max_version: TLS12"), files.caller(), Some(200)),
    ];
    for (yaml, caller, expected) in cases {
        let (door, _) = files.open(yaml).await;
        assert_eq!(caller.status(&door).await, expected, "{yaml}");
    }
    let (door, _) = files.open(&tls("")).await;
    let told = Caller::plain().get(&door, "/metrics").await.expect("an answer");
    assert!(told.text().contains("call it with https"), "{}", told.text());
}

fn with_versions(files: &Files, versions: &[&'static rustls::SupportedProtocolVersion]) -> Caller {
    Caller {
        versions: versions.to_vec(),
        ..files.caller()
    }
}

fn with_suites(files: &Files, suites: &[CipherSuite]) -> Caller {
    Caller {
        suites: suites.to_vec(),
        ..files.caller()
    }
}

fn with_curves(files: &Files, curves: &[NamedGroup]) -> Caller {
    Caller {
        curves: curves.to_vec(),
        ..files.caller()
    }
}

#[tokio::test]
async fn cipher_suites_and_curves_are_those_of_the_file() {
    let files = Files::new();
    let (small, large, other) = (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    );
    let offered: Vec<&str> = datasphere_exporter::listening::cipher_suite_names()
        .into_iter()
        .filter_map(|(name, is_offered)| is_offered.then_some(name))
        .collect();
    let all = tls(&format!("cipher_suites: [{}]", offered.join(", ")));
    let some = tls(
        "max_version: TLS12; cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
                    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
    );
    let unordered = format!("{some}  prefer_server_cipher_suites: false\n");
    let old = tls("max_version: TLS12; cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]")
        + "http_server_config: { http2: false }\n";
    let all_curves = tls("curve_preferences: [X25519, CurveP256, CurveP384]");
    let some_curves = tls("min_version: TLS13; curve_preferences: [CurveP384]");
    let cases = [
        (&all, files.caller(), Some(200)),
        (&some, with_suites(&files, &[small]), Some(200)),
        (&some, with_suites(&files, &[other]), None),
        (&some, with_suites(&files, &[small, large]), Some(200)),
        (&old, files.caller(), Some(200)),
        (&old, with_suites(&files, &[small]), None),
        (&all_curves, files.caller(), Some(200)),
        (
            &some_curves,
            with_curves(&files, &[NamedGroup::secp384r1]),
            Some(200),
        ),
        (&some_curves, with_curves(&files, &[NamedGroup::secp256r1]), None),
    ];
    for (yaml, caller, expected) in cases {
        let (door, _) = files.open(yaml).await;
        assert_eq!(caller.status(&door).await, expected, "{yaml} {caller:?}");
    }
    for (yaml, expected) in [(some, large), (unordered, small)] {
        let (door, _) = files.open(&yaml).await;
        let caller = with_suites(&files, &[small, large]);
        let stream = caller.secure(door.connect().await).await.expect("TLS");
        let suite = stream.get_ref().1.negotiated_cipher_suite().expect("a suite");
        assert_eq!(suite.suite(), expected, "{yaml}");
    }
}

#[tokio::test]
async fn clients_show_certificates_as_the_file_asks_for_them() {
    let files = Files::new();
    let nobody = || files.caller();
    let stranger = || files.caller().showing(&files.stranger);
    let client = || files.caller().showing(&files.client);
    let listed = || files.caller().showing(&files.listed);
    let outdated = || files.caller().showing(&files.outdated);
    let of = |kind: &str, ca: &str| tls(&format!("client_auth_type: {kind}{ca}"));
    let (none, by_ca, by_list) = (
        "",
        "; client_ca_file: clients.crt",
        "; client_ca_file: listed.pem",
    );
    let inline = format!(
        "{}{}",
        of("RequireAndVerifyClientCert", none),
        inline("client_ca", &files.clients.cert)
    );
    let cases = [
        (of("NoClientCert", none), nobody(), Some(200)),
        (of("NoClientCert", none), stranger(), Some(200)),
        (of("RequestClientCert", none), nobody(), Some(200)),
        (of("RequestClientCert", none), stranger(), Some(200)),
        (of("RequestClientCert", by_ca), stranger(), Some(200)),
        (of("RequireAnyClientCert", none), nobody(), None),
        (of("RequireAnyClientCert", none), stranger(), Some(200)),
        (of("RequireClientCert", none), nobody(), None),
        (of("RequireClientCert", none), stranger(), Some(200)),
        (of("VerifyClientCertIfGiven", by_ca), nobody(), Some(200)),
        (of("VerifyClientCertIfGiven", by_ca), stranger(), None),
        (of("VerifyClientCertIfGiven", by_ca), client(), Some(200)),
        (of("RequireAndVerifyClientCert", by_ca), nobody(), None),
        (of("RequireAndVerifyClientCert", by_ca), stranger(), None),
        (of("RequireAndVerifyClientCert", by_ca), client(), Some(200)),
        (of("RequireAndVerifyClientCert", by_list), listed(), Some(200)),
        (of("RequireAndVerifyClientCert", by_list), outdated(), None),
        (of("RequireAndVerifyClientCert", by_list), client(), None),
        (inline, client(), Some(200)),
    ];
    for (yaml, caller, expected) in cases {
        let (door, _) = files.open(&yaml).await;
        assert_eq!(caller.status(&door).await, expected, "{yaml}");
    }
}

#[tokio::test]
async fn without_authorities_of_its_own_a_server_trusts_those_of_the_system_and_no_stranger() {
    let files = Files::new();
    files.write("web.yml", &tls("client_auth_type: RequireAndVerifyClientCert"));
    let Ok(_) = datasphere_exporter::config::protection(&files.web()) else {
        // This system has none.
        return;
    };
    let (door, _) = files
        .open(&tls("client_auth_type: RequireAndVerifyClientCert"))
        .await;
    for caller in [
        files.caller(),
        files.caller().showing(&files.client),
        files.caller().showing(&files.stranger),
    ] {
        assert_eq!(caller.status(&door).await, None);
    }
}

#[tokio::test]
async fn a_certificate_needs_one_of_the_names_that_are_allowed() {
    let files = Files::new();
    let text = |text: &str| text.try_into().expect("ASCII");
    let everything = files.clients.client(called(vec![
        SanType::DnsName(text("prometheus.example")),
        SanType::Rfc822Name(text("ops@example.org")),
        SanType::URI(text("spiffe://example.org/prometheus")),
        SanType::IpAddress("10.1.2.3".parse::<IpAddr>().expect("an address")),
        SanType::IpAddress("2001:db8::1".parse::<IpAddr>().expect("an address")),
    ]));
    let nameless = files.clients.client(named(&[]));
    for (kind, ca) in [
        ("RequireAnyClientCert", ""),
        ("RequireAndVerifyClientCert", "; client_ca_file: clients.crt"),
    ] {
        for (names, expected) in [
            ("prometheus.example", Some(200)),
            ("other.example, ops@example.org", Some(200)),
            ("spiffe://example.org/prometheus", Some(200)),
            ("10.1.2.3", Some(200)),
            ("'2001:0db8::0001'", Some(200)),
            ("bad, example", None),
            ("'*.example'", None),
            ("Prometheus", None),
            ("10.1.2.4", None),
        ] {
            let yaml = tls(&format!(
                "client_auth_type: {kind}{ca}; client_allowed_sans: [{names}]"
            ));
            let (door, _) = files.open(&yaml).await;
            assert_eq!(
                files.caller().showing(&everything).status(&door).await,
                expected,
                "{yaml}"
            );
            assert_eq!(
                files.caller().showing(&nameless).status(&door).await,
                None,
                "{yaml}"
            );
            assert_eq!(files.caller().status(&door).await, None, "{yaml}");
        }
    }
}

/// Users as the toolkit's files have them; their passwords are hashed at the lowest cost.
fn users() -> String {
    let line = |user: &str| {
        format!(
            "  {user}: {}\n",
            bcrypt::hash(format!("{user}123"), 4).expect("a hash")
        )
    };
    format!("basic_auth_users:\n{}{}", line("dave"), line("carol"))
}

#[tokio::test]
async fn users_sign_in_with_and_without_tls() {
    let files = Files::new();
    let (door, _) = files.open(&users()).await;
    let (secured, _) = files.open(&format!("{}{}", tls(""), users())).await;
    for (door, caller) in [(&door, Caller::plain()), (&secured, files.caller())] {
        let reply = caller.get(door, "/metrics").await.expect("an answer");
        assert_eq!(reply.status, 401);
        let challenge = reply.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
        for (user, password, expected) in [
            ("dave", "dave123", 200),
            ("carol", "carol123", 200),
            ("dave", "bad", 401),
            ("dave", "carol123", 401),
            ("nonexistent", "nonexistent", 401),
            ("", "", 401),
        ] {
            let caller = caller.clone().signing_in(user, password);
            assert_eq!(caller.status(door).await, Some(expected), "{user}");
        }
    }
    let reply = door.get("/api/v1/operations").await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (401, Some("application/problem+json"))
    );
}

#[tokio::test]
async fn paths_that_are_excluded_need_no_user_and_all_others_do() {
    let files = Files::new();
    let yaml = format!(
        "auth_excluded_paths: [/-/healthy, /api/v1/operations/x]\n{}",
        users()
    );
    let (door, _) = files.open(&yaml).await;
    for (path, status) in [
        ("/-/healthy", 200),
        ("/-/healthy?x=y", 200),
        ("/-/healthy/", 401),
        ("//-/healthy", 401),
        ("/-/ready", 401),
        ("/metrics", 401),
        ("/", 401),
        ("/nothing", 401),
    ] {
        assert_eq!(door.get(path).await.status, status, "{path}");
    }
    // Whoever reads without a user does not write without one.
    let written = door.ask("PUT", "/api/v1/operations/x", &[]).await;
    assert_eq!(written.status, 403, "{}", written.text());
}

#[tokio::test]
async fn headers_of_the_file_are_in_every_answer() {
    let files = Files::new();
    let headers = "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n    X-Frame-Options: \
                   deny\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: \"1\"\n    \
                   Strict-Transport-Security: max-age=31536000; includeSubDomains\n";
    let (door, _) = files.open(headers).await;
    let (limited, _) = files
        .open(&format!("{headers}rate_limit: {{ interval: 1h, burst: 1 }}\n"))
        .await;
    let (guarded, _) = files.open(&format!("{headers}{}", users())).await;
    assert_eq!(limited.get("/").await.status, 200);
    for (door, path, status) in [
        (&door, "/", 200),
        (&door, "/nothing", 404),
        (&limited, "/", 429),
        (&limited, "/api/v1/operations", 429),
        (&guarded, "/", 401),
    ] {
        let reply = door.get(path).await;
        assert_eq!(reply.status, status, "{path}");
        for (name, value) in [
            ("content-security-policy", "default-src 'self'"),
            ("x-frame-options", "deny"),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "1"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_rate_limits_the_requests_of_all_callers_together() {
    let files = Files::new();
    let statuses = async |yaml: &str| {
        let (door, _) = files.open(yaml).await;
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(door.get("/metrics").await.status);
        }
        statuses
    };
    assert_eq!(statuses("rate_limit: { interval: 0, burst: 0 }").await, [200; 5]);
    assert_eq!(statuses("rate_limit: { interval: 1s, burst: 0 }").await, [429; 5]);
    let expected = [200, 200, 429, 429, 429];
    assert_eq!(statuses("rate_limit: { interval: 1h, burst: 2 }").await, expected);
}

#[tokio::test]
async fn probes_are_answered_whatever_the_rate_but_for_those_that_could_be_guesses() {
    let files = Files::new();
    let (door, _) = files.open("rate_limit: { interval: 1500ms, burst: 0 }").await;
    for (path, status) in [
        ("/-/healthy", 200),
        ("/healthz", 200),
        ("/livez", 200),
        ("/-/ready", 200),
        ("/readyz", 200),
        ("/", 429),
        ("/-/healthy/", 429),
    ] {
        assert_eq!(door.get(path).await.status, status, "{path}");
    }
    let refused = door
        .ask("GET", "/-/healthy", &[("authorization", "Basic YTpi")])
        .await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.header("connection"), Some("close"));
}
