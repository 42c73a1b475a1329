//! TLS of the answering side: from settings and files into what a handshake needs, and anew when the files change.

use crate::file;
use crate::limits::PEM_BYTES_MAX;
use crate::listening::trust::{self, Clients};
use crate::listening::words::{CipherSuite, Curve, TlsVersion};
use ring::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// What an operator may set about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate that is shown, and its chain.
    pub cert: Pem,
    /// Its key.
    pub key: Pem,
    /// What is asked of whoever connects.
    pub clients: Clients,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// The newest.
    pub max_version: TlsVersion,
    /// For versions before 1.3, best first; empty for all that there are. Those of 1.3 are always there, as in Go.
    pub cipher_suites: Vec<CipherSuite>,
    /// Whether our order of them counts, and not the client's.
    pub prefers_own_order: bool,
    /// Best first; empty for all that there are.
    pub curves: Vec<Curve>,
    /// What may be spoken over it, best first, by the names of
    /// <https://www.iana.org/assignments/tls-extensiontype-values>.
    pub protocols: Vec<&'static str>,
}

impl TlsSettings {
    /// With this certificate and key, and no further wishes.
    pub fn new(cert: Pem, key: Pem, protocols: Vec<&'static str>) -> Self {
        Self {
            cert,
            key,
            clients: Clients::default(),
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            cipher_suites: Vec::new(),
            prefers_own_order: true,
            curves: Vec::new(),
            protocols,
        }
    }
}

/// Text in PEM: in a file, or written down.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The file.
    File(PathBuf),
    /// The text.
    Inline(String),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(_) => f.write_str("Inline(***)"),
        }
    }
}

/// Why a connection cannot be secured.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct TlsError {
    /// What was set: `cert`, `key` or `client_ca`, with `_file` where it is a file.
    pub key: &'static str,
    /// What is wrong, without a byte of it.
    pub problem: String,
}

/// What a handshake needs. Equal ones were made from equal settings and files.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    fingerprint: [u8; 32],
    verifies_clients: bool,
    demands: Vec<&'static str>,
}

impl Tls {
    /// Reads the files, and makes sure that everything fits together.
    ///
    /// # Errors
    /// [`TlsError`] about the first thing that does not.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let mut material = Material::of(settings);
        let chain = material.certificates(&settings.cert, ["cert", "cert_file"])?;
        let key = material.key(&settings.key)?;
        let authorities = match &settings.clients.ca {
            Some(pem) => Some(material.certificates(pem, ["client_ca", "client_ca_file"])?),
            None => None,
        };
        let provider = Arc::new(provider(settings));
        let unfit = |error: &dyn fmt::Display| TlsError {
            key: if matches!(settings.cert, Pem::File(_)) {
                "cert_file"
            } else {
                "cert"
            },
            problem: format!("certificate and key cannot be used together: {error}"),
        };
        let versions: Vec<_> = [TlsVersion::Tls13, TlsVersion::Tls12]
            .into_iter()
            .filter(|version| (settings.min_version..=settings.max_version).contains(version))
            .map(TlsVersion::protocol)
            .collect();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| TlsError {
                key: "cipher_suites",
                problem: format!("nothing could be spoken with them: {error}"),
            })?;
        let verifier = trust::verifier(&settings.clients, authorities, &provider)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unfit(&error))?;
        config.alpn_protocols = settings
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config.ignore_client_order = settings.prefers_own_order;
        Ok(Self {
            config: Arc::new(config),
            fingerprint: material.fingerprint(),
            verifies_clients: settings.clients.are_verified(),
            demands: settings.clients.demands(),
        })
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// What clients have to show, in words for people.
    pub fn demands(&self) -> &[&'static str] {
        &self.demands
    }

    /// Whether a certificate that a client shows was vouched for.
    pub fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("verifies_clients", &self.verifies_clients)
            .finish_non_exhaustive()
    }
}

/// Primitives, in the order of the settings.
fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        let of_settings = settings
            .cipher_suites
            .iter()
            .filter_map(|suite| suite.of(&provider));
        let of_tls13 = provider.cipher_suites.iter().copied();
        let is_tls13 = |suite: &rustls::SupportedCipherSuite| suite.tls13().is_some();
        provider.cipher_suites = of_settings
            .filter(|suite| !is_tls13(suite))
            .chain(of_tls13.filter(is_tls13))
            .collect();
    }
    if !settings.curves.is_empty() {
        provider.kx_groups = settings
            .curves
            .iter()
            .filter_map(|curve| curve.of(&provider))
            .collect();
    }
    provider
}

/// What is read, with an eye on whether it differs from what was read before.
struct Material {
    seen: Context,
}

impl Material {
    fn of(settings: &TlsSettings) -> Self {
        let mut seen = Context::new(&SHA256);
        seen.update(format!("{settings:?}").as_bytes());
        Self { seen }
    }

    fn fingerprint(self) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(self.seen.finish().as_ref());
        fingerprint
    }

    /// The key of what is told is the second where it is a file.
    fn read(&mut self, pem: &Pem, keys: [&'static str; 2]) -> Result<(Vec<u8>, &'static str), TlsError> {
        let [inline, file_key] = keys;
        let (bytes, key) = match pem {
            Pem::Inline(text) => (text.as_bytes().to_vec(), inline),
            Pem::File(path) => {
                let bytes = file::read(path, PEM_BYTES_MAX).map_err(|error| TlsError {
                    key: file_key,
                    problem: format!("cannot read {}: {error}", path.display()),
                })?;
                (bytes, file_key)
            }
        };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.seen.update(&length.to_be_bytes());
        self.seen.update(&bytes);
        Ok((bytes, key))
    }

    fn certificates(
        &mut self,
        pem: &Pem,
        keys: [&'static str; 2],
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let (bytes, key) = self.read(pem, keys)?;
        let none = || TlsError {
            key,
            problem: "there is no certificate in PEM in it".to_owned(),
        };
        // What the parser says could quote the text.
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        found.ok().filter(|found| !found.is_empty()).ok_or_else(none)
    }

    fn key(&mut self, pem: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
        let (bytes, key) = self.read(pem, ["key", "key_file"])?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| TlsError {
            key,
            problem: "there is no private key in PEM in it".to_owned(),
        })
    }
}

/// A certificate that is shown to whoever connects, and can be read anew meanwhile.
#[derive(Clone, Debug)]
pub struct Shown {
    settings: Arc<TlsSettings>,
    newest: Arc<RwLock<Tls>>,
}

impl Shown {
    /// Reads it.
    ///
    /// # Errors
    /// [`TlsError`] when it cannot be used.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let newest = Tls::load(&settings)?;
        Ok(Self {
            settings: Arc::new(settings),
            newest: Arc::new(RwLock::new(newest)),
        })
    }

    /// What the next handshake takes.
    pub fn newest(&self) -> Tls {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files anew; whether they differ. One that cannot be used changes nothing.
    ///
    /// # Errors
    /// [`TlsError`] when it cannot be used.
    pub fn reread(&self) -> Result<bool, TlsError> {
        let read = Tls::load(&self.settings)?;
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let differs = *newest != read;
        if differs {
            *newest = read;
        }
        Ok(differs)
    }
}
