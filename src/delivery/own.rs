//! The exporter's own traces: spans of `tracing` that leave by the same way as those of operations.
//!
//! They are for whoever wants to know what the exporter does with its time. They are sampled, sent once and never
//! kept: what does not get through is counted and gone. Nothing here makes a span: sending must not tell of itself.

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::delivery::answer::Verdict;
use crate::delivery::sender::Sender;
use crate::limits::{OTLP_BATCH_SPANS_MAX, OWN_SPANS_INTERVAL, OWN_SPANS_MAX};
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use prost::Message;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// What an operator may set of the exporter's own traces.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnSettings {
    /// Attributes of the resource; without `service.name` that is `datasphere-exporter`.
    pub resource_attributes: Vec<(String, String)>,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// Whether a span follows the decision for its parent.
    pub is_parent_based: bool,
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// All.
    Always,
    /// None.
    Never,
    /// This part of them, from 0 to 1.
    Ratio(f64),
}

/// Both ends of the queue of the exporter's own spans: the log's [`layer`](Self::layer) puts them in, a
/// [`Delivery`](crate::delivery::Delivery) sends them. Clones share it.
#[derive(Clone, Debug)]
pub struct OwnTraces(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tracer: SdkTracer,
    /// Taken by whoever sends.
    queue: Mutex<Option<Queue>>,
}

/// What waits to be sent.
#[derive(Debug)]
struct Queue {
    spans: Receiver<SpanData>,
    lost: Arc<AtomicU64>,
    resource: ResourceAttributesWithSchema,
}

/// What makes spans, as their collector sees it.
const SCOPE: &str = "datasphere-exporter/self";

/// The targets whose spans are recorded, and those among them that are not: a library's spans are of no use here, and
/// the room that sends would tell of itself for ever.
const TARGET: &str = "datasphere_exporter";
const SILENT_TARGET: &str = "datasphere_exporter::delivery";

impl OwnTraces {
    /// A queue, with the tracer that fills it.
    pub fn new(settings: OwnSettings) -> Self {
        let (sender, spans) = mpsc::channel(OWN_SPANS_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let defaults = [
            ("service.name", "datasphere-exporter"),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let given = settings.resource_attributes;
        let resource = Resource::builder_empty()
            .with_attributes(defaults.map(|(key, value)| KeyValue::new(key, value)))
            .with_attributes(given.into_iter().map(|(key, value)| KeyValue::new(key, value)))
            .build();
        let root = match settings.sampling {
            Sampling::Always => Sampler::AlwaysOn,
            Sampling::Never => Sampler::AlwaysOff,
            Sampling::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        let sampler = if settings.is_parent_based {
            Sampler::ParentBased(Box::new(root))
        } else {
            root
        };
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource.clone())
            .with_span_processor(Enqueue {
                sender,
                lost: Arc::clone(&lost),
            })
            .build();
        Self(Arc::new(Shared {
            tracer: provider.tracer(SCOPE),
            queue: Mutex::new(Some(Queue {
                spans,
                lost,
                resource: ResourceAttributesWithSchema::from(&resource),
            })),
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Option<Queue>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn queue_is_lent(&self) -> bool {
        self.queue().is_none()
    }

    /// What records the spans of this program, and of nothing else.
    pub fn layer<S>(&self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_recorded).with_max_level_hint(LevelFilter::INFO))
    }
}

fn is_recorded(metadata: &Metadata<'_>) -> bool {
    let is_below = |room: &str| {
        let rest = metadata.target().strip_prefix(room);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    metadata.is_span() && is_below(TARGET) && !is_below(SILENT_TARGET)
}

/// Puts each span that ended into the queue, or counts it as lost.
#[derive(Debug)]
struct Enqueue {
    sender: mpsc::Sender<SpanData>,
    lost: Arc<AtomicU64>,
}

impl SpanProcessor for Enqueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The queue, which goes back when its user ends, however that is: whoever takes its place goes on with it.
#[derive(Debug)]
struct Lent {
    /// There until it goes back.
    queue: Option<Queue>,
    own: OwnTraces,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            *self.own.queue() = Some(queue);
        }
    }
}

/// Sends what is in the queue, each span once.
#[derive(Debug)]
pub(crate) struct OwnSender {
    own: OwnTraces,
    /// Taken from the queue and not yet sent.
    batch: Vec<SpanData>,
    sender: Sender,
    clock: Clock,
    instruments: Instruments,
}

impl OwnSender {
    pub(crate) fn new(own: OwnTraces, sender: Sender, clock: Clock, instruments: &Instruments) -> Self {
        Self {
            own,
            batch: Vec::new(),
            sender,
            clock,
            instruments: instruments.clone(),
        }
    }

    /// Sends until `stop` is cancelled, then what is left; nothing while another one sends.
    pub(crate) async fn run(mut self, stop: &CancellationToken) {
        let mut lent = Lent {
            queue: self.own.queue().take(),
            own: self.own.clone(),
        };
        let Some(queue) = lent.queue.as_mut() else {
            return;
        };
        while stop.run_until_cancelled(self.collect(queue)).await.is_some() {
            self.send(queue).await;
        }
        while let Ok(span) = queue.spans.try_recv() {
            self.batch.push(span);
        }
        self.send(queue).await;
    }

    /// Waits for a span, and then for others to go with it.
    async fn collect(&mut self, queue: &mut Queue) {
        let full = usize::try_from(OTLP_BATCH_SPANS_MAX).unwrap_or(usize::MAX);
        let mut until = None;
        while self.batch.len() < full {
            let room = full - self.batch.len();
            let received = queue.spans.recv_many(&mut self.batch, room);
            match until {
                None => {
                    if received.await == 0 {
                        // Nothing can make spans any more; the end will come.
                        std::future::pending::<()>().await;
                    }
                    until = Some(Instant::now() + OWN_SPANS_INTERVAL);
                }
                Some(until) => match timeout_at(until, received).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                },
            }
        }
    }

    async fn send(&mut self, queue: &Queue) {
        let batch = std::mem::take(&mut self.batch);
        let mut lost = queue.lost.swap(0, Ordering::Relaxed);
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if spans > 0 {
            let request = ExportTraceServiceRequest {
                resource_spans: group_spans_by_resource_and_scope(batch, &queue.resource),
            };
            let body = Bytes::from(request.encode_to_vec());
            let answer = self.sender.send(body, self.clock.now()).await;
            let rejected = match answer.verdict {
                Verdict::Taken { rejected } => rejected.min(spans),
                _ => spans,
            };
            lost += rejected;
            self.count("exported", spans - rejected);
        }
        self.count("dropped", lost);
    }

    fn count(&self, outcome: &str, spans: u64) {
        self.instruments
            .self_spans_total
            .with_label_values(&[outcome])
            .inc_by(spans);
    }
}
