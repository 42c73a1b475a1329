//! Spans as text, for people who compare.

use crate::model::EncodedSpans;
use crate::traces::tests::decoded;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::fmt::Write;

/// The beginning of every story, in seconds.
const BEGINNING: i64 = 1_700_000_000;

/// A story's spans in the order in which they are told; the resource once, since it is the same.
pub(crate) fn story(spans: &[EncodedSpans]) -> String {
    let mut out = String::new();
    for (place, (resource, span)) in spans.iter().flat_map(|span| decoded(&span.bytes)).enumerate() {
        if place == 0 {
            out.push_str("resource\n");
            write_attributes(&mut out, &resource.attributes);
        }
        write_span(&mut out, &span);
    }
    out
}

pub(crate) fn attribute(attribute: &KeyValue) -> String {
    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
    match value.expect("a value") {
        Value::StringValue(text) => format!("{} = {text}", attribute.key),
        Value::IntValue(number) => format!("{} = {number}", attribute.key),
        other => panic!("{other:?}"),
    }
}

fn write_attributes(out: &mut String, attributes: &[KeyValue]) {
    for known in attributes {
        writeln!(out, "    {}", attribute(known)).expect("memory");
    }
}

fn write_span(out: &mut String, span: &Span) {
    let of_trace = hex(&span.trace_id);
    let parent = if span.parent_span_id.is_empty() {
        "no parent".to_owned()
    } else {
        format!("in {}", hex(&span.parent_span_id))
    };
    let status = span.status.as_ref().map_or_else(String::new, |status| {
        format!(" {:?} {:?}", status.code(), status.message)
    });
    writeln!(
        out,
        "\n{} {:?} {of_trace} {} {parent} flags {:#x}\n    {} to {} s{status}",
        span.name,
        span.kind(),
        hex(&span.span_id),
        span.flags,
        seconds(span.start_time_unix_nano),
        seconds(span.end_time_unix_nano),
    )
    .expect("memory");
    write_attributes(out, &span.attributes);
    for link in &span.links {
        writeln!(out, "    link to {} {}", hex(&link.trace_id), hex(&link.span_id)).expect("memory");
        write_attributes(out, &link.attributes);
    }
}

fn seconds(nanos: u64) -> f64 {
    let nanos = i64::try_from(nanos).expect("this age");
    let millis = (nanos - BEGINNING * 1_000_000_000) / 1_000_000;
    f64::from(i32::try_from(millis).expect("a short story")) / 1000.0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("memory");
        hex
    })
}
