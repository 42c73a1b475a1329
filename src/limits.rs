//! Every bound of the program, each with its reason, by who may make large what it bounds.
//!
//! In: nothing. Out: constants. Never: a limit that lives elsewhere. What an operator may change is a
//! setting; what is here protects the process from what a stranger can make large.
//!
//! Here is what bounds the process itself: what is watched, kept and told. The rest is in files of its own.

mod cloud;
mod collector;
mod files;
mod gateway;
mod web;

// Whoever uses a bound need not know its file: a list of all names would be a second one to keep.
pub use cloud::*;
pub use collector::*;
pub use files::*;
pub use gateway::*;
pub use web::*;

use std::time::Duration;

/// Longest id accepted at the edge, in bytes: the API's own bound for operation ids is 50 characters.
pub const ID_BYTES_MAX: usize = 64;

/// Longest free text kept of one field (names, messages, details), in bytes: enough to read, and small
/// enough that 100 000 of them fit in memory.
pub const TEXT_BYTES_MAX: usize = 256;

/// Longest part of a free text that is searched for secrets, in bytes: far more than is kept of it, and a
/// bound on the work that a stranger's text can make.
pub const REDACTED_BYTES_MAX: usize = 4096;

/// User labels on one operation: they become labels of `_info`, and wide series are slow in Prometheus.
pub const LABELS_MAX: usize = 16;

/// Sightings, listings and balances waiting for the engine: a full inbox makes sources wait, so nothing is
/// lost, and bounds what a slow engine can hold.
pub const INBOX_MAX: usize = 1024;

/// Shortest time between two publications of the view: readers scrape every few seconds, and a burst of
/// changes must not copy shared state for each.
pub const PUBLISH_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Looks without an answer that is worth counting before an operation whose metadata is still empty is
/// counted all the same.
pub const UNDESCRIBED_LOOKS_MAX: u8 = 3;

/// `NOT_FOUND` answers for an operation seen before, after which it is lost: one may be a lagging replica.
pub const LOST_LOOKS_MIN: u8 = 3;

/// Shortest time over which those answers must spread.
pub const LOST_AFTER_MIN: Duration = Duration::from_mins(1);

/// How long an id that the cloud never knew or showed stays under watch: a slip, or one of another endpoint or project.
/// A day, so that whoever looks after it on the next morning still finds why it cannot be read.
pub const UNKNOWN_TIME_MAX: Duration = Duration::from_hours(24);

/// How long an operation may stay silent after its job's status says that it ended, before the end is
/// declared from the status alone.
pub const SILENT_END_MAX: Duration = Duration::from_mins(2);

/// Ended ids remembered beyond retention, so that a listing which still shows them does not count them
/// twice; about 200 bytes each.
pub const ENDED_IDS_MAX: usize = 200_000;

/// Further operation ids kept for one live job; each Execute or attach adds one.
pub const ALIASES_MAX: usize = 64;

/// Rows in one statement of the store: enough that the cost of a statement vanishes, and few enough that its text
/// is prepared once and kept.
pub const STORE_ROWS_MAX: usize = 128;

/// Records that wait for a store that fails. Beyond it those of what left are given up, since what is there is bounded
/// by `tracked_max` and by [`ENDED_IDS_MAX`]: after a restart it is looked at again.
pub const STORE_WAITING_MAX: usize = 1_000_000;

/// Bytes of spans that wait for a store that fails: the oldest successes are given up first.
pub const STORE_WAITING_BYTES_MAX: usize = 32 << 20;

/// Changes that wait for spans to be made of them while the store fails: some minutes of a busy fleet.
pub const EVENTS_WAITING_MAX: usize = 100_000;

/// How long a view may be held back by the commit of what it shows: then it is published all the same, and the store
/// counts as failing.
pub const STORE_COMMIT_TIME_MAX: Duration = Duration::from_secs(5);

/// Pause before a store that fails is written again.
pub const STORE_RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How often what has aged leaves the outbox and free pages leave the file.
pub const STORE_TIDY_INTERVAL: Duration = Duration::from_mins(1);

/// Pages given back to the file system at once: some megabytes, within milliseconds.
pub const STORE_FREED_PAGES_MAX: u32 = 2_000;

/// Keys of spans that were told, kept so that none is told again with another content: about 130 bytes each.
pub const TOLD_SPANS_MAX: i64 = 500_000;

/// Spans that one root links to: an execution has one caller as a rule, and each attach may bring another.
pub const TRACE_LINKS_MAX: usize = 8;

/// Characters of a caller's `tracestate`: what W3C asks everybody to pass on at least; a longer one is dropped.
pub const TRACE_STATE_CHARS_MAX: usize = 512;

/// Members of a caller's `tracestate`: W3C allows no more.
pub const TRACE_STATE_MEMBERS_MAX: usize = 32;

/// Operations for which there was no room at the watcher, and that are put forward again; further ones are lost, and
/// told of in the log. About 300 bytes each; the gateway and the API have such a room each.
pub const ADMISSION_WAITING_MAX: usize = 1_024;

/// Pauses between two such attempts: the first, which doubles each time.
pub const ADMISSION_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// See [`ADMISSION_PAUSE_FIRST`]: the longest.
pub const ADMISSION_PAUSE_MAX: Duration = Duration::from_mins(1);

/// How long an operation is put forward again: the default `watch.retention`, by which ended ones make room.
pub const ADMISSION_RETRIES_TIME_MAX: Duration = Duration::from_hours(1);

/// Days a job name may rest before its `_last_*` series leave.
pub const JOB_NAME_IDLE_MAX: Duration = Duration::from_hours(720);

/// How long the counters of a project that is not followed any more are kept, should somebody follow it again.
pub const PROJECT_IDLE_MAX: Duration = Duration::from_hours(720);

/// Deliveries applied in one turn of the engine: enough for a burst, and few enough that looks and views are
/// never kept waiting for long.
pub const DRAIN_MAX: usize = 256;

/// Messages that are rate-limited apart from each other: keys come from the code, not from outside.
pub const THROTTLE_KEYS_MAX: usize = 256;

/// Shortest time between two equal lines in the log.
pub const THROTTLE_INTERVAL: Duration = Duration::from_mins(1);

/// Requests to reload that wait for the one under way; further ones wait at the door.
pub const RELOADS_WAITING_MAX: usize = 4;

/// Longest time for reading a configuration anew: the file system of a file may hang.
pub const RELOAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest time that a reload waits until every part has what it brought: a view that is held back and the reload's own,
/// each for [`STORE_COMMIT_TIME_MAX`]; the last requests to a collector, see [`OTLP_SHUTDOWN_TIME_MAX`], are within it.
pub const RELOAD_APPLIED_TIME_MAX: Duration = Duration::from_secs(11);

/// Longest time that readiness waits for first looks and listings: a cloud that is down must not keep the
/// exporter out of service discovery, where its own metrics tell of it.
pub const READINESS_GRACE: Duration = Duration::from_secs(30);

/// Longest time for an orderly end: container runtimes send SIGKILL after ten seconds, a scrape in progress takes
/// one or two.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

/// Longest name of a label, in bytes.
pub const LABEL_NAME_BYTES_MAX: usize = 64;
