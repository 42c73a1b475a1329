//! Calls of the API that change something, from the request to the view and to the cloud.

use super::support::{self, Door, Reply};
use crate::support::{Setup, World};
use bytes::Bytes;
use datasphere_exporter::cloud::Transport;
use datasphere_exporter::flow::Inbox;
use datasphere_exporter::limits::API_BODY_BYTES_MAX;
use datasphere_exporter::web::{ApiSettings, Settings};
use serde_json::{Value, json};
use std::time::Duration;

/// A job that runs for long, one that was made and not started, and a notebook that can be run.
const FLEET: &str = "speed: 60\ncommunities: [ { name: c, id: c, projects: [ { name: p, id: p, jobs: [ \
    { name: train, id: train, operation_id: op-train, start: -5m, \
      timeline: [ { status: CREATING, lasts: 1m }, { status: EXECUTING } ] }, \
    { name: done, id: done, operation_id: op-done, start: -5m, timeline: [ { status: EXECUTING, lasts: 1m } ] } \
    ] } ] } ]";

fn api(api: ApiSettings) -> Settings {
    Settings {
        api,
        ..support::settings()
    }
}

/// A world that watches nothing by itself, and a server that lets callers do everything.
pub(super) async fn open() -> (World, Door) {
    open_with(|_| {}).await
}

/// The same over either transport.
pub(super) async fn open_over(transport: Transport) -> (World, Door) {
    open_with(|setup| setup.cloud.transport = transport).await
}

/// The same with other settings.
pub(super) async fn open_with(set: impl FnOnce(&mut Setup)) -> (World, Door) {
    let world = World::start(FLEET, |setup, _| {
        setup.cloud.requests_per_second = 1e6;
        setup.tracker.interval = Duration::from_millis(50);
        setup.tracker.interval_max = Duration::from_millis(100);
        set(setup);
    });
    let actions = ApiSettings {
        actions: true,
        ..ApiSettings::default()
    };
    let door = Door::of(world.context(), api(actions)).await;
    (world, door)
}

pub(super) fn detail(reply: &Reply) -> String {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!(problem["status"], reply.status);
    problem["detail"].as_str().expect("a detail").to_owned()
}

#[tokio::test]
async fn what_was_put_is_shown_at_once_and_putting_it_again_adds_to_it() {
    let (_world, door) = open().await;
    let path = "/api/v1/operations/op-train";
    let first = door
        .send("PUT", path, &json!({ "labels": { "team": "nlp", "tier": "1" } }))
        .await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.header("location"), Some(path));
    assert_eq!(first.json()["source"], "api");
    assert_eq!(door.get(path).await.json()["labels"]["team"], "nlp");
    let second = door
        .send("PUT", path, &json!({ "labels": { "tier": "2" } }))
        .await;
    assert_eq!(second.status, 200);
    assert_eq!(second.json()["labels"], json!({ "team": "nlp", "tier": "2" }));
    assert_eq!(
        door.ask("PUT", path, &[]).await.status,
        200,
        "a body may be left out"
    );
    let page = door.get("/api/v1/operations").await.json();
    assert_eq!(page["operations"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_job_is_put_under_watch_by_its_own_id_and_found_by_either() {
    let (mut world, door) = open().await;
    let by_job = door.ask("PUT", "/api/v1/operations/train?by=job", &[]).await;
    assert_eq!(by_job.status, 201, "{}", by_job.text());
    assert_eq!(by_job.json()["job_id"], "train");
    let by_operation = door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    assert!(
        matches!(by_operation.status, 200 | 201),
        "{}",
        by_operation.text()
    );
    world
        .until("one row", |view| {
            let row = view.operations.find("train");
            row.is_some_and(|row| row.operation_id.is_some()) && view.operations.iter().count() == 1
        })
        .await;
    assert_eq!(door.ask("PUT", "/api/v1/operations/train", &[]).await.status, 200);
}

#[tokio::test]
async fn what_was_deleted_stays_away_and_deleting_it_again_is_no_error() {
    let (_world, door) = open().await;
    let path = "/api/v1/operations/op-train";
    door.ask("PUT", path, &[]).await;
    for _ in 0..2 {
        let reply = door.ask("DELETE", path, &[]).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        assert!(reply.body.is_empty());
        assert_eq!(door.get(path).await.status, 404);
    }
    let again = door.ask("PUT", path, &[]).await;
    assert_eq!(again.status, 410);
    assert!(detail(&again).contains("taken off the watch"));
    let unknown = door.ask("DELETE", "/api/v1/operations/nobody", &[]).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn what_was_followed_to_its_end_and_left_is_gone_for_whoever_puts_it_again() {
    let (mut world, door) = open_with(|setup| setup.tracker.retention = Duration::from_millis(50)).await;
    let path = "/api/v1/operations/op-done";
    assert_eq!(door.ask("PUT", path, &[]).await.status, 201);
    world
        .until("its leaving", |view| view.operations.find("op-done").is_none())
        .await;
    let again = door
        .send("PUT", path, &json!({ "labels": { "team": "nlp" } }))
        .await;
    assert_eq!(again.status, 410, "{}", again.text());
    assert!(detail(&again).contains("followed to its end"));
    assert_eq!(door.get(path).await.status, 404);
    let by_job = door.ask("PUT", "/api/v1/operations/done?by=job", &[]).await;
    assert_eq!(by_job.status, 410, "by its job's id too: {}", by_job.text());
}

#[tokio::test]
async fn an_id_that_the_cloud_does_not_know_is_shown_as_that_and_not_as_running() {
    let (mut world, door) = open().await;
    let path = "/api/v1/operations/slip";
    assert_eq!(door.ask("PUT", path, &[]).await.status, 201);
    world
        .until("the cloud's answer", |view| {
            view.operations
                .find("slip")
                .is_some_and(|row| row.unreadable.is_some())
        })
        .await;
    let row = door.get(path).await.json();
    assert_eq!(row["unreadable_reason"], "not_found");
    assert!(row["unreadable_since"].is_string(), "{row}");
    for page in ["/", "/operations/slip"] {
        let page = door.get(page).await.text();
        assert!(page.contains("<span>not found</span>"), "{page}");
        assert!(!page.contains("<span>running</span>"), "{page}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_understood_changes_nothing() {
    let (world, door) = open().await;
    let many: Value = (0..17).map(|n| (format!("l{n}"), json!("x"))).collect();
    let cases = [
        (json!({ "label": {} }), "unknown field"),
        (json!({ "labels": { "__name__": "x" } }), "name of a label"),
        (json!({ "labels": { "0": "x" } }), "name of a label"),
        (json!({ "labels": { "a": "x".repeat(257) } }), "256 characters"),
        (json!({ "labels": { "a": 1 } }), "expected a string"),
        (json!({ "labels": many }), "at most 16"),
        (json!({ "traceparent": "00-0-0-00" }), "TRACE-SPAN"),
        (json!([]), "body"),
        (json!("x".repeat(1000)), "body"),
    ];
    for (body, problem) in cases {
        let reply = door.send("PUT", "/api/v1/operations/op-train", &body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        let detail = detail(&reply);
        assert!(detail.contains(problem), "{body}: {detail}");
        assert!(detail.len() < 600, "{detail}");
    }
    let queries = ["?by=cell", "?kind=job", "?by=job&by=job"];
    for query in queries {
        let path = format!("/api/v1/operations/op-train{query}");
        assert_eq!(door.ask("PUT", &path, &[]).await.status, 400, "{query}");
    }
    let huge = Bytes::from(vec![b' '; API_BODY_BYTES_MAX + 1]);
    let json = [("content-type", "application/json")];
    let reply = door
        .send_as("PUT", "/api/v1/operations/op-train", &json, huge)
        .await;
    assert_eq!(reply.status, 413);
    assert!(detail(&reply).contains("1048576"));
    let reply = door.ask("POST", "/api/v1/projects/p:execute", &[]).await;
    assert_eq!(reply.status, 400);
    assert!(detail(&reply).contains("notebook"));
    assert_eq!(world.view().operations.iter().count(), 0);
}

#[tokio::test]
async fn a_page_in_a_browser_changes_nothing() {
    let (world, door) = open().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let cases = [
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("host", "evil.example:10477")], 403),
        (
            vec![
                ("host", "evil.example"),
                ("origin", "http://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            403,
        ),
        (vec![form], 415),
    ];
    for (headers, status) in cases {
        let reply = door.ask("PUT", "/api/v1/operations/op-train", &headers).await;
        assert_eq!(reply.status, status, "{headers:?}");
        detail(&reply);
    }
    assert_eq!(world.view().operations.iter().count(), 0);
}

#[tokio::test]
async fn what_is_turned_off_is_refused_with_the_setting_that_turns_it_on() {
    let (world, _) = open().await;
    let off = ApiSettings {
        track: false,
        ..ApiSettings::default()
    };
    let door = Door::of(world.context(), api(off)).await;
    for (method, path, setting) in [
        ("PUT", "/api/v1/operations/op-train", "api.track"),
        ("DELETE", "/api/v1/operations/op-train", "api.track"),
        ("POST", "/api/v1/operations/op-train:cancel", "api.actions"),
        ("POST", "/api/v1/jobs/train:execute", "api.actions"),
        ("POST", "/api/v1/projects/p:execute", "api.actions"),
    ] {
        let reply = door.ask(method, path, &[]).await;
        assert_eq!(reply.status, 403, "{method} {path}");
        assert!(detail(&reply).contains(setting), "{}", detail(&reply));
    }
    assert_eq!(world.calls("/Execute") + world.calls("/Cancel"), 0);
}

#[tokio::test]
async fn no_call_changes_anything_while_the_exporter_ends() {
    let (world, door) = open().await;
    world.readiness.stop();
    let reply = door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    assert_eq!(reply.status, 503);
    assert!(detail(&reply).contains("shutting down"));
}

#[tokio::test]
async fn a_server_does_not_keep_the_engine_from_ending() {
    let (inbox, mut deliveries) = Inbox::new();
    let weak = inbox.downgrade();
    drop(inbox);
    assert!(weak.upgrade().is_err());
    assert!(deliveries.recv().await.is_none());
}

#[tokio::test]
async fn an_operation_that_is_put_is_told_to_whoever_listens_until_the_exporter_ends() {
    let (world, door) = open().await;
    let mut events = door.events(None).await;
    events.next().await.expect("where it stands");
    door.ask("PUT", "/api/v1/operations/op-done", &[]).await;
    let mut told = Vec::new();
    while told.last().is_none_or(|change| change != "ended") {
        let data = events.next().await.expect("an event").data.expect("data");
        assert_eq!(data["operation"]["operation_id"], "op-done");
        told.push(data["change"].as_str().expect("a word").to_owned());
    }
    assert_eq!(told.first().map(String::as_str), Some("tracked"));
    assert!(told.contains(&"observed".to_owned()), "{told:?}");
    world.stop().await;
    while events.next().await.is_some() {}
}
