//! What a collector of traces may make large, or make us wait for, and what waits for it.

use std::time::Duration;

/// Spans in one request to the collector: what OpenTelemetry's own batches hold.
pub const OTLP_BATCH_SPANS_MAX: u32 = 512;

/// Bytes in one request to the collector, before compression: a quarter of what gRPC servers accept by default. A
/// single span that is larger goes alone.
pub const OTLP_BATCH_BYTES_MAX: usize = 1 << 20;

/// How long the first span that waits is held back for others, so that a fleet's changes are one request and one
/// commit a second: a trace is looked at by people.
pub const OTLP_LINGER: Duration = Duration::from_secs(1);

/// Longest answer of a collector that is read, in bytes: it has a number and a message.
pub const OTLP_ANSWER_BYTES_MAX: usize = 64 << 10;

/// Pauses between requests while a collector cannot be reached or asks for patience: the longest that is drawn at
/// random after the first failure, and after many.
pub const OTLP_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// See [`OTLP_PAUSE_FIRST`].
pub const OTLP_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Longest pause that a collector may ask for: a mistake of its clock or its configuration must not stop traces for a
/// day.
pub const OTLP_PUSHBACK_MAX: Duration = Duration::from_mins(10);

/// Pause while a collector refuses us rather than our spans: somebody has to mend a configuration first.
pub const OTLP_REFUSED_INTERVAL: Duration = Duration::from_mins(1);

/// Shortest time between two equal complaints about a collector, which may be away for days.
pub const OTLP_COMPLAINT_INTERVAL: Duration = Duration::from_mins(10);

/// Longest time for the last requests at the end, within [`SHUTDOWN_GRACE`](crate::limits::SHUTDOWN_GRACE): what is not delivered by then stays in
/// the outbox.
pub const OTLP_SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(4);

/// The exporter's own spans that wait to be sent, about a kilobyte each; further ones are lost and counted.
pub const OWN_SPANS_MAX: usize = 2_048;

/// How long the exporter's own spans are collected before they are sent.
pub const OWN_SPANS_INTERVAL: Duration = Duration::from_secs(5);

/// Attributes that an operator may add to the resource: each is in every request, and in every record of the outbox.
pub const RESOURCE_ATTRIBUTES_MAX: usize = 64;
