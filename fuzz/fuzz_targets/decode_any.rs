//! Any bytes, as any message of the API: decoding never panics, keeps the id that was asked for, and codecs take
//! whatever decoding finds whole.

#![no_main]

use bytes::Bytes;
use datasphere_exporter::decode::{self, wire};
use datasphere_exporter::model::OperationId;
use datasphere_exporter::proto::google::rpc;
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::proto::yandex::cloud::operation::operation::Result as Ending;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use prost_types::Any;

/// Messages that decoding looks into, where they stand in an operation.
const INSIDE: &[(Place, &str)] = &[
    (Place::Metadata, "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata"),
    (Place::Metadata, "yandex.cloud.datasphere.v2.ProjectExecutionMetadata"),
    (Place::Metadata, "yandex.cloud.datasphere.v2.jobs.CreateProjectJobMetadata"),
    (Place::Metadata, "example.Unknown"),
    (Place::Response, "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobResponse"),
    (Place::Response, "yandex.cloud.datasphere.v2.ProjectExecutionResponse"),
    (Place::Detail, "google.rpc.ErrorInfo"),
    (Place::Detail, "google.rpc.QuotaFailure"),
    (Place::Detail, "google.rpc.PreconditionFailure"),
    (Place::Detail, "yandex.cloud.datasphere.v1.NodeExecutionErrorDetails"),
];

#[derive(Clone, Copy)]
enum Place {
    Metadata,
    Response,
    Detail,
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let bytes = Bytes::copy_from_slice(bytes);
    match usize::from(*choice) {
        0 => operation(bytes),
        1 => {
            let id = "bt1".parse().expect("an id");
            assert_eq!(decode::job(&id, &bytes.into()).value.id, id);
        }
        2 => drop(decode::jobs(&bytes.into())),
        3 => drop(decode::project(&"bt1".parse().expect("an id"), &bytes.into())),
        4 => drop(decode::projects(&bytes.into())),
        5 => drop(decode::unit_balance(&bytes.into())),
        6 => {
            if let Ok(text) = std::str::from_utf8(&bytes) {
                drop(decode::redact(text));
            }
        }
        choice => {
            let (place, name) = INSIDE[choice % INSIDE.len()];
            operation(carrying(place, name, &bytes));
        }
    }
});

fn operation(bytes: Bytes) {
    let asked: OperationId = "bt1asked".parse().expect("an id");
    let decoded = decode::operation(&asked, &bytes.clone().into());
    assert_eq!(decoded.value.id, asked);
    if Operation::decode(bytes.clone()).is_ok() {
        assert!(wire::Operation::decode(bytes).is_ok());
    }
}

fn carrying(place: Place, name: &str, value: &[u8]) -> Bytes {
    let any = Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: value.to_vec(),
    };
    let mut operation = Operation::default();
    match place {
        Place::Metadata => operation.metadata = Some(any),
        Place::Response => operation.result = Some(Ending::Response(any)),
        Place::Detail => {
            operation.result = Some(Ending::Error(rpc::Status {
                code: 3,
                message: String::new(),
                details: vec![any],
            }));
        }
    }
    operation.encode_to_vec().into()
}
