//! What callers of the gateway may make large, and the cloud's answers to them.

use std::time::Duration;

/// Connections of callers open at once in the gateway; further ones wait in the kernel's queue. An idle one costs some
/// 50 kB.
pub const GATEWAY_CONNECTIONS_MAX: usize = 1_024;

/// Calls of one caller's connection at once; HTTP/2 makes further ones wait at the caller.
pub const GATEWAY_CONNECTION_CALLS_MAX: u32 = 1_024;

/// Connections of the gateway to the cloud for gRPC, each with at most [`GATEWAY_LANE_CALLS_MAX`] calls: so many calls
/// pass at once, and further ones are told to come again.
pub const GATEWAY_LANES_MAX: usize = 64;

/// Calls that share one connection to the cloud: below the hundred that servers allow by custom, so that none waits
/// behind a log that is read for days.
pub const GATEWAY_LANE_CALLS_MAX: usize = 64;

/// Calls over REST that pass at once.
pub const GATEWAY_HTTP_CALLS_MAX: usize = 1_024;

/// Calls over gRPC of one address of callers: a quarter of all, so that a program gone wrong leaves room for those
/// elsewhere, and far more than a host of well-behaved ones has.
pub const GATEWAY_PEER_CALLS_MAX: usize = GATEWAY_LANES_MAX * GATEWAY_LANE_CALLS_MAX / 4;

/// The same over REST.
pub const GATEWAY_PEER_HTTP_CALLS_MAX: usize = GATEWAY_HTTP_CALLS_MAX / 4;

/// Connections of one address of callers; further ones are closed at once. A quarter of all, for the same reason.
pub const GATEWAY_PEER_CONNECTIONS_MAX: usize = GATEWAY_CONNECTIONS_MAX / 4;

/// Bytes of one call that may be under way in one direction on one side of the gateway, and bytes that wait to be sent:
/// what a caller that stops reading can make us hold is four times this, for [`GATEWAY_STALL_TIME_MAX`]. A call keeps its
/// seat for as long as anything of it is held, so all callers together can make us hold 1.3 GiB, those of one address
/// 0.3 GiB; ordinary calls hold a few kilobytes. A connection's own window has room for all of its calls, so that none
/// holds up another.
pub const GATEWAY_WINDOW_BYTES: u32 = 64 << 10;

/// Bytes of one caller's connection that the kernel may hold unsent, which it takes twice, for its own books: without,
/// it would take some megabytes for each caller that stops reading. At a round trip of 10 ms it lets 25 MB pass a second.
/// All connections together can make it hold 0.5 GiB, those of one address 0.13 GiB, and a container's limit of memory
/// counts them.
pub const GATEWAY_UNSENT_BYTES_MAX: usize = 256 << 10;

/// Longest metadata or headers of one message, in bytes: IAM tokens, tracing and baggage fit several times.
pub const GATEWAY_HEAD_BYTES_MAX: usize = 64 << 10;

/// Headers of one message over HTTP/1.1.
pub const GATEWAY_HEADERS_MAX: usize = 256;

/// Time without a sign of the other side after which the gateway asks for one while a call is under way. A log may
/// rightly be silent for hours: only the connection tells whether somebody is there.
pub const GATEWAY_PING_INTERVAL: Duration = Duration::from_mins(1);

/// How long that sign may take.
pub const GATEWAY_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time for TLS with a caller, then for its first call to arrive, for the whole of a call for addresses, and for
/// callers to end what is under way once their connection is asked to close.
pub const GATEWAY_GREETING_TIME_MAX: Duration = Duration::from_secs(20);

/// Longest time between two calls of one connection: clients that poll come every few seconds, and whoever comes later
/// connects again by itself.
pub const GATEWAY_IDLE_TIME_MAX: Duration = Duration::from_mins(10);

/// Longest time for which an answer may wait for a caller that stopped reading: then the call ends, and what it held is
/// given back. A connection on which the end of an answer still waits after that ends when its other calls are over, or
/// after this time again.
pub const GATEWAY_STALL_TIME_MAX: Duration = Duration::from_mins(5);

/// Longest time for TCP and TLS to the cloud to come up.
pub const GATEWAY_CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long after a call's own deadline the gateway ends it: the cloud and the caller end it by themselves before.
pub const GATEWAY_DEADLINE_SLACK: Duration = Duration::from_secs(1);

/// Longest time in which nothing of a call over REST passes, in either direction: it has no deadline of its own.
pub const GATEWAY_HTTP_SILENCE_MAX: Duration = Duration::from_mins(5);

/// How long an answer with an operation waits for the watcher to accept it.
pub const GATEWAY_HOLD_TIME_MAX: Duration = Duration::from_millis(50);

/// Largest answer that is searched for an operation, in bytes: one carries the job's whole configuration twice, and
/// some hundred kilobytes are a lot. Larger ones pass unread.
pub const GATEWAY_HEARD_BYTES_MAX: usize = 8 << 20;

/// The same for answers of methods that are not known here, which may be streams: operations are mostly far below.
pub const GATEWAY_GUESSED_BYTES_MAX: usize = 256 << 10;

/// Bytes of all answers that are being searched; while they are in use, further answers pass unread.
pub const GATEWAY_HEARD_BYTES_ALL_MAX: usize = 64 << 20;

/// Operations that were heard of and wait for the watcher to accept them; further ones pass unread.
pub const GATEWAY_HEARD_MAX: usize = 1_024;

/// Callers' traces that are remembered by the job that they made until somebody executes it; about 100 bytes each, and
/// the oldest leave first.
pub const GATEWAY_CALLERS_MAX: usize = 10_000;

/// Largest list of endpoints, in bytes: the public cloud lists about a hundred.
pub const GATEWAY_ENDPOINTS_BYTES_MAX: usize = 1 << 20;

/// Largest request for it, in bytes: an id, or a page's token.
pub const GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX: usize = 4 << 10;

/// How long calls under way may go on after the exporter was asked to end: within [`SHUTDOWN_GRACE`](crate::limits::SHUTDOWN_GRACE), and so
/// that the traces, which are delivered after them, have their time too.
pub const GATEWAY_DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// How long callers may take after that to hear that their calls have ended, and one that reads nothing to take the end of
/// its answer.
pub const GATEWAY_LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(500);

/// How long what was heard may take after that to be accepted by the watcher.
pub const GATEWAY_LAST_REPORTS_TIME_MAX: Duration = Duration::from_millis(500);
