//! Tests of reading the file; those with certificates and connections are in the suite.

use super::*;

fn refusal(yaml: &str) -> String {
    parsed(yaml, Path::new("/nowhere")).expect_err(yaml).to_string()
}

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

#[test]
fn an_empty_file_protects_nothing() {
    for yaml in [
        "",
        "{}",
        "tls_server_config:\n",
        "tls_server_config: {}",
        "basic_auth_users: {}",
    ] {
        assert_eq!(parsed(yaml, Path::new("")), Ok(Protection::default()), "{yaml}");
    }
}

#[test]
fn what_is_not_the_format_is_told_with_line_and_key() {
    let cases = [
        ("hsc3bsbcc\n", "expected keys, found a single value"),
        (
            "tls_server_config:\n  cert_filse: server.crt\n",
            "2: tls_server_config.cert_filse: unknown key (did you mean cert_file?)",
        ),
        (
            "tls_server_confg: {}\n",
            "1: tls_server_confg: unknown key (did you mean tls_server_config?)",
        ),
        (
            "basic_auth_users: [a]\n",
            "1: basic_auth_users: expected users with hashes of bcrypt, found a list",
        ),
        (
            "rate_limit: { interval: 1x }\n",
            "1: rate_limit.interval: expected a duration",
        ),
        (
            "http_server_config: { http2: maybe }\n",
            "1: http_server_config.http2: expected true or false",
        ),
        (
            "ip_socket_config: { dscp: 46 }\n",
            "1: ip_socket_config: unknown key",
        ),
        (
            "bearer_auth_tokens: [canary]\n",
            "1: bearer_auth_tokens: unknown key",
        ),
    ];
    for (yaml, expected) in cases {
        let refusal = refusal(yaml);
        assert!(refusal.contains(expected), "{yaml}: {refusal}");
        assert!(!refusal.contains("canary"));
    }
}

#[test]
fn users_have_hashes_of_bcrypt_and_names_without_a_colon() {
    let yaml = format!("basic_auth_users:\n  alice: {HASH}\n  \"5\": {HASH}\n");
    assert_eq!(parsed(&yaml, Path::new("")).expect("users").users.len(), 2);
    for (yaml, expected) in [
        (
            "basic_auth_users:\n  dave: canary\n".to_owned(),
            "2: basic_auth_users.dave: it is no hash of bcrypt",
        ),
        (
            "basic_auth_users:\n  dave:\n".to_owned(),
            "2: basic_auth_users.dave: expected a hash of bcrypt, found nothing",
        ),
        (format!("basic_auth_users:\n  \"a:b\": {HASH}\n"), "a colon"),
        (
            format!("basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n"),
            "given twice",
        ),
        (
            format!("basic_auth_users:\n  a: {}\n", HASH.replace("$10$", "$16$")),
            "above 15",
        ),
    ] {
        let refusal = refusal(&yaml);
        assert!(refusal.contains(expected), "{yaml}: {refusal}");
        assert!(
            !refusal.contains("canary") && !refusal.contains("X0h1gDs"),
            "{refusal}"
        );
    }
}

#[test]
fn headers_are_those_of_the_toolkit_and_nothing_else() {
    let yaml = "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n    \
                X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: \"1\"\n    \
                Strict-Transport-Security: max-age=31536000; includeSubDomains\n";
    let headers = parsed(yaml, Path::new("")).expect("headers").headers;
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")))
        .collect();
    let expected = [
        "content-security-policy: default-src 'self'",
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "x-xss-protection: 1",
        "strict-transport-security: max-age=31536000; includeSubDomains",
    ];
    assert_eq!(headers, expected);
    let empty = "http_server_config: { headers: { X-Frame-Options: \"\", X-XSS-Protection: \"\" } }";
    assert!(parsed(empty, Path::new("")).expect("headers").headers.is_empty());
    let headers = "http_server_config:\n  headers:\n    ";
    for (header, expected) in [
        (
            "X-Content-Type-Options: sniff",
            "3: http_server_config.headers.X-Content-Type-Options: expected one of nosniff",
        ),
        (
            "X-Frame-Options: DENY",
            "3: http_server_config.headers.X-Frame-Options: expected one of deny, sameorigin",
        ),
        (
            "X-Not-Allowed: x",
            "3: http_server_config.headers.X-Not-Allowed: unknown key",
        ),
        (
            "Content-Security-Policy: \"a\\nb\"",
            "expected one line of visible ASCII",
        ),
    ] {
        let refusal = refusal(&format!("{headers}{header}\n"));
        assert!(refusal.contains(expected), "{header}: {refusal}");
    }
}

/// Refusals of keys of `tls_server_config`.
fn check_refusals(cases: &[(&str, &str)]) {
    for (keys, expected) in cases {
        let keys = keys.replace("PAIR", "cert_file: a, key_file: b");
        let refusal = refusal(&format!("tls_server_config: {{ {keys} }}\n"));
        assert!(refusal.contains(expected), "{keys}: {refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn certificate_and_key_are_there_once() {
    check_refusals(&[
        (
            "client_auth_type: RequireAnyClientCert",
            "tls_server_config: one of cert_file and cert is missing",
        ),
        (
            "cert_file: '', key_file: ''",
            "one of cert_file and cert is missing",
        ),
        ("cert: '', key_file: b", "one of cert_file and cert is missing"),
        ("cert_file: a, key_file: ''", "one of key_file and key is missing"),
        ("cert_file: a, key: ''", "one of key_file and key is missing"),
        ("min_version: TLS13", "one of cert_file and cert is missing"),
        (
            "PAIR, cert: canary",
            "tls_server_config.cert: cannot be given beside cert_file",
        ),
        ("PAIR", "tls_server_config.cert_file: cannot read /nowhere/a"),
    ]);
}

#[test]
fn what_is_asked_of_clients_has_to_fit_together() {
    check_refusals(&[
        (
            "PAIR, client_ca_file: c",
            "tls_server_config.client_ca_file: needs a client_auth_type",
        ),
        (
            "PAIR, client_ca: canary",
            "tls_server_config.client_ca: needs a client_auth_type",
        ),
        (
            "PAIR, client_auth_type: Require",
            "tls_server_config.client_auth_type: expected one of NoClientCert",
        ),
        (
            "PAIR, client_allowed_sans: [x]",
            "tls_server_config.client_allowed_sans: needs the client_auth_type",
        ),
        (
            "PAIR, client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [x]",
            "tls_server_config.client_allowed_sans: needs the client_auth_type",
        ),
        (
            "PAIR, client_auth_type: RequireAnyClientCert, client_allowed_sans: []",
            "nobody could connect",
        ),
    ]);
}

#[test]
fn words_of_tls_are_told_from_words_that_are_not_offered() {
    check_refusals(&[
        (
            "PAIR, min_version: TLS13, max_version: TLS12",
            "min_version: must not be newer",
        ),
        (
            "PAIR, min_version: TLS111",
            "tls_server_config.min_version: expected one of TLS13, TLS12",
        ),
        (
            "PAIR, min_version: TLS11",
            "tls_server_config.min_version: is not offered by the TLS library",
        ),
        (
            "PAIR, cipher_suites: [TLS_INVENTED]",
            "tls_server_config.cipher_suites[0]: expected one of TLS_",
        ),
        (
            "PAIR, cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]",
            "tls_server_config.cipher_suites[1]: is not offered by the TLS library",
        ),
        (
            "PAIR, curve_preferences: [CurveP999]",
            "tls_server_config.curve_preferences[0]: expected one of X25519",
        ),
        (
            "PAIR, curve_preferences: [CurveP521]",
            "tls_server_config.curve_preferences[0]: is not offered by the TLS library",
        ),
        (
            "PAIR, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]",
            "tls_server_config.cipher_suites: HTTP/2 needs one of",
        ),
    ]);
}

#[test]
fn paths_for_everybody_and_certificates_that_everybody_needs_exclude_each_other() {
    let yaml = format!("auth_excluded_paths: [/-/healthy]\nbasic_auth_users: {{ a: \"{HASH}\" }}\n");
    assert_eq!(
        parsed(&yaml, Path::new("")).expect("a path").open_paths,
        ["/-/healthy"]
    );
    let yaml = "auth_excluded_paths: [/x]\ntls_server_config: { cert_file: a, key_file: b, client_auth_type: \
                RequireAndVerifyClientCert }\n";
    assert!(refusal(yaml).contains("1: auth_excluded_paths: cannot be combined"));
    assert!(refusal("auth_excluded_paths: [x]\n").contains("expected a path"));
}

#[test]
fn a_rate_is_no_rate_without_an_interval() {
    let of = |yaml: &str| parsed(yaml, Path::new("")).expect("a rate").rate_limit;
    assert_eq!(of("rate_limit: { interval: 0, burst: 0 }"), None);
    assert_eq!(of("rate_limit: { burst: 5 }"), None);
    let limit = of("rate_limit: { interval: \"1s\", burst: 0 }").expect("a rate");
    assert_eq!((limit.interval, limit.burst), (Duration::from_secs(1), 0));
}
