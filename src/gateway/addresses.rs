//! The list of the cloud's addresses, in which those that the gateway serves are its own.

use crate::cloud::Service;
use crate::gateway::answer::Answer;
use crate::gateway::call::{Call, Calls, Reached};
use crate::gateway::head::leave_end_to_end;
use crate::gateway::method::Role;
use crate::gateway::refusal::Refusal;
use crate::gateway::relay::LATE;
use crate::gateway::tally::grpc_status;
use crate::limits::{GATEWAY_ENDPOINTS_BYTES_MAX, GATEWAY_HTTP_SILENCE_MAX};
use crate::proto::yandex::cloud::endpoint::{ApiEndpoint, ListApiEndpointsResponse};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prost::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

/// Services that the gateway stands for. IAM is none of them: whoever exchanges a key for a token asks the cloud.
const SERVED: [Service; 2] = [Service::Operation, Service::DataSphere];

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
        let mut response = Response::new(Answer::own(framed(known), Some(trailers)));
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
    let message = body.get(5..)?;
    if is_list {
        let mut list = ListApiEndpointsResponse::decode(message).ok()?;
        for endpoint in &mut list.endpoints {
            put(&endpoint.id, &mut endpoint.address, own);
        }
        return Some(framed(&list));
    }
    let mut endpoint = ApiEndpoint::decode(message).ok()?;
    put(&endpoint.id, &mut endpoint.address, own);
    Some(framed(&endpoint))
}

fn changed_json(body: &Bytes, own: &str) -> Option<Bytes> {
    let mut told: Value = serde_json::from_slice(body).ok()?;
    match told.get_mut("endpoints").and_then(Value::as_array_mut) {
        Some(list) => list.iter_mut().for_each(|endpoint| put_json(endpoint, own)),
        None => put_json(&mut told, own),
    }
    Some(told.to_string().into())
}

fn put_json(endpoint: &mut Value, own: &str) {
    let id = endpoint.get("id").and_then(Value::as_str).map(str::to_owned);
    if let (Some(id), Some(Value::String(address))) = (id, endpoint.get_mut("address")) {
        put(&id, address, own);
    }
}

fn put(id: &str, address: &mut String, own: &str) {
    if SERVED.iter().any(|service| service.id() == id) {
        own.clone_into(address);
    }
}

/// A message of gRPC, not compressed.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(length + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message.encode_to_vec());
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_stands_for_operations_and_datasphere_and_for_nothing_else() {
        let entry = |id: &str, address: &str| ApiEndpoint {
            id: id.to_owned(),
            address: address.to_owned(),
        };
        let list = |address: &str| ListApiEndpointsResponse {
            endpoints: vec![
                entry("iam", "iam:443"),
                entry("operation", address),
                entry("datasphere", address),
                entry("compute", "compute:443"),
            ],
            next_page_token: "next".to_owned(),
        };
        let changed = changed_protobuf(&framed(&list("cloud:443")), "gateway:1", true);
        assert_eq!(changed, Some(framed(&list("gateway:1"))));
        let changed = changed_protobuf(&framed(&entry("operation", "cloud:443")), "gateway:1", false);
        assert_eq!(changed, Some(framed(&entry("operation", "gateway:1"))));
        assert_eq!(
            changed_protobuf(&Bytes::from_static(b"\0\0\0\0\x01\xff"), "gateway:1", true),
            None
        );
    }

    #[test]
    fn over_rest_all_else_in_the_list_stays() {
        let told = json!({"endpoints": [{"id": "operation", "address": "a", "more": [1]}, {"id": "iam", "address": "b"}, 7]});
        let changed = changed_json(&told.to_string().into(), "g").expect("JSON");
        let expected = json!({"endpoints": [{"id": "operation", "address": "g", "more": [1]}, {"id": "iam", "address": "b"}, 7]});
        assert_eq!(serde_json::from_slice::<Value>(&changed).expect("JSON"), expected);
        assert_eq!(changed_json(&Bytes::from_static(b"no"), "g"), None);
    }
}
