//! Calls of the API that start and end something in the cloud.

use super::support::{Door, Reply};
use super::writes::{detail, open, open_over, open_with};
use datasphere_exporter::cloud::Transport;
use datasphere_exporter::limits::{API_WORKS_MAX, IDEMPOTENCY_KEY_BYTES_MAX};
use datasphere_exporter::model::View;
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::Span;
use datasphere_exporter::simulator::scenario::{Action, CodeName, Fault};
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

fn shows_its_job(view: &View) -> bool {
    view.operations.find("train").is_some()
}

fn has_ended(view: &View) -> bool {
    let row = view.operations.find("op-train");
    row.is_some_and(|row| row.outcome.is_some())
}

#[tokio::test]
async fn a_cancelled_job_is_asked_to_end_and_one_that_has_ended_is_left_alone() {
    let (mut world, door) = open().await;
    let unknown = door.ask("POST", "/api/v1/operations/op-train:cancel", &[]).await;
    assert_eq!(unknown.status, 404);
    assert!(
        detail(&unknown).contains("operation cancel op-train"),
        "{}",
        detail(&unknown)
    );
    for id in ["op-train", "op-done"] {
        door.ask("PUT", &format!("/api/v1/operations/{id}"), &[]).await;
    }
    world
        .until("an end", |view| {
            let row = view.operations.find("op-done");
            row.is_some_and(|row| row.outcome.is_some())
        })
        .await;
    let done = door.ask("POST", "/api/v1/operations/op-done:cancel", &[]).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.json()["state"], "done");
    assert_eq!(world.calls("/Cancel"), 0);
    let path = "/api/v1/operations/op-train:cancel";
    let asked = door.send("POST", path, &json!({ "graceful": true })).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(world.calls("ProjectJobService/Cancel"), 1);
    world.until("its end", has_ended).await;
}

#[tokio::test]
async fn what_is_started_is_answered_with_its_operation_and_is_under_watch() {
    let (world, door) = open().await;
    let labels = json!({ "labels": { "team": "nlp" } });
    let job = door.send("POST", "/api/v1/jobs/done:execute", &labels).await;
    assert_eq!(job.status, 201, "{}", job.text());
    let job = job.json();
    assert_eq!(
        (&job["job_id"], &job["labels"]["team"]),
        (&json!("done"), &json!("nlp"))
    );
    assert_ne!(job["operation_id"], "op-done", "a job that has ended runs anew");
    let notebook = json!({ "notebook": "a/b.ipynb", "inputs": { "password": "canary" } });
    let started = door.send("POST", "/api/v1/projects/p:execute", &notebook).await;
    assert_eq!(started.status, 201, "{}", started.text());
    assert_eq!(started.json()["kind"], "notebook");
    assert!(!started.text().contains("canary"));
    let path = started.header("location").expect("its place").to_owned();
    assert_eq!(
        door.get(&path).await.json()["operation_id"],
        started.json()["operation_id"]
    );
    assert_eq!(world.calls("/Execute"), 2);
}

#[tokio::test]
async fn what_is_started_while_there_is_no_room_is_watched_once_there_is() {
    let (mut world, door) = open_with(|setup| setup.tracker.tracked_max = 1).await;
    let path = "/api/v1/operations/op-train";
    assert_eq!(door.ask("PUT", path, &[]).await.status, 201);
    let labels = json!({ "labels": { "team": "nlp" } });
    let started = door.send("POST", "/api/v1/jobs/done:execute", &labels).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let started = started.json();
    assert!(
        started["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("no room"))
    );
    let id = started["id"].as_str().expect("its id").to_owned();
    assert_eq!(door.get(&format!("/api/v1/operations/{id}")).await.status, 404);
    assert_eq!(door.ask("DELETE", path, &[]).await.status, 204);
    let is_labelled = |view: &View| {
        let row = view.operations.find(&id);
        row.is_some_and(|row| !row.about.labels.is_empty())
    };
    world.until("it under watch", is_labelled).await;
    assert_eq!(world.calls("/Execute"), 1);
}

#[tokio::test]
async fn what_waits_for_room_does_not_keep_the_server_from_ending() {
    let (_world, mut door) = open_with(|setup| setup.tracker.tracked_max = 1).await;
    door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    let started = door.ask("POST", "/api/v1/jobs/done:execute", &[]).await;
    assert_eq!(started.status, 202, "{}", started.text());
    door.stop.cancel();
    door.ended().await;
}

#[tokio::test]
async fn a_refusal_of_the_cloud_is_told_in_its_own_words() {
    let (_world, door) = open().await;
    let reply = door.ask("POST", "/api/v1/jobs/nobody:execute", &[]).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(reply.json()["cloud_code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_job_whose_operation_was_forgotten_is_cancelled_by_its_own_id() {
    let (mut world, door) = open().await;
    door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    world.until("its job", shows_its_job).await;
    let action = Action::Refuse {
        code: CodeName::from(Code::NotFound),
        message: String::new(),
    };
    let fault = Fault::of(action).on("OperationService/Get");
    world.handle.set_fault(fault);
    let asked = door.ask("POST", "/api/v1/operations/op-train:cancel", &[]).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(world.calls("ProjectJobService/Cancel"), 1);
    assert_eq!(asked.json()["job_id"], "train");
}

#[tokio::test]
async fn over_rest_a_job_is_cancelled_by_its_operation() {
    let (mut world, door) = open_over(Transport::Rest).await;
    door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    world.until("its job", shows_its_job).await;
    let asked = door.ask("POST", "/api/v1/operations/op-train:cancel", &[]).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(world.calls("OperationService/Cancel"), 1);
    world.until("its end", has_ended).await;
}

#[tokio::test]
async fn over_rest_a_job_is_sent_no_signal_and_the_caller_told_so_while_a_notebook_has_none() {
    let (mut world, door) = open_over(Transport::Rest).await;
    door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    world.until("its job", shows_its_job).await;
    let graceful = json!({ "graceful": true });
    let path = "/api/v1/operations/op-train:cancel";
    let refused = door.send("POST", path, &graceful).await;
    assert_eq!(refused.status, 501, "{}", refused.text());
    assert!(
        detail(&refused).contains("without `graceful`"),
        "{}",
        refused.text()
    );
    assert_eq!(world.calls("/Cancel"), 0);
    let started = run(&door, "one").await.json();
    let id = started["operation_id"].as_str().expect("an id");
    let path = format!("/api/v1/operations/{id}:cancel");
    let asked = door.send("POST", &path, &graceful).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(world.calls("/Cancel"), 1);
}

#[tokio::test]
async fn over_rest_a_job_whose_operation_was_forgotten_cannot_be_cancelled() {
    let (mut world, door) = open_over(Transport::Rest).await;
    door.ask("PUT", "/api/v1/operations/op-train", &[]).await;
    world.until("its job", shows_its_job).await;
    let action = Action::Refuse {
        code: CodeName::from(Code::NotFound),
        message: String::new(),
    };
    world
        .handle
        .set_fault(Fault::of(action).on("OperationService/Get"));
    let refused = door.ask("POST", "/api/v1/operations/op-train:cancel", &[]).await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    assert_eq!(refused.json()["cloud_code"], "NOT_FOUND");
}

/// Runs the notebook, as this call.
async fn run(door: &Door, key: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = json!({ "notebook": "a.ipynb" }).to_string().into();
    door.send_as("POST", "/api/v1/projects/p:execute", &headers, body)
        .await
}

#[tokio::test]
async fn a_start_that_is_repeated_with_its_key_starts_nothing_twice() {
    let (_world, door) = open().await;
    let mut ids = Vec::new();
    for (key, status) in [("one", 201), ("one", 200), ("two", 201)] {
        let started = run(&door, key).await;
        assert_eq!(started.status, status, "{key}: {}", started.text());
        ids.push(started.json()["operation_id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn a_key_that_cannot_be_passed_on_starts_nothing() {
    let (world, door) = open().await;
    let longest = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
    for key in ["", "two words", longest.as_str()] {
        let refused = run(&door, key).await;
        assert_eq!(refused.status, 400, "{key}: {}", refused.text());
        assert!(detail(&refused).contains("Idempotency-Key"));
    }
    let twice = [("idempotency-key", "one"), ("idempotency-key", "two")];
    let refused = door.ask("POST", "/api/v1/jobs/done:execute", &twice).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(world.calls("/Execute"), 0);
}

#[tokio::test]
async fn so_many_calls_that_start_something_are_under_way_and_further_ones_come_again() {
    let (world, door) = open().await;
    let fault = Fault::of(Action::Delay(Span::minutes(5))).on("/Execute");
    world.handle.set_fault(fault);
    let (door, mut calls) = (Arc::new(door), JoinSet::new());
    for _ in 0..=API_WORKS_MAX {
        let door = Arc::clone(&door);
        calls.spawn(async move { door.ask("POST", "/api/v1/jobs/done:execute", &[]).await });
    }
    let first = calls.join_next().await.expect("a call").expect("answered");
    assert_eq!(first.status, 503, "{}", first.text());
    assert_eq!(first.header("retry-after"), Some("5"));
    assert!(detail(&first).contains("under way"), "{}", first.text());
}
