//! Any body, as the answer to any call over REST: turning it never panics, what it becomes is whole, and decoding that
//! keeps the id that was asked for.

#![no_main]

use datasphere_exporter::decode::json::{Body, transcode};
use datasphere_exporter::decode::{self, wire};
use datasphere_exporter::model::OperationId;
use libfuzzer_sys::fuzz_target;
use prost::Message;

const BODIES: [Body; 7] = [
    Body::Operation,
    Body::Project,
    Body::ProjectPage,
    Body::UnitBalance,
    Body::Token,
    Body::Endpoints,
    Body::Status,
];

/// What stands before the input, and after it: the places in an operation where a message of any type may be.
const INSIDE: [(&str, &str); 4] = [
    (
        r#"{"metadata":{"@type":"type.googleapis.com/yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata","metadata":"#,
        "}}",
    ),
    (r#"{"metadata":"#, "}"),
    (r#"{"metadata":{"job":{}},"response":"#, "}"),
    (r#"{"error":{"code":3,"details":["#, "]}}"),
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let choice = usize::from(*choice);
    if let Some(kind) = BODIES.get(choice) {
        check(*kind, body);
    } else {
        let (before, after) = INSIDE[choice % INSIDE.len()];
        check(Body::Operation, &[before.as_bytes(), body, after.as_bytes()].concat());
    }
});

fn check(kind: Body, body: &[u8]) {
    let Ok(bytes) = transcode(kind, body) else {
        return;
    };
    assert!(wire::Operation::decode(bytes.clone()).is_ok(), "whole fields");
    match kind {
        Body::Operation => {
            let asked: OperationId = "bt1asked".parse().expect("an id");
            assert_eq!(decode::operation(&asked, &bytes.clone().into()).value.id, asked);
            drop(decode::begun(&bytes.into()));
        }
        Body::Project => drop(decode::project(&"bt1".parse().expect("an id"), &bytes.into())),
        Body::ProjectPage => drop(decode::projects(&bytes.into())),
        Body::UnitBalance => drop(decode::unit_balance(&bytes.into())),
        Body::Token | Body::Endpoints | Body::Status => {}
    }
}
