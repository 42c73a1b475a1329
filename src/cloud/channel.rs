//! Connections: addresses, TLS, and what a public gRPC server tolerates.

use crate::cloud::rest::{Http, Rest};
use crate::cloud::screen::Screened;
use crate::cloud::{CloudError, Protocols, Settings, Transport};
use crate::files;
use crate::limits::PEM_BYTES_MAX;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_rustls::{ConfigBuilderExt, FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

/// Longest time for TCP and TLS to come up: less than a request's own time, so that the reason is told.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time without a sign of the other side after which a call in flight asks for one. Servers close connections that
/// ask more often than they like (gRPC's own default is five minutes, most clouds allow one); the cloud's limit is
/// not published.
const KEEPALIVE_INTERVAL: Duration = Duration::from_mins(1);

/// How long that sign may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Makes connections as the settings say; files are read when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    transport: Transport,
    trust: Trust,
    server_name: Option<String>,
    user_agent: String,
}

#[derive(Clone, Debug)]
enum Trust {
    /// No TLS.
    Nothing,
    /// The system's authorities.
    System,
    /// These, in PEM.
    File { path: PathBuf, pem: Vec<u8> },
}

/// One address and the connection to it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) link: Link,
    pub(crate) address: Arc<str>,
    made_at: Instant,
    /// Since when nothing was answered, in milliseconds after `made_at`; zero while answers come.
    fails_since_ms: AtomicU64,
}

/// What calls travel over.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    /// A channel of HTTP/2.
    Grpc(Screened),
    /// Requests of HTTP/1.1.
    Rest(Rest),
}

impl Link {
    /// Its name in spans.
    pub(crate) fn system(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "grpc",
            Self::Rest(_) => "rest",
        }
    }
}

impl Route {
    pub(crate) fn new(link: Link, address: &str) -> Self {
        Self {
            link,
            address: address.into(),
            made_at: Instant::now(),
            fails_since_ms: AtomicU64::new(0),
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&self) {
        if self.fails_since_ms.load(Ordering::Relaxed) != 0 {
            self.fails_since_ms.store(0, Ordering::Relaxed);
        }
    }

    /// A call was not answered; for how long that has been so of all calls.
    pub(crate) fn fails_for(&self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.made_at).as_millis();
        let now_ms = u64::try_from(elapsed).unwrap_or(u64::MAX).max(1);
        let first = self
            .fails_since_ms
            .compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        Duration::from_millis(now_ms.saturating_sub(first.err().unwrap_or(now_ms)))
    }
}

impl Dialer {
    /// # Errors
    /// The CA file cannot be read or holds no certificate.
    pub(crate) fn new(settings: &Settings) -> Result<Self, CloudError> {
        let trust = match (settings.tls.enabled, &settings.tls.ca_file) {
            (false, _) => Trust::Nothing,
            (true, None) => Trust::System,
            (true, Some(path)) => read_authorities(path.clone())?,
        };
        Ok(Self {
            transport: settings.transport,
            trust,
            server_name: settings.tls.server_name.clone(),
            user_agent: settings.user_agent.clone(),
        })
    }

    /// A connection that is made at its first use, and made anew whenever it broke.
    ///
    /// # Errors
    /// The address is not one, or TLS cannot be set up.
    pub(crate) fn dial(&self, address: &str) -> Result<Route, CloudError> {
        let uri = self.uri(address)?;
        let link = match self.transport {
            Transport::Grpc => self.grpc(uri)?,
            Transport::Rest => self.rest(Http::over(self.connector(Protocols::Http1)?), uri)?,
        };
        Ok(Route::new(link, address))
    }

    fn grpc(&self, uri: Uri) -> Result<Link, CloudError> {
        let endpoint = Endpoint::from(uri)
            .user_agent(self.user_agent.as_str())
            .map_err(|_| CloudError::UserAgent)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(false);
        let endpoint = match self.tls() {
            Some(tls) => endpoint.tls_config(tls).map_err(|error| tls_error(&error))?,
            None => endpoint,
        };
        Ok(Link::Grpc(Screened::new(endpoint.connect_lazy())))
    }

    /// REST over connections that exist already.
    ///
    /// # Errors
    /// The address is not one.
    pub(crate) fn over_http(&self, http: Http, address: &str) -> Result<Route, CloudError> {
        Ok(Route::new(self.rest(http, self.uri(address)?)?, address))
    }

    fn rest(&self, http: Http, uri: Uri) -> Result<Link, CloudError> {
        let parts = uri.into_parts();
        let user_agent = HeaderValue::from_str(&self.user_agent).map_err(|_| CloudError::UserAgent)?;
        Ok(Link::Rest(Rest {
            http,
            scheme: parts.scheme.unwrap_or(Scheme::HTTPS),
            authority: parts.authority.unwrap_or(Authority::from_static("localhost")),
            user_agent,
        }))
    }

    /// HTTP/1.1 with the same trust, or the system's where the cloud has no TLS: for token services. No authority is
    /// needed, nor looked for, to reach one without TLS.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(crate) fn http(&self, uri: &Uri) -> Result<HttpsConnector<HttpConnector>, CloudError> {
        let tls = self.client_config(uri.scheme_str() == Some("https"))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
        Ok(builder.https_or_http().enable_http1().wrap_connector(tcp()))
    }

    /// Connections to the cloud itself.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(crate) fn connector(
        &self,
        protocols: Protocols,
    ) -> Result<HttpsConnector<HttpConnector>, CloudError> {
        let tls = self.client_config(self.is_encrypted())?;
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        if let Some(name) = &self.server_name {
            let name = ServerName::try_from(name.clone()).map_err(|error| tls_error(&error))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        Ok(match protocols {
            Protocols::Grpc => builder.enable_http2().wrap_connector(tcp()),
            Protocols::Http1 => builder.enable_http1().wrap_connector(tcp()),
        })
    }

    /// Whether the cloud is spoken to over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        !matches!(self.trust, Trust::Nothing)
    }

    /// What a server has to prove; where nothing is encrypted no authority is needed, nor looked for.
    fn client_config(&self, is_encrypted: bool) -> Result<ClientConfig, CloudError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(&error))?;
        let builder = match &self.trust {
            _ if !is_encrypted => builder.with_root_certificates(RootCertStore::empty()),
            Trust::File { path, pem } => builder.with_root_certificates(root_store(path, pem)?),
            Trust::System | Trust::Nothing => {
                builder.with_native_roots().map_err(|error| tls_error(&error))?
            }
        };
        Ok(builder.with_no_client_auth())
    }

    fn tls(&self) -> Option<ClientTlsConfig> {
        let tls = match &self.trust {
            Trust::Nothing => return None,
            Trust::System => ClientTlsConfig::new().with_native_roots(),
            Trust::File { pem, .. } => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        };
        Some(match &self.server_name {
            Some(name) => tls.domain_name(name),
            None => tls,
        })
    }

    /// The address with its scheme.
    pub(crate) fn uri(&self, address: &str) -> Result<Uri, CloudError> {
        let wrong = |problem: String| CloudError::Address {
            address: address.to_owned(),
            problem,
        };
        if address.contains(['/', '@']) {
            return Err(wrong("it has more than a host and a port".to_owned()));
        }
        let authority: Authority = address
            .parse()
            .map_err(|error: InvalidUri| wrong(error.to_string()))?;
        if authority.port_u16().is_none() && !address.ends_with(authority.host()) {
            return Err(wrong("its port is not a number".to_owned()));
        }
        let scheme = match self.trust {
            Trust::Nothing => "http",
            Trust::System | Trust::File { .. } => "https",
        };
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(PathAndQuery::from_static("/"))
            .build()
            .map_err(|error| wrong(error.to_string()))
    }
}

/// TCP alone; what comes in small pieces is not held back.
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp
}

fn read_authorities(path: PathBuf) -> Result<Trust, CloudError> {
    let what = "CA file";
    let pem = files::read(&path, PEM_BYTES_MAX).map_err(|source| CloudError::File {
        what,
        path: path.clone(),
        source,
    })?;
    certificates(&path, &pem)?;
    Ok(Trust::File { path, pem })
}

/// The certificates of a PEM file, at least one.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CloudError> {
    let wrong = |problem: String| CloudError::FileContent {
        what: "CA file",
        path: path.to_owned(),
        problem,
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("it has no certificate in PEM".to_owned()));
    }
    Ok(found)
}

fn root_store(path: &Path, pem: &[u8]) -> Result<RootCertStore, CloudError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(|error| tls_error(&error))?;
    }
    Ok(roots)
}

fn tls_error(error: &dyn Error) -> CloudError {
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    CloudError::Tls {
        problem: format!("{error}{cause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Auth;
    use std::io::Write;

    fn dialer(change: impl FnOnce(&mut Settings)) -> Result<Dialer, CloudError> {
        let mut settings = Settings::new(Auth::Anonymous);
        change(&mut settings);
        Dialer::new(&settings)
    }

    #[tokio::test]
    async fn an_address_is_a_host_with_or_without_port() {
        let dialer = dialer(|settings| settings.tls.enabled = false).expect("no files");
        for address in [
            "localhost:7000",
            "[::1]:443",
            "10.0.0.1",
            "operation.api.cloud.yandex.net:443",
        ] {
            assert_eq!(&*dialer.dial(address).expect(address).address, address);
        }
        for address in [
            "",
            "https://localhost:443",
            "local host",
            "localhost:port",
            "localhost:443/path",
        ] {
            let error = dialer.dial(address).expect_err(address);
            assert!(error.to_string().contains("write host:port"), "{error}");
        }
    }

    #[test]
    fn a_ca_file_that_is_none_is_told_by_name() {
        let missing = dialer(|settings| settings.tls.ca_file = Some("/nowhere/ca.pem".into()));
        assert!(
            missing
                .expect_err("missing")
                .to_string()
                .contains("/nowhere/ca.pem")
        );

        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(b"-- nothing --").expect("written");
        let empty = dialer(|settings| settings.tls.ca_file = Some(file.path().to_owned()));
        let error = empty.expect_err("no certificate").to_string();
        assert!(error.contains("no certificate in PEM"), "{error}");
    }
}
