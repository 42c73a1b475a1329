//! TLS, with an authority and certificates of its own.

use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::delivery::answer::Verdict;
use crate::delivery::sender::Sender;
use crate::delivery::tests::receiver::{Receiver, Reply};
use crate::delivery::tests::{PROTOCOLS, World, at, collector, entry, to};
use crate::delivery::{Delivery, DeliveryError, Exporter, Protocol, Tls};
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// An authority, with files of what it signed.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { folder, issuer }
    }

    /// Certificate and key, in PEM.
    pub(crate) fn sign(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

async fn receiver(authority: &Authority, wants_certificate: bool) -> Receiver {
    let (certificate, key) = authority.sign("localhost");
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    if wants_certificate {
        tls = tls.client_ca_root(Certificate::from_pem(authority.issuer.pem()));
    }
    Receiver::start_at("127.0.0.1:0", Some(tls), |_, _| Reply::Taken).await
}

async fn verdict(protocol: Protocol, receiver: &Receiver, tls: Tls) -> (Verdict, String) {
    let address = format!("https://localhost:{}", receiver.address.port());
    let mut collector = collector(protocol, &address);
    collector.tls = tls;
    let mut sender = Sender::new(Exporter::Collector(Box::new(collector))).expect("settings that hold");
    let answer = sender.send(Bytes::from(entry(1).bytes), at(0)).await;
    (answer.verdict, answer.to_string())
}

const TAKEN: Verdict = Verdict::Taken { rejected: 0 };

#[tokio::test]
async fn the_authority_that_is_named_is_trusted_and_no_other() {
    let authority = Authority::new();
    let receiver = receiver(&authority, false).await;
    for protocol in PROTOCOLS {
        let tls = Tls {
            certificate: Some(authority.ca()),
            ..Tls::default()
        };
        let (taken, told) = verdict(protocol, &receiver, tls).await;
        assert_eq!(taken, TAKEN, "{told}");
        let other = Authority::new();
        let tls = Tls {
            certificate: Some(other.ca()),
            ..Tls::default()
        };
        let (refused, told) = verdict(protocol, &receiver, tls).await;
        assert_eq!(refused, Verdict::Again { after: None });
        assert!(told.contains("certificate"), "{told}");
    }
}

#[tokio::test]
async fn a_collector_that_wants_our_certificate_gets_it() {
    let authority = Authority::new();
    let receiver = receiver(&authority, true).await;
    let (certificate, key) = authority.sign("exporter");
    let ours = Tls {
        certificate: Some(authority.ca()),
        client_certificate: Some(authority.file("client.pem", &certificate)),
        client_key: Some(authority.file("client.key", &key)),
    };
    for protocol in PROTOCOLS {
        let (taken, told) = verdict(protocol, &receiver, ours.clone()).await;
        assert_eq!(taken, TAKEN, "{told}");
        let without = Tls {
            certificate: Some(authority.ca()),
            ..Tls::default()
        };
        let (refused, _) = verdict(protocol, &receiver, without).await;
        assert_eq!(refused, Verdict::Again { after: None });
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_by_name() {
    let world = World::new().await;
    let authority = Authority::new();
    let (certificate, _) = authority.sign("exporter");
    let (_, other_key) = authority.sign("exporter");
    let certificate = authority.file("client.pem", &certificate);
    let error = |tls: Tls| {
        let mut collector = collector(Protocol::Grpc, "https://localhost:1");
        collector.tls = tls;
        let (clock, instruments) = (Clock::system(), Instruments::new("", "", ""));
        Delivery::new(to(collector), world.store.outbox(), clock, &instruments).expect_err("unusable")
    };
    let missing = error(Tls {
        certificate: Some("/nowhere/ca.pem".into()),
        ..Tls::default()
    });
    assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    let empty = error(Tls {
        certificate: Some(authority.file("empty.pem", "-- canary --")),
        ..Tls::default()
    });
    assert!(
        matches!(&empty, DeliveryError::FileContent { path, .. } if path.ends_with(Path::new("empty.pem")))
    );
    assert!(!empty.to_string().contains("canary"));
    let no_key = error(Tls {
        client_certificate: Some(certificate.clone()),
        client_key: Some(certificate.clone()),
        ..Tls::default()
    });
    assert!(matches!(
        no_key,
        DeliveryError::FileContent {
            what: "client key",
            ..
        }
    ));
    let other_key = error(Tls {
        client_certificate: Some(certificate),
        client_key: Some(authority.file("other.key", &other_key)),
        ..Tls::default()
    });
    assert!(matches!(other_key, DeliveryError::Tls(_)), "{other_key}");
}
