//! The connection to a collector: TLS, and one bounded exchange.

use crate::delivery::mismatch::Mismatch;
use crate::delivery::{Collector, DeliveryError, Protocol, Tls};
use crate::files;
use crate::limits::{OTLP_ANSWER_BYTES_MAX, PEM_BYTES_MAX};
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::body::Body;

/// Longest time for TCP to come up: less than a request's own time by default, so that the reason is told.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections to one collector, made when they are needed.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    connector: HttpsConnector<HttpConnector>,
    is_http2: bool,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

/// What a collector answered, whole.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The connection could not be made, or broke; with the innermost cause.
    #[error("{0}")]
    Broken(String),
    /// What answers speaks another protocol.
    #[error("what answers {0}")]
    Mismatch(Mismatch),
    /// It is longer than any that a collector would give.
    #[error("the answer is too long")]
    TooLong,
}

impl Connection {
    /// # Errors
    /// A file that cannot be used, or a system without authorities.
    pub(crate) fn new(collector: &Collector) -> Result<Self, DeliveryError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(collector)?);
        let builder = builder.https_or_http();
        let is_http2 = collector.protocol == Protocol::Grpc;
        let connector = if is_http2 {
            builder.enable_http2().wrap_connector(tcp)
        } else {
            builder.enable_http1().wrap_connector(tcp)
        };
        Ok(Self {
            client: client(&connector, is_http2),
            connector,
            is_http2,
        })
    }

    /// Lets go of what connections there are: one that fell silent would be used again until TCP gives it up.
    pub(crate) fn renew(&mut self) {
        self.client = client(&self.connector, self.is_http2);
    }

    /// Sends a request and reads the whole answer. It has no timeout of its own.
    pub(crate) async fn exchange(&self, request: Request<Body>) -> Result<Exchange, Failure> {
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| broken(&error))?;
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, OTLP_ANSWER_BYTES_MAX).collect().await;
        let collected = collected.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::TooLong
            } else {
                broken(&*error)
            }
        })?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Ok(Exchange {
            head,
            body: collected.to_bytes(),
            trailers,
        })
    }
}

fn client(
    connector: &HttpsConnector<HttpConnector>,
    is_http2: bool,
) -> Client<HttpsConnector<HttpConnector>, Body> {
    Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build(connector.clone())
}

/// What is above the innermost cause only says that something failed.
fn broken(error: &(dyn Error + 'static)) -> Failure {
    if let Some(mismatch) = Mismatch::of(error) {
        return Failure::Mismatch(mismatch);
    }
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    Failure::Broken(causes.last().map_or_else(String::new, ToString::to_string))
}

fn client_config(collector: &Collector) -> Result<ClientConfig, DeliveryError> {
    let Tls {
        certificate,
        client_certificate,
        client_key,
    } = &collector.tls;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(&error))?;
    let builder = match certificate {
        // No authority is needed, nor looked for, where nothing is encrypted.
        _ if !collector.endpoint.is_encrypted() => builder.with_root_certificates(RootCertStore::empty()),
        None => builder.with_native_roots().map_err(|error| tls(&error))?,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("certificate", path)? {
                roots.add(authority).map_err(|error| tls(&error))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    match (client_certificate, client_key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("client certificate", certificate)?;
            builder
                .with_client_auth_cert(chain, private_key(key)?)
                .map_err(|error| tls(&error))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, DeliveryError> {
    let found: Option<Vec<_>> = CertificateDer::pem_slice_iter(&read(what, path)?)
        .collect::<Result<_, _>>()
        .ok();
    found
        .filter(|found| !found.is_empty())
        .ok_or_else(|| DeliveryError::FileContent {
            what,
            path: path.to_owned(),
        })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, DeliveryError> {
    let what = "client key";
    PrivateKeyDer::from_pem_slice(&read(what, path)?).map_err(|_| DeliveryError::FileContent {
        what,
        path: path.to_owned(),
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, DeliveryError> {
    files::read(path, PEM_BYTES_MAX).map_err(|source| DeliveryError::File {
        what,
        path: path.to_owned(),
        source,
    })
}

fn tls(error: &dyn Error) -> DeliveryError {
    DeliveryError::Tls(error.to_string())
}
