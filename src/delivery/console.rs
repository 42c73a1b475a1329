//! Spans for people to look at: a line of JSON each.

use crate::clock::Timestamp;
use crate::delivery::answer::Answer;
use crate::model::Text;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Prints spans. Clones print to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Console(mpsc::Sender<Job>);

/// Lines to print, and who is told when all of them are out.
type Job = (String, oneshot::Sender<io::Result<()>>);

/// Longest time for a batch to be printed: whoever reads standard output may have stopped to read.
const PRINT_TIMEOUT: Duration = Duration::from_secs(10);

impl Console {
    /// Prints from a thread of its own, so that a reader who stops to read holds up nothing else, nor the end.
    pub(crate) fn new(mut out: impl Write + Send + 'static) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Job>(1);
        let printing = thread::Builder::new().name("console".to_owned());
        let printing = printing.spawn(move || {
            while let Some((lines, done)) = receiver.blocking_recv() {
                let printed = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
                // Whoever asked may have lost patience.
                let _ = done.send(printed);
            }
        });
        if let Err(error) = printing {
            tracing::error!(%error, "traces cannot be printed");
        }
        Self(sender)
    }

    pub(crate) async fn print(&self, body: Bytes) -> Answer {
        let Ok(request) = ExportTraceServiceRequest::decode(body) else {
            return Answer::refused("OTLP that cannot be decoded");
        };
        let (done, printed) = oneshot::channel();
        let printing = async {
            self.0.send((lines(&request), done)).await.ok()?;
            printed.await.ok()
        };
        match timeout(PRINT_TIMEOUT, printing).await {
            Ok(Some(Ok(()))) => Answer::taken("OK", 0, Text::default()),
            Ok(Some(Err(error))) => {
                let problem = format!("standard output cannot be written: {error}");
                Answer::broken(Text::bounded(&problem))
            }
            Ok(None) => Answer::broken(Text::bounded("nothing prints")),
            Err(_) => Answer {
                message: Text::bounded(&format!("standard output was not read for {PRINT_TIMEOUT:?}")),
                ..Answer::late(PRINT_TIMEOUT)
            },
        }
    }
}

fn lines(request: &ExportTraceServiceRequest) -> String {
    let mut lines = String::new();
    for of_resource in &request.resource_spans {
        let resource = of_resource.resource.as_ref();
        let resource = attributes(resource.map_or(&[], |resource| &resource.attributes));
        for of_scope in &of_resource.scope_spans {
            let scope = of_scope.scope.as_ref().map_or("", |scope| &scope.name);
            for span in &of_scope.spans {
                let _ = writeln!(lines, "{}", line(span, scope, &resource));
            }
        }
    }
    lines
}

fn line(span: &Span, scope: &str, resource: &Value) -> Value {
    let status = span.status.as_ref();
    let events = span.events.iter().map(|event| {
        json!({
            "name": event.name,
            "time": time(event.time_unix_nano),
            "attributes": attributes(&event.attributes),
        })
    });
    let links = span
        .links
        .iter()
        .map(|link| json!({ "trace_id": hex(&link.trace_id), "span_id": hex(&link.span_id) }));
    json!({
        "name": span.name,
        "kind": SpanKind::try_from(span.kind).unwrap_or_default().as_str_name(),
        "trace_id": hex(&span.trace_id),
        "span_id": hex(&span.span_id),
        "parent_span_id": hex(&span.parent_span_id),
        "start": time(span.start_time_unix_nano),
        "end": time(span.end_time_unix_nano),
        "status": status.map_or("STATUS_CODE_UNSET", |status| status.code().as_str_name()),
        "message": status.map_or("", |status| &status.message),
        "attributes": attributes(&span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "scope": scope,
        "resource": resource,
    })
}

fn attributes(attributes: &[KeyValue]) -> Value {
    let pairs = attributes
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn value(any: &AnyValue) -> Value {
    match &any.value {
        Some(any_value::Value::StringValue(text)) => text.as_str().into(),
        Some(any_value::Value::BoolValue(truth)) => (*truth).into(),
        Some(any_value::Value::IntValue(number)) => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) => (*number).into(),
        // Lists of lists are none of ours: one level is enough, and nothing recurses.
        Some(any_value::Value::ArrayValue(list)) => {
            let texts = list.values.iter().map(|item| match &item.value {
                Some(any_value::Value::StringValue(text)) => text.as_str().into(),
                Some(any_value::Value::IntValue(number)) => (*number).into(),
                _ => Value::Null,
            });
            texts.collect()
        }
        _ => Value::Null,
    }
}

fn time(nanos: u64) -> Value {
    let at = i64::try_from(nanos).ok().and_then(Timestamp::from_nanos);
    at.map_or(Value::Null, |at| at.rfc3339().into())
}

/// As ids are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
