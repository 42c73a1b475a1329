//! One attempt at one call.

use crate::cloud::CloudError;
use crate::cloud::answer::{Answer, is_local_timeout};
use crate::cloud::binding::Bound;
use crate::cloud::channel::{Link, Route};
use crate::cloud::method::{Method, OK};
use crate::cloud::screen::Screened;
use crate::limits::MESSAGE_BYTES_MAX;
use http::{Extensions, HeaderMap};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Why an attempt brought nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A status other than OK arrived, or tonic made one of a broken connection.
    Answered(Box<Answer>),
    /// The deadline passed first.
    Late,
}

/// Sends one request and decodes its answer straight into `A`; counts the attempt.
///
/// tonic has a timer of its own for the header `grpc-timeout`, but it ends with the answer's headers: a server that
/// stalls in the middle of a message would be waited for without end.
pub(crate) async fn unary<Q, A>(
    method: &Method,
    route: &Arc<Route>,
    headers: HeaderMap,
    message: Q,
    deadline: Instant,
) -> Result<A, Failure>
where
    Q: Bound,
    A: Message + Default + 'static,
{
    let asked_at = Instant::now();
    let exchange = async {
        match &route.link {
            Link::Grpc(channel) => over_grpc(channel, method, headers, message).await,
            Link::Rest(rest) => rest.unary(method, headers, &message).await,
        }
    };
    let span = span(method, route);
    match timeout_at(deadline, exchange.instrument(span.clone())).await {
        Ok(Ok(answer)) => {
            method.count(OK, asked_at.elapsed());
            span.record("rpc.status_code", OK);
            route.answered();
            Ok(answer)
        }
        Ok(Err(status)) if !is_local_timeout(&status) => {
            let answer = Box::new(Answer::new(method, &route.address, &status));
            method.count(answer.code.name(), asked_at.elapsed());
            failed(&span, answer.code.name());
            let failure = Failure::Answered(answer);
            if !failure.is_silence() {
                route.answered();
            }
            Err(failure)
        }
        Ok(Err(_)) | Err(_) => {
            method.count("DEADLINE_EXCEEDED", asked_at.elapsed());
            failed(&span, "DEADLINE_EXCEEDED");
            Err(Failure::Late)
        }
    }
}

async fn over_grpc<Q, A>(
    channel: &Screened,
    method: &Method,
    headers: HeaderMap,
    message: Q,
) -> Result<A, Status>
where
    Q: Bound,
    A: Message + Default + 'static,
{
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.ready()
        .await
        .map_err(|error| Status::from_error(Box::new(error)))?;
    let request = Request::from_parts(MetadataMap::from_headers(headers), Extensions::new(), message);
    let response = grpc.unary(request, method.path.clone(), ProstCodec::default());
    response.await.map(Response::into_inner)
}

/// A span of the exporter's own traces; where none are recorded, making it costs a glance. Its attributes are those of
/// <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/>, and never a header, since one is the token.
fn span(method: &Method, route: &Route) -> Span {
    let rpc_method = method.path.path().trim_start_matches('/');
    let (host, port) = route.address.rsplit_once(':').unwrap_or((&route.address, ""));
    tracing::info_span!(
        "call",
        "otel.name" = rpc_method,
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "rpc.system.name" = route.link.system(),
        "rpc.method" = rpc_method,
        "rpc.status_code" = Empty,
        "error.type" = Empty,
        "server.address" = host,
        "server.port" = port.parse::<i64>().ok(),
    )
}

#[cold]
fn failed(span: &Span, code: &'static str) {
    span.record("rpc.status_code", code);
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

impl Failure {
    /// In words; `after` is the time that the call had.
    pub(crate) fn into_error(self, method: &Method, route: &Route, after: Duration) -> CloudError {
        match self {
            Self::Answered(answer) => CloudError::Answer(answer),
            Self::Late => CloudError::Deadline {
                method: method.label,
                endpoint: Arc::clone(&route.address),
                after,
            },
        }
    }

    /// Whether the other side is not to be had, as opposed to answering something unwelcome.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Answered(answer) => answer.code.name() == "UNAVAILABLE",
            Self::Late => true,
        }
    }
}
