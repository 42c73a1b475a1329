//! Tokens, discovery, encryption.

use super::{ONE_JOB, look, operations};
use crate::simulated::{Bound, Piped, START_SECONDS, clock, http};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use datasphere_exporter::proto::yandex::cloud::{
    endpoint::{ListApiEndpointsRequest, api_endpoint_service_client::ApiEndpointServiceClient},
    iam::v1::{
        CreateIamTokenRequest, RevokeIamTokenRequest, create_iam_token_request::Identity as Proof,
        iam_token_service_client::IamTokenServiceClient,
    },
    operation::GetOperationRequest,
};
use datasphere_exporter::simulator::{Identity, Scenario, Settings, Simulator};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

/// A scenario that knows the key of the fixture and lets nobody in without a token.
fn guarded() -> String {
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/service_account_key.json"
    );
    format!(
        "auth:\n  required: true\n  tokens: [fixed-token]\n  oauth_tokens: [y0_known]\n  service_accounts:\n  - id: ajeaccountsimulated1\n    keys: [{{ id: ajekeyofsimulation01, public_key_file: {key} }}]\n{ONE_JOB}"
    )
}

fn claims() -> Value {
    json!({
        "iss": "ajeaccountsimulated1",
        "aud": "https://iam.api.cloud.yandex.net/iam/v1/tokens",
        "iat": START_SECONDS,
        "exp": START_SECONDS + 3600,
    })
}

fn signed(header: &Value, claims: &Value) -> String {
    let file: Value = serde_json::from_str(include_str!("../../fixtures/service_account_key.json")).unwrap();
    let pem = file["private_key"].as_str().unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PSS_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({ "typ": "JWT", "alg": "PS256", "kid": "ajekeyofsimulation01" })
}

async fn exchange(simulated: &Piped, proof: Proof) -> Result<String, Status> {
    let mut tokens = IamTokenServiceClient::new(simulated.channel());
    let created = tokens
        .create(CreateIamTokenRequest {
            identity: Some(proof),
        })
        .await?;
    Ok(created.into_inner().iam_token)
}

async fn look_with(simulated: &Piped, token: &str) -> Result<String, Code> {
    let mut request = Request::new(GetOperationRequest {
        operation_id: "bt1operation".to_owned(),
    });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = operations(simulated)
        .get(request)
        .await
        .map_err(|status| status.code())?;
    Ok(answer.into_inner().id)
}

#[tokio::test(start_paused = true)]
async fn a_signed_jwt_buys_a_token_that_opens_the_door() {
    let simulated = Piped::start(&guarded());
    assert_eq!(
        look(&simulated, "bt1operation").await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let token = exchange(&simulated, Proof::Jwt(signed(&header(), &claims())))
        .await
        .unwrap();
    assert!(token.starts_with("t1."));
    assert_eq!(look_with(&simulated, &token).await.as_deref(), Ok("bt1operation"));
    assert_eq!(
        look_with(&simulated, "fixed-token").await.as_deref(),
        Ok("bt1operation")
    );
    assert_eq!(
        look_with(&simulated, "t1.forged.token").await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test(start_paused = true)]
async fn a_jwt_that_is_wrong_in_any_part_buys_nothing() {
    let simulated = Piped::start(&guarded());
    let with = |key: &str, value: Value| {
        let mut claims = claims();
        claims[key] = value;
        signed(&header(), &claims)
    };
    let header_with = |key: &str, value: &str| {
        let mut header = header();
        header[key] = json!(value);
        signed(&header, &claims())
    };
    let good = signed(&header(), &claims());
    let cases = [
        (with("iss", json!("ajesomebodyelse00000")), "key"),
        (with("aud", json!("https://example.org/")), "audience"),
        (with("exp", json!(START_SECONDS)), "expired"),
        (with("exp", json!(START_SECONDS + 3601)), "longer"),
        (with("iat", json!(START_SECONDS + 61)), "future"),
        (header_with("alg", "RS256"), "PS256"),
        (header_with("kid", "ajeotherkey000000000"), "key"),
        (good.replacen('.', ".A", 1), "claims"),
        (good[..good.len() - 8].to_owned(), "signature"),
        ("nonsense".to_owned(), "signature"),
        (
            include_str!("../../fixtures/jwt_with_long_salt.txt")
                .trim()
                .to_owned(),
            "salt",
        ),
    ];
    for (jwt, named) in cases {
        let status = exchange(&simulated, Proof::Jwt(jwt)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(
            status.message().contains(named),
            "{} should name {named}",
            status.message()
        );
    }
    assert!(
        exchange(&simulated, Proof::YandexPassportOauthToken("y0_known".to_owned()))
            .await
            .is_ok()
    );
    let unknown = exchange(&simulated, Proof::YandexPassportOauthToken("y0_other".to_owned())).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused_even_where_none_is_needed() {
    let simulated = Piped::start(ONE_JOB);
    let (first, second) = (
        simulated.handle.issue_token("aje1"),
        simulated.handle.issue_token("aje1"),
    );
    let mut tokens = IamTokenServiceClient::new(simulated.channel());
    let revoked = tokens
        .revoke(RevokeIamTokenRequest {
            iam_token: first.clone(),
        })
        .await
        .unwrap();
    assert_eq!(revoked.into_inner().subject_id, "aje1");
    assert_eq!(look_with(&simulated, &first).await, Err(Code::Unauthenticated));
    assert!(look_with(&simulated, &second).await.is_ok());
    simulated.handle.revoke_tokens();
    assert_eq!(look_with(&simulated, &second).await, Err(Code::Unauthenticated));
    assert!(
        look_with(&simulated, "t1.of.another.cloud").await.is_ok(),
        "a foreign token counts as none"
    );
}

#[tokio::test]
async fn discovery_answers_with_the_address_that_the_caller_used() {
    let simulated = Bound::start(&guarded()).await;
    let mut endpoints = ApiEndpointServiceClient::new(simulated.channel().await);
    let listed = endpoints
        .list(ListApiEndpointsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .endpoints;
    let address = simulated.grpc.to_string();
    for id in ["datasphere", "iam", "operation"] {
        assert!(
            listed
                .iter()
                .any(|endpoint| endpoint.id == id && endpoint.address == address),
            "{listed:?}"
        );
    }
    let settings = Settings {
        advertise_address: Some("gate.example:1".to_owned()),
        ..Settings::loopback()
    };
    let simulated = Bound::with(ONE_JOB, settings).await;
    let mut endpoints = ApiEndpointServiceClient::new(simulated.channel().await);
    let listed = endpoints
        .list(ListApiEndpointsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .endpoints;
    assert!(listed.iter().all(|endpoint| endpoint.address == "gate.example:1"));
}

#[tokio::test]
async fn instance_metadata_and_workload_identity_give_tokens() {
    let simulated = Bound::start(&guarded()).await;
    let path = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1";
    assert_eq!(http(path, simulated.http).await.0, 403);
    let (status, body) = http(&format!("{path}\nmetadata-flavor: Google"), simulated.http).await;
    let given: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &given["token_type"], &given["expires_in"]),
        (200, &json!("Bearer"), &json!(43_200))
    );
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
        &requested_token_type=urn:ietf:params:oauth:token-type:access_token\
        &subject_token_type=urn:ietf:params:oauth:token-type:id_token&subject_token=x";
    for (audience, expected) in [("ajeaccountsimulated1", 200), ("ajenobody", 401)] {
        let request = format!("POST /oauth/token HTTP/1.1\n\n{form}&audience={audience}");
        assert_eq!(http(&request, simulated.http).await.0, expected);
    }
}

#[tokio::test]
async fn the_simulator_speaks_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = Identity {
        certificate_pem: made.cert.pem().into_bytes(),
        key_pem: made.signing_key.serialize_pem().into_bytes(),
    };
    let simulated = Bound::with(
        ONE_JOB,
        Settings {
            identity: Some(identity),
            ..Settings::loopback()
        },
    )
    .await;
    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(made.cert.pem()))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", simulated.grpc.port())).unwrap();
    let channel = endpoint.tls_config(trust).unwrap().connect().await.unwrap();
    let mut endpoints = ApiEndpointServiceClient::new(channel);
    let listed = endpoints
        .list(ListApiEndpointsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .endpoints;
    assert_eq!(listed[0].address, format!("localhost:{}", simulated.grpc.port()));
}

#[tokio::test]
async fn a_port_that_is_taken_and_a_key_without_a_file_are_clear_errors() {
    let simulated = Bound::start(ONE_JOB).await;
    let settings = Settings {
        listen_address: simulated.grpc,
        ..Settings::loopback()
    };
    let refused = Simulator::bind(&Scenario::default(), settings, clock())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains(&simulated.grpc.to_string()), "{refused}");
    let text =
        "auth: { service_accounts: [{ id: a, keys: [{ id: k, public_key_file: /nowhere/key.json }] }] }";
    let scenario = Scenario::parse(text).unwrap();
    let refused = Simulator::bind(&scenario, Settings::loopback(), clock())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("/nowhere/key.json"), "{refused}");
}
