//! The list of the cloud's addresses, in which those that the gateway serves are its own.

use crate::cloud::Service;
use crate::gateway::answer::AnswerBody;
use crate::gateway::call::{Call, Calls, Reached};
use crate::gateway::head::leave_end_to_end;
use crate::gateway::refusal::Refusal;
use crate::gateway::relay::LATE;
use crate::gateway::sniffer::{Budget, Framing, Sniffer};
use crate::gateway::splice::{SERVED, spliced_json, spliced_protobuf};
use crate::gateway::tally::{grpc_status, untold_code};
use crate::gateway::upload::{Intake, Upload};
use crate::gateway::upstream::Seat;
use crate::limits::{
    GATEWAY_ENDPOINTS_BYTES_MAX, GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX, GATEWAY_GREETING_TIME_MAX,
    GATEWAY_HTTP_SILENCE_MAX,
};
use crate::proto::yandex::cloud::endpoint::{ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsResponse};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost::Message;
use serde_json::json;
use std::error::Error;
use tokio::time::{Instant, timeout_at};
use tonic::Code;

const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// What a caller wants to know.
enum Wanted {
    /// All addresses.
    All,
    /// That of the service with this id.
    One(String),
}

/// The addresses in the configuration.
struct Configured {
    endpoints: Vec<ApiEndpoint>,
    /// Whether they are all that there are: then nobody is asked.
    is_complete: bool,
}

/// Tells what an operator set, if that is everything. Asks the cloud otherwise, and puts the gateway's address in; when
/// the cloud cannot be reached, tells what was set all the same.
pub(crate) async fn answer(
    calls: &Calls,
    call: &mut Call,
    seat: &Seat,
    request: Request<Intake>,
) -> Result<Response<AnswerBody>, Refusal> {
    let (mut head, body) = request.into_parts();
    let own = calls.advertise_address.clone().or_else(|| authority(&head));
    let body = whole(call, body).await?;
    // Up to here it was its caller who took the time.
    call.begun_at = Instant::now();
    let wanted = wanted(call, &head, &body);
    let configured = own.as_deref().and_then(|own| configured(calls, own));
    if let Some(configured) = configured.as_ref().filter(|configured| configured.is_complete) {
        let wanted =
            wanted.ok_or_else(|| Refusal::new(Code::InvalidArgument, "the request cannot be read"))?;
        let told = told_by_us(call, configured, &wanted);
        return told.ok_or_else(|| Refusal::new(Code::NotFound, "cloud.endpoints has no service of this id"));
    }
    // Addresses are told to anyone, and the list may be another operator's than the addresses that were set.
    head.headers.remove(AUTHORIZATION);
    // What is changed has to be read.
    head.headers.remove(ACCEPT_ENCODING);
    head.headers.remove(GRPC_ACCEPT_ENCODING);
    let request = Request::from_parts(head, Upload::read(body));
    match calls.reach(call, seat, Service::Endpoint, request).await {
        Ok(reached) => told_by_cloud(call, reached, own.as_deref()).await,
        Err(refusal) => configured
            .zip(wanted)
            .filter(|_| refusal.code == Code::Unavailable)
            .and_then(|(configured, wanted)| told_by_us(call, &configured, &wanted))
            .ok_or(refusal),
    }
}

/// The address that the caller used.
fn authority(head: &Parts) -> Option<String> {
    let of_uri = head.uri.authority().map(ToString::to_string);
    let of_host = || head.headers.get(HOST)?.to_str().ok().map(str::to_owned);
    of_uri.or_else(of_host)
}

/// The request, which is short and comes at once, whatever time its caller gives the answer.
async fn whole(call: &Call, body: Intake) -> Result<Bytes, Refusal> {
    let end = Instant::now() + GATEWAY_GREETING_TIME_MAX;
    let end = call.patience.deadline().map_or(end, |deadline| deadline.min(end));
    let limited = Limited::new(body, GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX);
    let collected = timeout_at(end, limited.collect()).await;
    let collected =
        collected.map_err(|_| Refusal::new(Code::DeadlineExceeded, "the request did not come in time"))?;
    let unread = |error: Box<dyn Error + Send + Sync>| {
        if error.is::<LengthLimitError>() {
            return Refusal::too_large("the request is larger than any for the list of endpoints");
        }
        let problem = format!("the request cannot be read: {error}");
        Refusal::new(Code::InvalidArgument, &problem)
    };
    Ok(collected.map_err(unread)?.to_bytes())
}

/// `None` when the request cannot be read.
fn wanted(call: &Call, head: &Parts, body: &Bytes) -> Option<Wanted> {
    if call.wants_all_addresses() {
        return Some(Wanted::All);
    }
    if !call.is_grpc {
        let id = head.uri.path().split('/').nth(2)?;
        return Some(Wanted::One(id.to_owned()));
    }
    let is_gzip = head
        .headers
        .get("grpc-encoding")
        .is_some_and(|encoding| encoding == "gzip");
    let mut sniffer = Sniffer::new(Framing::Grpc { is_gzip }, &Budget::default());
    sniffer.pass(body);
    let message = sniffer.end().and_then(|copied| copied.message()).ok()?;
    let request = GetApiEndpointRequest::decode(message).ok()?;
    Some(Wanted::One(request.api_endpoint_id))
}

/// The addresses in the configuration, if those that the gateway serves are there.
fn configured(calls: &Calls, own: &str) -> Option<Configured> {
    let entry = |service: Service, address: &str| ApiEndpoint {
        id: service.id().to_owned(),
        address: address.to_owned(),
    };
    let mut endpoints = Vec::new();
    for service in SERVED {
        calls.passage.explicit(service)?;
        endpoints.push(entry(service, own));
    }
    let iam = calls.passage.explicit(Service::Iam);
    let is_complete = iam.is_some();
    endpoints.extend(iam.map(|address| entry(Service::Iam, &address)));
    Some(Configured {
        endpoints,
        is_complete,
    })
}

/// `None` when the one that is wanted is not there.
fn told_by_us(call: &mut Call, configured: &Configured, wanted: &Wanted) -> Option<Response<AnswerBody>> {
    let one = match wanted {
        Wanted::All => None,
        Wanted::One(id) => Some(configured.endpoints.iter().find(|endpoint| endpoint.id == *id)?),
    };
    if call.is_grpc {
        call.tally.ended(Code::Ok);
        let list = || ListApiEndpointsResponse {
            endpoints: configured.endpoints.clone(),
            next_page_token: String::new(),
        };
        let message = one.map_or_else(|| list().encode_to_vec(), Message::encode_to_vec);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let answer = AnswerBody::own(framed(&message), Some(trailers));
        return Some(own_response(answer, "application/grpc"));
    }
    let entry = |endpoint: &ApiEndpoint| json!({ "id": endpoint.id, "address": endpoint.address });
    let list = || json!({ "endpoints": configured.endpoints.iter().map(entry).collect::<Vec<_>>() });
    let text = one.map_or_else(list, entry).to_string();
    let response = own_response(AnswerBody::own(text.into(), None), "application/json");
    call.tally.ended_over_http(response.status());
    Some(response)
}

fn own_response(answer: AnswerBody, content_type: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(answer);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

async fn told_by_cloud(
    call: &mut Call,
    reached: Reached,
    own: Option<&str>,
) -> Result<Response<AnswerBody>, Refusal> {
    let (mut head, body) = reached.response.into_parts();
    leave_end_to_end(&mut head.headers);
    head.extensions.clear();
    let end = call
        .patience
        .deadline()
        .unwrap_or_else(|| Instant::now() + GATEWAY_HTTP_SILENCE_MAX);
    let collected = timeout_at(end, Limited::new(body, GATEWAY_ENDPOINTS_BYTES_MAX).collect()).await;
    let collected = collected
        .map_err(|_| Refusal::new(Code::DeadlineExceeded, LATE))?
        .map_err(|error| Refusal::broken(&reached.authority, &*error))?;
    let trailers = collected.trailers().cloned();
    let body = collected.to_bytes();
    let changed = if call.is_grpc {
        call.tally.ended_as_told(
            trailers.as_ref().unwrap_or(&head.headers),
            untold_code(head.status),
        );
        let is_ok = trailers.as_ref().and_then(grpc_status) == Some(0);
        own.filter(|_| is_ok)
            .and_then(|own| changed_protobuf(&body, own, call.wants_all_addresses()))
    } else {
        call.tally.ended_over_http(head.status);
        own.filter(|_| head.status.is_success())
            .and_then(|own| changed_json(&body, own))
    };
    if changed.is_some() && head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.remove(CONTENT_LENGTH);
    }
    let answer = AnswerBody::own(changed.unwrap_or(body), trailers);
    Ok(Response::from_parts(head, answer))
}

/// `None` when it is not what it should be: then it goes on as it came.
fn changed_protobuf(body: &Bytes, own: &str, is_list: bool) -> Option<Bytes> {
    let mut message = body.clone();
    // Whether it is compressed, and its length.
    let head = (message.try_get_u8().ok()?, message.try_get_u32().ok()?);
    if head != (0, u32::try_from(message.len()).ok()?) {
        return None;
    }
    spliced_protobuf(&message, own, is_list).map(|changed| framed(&changed))
}

fn changed_json(body: &Bytes, own: &str) -> Option<Bytes> {
    let told = std::str::from_utf8(body).ok()?;
    spliced_json(told, own).map(Bytes::from)
}

/// A message of gRPC, not compressed.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}
