//! Whoever answers is taken for the exporter: for a health check on the same host.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Takes every certificate whose key is there.
#[derive(Debug)]
pub(crate) struct Every(WebPkiSupportedAlgorithms);

impl Every {
    /// By the signatures that this provider can judge.
    pub(crate) fn known_to(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Every {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::exporter::{BaseUrl, Exporter, Trust};
    use rustls::crypto::ring;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    /// Answers one request well, with a certificate that nobody vouches for and that has another name.
    async fn server() -> (BaseUrl, impl Future<Output = ()>) {
        let own = rcgen::generate_simple_self_signed(["exporter.example".to_owned()]).expect("a certificate");
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answers = async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
                return;
            };
            let _ = stream.read(&mut [0; 4096]).await.expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("a caller");
            let _ = stream.shutdown().await;
        };
        let url = format!("https://127.0.0.1:{port}").parse();
        (url.expect("a URL"), answers)
    }

    #[tokio::test]
    async fn whatever_certificate_is_shown_is_taken_where_that_was_asked_for() {
        let (url, answers) = server().await;
        let blind = Trust {
            is_blind: true,
            ..Trust::default()
        };
        let exporter = Exporter::trusting(url, &blind).expect("an exporter");
        let (health, ()) = tokio::join!(exporter.health("/-/healthy"), answers);
        health.expect("an exporter that is well");
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_vouches_for_is_refused_otherwise() {
        let (url, answers) = server().await;
        let exporter = Exporter::at(url).expect("an exporter");
        let (health, ()) = tokio::join!(exporter.health("/-/healthy"), answers);
        let error = health.expect_err("an unknown certificate").to_string();
        assert!(
            error.starts_with("no secure connection")
                && error.contains("certificate")
                && error.contains("--ca-file"),
            "{error}"
        );
    }
}
