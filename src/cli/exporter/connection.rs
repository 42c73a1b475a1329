//! Connections to a running exporter: over TCP, in plain or with TLS, or over a unix socket.

use crate::cli::exporter::{BaseUrl, ExporterError};
use crate::cli::unverified;
use crate::file;
use crate::limits::{COMMAND_ANSWER_BYTES_MAX, PEM_BYTES_MAX};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixStream;

/// Whom to take for the exporter, and as whom to call it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Authorities in PEM; the system's without.
    pub(crate) ca_file: Option<PathBuf>,
    /// Certificate and key in PEM.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// Whether whatever certificate is shown will do.
    pub(crate) is_blind: bool,
}

/// What calls travel over.
#[derive(Debug)]
pub(super) enum Connection {
    Tcp(Box<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>),
    /// One connection for each call.
    Unix(PathBuf),
}

type Broken = Box<dyn Error + Send + Sync>;

impl Connection {
    /// Connects when it is first used.
    pub(super) fn to(base: &BaseUrl, trust: &Trust) -> Result<Self, ExporterError> {
        Ok(match base.socket() {
            Some(path) => Self::Unix(path.to_owned()),
            None => Self::Tcp(Box::new(
                Client::builder(TokioExecutor::new()).build(connector(base, trust)?),
            )),
        })
    }

    /// Sends a call, and takes the whole answer.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Broken> {
        match self {
            Self::Tcp(client) => whole(client.request(request).await?).await,
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                let answer = async { whole(sender.send_request(request).await?).await };
                tokio::pin!(answer);
                tokio::select! {
                    answer = &mut answer => answer,
                    ended = connection => {
                        ended?;
                        answer.await
                    }
                }
            }
        }
    }
}

async fn whole(response: Response<Incoming>) -> Result<(StatusCode, Bytes), Broken> {
    let status = response.status();
    let body = Limited::new(response.into_body(), COMMAND_ANSWER_BYTES_MAX);
    Ok((status, body.collect().await?.to_bytes()))
}

/// No authority is needed, nor looked for, to reach an exporter without TLS.
fn connector(base: &BaseUrl, trust: &Trust) -> Result<HttpsConnector<HttpConnector>, ExporterError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let rooted = if trust.is_blind {
        let every = unverified::Every::known_to(&provider);
        versions
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(every))
    } else {
        versions.with_root_certificates(roots(base, trust)?)
    };
    let config = match &trust.identity {
        None => rooted.with_no_client_auth(),
        Some((cert_file, key_file)) => {
            let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
                .map_err(|_| unfit(key_file, "there is no private key in PEM in it"))?;
            rooted
                .with_client_auth_cert(certificates(cert_file)?, key)
                .map_err(|error| unfit(cert_file, &error.to_string()))?
        }
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    Ok(builder.https_or_http().enable_http1().build())
}

/// Whom to believe that it is the exporter.
fn roots(base: &BaseUrl, trust: &Trust) -> Result<RootCertStore, ExporterError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &trust.ca_file {
        roots.add_parsable_certificates(certificates(path)?);
    } else if base.is_encrypted() {
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            let problem = "this system has no authorities; name some with --ca-file";
            return Err(io::Error::new(io::ErrorKind::NotFound, problem).into());
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| unfit(path, "there is no certificate in PEM in it"))
}

fn read(path: &Path) -> Result<Vec<u8>, ExporterError> {
    file::read(path, PEM_BYTES_MAX).map_err(|error| unfit(path, &error.to_string()))
}

fn unfit(path: &Path, problem: &str) -> ExporterError {
    ExporterError::File {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}
