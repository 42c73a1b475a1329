//! One call: where it goes, and how it gets there.

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::cloud::{Passage, Service};
use crate::flow::{Said, Throttle};
use crate::gateway::addresses;
use crate::gateway::answer::AnswerBody;
use crate::gateway::ear::{Cause, Ear};
use crate::gateway::head::{is_grpc, leave_end_to_end, leave_request, timeout};
use crate::gateway::method::{Method, Role};
use crate::gateway::patience::{Patience, Pulse};
use crate::gateway::refusal::Refusal;
use crate::gateway::relay::{Cutoff, ENDING, Eavesdropper, LATE, Protocol, Relay};
use crate::gateway::sniffer::{Framing, Sniffer};
use crate::gateway::stay::{Stay, Stays};
use crate::gateway::tally::{Tally, grpc_status, untold_code};
use crate::gateway::upload::{Intake, Upload};
use crate::gateway::upstream::{Seat, Upstreams};
use crate::limits::GATEWAY_DEADLINE_SLACK;
use crate::model::TraceContext;
use http::header::CONTENT_ENCODING;
use http::uri::Uri;
use http::{HeaderName, HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) passage: Passage,
    pub(crate) upstreams: Upstreams,
    pub(crate) stays: Stays,
    pub(crate) ear: Arc<Ear>,
    pub(crate) instruments: Instruments,
    pub(crate) clock: Clock,
    pub(crate) throttle: Throttle,
    pub(crate) stripped: Vec<HeaderName>,
    pub(crate) advertise_address: Option<String>,
    /// Ends what is still under way.
    pub(crate) cut: CancellationToken,
}

/// What is known of a call before it leaves.
pub(crate) struct Call {
    /// Since when only the gateway keeps it from leaving.
    pub(crate) begun_at: Instant,
    pub(crate) is_grpc: bool,
    pub(crate) method: Option<&'static Method>,
    pub(crate) patience: Patience,
    peer: Option<IpAddr>,
    pub(crate) tally: Tally,
    cause: Option<Cause>,
}

/// What became of a call.
enum Answered {
    /// The gateway answered it.
    Told(Response<AnswerBody>),
    /// The cloud answers it.
    Reached(Reached),
}

/// The head of an answer, and who gave it.
pub(crate) struct Reached {
    pub(crate) response: Response<Incoming>,
    pub(crate) authority: String,
}

/// How long an address may be looked up for a call without a deadline.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(10);

impl Calls {
    /// Answers a call, whatever happens.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<IpAddr>,
        stay: &mut Stay,
    ) -> Response<AnswerBody> {
        let mut call = self.call(&request, peer);
        let answered = tokio::select! {
            answered = self.answered(&mut call, request, stay) => answered,
            () = self.cut.cancelled() => Err(Refusal::new(Code::Unavailable, ENDING)),
        };
        match answered {
            Ok(Answered::Told(response)) => response,
            Ok(Answered::Reached(reached)) => self.relay(call, reached),
            Err(refusal) => {
                self.tell(&refusal);
                call.refuse(&refusal)
            }
        }
    }

    async fn answered(
        &self,
        call: &mut Call,
        request: Request<Incoming>,
        stay: &mut Stay,
    ) -> Result<Answered, Refusal> {
        let service = service(&request, call.is_grpc);
        let service = service.ok_or_else(|| Refusal::new(Code::NotFound, UNKNOWN_PATH))?;
        // Before anything is read, so that what waits for a request is bounded too.
        let seat = stay.seat.insert(self.upstreams.seat(call.is_grpc, call.peer)?);
        let request = request.map(Intake::new);
        stay.tap = Some(request.body().tap());
        if let Some(Role::TellsAddresses | Role::TellsAddress) = call.method.map(|method| method.role) {
            let told = addresses::answer(self, call, seat, request).await;
            return told.map(Answered::Told);
        }
        let request = request.map(|body| Upload::new(body, call.patience.clone()));
        let reached = self.reach(call, seat, service, request).await;
        reached.map(Answered::Reached)
    }

    fn call(&self, request: &Request<Incoming>, peer: Option<IpAddr>) -> Call {
        let begun_at = Instant::now();
        let is_grpc = request.version() == Version::HTTP_2 && is_grpc(request.headers());
        let path = request.uri().path();
        let method = if is_grpc {
            Method::of_grpc(path)
        } else {
            Method::of_http(request.method(), path)
        };
        let deadline =
            timeout(request.headers()).and_then(|time| begun_at.checked_add(time + GATEWAY_DEADLINE_SLACK));
        let patience = match deadline {
            _ if !is_grpc => Patience::WhileAlive(Pulse::new()),
            Some(deadline) => Patience::Until(deadline),
            None => Patience::Endless,
        };
        // What an unknown method of DataSphere answers is known by its shape.
        let is_guess = is_grpc && method.is_none() && path.starts_with("/yandex.cloud.datasphere.");
        let role = method
            .map(|method| method.role)
            .or(is_guess.then_some(Role::Unknown));
        let cause = role.filter(|role| role.is_heard()).map(|role| Cause {
            role,
            left_at: self.clock.now(),
            trace_context: trace_context(request),
        });
        Call {
            begun_at,
            is_grpc,
            method,
            patience,
            peer,
            tally: Tally::new(&self.instruments, method),
            cause,
        }
    }

    /// Sends a call on and waits for the head of its answer.
    pub(crate) async fn reach(
        &self,
        call: &mut Call,
        seat: &Seat,
        service: Service,
        request: Request<Upload>,
    ) -> Result<Reached, Refusal> {
        let late = || Refusal::new(Code::DeadlineExceeded, LATE);
        let lookup_end = call.patience.deadline();
        let lookup_end = lookup_end.unwrap_or(call.begun_at + LOOKUP_TIME_MAX);
        let root = timeout_at(lookup_end, self.passage.root(service)).await;
        let root = root.map_err(|_| late())?.map_err(|error| {
            let problem = format!("the address of {} is not known: {error}", service.id());
            Refusal::new(Code::Unavailable, &problem)
        })?;
        let (request, authority) = self.addressed(request, &root, call.is_grpc)?;
        if let Some(cause) = &mut call.cause {
            cause.left_at = self.clock.now();
        }
        let answering = seat.send(request);
        call.tally.add(call.begun_at.elapsed());
        let response = tokio::select! {
            biased;
            response = answering => response,
            () = call.patience.clone().over() => return Err(late()),
        };
        let response = response.map_err(|error| Refusal::broken(&authority, &error))?;
        Ok(Reached { response, authority })
    }

    /// The same call with the cloud's address in place of the gateway's.
    fn addressed(
        &self,
        request: Request<Upload>,
        root: &Uri,
        is_grpc: bool,
    ) -> Result<(Request<Upload>, String), Refusal> {
        let (mut head, body) = request.into_parts();
        let authority = root.authority().map(ToString::to_string).unwrap_or_default();
        let mut uri = root.clone().into_parts();
        uri.path_and_query = head.uri.into_parts().path_and_query;
        head.uri = Uri::from_parts(uri)
            .map_err(|error| Refusal::new(Code::InvalidArgument, &format!("the path is none: {error}")))?;
        head.version = if is_grpc {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        head.extensions.clear();
        leave_request(&mut head.headers, &self.stripped);
        Ok((Request::from_parts(head, body), authority))
    }

    fn relay(&self, mut call: Call, reached: Reached) -> Response<AnswerBody> {
        let Reached { response, authority } = reached;
        let (mut head, body) = response.into_parts();
        leave_end_to_end(&mut head.headers);
        head.extensions.clear();
        // The status may be in the head already: then there is no message.
        let is_told = call.is_grpc && grpc_status(&head.headers).is_some();
        let protocol = match (call.is_grpc, is_told) {
            (true, true) => Protocol::GrpcTold,
            (true, false) => Protocol::Grpc {
                untold: untold_code(head.status),
            },
            (false, _) => Protocol::Rest { status: head.status },
        };
        if is_told {
            call.tally.ended_as_told(&head.headers, Code::Unknown);
        }
        let is_well = head.status.is_success() && !is_told;
        let is_gzip = {
            let name = if call.is_grpc {
                GRPC_ENCODING
            } else {
                CONTENT_ENCODING
            };
            head.headers.get(name).is_some_and(|encoding| encoding == "gzip")
        };
        let framing = if call.is_grpc {
            Framing::Grpc { is_gzip }
        } else {
            Framing::Http { is_gzip }
        };
        let eavesdropper = call.cause.filter(|_| is_well).map(|cause| Eavesdropper {
            ear: Arc::clone(&self.ear),
            sniffer: match cause.role {
                Role::Unknown => Sniffer::guessing(framing, &self.ear.budget),
                _ => Sniffer::new(framing, &self.ear.budget),
            },
            cause,
        });
        let relay = Relay {
            body: Some(body),
            protocol,
            is_well,
            eavesdropper,
            cutoff: Cutoff::new(call.patience, self.cut.clone()),
            tally: call.tally,
            authority,
            held: None,
            is_over: false,
        };
        head.version = Version::default();
        Response::from_parts(head, AnswerBody::Relayed(Box::new(relay.begun())))
    }

    /// One line for what keeps calls from passing.
    fn tell(&self, refusal: &Refusal) {
        if refusal.code == Code::NotFound {
            return;
        }
        if let Some(Said { held_back }) = self.throttle.admit("refused", self.clock.now()) {
            let error = refusal.message();
            tracing::warn!(error, held_back, "a call through the gateway was not passed on");
        }
    }
}

impl Call {
    /// Whether it asks for the list of endpoints, rather than for one.
    pub(crate) fn wants_all_addresses(&self) -> bool {
        self.method
            .is_some_and(|method| method.role == Role::TellsAddresses)
    }

    fn refuse(&mut self, refusal: &Refusal) -> Response<AnswerBody> {
        if self.is_grpc {
            self.tally.ended(refusal.code);
            return refusal.grpc();
        }
        let response = refusal.http();
        self.tally.ended_over_http(response.status());
        response
    }
}

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

const UNKNOWN_PATH: &str = "no service of the cloud has this path; REST has /operations, /datasphere, /iam and /endpoints, and gRPC needs HTTP/2 and the content type application/grpc";

/// Which service a call is for.
fn service<B>(request: &Request<B>, is_grpc: bool) -> Option<Service> {
    let path = request.uri().path();
    if is_grpc {
        return Some(match path {
            _ if path.starts_with("/yandex.cloud.operation.") => Service::Operation,
            _ if path.starts_with("/yandex.cloud.iam.") => Service::Iam,
            _ if path.starts_with("/yandex.cloud.endpoint.") => Service::Endpoint,
            _ => Service::DataSphere,
        });
    }
    match path.split('/').nth(1)? {
        "operations" => Some(Service::Operation),
        "iam" => Some(Service::Iam),
        "datasphere" => Some(Service::DataSphere),
        "endpoints" => Some(Service::Endpoint),
        _ => None,
    }
}

fn trace_context<B>(request: &Request<B>) -> Option<TraceContext> {
    let mut headers = request.headers().get_all("traceparent").iter();
    let only = headers.next().filter(|_| headers.next().is_none())?;
    let states = request.headers().get_all("tracestate").iter();
    let states: Result<Vec<_>, _> = states.map(HeaderValue::to_str).collect();
    TraceContext::from_headers(only.to_str().ok()?, states.unwrap_or_default())
}
