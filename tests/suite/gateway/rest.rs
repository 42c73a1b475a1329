//! REST: what passes by path.

use crate::gateway::support::{House, PATIENCE, Reply, Seen, ask, body, settings, whole};
use bytes::Bytes;
use http::{HeaderName, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::time::timeout;

async fn send(
    address: SocketAddr,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    parts: &[Bytes],
) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "cloud.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body(parts.to_vec())).expect("a request");
    let answer = async { whole(ask(address, request).await.expect("an answer")).await };
    timeout(PATIENCE, answer).await.expect("in time")
}

#[tokio::test]
async fn a_request_by_path_is_byte_for_byte_a_direct_one() {
    let house = House::open().await;
    let headers = [
        ("authorization", "Api-Key AQVN"),
        ("content-type", "text/plain"),
        ("x-client-trace-id", "a"),
        ("x-client-trace-id", "b"),
        ("accept-encoding", "gzip, br"),
    ];
    let cases = [
        (Method::GET, "/iam/v1/tokens", vec![]),
        (
            Method::POST,
            "/datasphere/v2/projects/bt1:execute?x=%D0%B9",
            vec![Bytes::from_static(b"{\"notebook_id\": 1}")],
        ),
        (
            Method::PATCH,
            "/datasphere/v2/teapot",
            vec![Bytes::from(vec![1; 300_000]), Bytes::from_static(b"end")],
        ),
        (Method::DELETE, "/datasphere/v2/projects/bt1", vec![]),
    ];
    for (method, path, parts) in cases {
        let mut direct = send(house.upstream, &method, path, &headers, &parts).await;
        let [mut seen_direct]: [Seen; 1] = house.take_seen().try_into().expect("one request");
        let passed = send(house.gateway, &method, path, &headers, &parts).await;
        let [mut seen_passed]: [Seen; 1] = house.take_seen().try_into().expect("one request");
        // The gateway's neighbour is the cloud's own name, and each connection has its own end.
        assert_eq!(
            seen_passed.headers.remove("host").expect("a host"),
            house.upstream.to_string().as_str()
        );
        seen_direct.headers.remove("host");
        for name in ["connection", "x-mine"] {
            direct.headers.remove(name);
        }
        assert_eq!(passed, direct, "the answer of {method} {path}");
        assert_eq!(seen_passed, seen_direct, "the request of {method} {path}");
    }
    assert_eq!(house.counted("ProjectService.Execute", "200"), 1);
    assert_eq!(house.counted("other", "418"), 1);
}

#[tokio::test]
async fn a_path_of_no_service_is_not_passed_on() {
    let house = House::open().await;
    for path in [
        "/",
        "/compute/v1/instances",
        "/yandex.cloud.operation.OperationService/Get",
    ] {
        let reply = send(house.gateway, &Method::GET, path, &[], &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        let told: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(told["code"], 5);
        assert!(told["message"].as_str().expect("text").contains("gateway"));
    }
    let of_the_server = send(house.gateway, &Method::OPTIONS, "*", &[], &[]).await;
    assert_eq!(of_the_server.status, 404);
    assert!(house.take_seen().is_empty());
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_503_and_the_gateway_says_so() {
    let mut house = House::open().await;
    house.upstream_running.shutdown().await;
    let reply = send(house.gateway, &Method::GET, "/operations/bt1", &[], &[]).await;
    assert_eq!(reply.status, 503);
    let told: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(told["code"], 14);
    assert!(
        told["message"].as_str().expect("text").contains("gateway"),
        "{told}"
    );
    assert_eq!(house.counted("OperationService.Get", "503"), 1);
}

#[tokio::test]
async fn what_an_operator_strips_does_not_reach_the_cloud() {
    let mut settings = settings();
    settings.strip_headers = vec![HeaderName::from_static("x-internal")];
    let house = House::open_with(settings).await;
    let headers = [("x-internal", "secret"), ("x-other", "1")];
    send(
        house.gateway,
        &Method::GET,
        "/datasphere/v2/projects",
        &headers,
        &[],
    )
    .await;
    let [seen]: [Seen; 1] = house.take_seen().try_into().expect("one request");
    assert_eq!(seen.headers.get("x-internal"), None);
    assert_eq!(seen.headers.get("x-other").expect("it stays"), "1");
}

#[tokio::test]
async fn what_is_given_up_in_its_middle_or_breaks_off_does_not_count_as_whole() {
    let house = House::open().await;
    let get = |path: &str| {
        let request = Request::get(path).header("host", "x").body(body(Vec::new()));
        ask(house.gateway, request.expect("a request"))
    };
    let response = get("/datasphere/v2/Silence").await.expect("a head");
    house.until(1, 0).await;
    drop(response);
    house.until(0, 1).await;
    let broken = get("/datasphere/v2/Break").await.expect("a head");
    assert!(broken.into_body().collect().await.is_err(), "visibly not whole");
    for verb in [Method::GET, Method::HEAD] {
        send(house.gateway, &verb, "/datasphere/v2/Echo", &[], &[]).await;
    }
    assert_eq!(house.counted("other", "CANCELLED"), 1);
    assert_eq!(house.counted("other", "UNAVAILABLE"), 1);
    assert_eq!(house.counted("other", "200"), 2);
}
