//! Spans from the outbox to their collector.
//!
//! In: an [`Outbox`], whose entries are OTLP bytes, and the exporter's own spans. Out: requests to a collector, one
//! at a time, and what became of each span. Never: a changed byte of a span, nor a decoded one but to print or to
//! name it; a span given up because of our address, credentials or network; a header's value anywhere but in a
//! request.
//!
//! A request is a batch: messages of one type may follow one another in protobuf, so a batch is its entries' bytes.
//! Whoever is killed between sending and marking sends the same bytes again. An answer tells one of five things:
//! *taken*, *again* later, *refused*, *too large*, or *misconfigured*. A refused batch is halved until the span at
//! fault is alone; it is set aside, and the others arrive.

mod answer;
mod batch;
mod connection;
mod console;
mod error;
mod grpc;
mod http;
mod own;
mod pace;
mod sender;
mod settings;
mod tally;
mod words;

#[cfg(test)]
mod tests;

pub use error::DeliveryError;
pub use own::{OwnSettings, OwnTraces, Sampling};
pub use settings::{Collector, Endpoint, Exporter, Headers, HeadersError, Protocol, Settings, Tls};

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::flow::{Said, Throttle};
use crate::limits::{
    OTLP_BATCH_BYTES_MAX, OTLP_BATCH_SPANS_MAX, OTLP_COMPLAINT_INTERVAL, OTLP_LINGER, OTLP_SHUTDOWN_TIME_MAX,
    STORE_RETRY_INTERVAL,
};
use crate::store::{Outbox, SpansId, StoreError};
use answer::{Answer, Verdict};
use batch::Batch;
use own::OwnSender;
use pace::Pace;
use sender::Sender;
use std::time::Duration;
use tally::Tally;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Sends what waits in an outbox, until it is stopped.
#[derive(Debug)]
pub struct Delivery {
    jobs: Jobs,
    own: Option<OwnSender>,
    grace: Duration,
    enabled_by: &'static str,
}

/// The spans of operations.
#[derive(Debug)]
struct Jobs {
    outbox: Outbox,
    sender: Sender,
    clock: Clock,
    instruments: Instruments,
    throttle: Throttle,
    pace: Pace,
    linger: Duration,
    /// How long a line about refused spans waits for the rest of their batch.
    patience: Duration,
    /// Less than the limit once the collector has found a request too large.
    batch_bytes_max: usize,
    /// What the collector has and the outbox does not know yet: nothing else is sent before it does.
    told: Vec<SpansId>,
    /// Whether the newest batch has to wait, or nothing was taken of it.
    is_failing: bool,
    /// Spans that were refused since a line said so.
    refused_untold: u64,
}

/// A batch that is refused is sent span by span, which takes long where answers do.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);

/// When to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// At once: more may wait.
    Now,
    /// When something has come in.
    Changed,
    /// After a pause.
    After(Duration),
}

impl Delivery {
    /// A delivery that has not begun; it connects when there is something to send.
    ///
    /// # Errors
    /// What only the operator can mend: a certificate or key that cannot be used, a system without authorities.
    pub fn new(
        settings: Settings,
        outbox: Outbox,
        clock: Clock,
        instruments: &Instruments,
    ) -> Result<Self, DeliveryError> {
        let sender = Sender::new(settings.exporter)?;
        let own = settings
            .own
            .map(|own| OwnSender::new(own, sender.clone(), clock, instruments));
        let jobs = Jobs {
            outbox,
            sender,
            clock,
            instruments: instruments.clone(),
            throttle: Throttle::new(OTLP_COMPLAINT_INTERVAL),
            pace: Pace::default(),
            linger: OTLP_LINGER,
            patience: REFUSAL_PATIENCE,
            batch_bytes_max: OTLP_BATCH_BYTES_MAX,
            told: Vec::new(),
            is_failing: false,
            refused_untold: 0,
        };
        Ok(Self {
            jobs,
            own,
            grace: OTLP_SHUTDOWN_TIME_MAX,
            enabled_by: settings.enabled_by,
        })
    }

    /// Sends until `stop` is cancelled, then once more what is there, within `limits::OTLP_SHUTDOWN_TIME_MAX`. What
    /// is not delivered by then stays in the outbox. Stop it after who fills the outbox, or have another take its place.
    ///
    /// What is left is told when `ending` is cancelled too: otherwise another one takes its place.
    pub async fn run(self, stop: CancellationToken, ending: CancellationToken) {
        let Self {
            mut jobs,
            own,
            grace,
            enabled_by,
        } = self;
        let (outbox, address) = (jobs.outbox.clone(), jobs.sender.address().to_owned());
        let protocol = jobs.sender.protocol();
        tracing::info!(endpoint = address, protocol, enabled_by, "operations are traced");
        let work = async {
            let own = async {
                if let Some(own) = own {
                    own.run(&stop).await;
                }
            };
            tokio::join!(jobs.run(&stop), own);
        };
        let patience = async {
            stop.cancelled().await;
            sleep(grace).await;
        };
        tokio::select! {
            () = work => {}
            () = patience => {}
        }
        if ending.is_cancelled() {
            tell_rest(&outbox, &address);
        }
    }
}

/// Says at the end what could not be sent. Each entry of an outbox is one span.
fn tell_rest(outbox: &Outbox, address: &str) {
    let waiting = outbox.figures().waiting;
    if waiting == 0 {
        return;
    }
    if outbox.is_durable() {
        tracing::warn!(
            endpoint = address,
            waiting,
            "spans wait for the collector of traces: they are sent after the next start"
        );
    } else {
        tracing::warn!(
            endpoint = address,
            lost = waiting,
            "spans that the collector of traces did not take are lost: nothing is stored, see storage.path"
        );
    }
}

impl Jobs {
    async fn run(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let next = self.turn().await;
            stop.run_until_cancelled(self.wait(next)).await;
        }
        while self.turn().await == Next::Now {}
    }

    async fn wait(&mut self, next: Next) {
        match next {
            Next::Now => {}
            Next::After(pause) => sleep(pause).await,
            Next::Changed => {
                while self.outbox.figures().waiting == 0 {
                    if !self.outbox.changed().await {
                        std::future::pending::<()>().await;
                    }
                }
                if self.outbox.figures().waiting < u64::from(OTLP_BATCH_SPANS_MAX) {
                    sleep(self.linger).await;
                }
            }
        }
    }

    async fn turn(&mut self) -> Next {
        match self.send_oldest().await {
            Ok(next) => next,
            Err(error) => {
                if let Some(Said { held_back }) = self.throttle.admit("outbox", self.clock.now()) {
                    tracing::error!(
                        error = error.chain(),
                        held_back,
                        "the outbox cannot be read or marked: no traces are sent until it can"
                    );
                }
                Next::After(STORE_RETRY_INTERVAL)
            }
        }
    }

    /// Sends one batch, in parts where the collector takes only some of it.
    async fn send_oldest(&mut self) -> Result<Next, StoreError> {
        self.mark_told().await?;
        let oldest = self.outbox.oldest(OTLP_BATCH_SPANS_MAX).await?;
        let Some(batch) = Batch::of(oldest, self.batch_bytes_max) else {
            return Ok(Next::Changed);
        };
        let mut tally = Tally::default();
        let next = self.send(batch, &mut tally).await;
        let is_failing = tally.taken == 0 || matches!(next, Ok(Next::After(_)));
        if std::mem::replace(&mut self.is_failing, is_failing) && !is_failing {
            tracing::info!(endpoint = self.sender.address(), "traces are taken again");
        }
        self.tell_refused(&mut tally);
        next
    }

    async fn send(&mut self, batch: Batch, tally: &mut Tally) -> Result<Next, StoreError> {
        let begun_at = self.clock.now();
        let batch_bytes_max = self.batch_bytes_max;
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let answer = self.sender.send(part.body(), self.clock.now()).await;
            let taken = answer.taken_of(part.count());
            tally.taken += taken;
            self.show(&answer, taken > 0);
            match answer.verdict {
                Verdict::Taken { .. } => self.settle(&part, taken).await?,
                Verdict::Again { after } => return Ok(Next::After(self.pace.after_failure(after))),
                Verdict::Misconfigured => return Ok(Next::After(self.pace.refused)),
                Verdict::Refused | Verdict::TooLarge => {
                    if answer.verdict == Verdict::TooLarge {
                        self.batch_bytes_max = self.batch_bytes_max.min(part.bytes() / 2);
                    }
                    match part.halves() {
                        Ok((first, second)) => parts.extend([second, first]),
                        Err(single) => {
                            // It was this span that was too large, and not the requests.
                            if answer.verdict == Verdict::TooLarge {
                                self.batch_bytes_max = batch_bytes_max;
                            }
                            self.set_aside(&single, &answer).await?;
                            tally.refuse(single, answer);
                            if self.clock.now().since(begun_at) >= self.patience {
                                self.tell_refused(tally);
                            }
                        }
                    }
                }
            }
        }
        // Whoever takes nothing at all may be about to mend: the outbox is not set aside at full speed.
        Ok(if tally.taken == 0 {
            Next::After(self.pace.after_failure(None))
        } else {
            Next::Now
        })
    }

    /// The collector has a part; what it rejected of it, it will never take.
    async fn settle(&mut self, part: &Batch, taken: u64) -> Result<(), StoreError> {
        self.count("rejected", part.count() - taken);
        self.count("exported", taken);
        self.pace.succeeded();
        self.told.extend(part.ids());
        self.mark_told().await
    }

    async fn set_aside(&mut self, part: &Batch, answer: &Answer) -> Result<(), StoreError> {
        let ids: Vec<SpansId> = part.ids().collect();
        self.outbox.set_aside(&ids, &answer.to_string()).await?;
        self.count("rejected", part.count());
        Ok(())
    }

    async fn mark_told(&mut self) -> Result<(), StoreError> {
        if !self.told.is_empty() {
            self.outbox.delivered(&self.told).await?;
            self.told.clear();
        }
        Ok(())
    }

    fn count(&self, outcome: &str, spans: u64) {
        self.instruments
            .otlp_spans_total
            .with_label_values(&[outcome])
            .inc_by(spans);
    }

    /// Counts an answer, and says what an operator should know of it.
    fn show(&self, answer: &Answer, is_up: bool) {
        self.instruments
            .otlp_requests_total
            .with_label_values(&[answer.code.as_ref()])
            .inc();
        self.instruments.set_otlp_up(is_up);
        let Some(problem) = answer.problem() else {
            return;
        };
        if let Some(Said { held_back }) = self.throttle.admit(problem, self.clock.now()) {
            tracing::warn!(
                endpoint = self.sender.address(),
                answer = %answer,
                waiting = self.outbox.figures().waiting,
                held_back,
                "{problem}"
            );
        }
    }

    /// Says what of a batch was refused, as far as it is known.
    fn tell_refused(&mut self, tally: &mut Tally) {
        self.refused_untold += std::mem::take(&mut tally.refused);
        let Some((part, answer)) = &tally.first_refused else {
            return;
        };
        if self.refused_untold > 0 && self.throttle.admit("refused", self.clock.now()).is_some() {
            let (trace_id, span_name) = part.first_span().unwrap_or_default();
            tracing::warn!(
                endpoint = self.sender.address(),
                answer = %answer,
                refused = std::mem::take(&mut self.refused_untold),
                taken = tally.taken,
                trace_id,
                %span_name,
                "the collector of traces refused spans: they are set aside and not sent again; the answer, the \
                 trace and the name are those of the first"
            );
        }
    }
}
