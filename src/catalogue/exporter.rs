//! The exporter about itself.

use crate::catalogue::metrics;

metrics! { Exporter;
    /// When each scope of a project last told us something, in unix time; present while something of it is due.
    LAST_SUCCESS: Gauge "datasphere_exporter_last_success_timestamp_seconds" ["project_id", "scope"];
    /// How late the most overdue look is.
    POLL_LAG: Gauge "datasphere_exporter_poll_lag_seconds" [];
    /// Time between two looks of a scope, as configured.
    POLL_INTERVAL: Gauge "datasphere_exporter_poll_interval_seconds" ["scope"];
    /// Tracked operations that cannot be read, by reason.
    OPERATIONS_UNREADABLE: Gauge "datasphere_exporter_operations_unreadable" ["reason"];
    /// Tracked operations, by kind; those that were not yet observed are among them.
    TRACKED_OPERATIONS: Gauge "datasphere_exporter_tracked_operations" ["kind"];
    /// The most operations that may be tracked.
    TRACKED_OPERATIONS_LIMIT: Gauge "datasphere_exporter_tracked_operations_limit" [];
    /// Operations, or their run series, that were dropped because of a limit, by reason.
    OPERATIONS_DROPPED: Counter "datasphere_exporter_operations_dropped_total" ["reason"];
    /// Label values replaced by (other), or projects left out, because of a limit, by label.
    LABEL_OVERFLOWS: Counter "datasphere_exporter_label_overflows_total" ["label"];
    /// Series of the fleet and run tiers in the view of this scrape.
    SERIES: Gauge "datasphere_exporter_series" ["tier"];
    /// The most series that the run tier may have.
    SERIES_LIMIT: Gauge "datasphere_exporter_series_limit" [];
    /// Time in a status after which a job counts as stuck, as configured.
    STUCK_THRESHOLD: Gauge "datasphere_exporter_stuck_threshold_seconds" ["status"];
    /// Time without a change of progress after which a job counts as stalled, as configured.
    PROGRESS_STALLED_THRESHOLD: Gauge "datasphere_exporter_progress_stalled_threshold_seconds" [];
    /// Unit balance below which a project is warned about, as configured.
    UNIT_BALANCE_WARNING: Gauge "datasphere_exporter_unit_balance_warning_units" [];
    /// Time before the deletion of stored data from which it is warned about, as configured.
    DATA_EXPIRY_WARNING: Gauge "datasphere_exporter_data_expiry_warning_seconds" [];
    /// Always 1, with the version of the exporter.
    BUILD_INFO: Gauge "datasphere_exporter_build_info" ["version", "revision", "rustc_version"];
    /// Calls to the cloud's API, by method and gRPC code.
    API_REQUESTS: Counter "datasphere_exporter_api_requests_total" ["method", "code"];
    /// Time that calls to the cloud's API took, by method.
    API_REQUEST_DURATION: Histogram "datasphere_exporter_api_request_duration_seconds" ["method"];
    /// Time that calls waited for the rate limit.
    RATE_LIMITER_WAIT: Histogram "datasphere_exporter_rate_limiter_wait_seconds" [];
    /// The most calls to the cloud's API in a second, as configured.
    RATE_LIMIT: Gauge "datasphere_exporter_rate_limit_requests_per_second" [];
    /// When the IAM token expires, in unix time; absent while there is none.
    IAM_TOKEN_EXPIRY: Gauge "datasphere_exporter_iam_token_expiry_timestamp_seconds" [];
    /// Renewals of the IAM token that failed.
    IAM_TOKEN_REFRESH_FAILURES: Counter "datasphere_exporter_iam_token_refresh_failures_total" [];
    /// Parts of the API's answers that were left out because they could not be understood, by reason.
    DECODE_GAPS: Counter "datasphere_exporter_decode_gaps_total" ["reason"];
    /// Whether the store keeps what is told: 1, or 0 while it fails; absent when storage.path is empty.
    STORE_UP: Gauge "datasphere_exporter_store_up" [];
    /// Failures to open or to write the store.
    STORE_ERRORS: Counter "datasphere_exporter_store_errors_total" [];
    /// Time that commits of the store took, failed ones included.
    STORE_COMMIT_DURATION: Histogram "datasphere_exporter_store_commit_duration_seconds" [];
    /// Spans in the outbox that wait for the collector of traces; without those that were set aside.
    OUTBOX_RECORDS: Gauge "datasphere_exporter_outbox_records" [];
    /// Bytes in the outbox: of spans that wait, and of those that were set aside because the collector refused them.
    OUTBOX_BYTES: Gauge "datasphere_exporter_outbox_bytes" [];
    /// When the oldest span that waits was made, in unix time; absent while none waits.
    OUTBOX_OLDEST: Gauge "datasphere_exporter_outbox_oldest_timestamp_seconds" [];
    /// Spans of operations, by what became of them (exported, rejected, dropped).
    OTLP_SPANS: Counter "datasphere_exporter_otlp_spans_total" ["outcome"];
    /// Requests to the collector of traces, by gRPC code or HTTP status, or what came instead (connection, protocol, timeout).
    OTLP_REQUESTS: Counter "datasphere_exporter_otlp_requests_total" ["code"];
    /// Whether the collector of traces took something of the newest request: 1 or 0; absent before the first answer.
    OTLP_UP: Gauge "datasphere_exporter_otlp_up" [];
    /// Spans of the exporter about itself, by what became of them (exported, dropped).
    SELF_SPANS: Counter "datasphere_exporter_self_spans_total" ["outcome"];
    /// Whether the last load of the configuration succeeded: 1 or 0.
    CONFIG_LAST_RELOAD_SUCCESSFUL: Gauge "datasphere_exporter_config_last_reload_successful" [];
    /// When the configuration was last loaded successfully, in unix time.
    CONFIG_LAST_RELOAD_SUCCESS: Gauge "datasphere_exporter_config_last_reload_success_timestamp_seconds" [];
    /// Requests answered, by handler and HTTP status code.
    HTTP_REQUESTS: Counter "datasphere_exporter_http_requests_total" ["handler", "code"];
    /// Calls through the gateway, passed on or refused, by method and by gRPC code or HTTP status; unknown methods are other.
    GATEWAY_REQUESTS: Counter "datasphere_exporter_gateway_requests_total" ["method", "code"];
    /// Time that the gateway added to a call: until it was on its way, and while its answer waited for the watcher.
    GATEWAY_OVERHEAD: Histogram "datasphere_exporter_gateway_overhead_seconds" [];
    /// Answers to calls through the gateway that were not searched for their operation, by reason (busy, size, unreadable).
    GATEWAY_UNHEARD: Counter "datasphere_exporter_gateway_unheard_total" ["reason"];
    /// Tasks that are alive, each a connection, a call under way or a part of the exporter.
    TASKS: Gauge "datasphere_exporter_tasks" [];
    /// User and system CPU time spent by the process.
    PROCESS_CPU: Counter "process_cpu_seconds_total" [];
    /// The most file descriptors that the process may have open.
    PROCESS_MAX_FDS: Gauge "process_max_fds" [];
    /// File descriptors that the process has open.
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [];
    /// Resident memory of the process.
    PROCESS_RESIDENT_MEMORY: Gauge "process_resident_memory_bytes" [];
    /// When the process started, in unix time.
    PROCESS_START_TIME: Gauge "process_start_time_seconds" [];
    /// Threads of the process.
    PROCESS_THREADS: Gauge "process_threads" [];
    /// Virtual memory of the process.
    PROCESS_VIRTUAL_MEMORY: Gauge "process_virtual_memory_bytes" [];
}
