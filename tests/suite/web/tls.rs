//! Certificates of our own, and clients that speak TLS as a test wants.

use super::support::{self, Door, PATIENCE, Reply};
use base64::Engine;
use bytes::Bytes;
use datasphere_exporter::config::protection;
use datasphere_exporter::model::View;
use datasphere_exporter::web::{Protected, Server};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore, SupportedProtocolVersion};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// Vouches for others.
pub(crate) struct Authority {
    pub(crate) cert: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).expect("a certificate").pem();
        Self {
            cert,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn server(&self) -> Identity {
        self.identity(&mut named(&["localhost"]), ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub(crate) fn client(&self, mut params: CertificateParams) -> Identity {
        self.identity(&mut params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn identity(&self, params: &mut CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Identity {
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}

pub(crate) fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// With other names than those of hosts.
pub(crate) fn called(names: Vec<SanType>) -> CertificateParams {
    let mut params = named(&[]);
    params.subject_alt_names = names;
    params
}

/// Vouched for by itself, and an authority, as `openssl req -x509` makes them.
pub(crate) fn self_signed(mut params: CertificateParams) -> Identity {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    Identity {
        cert: params.self_signed(&key).expect("a certificate").pem(),
        key: key.serialize_pem(),
    }
}

pub(crate) fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    params
}

/// A folder with the certificates that the files of the tests name.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) clients: Authority,
    /// Vouched for by `clients`.
    pub(crate) client: Identity,
    /// Listed as it is, in `listed.pem`.
    pub(crate) listed: Identity,
    /// Listed too, and of a time that is over.
    pub(crate) outdated: Identity,
    /// Nobody vouches for it.
    pub(crate) stranger: Identity,
}

impl Files {
    pub(crate) fn new() -> Self {
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = authority.server();
        let files = Self {
            folder: tempfile::tempdir().expect("a folder"),
            client: clients.client(named(&["prometheus.example"])),
            listed: self_signed(named(&["listed.example"])),
            outdated: self_signed(expired(named(&["outdated.example"]))),
            stranger: self_signed(named(&["stranger.example"])),
            authority,
            clients,
        };
        files.write("server.crt", &server.cert);
        files.write("server.key", &server.key);
        files.write("other.key", &files.stranger.key);
        files.write("clients.crt", &files.clients.cert);
        files.write(
            "listed.pem",
            &format!("{}{}", files.listed.cert, files.outdated.cert),
        );
        files.write("empty.pem", "no certificate\n");
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // In one step, as who exchanges certificates should.
        let new = self.folder.path().join("new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, self.folder.path().join(name)).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("a file")
    }

    /// What is wrong with a file.
    pub(crate) fn refusal(&self, yaml: &str) -> String {
        self.write("web.yml", yaml);
        let refused = protection(&self.web()).map(|_| ());
        refused.expect_err(yaml).to_string()
    }

    pub(crate) fn web(&self) -> std::path::PathBuf {
        self.folder.path().join("web.yml")
    }

    /// A server that is protected by a file.
    pub(crate) async fn open(&self, yaml: &str) -> (Door, Protected) {
        self.open_changed(yaml, |server| server).await
    }

    pub(crate) async fn open_changed(
        &self,
        yaml: &str,
        change: impl FnOnce(Server) -> Server,
    ) -> (Door, Protected) {
        self.write("web.yml", yaml);
        let loaded = protection(Path::new(&self.web())).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        let mut protected = None;
        let door = Door::open_with(View::default(), support::settings(), |server| {
            server.protected().replace(loaded);
            protected = Some(server.protected());
            change(server)
        })
        .await;
        (door, protected.expect("a server"))
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            roots: vec![self.authority.cert.clone()],
            ..Caller::default()
        }
    }
}

/// A client of our own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) roots: Vec<String>,
    /// In plain without.
    pub(crate) is_plain: bool,
    pub(crate) identity: Option<Identity>,
    pub(crate) user: Option<(&'static str, &'static str)>,
    /// All, when there are none.
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) curves: Vec<NamedGroup>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) protocols: Vec<&'static str>,
}

impl Caller {
    pub(crate) fn plain() -> Self {
        Self {
            is_plain: true,
            ..Self::default()
        }
    }

    pub(crate) fn showing(self, identity: &Identity) -> Self {
        Self {
            identity: Some(identity.clone()),
            ..self
        }
    }

    pub(crate) fn signing_in(self, user: &'static str, password: &'static str) -> Self {
        Self {
            user: Some((user, password)),
            ..self
        }
    }

    fn config(&self) -> ClientConfig {
        let mut provider = rustls::crypto::ring::default_provider();
        if !self.suites.is_empty() {
            let all = provider.cipher_suites.clone();
            let of = |name: &CipherSuite| all.iter().find(|suite| suite.suite() == *name).copied();
            provider.cipher_suites = self.suites.iter().filter_map(of).collect();
        }
        if !self.curves.is_empty() {
            provider
                .kx_groups
                .retain(|group| self.curves.contains(&group.name()));
        }
        let versions = if self.versions.is_empty() {
            rustls::ALL_VERSIONS
        } else {
            &self.versions
        };
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            let root = CertificateDer::from_pem_slice(root.as_bytes()).expect("a certificate");
            roots.add(root).expect("an authority");
        }
        let usable = self.suites.is_empty() || versions.len() == 1;
        let versions = if usable {
            versions
        } else {
            &[&rustls::version::TLS12][..]
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let cert = CertificateDer::from_pem_slice(identity.cert.as_bytes()).expect("a certificate");
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(vec![cert], key).expect("a pair")
            }
        };
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    }

    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(self.config()));
        let secured = tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await;
        secured.expect("in time").map_err(|error| error.to_string())
    }

    /// One request and its answer, or why there is none.
    pub(crate) async fn get(&self, door: &Door, path: &str) -> Result<Reply, String> {
        let credential = self.user.map(|(user, password)| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {encoded}")
        });
        let headers: Vec<(&str, &str)> = credential
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        let stream = door.connect().await;
        if self.is_plain {
            return support::try_ask(stream, "GET", path, &headers, Bytes::new()).await;
        }
        let stream = self.secure(stream).await?;
        support::try_ask(stream, "GET", path, &headers, Bytes::new()).await
    }

    /// The status of an answer; `None` when there was none.
    pub(crate) async fn status(&self, door: &Door) -> Option<u16> {
        self.get(door, "/-/healthy").await.ok().map(|reply| reply.status)
    }
}
