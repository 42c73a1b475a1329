//! The variables of OpenTelemetry: which of them count, what they make of the configuration, and how they are refused.
//! And what the exporter's own spans tell of a call.

use crate::support::World;
use datasphere_exporter::config::{Config, Flags};
use datasphere_exporter::delivery::{Exporter, Settings};
use datasphere_exporter::model::Labels;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::format::FmtSpan;

const FILE: &str = "cloud: {auth: {anonymous: {}}}\n";

fn load(yaml: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let environment = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let yaml = format!("{FILE}{yaml}");
    Config::parse(&yaml, Path::new("/etc"), &Flags::default(), environment).map_err(|error| error.to_string())
}

/// Protocol and endpoint, or where else spans go.
fn destination(delivery: Option<&Settings>) -> String {
    match delivery.map(|delivery| &delivery.exporter) {
        None => "nowhere".to_owned(),
        Some(Exporter::Console) => "console".to_owned(),
        Some(Exporter::Collector(collector)) => format!("{:?} {}", collector.protocol, collector.endpoint),
    }
}

const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const DISABLED: &str = "OTEL_SDK_DISABLED";
const HERE: &str = "traces: {endpoint: 'http://file:1'}";
const ON: &str = "traces: {enabled: true}";
const OFF: &str = "traces: {enabled: false, endpoint: 'http://file:1'}";

type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Files, environments, and where spans go then.
const DESTINATIONS: &[Case] = &[
    ("", &[], "nowhere"),
    ("traces: {enabled: auto}", &[(PROTOCOL, "grpc")], "nowhere"),
    ("", &[(EXPORTER, "otlp")], "nowhere"),
    ("", &[(GENERAL, " ")], "nowhere"),
    // Defaults: the standard's for the environment, the file's own for the file.
    (ON, &[], "Http http://localhost:4318/v1/traces"),
    (
        "traces: {enabled: true, protocol: grpc}",
        &[],
        "Grpc http://localhost:4317/",
    ),
    (ON, &[(PROTOCOL, "grpc")], "Grpc http://localhost:4317/"),
    (HERE, &[], "Grpc http://file:1/"),
    (
        "traces: {endpoint: 'http://file:1', protocol: http/protobuf}",
        &[],
        "Http http://file:1/v1/traces",
    ),
    ("", &[(GENERAL, "http://env:2")], "Http http://env:2/v1/traces"),
    (
        "",
        &[(GENERAL, "https://env/otlp/")],
        "Http https://env/otlp/v1/traces",
    ),
    // One for traces is used as it is, and wins.
    ("", &[(TRACES, "http://env:3/x")], "Http http://env:3/x"),
    (
        "",
        &[(TRACES, "http://env:3"), (GENERAL, "http://env:2")],
        "Http http://env:3/",
    ),
    // The environment wins over the file.
    (HERE, &[(GENERAL, "http://env:2")], "Http http://env:2/v1/traces"),
    (
        "traces: {protocol: grpc}",
        &[(GENERAL, "http://env:2")],
        "Grpc http://env:2/",
    ),
    (
        "traces: {protocol: grpc}",
        &[(GENERAL, "http://env:2"), (PROTOCOL, "http/protobuf")],
        "Http http://env:2/v1/traces",
    ),
    (
        HERE,
        &[(PROTOCOL, "grpc"), (TRACES_PROTOCOL, "http/protobuf")],
        "Http http://file:1/v1/traces",
    ),
    // Without a scheme an address is encrypted, unless it is said not to be.
    ("traces: {endpoint: 'file:1'}", &[], "Grpc https://file:1/"),
    (
        "traces: {endpoint: 'file:1'}",
        &[(INSECURE, "TRUE")],
        "Grpc http://file:1/",
    ),
    (
        "",
        &[(GENERAL, "http://env:2"), (INSECURE, "false"), (PROTOCOL, "grpc")],
        "Grpc http://env:2/",
    ),
    // Switches.
    (
        OFF,
        &[(GENERAL, "http://env:2"), (EXPORTER, "console")],
        "nowhere",
    ),
    (HERE, &[(DISABLED, "true")], "nowhere"),
    (HERE, &[(DISABLED, "False")], "Grpc http://file:1/"),
    (HERE, &[(EXPORTER, "none")], "nowhere"),
    (HERE, &[(EXPORTER, "console")], "console"),
    ("", &[(EXPORTER, "console")], "console"),
];

#[test]
fn file_and_environment_say_together_where_spans_go() {
    for (yaml, variables, expected) in DESTINATIONS {
        let config = load(yaml, variables).unwrap();
        assert_eq!(
            destination(config.delivery.as_ref()),
            *expected,
            "{yaml} {variables:?}"
        );
        assert_eq!(config.delivery.is_some(), config.tracker.traces.is_some());
    }
}

#[test]
fn the_rest_reaches_the_delivery_and_its_secrets_are_shown_nowhere() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://env/?key=canary"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "other=canary"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=canary%20"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/c.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k.pem"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team=n%6cp , service.name=mine,service.version=9, a=,",
        ),
        ("OTEL_SERVICE_NAME", "mine"),
    ];
    let config = load("", &variables).unwrap();
    let Some(Settings {
        exporter: Exporter::Collector(collector),
        own: None,
        enabled_by: "OTEL_EXPORTER_OTLP_ENDPOINT",
    }) = &config.delivery
    else {
        panic!("a collector")
    };
    assert_eq!(collector.timeout.as_millis(), 1500);
    assert!(collector.is_compressed);
    assert_eq!(collector.tls.client_key.as_deref(), Some(Path::new("/k.pem")));
    assert_eq!(format!("{:?}", collector.headers), "{\"api-key\": \"***\"}");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        config.traces.resource_attributes,
        [pair("team", "nlp"), pair("a", "")]
    );
    assert_eq!(config.traces.service_name, "datasphere");
    let printed = config.to_yaml();
    for shown in [&printed, &format!("{config:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert!(printed.contains("OTEL_EXPORTER_OTLP_TRACES_HEADERS"), "{printed}");
}

#[test]
fn what_turned_traces_on_is_known_by_the_name_that_counts() {
    let (general, traces) = ((GENERAL, "http://env:1"), (TRACES, "http://env:2"));
    let file = "traces:\n  endpoint: http://file:1\n";
    for (yaml, variables, expected) in [
        (file, &[][..], "traces.endpoint"),
        (file, &[general], GENERAL),
        ("", &[general, traces], TRACES),
        (file, &[(EXPORTER, "console")], EXPORTER),
        ("traces:\n  enabled: true\n", &[general], "traces.enabled"),
    ] {
        let config = load(yaml, variables).unwrap();
        let delivery = config.delivery.expect("traced");
        assert_eq!(delivery.enabled_by, expected, "{yaml} {variables:?}");
    }
}

/// Variables, values, and what is said of them.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("OTEL_SDK_DISABLED", "canary", "expected true or false"),
    (
        "OTEL_TRACES_EXPORTER",
        "canary",
        "expected one of otlp, console, none",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "canary",
        "expected a URL: it must begin with http:// or https://; for gRPC it need not \
         (OTEL_EXPORTER_OTLP_PROTOCOL=grpc)",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://u:canary@c",
        "expected a URL: credentials belong into OTEL_EXPORTER_OTLP_HEADERS, not into an address",
    ),
    (
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "http/json",
        "expected one of grpc, http/protobuf",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "canary",
        "expected name=value,name=value with percent-encoded values: pair 1 is not name=value",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "a=%zzcanary",
        "expected name=value,name=value with percent-encoded values: the value of pair 1 has a % without two \
         hexadecimal digits; % itself is %25",
    ),
    (
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "10s",
        "expected a whole number of milliseconds from 1 to 600000",
    ),
    (
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "0",
        "expected a whole number of milliseconds from 1 to 600000",
    ),
    (
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "canary",
        "expected one of gzip, none",
    ),
    ("OTEL_EXPORTER_OTLP_INSECURE", "canary", "expected true or false"),
    (
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "/k.pem",
        "set without OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    ),
    (
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "/c.pem",
        "set without OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        "canary",
        "expected at most 64 pairs key=value,key=value, percent-encoded, each side of at most 256 bytes",
    ),
    (
        "OTEL_TRACES_SAMPLER",
        "canary",
        "expected one of always_on, always_off, traceidratio, or one of them after parentbased_",
    ),
];

#[test]
fn a_variable_that_cannot_be_read_is_named_without_its_value() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:2");
    let own = "traces: {self: {enabled: true}}";
    for (variable, value, expected) in REFUSALS {
        let variables = [(*variable, *value), on];
        let told = load(own, &variables).map(|_| ()).unwrap_err();
        assert_eq!(told, format!("{variable}: {expected}"));
    }
    let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    let ratio = ("OTEL_TRACES_SAMPLER_ARG", "2");
    let told = load(own, &[on, sampler, ratio]).map(|_| ()).unwrap_err();
    assert_eq!(told, "OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1");
    load("", &[sampler, ratio, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")])
        .expect("nobody traces, nobody reads them");
}

#[test]
fn the_exporters_own_traces_are_off_until_they_are_asked_for() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:2");
    let own = |yaml: &str, variables: &[(&str, &str)]| {
        let config = load(yaml, variables).unwrap();
        config.delivery.is_some_and(|delivery| delivery.own.is_some())
    };
    assert!(!own("", &[on]));
    assert!(own("traces: {self: {enabled: true}}", &[on]));
    assert!(!own("traces: {self: {enabled: true}}", &[]));
    for sampler in [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
    ] {
        assert!(own(
            "traces: {self: {enabled: true}}",
            &[on, ("OTEL_TRACES_SAMPLER", sampler)]
        ));
    }
}

#[test]
fn a_file_that_a_variable_names_must_be_there() {
    let environment = |name: &str| match name {
        "YC_METADATA_ADDR" => Some("m".to_owned()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("https://env".to_owned()),
        "OTEL_EXPORTER_OTLP_CERTIFICATE" => Some("/nowhere/ca.pem".to_owned()),
        _ => None,
    };
    let told = Config::load(None, &Flags::default(), environment)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        told.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read /nowhere/ca.pem: "),
        "{told}"
    );
}

#[test]
fn a_key_of_traces_that_cannot_be_used_is_told_with_its_line() {
    let cases = [
        (
            "gateway:\n  caller_context: child\n",
            "3: gateway.caller_context: expected one of parent, link, ignore",
        ),
        (
            "traces:\n  enabled: maybe\n",
            "3: traces.enabled: expected one of auto, true, false",
        ),
        (
            "traces:\n  protocol: http/json\n",
            "3: traces.protocol: expected one of grpc, http/protobuf",
        ),
        (
            "traces:\n  endpoint: 'http://u:t1.secret@c'\n",
            "3: traces.endpoint: expected an address such as http://localhost:4317: credentials belong into \
             OTEL_EXPORTER_OTLP_HEADERS, not into an address",
        ),
        (
            "traces:\n  endpoint: 'http://c/?key=t1.secret'\n",
            "3: traces.endpoint: must not have a query, which may hold credentials; \
            OTEL_EXPORTER_OTLP_ENDPOINT may",
        ),
        (
            "traces:\n  endpoint: 'c:1'\n  protocol: http/protobuf\n",
            "3: traces.endpoint: expected a URL: it must begin with http:// or https://; for gRPC it need not \
             (OTEL_EXPORTER_OTLP_PROTOCOL=grpc)",
        ),
        (
            "traces:\n  endpoint: 'http://c:4318/v1/traces'\n  protocol: http/protobuf\n",
            "3: traces.endpoint: must not end in /v1/traces, which is added to it over HTTP",
        ),
        (
            "traces:\n  endpoint: 'http://c/otlp/v1/traces/'\n  protocol: http/protobuf\n",
            "3: traces.endpoint: must not end in /v1/traces, which is added to it over HTTP",
        ),
        (
            "traces:\n  service_name: ' '\n",
            "3: traces.service_name: must not be empty",
        ),
        (
            "traces:\n  outbox: { bytes_max: 256MB }\n",
            "3: traces.outbox.bytes_max: expected a size such as 512KiB, 256MiB or 1GiB",
        ),
        (
            "traces:\n  outbox: { bytes_max: 1KiB }\n",
            "3: traces.outbox.bytes_max: must be from 1MiB to 64GiB",
        ),
        (
            "traces:\n  self: { ratio: 2 }\n",
            "3: traces.self.ratio: must be from 0 to 1",
        ),
    ];
    for (yaml, expected) in cases {
        let told = load(yaml, &[]).map(|_| ()).unwrap_err();
        assert_eq!(told, expected, "{yaml}");
        assert!(!told.contains("secret"), "{told}");
    }
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_the_cloud_is_a_span_that_tells_method_server_and_code() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = crate::support::heard_by(subscriber);
    let world = World::start("{}", |setup, _| {
        setup
            .sources
            .operations
            .push(("nobody".parse().unwrap(), Labels::default()));
    });
    world.pass(Duration::from_secs(5)).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let call = text.lines().find(|line| line.contains("call{")).expect("a span");
    for field in [
        "otel.name=\"yandex.cloud.operation.OperationService/Get\"",
        "otel.kind=\"client\"",
        "rpc.system.name=\"grpc\"",
        "rpc.method=\"yandex.cloud.operation.OperationService/Get\"",
        "rpc.status_code=\"NOT_FOUND\"",
        "error.type=\"NOT_FOUND\"",
        "otel.status_code=\"ERROR\"",
        "server.address=",
    ] {
        assert!(call.contains(field), "{field}: {call}");
    }
    assert!(!call.contains("authorization"), "{call}");
}

#[tokio::test(start_paused = true)]
async fn a_line_about_an_operation_carries_its_ids_and_its_trace() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = crate::support::heard_by(subscriber);
    let fleet = "communities: [ { name: c, id: c, projects: [ { name: p, id: p, jobs: [ { name: j, id: op-1, \
                 operation_id: op-train, timeline: [ { status: EXECUTING, lasts: 5m } ] } ] } ] } ]";
    let mut world = World::start(fleet, |setup, _| {
        setup.tracker.traces = Some(datasphere_exporter::tracker::TraceSettings::default());
        let operation = ("op-train".parse().unwrap(), Labels::default());
        setup.sources.operations.push(operation);
    });
    world
        .until("the end", |view| {
            view.operations.iter().any(|row| row.outcome.is_some())
        })
        .await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let end = text
        .lines()
        .find(|line| line.contains("operation ended"))
        .expect("a line");
    // The published vector of the job `op-1`.
    for field in [
        "operation_id=op-train",
        "job_id=op-1",
        "job_trace_id=aea18e1507a9c51627ceb00170ac82a7",
    ] {
        assert!(end.contains(field), "{field}: {end}");
    }
}
