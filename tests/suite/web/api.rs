//! The JSON API.

use super::support::Door;
use crate::scene;
use datasphere_exporter::model::{
    About, JobStatus, Kind, Outcome, ProjectId, State, Text, TrackedOperation, View,
};
use datasphere_exporter::web::operation_json;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

fn operation(key: u64) -> TrackedOperation {
    TrackedOperation {
        operation_id: Some(format!("bt1op{key}").parse().expect("an id")),
        ..scene::blank(key, Kind::Job)
    }
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["operations"].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            let id = row.get("operation_id").or_else(|| row.get("job_id"));
            id.and_then(Value::as_str).expect("an id").to_owned()
        })
        .collect()
}

#[test]
fn an_operation_is_told_in_full_and_what_is_unknown_is_absent() {
    let mut told = String::new();
    for row in scene::view().operations.iter() {
        let json = serde_json::to_string_pretty(&operation_json(row)).expect("JSON");
        assert!(!json.contains("null"), "{json}");
        writeln!(told, "{json}").expect("a string");
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn an_operation_is_found_by_its_operation_id_its_job_id_and_its_aliases() {
    let aliased = TrackedOperation {
        about: Arc::new(About {
            aliases: ["bt1opAlias".parse().expect("an id")].into(),
            ..About::default()
        }),
        job_id: Some("bt1jobSeven".parse().expect("an id")),
        ..operation(7)
    };
    let door = Door::open(scene::view_of([operation(1), aliased])).await;
    for id in ["bt1op7", "bt1jobSeven", "bt1opAlias"] {
        let reply = door.get(&format!("/api/v1/operations/{id}")).await;
        assert_eq!(reply.status, 200, "{id}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json()["operation_id"], "bt1op7");
    }
}

#[tokio::test]
async fn pages_tell_every_operation_that_stays_exactly_once_while_others_come_and_leave() {
    // Places are taken again, so that the order of the view is not the order of being tracked.
    let mut view = scene::view_of([9, 2, 14, 5, 11, 3, 8, 1].map(operation));
    let door = Door::open(view.clone()).await;
    let first = door.get("/api/v1/operations?limit=3").await.json();
    assert_eq!(ids(&first), ["bt1op1", "bt1op2", "bt1op3"]);

    view.operations.set(5, None);
    view.operations.set(7, Some(Arc::new(operation(20))));
    door.views.publish(view);
    let mut told: Vec<String> = Vec::new();
    let mut page = first;
    while let Some(token) = page["next_page_token"].as_str() {
        let path = format!("/api/v1/operations?limit=3&page_token={token}");
        page = door.get(&path).await.json();
        told.extend(ids(&page));
    }
    assert_eq!(
        told,
        ["bt1op5", "bt1op8", "bt1op9", "bt1op11", "bt1op14", "bt1op20"]
    );
}

#[tokio::test]
async fn a_last_page_that_is_full_has_no_next_one() {
    let door = Door::open(scene::view_of([1, 2, 3].map(operation))).await;
    let page = door.get("/api/v1/operations?limit=3").await.json();
    assert_eq!(ids(&page).len(), 3);
    assert_eq!(page.get("next_page_token"), None);
    let empty = Door::open(View::default()).await;
    let page = empty.get("/api/v1/operations?page_token=&state=").await;
    assert_eq!(page.text(), r#"{"operations":[]}"#);
}

#[tokio::test]
async fn filters_hold_together() {
    let project: ProjectId = "bt1other".parse().expect("an id");
    let executing = |key| TrackedOperation {
        status: Some(JobStatus::Executing),
        project_id: Some(project.clone()),
        ..operation(key)
    };
    let rows = [
        executing(1),
        TrackedOperation {
            state: State::Done,
            outcome: Some(Outcome::Success),
            ..executing(2)
        },
        TrackedOperation {
            project_id: None,
            ..executing(3)
        },
        TrackedOperation {
            kind: Kind::Notebook,
            status: None,
            ..executing(4)
        },
    ];
    let door = Door::open(scene::view_of(rows)).await;
    let cases: [(&str, &[&str]); 6] = [
        ("state=done", &["bt1op2"]),
        ("kind=notebook", &["bt1op4"]),
        ("project_id=bt1other", &["bt1op1", "bt1op2", "bt1op4"]),
        ("status=EXECUTING&state=running", &["bt1op1", "bt1op3"]),
        (
            "status=EXECUTING&state=running&kind=job&project_id=bt1other",
            &["bt1op1"],
        ),
        ("status=CANCELLING", &[]),
    ];
    for (query, expected) in cases {
        let page = door.get(&format!("/api/v1/operations?{query}")).await.json();
        assert_eq!(ids(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_a_problem_that_names_what_is_allowed() {
    let door = Door::open(scene::view()).await;
    let long = format!("state={}", "x".repeat(5_000));
    let cases = [
        ("state=sleeping", "running, failing, done"),
        ("kind=JOB", "job, notebook, other"),
        ("status=executing", "EXECUTING"),
        ("limit=0", "from 1 to 500"),
        ("limit=501", "from 1 to 500"),
        ("limit=-1", "from 1 to 500"),
        ("limit=ten", "from 1 to 500"),
        ("page_token=%00", "next_page_token"),
        ("page_token=18446744073709551616", "next_page_token"),
        ("project_id=a%2Fb", "letters, digits"),
        ("state=done&state=done", "twice"),
        (
            "stat=done",
            "state, kind, project_id, status, limit and page_token",
        ),
        (
            "%3Cscript%3E",
            "state, kind, project_id, status, limit and page_token",
        ),
        (long.as_str(), "running, failing, done"),
    ];
    for (query, allowed) in cases {
        let reply = door.get(&format!("/api/v1/operations?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem = reply.json();
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["title"], "Bad Request");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(allowed), "{query}: {detail}");
        assert!(detail.len() < 1000, "{query}: {detail}");
    }
}

#[tokio::test]
async fn under_the_api_every_refusal_is_a_problem() {
    let door = Door::open(scene::view()).await;
    let cases = [
        ("GET", "/api/v1/operations/nobody", 404),
        ("GET", "/api/v1/operations/a%20b", 400),
        ("GET", "/api/v1/operations/%FF", 400),
        ("GET", "/api/v1/operations/bt1opTraining?state=done", 400),
        ("GET", "/api/v1/jobs", 404),
        ("GET", "/api", 404),
        ("PUT", "/api/v1/operations", 405),
        ("GET", "/api/v1/operations/bt1opTraining:cancel", 405),
        ("PUT", "/api/v1/operations/bt1opTraining:cancel", 405),
        ("GET", "/api/v1/operations/bt1opTraining:sing", 404),
        ("PATCH", "/api/v1/operations/bt1opTraining", 405),
        ("PUT", "/api/v1/events", 405),
        ("PUT", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/operations/bt1opTraining", 503),
    ];
    for (method, path, status) in cases {
        let reply = door.ask(method, path, &[]).await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json()["status"], status);
        assert_eq!(reply.header("allow").is_some(), status == 405, "{method} {path}");
    }
}

#[tokio::test]
async fn a_method_that_is_refused_is_answered_with_those_that_are_not() {
    let door = Door::open(scene::view()).await;
    let cases = [
        ("/api/v1/operations", "GET,HEAD"),
        ("/api/v1/operations/bt1opTraining", "GET,HEAD,PUT,DELETE"),
        ("/api/v1/operations/bt1opTraining:cancel", "POST"),
        ("/api/v1/jobs/bt1jobTraining:execute", "POST"),
        ("/api/v1/events", "GET,HEAD"),
    ];
    for (path, allowed) in cases {
        let reply = door.ask("OPTIONS", path, &[]).await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some(allowed)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_hostile_name_is_a_string_and_a_large_number_keeps_its_digits() {
    let mut row = operation(1);
    row.reported.data_size_bytes = Some(u64::MAX);
    row.reported.return_code = Some(i64::MIN);
    row.about = Arc::new(About {
        name: Text::non_empty("\"},{\"x\":\"</script>\u{2028}"),
        ..About::default()
    });
    let door = Door::open(scene::view_of([row])).await;
    let told = door.get("/api/v1/operations/bt1op1").await.json();
    assert_eq!(told["name"], "\"},{\"x\":\"</script>\u{2028}");
    assert_eq!(told["data_size_bytes"], "18446744073709551615");
    assert_eq!(told["return_code"], "-9223372036854775808");
}

#[tokio::test]
async fn unless_asked_otherwise_a_page_has_a_hundred_operations() {
    let door = Door::open(scene::view_of((0..250).map(operation))).await;
    let sizes = [("", 100), ("?limit=500", 250), ("?limit=1", 1)];
    for (query, size) in sizes {
        let page = door.get(&format!("/api/v1/operations{query}")).await.json();
        let told: BTreeSet<String> = ids(&page).into_iter().collect();
        assert_eq!(told.len(), size, "{query}");
    }
}
