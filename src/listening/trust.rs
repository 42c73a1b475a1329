//! Certificates of clients: whether one is asked for, who vouches for it, and whose it has to be.
//!
//! The words are those of Go's `tls.ClientAuthType`, and so is what they mean.

use crate::listening::TlsError;
use crate::listening::tls::Pem;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use std::net::IpAddr;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

/// What is asked of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Whether they have to show a certificate.
    pub auth: ClientAuth,
    /// Who vouches for it; the authorities of the system where nothing is said.
    pub ca: Option<Pem>,
    /// Names of which a certificate must have one; any, when there are none here.
    pub allowed_sans: Vec<String>,
}

/// Whether a client has to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// It is not asked for one.
    #[default]
    NoClientCert,
    /// It is asked, and may show any or none.
    RequestClientCert,
    /// It has to show one, from anybody.
    RequireAnyClientCert,
    /// If it shows one, somebody has to vouch for it.
    VerifyClientCertIfGiven,
    /// It has to show one that somebody vouches for.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    /// Whether there is always a certificate.
    pub fn is_required(self) -> bool {
        matches!(
            self,
            Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert
        )
    }

    fn is_verified(self) -> bool {
        matches!(
            self,
            Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert
        )
    }
}

impl Clients {
    /// Whether somebody vouches for each certificate that is shown.
    pub fn are_verified(&self) -> bool {
        self.auth.is_verified()
    }

    /// What each of them has to show, in words for people.
    pub(crate) fn demands(&self) -> Vec<&'static str> {
        let kinds = [
            (self.auth.is_required(), "certificates of clients"),
            (self.are_verified(), "certificates that are vouched for"),
            (!self.allowed_sans.is_empty(), "names of clients"),
        ];
        kinds
            .iter()
            .filter(|(is_asked, _)| *is_asked)
            .map(|(_, kind)| *kind)
            .collect()
    }
}

/// What judges certificates of clients; `None` where none is asked for.
pub(crate) fn verifier(
    clients: &Clients,
    authorities: Option<Vec<CertificateDer<'static>>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if clients.auth == ClientAuth::NoClientCert {
        return Ok(None);
    }
    let (listed, authorities) = match authorities {
        Some(listed) => (listed.clone(), listed),
        None if clients.are_verified() => (Vec::new(), rustls_native_certs::load_native_certs().certs),
        None => (Vec::new(), Vec::new()),
    };
    let unfit = |problem: String| TlsError {
        key: match clients.ca {
            Some(Pem::Inline(_)) => "client_ca",
            Some(Pem::File(_)) => "client_ca_file",
            None => "client_auth_type",
        },
        problem,
    };
    let by_authority = if clients.are_verified() {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(authorities);
        if added == 0 {
            return Err(unfit(
                "there is no authority to vouch for certificates of clients".to_owned(),
            ));
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        Some(verifier.map_err(|error| unfit(format!("authorities cannot be used: {error}")))?)
    } else {
        None
    };
    Ok(Some(Arc::new(Judge {
        auth: clients.auth,
        by_authority,
        listed,
        allowed_sans: clients.allowed_sans.clone(),
        provider: Arc::clone(provider),
    })))
}

#[derive(Debug)]
struct Judge {
    auth: ClientAuth,
    by_authority: Option<Arc<dyn ClientCertVerifier>>,
    /// Trusted as they are, as in Go, though they may be authorities: a file of self-signed certificates is a usual way
    /// to list clients.
    listed: Vec<CertificateDer<'static>>,
    allowed_sans: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl Judge {
    fn vouched(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(by_authority) = &self.by_authority else {
            return Ok(());
        };
        if self.listed.contains(certificate) {
            return listed_is_valid(&parsed(certificate)?, now);
        }
        by_authority
            .verify_client_cert(certificate, intermediates, now)
            .map(|_| ())
    }

    fn allowed(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.allowed_sans.is_empty() {
            return Ok(());
        }
        let parsed = parsed(certificate)?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let mut names = names.iter().flat_map(|names| &names.value.general_names);
        if names.any(|name| self.allowed_sans.iter().any(|allowed| is_named(name, allowed))) {
            return Ok(());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let parsed = parse_x509_certificate(certificate);
    parsed
        .map(|(_, parsed)| parsed)
        .map_err(|_| CertificateError::BadEncoding.into())
}

/// What a listed certificate has to be beside listed: of this time, and for this use.
fn listed_is_valid(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let usage = certificate.extended_key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.client_auth && !usage.value.any) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    Ok(())
}

fn is_named(name: &GeneralName<'_>, allowed: &str) -> bool {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            *name == allowed
        }
        GeneralName::IPAddress(bytes) => {
            let address = match *bytes {
                [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d])),
                bytes => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            };
            address.is_some_and(|address| allowed.parse() == Ok(address))
        }
        _ => false,
    }
}

impl ClientCertVerifier for Judge {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.auth.is_required()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_authority
            .as_ref()
            .map_or(&[], |by_authority| by_authority.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.vouched(certificate, intermediates, now)?;
        self.allowed(certificate)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
