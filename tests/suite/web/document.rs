//! What the API says of itself.

use super::support::Door;
use crate::scene;
use datasphere_exporter::web::{call_table, document, operation_json};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn compare(path: &Path, declared: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, declared).expect("written");
    }
    let told = fs::read_to_string(path).unwrap_or_default();
    assert!(
        told == declared,
        "{} is not what the code declares; UPDATE_DOCS=1 cargo test --test suite document makes it so",
        path.display()
    );
}

#[test]
fn the_documents_tell_the_calls_that_the_code_declares() {
    compare(&docs("openapi.json"), &document());
    let path = docs("api.md");
    let told = fs::read_to_string(&path).expect("docs/api.md");
    let (before, rest) = told.split_once("<!-- calls: ").expect("a mark");
    let (mark, rest) = rest.split_once("-->\n").expect("a mark");
    let (_, after) = rest.split_once("<!-- end of calls -->").expect("a mark");
    let table = call_table();
    let declared = format!("{before}<!-- calls: {mark}-->\n{table}<!-- end of calls -->{after}");
    compare(&path, &declared);
}

#[test]
fn everything_that_is_told_of_an_operation_is_in_its_schema() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let schema = &document["components"]["schemas"]["Operation"];
    let declared: BTreeSet<&String> = schema["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .collect();
    for row in scene::view().operations.iter() {
        let json = operation_json(row);
        let told: BTreeSet<&String> = json.as_object().expect("an object").keys().collect();
        assert!(told.is_subset(&declared), "{:?}", told.difference(&declared));
        for required in schema["required"].as_array().expect("a list") {
            assert!(told.contains(&required.as_str().expect("a name").to_owned()));
        }
    }
}

#[tokio::test]
async fn the_server_tells_the_committed_document() {
    let door = Door::open(scene::view()).await;
    let reply = door.get("/api/v1/openapi.json").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        reply.text(),
        fs::read_to_string(docs("openapi.json")).expect("a document")
    );
}

#[tokio::test]
async fn every_documented_call_has_a_route_and_every_other_method_is_refused() {
    let door = Door::open(scene::view()).await;
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let methods = ["get", "put", "post", "delete", "patch"];
    for (path, calls) in document["paths"].as_object().expect("paths") {
        for method in methods {
            let path = path.replace("{id}", "bt1opTraining");
            let is_documented = calls.get(method).is_some();
            if path == "/api/v1/events" && is_documented {
                assert_eq!(door.events(None).await.status(), 200);
                continue;
            }
            let reply = door.ask(&method.to_uppercase(), &path, &[]).await;
            // Actions are off.
            let is_refused = matches!(reply.status, 404 | 405) || (method == "post" && reply.status == 403);
            let is_routed = !matches!(reply.status, 404 | 405);
            assert!(
                if is_documented { is_routed } else { is_refused },
                "{method} {path}: {}",
                reply.status
            );
        }
    }
}

#[test]
fn every_call_tells_what_the_web_configuration_may_answer() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    for (path, calls) in paths {
        for (method, call) in calls.as_object().expect("calls") {
            for status in ["401", "429", "503"] {
                assert!(call["responses"][status].is_object(), "{method} {path} {status}");
            }
        }
    }
    assert_eq!(
        document["security"][0],
        serde_json::json!({}),
        "signing in is asked for by some only"
    );
    assert_eq!(
        document["components"]["securitySchemes"]["basic"]["scheme"],
        "basic"
    );
}
