//! Events into bytes, one request of OTLP for each span.

use crate::clock::Timestamp;
use crate::model::{
    Change, CommunityId, EncodedSpans, Event, Outcome, Project, ProjectId, SpanKey, State, TrackedOperation,
    Visit,
};
use crate::traces::attribute::{CLOUD_PLATFORM, CLOUD_PROVIDER, COMMUNITY_ID, PROJECT_ID, SERVICE_NAME};
use crate::traces::phase::phase;
use crate::traces::root::root;
use crate::traces::span::{Attributes, started};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, message, string};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The library that tells the spans. It has no version: a version would give a span that is sent again by a newer
/// exporter another content.
const SCOPE: &str = "datasphere-exporter/jobs";

/// The edition of OpenTelemetry's conventions whose names the attributes are.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Settings of what spans tell.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `service.name` of the operations' spans.
    pub service_name: String,
    /// Further attributes of the resource, as `OTEL_RESOURCE_ATTRIBUTES` lists them. The exporter's own win over them,
    /// and a later one over an earlier one of the same name.
    pub resource_attributes: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service_name: "datasphere".to_owned(),
            resource_attributes: Vec::new(),
        }
    }
}

/// Encodes what events tell of traces. It keeps nothing between two calls.
#[derive(Debug)]
pub struct Encoder {
    service_name: String,
    /// By name, so that their order does not change.
    resource_attributes: BTreeMap<String, String>,
}

impl Encoder {
    /// An encoder with these settings.
    pub fn new(settings: Settings) -> Self {
        let own = [
            SERVICE_NAME,
            CLOUD_PROVIDER,
            CLOUD_PLATFORM,
            PROJECT_ID,
            COMMUNITY_ID,
        ];
        let is_own = |name: &String| own.iter().any(|attribute| attribute.name == name);
        Self {
            service_name: settings.service_name,
            resource_attributes: settings
                .resource_attributes
                .into_iter()
                .filter(|(name, _)| !is_own(name))
                .collect(),
        }
    }

    /// Whether anything is told of an event; to keep the others until they are encoded would be in vain.
    pub fn tells_of(&self, event: &Event) -> bool {
        let is_told = match event.change {
            Change::Traced | Change::Ended => true,
            Change::Status { left } => left.is_some(),
            _ => false,
        };
        is_told && event.after.trace.is_some()
    }

    /// The spans that these events tell, in their order: of one operation `started` first, then its phases, the root
    /// last. Events of one change of an operation are given together, as the tracker tells them.
    ///
    /// Each is an encoded `ExportTraceServiceRequest` of its own. Bytes of several, one after the other, are one
    /// request with all of them, since repeated fields of a message add up: that is how a batch is made.
    pub fn encode(
        &self,
        events: &[Event],
        projects: &BTreeMap<Option<ProjectId>, Arc<Project>>,
    ) -> Vec<EncodedSpans> {
        let (scope, schema) = (scope(), schema());
        let mut resources: HashMap<&Option<ProjectId>, Vec<u8>> = HashMap::new();
        let mut encoded = Vec::new();
        let of_one_change = |left: &Event, right: &Event| Arc::ptr_eq(&left.after, &right.after);
        for change in events.chunk_by(of_one_change) {
            let Some(first) = change.first() else { continue };
            for span in spans(change, &first.after) {
                let project_id = &first.after.project_id;
                let resource = resources
                    .entry(project_id)
                    .or_insert_with(|| self.resource(project_id.as_ref(), projects.get(project_id)));
                let bytes = request(resource, &scope, &schema, &span);
                encoded.extend(labelled(&span, bytes, &first.after, first.at));
            }
        }
        encoded
    }

    /// The field `resource` of `ResourceSpans`, the same for all spans of a project.
    fn resource(&self, project_id: Option<&ProjectId>, project: Option<&Arc<Project>>) -> Vec<u8> {
        let community_id = project.and_then(|project| project.community_id.as_ref());
        let mut attributes = Attributes::default();
        attributes.text(SERVICE_NAME, Some(self.service_name.as_str()));
        attributes.text(CLOUD_PROVIDER, Some("yandex_cloud"));
        attributes.text(CLOUD_PLATFORM, Some("yandex_cloud_datasphere"));
        attributes.text(PROJECT_ID, project_id.map(ProjectId::as_str));
        attributes.text(COMMUNITY_ID, community_id.map(CommunityId::as_str));
        for (name, value) in &self.resource_attributes {
            attributes.named(name, value);
        }
        let resource = Resource {
            attributes: attributes.into_vec(),
            ..Resource::default()
        };
        let mut bytes = Vec::new();
        message::encode(1, &resource, &mut bytes);
        bytes
    }
}

/// What one change of an operation tells.
fn spans(change: &[Event], row: &TrackedOperation) -> impl Iterator<Item = Span> {
    let trace = row.trace.as_deref();
    let told = |what: Change| change.iter().any(|event| event.change == what);
    let left = change.iter().find_map(|event| match &event.change {
        Change::Status { left } => left.as_ref(),
        _ => None,
    });
    let marker = trace
        .filter(|_| told(Change::Traced))
        .map(|trace| started(row, trace));
    let left_phase = |visit: &Visit| phase(row, trace?, visit);
    let phase = left.and_then(left_phase);
    let ended = trace.filter(|_| told(Change::Ended));
    let root = ended.and_then(|trace| root(row, trace, left));
    [marker, phase, root].into_iter().flatten()
}

/// An `ExportTraceServiceRequest` around one span, written from fields that are encoded already.
fn request(resource: &[u8], scope: &[u8], schema: &[u8], span: &Span) -> Vec<u8> {
    let of_scope = scope.len() + message::encoded_len(2, span) + schema.len();
    let of_resource = resource.len() + field_bytes(of_scope) + schema.len();
    let mut bytes = Vec::with_capacity(field_bytes(of_resource));
    begin_field(1, of_resource, &mut bytes);
    bytes.extend_from_slice(resource);
    begin_field(2, of_scope, &mut bytes);
    bytes.extend_from_slice(scope);
    message::encode(2, span, &mut bytes);
    bytes.extend_from_slice(schema);
    bytes.extend_from_slice(schema);
    bytes
}

/// Writes what stands before a message of so many bytes.
fn begin_field(number: u32, content: usize, bytes: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(length(content), bytes);
}

/// The bytes of a message of so many as a field, whose number takes one.
fn field_bytes(content: usize) -> usize {
    1 + encoded_len_varint(length(content)) + content
}

/// The field `scope` of `ScopeSpans`.
fn scope() -> Vec<u8> {
    let scope = InstrumentationScope {
        name: SCOPE.to_owned(),
        ..InstrumentationScope::default()
    };
    let mut bytes = Vec::new();
    message::encode(1, &scope, &mut bytes);
    bytes
}

/// The field `schema_url`, which `ResourceSpans` and `ScopeSpans` have under one number.
fn schema() -> Vec<u8> {
    let mut bytes = Vec::new();
    string::encode(3, &SCHEMA_URL.to_owned(), &mut bytes);
    bytes
}

/// Bytes with what those who carry them need to know.
fn labelled(span: &Span, bytes: Vec<u8>, row: &TrackedOperation, at: Timestamp) -> Option<EncodedSpans> {
    let key = [span.trace_id.as_slice(), span.span_id.as_slice()].concat();
    let is_well = matches!(row.outcome, None | Some(Outcome::Success)) && row.state != State::Failing;
    Some(EncodedSpans {
        key: SpanKey(key.try_into().ok()?),
        bytes,
        count: 1,
        is_failure: !is_well,
        at,
    })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
