//! The section `traces`.

use crate::config::error::Invalid;
use crate::config::gateway::Gateway;
use crate::config::node::Node;
use crate::config::setting::{Any, Between, Setting, section, text};
use crate::config::size::Size;
use crate::config::value::choice;
use crate::config::yaml::Yaml;
use crate::delivery;
use crate::tracker;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

section! {
    /// Traces of operations, sent by OTLP. Variables of OpenTelemetry, below, win over the keys here.
    Traces => has_a_name {
        /// Whether operations are traced: `auto` does when an endpoint is set, here or in the environment, or when
        /// `OTEL_TRACES_EXPORTER` is `console`.
        enabled: Enabled = Enabled::Auto, Any;
        /// Address of the collector, such as `http://localhost:4317`; over HTTP `/v1/traces` is added to it. Without a
        /// scheme it is for gRPC, and encrypted. Empty: `localhost`, if `enabled` says so.
        endpoint: Option<EndpointText> = None, Any;
        /// How OTLP is spoken. Empty: `grpc` to an endpoint that is named here, and `http/protobuf` otherwise, as the
        /// standard has it.
        protocol: Option<Protocol> = None, Any;
        /// `service.name` of the operations' spans; the exporter's own have another.
        service_name: String = "datasphere".to_owned(), Any;
        /// What ended longer ago than this when it is seen first is counted, but not traced: some backends refuse it.
        backfill_max_age: Duration = Duration::from_hours(1), Between(Duration::ZERO, DAY * 30);
        /// Spans that wait for the collector.
        outbox: Outbox = Outbox::default(), Any;
        /// The exporter's own traces, to the same collector.
        own as "self": Own = Own::default(), Any;
    }
}

section! {
    /// Spans that wait for the collector: they are kept in the store, so that they survive a restart; beyond either
    /// bound the oldest leave, those of successful operations first.
    Outbox {
        /// Bytes in all.
        bytes_max: Size = Size::mebibytes(256), Between(Size::mebibytes(1), Size::mebibytes(64 << 10));
        /// How long one may wait.
        age_max: Duration = DAY * 7, Between(MINUTE, DAY * 90);
    }
}

section! {
    /// The exporter's own traces, to the same collector: a span for each attempt at a call to the cloud, sent once and
    /// never kept.
    Own {
        /// Whether there are any.
        enabled: bool = false, Any;
        /// The part of them that is recorded; `OTEL_TRACES_SAMPLER` wins.
        ratio: f64 = 0.05, Between(0.0, 1.0);
    }
}

choice! {
    /// Whether operations are traced.
    pub(crate) Enabled {
        /// When it is known where to.
        Auto = "auto",
        /// Yes.
        Yes = "true",
        /// No.
        No = "false",
    }
}

choice! {
    /// How OTLP is spoken.
    pub(crate) Protocol {
        /// gRPC.
        Grpc = "grpc",
        /// Protobuf over HTTP.
        Http = "http/protobuf",
    }
}

fn has_a_name(traces: &Traces, node: &Node) -> Result<(), Invalid> {
    if traces.service_name.trim().is_empty() {
        return Err(node
            .get("service_name")
            .unwrap_or(node)
            .invalid("must not be empty"));
    }
    Ok(())
}

/// The address of a collector, as it was written; which schemes it may have depends on the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointText(pub(crate) String);

impl Setting for EndpointText {
    fn kind() -> String {
        "an address such as http://localhost:4317".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let address = text::<Self>(node)?;
        let endpoint = delivery::Endpoint::parse(address, Some("https"))
            .map_err(|problem| node.invalid(format!("expected {}: {problem}", Self::kind())))?;
        if endpoint.has_query() {
            return Err(node.invalid(
                "must not have a query, which may hold credentials; OTEL_EXPORTER_OTLP_ENDPOINT may",
            ));
        }
        Ok(Self(address.to_owned()))
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.clone())
    }
}

impl Traces {
    /// Settings of the tracker.
    pub(crate) fn tracker(&self, gateway: &Gateway) -> tracker::TraceSettings {
        tracker::TraceSettings {
            caller_context: gateway.caller_context.into(),
            backfill_max_age: self.backfill_max_age,
        }
    }
}

impl From<Protocol> for delivery::Protocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Grpc => Self::Grpc,
            Protocol::Http => Self::Http,
        }
    }
}
