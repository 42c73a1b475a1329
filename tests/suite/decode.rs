//! What the API says, in the forms that its servers are known or feared to say it in.

use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::decode::{self, wire};
use datasphere_exporter::model::{
    Decoded, ExecutionStatus, Gap, JobId, JobStatus, Kind, OperationId, OperationSnapshot, OutputErrors,
    RpcCode, Text,
};
use datasphere_exporter::proto::google::rpc;
use datasphere_exporter::proto::yandex::cloud::datasphere::{v1, v2, v2::jobs};
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::proto::yandex::cloud::operation::operation::Result as Ending;
use proptest::prelude::*;
use prost::Message;
use prost::bytes::Bytes;
use prost_types::{Any, Timestamp as Moment};

const ID: &str = "bt1operation";

fn asked() -> OperationId {
    ID.parse().unwrap()
}

fn packed(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

fn at(seconds: i64) -> Moment {
    Moment { seconds, nanos: 0 }
}

fn decoded(operation: &Operation) -> Decoded<OperationSnapshot> {
    decode::operation(&asked(), &Bytes::from(operation.encode_to_vec()).into())
}

fn gaps<T>(decoded: &Decoded<T>) -> Vec<(Gap, u32)> {
    decoded.gaps.iter().filter(|(_, count)| *count > 0).collect()
}

fn execution(metadata: &jobs::ExecuteProjectJobMetadata) -> Operation {
    Operation {
        id: ID.to_owned(),
        metadata: Some(packed(
            "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata",
            metadata,
        )),
        ..Operation::default()
    }
}

fn job_metadata() -> jobs::JobMetadata {
    jobs::JobMetadata {
        id: "bt1job".to_owned(),
        name: "train".to_owned(),
        project_id: "bt1project".to_owned(),
        status: jobs::JobStatus::Executing.into(),
        created_at: Some(at(1_700_000_000)),
        started_at: Some(at(1_700_000_100)),
        status_details: "pulling https://joe:pass@registry/image?sig=1".to_owned(),
        ..jobs::JobMetadata::default()
    }
}

fn whole_job() -> jobs::Job {
    jobs::Job {
        id: "bt1job".to_owned(),
        name: "name in the deprecated place".to_owned(),
        project_id: "bt1project".to_owned(),
        status: jobs::JobStatus::Creating.into(),
        config: "secret ".repeat(500),
        data_size_bytes: 77,
        actual_cloud_instance_type: Some(jobs::CloudInstanceType {
            name: "g1.1".to_owned(),
        }),
        ..jobs::Job::default()
    }
}

fn full_execution() -> Operation {
    execution(&jobs::ExecuteProjectJobMetadata {
        job: Some(whole_job()),
        progress: Some(jobs::JobProgress {
            message: "epoch 3".to_owned(),
            progress: 42,
            create_time: Some(at(1_700_000_200)),
        }),
        metadata: Some(job_metadata()),
    })
}

fn ended(response: &jobs::ExecuteProjectJobResponse) -> Operation {
    Operation {
        done: true,
        result: Some(Ending::Response(packed(
            "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobResponse",
            response,
        ))),
        ..full_execution()
    }
}

fn failed(status: rpc::Status) -> Operation {
    Operation {
        result: Some(Ending::Error(status)),
        ..full_execution()
    }
}

#[test]
fn a_running_job_is_told_with_its_progress() {
    let Decoded { value, gaps } = decoded(&full_execution());
    assert!(gaps.is_empty());
    assert_eq!(
        (value.kind, value.described, value.done),
        (Kind::Job, true, false)
    );
    assert_eq!(value.project_id, Some("bt1project".parse().unwrap()));
    let progress = value.progress.unwrap();
    assert_eq!(
        (progress.percent, progress.message),
        (42, Some(Text::bounded("epoch 3")))
    );
    assert_eq!(progress.created_at, Timestamp::from_seconds(1_700_000_200, 0));
    let job = value.job.unwrap();
    assert_eq!((job.id.as_str(), job.status), ("bt1job", JobStatus::Executing));
    assert_eq!(job.started_at, Timestamp::from_seconds(1_700_000_100, 0));
    let details = job.status_details.unwrap();
    assert_eq!(details.as_str(), "pulling https://***@registry/image?***");
}

#[test]
fn the_deprecated_job_tells_only_what_the_metadata_lacks() {
    let job = decoded(&full_execution()).value.job.unwrap();
    assert_eq!(job.name, Some(Text::bounded("train")));
    assert_eq!(job.instance_type, Some(Text::bounded("g1.1")));
    assert_eq!(job.data_size_bytes, Some(77));
}

#[test]
fn the_deprecated_job_stands_in_for_missing_metadata() {
    for metadata in [None, Some(jobs::JobMetadata::default())] {
        let decoded = decoded(&execution(&jobs::ExecuteProjectJobMetadata {
            job: Some(whole_job()),
            progress: None,
            metadata,
        }));
        assert_eq!(gaps(&decoded), []);
        let job = decoded.value.job.unwrap();
        assert_eq!(job.name, Some(Text::bounded("name in the deprecated place")));
        assert_eq!(job.status, JobStatus::Creating);
    }
}

#[test]
fn an_operation_without_a_word_on_its_job_is_not_described_yet() {
    let decoded = decoded(&execution(&jobs::ExecuteProjectJobMetadata::default()));
    assert_eq!((decoded.value.kind, decoded.value.described), (Kind::Job, false));
    assert_eq!(gaps(&decoded), [(Gap::Missing, 1)]);
}

#[test]
fn statuses_are_those_of_the_api_and_an_unknown_number_is_counted() {
    let cases = [
        (0, JobStatus::Unknown, vec![]),
        (1, JobStatus::Creating, vec![]),
        (2, JobStatus::Executing, vec![]),
        (3, JobStatus::UploadingOutput, vec![]),
        (4, JobStatus::Success, vec![]),
        (5, JobStatus::Error, vec![]),
        (6, JobStatus::Cancelled, vec![]),
        (7, JobStatus::Cancelling, vec![]),
        (8, JobStatus::Preparing, vec![]),
        (9, JobStatus::Unknown, vec![(Gap::UnknownEnum, 1)]),
        (-1, JobStatus::Unknown, vec![(Gap::UnknownEnum, 1)]),
    ];
    for (number, status, expected) in cases {
        let decoded = decoded(&execution(&jobs::ExecuteProjectJobMetadata {
            metadata: Some(jobs::JobMetadata {
                status: number,
                ..job_metadata()
            }),
            ..Default::default()
        }));
        assert_eq!(gaps(&decoded), expected, "{number}");
        assert_eq!(decoded.value.job.unwrap().status, status, "{number}");
    }
}

#[test]
fn progress_outside_of_a_hundred_percent_is_no_progress() {
    for (percent, told) in [
        (0, true),
        (100, true),
        (101, false),
        (-1, false),
        (i64::MAX, false),
    ] {
        let decoded = decoded(&execution(&jobs::ExecuteProjectJobMetadata {
            progress: Some(jobs::JobProgress {
                progress: percent,
                create_time: Some(at(1_700_000_000)),
                ..Default::default()
            }),
            metadata: Some(job_metadata()),
            job: None,
        }));
        assert_eq!(decoded.value.progress.is_some(), told, "{percent}");
        assert_eq!(decoded.gaps.is_empty(), told, "{percent}");
    }
    let silent = decoded(&execution(&jobs::ExecuteProjectJobMetadata {
        progress: Some(jobs::JobProgress::default()),
        metadata: Some(job_metadata()),
        job: None,
    }));
    assert_eq!(
        (silent.value.progress.is_none(), silent.gaps.is_empty()),
        (true, true)
    );
}

#[test]
fn an_absent_result_is_not_a_return_code_of_zero() {
    let cases = [
        (None, None),
        (Some(0), Some(0)),
        (Some(-9), Some(-9)),
        (Some(i64::MIN), Some(i64::MIN)),
    ];
    for (sent, told) in cases {
        let decoded = decoded(&ended(&jobs::ExecuteProjectJobResponse {
            result: sent.map(|return_code| jobs::JobResult { return_code }),
            ..Default::default()
        }));
        assert!(decoded.value.done && decoded.gaps.is_empty());
        assert_eq!(decoded.value.return_code, told);
        assert_eq!(decoded.value.output_errors, Some(OutputErrors::default()));
    }
}

#[test]
fn output_errors_are_counted_by_type() {
    let errors = [1, 1, 2, 0, 9].map(|number| jobs::FileUploadError {
        r#type: number,
        description: "password=x".to_owned(),
        ..Default::default()
    });
    let decoded = decoded(&ended(&jobs::ExecuteProjectJobResponse {
        output_files_errors: errors.to_vec(),
        ..Default::default()
    }));
    let expected = OutputErrors {
        upload_failed: 2,
        not_found: 1,
        unknown: 2,
    };
    assert_eq!(decoded.value.output_errors, Some(expected));
    assert_eq!(gaps(&decoded), [(Gap::UnknownEnum, 1)]);
}

#[test]
fn notebooks_of_both_versions_are_told() {
    let v1 = v1::ProjectExecutionMetadata {
        project_id: "bt1project".to_owned(),
        target: Some(v1::project_execution_metadata::Target::CellId("cell".to_owned())),
    };
    let v2 = v2::ProjectExecutionMetadata {
        project_id: "bt1project".to_owned(),
        target: Some(v2::project_execution_metadata::Target::NotebookId(
            "обучение/a b.ipynb".to_owned(),
        )),
    };
    let status = |number| {
        let mut bytes = v2::ProjectExecutionResponse {
            execution_status: number,
        }
        .encode_to_vec();
        // What older servers put into the fields that are reserved now.
        bytes.extend([0x0a, 2, b'o', b'k']);
        Any {
            type_url: "yandex.cloud.datasphere.v2.ProjectExecutionResponse".to_owned(),
            value: bytes,
        }
    };
    let v1_response = packed(
        "yandex.cloud.datasphere.v1.ProjectExecutionResponse",
        &v1::ProjectExecutionResponse {},
    );
    let v1 = packed("yandex.cloud.datasphere.v1.ProjectExecutionMetadata", &v1);
    let v2 = packed("yandex.cloud.datasphere.v2.ProjectExecutionMetadata", &v2);
    let cases = [
        (&v1, None, "cell", None),
        (&v1, Some(v1_response), "cell", None),
        (
            &v2,
            Some(status(0)),
            "обучение/a b.ipynb",
            Some(ExecutionStatus::Unknown),
        ),
        (
            &v2,
            Some(status(1)),
            "обучение/a b.ipynb",
            Some(ExecutionStatus::Ok),
        ),
        (
            &v2,
            Some(status(2)),
            "обучение/a b.ipynb",
            Some(ExecutionStatus::Error),
        ),
        (
            &v2,
            Some(status(3)),
            "обучение/a b.ipynb",
            Some(ExecutionStatus::Aborted),
        ),
    ];
    for (metadata, response, notebook_id, status) in cases {
        let decoded = decoded(&Operation {
            id: ID.to_owned(),
            metadata: Some(metadata.clone()),
            result: response.map(Ending::Response),
            ..Default::default()
        });
        assert_eq!(gaps(&decoded), []);
        assert_eq!(decoded.value.kind, Kind::Notebook);
        assert_eq!(decoded.value.project_id, Some("bt1project".parse().unwrap()));
        let told = decoded.value.notebook.unwrap().notebook_id;
        assert_eq!(told, Some(Text::bounded(notebook_id)));
        assert_eq!(decoded.value.execution_status, status);
    }
}

#[test]
fn an_error_may_be_told_before_the_end_and_is_redacted() {
    let decoded = decoded(&failed(rpc::Status {
        code: 8,
        message: "Job execution quota exhausted, token: abc".to_owned(),
        details: vec![],
    }));
    assert!(!decoded.value.done && decoded.gaps.is_empty());
    let error = decoded.value.error.unwrap();
    assert_eq!(error.code.name(), "RESOURCE_EXHAUSTED");
    let message = error.message.unwrap();
    assert_eq!(message.as_str(), "Job execution quota exhausted, token: ***");
}

#[test]
fn error_codes_outside_of_the_table_are_unknown_and_zero_is_no_error() {
    let with_code = |code| {
        decoded(&failed(rpc::Status {
            code,
            ..Default::default()
        }))
    };
    for code in [17, -1, i32::MIN] {
        let decoded = with_code(code);
        assert_eq!(decoded.value.error.as_ref().unwrap().code, RpcCode::UNKNOWN);
        assert_eq!(gaps(&decoded), [(Gap::UnknownEnum, 1)]);
    }
    let fine = with_code(0);
    assert_eq!(
        (fine.value.error.is_none(), gaps(&fine)),
        (true, vec![(Gap::OutOfRange, 1)])
    );
}

#[test]
fn the_first_detail_with_a_short_reason_tells_it() {
    let quota = |subject: &str| rpc::QuotaFailure {
        violations: vec![rpc::quota_failure::Violation {
            subject: subject.to_owned(),
            quota_metric: "jobs.count".to_owned(),
            ..Default::default()
        }],
    };
    let precondition = rpc::PreconditionFailure {
        violations: vec![rpc::precondition_failure::Violation {
            r#type: "TOS".to_owned(),
            ..Default::default()
        }],
    };
    let info = rpc::ErrorInfo {
        reason: "NO_MACHINE".to_owned(),
        ..Default::default()
    };
    let node = v1::NodeExecutionErrorDetails {
        error_name: "ValueError".to_owned(),
        error_message: "private".to_owned(),
        traceback: vec!["private".to_owned()],
    };
    let request = packed("google.rpc.RequestInfo", &rpc::RequestInfo::default());
    let cases = [
        (vec![], None),
        (
            vec![request, packed("google.rpc.ErrorInfo", &info)],
            Some("NO_MACHINE"),
        ),
        (
            vec![packed("google.rpc.QuotaFailure", &quota("project:bt1"))],
            Some("project:bt1"),
        ),
        (
            vec![packed("google.rpc.QuotaFailure", &quota(""))],
            Some("jobs.count"),
        ),
        (
            vec![packed("google.rpc.QuotaFailure", &rpc::QuotaFailure::default())],
            None,
        ),
        (
            vec![packed("google.rpc.PreconditionFailure", &precondition)],
            Some("TOS"),
        ),
        (
            vec![
                packed("yandex.cloud.datasphere.v1.NodeExecutionErrorDetails", &node),
                packed("google.rpc.ErrorInfo", &info),
            ],
            Some("ValueError"),
        ),
    ];
    for (details, reason) in cases {
        let decoded = decoded(&failed(rpc::Status {
            code: 3,
            message: String::new(),
            details,
        }));
        assert_eq!(gaps(&decoded), []);
        assert_eq!(decoded.value.error.unwrap().reason, reason.map(Text::bounded));
    }
}

#[test]
fn a_type_nobody_knows_is_kept_by_name_and_counted() {
    let decoded = decoded(&Operation {
        id: ID.to_owned(),
        done: true,
        metadata: Some(Any {
            type_url: "example.com/yandex.cloud.compute.v1.CreateInstanceMetadata".to_owned(),
            value: b"not even a message".to_vec(),
        }),
        result: Some(Ending::Response(Any {
            type_url: "type.googleapis.com/yandex.cloud.compute.v1.Instance".to_owned(),
            value: b"\xff".to_vec(),
        })),
        ..Default::default()
    });
    assert_eq!(gaps(&decoded), [(Gap::UnknownType, 1)]);
    let value = decoded.value;
    assert_eq!(
        (value.kind, value.described, value.done),
        (Kind::Other, true, true)
    );
    let expected = "example.com/yandex.cloud.compute.v1.CreateInstanceMetadata";
    assert_eq!(value.metadata_type, Some(Text::bounded(expected)));
}

#[test]
fn broken_metadata_is_one_gap_and_the_rest_of_the_operation_stays() {
    let mut operation = Operation {
        done: true,
        description: "Execute job".to_owned(),
        ..full_execution()
    };
    operation.metadata.as_mut().unwrap().value.truncate(40);
    let decoded = decoded(&operation);
    assert_eq!(gaps(&decoded), [(Gap::Malformed, 1)]);
    let value = decoded.value;
    assert_eq!(
        (value.kind, value.described, value.done),
        (Kind::Job, false, true)
    );
    assert_eq!(value.description, Some(Text::bounded("Execute job")));
}

#[test]
fn an_answer_about_another_operation_keeps_the_id_that_was_asked_for() {
    for (id, gap) in [("bt1other", Gap::Malformed), ("", Gap::Missing)] {
        let decoded = decoded(&Operation {
            id: id.to_owned(),
            ..Default::default()
        });
        assert_eq!(decoded.value.id, asked());
        assert_eq!(gaps(&decoded), [(gap, 1)]);
    }
}

#[test]
fn ids_that_cannot_be_ids_are_left_out() {
    let decoded = decoded(&execution(&jobs::ExecuteProjectJobMetadata {
        metadata: Some(jobs::JobMetadata {
            project_id: "a\nb".to_owned(),
            parent_job_id: "x".repeat(65),
            ..job_metadata()
        }),
        ..Default::default()
    }));
    let job = decoded.value.job.as_ref().unwrap();
    assert_eq!(
        (job.project_id.is_none(), job.parent_job_id.is_none()),
        (true, true)
    );
    assert_eq!(gaps(&decoded), [(Gap::Malformed, 2)]);
}

#[test]
fn a_page_keeps_what_can_be_read_and_counts_what_cannot() {
    let page = jobs::ListProjectJobResponse {
        jobs: vec![
            whole_job(),
            jobs::Job::default(),
            jobs::Job {
                id: "bt2job".to_owned(),
                data_size_bytes: -1,
                ..whole_job()
            },
        ],
        next_page_token: "next".to_owned(),
    };
    let page = decode::jobs(&Bytes::from(page.encode_to_vec()).into());
    let ids: Vec<_> = page.items.iter().map(|job| job.value.id.as_str()).collect();
    assert_eq!(ids, ["bt1job", "bt2job"]);
    assert_eq!(gaps(&page.items[1]), [(Gap::OutOfRange, 1)]);
    assert_eq!(page.next_page_token, "next");
    assert_eq!(page.gaps.iter().map(|(_, count)| count).sum::<u32>(), 1);
}

#[test]
fn projects_tell_their_limits_and_balances_may_be_absent_zero_or_negative() {
    let project = v2::Project {
        id: "bt1project".to_owned(),
        name: "nlp".to_owned(),
        community_id: "bt1community".to_owned(),
        limits: Some(v2::project::Limits {
            max_units_per_hour: Some(7),
            max_units_per_execution: Some(-7),
        }),
        ..Default::default()
    };
    let bytes = Bytes::from(project.encode_to_vec());
    let decoded = decode::project(&"bt1project".parse().unwrap(), &bytes.into());
    assert_eq!(gaps(&decoded), [(Gap::OutOfRange, 1)]);
    assert_eq!(decoded.value.units_per_hour_max, Some(7));
    assert_eq!(decoded.value.units_per_execution_max, None);
    for balance in [None, Some(0), Some(-5), Some(1_000_000)] {
        let response = v2::GetUnitBalanceResponse {
            unit_balance: balance,
        };
        let decoded = decode::unit_balance(&Bytes::from(response.encode_to_vec()).into());
        assert_eq!((decoded.value, decoded.gaps.is_empty()), (balance, true));
    }
}

/// Bytes of a whole, lively operation.
fn lively() -> Vec<u8> {
    Operation {
        description: "Execute job".to_owned(),
        created_by: "ajeuser".to_owned(),
        created_at: Some(at(1_700_000_000)),
        modified_at: Some(at(1_700_000_300)),
        ..ended(&jobs::ExecuteProjectJobResponse {
            result: Some(jobs::JobResult { return_code: 1 }),
            ..Default::default()
        })
    }
    .encode_to_vec()
}

#[test]
fn every_prefix_of_an_answer_is_refused_or_decoded() {
    let bytes = lively();
    let whole = decode::operation(&asked(), &Bytes::from(bytes.clone()).into());
    for length in 0..bytes.len() {
        let prefix = Bytes::copy_from_slice(&bytes[..length]);
        let accepted = wire::Operation::decode(prefix.clone());
        let decoded = decode::operation(&asked(), &prefix.into());
        assert_eq!(decoded.value.id, asked());
        // A cut that falls between two fields cannot be noticed; all others are refused by the codec.
        assert_eq!(
            accepted.is_err(),
            decoded
                .gaps
                .iter()
                .any(|(gap, count)| gap == Gap::Malformed && count > 0)
        );
        assert_ne!(decoded, whole);
    }
}

proptest! {
    #[test]
    fn random_bytes_are_decoded_without_a_panic(bytes in proptest::collection::vec(any_byte(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let id = "bt1".parse().unwrap();
        prop_assert_eq!(decode::operation(&asked(), &bytes.clone().into()).value.id, asked());
        decode::job(&id, &bytes.clone().into());
        decode::jobs(&bytes.clone().into());
        decode::project(&"bt1".parse().unwrap(), &bytes.clone().into());
        decode::projects(&bytes.clone().into());
        decode::unit_balance(&bytes.into());
    }

    #[test]
    fn flipped_bits_cost_no_more_than_what_they_hit(flips in proptest::collection::vec((0usize..100_000, 0u8..8), 1..4)) {
        let mut bytes = lively();
        for (place, bit) in flips {
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
        }
        let decoded = decode::operation(&asked(), &Bytes::from(bytes).into());
        prop_assert_eq!(decoded.value.id, asked());
    }

    #[test]
    fn the_codec_takes_what_the_generated_types_take(bytes in proptest::collection::vec(any_byte(), 0..60)) {
        // The generated types look further in, so they refuse more; nothing that they take may be refused.
        if Operation::decode(bytes.as_slice()).is_ok() {
            prop_assert!(wire::Operation::decode(bytes.as_slice()).is_ok());
            let decoded = decode::operation(&asked(), &Bytes::from(bytes).into());
            let malformed = decoded.gaps.iter().any(|(gap, count)| gap == Gap::Malformed && count > 1);
            prop_assert!(!malformed, "{:?}", decoded);
        }
    }

    #[test]
    fn fields_mean_the_same_in_any_order(seed in proptest::num::u64::ANY) {
        let bytes = lively();
        let mut fields = top_level_fields(&bytes);
        let count = fields.len();
        for place in 0..count {
            fields.swap(place, usize::try_from(seed >> (place % 60)).unwrap_or(0) % count);
        }
        let shuffled = Bytes::from(fields.concat());
        prop_assert_eq!(
            decode::operation(&asked(), &shuffled.into()),
            decode::operation(&asked(), &Bytes::from(bytes).into())
        );
    }
}

/// Bytes among which those that make keys and lengths are common.
fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        0u8..0x14,
        prop::sample::select(&[0x0a, 0x12, 0x1a, 0x30, 0x3a, 0x42, 0x4a, 0x08, 0x10][..]),
        proptest::num::u8::ANY
    ]
}

fn top_level_fields(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let before = rest;
        let (number, wire_type) = prost::encoding::decode_key(&mut rest).unwrap();
        prost::encoding::skip_field(
            wire_type,
            number,
            &mut rest,
            prost::encoding::DecodeContext::default(),
        )
        .unwrap();
        fields.push(before[..before.len() - rest.len()].to_vec());
    }
    fields
}

/// Bytes of no message.
const BROKEN: &[u8] = b"\xff";

/// A field of these bytes, whatever it should be.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &bytes.to_vec(), &mut out);
    out
}

/// A field that holds a message of this type, of these bytes.
fn field_of(number: u32, name: &str, bytes: &[u8]) -> Vec<u8> {
    let any = Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: bytes.to_vec(),
    };
    field(number, &any.encode_to_vec())
}

const JOB: &str = "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata";
const NOTEBOOK: &str = "yandex.cloud.datasphere.v2.ProjectExecutionMetadata";

#[test]
fn what_does_not_parse_is_one_gap_wherever_it_stands_and_tells_nothing() {
    let unset = field(1, ID.as_bytes());
    let progress = |created_at: &[u8]| {
        let percent = [0x10, 42].to_vec();
        field_of(7, JOB, &field(2, &[percent, field(3, created_at)].concat()))
    };
    let cases = [
        ("metadata", field(7, BROKEN)),
        ("a job's metadata", field_of(7, JOB, BROKEN)),
        ("a notebook's metadata", field_of(7, NOTEBOOK, BROKEN)),
        (
            "a project's metadata",
            field_of(7, "yandex.cloud.datasphere.v2.UpdateProjectMetadata", BROKEN),
        ),
        ("response", field(9, BROKEN)),
        (
            "a job's response",
            field_of(
                9,
                "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobResponse",
                BROKEN,
            ),
        ),
        (
            "a notebook's response",
            field_of(9, "yandex.cloud.datasphere.v2.ProjectExecutionResponse", BROKEN),
        ),
        ("time", field(3, BROKEN)),
        ("seconds", field(3, &field(1, b"x"))),
        ("nanoseconds", field(3, &field(2, b"x"))),
    ];
    for (place, bytes) in cases {
        let decoded = decode::operation(&asked(), &Bytes::from([unset.clone(), bytes].concat()).into());
        assert_eq!(gaps(&decoded), [(Gap::Malformed, 1)], "{place}");
        let value = decoded.value;
        assert!(!value.described && value.error.is_none(), "{place}");
        assert_eq!((value.project_id, value.created_at), (None, None), "{place}");
        assert_eq!((value.return_code, value.output_errors), (None, None), "{place}");
        assert_eq!(value.execution_status, None, "{place}");
    }
    for broken in [BROKEN, &field(1, b"x")] {
        let operation = [unset.clone(), progress(broken)].concat();
        let decoded = decode::operation(&asked(), &Bytes::from(operation).into());
        let told = decoded.value.progress.expect("progress");
        assert_eq!((told.percent, told.created_at), (42, None));
    }
    let operation = [unset, field_of(7, JOB, &field(2, BROKEN))].concat();
    let decoded = decode::operation(&asked(), &Bytes::from(operation).into());
    assert_eq!(decoded.value.progress, None);
}

#[test]
fn an_error_that_cannot_be_read_is_an_error_all_the_same() {
    let code_of_another_type = field(1, b"x");
    for status in [BROKEN, &code_of_another_type] {
        let operation = [field(1, ID.as_bytes()), field(8, status)].concat();
        let decoded = decode::operation(&asked(), &Bytes::from(operation).into());
        assert_eq!(gaps(&decoded), [(Gap::Malformed, 1)]);
        assert_eq!(decoded.value.error.expect("an error").code, RpcCode::UNKNOWN);
    }
}

#[test]
fn a_detail_that_cannot_be_read_is_passed_over_for_the_next() {
    let violation = field(1, BROKEN);
    let info = rpc::ErrorInfo {
        reason: "NO_MACHINE".to_owned(),
        ..Default::default()
    };
    let cases = [
        field(3, BROKEN),
        field_of(3, "google.rpc.ErrorInfo", BROKEN),
        field_of(3, "google.rpc.QuotaFailure", BROKEN),
        field_of(3, "google.rpc.QuotaFailure", &violation),
        field_of(3, "google.rpc.PreconditionFailure", BROKEN),
        field_of(3, "google.rpc.PreconditionFailure", &violation),
    ];
    for detail in cases {
        let status = [
            vec![0x08, 3],
            detail.clone(),
            field(3, &packed("google.rpc.ErrorInfo", &info).encode_to_vec()),
        ];
        let operation = [field(1, ID.as_bytes()), field(8, &status.concat())].concat();
        let decoded = decode::operation(&asked(), &Bytes::from(operation).into());
        assert_eq!(gaps(&decoded), [(Gap::Malformed, 1)], "{detail:?}");
        let error = decoded.value.error.expect("an error");
        assert_eq!(error.reason, Some(Text::bounded("NO_MACHINE")), "{detail:?}");
    }
    let empty = packed(
        "google.rpc.PreconditionFailure",
        &rpc::PreconditionFailure::default(),
    );
    let decoded = decoded(&failed(rpc::Status {
        code: 3,
        message: String::new(),
        details: vec![empty],
    }));
    assert_eq!(gaps(&decoded), []);
    assert_eq!(decoded.value.error.expect("an error").reason, None);
}

#[test]
fn one_item_of_a_page_that_cannot_be_read_is_one_gap_of_the_page() {
    let page = Bytes::from([field(1, BROKEN), field(1, &field(1, b"bt1"))].concat());
    let jobs = decode::jobs(&page.clone().into());
    assert_eq!(
        (jobs.items.len(), jobs.gaps.iter().map(|(_, count)| count).sum()),
        (1, 1_u32)
    );
    let projects = decode::projects(&page.into());
    assert_eq!(projects.items.len(), 1);
    assert_eq!(projects.items[0].value.id.as_str(), "bt1");
    let balance = decode::unit_balance(&Bytes::from(field(1, BROKEN)).into());
    assert_eq!((balance.value, gaps(&balance)), (None, vec![(Gap::Malformed, 1)]));
}

#[test]
fn the_job_that_an_operation_makes_is_told_by_its_metadata_or_by_its_response() {
    const MAKING: &str = "yandex.cloud.datasphere.v2.jobs.CreateProjectJobMetadata";
    const MADE: &str = "yandex.cloud.datasphere.v2.jobs.CreateProjectJobResponse";
    let making = field_of(7, MAKING, &field(2, b"bt1making"));
    let made = field_of(9, MADE, &field(1, b"bt1made"));
    let cases = [
        (vec![making.clone(), made.clone()], Some("bt1making")),
        (vec![made.clone()], Some("bt1made")),
        (vec![field_of(7, MAKING, BROKEN), made.clone()], Some("bt1made")),
        (vec![field(7, BROKEN), made], Some("bt1made")),
        (vec![field_of(7, JOB, &[]), field_of(9, MADE, BROKEN)], None),
        (vec![BROKEN.to_vec(), making], None),
    ];
    for (parts, expected) in cases {
        let made = decode::made_job(&Bytes::from(parts.concat()).into());
        assert_eq!(made.as_ref().map(JobId::as_str), expected, "{parts:?}");
    }
}
