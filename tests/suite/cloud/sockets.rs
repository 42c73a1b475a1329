//! What needs real sockets: TLS, discovery, and token services that speak HTTP.

use crate::cloud::support::{account, scenario};
use crate::cloud::{operation, project};
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{Auth, Client, CloudError, Endpoints, Settings, Tls, Transport};
use datasphere_exporter::simulator::scenario::Scenario;
use datasphere_exporter::simulator::{self, Handle, Identity, Simulator};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Served {
    handle: Handle,
    grpc: SocketAddr,
    http: SocketAddr,
    _server: JoinSet<()>,
}

async fn serve(scenario: &Scenario, settings: simulator::Settings) -> Served {
    let simulator = Simulator::bind(scenario, settings, Clock::system())
        .await
        .expect("binds");
    let (handle, grpc, http) = (
        simulator.handle(),
        simulator.grpc_address(),
        simulator.http_address(),
    );
    let mut server = JoinSet::new();
    server.spawn(async move { simulator.run(CancellationToken::new()).await.expect("serves") });
    Served {
        handle,
        grpc,
        http,
        _server: server,
    }
}

fn guarded() -> Scenario {
    let mut scenario = scenario();
    scenario.auth.required = true;
    scenario.auth.service_accounts = vec![account()];
    scenario
}

fn plain(auth: Auth, address: SocketAddr) -> Settings {
    let mut settings = Settings::new(auth);
    settings.endpoint = address.to_string();
    settings.tls.enabled = false;
    settings
}

fn client(settings: &Settings) -> Result<Client, CloudError> {
    Client::new(
        settings,
        Clock::system(),
        &Instruments::new("test", "test", "test"),
    )
}

#[tokio::test]
async fn the_addresses_of_services_are_looked_up_once() {
    let served = serve(&scenario(), simulator::Settings::loopback()).await;
    let client = client(&plain(Auth::Anonymous, served.grpc)).expect("the settings hold");
    client.get_operation(&operation()).await.expect("answered");
    client.get_project(&project()).await.expect("answered");
    let lookups = served
        .handle
        .calls("/yandex.cloud.endpoint.ApiEndpointService/List");
    assert_eq!(lookups, 1);
}

#[tokio::test]
async fn the_addresses_of_services_are_looked_up_over_rest_too() {
    let served = serve(&scenario(), simulator::Settings::loopback()).await;
    let mut settings = plain(Auth::Anonymous, served.grpc);
    settings.transport = Transport::Rest;
    let client = client(&settings).expect("the settings hold");
    client.get_operation(&operation()).await.expect("answered");
    client.get_project(&project()).await.expect("answered");
    let lookups = served
        .handle
        .calls("/yandex.cloud.endpoint.ApiEndpointService/List");
    assert_eq!(lookups, 1);
}

#[tokio::test]
async fn explicit_addresses_are_not_looked_up() {
    let served = serve(&scenario(), simulator::Settings::loopback()).await;
    let mut settings = plain(Auth::Anonymous, nobody().await);
    let address = Some(served.grpc.to_string());
    settings.endpoints = Endpoints {
        operation: address.clone(),
        datasphere: address,
        iam: None,
    };
    let client = client(&settings).expect("the settings hold");
    client.get_operation(&operation()).await.expect("answered");
    client.get_project(&project()).await.expect("answered");
}

/// A loopback address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn a_cloud_that_cannot_be_reached_is_told_by_calls_and_not_at_the_start() {
    let address = nobody().await;
    let client = client(&plain(Auth::Anonymous, address)).expect("the settings hold");
    let error = client
        .get_operation(&operation())
        .await
        .expect_err("nobody is there");
    let told = error.chain();
    for words in [
        "OperationService.Get",
        "ApiEndpointService.List",
        &address.to_string(),
        "refused",
    ] {
        assert!(told.contains(words), "{told}");
    }
}

/// A certificate for `simulator.test`, its file, and the server's half.
fn identity(folder: &Path) -> (PathBuf, Identity) {
    let made = rcgen::generate_simple_self_signed(["simulator.test".to_owned()]).expect("a certificate");
    let ca_file = folder.join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).expect("written");
    let identity = Identity {
        certificate_pem: made.cert.pem().into_bytes(),
        key_pem: made.signing_key.serialize_pem().into_bytes(),
    };
    (ca_file, identity)
}

#[tokio::test]
async fn tls_trusts_the_file_that_is_named_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ca_file, identity) = identity(folder.path());
    let mut simulated = simulator::Settings::loopback();
    simulated.identity = Some(identity);
    let served = serve(&scenario(), simulated).await;
    let mut settings = plain(Auth::Anonymous, served.grpc);
    let with = |ca_file: Option<PathBuf>, server_name: Option<&str>| Tls {
        enabled: true,
        ca_file,
        server_name: server_name.map(str::to_owned),
    };

    settings.tls = with(Some(ca_file.clone()), Some("simulator.test"));
    let trusting = client(&settings).expect("the settings hold");
    trusting
        .get_operation(&operation())
        .await
        .expect("answered over TLS");

    settings.tls = with(Some(ca_file.clone()), None);
    let other_name = client(&settings).expect("the settings hold");
    let told = other_name
        .get_operation(&operation())
        .await
        .expect_err("another name")
        .chain();
    assert!(told.contains("certificate"), "{told}");

    settings.tls = with(Some(ca_file.clone()), Some("simulator.test"));
    settings.transport = Transport::Rest;
    let over_rest = client(&settings).expect("the settings hold");
    over_rest
        .get_operation(&operation())
        .await
        .expect("answered over TLS");
    settings.tls = with(Some(ca_file), None);
    let other_name = client(&settings).expect("the settings hold");
    other_name
        .get_operation(&operation())
        .await
        .expect_err("another name");
    settings.transport = Transport::Grpc;

    settings.tls = Tls {
        enabled: false,
        ..Tls::default()
    };
    let in_clear = client(&settings).expect("the settings hold");
    in_clear
        .get_operation(&operation())
        .await
        .expect_err("the server wants TLS");
}

#[tokio::test]
async fn tls_on_one_side_alone_is_told_as_what_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ca_file, identity) = identity(folder.path());
    let in_plain = serve(&scenario(), simulator::Settings::loopback()).await;
    for transport in [Transport::Grpc, Transport::Rest] {
        let mut settings = plain(Auth::Anonymous, in_plain.grpc);
        settings.transport = transport;
        settings.tls = Tls {
            enabled: true,
            ca_file: Some(ca_file.clone()),
            ..Tls::default()
        };
        let asked = client(&settings).expect("the settings hold");
        let told = asked
            .get_operation(&operation())
            .await
            .expect_err("no TLS")
            .chain();
        assert!(
            told.contains("speaks no TLS") && told.contains("cloud.tls.enabled: false"),
            "{told}"
        );
    }
    let mut simulated = simulator::Settings::loopback();
    simulated.identity = Some(identity);
    let secured = serve(&scenario(), simulated).await;
    let mut settings = plain(Auth::Anonymous, secured.grpc);
    for transport in [Transport::Grpc, Transport::Rest] {
        settings.transport = transport;
        let asked = client(&settings).expect("the settings hold");
        let told = asked
            .get_operation(&operation())
            .await
            .expect_err("TLS only")
            .chain();
        // A connection that is reset before its alert was read tells less.
        assert!(told.contains("cloud.tls"), "{told}");
    }
}

#[tokio::test]
async fn a_virtual_machine_gets_its_token_from_the_metadata_service() {
    let served = serve(&guarded(), simulator::Settings::loopback()).await;
    let address = served.http.to_string();
    let client = client(&plain(Auth::Metadata { address }, served.grpc)).expect("the settings hold");
    client.get_operation(&operation()).await.expect("answered");
}

#[tokio::test]
async fn a_machine_without_a_service_account_is_told() {
    let served = serve(&guarded(), simulator::Settings::loopback()).await;
    let address = format!("{}/elsewhere", served.http);
    let client = client(&plain(Auth::Metadata { address }, served.grpc)).expect("the settings hold");
    let told = client.get_operation(&operation()).await.expect_err("404").chain();
    assert!(told.contains("404"), "{told}");
}

#[tokio::test]
async fn another_providers_token_is_exchanged_for_one_of_the_cloud() {
    let served = serve(&guarded(), simulator::Settings::loopback()).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "eyJhbGciOiJub25lIn0.e30.\n").expect("written");
    let auth = |service_account_id: &str| Auth::WorkloadIdentity {
        service_account_id: service_account_id.to_owned(),
        token_file: token_file.clone(),
        token_url: format!("http://{}/oauth/token", served.http),
    };
    let known = client(&plain(auth("ajethrowawayaccount1"), served.grpc)).expect("the settings hold");
    known.get_operation(&operation()).await.expect("answered");
    let unknown = client(&plain(auth("ajenobody"), served.grpc)).expect("the settings hold");
    let told = unknown
        .get_operation(&operation())
        .await
        .expect_err("refused")
        .chain();
    assert!(told.contains("invalid_target"), "{told}");
}
