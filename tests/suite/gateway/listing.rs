//! The list of addresses: an SDK that knows one address stays inside.

use crate::gateway::support::{Caller, House, PATIENCE, Reply, ask, body, framed, settings, whole};
use bytes::Bytes;
use datasphere_exporter::cloud::Endpoints;
use datasphere_exporter::limits::{
    GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX, GATEWAY_GREETING_TIME_MAX, GATEWAY_HTTP_SILENCE_MAX,
};
use datasphere_exporter::proto::yandex::cloud::endpoint::{
    ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsResponse,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use prost::Message;
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use tokio::time::Instant;

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

#[tokio::test]
async fn over_rest_the_list_names_the_gateway_too_and_every_other_byte_stays() {
    let house = told_by_cloud().await;
    let told = |address: &str| {
        format!(
            r#"{{"more": 1.0, "endpoints": [{{"id": "operation", "address": "{address}"}},
                {{"id": "iam", "address": "iam:443"}}]}}"#
        )
    };
    *house.told.message.lock().expect("not poisoned") = told("cloud:443").into();
    let reply = over_rest(house.gateway, "/endpoints").await;
    assert_eq!(reply.body, told(&house.gateway.to_string()));
    assert_eq!(house.counted("ApiEndpointService.List", "200"), 1);
    let reply = over_rest(house.gateway, "/endpoints/teapot").await;
    assert_eq!(reply.status, 418);
    assert_eq!(reply.body, told("cloud:443"), "what is no list stays as it came");
}

#[tokio::test]
async fn what_cannot_be_read_as_a_list_goes_on_as_it_came() {
    let house = told_by_cloud().await;
    let mut caller = Caller::connect(house.gateway).await;
    let list = list("a:1", "b:1", "c:1").encode_to_vec();
    for message in [
        Bytes::new(),
        Bytes::from_static(b"\0\0"),
        [&[1, 0, 0, 0, 1][..], b"x"].concat().into(),
        [framed(&list), framed(&list)].concat().into(),
        framed(b"\xff"),
    ] {
        *house.told.message.lock().expect("not poisoned") = message.clone();
        let reply = caller.call(LIST, &[], &[framed(b"")]).await;
        assert_eq!((reply.body.clone(), status(&reply)), (message, "0"));
    }
    for message in [&b"\xff"[..], b"<html>"] {
        *house.told.message.lock().expect("not poisoned") = Bytes::from_static(message);
        assert_eq!(over_rest(house.gateway, "/endpoints").await.body, message);
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list_and_the_gateway_says_so() {
    let house = told_by_cloud().await;
    let reply = over_rest(house.gateway, "/endpoints/Break").await;
    assert_eq!(reply.status, 503);
    let message = json_of(&reply)["message"].to_string();
    assert!(
        message.contains("gateway") && message.contains(&house.upstream.to_string()),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_come_to_its_end_is_504() {
    let house = told_by_cloud().await;
    let begun = Instant::now();
    assert_eq!(over_rest(house.gateway, "/endpoints/Silence").await.status, 504);
    assert!(begun.elapsed() >= GATEWAY_HTTP_SILENCE_MAX);
}

#[tokio::test]
async fn a_question_that_is_too_large_is_refused_and_a_packed_one_is_read() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let large = Bytes::from(vec![0; GATEWAY_ENDPOINTS_REQUEST_BYTES_MAX + 1]);
    let reply = caller.call(LIST, &[], &[large]).await;
    assert_eq!(status(&reply), "8");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let request = GetApiEndpointRequest {
        api_endpoint_id: "operation".to_owned(),
    };
    encoder.write_all(&request.encode_to_vec()).expect("in memory");
    let packed = encoder.finish().expect("in memory");
    let mut message = framed(&packed).to_vec();
    message[0] = 1;
    for (encoding, expected) in [("gzip", "0"), ("zstd", "3")] {
        let headers = [("grpc-encoding", encoding)];
        let reply = caller.call(GET, &headers, &[message.clone().into()]).await;
        assert_eq!(status(&reply), expected, "{encoding}");
    }
    assert!(house.take_seen().is_empty(), "the cloud was asked");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_does_not_come_is_not_waited_for() {
    let house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let begun = Instant::now();
    let (_outgoing, answering) = caller.open(LIST, &[]);
    let reply = whole(answering.await.expect("a head")).await;
    assert_eq!(status(&reply), "4");
    assert!(begun.elapsed() >= GATEWAY_GREETING_TIME_MAX);
}

#[tokio::test]
async fn a_service_that_the_cloud_does_not_list_is_unavailable_by_name() {
    let house = told_by_cloud().await;
    *house.told.message.lock().expect("not poisoned") = framed(
        &ListApiEndpointsResponse {
            endpoints: vec![entry("iam", "iam:443")],
            next_page_token: String::new(),
        }
        .encode_to_vec(),
    );
    let mut caller = Caller::connect(house.gateway).await;
    let path = "/yandex.cloud.operation.OperationService/Get";
    let reply = caller.call(path, &[], &[framed(b"")]).await;
    assert_eq!(status(&reply), "14");
    let message = reply.headers.get("grpc-message").expect("a message");
    let message = message.to_str().expect("ASCII");
    assert!(
        message.contains("gateway") && message.contains("operation"),
        "{message}"
    );
}

#[tokio::test]
async fn calls_for_a_token_go_where_iam_is() {
    let nowhere = || Some("127.0.0.1:1".to_owned());
    let house = House::open_before(settings(), PATIENCE, |upstream| Endpoints {
        operation: nowhere(),
        datasphere: nowhere(),
        iam: Some(upstream.to_string()),
    })
    .await;
    let mut caller = Caller::connect(house.gateway).await;
    for (path, expected) in [
        ("/yandex.cloud.iam.v1.IamTokenService/Create", "0"),
        ("/yandex.cloud.datasphere.v2.ProjectService/Get", "14"),
    ] {
        let reply = caller.call(path, &[], &[framed(b"")]).await;
        assert_eq!(status(&reply), expected, "{path}");
    }
    assert_eq!(house.take_seen().len(), 1);
}
