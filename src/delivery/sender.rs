//! One request at a time, over whatever was chosen.

use crate::clock::Timestamp;
use crate::decode;
use crate::delivery::answer::Answer;
use crate::delivery::connection::{Connection, Failure};
use crate::delivery::console::Console;
use crate::delivery::{Collector, DeliveryError, Exporter, Protocol, grpc, http};
use crate::model::Text;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout;

/// Sends requests; clones send over connections of their own.
#[derive(Clone, Debug)]
pub(crate) enum Sender {
    Collector(Box<Wire>),
    Console(Console),
}

/// A collector, with the connections to it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) collector: Arc<Collector>,
    pub(crate) connection: Connection,
    address: String,
}

/// What requests say of who sends them.
pub(crate) const AGENT: &str = concat!("datasphere-exporter/", env!("CARGO_PKG_VERSION"));

impl Sender {
    /// # Errors
    /// See [`Connection::new`].
    pub(crate) fn new(exporter: Exporter) -> Result<Self, DeliveryError> {
        Ok(match exporter {
            Exporter::Console => Self::Console(Console::new(std::io::stdout())),
            Exporter::Collector(collector) => Self::Collector(Box::new(Wire {
                connection: Connection::new(&collector)?,
                address: collector.endpoint.to_string(),
                collector: Arc::from(collector),
            })),
        })
    }

    /// Sends a request: an `ExportTraceServiceRequest`, encoded.
    pub(crate) async fn send(&mut self, body: Bytes, now: Timestamp) -> Answer {
        match self {
            Self::Collector(wire) => wire.send(body, now).await,
            Self::Console(console) => console.print(body).await,
        }
    }

    /// How it goes, to be shown.
    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Self::Collector(wire) => wire.collector.protocol.name(),
            Self::Console(_) => "console",
        }
    }

    /// Where it goes, to be shown.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Collector(wire) => &wire.address,
            Self::Console(_) => "standard output",
        }
    }
}

impl Wire {
    async fn send(&mut self, body: Bytes, now: Timestamp) -> Answer {
        let after = self.collector.timeout;
        let exchange = async {
            match self.collector.protocol {
                Protocol::Grpc => grpc::export(self, body).await,
                Protocol::Http => http::export(self, body, now).await,
            }
        };
        let answer = match timeout(after, exchange).await {
            Ok(answer) => answer,
            Err(_) => Answer::late(after),
        };
        if matches!(answer.code.as_ref(), "timeout" | "connection" | "protocol") {
            self.connection.renew();
        }
        answer
    }

    /// Words of the other side: without secrets, theirs or ours, and bounded.
    pub(crate) fn quote(&self, words: &str) -> Text {
        Text::bounded(&decode::redact(&self.collector.headers.scrub(words)))
    }

    /// There is no answer.
    pub(crate) fn unanswered(&self, failure: &Failure) -> Answer {
        match failure {
            Failure::Broken(cause) => Answer::broken(self.quote(cause)),
            Failure::Mismatch(mismatch) => Answer::mismatch(Text::bounded(&format!(
                "what answers at {} {mismatch}",
                self.address
            ))),
            Failure::TooLong => Answer::no_collector("(other)"),
        }
    }
}
