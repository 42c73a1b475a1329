//! The list of the cloud's addresses, in which those that the gateway serves are its own.

use crate::cloud::Service;
use crate::gateway::answer::Answer;
use crate::gateway::call::{Call, Calls, Reached};
use crate::gateway::head::leave_end_to_end;
use crate::gateway::method::Role;
use crate::gateway::refusal::Refusal;
use crate::gateway::relay::LATE;
use crate::gateway::splice::{SERVED, spliced_json, spliced_protobuf};
use crate::gateway::tally::grpc_status;
use crate::limits::{GATEWAY_ENDPOINTS_BYTES_MAX, GATEWAY_HTTP_SILENCE_MAX};
use crate::proto::yandex::cloud::endpoint::{ApiEndpoint, ListApiEndpointsResponse};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prost::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Asks the cloud and puts the gateway's address in; when the cloud cannot be reached, tells what an operator set.
pub(crate) async fn answer(
    calls: &Calls,
    call: &mut Call,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let is_list = call
        .method
        .is_some_and(|method| method.role == Role::TellsAddresses);
    let own = calls.advertise_address.clone().or_else(|| authority(&request));
    // Addresses are told to anyone, and the list may be another operator's than the addresses that were set.
    request.headers_mut().remove(AUTHORIZATION);
    // What is changed has to be read.
    request.headers_mut().remove(ACCEPT_ENCODING);
    request.headers_mut().remove(GRPC_ACCEPT_ENCODING);
    let known = own.as_deref().filter(|_| is_list);
    let known = known.and_then(|own| set_by_operator(calls, own));
    match (calls.reach(call, Service::Endpoint, request).await, known) {
        (Ok(reached), _) => told_by_cloud(call, reached, own.as_deref(), is_list).await,
        (Err(refusal), Some(known)) if refusal.code == Code::Unavailable => Ok(told_by_us(call, &known)),
        (Err(refusal), _) => Err(refusal),
    }
}

/// The address that the caller used.
fn authority<B>(request: &Request<B>) -> Option<String> {
    let of_uri = request.uri().authority().map(ToString::to_string);
    let of_host = || request.headers().get(HOST)?.to_str().ok().map(str::to_owned);
    of_uri.or_else(of_host)
}

/// The addresses in the configuration, if those that matter are there.
fn set_by_operator(calls: &Calls, own: &str) -> Option<ListApiEndpointsResponse> {
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
    endpoints.extend(iam.map(|address| entry(Service::Iam, &address)));
    Some(ListApiEndpointsResponse {
        endpoints,
        next_page_token: String::new(),
    })
}

fn told_by_us(call: &mut Call, known: &ListApiEndpointsResponse) -> Response<Answer> {
    if call.is_grpc {
        call.tally.ended(Code::Ok);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let mut response = Response::new(Answer::own(framed(&known.encode_to_vec()), Some(trailers)));
        let content_type = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        return response;
    }
    let entry = |endpoint: &ApiEndpoint| json!({ "id": endpoint.id, "address": endpoint.address });
    let entries: Vec<Value> = known.endpoints.iter().map(entry).collect();
    let mut response = Response::new(Answer::own(
        json!({ "endpoints": entries }).to_string().into(),
        None,
    ));
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    call.tally.ended_over_http(response.status());
    response
}

async fn told_by_cloud(
    call: &mut Call,
    reached: Reached,
    own: Option<&str>,
    is_list: bool,
) -> Result<Response<Answer>, Refusal> {
    let (mut head, body) = reached.response.into_parts();
    leave_end_to_end(&mut head.headers);
    head.extensions.clear();
    let end = call
        .deadline
        .unwrap_or_else(|| Instant::now() + GATEWAY_HTTP_SILENCE_MAX);
    let collected = timeout_at(end, Limited::new(body, GATEWAY_ENDPOINTS_BYTES_MAX).collect()).await;
    let collected = collected
        .map_err(|_| Refusal::new(Code::DeadlineExceeded, LATE))?
        .map_err(|error| Refusal::broken(&reached.authority, &*error))?;
    let trailers = collected.trailers().cloned();
    let body = collected.to_bytes();
    let changed = if call.is_grpc {
        call.tally
            .ended_as_told(trailers.as_ref().unwrap_or(&head.headers));
        let is_ok = trailers.as_ref().and_then(grpc_status) == Some(0);
        own.filter(|_| is_ok)
            .and_then(|own| changed_protobuf(&body, own, is_list))
    } else {
        call.tally.ended_over_http(head.status);
        own.filter(|_| head.status.is_success())
            .and_then(|own| changed_json(&body, own))
    };
    if changed.is_some() && head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.remove(CONTENT_LENGTH);
    }
    let answer = Answer::own(changed.unwrap_or(body), trailers);
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
