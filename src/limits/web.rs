//! What callers of the web server may make large: readers of metrics, of the API and of the page.

use std::time::Duration;

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

/// Addresses listened on: a host has a handful of interfaces, and each listener is a task.
pub const LISTEN_ADDRESSES_MAX: usize = 16;

/// Connections open at once on all listeners together: far more than Prometheus servers and people need; further ones
/// wait in the kernel's queue. A connection costs some 50 kB.
pub const HTTP_CONNECTIONS_MAX: usize = 512;

/// Connections of one address there (of IPv6, one /64 network), or of all callers over unix sockets; further ones are closed at once. A quarter of
/// all, so that one address that opens and says nothing leaves room for scrapes and probes.
pub const HTTP_PEER_CONNECTIONS_MAX: usize = HTTP_CONNECTIONS_MAX / 4;

/// Longest request line and headers, in bytes: ours need one or two hundred, cookies of other programs on the
/// same host come along. It bounds the buffer for sending too, beside the chunk that is being sent.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 << 10;

/// Headers of one request.
pub const HTTP_HEADERS_MAX: usize = 100;

/// Longest time for a request's head to arrive, from the opening of the connection or its first byte: whoever
/// sends a byte at a time must not hold a connection.
pub const HTTP_HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest time between two requests of one connection: above the usual scrape intervals, so that Prometheus
/// keeps its connection.
pub const HTTP_IDLE_TIME_MAX: Duration = Duration::from_mins(3);

/// Longest time for an answer to be taken: no scrape interval in use leaves more, and whoever reads a byte at a
/// time must not hold a scrape.
pub const HTTP_ANSWER_TIME_MAX: Duration = Duration::from_mins(2);

/// Pause after a connection could not be accepted, for lack of descriptors as a rule: to ask again at once would
/// burn a core.
pub const HTTP_ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Requests of one HTTP/2 connection at once; further ones wait at the client.
pub const HTTP_STREAMS_MAX: u32 = 64;

/// Credentials whose check is remembered, right and wrong ones apart: 64 bytes each.
pub const CREDENTIALS_KNOWN_MAX: usize = 4_096;

/// Requests that wait for their password to be checked, which happens one at a time, so that a flood of guesses takes
/// one core: at the usual cost of 10 these are a few seconds of it. Further ones are told to come again.
pub const PASSWORDS_WAITING_MAX: usize = 64;

/// Of them, those of one address, unix sockets together: an eighth, so that a flood from one keeps others waiting for half
/// a second at the usual cost of 10, though for longer than they may wait at 15, and enough for a browser and a server that come with their first password at once.
pub const PASSWORDS_WAITING_PEER_MAX: usize = PASSWORDS_WAITING_MAX / 8;

/// Longest time that a request waits for its turn there: the usual timeout of a scrape.
pub const PASSWORD_WAIT_TIME_MAX: Duration = Duration::from_secs(10);

/// Operations on one page of the JSON API unless the caller asks for another number.
pub const API_PAGE_DEFAULT: usize = 100;

/// Operations on one page of the JSON API: about a megabyte, made while others wait.
pub const API_PAGE_MAX: usize = 500;

/// Longest body of a request to the API, in bytes: inputs of a notebook are the largest that there are.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;

/// Longest `Idempotency-Key` that a caller may send along, in bytes: the cloud advises a UUID, which has 36.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// Calls that start or end something in the cloud, under way at once: each goes on though its caller hangs up, and may
/// wait for the rate limit and for a cloud that is slow.
pub const API_WORKS_MAX: usize = 64;

/// Longest time that a writing call waits until what it asks for is kept and shown: a little more than a store that
/// fails may hold a view back, see [`STORE_COMMIT_TIME_MAX`](crate::limits::STORE_COMMIT_TIME_MAX).
pub const ADMISSION_TIME_MAX: Duration = Duration::from_secs(6);

/// Changes kept for readers of the stream of events who were away or are slow, about a kilobyte each: a reader that
/// missed more lists anew.
pub const CHANGES_KEPT_MAX: usize = 4_096;

/// Changes that a reader of the stream takes at once: few enough that the engine does not wait while they are copied.
pub const CHANGES_READ_MAX: usize = 128;

/// Streams of events open at once: each is a connection for as long as its reader likes, and those for scrapes must
/// not run out.
pub const EVENT_STREAMS_MAX: usize = 64;

/// How often a stream of events that has nothing to tell says so: proxies cut what is silent for a minute.
pub const EVENT_STREAM_SILENCE_MAX: Duration = Duration::from_secs(15);

/// Operations on one page of a list for people: as many as anybody reads, in about 200 kB that are made anew for each
/// open page once a second at most.
pub const PAGE_ROWS_MAX: usize = 100;

/// Operations of each list on the status page, which links to the rest.
pub const PAGE_OVERVIEW_ROWS_MAX: usize = 40;

/// Projects on the status page: it is for a glance; the API and the metrics have all.
pub const PAGE_PROJECTS_MAX: usize = 50;

/// Largest answer of a running exporter that a command reads, in bytes: a page of [`API_PAGE_MAX`] operations has
/// about a megabyte.
pub const COMMAND_ANSWER_BYTES_MAX: usize = 16 << 20;
