//! The list of addresses: an SDK that knows one address stays inside.

use crate::gateway::support::{Caller, House, PATIENCE, Reply, ask, body, framed, settings, whole};
use datasphere_exporter::cloud::Endpoints;
use datasphere_exporter::proto::yandex::cloud::endpoint::{
    ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsResponse,
};
use http::Request;
use prost::Message;
use serde_json::{Value, json};
use std::net::SocketAddr;

const LIST: &str = "/yandex.cloud.endpoint.ApiEndpointService/List";
const GET: &str = "/yandex.cloud.endpoint.ApiEndpointService/Get";

fn entry(id: &str, address: &str) -> ApiEndpoint {
    ApiEndpoint {
        id: id.to_owned(),
        address: address.to_owned(),
    }
}

fn list(operation: &str, datasphere: &str, iam: &str) -> ListApiEndpointsResponse {
    ListApiEndpointsResponse {
        endpoints: vec![
            entry("operation", operation),
            entry("datasphere", datasphere),
            entry("iam", iam),
        ],
        next_page_token: String::new(),
    }
}

fn read(body: &[u8]) -> ListApiEndpointsResponse {
    ListApiEndpointsResponse::decode(&body[5..]).expect("a list")
}

fn status(reply: &Reply) -> &str {
    let found = reply
        .trailers
        .as_ref()
        .unwrap_or(&reply.headers)
        .get("grpc-status");
    found.and_then(|status| status.to_str().ok()).expect("a status")
}

async fn get(caller: &mut Caller, id: &str) -> Reply {
    let request = GetApiEndpointRequest {
        api_endpoint_id: id.to_owned(),
    };
    caller.call(GET, &[], &[framed(&request.encode_to_vec())]).await
}

async fn over_rest(address: SocketAddr, path: &str) -> Reply {
    let request = Request::get(path)
        .header("host", address.to_string())
        .body(body(Vec::new()))
        .expect("a request");
    whole(ask(address, request).await.expect("an answer")).await
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

/// A house whose addresses the cloud tells.
async fn told_by_cloud() -> House {
    House::open_before(settings(), PATIENCE, |_| Endpoints::default()).await
}

#[tokio::test]
async fn the_list_names_the_gateway_for_what_it_serves() {
    let house = told_by_cloud().await;
    *house.told.message.lock().expect("not poisoned") =
        framed(&list("operation:443", "datasphere:443", "iam:443").encode_to_vec());
    let own = house.gateway.to_string();
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller
        .call(
            LIST,
            &[
                ("grpc-accept-encoding", "gzip"),
                ("x-request-id", "1"),
                ("authorization", "Bearer t1.caller"),
            ],
            &[framed(b"")],
        )
        .await;
    assert_eq!(read(&reply.body), list(&own, &own, "iam:443"));
    assert_eq!(reply.headers.get("x-request-id").expect("it stays"), "1");
    assert_eq!(status(&reply), "0");
    assert_eq!(house.counted("ApiEndpointService.List", "OK"), 1);
    let seen = house.told.seen.lock().expect("not poisoned");
    assert!(
        seen.iter()
            .all(|call| !call.headers.contains_key("authorization")),
        "a credential goes to nobody who has no need of it"
    );
}

#[tokio::test]
async fn one_entry_names_the_gateway_if_it_serves_that() {
    let house = told_by_cloud().await;
    let own = house.gateway.to_string();
    let mut caller = Caller::connect(house.gateway).await;
    for (id, expected) in [("datasphere", own.as_str()), ("compute", "cloud:443")] {
        *house.told.message.lock().expect("not poisoned") = framed(&entry(id, "cloud:443").encode_to_vec());
        let reply = get(&mut caller, id).await;
        assert_eq!(reply.body, framed(&entry(id, expected).encode_to_vec()));
    }
    assert_eq!(house.take_seen().len(), 2, "the cloud was asked");
}

#[tokio::test]
async fn an_operator_may_say_what_the_list_names() {
    let mut settings = settings();
    settings.advertise_address = Some("sidecar.example:7".to_owned());
    let house = House::open_before(settings, PATIENCE, |_| Endpoints::default()).await;
    *house.told.message.lock().expect("not poisoned") = framed(&list("a:1", "b:1", "c:1").encode_to_vec());
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call(LIST, &[], &[framed(b"")]).await;
    assert_eq!(
        read(&reply.body),
        list("sidecar.example:7", "sidecar.example:7", "c:1")
    );
}

#[tokio::test]
async fn with_all_addresses_set_nobody_is_asked() {
    let house = House::open().await;
    let (own, iam) = (house.gateway.to_string(), house.upstream.to_string());
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call(LIST, &[], &[framed(b"")]).await;
    assert_eq!(read(&reply.body), list(&own, &own, &iam));
    assert_eq!(status(&reply), "0");
    for (id, address) in [("operation", &own), ("datasphere", &own), ("iam", &iam)] {
        let reply = get(&mut caller, id).await;
        assert_eq!(reply.body, framed(&entry(id, address).encode_to_vec()));
        let reply = over_rest(house.gateway, &format!("/endpoints/{id}")).await;
        assert_eq!(json_of(&reply), json!({ "id": id, "address": address }));
    }
    let expected = json!({"endpoints": [
        {"id": "operation", "address": own}, {"id": "datasphere", "address": own}, {"id": "iam", "address": iam},
    ]});
    assert_eq!(json_of(&over_rest(house.gateway, "/endpoints").await), expected);
    assert_eq!(status(&get(&mut caller, "compute").await), "5");
    assert_eq!(over_rest(house.gateway, "/endpoints/compute").await.status, 404);
    let nonsense = caller.call(GET, &[], &[framed(b"\xff")]).await;
    assert_eq!(status(&nonsense), "3");
    assert!(house.take_seen().is_empty(), "the cloud was asked");
}

#[tokio::test]
async fn without_the_clouds_list_the_configuration_is_told() {
    let mut house = House::open_before(settings(), PATIENCE, |upstream| Endpoints {
        operation: Some(upstream.to_string()),
        datasphere: Some(upstream.to_string()),
        iam: None,
    })
    .await;
    house.upstream_running.shutdown().await;
    let own = house.gateway.to_string();
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call(LIST, &[], &[framed(b"")]).await;
    let expected = vec![entry("operation", &own), entry("datasphere", &own)];
    assert_eq!(read(&reply.body).endpoints, expected);
    assert_eq!(status(&reply), "0");
    let reply = get(&mut caller, "operation").await;
    assert_eq!(reply.body, framed(&expected[0].encode_to_vec()));
    // What is not known here may be known there.
    assert_eq!(status(&get(&mut caller, "iam").await), "14");
    let reply = over_rest(house.gateway, "/endpoints/datasphere").await;
    assert_eq!(json_of(&reply), json!({ "id": "datasphere", "address": own }));
    assert_eq!(over_rest(house.gateway, "/endpoints/iam").await.status, 503);
}
