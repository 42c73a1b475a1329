//! The configuration as users write it: what is read, what is refused and how that is said, what is printed.

use datasphere_exporter::cloud::Auth;
use datasphere_exporter::config::{
    Config, Flags, LogFormat, LogLevel, document, environment_name, protection,
};
use datasphere_exporter::delivery::Exporter;
use datasphere_exporter::model::{JobStatus, ProjectScope};
use datasphere_exporter::tracker::CallerContext;
use datasphere_exporter::web::Link;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

const SMALLEST: &str = "cloud: {auth: {anonymous: {}}}\n";

fn nothing(_: &str) -> Option<String> {
    None
}

fn variables(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let pairs: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    move |name| pairs.get(name).cloned()
}

fn parse(yaml: &str) -> Config {
    Config::parse(yaml, Path::new("/etc/exporter"), &Flags::default(), nothing)
        .unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(yaml: &str) -> String {
    Config::parse(yaml, Path::new(""), &Flags::default(), nothing)
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

#[test]
fn without_more_than_a_way_to_authenticate_all_is_default() {
    let config = parse(SMALLEST);
    assert_eq!(
        config.cloud,
        datasphere_exporter::cloud::Settings::new(Auth::Anonymous)
    );
    assert_eq!(config.metrics, datasphere_exporter::metrics::Settings::default());
    assert_eq!(
        config.engine.concurrency,
        datasphere_exporter::engine::Settings::default().concurrency
    );
    assert_eq!(config.web, datasphere_exporter::web::Settings::default());
    let tracker = datasphere_exporter::tracker::Settings::default();
    assert_eq!(format!("{:?}", config.tracker), format!("{tracker:?}"));
    let sources = datasphere_exporter::sources::Settings::default();
    assert_eq!(format!("{:?}", config.sources), format!("{sources:?}"));
    assert_eq!(
        (config.log_level, config.log_format),
        (LogLevel::Info, LogFormat::Logfmt)
    );
    assert!(config.delivery.is_none() && config.traces.resource_attributes.is_empty());
    let store = datasphere_exporter::store::Settings {
        path: Some("./data".into()),
        ..datasphere_exporter::store::Settings::default()
    };
    assert_eq!(format!("{:?}", config.store), format!("{store:?}"));
}

const EVERY_KEY: &str = r#"
cloud:
  endpoint: api.example.kz:443
  endpoints: { operation: "op.example:1", datasphere: "ds.example:2", iam: "[::1]:3" }
  transport: grpc
  tls: { enabled: false, ca_file: ca.pem, server_name: example }
  auth:
    workload_identity: { service_account_id: aje1, token_file: /var/run/token }
watch:
  interval: 5s
  interval_max: 1h30m
  list_interval: 20s
  sweep_interval: 2m
  balance_interval: 3m
  request_timeout: 1500ms
  concurrency: 7
  requests_per_second: 0.5
  retention: 7d
  tracked_max: 1_000
  operations: [ bt1plain, { id: bt1labelled, labels: { team: nlp, cost: "7" } } ]
  projects: [ bt1project ]
  communities:
    - bt1community
  execution_files: [ runs/*.json, "/var/lib/**/x.json" ]
metrics:
  per_run: false
  series_max: 5
  job_names: { max: 3, rewrite: [ { regex: '-\d{4}$', replacement: x } ] }
  labels: [ team ]
thresholds:
  stuck: { CREATING: 1m, EXECUTING: 2d, CANCELLING: 0s }
  progress_stalled: 10m
  unit_balance_warning: -5
  data_expiry_warning: 2h
gateway: { caller_context: link }
traces:
  enabled: true
  endpoint: http://collector:4317
  protocol: http/protobuf
  service_name: jobs
  backfill_max_age: 2h
  outbox: { bytes_max: 64MiB, age_max: 2d }
  self: { enabled: true, ratio: 0.5 }
api: { track: false, actions: true, unauthenticated_writes: true }
web: { listen_address: "127.0.0.1:0", telemetry_path: /m, max_requests: 0, external_url: "https://Exporter.example:8443/x" }
links: { trace: "https://tempo.example/{trace_id}", console: "", runbook: "https://wiki.example/{alert}" }
log: { level: debug, format: json }
"#;

#[test]
fn every_key_reaches_its_room() {
    let config = parse(EVERY_KEY);
    assert_eq!(config.cloud.endpoint, "api.example.kz:443");
    assert_eq!(config.cloud.endpoints.iam.as_deref(), Some("[::1]:3"));
    assert_eq!(
        config.cloud.tls.ca_file,
        Some(PathBuf::from("/etc/exporter/ca.pem"))
    );
    assert!(!config.cloud.tls.enabled);
    assert_eq!(config.cloud.request_timeout, Duration::from_millis(1500));
    assert!((config.cloud.requests_per_second - 0.5).abs() < f64::EPSILON);
    let expected = Auth::WorkloadIdentity {
        service_account_id: "aje1".to_owned(),
        token_file: "/var/run/token".into(),
        token_url: Auth::TOKEN_URL.to_owned(),
    };
    assert_eq!(config.cloud.auth, expected);
    assert_eq!(config.tracker.interval_max, Duration::from_mins(90));
    assert_eq!(config.tracker.retention, Duration::from_hours(7 * 24));
    assert_eq!(
        (config.tracker.tracked_max, config.tracker.per_run),
        (1000, false)
    );
    assert_eq!(config.tracker.job_names.max, 3);
    assert_eq!(config.tracker.job_names.rewrites[0].regex.as_str(), r"-\d{4}$");
    let operations: Vec<_> = config
        .sources
        .operations
        .iter()
        .map(|(id, labels)| (id.as_str(), labels.len()))
        .collect();
    assert_eq!(operations, [("bt1plain", 0), ("bt1labelled", 2)]);
    assert_eq!(config.sources.communities.len(), 1);
    let patterns = config.sources.execution_files.iter();
    let patterns: Vec<_> = patterns.map(ToString::to_string).collect();
    assert_eq!(patterns, ["/etc/exporter/runs/*.json", "/var/lib/**/x.json"]);
    assert_eq!(config.engine.concurrency, 7);
    assert_eq!(config.web.listen_addresses, ["127.0.0.1:0"]);
    assert_eq!(
        (config.web.telemetry_path.as_str(), config.web.max_requests),
        ("/m", 0)
    );
    assert_eq!(config.metrics.labels, ["team"]);
    assert_eq!(
        config.metrics.poll_intervals[&ProjectScope::Jobs],
        Duration::from_secs(20)
    );
    let traces = config.tracker.traces.expect("operations are traced");
    assert_eq!(
        (traces.caller_context, traces.backfill_max_age),
        (CallerContext::Link, Duration::from_hours(2))
    );
    assert_eq!(config.traces.service_name, "jobs");
    assert_eq!(config.store.outbox_bytes_max, 64 << 20);
    assert_eq!(config.store.outbox_age_max, Duration::from_hours(48));
    let delivery = config.delivery.as_ref().expect("somewhere to send");
    assert!(delivery.own.is_some());
    let Exporter::Collector(collector) = &delivery.exporter else {
        panic!("a collector")
    };
    assert_eq!(collector.endpoint.to_string(), "http://collector:4317/v1/traces");
    let stuck = &config.metrics.thresholds.stuck;
    assert_eq!(stuck.get(&JobStatus::Creating), Some(&Duration::from_mins(1)));
    assert_eq!(stuck.get(&JobStatus::Preparing), Some(&Duration::from_mins(30)));
    assert_eq!(stuck.get(&JobStatus::Cancelling), None);
    assert_eq!(config.metrics.thresholds.unit_balance_warning, -5);
    assert_eq!(
        (config.log_level, config.log_format),
        (LogLevel::Debug, LogFormat::Json)
    );
}

#[test]
fn keys_without_values_are_as_good_as_none() {
    parse("cloud:\n  auth:\n    metadata:\nwatch:\n  projects:\n  # - bt1\n  interval: ~\nmetrics:\n");
}

#[test]
fn the_gateway_is_set_by_its_section_and_is_absent_without_an_address() {
    let auth = "cloud: { auth: { anonymous: {} } }\n";
    assert_eq!(parse(auth).gateway, None);
    let config = parse(&format!(
        "{auth}gateway:\n  listen_address: ':10478'\n  advertise_address: sidecar.example:1\n  \
         strip_headers: [ X-Internal ]\n  tls: {{ cert_file: cert.pem, key_file: /etc/key.pem }}\n"
    ));
    let gateway = config.gateway.expect("a gateway");
    assert_eq!(gateway.listen_address, ":10478");
    assert_eq!(gateway.advertise_address.as_deref(), Some("sidecar.example:1"));
    assert_eq!(gateway.strip_headers, ["x-internal"]);
    let tls = gateway.tls.expect("files");
    assert_eq!(tls.cert_file, PathBuf::from("/etc/exporter/cert.pem"));
    assert_eq!(tls.key_file, PathBuf::from("/etc/key.pem"));
    assert_eq!(
        refusal("gateway:\n  tls: { cert_file: a.pem }\n"),
        "2: gateway.tls: key_file is missing"
    );
    let told = refusal("gateway:\n  strip_headers: [ grpc-timeout ]\n");
    assert!(
        told.contains("gateway.strip_headers[0]: expected the name of a header"),
        "{told}"
    );
}

#[test]
fn projects_over_rest_are_allowed_and_told_to_lack_their_jobs() {
    let asks = |transport: &str, watch: &str| {
        let yaml =
            format!("cloud: {{ transport: {transport}, auth: {{ anonymous: {{}} }} }}\nwatch: {watch}\n");
        let config = Config::parse(&yaml, Path::new(""), &Flags::default(), |_| None).expect("valid");
        config.sources.note(config.cloud.transport).is_some()
    };
    assert!(asks("rest", "{ projects: [bt1project] }"));
    assert!(asks("rest", "{ communities: [bt1community] }"));
    assert!(!asks("rest", "{ operations: [{ id: bt1operation }] }"));
    assert!(!asks("grpc", "{ projects: [bt1project] }"));
}

#[test]
fn what_cannot_be_used_is_told_with_line_and_key_and_what_is_allowed() {
    const WAYS: &str = "service_account_key_file, iam_token_file, metadata, workload_identity, anonymous";
    let sections = "cloud, watch, metrics, thresholds, gateway, traces, api, storage, web, links, log";
    let cases: &[(&str, String)] = &[
        ("limits: {}\n", format!("1: limits: unknown key; known here: {sections}")),
        ("watc: {}\n", format!("1: watc: unknown key (did you mean watch?); known here: {sections}")),
        (
            "cloud:\n\n  endpoints:\n    operations: a:1\n",
            "4: cloud.endpoints.operations: unknown key (did you mean operation?); known here: operation, datasphere, iam"
                .to_owned(),
        ),
        ("watch: 10s\n", "1: watch: expected keys, found a single value; known here: interval, interval_max, \
            list_interval, sweep_interval, balance_interval, request_timeout, concurrency, requests_per_second, \
            retention, tracked_max, operations, projects, communities, execution_files".to_owned()),
        ("- a\n", format!("1: expected keys, found a list; known here: {sections}")),
        ("watch:\n  interval: 10\n", "2: watch.interval: expected a duration such as 10s, 1m30s or 7d: a number has no unit behind it".to_owned()),
        ("watch:\n  interval: [10s]\n", "2: watch.interval: expected a duration such as 10s, 1m30s or 7d, found a list".to_owned()),
        ("watch:\n  interval: 0s\n", "2: watch.interval: must be from 1s to 1d".to_owned()),
        ("watch:\n  interval: 5m\n", "2: watch.interval: watch.interval (5m) must not be longer than watch.interval_max (2m)".to_owned()),
        ("watch:\n  interval_max: 5s\n", "2: watch.interval_max: watch.interval (10s) must not be longer than watch.interval_max (5s)".to_owned()),
        ("watch:\n  concurrency: 0\n", "2: watch.concurrency: must be from 1 to 10000".to_owned()),
        ("watch:\n  concurrency: -1\n", "2: watch.concurrency: expected a whole number".to_owned()),
        ("watch:\n  concurrency: 1.5\n", "2: watch.concurrency: expected a whole number".to_owned()),
        ("watch:\n  requests_per_second: .nan\n", "2: watch.requests_per_second: expected a number".to_owned()),
        ("watch:\n  requests_per_second: 0\n", "2: watch.requests_per_second: must be from 0.01 to 100000".to_owned()),
        ("watch:\n  projects: bt1\n", "2: watch.projects: expected a list, each item a project id, found a single value".to_owned()),
        ("watch:\n  projects: [a, 'b c']\n", "2: watch.projects[1]: expected a project id: an id has letters, digits, '-', '_' and '.' only, not ' '".to_owned()),
        ("watch:\n  projects:\n    - a\n    - b\n    - a\n", "5: watch.projects[2]: a is named twice; keep one of them".to_owned()),
        ("watch:\n  operations: [{labels: {}}]\n", "2: watch.operations[0]: id is missing".to_owned()),
        ("watch:\n  operations: [{id: a, labels: {__name__: x}}]\n", "2: watch.operations[0].labels.__name__: expected a label \
            name of at most 64 letters, digits and underscores, without a digit or two underscores first".to_owned()),
        ("watch:\n  tracked_max: 1\n  operations: [a, b]\n", "3: watch.operations: more than watch.tracked_max (1)".to_owned()),
        ("watch:\n  execution_files: [/runs/]\n", "2: watch.execution_files[0]: expected a path or pattern such as \
            /var/lib/datasphere/*.json: it names a folder; write which of its files, such as *.json".to_owned()),
        ("watch:\n  execution_files: ['/runs/[a']\n", "2: watch.execution_files[0]: expected a path or pattern such as \
            /var/lib/datasphere/*.json: invalid range pattern".to_owned()),
        ("metrics:\n  per_run: yes\n", "2: metrics.per_run: expected true or false".to_owned()),
        ("metrics:\n  job_names: {rewrite: [{regex: '(t1.secret'}]}\n", "2: metrics.job_names.rewrite[0].regex: expected a \
            regular expression: unclosed group".to_owned()),
        ("metrics:\n  job_names: {rewrite: [{replacement: x}]}\n", "2: metrics.job_names.rewrite[0]: regex is missing".to_owned()),
        ("thresholds:\n  stuck: {SUCCESS: 1m}\n", "2: thresholds.stuck.SUCCESS: unknown key; known here: CREATING, PREPARING, \
            EXECUTING, UPLOADING_OUTPUT, CANCELLING".to_owned()),
        ("web:\n  listen_address: localhost\n", "2: web.listen_address: expected an address such as :10477, 127.0.0.1:10477 or unix:/run/exporter.sock".to_owned()),
        ("web:\n  listen_address: []\n", "2: web.listen_address: expected an address such as :10477, 127.0.0.1:10477 or unix:/run/exporter.sock, or a list of \
            them, found a list".to_owned()),
        ("web:\n  telemetry_path: /api/metrics\n", "2: web.telemetry_path: expected a path such as /metrics, outside of /api, /assets, /operations \
            and /-".to_owned()),
        ("links:\n  trace: https://tempo.example/\n", "2: links.trace: must have {trace_id}".to_owned()),
        ("links:\n  console: https://a.example/{job}\n", "2: links.console: expected an address such as \
            https://example.org/{job_id}: in braces there may be trace_id, operation_id, job_id, project_id, community_id, \
            alert".to_owned()),
        ("links:\n  runbook: 'javascript:{alert}'\n", "2: links.runbook: expected an address such as \
            https://example.org/{job_id}: it has to begin with https:// or http:// and a host, and to have no user".to_owned()),
        ("log:\n  level: loud\n", "2: log.level: expected one of error, warn, info, debug, trace".to_owned()),
        ("cloud:\n  endpoint: https://t1.secret\n", "2: cloud.endpoint: expected an address such as api.cloud.yandex.net:443".to_owned()),
        ("cloud:\n  transport: http\n", "2: cloud.transport: expected one of grpc, rest".to_owned()),
        ("cloud:\n  auth: t1.secret\n", format!("2: cloud.auth: expected keys, found a single value; known here: {WAYS}")),
        ("cloud:\n  auth: {}\n", format!("2: cloud.auth: empty; give exactly one of {WAYS}")),
        (
            "cloud:\n  auth:\n    metadata: {}\n    iam_token_file: t1.secret\n",
            format!("2: cloud.auth: metadata and iam_token_file at once; keep exactly one of {WAYS}"),
        ),
        ("cloud:\n  auth:\n    iam_token: t1.secret\n", format!("3: cloud.auth.iam_token: unknown key; known here: {WAYS}")),
        ("cloud:\n  auth: {anonymous: {a: b}}\n", "2: cloud.auth.anonymous.a: unknown key; nothing is known here: write {}".to_owned()),
        ("cloud:\n  auth: {service_account_key_file: ''}\n", "2: cloud.auth.service_account_key_file: expected a path".to_owned()),
        (
            "cloud:\n  auth: {workload_identity: {token_file: x}}\n",
            "2: cloud.auth.workload_identity: needs both service_account_id and token_file".to_owned(),
        ),
        (
            "\ncloud: {}\n",
            format!("2: cloud.auth: missing; give exactly one of {WAYS}, or set YC_SERVICE_ACCOUNT_KEY_FILE, YC_IAM_TOKEN or YC_METADATA_ADDR"),
        ),
        ("watch:\n  interval: 1s\n  interval: 2s\n", "3: watch.interval: given twice, first on line 2; keep one of them".to_owned()),
    ];
    for (yaml, expected) in cases {
        let told = refusal(yaml);
        assert_eq!(&told, expected, "{yaml}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let yaml = "cloud: {auth: {anonymous: {}}}\nlog: {level: warn, format: json}\nweb: {max_requests: 1}\n";
    let flags = Flags {
        log_level: Some("debug".to_owned()),
        ..Flags::default()
    };
    let environment = variables(&[
        ("DATASPHERE_EXPORTER_LOG_LEVEL", "error"),
        ("DATASPHERE_EXPORTER_WEB_MAX_REQUESTS", "7"),
        ("DATASPHERE_EXPORTER_WEB_LISTEN_ADDRESS", "127.0.0.1:1, [::1]:2"),
        ("DATASPHERE_EXPORTER_LOG_FORMAT", ""),
    ]);
    let config = Config::parse(yaml, Path::new(""), &flags, environment).unwrap();
    assert_eq!(
        (config.log_level, config.log_format),
        (LogLevel::Debug, LogFormat::Json)
    );
    let printed = config.to_yaml();
    assert!(printed.contains("max_requests: 7\n"), "{printed}");
    assert!(
        printed.contains("- \"127.0.0.1:1\"\n    - \"[::1]:2\"\n"),
        "{printed}"
    );
    assert_eq!(
        environment_name("--web.config.file"),
        "DATASPHERE_EXPORTER_WEB_CONFIG_FILE"
    );
}

#[test]
fn what_is_missing_without_a_file_says_how_to_name_one() {
    let told = Config::load(None, &Flags::default(), nothing).map(|_| ());
    let told = told.expect_err("no way to authenticate").to_string();
    assert!(
        told.starts_with("cloud.auth: missing; give exactly one of "),
        "{told}"
    );
    assert!(
        told.ends_with("no configuration file was named: --config.file=FILE names one"),
        "{told}"
    );
}

#[test]
fn a_flag_or_a_variable_that_cannot_be_used_is_told_by_its_name() {
    let flags = Flags {
        web_max_requests: Some("many".to_owned()),
        ..Flags::default()
    };
    let told = Config::load(None, &flags, nothing)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert_eq!(told, "--web.max-requests: expected a whole number");
    let environment = variables(&[("DATASPHERE_EXPORTER_LOG_FORMAT", "xml")]);
    let told = Config::load(None, &Flags::default(), environment)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "DATASPHERE_EXPORTER_LOG_FORMAT: expected one of logfmt, json"
    );
}

#[test]
fn the_environment_may_tell_who_we_are_where_the_file_does_not() {
    let auth = |yaml: &str, pairs: &[(&str, &str)]| {
        Config::parse(yaml, Path::new("/etc"), &Flags::default(), variables(pairs))
            .map(|config| config.cloud.auth)
    };
    let key_file = |path: &str| Auth::ServiceAccountKeyFile(path.into());
    let metadata = |address: &str| Auth::Metadata {
        address: address.to_owned(),
    };
    let file = "cloud: {auth: {service_account_key_file: key.json}}";
    let machine = "cloud: {auth: {metadata: {}}}";
    assert_eq!(
        auth("", &[("YC_SERVICE_ACCOUNT_KEY_FILE", "k")]),
        Ok(key_file("k"))
    );
    assert!(matches!(
        auth("", &[("YC_IAM_TOKEN", "t1.x")]),
        Ok(Auth::IamToken(_))
    ));
    assert_eq!(auth("", &[("YC_METADATA_ADDR", "m:1")]), Ok(metadata("m:1")));
    assert_eq!(
        auth(file, &[("YC_IAM_TOKEN", "t1.x")]),
        Ok(key_file("/etc/key.json"))
    );
    assert_eq!(
        auth(file, &[("YC_SERVICE_ACCOUNT_KEY_FILE", "k")]),
        Ok(key_file("k"))
    );
    assert_eq!(auth(machine, &[("YC_METADATA_ADDR", "m")]), Ok(metadata("m")));
    assert_eq!(auth(machine, &[]), Ok(metadata(Auth::METADATA_ADDRESS)));
    assert_eq!(auth(SMALLEST, &[("YC_METADATA_ADDR", "m")]), Ok(Auth::Anonymous));
    let both = auth(
        "",
        &[("YC_IAM_TOKEN", "t1.x"), ("YC_SERVICE_ACCOUNT_KEY_FILE", "k")],
    );
    assert_eq!(
        both.unwrap_err().to_string(),
        "YC_SERVICE_ACCOUNT_KEY_FILE: set together with YC_IAM_TOKEN; keep one of them, or name a way in cloud.auth"
    );
}

#[test]
fn a_variable_that_takes_the_place_of_a_key_is_told_with_both_names() {
    let notes = |yaml: &str, pairs: &[(&str, &str)]| {
        Config::parse(yaml, Path::new("/etc"), &Flags::default(), variables(pairs))
            .unwrap()
            .notes()
            .to_vec()
    };
    let key_file = "cloud: {auth: {service_account_key_file: key.json}}";
    let metadata = "cloud: {auth: {metadata: {address: machine}}}";
    assert_eq!(
        notes(key_file, &[("YC_SERVICE_ACCOUNT_KEY_FILE", "/run/key.json")]),
        ["YC_SERVICE_ACCOUNT_KEY_FILE is set and takes the place of cloud.auth.service_account_key_file"]
    );
    assert_eq!(
        notes(metadata, &[("YC_METADATA_ADDR", "other")]),
        ["YC_METADATA_ADDR is set and takes the place of cloud.auth.metadata.address"]
    );
    for (yaml, variable, value) in [
        (key_file, "YC_SERVICE_ACCOUNT_KEY_FILE", "/etc/key.json"),
        (key_file, "YC_METADATA_ADDR", "other"),
        (key_file, "YC_IAM_TOKEN", "t1.canary"),
        (metadata, "YC_METADATA_ADDR", "machine"),
        ("cloud: {auth: {metadata: {}}}", "YC_METADATA_ADDR", "other"),
        ("", "YC_SERVICE_ACCOUNT_KEY_FILE", "k"),
        (SMALLEST, "YC_SERVICE_ACCOUNT_KEY_FILE", "k"),
    ] {
        assert_eq!(notes(yaml, &[(variable, value)]), [""; 0], "{yaml} {variable}");
    }
}

#[test]
fn metrics_in_place_of_the_status_page_are_told() {
    let notes = |path: &str| {
        parse(&format!("{SMALLEST}web: {{telemetry_path: {path}}}\n"))
            .notes()
            .len()
    };
    assert_eq!((notes("/"), notes("/metrics")), (1, 0));
}

#[test]
fn one_address_for_two_servers_is_refused_with_both_keys() {
    const SAME: &str = "the same address as web.listen_address; one of them has to be another";
    for (web, gateway) in [
        (":1", ":1"),
        (":1", "127.0.0.1:1"),
        ("0.0.0.0:1", "127.0.0.1:1"),
        ("[::1]:1", "[::]:1"),
        ("Localhost:1", "localhost:1"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
    ] {
        let yaml = format!(
            "{SMALLEST}web:\n  listen_address: ['x:9', '{web}']\ngateway:\n  listen_address: '{gateway}'\n"
        );
        assert_eq!(
            refusal(&yaml),
            format!("5: gateway.listen_address: {SAME}"),
            "{yaml}"
        );
        let yaml = format!("{SMALLEST}web:\n  listen_address:\n  - '{web}'\n  - '{gateway}'\n");
        assert_eq!(
            refusal(&yaml),
            "5: web.listen_address[1]: the same address as web.listen_address[0]; keep one of them"
        );
    }
    for (web, gateway) in [
        (":1", ":2"),
        (":0", ":0"),
        ("127.0.0.1:1", "127.0.0.2:1"),
        ("0.0.0.0:1", "[::1]:1"),
        ("unix:/run/a.sock", "unix:/run/b.sock"),
    ] {
        parse(&format!(
            "{SMALLEST}web:\n  listen_address: '{web}'\ngateway:\n  listen_address: '{gateway}'\n"
        ));
    }
    let by_default = refusal(&format!("{SMALLEST}gateway: {{listen_address: ':10477'}}\n"));
    assert_eq!(by_default, format!("2: gateway.listen_address: {SAME}"));
    parse(&format!(
        "{SMALLEST}web: {{systemd_socket: true}}\ngateway: {{listen_address: ':10477'}}\n"
    ));
    let flags = Flags {
        web_listen_address: vec![":1".to_owned()],
        ..Flags::default()
    };
    let yaml = format!("{SMALLEST}gateway: {{listen_address: ':1'}}\n");
    let told = Config::parse(&yaml, Path::new(""), &flags, nothing).map(|_| ());
    assert_eq!(
        told.unwrap_err().to_string(),
        "--web.listen-address: the same address as gateway.listen_address; one of them has to be another"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_the_place_where_it_is_named() {
    const MISSING: &str = "No such file or directory (os error 2)";
    const FOLDER: &str = "it is a folder, and a file is needed";
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("exporter.yaml");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let told = |yaml: &str, pairs: &[(&str, &str)]| {
        fs::write(&own, yaml).unwrap();
        let told = Config::load(Some(&own), &Flags::default(), variables(pairs)).map(|_| ());
        told.unwrap_err()
            .to_string()
            .replace(&folder.path().display().to_string(), "DIR")
    };
    write("key.json", "{}");
    assert_eq!(
        told(&format!("{SMALLEST}web:\n  config_file: web.yaml\n"), &[]),
        format!("DIR/exporter.yaml:3: web.config_file: cannot read DIR/web.yaml: {MISSING}")
    );
    assert_eq!(
        told(SMALLEST, &[("DATASPHERE_EXPORTER_WEB_CONFIG_FILE", "/nowhere/w")]),
        format!("DATASPHERE_EXPORTER_WEB_CONFIG_FILE: cannot read /nowhere/w: {MISSING}")
    );
    assert_eq!(
        told("cloud:\n  tls: {ca_file: .}\n  auth: {anonymous: {}}\n", &[]),
        format!("DIR/exporter.yaml:2: cloud.tls.ca_file: cannot read DIR/.: {FOLDER}")
    );
    assert_eq!(
        told(
            "cloud:\n  auth: {service_account_key_file: key.json}\n",
            &[("YC_SERVICE_ACCOUNT_KEY_FILE", "/nowhere/k")]
        ),
        format!("YC_SERVICE_ACCOUNT_KEY_FILE: cannot read /nowhere/k: {MISSING}")
    );
    fs::write(&own, "cloud:\n  auth: {service_account_key_file: key.json}\n").unwrap();
    let config = Config::load(Some(&own), &Flags::default(), nothing).unwrap();
    let found = config
        .of_file(&folder.path().join("key.json"), "it is no key")
        .unwrap();
    assert_eq!(
        found.to_string(),
        format!(
            "{}:2: cloud.auth.service_account_key_file: it is no key",
            own.display()
        )
    );
}

#[test]
fn a_folder_or_a_pipe_in_place_of_a_configuration_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for (path, problem) in [
        (folder.path(), "it is a folder, and a file is needed"),
        (
            &pipe,
            "it is a pipe or a socket, and a file is needed that can be read more than once",
        ),
    ] {
        let refusal = Config::load(Some(path), &Flags::default(), nothing).map(|_| ());
        let refusal = refusal.unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!("cannot read the configuration file {}", path.display())
        );
        assert_eq!(refusal.source().unwrap().to_string(), problem);
        let refusal = protection(path).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            refusal,
            format!("cannot read the web configuration file {}", path.display())
        );
    }
}

#[test]
fn files_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exporter.yaml");
    let told = |yaml: Option<&str>| {
        if let Some(yaml) = yaml {
            fs::write(&path, yaml).unwrap();
        }
        let told = Config::load(Some(&path), &Flags::default(), nothing).map(|_| ());
        let told = told.map_err(|error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        });
        told.map_err(|told| told.replace(&folder.path().display().to_string(), "DIR"))
    };
    assert_eq!(
        told(None).unwrap_err(),
        "cannot read the configuration file DIR/exporter.yaml: No such file or directory (os error 2)"
    );
    assert_eq!(
        told(Some(
            "\ncloud:\n  auth:\n    service_account_key_file: key.json\n"
        ))
        .unwrap_err(),
        "DIR/exporter.yaml:4: cloud.auth.service_account_key_file: cannot read DIR/key.json: No such file or directory (os error 2)"
    );
    assert_eq!(
        told(Some("# nothing\n")).unwrap_err(),
        "DIR/exporter.yaml: cloud.auth: missing; give exactly one of service_account_key_file, iam_token_file, metadata, \
         workload_identity, anonymous, or set YC_SERVICE_ACCOUNT_KEY_FILE, YC_IAM_TOKEN or YC_METADATA_ADDR"
    );
    assert_eq!(
        told(Some("a: [\n"))
            .unwrap_err()
            .split(':')
            .take(2)
            .collect::<Vec<_>>(),
        ["DIR/exporter.yaml", "1"]
    );
    fs::write(folder.path().join("key.json"), "{}").unwrap();
    assert_eq!(
        told(Some("cloud:\n  auth:\n    service_account_key_file: key.json\n")),
        Ok(())
    );
}

#[test]
fn what_is_printed_has_no_secret_and_is_read_back_the_same() {
    let environment = variables(&[("YC_IAM_TOKEN", "t1.canary")]);
    let yaml = "watch: {operations: [{id: a, labels: {team: \"n: 'l'\\n#p\"}}, b], interval: 90s}\ncloud: {tls: {ca_file: 'my ca.pem'}}\n";
    let config = Config::parse(yaml, Path::new("/etc"), &Flags::default(), &environment).unwrap();
    let printed = config.to_yaml();
    assert!(
        !printed.contains("canary") && printed.contains("# auth: *** (from YC_IAM_TOKEN)\n"),
        "{printed}"
    );
    assert!(!format!("{config:?}").contains("canary"));
    let again = Config::parse(&printed, Path::new("/elsewhere"), &Flags::default(), &environment).unwrap();
    assert_eq!(again.to_yaml(), printed);
    assert_eq!(again.cloud, config.cloud);
    assert_eq!(again.sources.operations, config.sources.operations);
    for yaml in [
        SMALLEST,
        "cloud: {auth: {metadata: {address: 'a:1'}}}",
        "cloud: {auth: {workload_identity: {service_account_id: a, token_file: b}}}",
        "cloud: {auth: {iam_token_file: b}}",
    ] {
        let printed = parse(yaml).to_yaml();
        assert_eq!(parse(&printed).to_yaml(), printed);
    }
}

#[test]
fn what_is_printed_by_default_is_this() {
    insta::assert_snapshot!(parse(SMALLEST).to_yaml());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_reference_tells_what_the_code_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, document()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document(),
        "docs/configuration.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite configuration makes it so"
    );
}

#[test]
fn the_example_of_the_reference_is_a_configuration() {
    let document = document();
    let example = document
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert!(matches!(
        parse(example).cloud.auth,
        Auth::ServiceAccountKeyFile(_)
    ));
}

/// All keys, as they are printed.
static WHOLE: LazyLock<String> = LazyLock::new(|| parse(SMALLEST).to_yaml());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(yaml in ".{0,200}|([a-z]{1,8}: ?[\\[{*&!|>'\"]?[a-z0-9]{0,8}[\\]}]?\n){0,9}") {
        let _ = Config::parse(&yaml, Path::new(""), &Flags::default(), nothing);
    }

    #[test]
    fn a_damaged_configuration_is_read_or_refused(at in 0usize..10_000, with in "[ -~\n]{0,3}") {
        let whole = WHOLE.as_str();
        let at = at % whole.len();
        let yaml = format!("{}{with}{}", &whole[..at], &whole[at + 1..]);
        if let Ok(config) = Config::parse(&yaml, Path::new(""), &Flags::default(), nothing) {
            let printed = config.to_yaml();
            let again = Config::parse(&printed, Path::new(""), &Flags::default(), nothing);
            prop_assert_eq!(again.map(|again| again.to_yaml()), Ok(printed));
        }
    }
}

#[test]
fn what_callers_may_change_and_the_name_they_may_use_are_settings() {
    let config = parse(EVERY_KEY);
    assert_eq!(config.web.external_host.as_deref(), Some("exporter.example"));
    let links = config.web.links;
    let texts = [&links.trace, &links.console, &links.runbook].map(|link| link.as_ref().map(Link::as_str));
    let (trace, runbook) = ("https://tempo.example/{trace_id}", "https://wiki.example/{alert}");
    assert_eq!(texts, [Some(trace), None, Some(runbook)]);
    let api = config.web.api;
    assert_eq!(
        (api.track, api.actions, api.unauthenticated_writes),
        (false, true, true)
    );
    for url in [
        "exporter.example",
        "ftp://exporter.example",
        "https://user:secret@exporter.example",
    ] {
        let told = refusal(&format!("web:\n  external_url: {url}\n"));
        let expected = "2: web.external_url: expected a URL such as https://exporter.example.org";
        assert_eq!(told, expected, "{url}");
    }
}
