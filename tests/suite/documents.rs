//! The documents tell what the code declares, and a scrape shows what they tell.

use crate::support::{World, finished};
use datasphere_exporter::catalogue;
use datasphere_exporter::cli;
use datasphere_exporter::config::web_document;
use datasphere_exporter::limits;
use datasphere_exporter::metrics::{Exposition, Format, Settings};
use datasphere_exporter::model::OutcomeKind;
use datasphere_exporter::traces;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_document_of_the_metrics_tells_what_the_catalogue_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, catalogue::document()).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        told == catalogue::document(),
        "docs/metrics.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite documents makes it so"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_document_of_the_commands_tells_what_may_be_typed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, cli::document()).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        told == cli::document(),
        "docs/commands.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite documents makes it so"
    );
}

/// The bounds of the gateway that its callers may meet.
fn gateway_limits() -> String {
    let rows: Vec<String> = counts()
        .into_iter()
        .chain(sizes())
        .chain(times())
        .map(|(what, bound)| format!("| {what} | {bound} |\n"))
        .collect();
    format!("| bound | |\n|---|---|\n{}", rows.concat())
}

fn counts() -> Vec<(&'static str, String)> {
    let each = |all: usize, each: usize| format!("{all}, {each}");
    let calls = limits::GATEWAY_LANES_MAX * limits::GATEWAY_LANE_CALLS_MAX;
    let (rest_calls, connections) = (limits::GATEWAY_HTTP_CALLS_MAX, limits::GATEWAY_CONNECTIONS_MAX);
    vec![
        (
            "calls at once over gRPC, of one address",
            each(calls, limits::GATEWAY_PEER_CALLS_MAX),
        ),
        (
            "calls at once over REST, of one address",
            each(rest_calls, limits::GATEWAY_PEER_HTTP_CALLS_MAX),
        ),
        (
            "connections, of one address",
            each(connections, limits::GATEWAY_PEER_CONNECTIONS_MAX),
        ),
        (
            "calls of one connection over HTTP/2",
            limits::GATEWAY_CONNECTION_CALLS_MAX.to_string(),
        ),
    ]
}

fn sizes() -> Vec<(&'static str, String)> {
    let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
    let window = usize::try_from(limits::GATEWAY_WINDOW_BYTES).unwrap();
    vec![
        (
            "metadata or headers of one message",
            kib(limits::GATEWAY_HEAD_BYTES_MAX),
        ),
        (
            "bytes of a call under way, in each direction on each side, and as many that wait to be sent",
            kib(window),
        ),
        (
            "answers that are read: the longest",
            kib(limits::GATEWAY_HEARD_BYTES_MAX),
        ),
        (
            "answers that are read: all at once",
            kib(limits::GATEWAY_HEARD_BYTES_ALL_MAX),
        ),
    ]
}

fn times() -> Vec<(&'static str, String)> {
    let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
    vec![
        (
            "silence of a connection over gRPC until a ping",
            seconds(limits::GATEWAY_PING_INTERVAL),
        ),
        (
            "and from then until it is given up",
            seconds(limits::GATEWAY_PING_TIMEOUT),
        ),
        (
            "time for TCP and TLS to the cloud",
            seconds(limits::GATEWAY_CONNECT_TIME_MAX),
        ),
        (
            "time beyond a call's own deadline",
            seconds(limits::GATEWAY_DEADLINE_SLACK),
        ),
        (
            "silence of a call over REST",
            seconds(limits::GATEWAY_HTTP_SILENCE_MAX),
        ),
        ("time without reading", seconds(limits::GATEWAY_STALL_TIME_MAX)),
        (
            "time between two calls of one connection",
            seconds(limits::GATEWAY_IDLE_TIME_MAX),
        ),
        (
            "time for calls under way when the exporter ends",
            seconds(limits::GATEWAY_DRAIN_TIME_MAX),
        ),
    ]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_document_of_the_gateway_tells_the_bounds_that_the_code_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gateway.md");
    let told = fs::read_to_string(&path).unwrap();
    let (before, rest) = told.split_once("<!-- limits: ").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of limits -->").unwrap();
    let table = gateway_limits();
    let declared = format!("{before}<!-- limits: {mark}-->\n{table}<!-- end of limits -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &declared).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap();
    assert!(
        told == declared,
        "docs/gateway.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite documents makes it so"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_document_of_the_web_configuration_tells_what_the_code_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/web-configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, web_document()).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        told == web_document(),
        "docs/web-configuration.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite documents \
         makes it so"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_document_of_the_traces_lists_the_attributes_that_the_code_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/traces.md");
    let told = fs::read_to_string(&path).unwrap();
    let (before, rest) = told.split_once("<!-- attributes: ").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of attributes -->").unwrap();
    let table = traces::attribute_table();
    let declared = format!("{before}<!-- attributes: {mark}-->\n{table}<!-- end of attributes -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &declared).unwrap();
    }
    let told = fs::read_to_string(&path).unwrap();
    assert!(
        told == declared,
        "docs/traces.md is not what the code declares; UPDATE_DOCS=1 cargo test --test suite documents makes it so"
    );
}

/// Families of a scrape with the labels of their samples, `le` aside.
fn families(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap().to_owned();
            families.insert(family.clone(), BTreeSet::new());
        } else if !line.starts_with('#') {
            let labels = line
                .split_once('{')
                .and_then(|(_, rest)| rest.rsplit_once('}'))
                .map_or("", |(labels, _)| labels);
            let names = labels
                .split("\",")
                .filter_map(|pair| pair.split_once("=\""))
                .map(|(name, _)| name.to_owned());
            let known: &mut BTreeSet<String> = families.get_mut(&family).unwrap();
            known.extend(names.filter(|name| name != "le"));
        }
    }
    families
}

#[tokio::test(start_paused = true)]
async fn a_scrape_and_the_document_agree_on_names_and_labels_in_both_directions() {
    let scenario =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/everything.yaml"))
            .unwrap();
    let mut world = World::start(&scenario, |setup, handle| {
        setup.sources.communities = handle
            .community_ids()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        setup.sources.operations = ["op-train", "op-crash", "op-refused", "op-notebook"]
            .map(|id| (id.parse().unwrap(), Arc::default()))
            .to_vec();
        setup.tracker.retention = Duration::from_hours(24);
    });
    world
        .until("the last end", |view| {
            finished(view, "vision", OutcomeKind::Success) >= 1
        })
        .await;
    let instruments = &world.instruments;
    instruments.set_iam_token_expiry(Some(world.clock.now()));
    instruments.config_last_reload_success_timestamp_seconds.set(1.0);
    instruments.set_store_up(true);
    instruments.show_outbox(1, 400, Some(world.clock.now()));
    instruments.set_otlp_up(true);
    instruments.otlp_requests_total.with_label_values(&["OK"]).inc();
    let gateway = &instruments.gateway_requests_total;
    gateway.with_label_values(&["OperationService.Get", "OK"]).inc();
    instruments
        .http_requests_total
        .with_label_values(&["/metrics", "200"])
        .inc();
    let chunks = Exposition::new(
        Format::default(),
        world.view(),
        &world.instruments,
        world.clock.now(),
        &Settings::default(),
    );
    let bytes: Vec<u8> = chunks.flatten().collect();
    let text = String::from_utf8(bytes).unwrap();
    let shown = families(&text);
    let own: BTreeMap<&String, &BTreeSet<String>> = shown
        .iter()
        .filter(|(name, _)| name.starts_with("datasphere_"))
        .collect();
    for (name, labels) in &own {
        let metric = catalogue::find(name).unwrap_or_else(|| panic!("{name} is not declared"));
        let declared: BTreeSet<String> = metric.labels.iter().map(ToString::to_string).collect();
        assert!(
            labels.is_subset(&declared),
            "{name} shows {labels:?}, declared are {declared:?}"
        );
    }
    let absent: Vec<&str> = catalogue::ALL
        .into_iter()
        .flatten()
        .map(|metric| metric.name)
        .filter(|name| name.starts_with("datasphere_") && !shown.contains_key(*name))
        .collect();
    assert!(
        absent.is_empty(),
        "declared, but not in a scrape of a fleet that has everything: {absent:?}"
    );
}
