//! The certificate that callers see.

use super::support::{House, PATIENCE, gateway, settings};
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::flow::Inbox;
use datasphere_exporter::gateway::{Settings, Tls};
use rcgen::CertifiedKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Writes a certificate and its key; the certificate.
fn exchange(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("a file");
    fs::write(folder.join("cert.pem"), cert.pem()).expect("a file");
    CertificateDer::from_pem_slice(cert.pem().as_bytes()).expect("a certificate")
}

/// Whether a caller that trusts this certificate alone comes to speak TLS.
async fn is_shown(house: &House, trusted: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(house.gateway).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(PATIENCE, connecting)
        .await
        .expect("in time")
        .is_ok()
}

#[tokio::test]
async fn the_certificate_for_callers_is_exchanged_while_the_gateway_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = exchange(folder.path());
    let settings = Settings {
        tls: Some(Tls {
            cert_file: folder.path().join("cert.pem"),
            key_file: folder.path().join("key.pem"),
        }),
        ..settings()
    };
    let house = House::open_with(settings).await;
    let certificate = house.certificate.clone().expect("a certificate");
    assert!(is_shown(&house, &first).await);
    assert!(!certificate.reread().expect("the same files"));
    let second = exchange(folder.path());
    assert!(is_shown(&house, &first).await, "nobody has read it yet");
    assert!(certificate.reread().expect("new files"));
    assert!(is_shown(&house, &second).await);
    assert!(!is_shown(&house, &first).await);
    fs::write(folder.path().join("key.pem"), "canary").expect("a file");
    let refusal = certificate.reread().expect_err("no key").to_string();
    assert!(
        refusal.starts_with("key_file: there is no private key"),
        "{refusal}"
    );
    assert!(
        is_shown(&house, &second).await,
        "what cannot be used changes nothing"
    );
}

#[test]
fn a_check_says_whether_the_certificate_could_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    exchange(folder.path());
    let settings = Settings {
        tls: Some(Tls {
            cert_file: folder.path().join("cert.pem"),
            key_file: folder.path().join("key.pem"),
        }),
        ..settings()
    };
    settings.check().expect("it can be used");
    fs::write(folder.path().join("key.pem"), "canary").expect("a file");
    let refusal = settings.check().expect_err("no key");
    let told = format!("{refusal:?} {refusal}");
    assert!(told.contains("key") && !told.contains("canary"), "{told}");
}

#[tokio::test]
async fn callers_tokens_are_exposed_in_plaintext_beyond_the_loopback_alone() {
    let upstream = "127.0.0.1:1".parse().expect("an address");
    let exposed = async |listen_address: &str| {
        let settings = Settings {
            listen_address: listen_address.to_owned(),
            ..settings()
        };
        let instruments = Instruments::new("test", "test", "test");
        let gateway = gateway(settings, upstream, Inbox::new().0, &instruments, Clock::system());
        gateway.await.is_exposed()
    };
    assert!(exposed("0.0.0.0:0").await);
    assert!(!exposed("127.0.0.1:0").await);
}
