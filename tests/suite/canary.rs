//! Which words of the API may be shown, and that no others are.
//!
//! Every text field of a message is filled with a token of its own, so that whatever is shown later (a metric, a
//! JSON document, a log line) tells from which fields it was made: see [`Canary::shown_in`].

use datasphere_exporter::decode::{self, wire};
use datasphere_exporter::model::{Gap, OperationId};
use datasphere_exporter::proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

/// Fields of API messages that may be shown anywhere, by their path from the message that arrives or stands in
/// an `Any`. Free text among them is redacted.
pub(crate) const SHOWN: &[&str] = &[
    "yandex.cloud.operation.Operation.id",
    "yandex.cloud.operation.Operation.description",
    "yandex.cloud.operation.Operation.created_by",
    "yandex.cloud.operation.Operation.metadata.type_url",
    "google.rpc.Status.message",
    "google.rpc.ErrorInfo.reason",
    "google.rpc.QuotaFailure.violations.subject",
    "google.rpc.PreconditionFailure.violations.type",
    "yandex.cloud.datasphere.v1.NodeExecutionErrorDetails.error_name",
    "yandex.cloud.datasphere.v1.ProjectExecutionMetadata.project_id",
    "yandex.cloud.datasphere.v1.ProjectExecutionMetadata.notebook_id",
    "yandex.cloud.datasphere.v1.ProjectExecutionMetadata.cell_id",
    "yandex.cloud.datasphere.v2.ProjectExecutionMetadata.project_id",
    "yandex.cloud.datasphere.v2.ProjectExecutionMetadata.notebook_id",
    "yandex.cloud.datasphere.v2.ProjectExecutionMetadata.cell_id",
    "yandex.cloud.datasphere.v2.CreateProjectMetadata.project_id",
    "yandex.cloud.datasphere.v2.DeleteProjectMetadata.project_id",
    "yandex.cloud.datasphere.v2.OpenProjectMetadata.project_id",
    "yandex.cloud.datasphere.v2.ResizeProjectDiskMetadata.project_id",
    "yandex.cloud.datasphere.v2.SetProjectAccessBindingsMetadata.project_id",
    "yandex.cloud.datasphere.v2.SetUnitBalanceMetadata.project_id",
    "yandex.cloud.datasphere.v2.UpdateProjectAccessBindingsMetadata.project_id",
    "yandex.cloud.datasphere.v2.UpdateProjectMetadata.project_id",
    "yandex.cloud.datasphere.v2.jobs.CloneProjectJobMetadata.project_id",
    "yandex.cloud.datasphere.v2.jobs.CreateProjectJobMetadata.project_id",
    "yandex.cloud.datasphere.v2.jobs.DeleteAllProjectJobDataMetadata.project_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.actual_cloud_instance_type.name",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.created_by_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.name",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.parent_job_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.project_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.status_details",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.progress.message",
    "yandex.cloud.datasphere.v2.jobs.Job.actual_cloud_instance_type.name",
    "yandex.cloud.datasphere.v2.jobs.Job.created_by_id",
    "yandex.cloud.datasphere.v2.jobs.Job.id",
    "yandex.cloud.datasphere.v2.jobs.Job.name",
    "yandex.cloud.datasphere.v2.jobs.Job.parent_job_id",
    "yandex.cloud.datasphere.v2.jobs.Job.project_id",
    "yandex.cloud.datasphere.v2.jobs.Job.status_details",
    "yandex.cloud.datasphere.v2.Project.community_id",
    "yandex.cloud.datasphere.v2.Project.id",
    "yandex.cloud.datasphere.v2.Project.name",
];

/// Shown besides [`SHOWN`] when the metadata has no `metadata` of its own: the deprecated place stands in.
const SHOWN_OF_DEPRECATED_JOB: &[&str] = &[
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.created_by_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.name",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.parent_job_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.project_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.job.status_details",
];

const OPERATION: &str = "yandex.cloud.operation.Operation";
const EXECUTION: &str = "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata";

/// Every token begins so, and nothing else does.
const TOKEN_BEGINNING: &str = "canary";

/// The length of every token: its beginning, six digits and an end.
const TOKEN_BYTES: usize = TOKEN_BEGINNING.len() + 7;

/// Makes messages full of tokens, and knows whose each token is.
pub(crate) struct Canary {
    pool: DescriptorPool,
    fields_by_token: BTreeMap<String, String>,
}

/// An operation full of tokens.
pub(crate) struct FilledOperation {
    /// Its id, a token as well.
    pub(crate) id: String,
    /// Which messages it carries, for the message of a failed assertion.
    pub(crate) carries: String,
    /// `yandex.cloud.operation.Operation`.
    pub(crate) bytes: Bytes,
}

impl Canary {
    pub(crate) fn new() -> Self {
        Self {
            pool: DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap(),
            fields_by_token: BTreeMap::new(),
        }
    }

    /// Operations that together carry every message of the API as metadata, as response and as a detail of an
    /// error: those that belong there, and, from a server that lies, all the others too.
    pub(crate) fn operations(&mut self) -> Vec<FilledOperation> {
        let api = ["yandex.cloud.datasphere.", "google.rpc."];
        let messages: Vec<MessageDescriptor> = self
            .pool
            .all_messages()
            .filter(|message| api.iter().any(|package| message.full_name().starts_with(package)))
            .filter(|message| !message.is_map_entry())
            .collect();
        let mut operations = Vec::new();
        for message in messages {
            let choices = message
                .oneofs()
                .map(|oneof| oneof.fields().count())
                .max()
                .unwrap_or(1);
            for choice in 0..choices {
                let filled = self.fill(message.full_name(), choice);
                operations.push(self.operation(&filled, Place::Metadata));
                operations.push(self.operation(&filled, Place::Response));
                operations.push(self.operation(&filled, Place::ErrorDetail));
            }
        }
        operations
    }

    /// An operation of a job, running, as a server of today fills it.
    pub(crate) fn job_operation(&mut self) -> FilledOperation {
        let metadata = self.fill(EXECUTION, 0);
        self.operation(&metadata, Place::Metadata)
    }

    /// The same from a server that fills the deprecated place only.
    fn deprecated_job_operation(&mut self) -> FilledOperation {
        let mut metadata = self.fill(EXECUTION, 0);
        metadata.clear_field_by_name("metadata");
        self.operation(&metadata, Place::Metadata)
    }

    /// A message in which every field is set: texts to tokens, numbers and times to ordinary values, and of
    /// each `oneof` the alternative of this number.
    pub(crate) fn fill(&mut self, name: &str, choice: usize) -> DynamicMessage {
        let descriptor = self.pool.get_message_by_name(name).unwrap();
        self.fill_at(&descriptor, choice, name, 0)
    }

    /// The fields whose tokens are in a text. It is read once, whatever the number of tokens: a log at debug level
    /// has many megabytes, and there are thousands of tokens.
    pub(crate) fn shown_in(&self, text: &str) -> BTreeSet<&str> {
        text.match_indices(TOKEN_BEGINNING)
            .filter_map(|(at, _)| self.fields_by_token.get(text.get(at..at + TOKEN_BYTES)?))
            .map(String::as_str)
            .collect()
    }

    /// The token of a field that was filled once.
    pub(crate) fn token_of(&self, field: &str) -> &str {
        let mut tokens = self.fields_by_token.iter();
        tokens
            .find(|(_, known)| *known == field)
            .map(|(token, _)| token.as_str())
            .unwrap()
    }

    fn token(&mut self, path: &str) -> String {
        let token = format!("{TOKEN_BEGINNING}{:06}x", self.fields_by_token.len());
        assert_eq!(token.len(), TOKEN_BYTES, "too many tokens");
        self.fields_by_token.insert(token.clone(), path.to_owned());
        token
    }

    fn operation(&mut self, carried: &DynamicMessage, place: Place) -> FilledOperation {
        let name = carried.descriptor().full_name().to_owned();
        let any = self.any(&name, carried.encode_to_vec());
        let mut operation = self.fill(OPERATION, 0);
        operation.clear_field_by_name("error");
        operation.clear_field_by_name("response");
        match place {
            Place::Metadata => operation.set_field_by_name("metadata", Value::Message(any)),
            Place::Response => operation.set_field_by_name("response", Value::Message(any)),
            Place::ErrorDetail => {
                let mut status = self.fill("google.rpc.Status", 0);
                status.set_field_by_name("code", Value::I32(8));
                status.set_field_by_name("details", Value::List(vec![Value::Message(any)]));
                operation.set_field_by_name("error", Value::Message(status));
            }
        }
        let id = operation
            .get_field_by_name("id")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        FilledOperation {
            id,
            carries: format!("{name} as {place:?}"),
            bytes: operation.encode_to_vec().into(),
        }
    }

    fn any(&self, name: &str, value: Vec<u8>) -> DynamicMessage {
        let descriptor = self.pool.get_message_by_name("google.protobuf.Any").unwrap();
        let mut any = DynamicMessage::new(descriptor);
        any.set_field_by_name("type_url", Value::String(format!("type.googleapis.com/{name}")));
        any.set_field_by_name("value", Value::Bytes(value.into()));
        any
    }

    fn fill_at(
        &mut self,
        descriptor: &MessageDescriptor,
        choice: usize,
        path: &str,
        depth: usize,
    ) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        // Of the recursive messages, which hold values of any shape, a few levels tell enough.
        if depth > 6 {
            return message;
        }
        for field in descriptor.fields() {
            if is_chosen(&field, choice) {
                let value = self.field_value(&field, choice, &format!("{path}.{}", field.name()), depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn field_value(&mut self, field: &FieldDescriptor, choice: usize, path: &str, depth: usize) -> Value {
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let key = MapKey::String(self.token(path));
            let value = self.value(&entry.map_entry_value_field(), choice, path, depth);
            return Value::Map(HashMap::from([(key, value)]));
        }
        let value = self.value(field, choice, path, depth);
        if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        }
    }

    fn value(&mut self, field: &FieldDescriptor, choice: usize, path: &str, depth: usize) -> Value {
        match field.kind() {
            Kind::String => Value::String(self.token(path)),
            Kind::Bytes => Value::Bytes(self.token(path).into()),
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => {
                    let mut moment = DynamicMessage::new(message);
                    moment.set_field_by_name("seconds", Value::I64(1_700_000_000));
                    Value::Message(moment)
                }
                _ => Value::Message(self.fill_at(&message, choice, path, depth + 1)),
            },
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Int32 => Value::I32(42),
            Kind::Int64 => Value::I64(42),
            Kind::Uint64 => Value::U64(42),
            Kind::Uint32 => Value::U32(42),
            Kind::Bool => Value::Bool(true),
            Kind::Double => Value::F64(42.0),
            other => panic!("{path}: a kind that the API did not have: {other:?}"),
        }
    }
}

/// Where an operation carries a message.
#[derive(Clone, Copy, Debug)]
enum Place {
    Metadata,
    Response,
    ErrorDetail,
}

fn is_chosen(field: &FieldDescriptor, choice: usize) -> bool {
    field.containing_oneof().is_none_or(|oneof| {
        let alternatives = oneof.fields().count();
        oneof.fields().nth(choice.min(alternatives - 1)).as_ref() == Some(field)
    })
}

fn decoded(operation: &FilledOperation) -> impl Debug {
    let id: OperationId = operation.id.parse().unwrap();
    decode::operation(&id, &wire::Operation::from(operation.bytes.clone())).value
}

#[test]
fn of_all_that_the_api_may_say_only_what_is_listed_is_shown() {
    let mut canary = Canary::new();
    let operations = canary.operations();
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    for operation in &operations {
        let text = format!("{:?}", decoded(operation));
        for field in canary.shown_in(&text) {
            assert!(SHOWN.contains(&field), "{field} of {}", operation.carries);
            shown.insert(field);
        }
    }

    let mut whole = Canary::new();
    let job = wire::Job::from(Bytes::from(
        whole
            .fill("yandex.cloud.datasphere.v2.jobs.Job", 0)
            .encode_to_vec(),
    ));
    let page = whole.fill("yandex.cloud.datasphere.v2.jobs.ListProjectJobResponse", 0);
    let projects = whole.fill("yandex.cloud.datasphere.v2.ListProjectsResponse", 0);
    let project = wire::Project::from(Bytes::from(
        whole
            .fill("yandex.cloud.datasphere.v2.Project", 0)
            .encode_to_vec(),
    ));
    let texts = [
        format!("{:?}", decode::job(&"bt1job".parse().unwrap(), &job)),
        format!("{:?}", decode::project(&"bt1project".parse().unwrap(), &project)),
        format!(
            "{:?}",
            decode::jobs(&Bytes::from(page.encode_to_vec()).into()).items
        ),
        format!(
            "{:?}",
            decode::projects(&Bytes::from(projects.encode_to_vec()).into()).items
        ),
    ];
    for text in &texts {
        for field in whole.shown_in(text) {
            let listed = field
                .replace("jobs.ListProjectJobResponse.jobs", "jobs.Job")
                .replace("ListProjectsResponse.projects", "Project");
            let known = SHOWN.iter().find(|known| **known == listed);
            shown.insert(known.unwrap_or_else(|| panic!("{field}")));
        }
    }
    let untold: Vec<_> = SHOWN.iter().filter(|field| !shown.contains(*field)).collect();
    assert!(untold.is_empty(), "listed, but never shown: {untold:?}");
}

#[test]
fn of_a_deprecated_job_no_more_is_shown_than_of_the_metadata_that_replaces_it() {
    let mut canary = Canary::new();
    let operation = canary.deprecated_job_operation();
    let text = format!("{:?}", decoded(&operation));
    let shown = canary.shown_in(&text);
    let expected = SHOWN.iter().chain(SHOWN_OF_DEPRECATED_JOB);
    for field in &shown {
        assert!(expected.clone().any(|known| known == field), "{field}");
    }
    for field in SHOWN_OF_DEPRECATED_JOB {
        assert!(shown.contains(field), "{field}");
    }
}

#[test]
fn a_job_of_today_has_no_gaps() {
    let operation = Canary::new().job_operation();
    let id = operation.id.parse().unwrap();
    let decoded = decode::operation(&id, &operation.bytes.clone().into());
    assert!(decoded.gaps.is_empty(), "{decoded:?}");
}

#[test]
fn every_metadata_type_of_the_api_is_known_with_its_project() {
    let mut canary = Canary::new();
    let metadata: Vec<_> = canary
        .pool
        .all_messages()
        .filter(|message| message.full_name().starts_with("yandex.cloud.datasphere."))
        .filter(|message| message.name().ends_with("Metadata") && message.name() != "JobMetadata")
        .collect();
    assert!(metadata.len() > 10);
    for message in metadata {
        let filled = canary.fill(message.full_name(), 0);
        let operation = canary.operation(&filled, Place::Metadata);
        let id = operation.id.parse().unwrap();
        let decoded = decode::operation(&id, &operation.bytes.clone().into());
        let unknown = decoded
            .gaps
            .iter()
            .any(|(gap, count)| gap == Gap::UnknownType && count > 0);
        assert!(!unknown, "{}", operation.carries);
        assert!(decoded.value.described && decoded.value.metadata_type.is_none());
        let names_project =
            message.get_field_by_name("project_id").is_some() || message.name().contains("Execute");
        assert_eq!(
            decoded.value.project_id.is_some(),
            names_project,
            "{}",
            operation.carries
        );
    }
}
