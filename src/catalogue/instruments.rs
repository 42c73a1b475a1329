//! Handles of the metrics that the exporter keeps about itself.

use crate::catalogue::{Metric, exporter};
use crate::clock::Timestamp;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};

/// Values of the label `reason` of `datasphere_exporter_decode_gaps_total`; a test in `metrics` compares them
/// with `model::Gap`, which this floor does not know.
pub const GAP_REASONS: [&str; 5] = [
    "unknown_enum",
    "unknown_type",
    "out_of_range",
    "malformed",
    "missing",
];

/// Upper bounds for calls to the cloud, in seconds: from a quick answer to the longest request timeout that
/// makes sense.
const CALL_BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Upper bounds for commits, in seconds: a fraction of a millisecond on a good disk, and seconds on one that fails.
const COMMIT_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Upper bounds for what the gateway adds, in seconds: a fraction of a millisecond as a rule, a look-up of addresses at
/// the start, 50 ms where the watcher does not answer. None is so small that it would be written with an exponent,
/// which not every format writes alike.
const ADDED_BUCKETS: [f64; 9] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.06, 0.25, 1.0];

/// Values of the label `reason` of `datasphere_exporter_gateway_unheard_total`.
pub const UNHEARD_REASONS: [&str; 3] = ["busy", "size", "unreadable"];

/// Values of the label `outcome` of `datasphere_exporter_otlp_spans_total`.
pub const SPAN_OUTCOMES: [&str; 3] = ["exported", "rejected", "dropped"];

/// Values of the label `outcome` of `datasphere_exporter_self_spans_total`.
pub const SELF_SPAN_OUTCOMES: [&str; 2] = ["exported", "dropped"];

/// Upper bounds for waits, in seconds: most do not wait at all, and a starved one waits for minutes.
const WAIT_BUCKETS: [f64; 10] = [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// Cloneable handles; all clones count into the same registry.
#[derive(Clone, Debug)]
pub struct Instruments {
    registry: Registry,
    iam_token_expiry_timestamp_seconds: Gauge,
    store_up: GaugeVec,
    otlp_up: GaugeVec,
    outbox_records: Gauge,
    outbox_bytes: Gauge,
    outbox_oldest_timestamp_seconds: Gauge,
    /// Calls to the cloud's API: `method`, `code`.
    pub api_requests_total: IntCounterVec,
    /// Time they took: `method`.
    pub api_request_duration_seconds: HistogramVec,
    /// Time that calls waited for the rate limit.
    pub rate_limiter_wait_seconds: Histogram,
    /// That limit.
    pub rate_limit_requests_per_second: Gauge,
    /// Renewals of the IAM token that failed.
    pub iam_token_refresh_failures_total: IntCounter,
    /// Parts of answers left out: `reason`, each of [`GAP_REASONS`] from the start.
    pub decode_gaps_total: IntCounterVec,
    /// Failures to open or to write the store.
    pub store_errors_total: IntCounter,
    /// Time that commits of the store took.
    pub store_commit_duration_seconds: Histogram,
    /// Spans of operations: `outcome`, each of [`SPAN_OUTCOMES`] from the start.
    pub otlp_spans_total: IntCounterVec,
    /// Requests to the collector of traces: `code`.
    pub otlp_requests_total: IntCounterVec,
    /// Spans of the exporter about itself: `outcome`, each of [`SELF_SPAN_OUTCOMES`] from the start.
    pub self_spans_total: IntCounterVec,
    /// Requests answered: `handler`, `code`.
    pub http_requests_total: IntCounterVec,
    /// Calls through the gateway, passed on or refused: `method`, `code`.
    pub gateway_requests_total: IntCounterVec,
    /// Time that it added to each.
    pub gateway_overhead_seconds: Histogram,
    /// Answers that it did not search: `reason`, each of [`UNHEARD_REASONS`] from the start.
    pub gateway_unheard_total: IntCounterVec,
    /// 1 when the last load of the configuration succeeded.
    pub config_last_reload_successful: Gauge,
    /// When it last did, in unix seconds; not shown before it is set.
    pub config_last_reload_success_timestamp_seconds: Gauge,
}

/// Counts what answers held that could not be read: a gap's label, and how often.
pub fn count_gaps(decode_gaps_total: &IntCounterVec, gaps: impl IntoIterator<Item = (&'static str, u32)>) {
    for (gap, count) in gaps.into_iter().filter(|(_, count)| *count > 0) {
        decode_gaps_total
            .with_label_values(&[gap])
            .inc_by(u64::from(count));
    }
}

impl Instruments {
    /// New metrics over a registry of their own, with what is known of the program itself.
    pub fn new(version: &str, revision: &str, rustc: &str) -> Self {
        let registry = Registry::new();
        let build_info = registered(&registry, gauge_vec(&exporter::BUILD_INFO));
        build_info.with_label_values(&[version, revision, rustc]).set(1.0);
        register_process(&registry);
        registered(&registry, Gauge::with_opts(options(&exporter::TASKS)).map(Tasks));
        Self {
            iam_token_expiry_timestamp_seconds: known_gauge(&registry, &exporter::IAM_TOKEN_EXPIRY),
            api_requests_total: registered(&registry, counter_vec(&exporter::API_REQUESTS)),
            api_request_duration_seconds: registered(
                &registry,
                HistogramVec::new(
                    histogram(&exporter::API_REQUEST_DURATION, &CALL_BUCKETS),
                    exporter::API_REQUEST_DURATION.labels,
                ),
            ),
            rate_limiter_wait_seconds: registered(
                &registry,
                Histogram::with_opts(histogram(&exporter::RATE_LIMITER_WAIT, &WAIT_BUCKETS)),
            ),
            rate_limit_requests_per_second: registered(
                &registry,
                Gauge::with_opts(options(&exporter::RATE_LIMIT)),
            ),
            iam_token_refresh_failures_total: registered(
                &registry,
                IntCounter::with_opts(options(&exporter::IAM_TOKEN_REFRESH_FAILURES)),
            ),
            decode_gaps_total: closed(&registry, &exporter::DECODE_GAPS, &GAP_REASONS),
            store_up: registered(&registry, gauge_vec(&exporter::STORE_UP)),
            store_errors_total: registered(
                &registry,
                IntCounter::with_opts(options(&exporter::STORE_ERRORS)),
            ),
            store_commit_duration_seconds: registered(
                &registry,
                Histogram::with_opts(histogram(&exporter::STORE_COMMIT_DURATION, &COMMIT_BUCKETS)),
            ),
            outbox_records: registered(&registry, Gauge::with_opts(options(&exporter::OUTBOX_RECORDS))),
            outbox_bytes: registered(&registry, Gauge::with_opts(options(&exporter::OUTBOX_BYTES))),
            outbox_oldest_timestamp_seconds: known_gauge(&registry, &exporter::OUTBOX_OLDEST),
            otlp_spans_total: closed(&registry, &exporter::OTLP_SPANS, &SPAN_OUTCOMES),
            otlp_requests_total: registered(&registry, counter_vec(&exporter::OTLP_REQUESTS)),
            otlp_up: registered(&registry, gauge_vec(&exporter::OTLP_UP)),
            self_spans_total: closed(&registry, &exporter::SELF_SPANS, &SELF_SPAN_OUTCOMES),
            http_requests_total: registered(&registry, counter_vec(&exporter::HTTP_REQUESTS)),
            gateway_requests_total: registered(&registry, counter_vec(&exporter::GATEWAY_REQUESTS)),
            gateway_overhead_seconds: registered(
                &registry,
                Histogram::with_opts(histogram(&exporter::GATEWAY_OVERHEAD, &ADDED_BUCKETS)),
            ),
            gateway_unheard_total: closed(&registry, &exporter::GATEWAY_UNHEARD, &UNHEARD_REASONS),
            config_last_reload_successful: registered(
                &registry,
                Gauge::with_opts(options(&exporter::CONFIG_LAST_RELOAD_SUCCESSFUL)),
            ),
            config_last_reload_success_timestamp_seconds: known_gauge(
                &registry,
                &exporter::CONFIG_LAST_RELOAD_SUCCESS,
            ),
            registry,
        }
    }

    /// The registry, for the exposition.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// When the IAM token in use expires; `None` takes the series away.
    pub fn set_iam_token_expiry(&self, expires_at: Option<Timestamp>) {
        let seconds = expires_at.map_or(0.0, Timestamp::seconds_f64);
        self.iam_token_expiry_timestamp_seconds.set(seconds);
    }

    /// Whether the store keeps what is told; never called where nothing is to be kept.
    pub fn set_store_up(&self, is_up: bool) {
        let up = if is_up { 1.0 } else { 0.0 };
        self.store_up.with_label_values::<&str>(&[]).set(up);
    }

    /// Whether the collector of traces takes what is sent is not known.
    pub fn forget_otlp_up(&self) {
        self.otlp_up.reset();
    }

    /// Whether the collector of traces takes what is sent; never called where nothing is sent.
    pub fn set_otlp_up(&self, is_up: bool) {
        let up = if is_up { 1.0 } else { 0.0 };
        self.otlp_up.with_label_values::<&str>(&[]).set(up);
    }

    /// What the outbox holds.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "the outbox is bounded far below 2^53 bytes"
    )]
    pub fn show_outbox(&self, records: u64, bytes: u64, oldest_at: Option<Timestamp>) {
        self.outbox_records.set(records as f64);
        self.outbox_bytes.set(bytes as f64);
        let seconds = oldest_at.map_or(0.0, Timestamp::seconds_f64);
        self.outbox_oldest_timestamp_seconds.set(seconds);
    }

    /// Spans that the outbox gave up.
    pub fn spans_dropped(&self, count: u64) {
        self.otlp_spans_total
            .with_label_values(&["dropped"])
            .inc_by(count);
    }
}

fn options(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn histogram(metric: &Metric, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec())
}

fn counter_vec(metric: &Metric) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(options(metric), metric.labels)
}

fn gauge_vec(metric: &Metric) -> prometheus::Result<GaugeVec> {
    GaugeVec::new(options(metric), metric.labels)
}

/// A counter whose one label has these values, all of them at zero from the start.
fn closed(registry: &Registry, metric: &Metric, values: &[&str]) -> IntCounterVec {
    let counters = registered(registry, counter_vec(metric));
    for value in values {
        counters.with_label_values(&[value]);
    }
    counters
}

/// A gauge that is absent while it is zero: for moments, of which zero is none.
fn known_gauge(registry: &Registry, metric: &Metric) -> Gauge {
    registered(registry, Gauge::with_opts(options(metric)).map(Known)).0
}

#[expect(
    clippy::expect_used,
    reason = "the declarations are constants, and every test that makes instruments makes all of them"
)]
fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("a declared metric is valid");
    registry
        .register(Box::new(metric.clone()))
        .expect("a metric is declared once");
    metric
}

/// Counts tasks when it is asked, within a runtime; outside of one it has nothing to tell.
#[derive(Clone)]
struct Tasks(Gauge);

impl Collector for Tasks {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "tasks are bounded far below 2^53"
    )]
    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Vec::new();
        };
        self.0.set(runtime.metrics().num_alive_tasks() as f64);
        self.0.collect()
    }
}

/// CPU, memory and descriptors of the process, where the `prometheus` crate can read them.
fn register_process(registry: &Registry) {
    #[cfg(target_os = "linux")]
    {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        // The only refusal is a name that is registered already, and the registry is new.
        drop(registry.register(Box::new(process)));
    }
}

#[derive(Clone)]
struct Known(Gauge);

impl Collector for Known {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if self.0.get() > 0.0 {
            self.0.collect()
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn gathered(instruments: &Instruments) -> BTreeMap<String, MetricFamily> {
        let families = instruments.registry().gather();
        families
            .into_iter()
            .map(|family| (family.name().to_owned(), family))
            .collect()
    }

    #[test]
    fn moments_are_absent_until_they_are_known() {
        let instruments = Instruments::new("1.2.3", "abc", "1.95.0");
        let name = exporter::IAM_TOKEN_EXPIRY.name;
        assert!(!gathered(&instruments).contains_key(name));
        instruments.set_iam_token_expiry(Timestamp::from_seconds(1_700_000_000, 0));
        assert!(
            (gathered(&instruments)[name].get_metric()[0]
                .get_gauge()
                .get_value()
                - 1.7e9)
                .abs()
                < 1e-3
        );
        instruments.set_iam_token_expiry(None);
        assert!(!gathered(&instruments).contains_key(name));
        assert!(!gathered(&instruments).contains_key(exporter::CONFIG_LAST_RELOAD_SUCCESS.name));
    }

    #[test]
    fn closed_label_sets_exist_at_zero_from_the_start() {
        let families = gathered(&Instruments::new("1.2.3", "abc", "1.95.0"));
        let gaps = families[exporter::DECODE_GAPS.name].get_metric();
        assert_eq!(gaps.len(), GAP_REASONS.len());
        assert!(
            gaps.iter()
                .all(|gap| gap.get_counter().get_value().abs() < f64::EPSILON)
        );
    }

    #[test]
    fn everything_registered_is_declared() {
        let instruments = Instruments::new("1.2.3", "abc", "1.95.0");
        for (name, family) in gathered(&instruments) {
            let metric = crate::catalogue::find(&name).expect("declared");
            let word = format!("{:?}", family.get_field_type()).to_lowercase();
            assert_eq!(word, metric.metric_type.word(), "{name}");
        }
    }
}
