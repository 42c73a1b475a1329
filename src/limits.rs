//! Every bound of the program on one page, each with its reason.
//!
//! In: nothing. Out: constants. Never: a limit that lives elsewhere. What an operator may change is a
//! setting; what is here protects the process from what a stranger can make large.

use std::time::Duration;

/// Longest id accepted at the edge, in bytes: the API's own bound for operation ids is 50 characters.
pub const ID_BYTES_MAX: usize = 64;

/// Longest free text kept of one field (names, messages, details), in bytes: enough to read, and small
/// enough that 100 000 of them fit in memory.
pub const TEXT_BYTES_MAX: usize = 256;

/// User labels on one operation: they become labels of `_info`, and wide series are slow in Prometheus.
pub const LABELS_MAX: usize = 16;

/// Longest operation message accepted from the API, in bytes: operations above gRPC's default of 4 MiB
/// exist, since one carries the job's whole configuration twice.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

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

/// How long an operation may stay silent after its job's status says that it ended, before the end is
/// declared from the status alone.
pub const SILENT_END_MAX: Duration = Duration::from_mins(2);

/// Ended ids remembered beyond retention, so that a listing which still shows them does not count them
/// twice; about 60 bytes each.
pub const ENDED_IDS_MAX: usize = 200_000;

/// Further operation ids kept for one live job; each Execute or attach adds one.
pub const ALIASES_MAX: usize = 64;

/// Projects followed: each has a listing task, and some hundred fleet series.
pub const PROJECTS_MAX: usize = 2_000;

/// Days a job name may rest before its `_last_*` series leave.
pub const JOB_NAME_IDLE_MAX: Duration = Duration::from_hours(720);

/// Distinct return codes and rpc codes kept per project, kind and outcome; further ones are `(other)`.
pub const RESULT_CODES_MAX: usize = 64;

/// Ended jobs per project whose data expiry is remembered, newest listing first.
pub const EXPIRIES_MAX: usize = 10_000;

/// Bytes of the exposition rendered before they go out: enough for some 500 lines, so that the cost of a
/// chunk vanishes, and small enough to stay in a core's own cache.
pub const SCRAPE_CHUNK_BYTES: usize = 64 << 10;

/// Room behind a chunk for the row that fills it: one `_info` line or one histogram, with every label at its
/// longest.
pub const SCRAPE_ROW_BYTES: usize = 32 << 10;

/// Compressed bytes collected before they go out: fewer and the packets are small, more and a scrape starts late.
pub const COMPRESSED_CHUNK_BYTES_MIN: usize = 16 << 10;

/// Chunks of one exposition whose memory is kept for the next: as many as a connection holds at a time.
pub const SCRAPE_CHUNKS_MAX: usize = 4;
