//! The same answers over REST and over gRPC: one decoder, equal snapshots, whatever form of JSON a server prints.

use datasphere_exporter::decode::{self, json::Body, json::transcode};
use datasphere_exporter::model::{Decoded, ExecutionStatus, Gap, Kind, OperationId, OperationSnapshot, Text};
use datasphere_exporter::proto::FILE_DESCRIPTOR_SET;
use datasphere_exporter::proto::google::rpc;
use datasphere_exporter::proto::yandex::cloud::datasphere::{v1, v2, v2::jobs};
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::proto::yandex::cloud::operation::operation::Result as Ending;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use prost_types::{Any, Timestamp};
use serde_json::{Value, json};
use std::sync::LazyLock;

const ID: &str = "bt1operation";

/// The official printer of JSON, which knows nothing of our decoder.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("our own descriptors"));

fn asked() -> OperationId {
    ID.parse().expect("an id")
}

fn over_grpc(operation: &Operation) -> Decoded<OperationSnapshot> {
    decode::operation(&asked(), &Bytes::from(operation.encode_to_vec()).into())
}

fn over_rest(body: &Value) -> Decoded<OperationSnapshot> {
    let bytes = transcode(Body::Operation, body.to_string().as_bytes()).expect("an object");
    decode::operation(&asked(), &bytes.into())
}

/// How a server prints.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
struct Style {
    quoted_integers: bool,
    enum_numbers: bool,
    names_of_the_proto_file: bool,
    defaults: bool,
    /// Leaves out `@type` where the members tell it.
    untyped: bool,
    /// Prints an Empty without its `value`.
    bare_empty: bool,
}

fn style() -> impl Strategy<Value = Style> {
    any::<(bool, bool, bool, bool, bool, bool)>().prop_map(
        |(quoted_integers, enum_numbers, names_of_the_proto_file, defaults, untyped, bare_empty)| Style {
            quoted_integers,
            enum_numbers,
            names_of_the_proto_file,
            defaults,
            untyped,
            bare_empty,
        },
    )
}

/// Members that tell a type which a server may leave out.
const TELLING: &[(&str, &[&str])] = &[
    ("jobs.ExecuteProjectJobMetadata", &["job", "progress", "metadata"]),
    (
        "v2.ProjectExecutionMetadata",
        &["notebookId", "notebook_id", "cellId", "cell_id"],
    ),
    (
        "jobs.ExecuteProjectJobResponse",
        &["result", "outputFilesErrors", "output_files_errors"],
    ),
    (
        "v2.ProjectExecutionResponse",
        &["executionStatus", "execution_status"],
    ),
    ("rpc.ErrorInfo", &["reason"]),
    ("v1.NodeExecutionErrorDetails", &["errorName", "error_name"]),
    ("rpc.QuotaFailure", &["violations"]),
    ("rpc.RequestInfo", &["requestId", "request_id"]),
];

/// Turns what stands in the place of an `Any` into the form of a server that says less.
fn reduce(any: &mut Value, style: &Style) {
    let Some(members) = any.as_object_mut() else {
        return;
    };
    let url = members.get("@type").and_then(Value::as_str).unwrap_or_default();
    if style.bare_empty && url.ends_with("google.protobuf.Empty") {
        members.remove("value");
    } else if style.untyped
        && let Some((_, telling)) = TELLING.iter().find(|(name, _)| url.ends_with(name))
        && telling.iter().any(|name| members.contains_key(*name))
    {
        members.remove("@type");
    }
}

/// An operation as a server prints it.
fn print_operation(operation: &Operation, style: &Style) -> Value {
    let mut body = print(operation, style);
    for place in ["/metadata", "/response"] {
        if let Some(any) = body.pointer_mut(place) {
            reduce(any, style);
        }
    }
    let details = body.pointer_mut("/error/details").and_then(Value::as_array_mut);
    for detail in details.into_iter().flatten() {
        reduce(detail, style);
    }
    body
}

fn print<M: Message + Name>(message: &M, style: &Style) -> Value {
    let descriptor = POOL.get_message_by_name(&M::full_name()).expect("of the schema");
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).expect("whole");
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(style.quoted_integers)
        .use_enum_numbers(style.enum_numbers)
        .use_proto_field_name(style.names_of_the_proto_file)
        .skip_default_fields(!style.defaults);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("can be printed")
}

fn packed<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

/// The printer takes what the standard allows: the years 1 to 9999.
fn moment() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        -62_135_596_800_i64..253_402_300_799,
        1_600_000_000_i64..1_900_000_000,
        Just(0),
        Just(-62_135_596_800),
        Just(253_402_300_799),
    ];
    let nanos = prop_oneof![Just(0), 0..1_000_000_000, Just(999_999_999), Just(500_000_000)];
    (seconds, nanos).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        0..200_i64,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(-1),
        Just(0)
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z0-9]{1,12}",
        ".{0,20}",
        "[\"\\\\\u{0}-\u{1f}я🦀]{0,8}"
    ]
}

fn job() -> BoxedStrategy<jobs::Job> {
    (
        (text(), text(), text(), text(), text()),
        vec(option::of(moment()), 4),
        (0..12_i32, any::<bool>(), integer(), option::of(text())),
    )
        .prop_map(
            |(
                (id, name, project_id, status_details, config),
                times,
                (status, data_cleared, size, machine),
            )| {
                jobs::Job {
                    id,
                    name,
                    project_id,
                    status_details,
                    config,
                    created_at: times[0],
                    started_at: times[1],
                    finished_at: times[2],
                    data_expires_at: times[3],
                    status,
                    data_cleared,
                    data_size_bytes: size,
                    actual_cloud_instance_type: machine.map(|name| jobs::CloudInstanceType { name }),
                    ..jobs::Job::default()
                }
            },
        )
        .boxed()
}

fn job_metadata() -> BoxedStrategy<jobs::JobMetadata> {
    (
        (text(), text(), text(), text(), text()),
        vec(option::of(moment()), 4),
        0..12_i32,
    )
        .prop_map(
            |((id, name, project_id, status_details, parent_job_id), times, status)| jobs::JobMetadata {
                id,
                name,
                project_id,
                status_details,
                parent_job_id,
                created_at: times[0],
                started_at: times[1],
                finished_at: times[2],
                data_expires_at: times[3],
                status,
                ..jobs::JobMetadata::default()
            },
        )
        .boxed()
}

fn progress() -> impl Strategy<Value = jobs::JobProgress> {
    (text(), integer(), option::of(moment())).prop_map(|(message, progress, create_time)| jobs::JobProgress {
        message,
        progress,
        create_time,
    })
}

fn job_response() -> BoxedStrategy<jobs::ExecuteProjectJobResponse> {
    (option::of(integer()), vec(0..5_i32, 0..4))
        .prop_map(|(return_code, errors)| jobs::ExecuteProjectJobResponse {
            result: return_code.map(|return_code| jobs::JobResult { return_code }),
            output_files_errors: errors
                .into_iter()
                .map(|number| jobs::FileUploadError {
                    r#type: number,
                    ..jobs::FileUploadError::default()
                })
                .collect(),
            ..jobs::ExecuteProjectJobResponse::default()
        })
        .boxed()
}

fn detail() -> BoxedStrategy<Any> {
    prop_oneof![
        text().prop_map(|reason| packed(&rpc::ErrorInfo {
            reason,
            ..rpc::ErrorInfo::default()
        })),
        text().prop_map(|error_name| packed(&v1::NodeExecutionErrorDetails {
            error_name,
            ..v1::NodeExecutionErrorDetails::default()
        })),
        text().prop_map(|subject| packed(&rpc::QuotaFailure {
            violations: vec![rpc::quota_failure::Violation {
                subject,
                ..rpc::quota_failure::Violation::default()
            }],
        })),
        (text(), text()).prop_map(|(r#type, subject)| packed(&rpc::PreconditionFailure {
            violations: vec![rpc::precondition_failure::Violation {
                r#type,
                subject,
                ..rpc::precondition_failure::Violation::default()
            }],
        })),
        text().prop_map(|request_id| packed(&rpc::RequestInfo {
            request_id,
            ..rpc::RequestInfo::default()
        })),
    ]
    .boxed()
}

fn failure() -> BoxedStrategy<Ending> {
    let code = prop_oneof![0..20_i32, any::<i32>()];
    (code, text(), vec(detail(), 0..3))
        .prop_map(|(code, message, details)| {
            Ending::Error(rpc::Status {
                code,
                message,
                details,
            })
        })
        .boxed()
}

fn metadata() -> BoxedStrategy<Any> {
    let execution = (
        option::of(job()),
        option::of(progress()),
        option::of(job_metadata()),
    )
        .prop_map(|(job, progress, metadata)| {
            packed(&jobs::ExecuteProjectJobMetadata {
                job,
                progress,
                metadata,
            })
        });
    prop_oneof![
        4 => execution,
        1 => (text(), text()).prop_map(|(project_id, path)| packed(&v2::ProjectExecutionMetadata {
            project_id,
            target: Some(v2::project_execution_metadata::Target::NotebookId(path)),
        })),
        1 => (text(), text()).prop_map(|(project_id, cell)| packed(&v1::ProjectExecutionMetadata {
            project_id,
            target: Some(v1::project_execution_metadata::Target::CellId(cell)),
        })),
        1 => (text(), text()).prop_map(|(project_id, job_id)| packed(&jobs::CreateProjectJobMetadata {
            project_id,
            job_id,
        })),
        1 => text().prop_map(|job_id| packed(&jobs::DeleteProjectJobMetadata { job_id })),
        1 => Just(empty()),
    ]
    .boxed()
}

fn empty() -> Any {
    Any {
        type_url: "type.googleapis.com/google.protobuf.Empty".to_owned(),
        value: Vec::new(),
    }
}

fn ending() -> BoxedStrategy<Ending> {
    prop_oneof![
        failure(),
        job_response().prop_map(|response| Ending::Response(packed(&response))),
        (0..6_i32).prop_map(
            |execution_status| Ending::Response(packed(&v2::ProjectExecutionResponse { execution_status }))
        ),
        Just(Ending::Response(packed(&v1::ProjectExecutionResponse {}))),
        Just(Ending::Response(empty())),
    ]
    .boxed()
}

fn operation() -> impl Strategy<Value = Operation> {
    (
        (prop_oneof![3 => Just(ID.to_owned()), 1 => text()], text(), text()),
        (option::of(moment()), option::of(moment()), any::<bool>()),
        (option::of(metadata()), option::of(ending())),
    )
        .prop_map(
            |((id, description, created_by), (created_at, modified_at, done), (metadata, result))| {
                Operation {
                    id,
                    description,
                    created_by,
                    created_at,
                    modified_at,
                    done,
                    metadata,
                    result,
                }
            },
        )
}

proptest! {
    #[test]
    fn an_operation_is_the_same_over_rest_and_over_grpc(operation in operation(), style in style()) {
        let body = print_operation(&operation, &style);
        prop_assert_eq!(over_rest(&body), over_grpc(&operation), "{}", body);
    }

    #[test]
    fn a_project_is_the_same_over_rest_and_over_grpc(
        names in (text(), text()), limits in option::of((option::of(integer()), option::of(integer()))), style in style()
    ) {
        let project = v2::Project {
            id: "bt1project".to_owned(),
            name: names.0,
            community_id: names.1,
            limits: limits.map(|(max_units_per_hour, max_units_per_execution)| v2::project::Limits {
                max_units_per_hour,
                max_units_per_execution,
            }),
            ..v2::Project::default()
        };
        let page = v2::ListProjectsResponse { projects: vec![project.clone(), v2::Project::default()], next_page_token: "next".to_owned() };
        let id = "bt1project".parse().unwrap();
        let over_rest = |body, json: Value| transcode(body, json.to_string().as_bytes()).unwrap();
        prop_assert_eq!(
            decode::project(&id, &over_rest(Body::Project, print(&project, &style)).into()),
            decode::project(&id, &Bytes::from(project.encode_to_vec()).into())
        );
        prop_assert_eq!(
            decode::projects(&over_rest(Body::ProjectPage, print(&page, &style)).into()),
            decode::projects(&Bytes::from(page.encode_to_vec()).into())
        );
    }

    #[test]
    fn a_balance_is_the_same_over_rest_and_over_grpc(unit_balance in option::of(integer()), style in style()) {
        let balance = v2::GetUnitBalanceResponse { unit_balance };
        let body = transcode(Body::UnitBalance, print(&balance, &style).to_string().as_bytes()).unwrap();
        prop_assert_eq!(decode::unit_balance(&body.into()).value, unit_balance);
    }

    #[test]
    fn any_json_is_decoded_without_a_panic(json in json_of_any_kind()) {
        let decoded = over_rest(&json!({"id": ID, "metadata": json, "response": json, "error": json}));
        prop_assert_eq!(decoded.value.id, asked());
        for body in [Body::Project, Body::ProjectPage, Body::UnitBalance, Body::Token, Body::Endpoints, Body::Status] {
            let _ = transcode(body, json.to_string().as_bytes());
        }
    }
}

/// JSON whose names are those that are looked for.
fn json_of_any_kind() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "@type",
        "job",
        "metadata",
        "progress",
        "createTime",
        "status",
        "result",
        "returnCode",
        "details",
        "projectId",
        "notebookId",
        "violations",
        "projects",
        "limits",
        "unheardOf",
    ]);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name.clone(), inner), 0..5).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

fn running_job() -> Value {
    json!({
        "id": ID,
        "createdAt": "2026-01-01T00:00:00Z",
        "metadata": {
            "progress": {"message": "epoch 3", "progress": "42", "createTime": "2026-01-01T00:10:00.5Z"},
            "metadata": {"id": "bt1job", "name": "train", "projectId": "bt1project", "status": "EXECUTING"},
            "@type": "type.googleapis.com/yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata",
        },
    })
}

/// The operation with something put in another form.
fn changed(pointer: &str, value: Value) -> Value {
    let mut body = running_job();
    *body.pointer_mut(pointer).expect("a part of it") = value;
    body
}

fn gaps(decoded: &Decoded<OperationSnapshot>) -> Vec<(Gap, u32)> {
    decoded.gaps.iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_form_that_servers_print_says_the_same() {
    let usual = over_rest(&running_job());
    assert!(usual.gaps.is_empty(), "{usual:?}");
    let progress = usual.value.progress.as_ref().expect("told");
    assert_eq!(progress.percent, 42);
    let mut untyped = running_job();
    untyped["metadata"]
        .as_object_mut()
        .expect("an object")
        .remove("@type");
    let mut with_defaults = running_job();
    with_defaults["done"] = json!(false);
    with_defaults["description"] = json!("");
    with_defaults["error"] = Value::Null;
    let forms = [
        changed("/metadata/progress/progress", json!(42)),
        changed("/metadata/progress/progress", json!(42.0)),
        changed("/metadata/metadata/status", json!(2)),
        changed("/metadata/metadata/status", json!("2")),
        changed("/createdAt", json!("2026-01-01T03:00:00.000000000+03:00")),
        changed(
            "/metadata/@type",
            json!("yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata"),
        ),
        untyped,
        with_defaults,
    ];
    for form in forms {
        assert_eq!(over_rest(&form), usual, "{form}");
    }
}

#[test]
fn what_cannot_be_true_costs_the_value_it_is_in_and_nothing_beside_it() {
    let usual = over_rest(&running_job());
    let cases = [
        ("/createdAt", json!("yesterday"), Gap::Malformed),
        ("/createdAt", json!(1_767_225_600), Gap::Malformed),
        ("/createdAt", json!("9999-12-31T23:59:59Z"), Gap::OutOfRange),
        ("/metadata/progress/progress", json!("many"), Gap::Malformed),
        (
            "/metadata/progress/progress",
            json!("9223372036854775808"),
            Gap::Malformed,
        ),
        ("/metadata/progress/progress", json!(140), Gap::OutOfRange),
        ("/metadata/progress", json!("half"), Gap::Malformed),
        ("/metadata/metadata/status", json!("SLEEPING"), Gap::UnknownEnum),
        ("/metadata/metadata/status", json!(99), Gap::UnknownEnum),
        ("/metadata/metadata/name", json!(["train"]), Gap::Malformed),
        ("/metadata/metadata/id", json!("not an id"), Gap::Malformed),
        (
            "/metadata/@type",
            json!("type.googleapis.com/example.New"),
            Gap::UnknownType,
        ),
        ("/metadata", json!("a string"), Gap::Malformed),
    ];
    for (place, value, gap) in cases {
        let body = changed(place, value);
        let decoded = over_rest(&body);
        assert_eq!(gaps(&decoded), [(gap, 1)], "{body}");
        assert_ne!(decoded.value, usual.value, "{body}");
        assert_eq!(decoded.value.id, usual.value.id, "{body}");
    }
}

fn ended(metadata: &Value, response: &Value) -> Decoded<OperationSnapshot> {
    over_rest(&json!({"id": ID, "done": true, "metadata": metadata, "response": response}))
}

#[test]
fn a_response_without_its_type_is_that_of_the_metadata() {
    let job = running_job()["metadata"].clone();
    assert_eq!(
        ended(&job, &json!({"result": {}})).value.return_code,
        Some(0),
        "a zero that is not printed"
    );
    assert_eq!(
        ended(&job, &json!({"result": {"returnCode": "3"}}))
            .value
            .return_code,
        Some(3)
    );
    let empty = ended(&job, &json!({}));
    assert_eq!(empty.value.return_code, None, "no result is no zero");
    assert!(empty.value.output_errors.is_some() && empty.gaps.is_empty());

    let notebook = json!({"projectId": "bt1project", "notebookId": "отчёты/утро 1.ipynb"});
    let failed = ended(&notebook, &json!({"executionStatus": "ERROR"}));
    assert_eq!(failed.value.kind, Kind::Notebook);
    assert_eq!(
        failed.value.execution_status.map(ExecutionStatus::label),
        Some("ERROR")
    );
    let first_version = ended(&notebook, &json!({}));
    assert_eq!(first_version.value.execution_status, None);
    assert!(first_version.gaps.is_empty());
}

#[test]
fn an_empty_message_has_two_shapes() {
    let url = "type.googleapis.com/google.protobuf.Empty";
    for empty in [json!({"@type": url}), json!({"@type": url, "value": {}})] {
        let decoded = ended(&empty, &empty);
        assert!(decoded.gaps.is_empty(), "{empty}");
        assert_eq!((decoded.value.kind, decoded.value.described), (Kind::Other, true));
    }
}

#[test]
fn metadata_that_nothing_tells_apart_leaves_an_operation_undescribed() {
    for metadata in [json!({}), json!({"instanceId": "fhm1"})] {
        let decoded = ended(&metadata, &json!({"id": "fhm1"}));
        assert!(decoded.gaps.is_empty(), "{metadata}");
        assert_eq!(
            (decoded.value.kind, decoded.value.described),
            (Kind::Other, false)
        );
    }
    let project = ended(&json!({"projectId": "bt1project"}), &json!({})).value;
    assert!(project.described);
    assert_eq!(project.project_id, Some("bt1project".parse().expect("an id")));
}

#[test]
fn an_error_tells_its_reason_with_and_without_types() {
    for url in [Some("type.googleapis.com/google.rpc.ErrorInfo"), None] {
        let mut detail = json!({"reason": "QUOTA", "domain": "example"});
        if let Some(url) = url {
            detail["@type"] = json!(url);
        }
        let body = json!({"id": ID, "error": {"code": 8, "message": "no more", "details": [detail]}});
        let error = over_rest(&body).value.error.expect("told");
        assert_eq!(error.code.name(), "RESOURCE_EXHAUSTED");
        assert_eq!(error.reason.as_ref().map(Text::as_str), Some("QUOTA"));
    }
}

#[test]
fn a_secret_is_not_even_turned() {
    let body = json!({
        "id": ID,
        "metadata": {"job": {
            "id": "bt1job", "projectId": "bt1project", "config": "canary", "env": {"vars": [{"value": "canary"}]},
            "jobParameters": {"cmd": "canary", "arguments": [{"value": "canary"}], "env": {"dockerImageSpec": "canary"}},
            "outputFiles": [{"url": "https://store/canary"}],
        }},
        "response": {"outputFiles": [{"url": "https://store/canary"}], "result": {"returnCode": 0}},
    });
    let bytes = transcode(Body::Operation, body.to_string().as_bytes()).expect("an object");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("bt1job") && !text.contains("canary"), "{text}");
}
