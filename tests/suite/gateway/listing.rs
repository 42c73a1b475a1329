//! The list of addresses: an SDK that knows one address stays inside.

use crate::gateway::support::{Caller, House, ask, body, framed, settings, whole};
use datasphere_exporter::proto::yandex::cloud::endpoint::{ApiEndpoint, ListApiEndpointsResponse};
use http::Request;
use prost::Message;
use serde_json::{Value, json};

const LIST: &str = "/yandex.cloud.endpoint.ApiEndpointService/List";

fn list(operation: &str, datasphere: &str, iam: &str) -> ListApiEndpointsResponse {
    let entries = [("operation", operation), ("datasphere", datasphere), ("iam", iam)];
    let entry = |(id, address): (&str, &str)| ApiEndpoint {
        id: id.to_owned(),
        address: address.to_owned(),
    };
    ListApiEndpointsResponse {
        endpoints: entries.into_iter().map(entry).collect(),
        next_page_token: String::new(),
    }
}

fn read(body: &[u8]) -> ListApiEndpointsResponse {
    ListApiEndpointsResponse::decode(&body[5..]).expect("a list")
}

#[tokio::test]
async fn the_list_names_the_gateway_for_what_it_serves() {
    let house = House::open().await;
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
    assert_eq!(
        reply
            .trailers
            .expect("trailers")
            .get("grpc-status")
            .expect("a status"),
        "0"
    );
    assert_eq!(house.counted("ApiEndpointService.List", "OK"), 1);
    let seen = house.told.seen.lock().expect("not poisoned");
    assert!(
        seen.iter()
            .all(|call| !call.headers.contains_key("authorization")),
        "a credential goes to nobody who has no need of it"
    );
}

#[tokio::test]
async fn an_operator_may_say_what_the_list_names() {
    let mut settings = settings();
    settings.advertise_address = Some("sidecar.example:7".to_owned());
    let house = House::open_with(settings).await;
    *house.told.message.lock().expect("not poisoned") = framed(&list("a:1", "b:1", "c:1").encode_to_vec());
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call(LIST, &[], &[framed(b"")]).await;
    assert_eq!(
        read(&reply.body),
        list("sidecar.example:7", "sidecar.example:7", "c:1")
    );
}

#[tokio::test]
async fn without_the_clouds_list_the_configuration_is_told() {
    let mut house = House::open().await;
    house.upstream_running.shutdown().await;
    let (own, iam) = (house.gateway.to_string(), house.upstream.to_string());
    let mut caller = Caller::connect(house.gateway).await;
    let reply = caller.call(LIST, &[], &[framed(b"")]).await;
    assert_eq!(read(&reply.body).endpoints.len(), 3);
    assert_eq!(
        reply
            .trailers
            .expect("trailers")
            .get("grpc-status")
            .expect("a status"),
        "0"
    );
    let request = Request::get("/endpoints")
        .header("host", &own)
        .body(body(Vec::new()))
        .expect("a request");
    let reply = whole(ask(house.gateway, request).await.expect("an answer")).await;
    let told: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let expected = json!({"endpoints": [
        {"id": "operation", "address": own}, {"id": "datasphere", "address": own}, {"id": "iam", "address": iam},
    ]});
    assert_eq!(told, expected);
}
