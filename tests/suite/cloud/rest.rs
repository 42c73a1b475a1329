//! The client over REST against the simulator: the same answers, deadlines, retries and tokens as over gRPC.

use crate::cloud::support::{World, scenario};
use crate::cloud::{GET, community, job, operation, project};
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{
    Auth, Client, CloudError, Endpoints, IdempotencyKey, Inputs, Secret, Settings, Transport,
};
use datasphere_exporter::model::{Kind, ListingScope, LookError, RpcCode, Text};
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::Span;
use datasphere_exporter::simulator::scenario::{Action, Fault, RestStyle};
use http::HeaderValue;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

const PLAIN: RestStyle = RestStyle {
    quoted_integers: true,
    enum_numbers: false,
    types: true,
    defaults: false,
};

fn open() -> World {
    World::open().over_rest()
}

#[tokio::test(start_paused = true)]
async fn what_has_a_form_in_rest_is_told_as_over_grpc_in_every_style() {
    let styles = [
        PLAIN,
        RestStyle {
            quoted_integers: false,
            ..PLAIN
        },
        RestStyle {
            enum_numbers: true,
            ..PLAIN
        },
        RestStyle {
            types: false,
            ..PLAIN
        },
        RestStyle {
            defaults: true,
            ..PLAIN
        },
    ];
    let mut world = World::open();
    let grpc = world.client();
    world = world.over_rest();
    let rest = world.client();
    for style in styles {
        world.simulator.print_rest(style);
        let seen = rest.get_operation(&operation()).await.expect("answered");
        assert_eq!(
            seen,
            grpc.get_operation(&operation()).await.expect("answered"),
            "{style:?}"
        );
        assert_eq!(seen.value.kind, Kind::Job);
        let seen = rest.get_project(&project()).await.expect("answered");
        assert_eq!(seen, grpc.get_project(&project()).await.expect("answered"));
        let seen = rest.unit_balance(&project()).await.expect("answered");
        assert_eq!(seen, grpc.unit_balance(&project()).await.expect("answered"));
        let seen = rest.list_projects(&community(), "").await.expect("answered");
        assert_eq!(
            seen,
            grpc.list_projects(&community(), "").await.expect("answered")
        );
    }
    assert_eq!(world.counted(GET, "OK"), 10, "one label for both transports");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_asked_about_over_grpc_alone() {
    let world = open();
    let client = world.client();
    assert!(!client.reaches_jobs());
    let unimplemented = RpcCode::from_number(12).expect("a code");
    let errors = [
        client.get_job(&job()).await.expect_err("no form"),
        client
            .list_jobs(&project(), ListingScope::Live, "")
            .await
            .expect_err("no form"),
        client.cancel_job(&job(), false).await.expect_err("no form"),
        client.execute_job(&job(), None).await.expect_err("no form"),
    ];
    for error in errors {
        assert!(matches!(error, CloudError::NeedsGrpc { .. }), "{error}");
        assert_eq!(error.look(), LookError::Refused(unimplemented));
    }
    assert!(world.simulator.calls_by_method().is_empty(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn a_notebook_is_started_and_an_operation_cancelled() {
    let world = open();
    let client = world.client();
    let Value::Object(values) = json!({"epochs": 3, "deep": {"er": [1.5, null, "я"]}}) else {
        unreachable!("an object")
    };
    let path = "отчёты/утро \"1\".ipynb";
    let begun = client
        .execute_notebook(&project(), path, &Inputs::from(values), None)
        .await
        .expect("accepted");
    let told = begun.value.notebook.and_then(|told| told.notebook_id);
    assert_eq!(told.as_ref().map(Text::as_str), Some(path));
    client.cancel_operation(&begun.value.id).await.expect("asked");
    assert_eq!(world.calls("OperationService.Cancel"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_over_rest_is_sent_again_only_if_it_cannot_have_arrived() {
    for (action, attempts) in [(Action::Reset, 1), (Action::RateLimit(0), 4)] {
        let world = open();
        world
            .simulator
            .set_fault(Fault::of(action.clone()).on("ProjectService/Execute"));
        let begun = world
            .client()
            .execute_notebook(&project(), "a.ipynb", &Inputs::default(), None)
            .await;
        assert!(begun.is_err());
        assert_eq!(world.calls("ProjectService.Execute"), attempts, "{action:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_repeated_with_its_key_is_the_same_one_over_either_transport() {
    for world in [World::open(), open()] {
        let client = world.client();
        let mut ids = Vec::new();
        for key in ["one", "one", "two"] {
            let key = IdempotencyKey::from_header(&HeaderValue::from_static(key));
            let inputs = Inputs::default();
            let begun = client.execute_notebook(&project(), "a.ipynb", &inputs, key).await;
            ids.push(begun.expect("accepted").value.id);
        }
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_stumbles_is_asked_again_over_rest() {
    for code in [
        Code::Unavailable,
        Code::Internal,
        Code::Cancelled,
        Code::ResourceExhausted,
    ] {
        let world = open();
        world.refuse("OperationService/Get", code, "stumbled", Some(2));
        let seen = world.client().get_operation(&operation()).await;
        assert!(seen.is_ok(), "{code:?}: {seen:?}");
        assert_eq!(world.counted(GET, code.as_str_name()), 2);
    }
    let world = open();
    world
        .simulator
        .set_fault(Fault::of(Action::Reset).on("OperationService/Get").times(2));
    let seen = world.client().get_operation(&operation()).await;
    assert!(seen.is_ok(), "a new connection: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_over_rest_names_the_request_and_the_role() {
    let world = open();
    world.refuse(
        "OperationService/Get",
        Code::PermissionDenied,
        "Denied, token=t1.canary",
        None,
    );
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("refused");
    let told = error.to_string();
    for words in ["PERMISSION_DENIED", "request id", "needs the role"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(!told.contains("canary"), "{told}");
    let denied = RpcCode::PERMISSION_DENIED;
    assert_eq!(error.look(), LookError::Refused(denied));
    assert_eq!(world.calls(GET), 1);
    world.simulator.clear_faults();
    let unknown = world
        .client()
        .get_operation(&"bt1unknown".parse().expect("an id"))
        .await;
    let error = unknown.expect_err("not there");
    assert_eq!(error.look(), LookError::Refused(RpcCode::NOT_FOUND), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_api_costs_a_call_over_rest_its_own_time() {
    let world = open();
    world
        .simulator
        .set_fault(Fault::of(Action::Delay(Span::minutes(5))).on("OperationService/Get"));
    let started_at = Instant::now();
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("late");
    assert_eq!(started_at.elapsed().as_secs(), 10);
    assert!(
        matches!(error, CloudError::Deadline { method: GET, .. }),
        "{error}"
    );
    assert_eq!(world.counted(GET, "DEADLINE_EXCEEDED"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_gets_its_token_over_rest_and_a_revoked_one_is_replaced() {
    let world = World::guarded().over_rest();
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    world.simulator.revoke_tokens();
    client
        .get_operation(&operation())
        .await
        .expect("answered with a new token");
    assert_eq!(world.calls("IamTokenService.Create"), 2);
    assert_eq!(world.counted("IamTokenService.Create", "OK"), 2);
    tokio::time::sleep(Duration::from_hours(12)).await;
    client.get_operation(&operation()).await.expect("renewed");
}

/// A server that gives each request the next of these answers, whatever it asks for, and tells the requests.
async fn canned(answers: Vec<String>) -> (Client, JoinSet<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    let mut served = JoinSet::new();
    served.spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 16 << 10];
            let length = stream.read(&mut request).await.expect("a request");
            requests.push(String::from_utf8_lossy(&request[..length]).into_owned());
            stream.write_all(answer.as_bytes()).await.expect("sent");
        }
        requests
    });
    let mut settings = Settings::new(Auth::IamToken(Secret::new("t1.canary")));
    settings.transport = Transport::Rest;
    settings.tls.enabled = false;
    settings.endpoints = Endpoints {
        operation: Some(address.clone()),
        datasphere: Some(address),
        iam: None,
    };
    let instruments = Instruments::new("test", "test", "test");
    let client = Client::new(&settings, Clock::system(), &instruments).expect("the settings hold");
    (client, served)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_proxys_page_is_neither_an_answer_nor_the_end_of_an_operation() {
    let page = "<html>canary</html>";
    for (status, code, answers) in [
        ("200 OK", "INTERNAL", 4),
        ("404 Not Found", "UNIMPLEMENTED", 1),
        ("302 Found", "UNKNOWN", 1),
    ] {
        let (client, _served) = canned(vec![http(status, page); answers]).await;
        let error = client.get_operation(&operation()).await.expect_err("a page");
        assert_eq!(error.code(), code, "{error}");
        assert_ne!(error.look(), LookError::Refused(RpcCode::NOT_FOUND), "{error}");
        assert!(!error.chain().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn cancelling_is_get_as_in_the_proto_files_and_post_where_that_is_not_known() {
    let body = json!({"id": "bt1operation"}).to_string();
    let answers = vec![http("405 Method Not Allowed", ""), http("200 OK", &body)];
    let (client, mut served) = canned(answers).await;
    client.cancel_operation(&operation()).await.expect("asked");
    let requests = served.join_next().await.expect("a server").expect("served");
    for (request, verb) in requests.iter().zip(["GET", "POST"]) {
        let line = format!("{verb} /operations/bt1operation:cancel HTTP/1.1\r\n");
        assert!(request.starts_with(&line), "{request}");
        for header in [
            "authorization: Bearer t1.canary\r\n",
            "user-agent: datasphere-exporter/",
        ] {
            assert!(request.contains(header), "{request}");
        }
        assert!(!request.contains("grpc"), "{request}");
    }
    let keys: Vec<_> = requests
        .iter()
        .filter_map(|request| request.lines().find(|line| line.starts_with("idempotency-key: ")))
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_token_that_is_none_is_told_over_rest() {
    let mut guarded = scenario();
    guarded.auth.required = true;
    let world = World::of(&guarded, Settings::new(Auth::Anonymous)).over_rest();
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("no token");
    assert_eq!(error.code(), "UNAUTHENTICATED", "{error}");
}
