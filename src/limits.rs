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

/// Longest part of a free text that is searched for secrets, in bytes: far more than is kept of it, and a
/// bound on the work that a stranger's text can make.
pub const REDACTED_BYTES_MAX: usize = 4096;

/// User labels on one operation: they become labels of `_info`, and wide series are slow in Prometheus.
pub const LABELS_MAX: usize = 16;

/// Longest message or body accepted from the API, in bytes: operations above gRPC's default of 4 MiB
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

/// Longest time for the last requests at the end, within [`SHUTDOWN_GRACE`]: what is not delivered by then stays in
/// the outbox.
pub const OTLP_SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(4);

/// The exporter's own spans that wait to be sent, about a kilobyte each; further ones are lost and counted.
pub const OWN_SPANS_MAX: usize = 2_048;

/// How long the exporter's own spans are collected before they are sent.
pub const OWN_SPANS_INTERVAL: Duration = Duration::from_secs(5);

/// Attributes that an operator may add to the resource: each is in every request, and in every record of the outbox.
pub const RESOURCE_ATTRIBUTES_MAX: usize = 64;

/// Patterns of execution files: people have a folder or two.
pub const EXECUTION_PATTERNS_MAX: usize = 64;

/// Longest pattern of execution files, in bytes: the longest path that Linux opens.
pub const EXECUTION_PATTERN_BYTES_MAX: usize = 4_096;

/// Execution files remembered at once, about 300 bytes each: the newest. Older ones are read when the file system tells
/// of them, and not looked for.
pub const EXECUTION_FILES_MAX: usize = 20_000;

/// Largest execution file, in bytes: the official client writes about a hundred.
pub const EXECUTION_FILE_BYTES_MAX: usize = 64 << 10;

/// Folders that are searched for execution files and watched: the kernel grants a user some thousands of watches, and
/// a pattern that covers a whole disk is a slip.
pub const EXECUTION_FOLDERS_MAX: usize = 4_096;

/// Deepest file that is searched for, in levels below the folder where the search begins.
pub const EXECUTION_DEPTH_MAX: usize = 16;

/// Changed paths that wait to be read: beyond it everything is looked at.
pub const EXECUTION_CHANGES_MAX: usize = 4_096;

/// Projects followed: each has a listing task, and some hundred fleet series.
pub const PROJECTS_MAX: usize = 2_000;

/// Days a job name may rest before its `_last_*` series leave.
pub const JOB_NAME_IDLE_MAX: Duration = Duration::from_hours(720);

/// How long the counters of a project that is not followed any more are kept, should somebody follow it again.
pub const PROJECT_IDLE_MAX: Duration = Duration::from_hours(720);

/// Distinct return codes and rpc codes kept per project, kind and outcome; further ones are `(other)`.
pub const RESULT_CODES_MAX: usize = 64;

/// Ended jobs per project whose data expiry is remembered, newest listing first.
pub const EXPIRIES_MAX: usize = 10_000;

/// Largest configuration file, in bytes: some 100 000 operations with labels.
pub const CONFIG_BYTES_MAX: u64 = 32 << 20;

/// Deepest nesting in the configuration file: what is declared needs five levels, and reading recurses.
pub const CONFIG_DEPTH_MAX: usize = 16;

/// Values and other tokens of the configuration file: ten for each of 100 000 operations, and some.
pub const CONFIG_NODES_MAX: usize = 4_000_000;

/// Values that aliases of the configuration file may repeat: a bomb of aliases ends here.
pub const CONFIG_REPLAYED_MAX: usize = 10_000;

/// Bytes kept of the anchors of the configuration file.
pub const CONFIG_ANCHOR_BYTES_MAX: usize = 1 << 20;

/// Deliveries applied in one turn of the engine: enough for a burst, and few enough that looks and views are
/// never kept waiting for long.
pub const DRAIN_MAX: usize = 256;

/// Pages of ended jobs asked for in one sweep: a thousand ends a minute are plenty, and a project's whole past
/// must not use up the rate limit.
pub const SWEEP_PAGES_MAX: usize = 20;
/// Longest token, token file or answer that carries a token, in bytes: IAM tokens have some hundred, an OIDC
/// token of Kubernetes one or two thousand.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Longest text of a time or a duration in JSON: nine digits of a second and an offset need 35 characters.
pub const TIME_BYTES_MAX: usize = 48;

/// Attempts at one call, the first included: a call has a deadline as well, and more attempts against a
/// struggling API make its trouble worse.
pub const ATTEMPTS_MAX: u32 = 4;

/// Longest pause that the cloud may ask for before a call is made again: longer than any call has time, so that a call
/// that is asked to wait for longer ends at once, and short enough to be added to any moment.
pub const PUSHBACK_MAX: Duration = Duration::from_hours(1);

/// Pages of one listing: at the official 50 a page that is half a million jobs, and a listing that does not end
/// is a fault of the API.
pub const LISTING_PAGES_MAX: usize = 10_000;

/// Projects and communities whose page size was reduced, remembered at once.
pub const PAGE_SIZES_MAX: usize = 2_000;

/// Messages that are rate-limited apart from each other: keys come from the code, not from outside.
pub const THROTTLE_KEYS_MAX: usize = 256;

/// Shortest time between two equal lines in the log.
pub const THROTTLE_INTERVAL: Duration = Duration::from_mins(1);

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

/// Requests to reload that wait for the one under way; further ones wait at the door.
pub const RELOADS_WAITING_MAX: usize = 4;

/// Longest time for reading a configuration anew: the file system of a file may hang.
pub const RELOAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest time that readiness waits for first looks and listings: a cloud that is down must not keep the
/// exporter out of service discovery, where its own metrics tell of it.
pub const READINESS_GRACE: Duration = Duration::from_secs(30);

/// Longest time for an orderly end: container runtimes send SIGKILL after ten seconds, a scrape in progress takes
/// one or two.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);
/// Addresses listened on: a host has a handful of interfaces, and each listener is a task.
pub const LISTEN_ADDRESSES_MAX: usize = 16;

/// Connections open at once on one listener: far more than Prometheus servers and people need; further ones wait
/// in the kernel's queue. A connection costs some 50 kB.
pub const HTTP_CONNECTIONS_MAX: usize = 512;

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

/// Largest file with certificates or a key, in bytes: a bundle of all public authorities has a quarter of it.
pub const PEM_BYTES_MAX: u64 = 1 << 20;

/// Requests of one HTTP/2 connection at once; further ones wait at the client.
pub const HTTP_STREAMS_MAX: u32 = 64;

/// Names of clients, of which a certificate must have one.
pub const ALLOWED_SANS_MAX: usize = 1_000;

/// Cipher suites, or curves, that a file may list: more than there are.
pub const TLS_WORDS_MAX: usize = 64;

/// Paths that are answered without a user.
pub const OPEN_PATHS_MAX: usize = 64;

/// Users of the web configuration: who has more has a directory of them, and a proxy that asks it.
pub const USERS_MAX: usize = 1_000;

/// Highest cost of a password's hash: at this one a check takes a core ten seconds or more.
pub const BCRYPT_COST_MAX: u32 = 18;

/// Credentials whose check is remembered, right and wrong ones apart: 64 bytes each.
pub const CREDENTIALS_KNOWN_MAX: usize = 4_096;

/// Requests that wait for their password to be checked, which happens one at a time, so that a flood of guesses takes
/// one core: at the usual cost of 10 these are a few seconds of it. Further ones are told to come again.
pub const PASSWORDS_WAITING_MAX: usize = 64;

/// Longest time that a request waits for its turn there: the usual timeout of a scrape.
pub const PASSWORD_WAIT_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest web configuration file, in bytes: certificates may stand in it.
pub const WEB_CONFIG_BYTES_MAX: u64 = 4 << 20;

/// How often files of certificates, keys, users and passwords are read anew: whoever exchanges one waits no longer, and
/// a few small files cost a few milliseconds.
pub const CREDENTIALS_INTERVAL: Duration = Duration::from_secs(5);

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
/// fails may hold a view back, see [`STORE_COMMIT_TIME_MAX`].
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

/// Longest name of a label, in bytes.
pub const LABEL_NAME_BYTES_MAX: usize = 64;

/// Operations on one page of a list for people: as many as anybody reads, in about 200 kB that are made anew for each
/// open page once a second at most.
pub const PAGE_ROWS_MAX: usize = 100;

/// Operations of each list on the status page, which links to the rest.
pub const PAGE_OVERVIEW_ROWS_MAX: usize = 40;

/// Projects on the status page: it is for a glance; the API and the metrics have all.
pub const PAGE_PROJECTS_MAX: usize = 50;

/// Longest template of a link, in bytes: what browsers and proxies agree on.
pub const LINK_BYTES_MAX: usize = 2_048;

/// Largest answer of a running exporter that a command reads, in bytes: a page of [`API_PAGE_MAX`] operations has
/// about a megabyte.
pub const COMMAND_ANSWER_BYTES_MAX: usize = 16 << 20;

/// Live jobs taken from one listing: as many as are tracked by default, and far beyond any quota.
pub const LISTED_JOBS_MAX: usize = 100_000;

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

/// Longest time for a caller's first call to arrive, its TLS included.
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

/// Operations for which there was no room at the watcher, and that are put forward again; further ones are lost, and
/// told of in the log. About 300 bytes each.
pub const GATEWAY_WAITING_MAX: usize = 1_024;

/// Pauses between two such attempts: the first, which doubles each time.
pub const GATEWAY_ADMISSION_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// See [`GATEWAY_ADMISSION_PAUSE_FIRST`]: the longest.
pub const GATEWAY_ADMISSION_PAUSE_MAX: Duration = Duration::from_mins(1);

/// How long an operation is put forward again: the default `watch.retention`, by which ended ones make room.
pub const GATEWAY_ADMISSION_TIME_MAX: Duration = Duration::from_hours(1);

/// Callers' traces that are remembered by the job that they made until somebody executes it; about 100 bytes each, and
/// the oldest leave first.
pub const GATEWAY_CALLERS_MAX: usize = 10_000;

/// Largest list of endpoints, in bytes: the public cloud lists about a hundred.
pub const GATEWAY_ENDPOINTS_BYTES_MAX: usize = 1 << 20;

/// Largest request for it, in bytes: an id, or a page's token.
pub const GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX: usize = 4 << 10;

/// How long calls under way may go on after the exporter was asked to end: within [`SHUTDOWN_GRACE`], and so
/// that the traces, which are delivered after them, have their time too.
pub const GATEWAY_DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// How long callers may take after that to hear that their calls have ended.
pub const GATEWAY_LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(500);

/// How long what was heard may take after that to be accepted by the watcher.
pub const GATEWAY_LAST_REPORTS_TIME_MAX: Duration = Duration::from_millis(500);
