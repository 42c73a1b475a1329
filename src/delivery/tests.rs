//! Deliveries to receivers of their own, over real sockets; pauses are short here, and nothing waits for time to pass.

mod classes;
mod faults;
mod foreign;
mod life;
mod own;
mod receiver;
mod secured;
mod told;

use crate::catalogue::Instruments;
use crate::clock::{Clock, Timestamp};
use crate::delivery::pace::Pace;
use crate::delivery::{Collector, Delivery, Endpoint, Exporter, Headers, Protocol, Settings, Tls};
use crate::model::{EncodedSpans, SpanKey};
use crate::store::{Batch, Figures, Outbox, Store};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::DefaultGuard;

/// What never comes fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(30);

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// A store in memory, and who sends what is in it.
struct World {
    store: Store,
    instruments: Instruments,
    clock: Clock,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        Self::at(None).await
    }

    /// One with its store in a folder.
    async fn at(path: Option<PathBuf>) -> Self {
        let clock = Clock::starting_at(at(0));
        let instruments = Instruments::new("test", "test", "test");
        let settings = crate::store::Settings {
            path,
            ..Default::default()
        };
        let (store, _) = Store::open(settings, clock, &instruments).await.expect("a store");
        Self {
            store,
            instruments,
            clock,
            stop: CancellationToken::new(),
            running: JoinSet::new(),
        }
    }

    /// Puts spans with these numbers into the outbox.
    async fn put(&self, numbers: impl IntoIterator<Item = u32>) {
        let spans = numbers.into_iter().map(entry).collect();
        let batch = Batch {
            spans,
            ..Batch::default()
        };
        self.store.commit(batch).await.expect("committed");
    }

    fn delivery(&self, settings: Settings) -> Delivery {
        let outbox = self.store.outbox();
        let delivery = Delivery::new(settings, outbox, self.clock, &self.instruments);
        let mut delivery = delivery.expect("settings that hold");
        delivery.jobs.pace = Pace::brisk();
        delivery.jobs.linger = Duration::ZERO;
        delivery
    }

    fn start(&mut self, settings: Settings) {
        let delivery = self.delivery(settings);
        self.run(delivery);
    }

    fn run(&mut self, delivery: Delivery) {
        self.running
            .spawn(delivery.run(self.stop.clone(), self.stop.clone()));
    }

    /// Waits until nothing is left to send.
    async fn until_empty(&self) {
        self.until(|figures| figures.waiting == 0).await;
    }

    async fn until(&self, holds: impl Fn(Figures) -> bool) {
        let mut outbox: Outbox = self.store.outbox();
        let waiting = timeout(PATIENCE, async {
            while !holds(outbox.figures()) {
                assert!(outbox.changed().await, "the store is there");
            }
        });
        assert!(
            waiting.await.is_ok(),
            "never: {:?}",
            self.store.outbox().figures()
        );
    }

    /// Ends in the order of the flow.
    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.expect("ended well");
        }
    }

    fn spans(&self, outcome: &str) -> u64 {
        self.instruments
            .otlp_spans_total
            .with_label_values(&[outcome])
            .get()
    }

    fn requests(&self, code: &str) -> u64 {
        self.instruments
            .otlp_requests_total
            .with_label_values(&[code])
            .get()
    }

    /// `datasphere_exporter_otlp_up`, where it is shown.
    fn up(&self) -> Option<bool> {
        let families = self.instruments.registry().gather();
        let family = families
            .iter()
            .find(|family| family.name() == "datasphere_exporter_otlp_up")?;
        Some(family.get_metric()[0].get_gauge().get_value() > 0.5)
    }
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Keeps those of this program until the guard is dropped.
    fn keep() -> (Self, DefaultGuard) {
        Self::keep_of("datasphere_exporter=info")
    }

    /// Keeps those of libraries too.
    fn keep_all() -> (Self, DefaultGuard) {
        Self::keep_of("trace")
    }

    fn keep_of(filter: &str) -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
}

/// A span whose name is its number.
fn entry(number: u32) -> EncodedSpans {
    named(number, &number.to_string())
}

fn named(number: u32, name: &str) -> EncodedSpans {
    let mut key = [1; 24];
    key[..4].copy_from_slice(&number.to_be_bytes());
    let span = Span {
        trace_id: key[..16].to_vec(),
        span_id: key[16..].to_vec(),
        name: name.to_owned(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_500_000_000,
        ..Span::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    EncodedSpans {
        key: SpanKey(key),
        bytes: request.encode_to_vec(),
        count: 1,
        is_failure: false,
        at: at(i64::from(number)),
    }
}

/// A collector at this address, spoken to in the plainest way.
fn collector(protocol: Protocol, address: &str) -> Collector {
    let endpoint = Endpoint::parse(address, None).expect("an address");
    Collector {
        protocol,
        endpoint: match protocol {
            Protocol::Grpc => endpoint,
            Protocol::Http => endpoint.below("v1/traces"),
        },
        headers: Headers::default(),
        timeout: Duration::from_secs(10),
        is_compressed: false,
        tls: Tls::default(),
    }
}

fn to(collector: Collector) -> Settings {
    Settings {
        exporter: Exporter::Collector(Box::new(collector)),
        own: None,
        enabled_by: "traces.endpoint",
    }
}
