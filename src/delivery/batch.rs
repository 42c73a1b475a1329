//! What goes in one request.

use crate::decode::redact;
use crate::delivery::console::hex;
use crate::model::{EncodedSpans, Text};
use crate::store::SpansId;
use bytes::{Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Entries of the outbox that are sent together; never empty.
#[derive(Debug)]
pub(crate) struct Batch(Vec<(SpansId, EncodedSpans)>);

impl Batch {
    /// As many of the first entries as fit, but at least one; `None` of none.
    pub(crate) fn of(mut entries: Vec<(SpansId, EncodedSpans)>, bytes_max: usize) -> Option<Self> {
        let mut bytes = 0;
        let fitting = entries.iter().take_while(|(_, spans)| {
            bytes += spans.bytes.len();
            bytes <= bytes_max
        });
        entries.truncate(fitting.count().max(1));
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// Its request: messages of one type that follow one another are one message, with the repeated fields of all.
    /// See <https://protobuf.dev/programming-guides/encoding/#last-one-wins>.
    pub(crate) fn body(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(self.bytes());
        for (_, spans) in &self.0 {
            body.extend_from_slice(&spans.bytes);
        }
        body.freeze()
    }

    /// Bytes of its request.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, spans)| spans.bytes.len()).sum()
    }

    /// Spans in it.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|(_, spans)| u64::from(spans.count)).sum()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SpansId> {
        self.0.iter().map(|(id, _)| *id)
    }

    /// Its first span, to be shown: the trace in hexadecimal, and the name.
    pub(crate) fn first_span(&self) -> Option<(String, Text)> {
        let (_, spans) = self.0.first()?;
        let request = ExportTraceServiceRequest::decode(spans.bytes.as_slice()).ok()?;
        let scopes = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
        let span = scopes.flat_map(|of| &of.spans).next()?;
        Some((hex(&span.trace_id), Text::bounded(&redact(&span.name))))
    }

    /// Two parts, the older one first; itself when it is one entry.
    pub(crate) fn halves(mut self) -> Result<(Self, Self), Self> {
        if self.0.len() == 1 {
            return Err(self);
        }
        let second = self.0.split_off(self.0.len() / 2);
        Ok((self, Self(second)))
    }
}
