//! What spans are told of an operation's life, and what holds of them whatever that life was.

mod golden;
mod printed;
mod properties;

use crate::model::{EncodedSpans, Event, Project, ProjectId};
use crate::traces::attribute::{ALL, Attribute, Place, Value as ValueType};
use crate::traces::{Encoder, Settings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn encode(events: &[Event], projects: &BTreeMap<Option<ProjectId>, Arc<Project>>) -> Vec<EncodedSpans> {
    Encoder::new(Settings::default()).encode(events, projects)
}

/// The one span of each request, with its resource.
fn decoded(bytes: &[u8]) -> Vec<(Resource, Span)> {
    let request = ExportTraceServiceRequest::decode(bytes).expect("a request");
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("a resource");
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push((resource.clone(), span));
        }
    }
    spans
}

fn place(span: &Span) -> Place {
    match (span.kind(), span.name.as_str()) {
        (SpanKind::Server, _) => Place::Root,
        (_, "started") => Place::Started,
        _ => Place::Phase,
    }
}

/// Attributes with where they stand.
fn placed(resource: &Resource, span: &Span) -> Vec<(Place, KeyValue)> {
    let at = |place, attributes: &[KeyValue]| {
        attributes
            .iter()
            .cloned()
            .map(move |attribute| (place, attribute))
            .collect::<Vec<_>>()
    };
    let links = span
        .links
        .iter()
        .flat_map(|link| at(Place::Link, &link.attributes));
    let mut placed = at(Place::Resource, &resource.attributes);
    placed.extend(at(place(span), &span.attributes));
    placed.extend(links);
    placed
}

fn declaration(name: &str) -> &'static Attribute {
    let found = ALL.iter().find(|attribute| attribute.name == name);
    found.unwrap_or_else(|| panic!("{name} is not declared"))
}

#[test]
fn every_attribute_of_the_stories_is_declared_and_every_declared_one_is_in_a_story() {
    let mut seen = BTreeSet::new();
    for (_, spans) in golden::stories() {
        for (resource, span) in spans.iter().flat_map(|span| decoded(&span.bytes)) {
            for (place, attribute) in placed(&resource, &span) {
                let declared = declaration(&attribute.key);
                assert!(declared.on.contains(&place), "{} on {place:?}", attribute.key);
                let value = match attribute.value.and_then(|value| value.value).expect("a value") {
                    Value::StringValue(_) => ValueType::Text,
                    Value::IntValue(_) => ValueType::Integer,
                    value => panic!("{}: {value:?}", attribute.key),
                };
                assert_eq!(value, declared.value, "{}", attribute.key);
                seen.insert((declared.name, place));
            }
        }
    }
    let declared = ALL
        .iter()
        .flat_map(|attribute| attribute.on.iter().map(|place| (attribute.name, *place)));
    let unseen: Vec<_> = declared.filter(|place| !seen.contains(place)).collect();
    assert!(unseen.is_empty(), "declared, but in no story: {unseen:?}");
}

#[test]
fn requests_one_after_the_other_are_one_request_with_all_their_spans() {
    let (_, spans) = golden::stories().remove(0);
    let batch: Vec<u8> = spans.iter().flat_map(|span| span.bytes.clone()).collect();
    let alone: Vec<_> = spans.iter().flat_map(|span| decoded(&span.bytes)).collect();
    assert!(alone.len() > 3);
    assert_eq!(decoded(&batch), alone);
    for span in &spans {
        let again = ExportTraceServiceRequest::decode(span.bytes.as_slice()).expect("a request");
        assert_eq!(
            again.encode_to_vec(),
            span.bytes,
            "written as the library writes it"
        );
    }
}

#[test]
fn attributes_of_the_environment_stand_on_the_resource_but_do_not_replace_our_own() {
    let encoder = Encoder::new(Settings {
        service_name: "training".to_owned(),
        resource_attributes: [
            ("team", "vision"),
            ("service.name", "exporter"),
            ("env", "a"),
            ("env", "b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    });
    let story = golden::success();
    let spans = encoder.encode(&story.events, &story.view().projects);
    let (resource, _) = decoded(&spans[0].bytes).remove(0);
    let shown: Vec<String> = resource.attributes.iter().map(printed::attribute).collect();
    assert_eq!(
        shown,
        [
            "service.name = training",
            "cloud.provider = yandex_cloud",
            "cloud.platform = yandex_cloud_datasphere",
            "datasphere.project.id = p1",
            "datasphere.community.id = c1",
            "env = b",
            "team = vision",
        ]
    );
}

#[test]
fn what_did_not_end_well_is_marked_so_that_it_is_given_up_last() {
    let is_failure = |name: &str| {
        let (_, spans) = golden::stories()
            .into_iter()
            .find(|(known, _)| *known == name)
            .expect("a story");
        spans.last().expect("a root").is_failure
    };
    assert!(!is_failure("success"));
    assert!(is_failure("nonzero_exit") && is_failure("lost") && is_failure("cancelled"));
}
