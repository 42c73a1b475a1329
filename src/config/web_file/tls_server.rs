//! The section `tls_server_config` of the web configuration.

use crate::config::error::Invalid;
use crate::config::node::{Node, Value};
use crate::config::setting::{Any, AtMost, Setting, section, text, unexpected};
use crate::config::value::choice;
use crate::config::yaml::Yaml;
use crate::limits::{ALLOWED_SANS_MAX, TLS_WORDS_MAX};
use crate::listening::{
    CipherSuite, ClientAuth, Clients, Curve, Pem, TlsSettings, TlsVersion, cipher_suite_names, curve_names,
    tls_version_names,
};
use std::path::{Path, PathBuf};

section! {
    /// TLS: without this section, or without a key in it, connections are in plain. A relative path begins at the folder
    /// of the file.
    TlsServer => fits_together {
        /// PEM file of the certificate and its chain.
        cert_file: Option<PathBuf> = None, Any;
        /// PEM file of its key.
        key_file: Option<PathBuf> = None, Any;
        /// The certificate and its chain themselves, in place of `cert_file`.
        cert: Option<PemText> = None, Any;
        /// The key itself, in place of `key_file`.
        key: Option<PemText> = None, Any;
        /// Whether clients show certificates. Only `RequireAndVerifyClientCert` keeps strangers out.
        client_auth_type: Option<ClientAuthType> = None, Any;
        /// PEM file of the authorities that vouch for certificates of clients; the system's where nothing is said. A
        /// certificate of a client that stands in it is trusted as it is.
        client_ca_file: Option<PathBuf> = None, Any;
        /// These authorities themselves, in place of `client_ca_file`.
        client_ca: Option<PemText> = None, Any;
        /// Names (DNS, IP, e-mail or URI) of which a client's certificate must have one.
        client_allowed_sans: Option<AllowedSans> = None, Any;
        /// The oldest version that is spoken.
        min_version: TlsVersion = TlsVersion::Tls12, Any;
        /// The newest version that is spoken.
        max_version: TlsVersion = TlsVersion::Tls13, Any;
        /// Cipher suites for TLS 1.2; those of 1.3 are always there. Empty: all.
        cipher_suites: Vec<CipherSuite> = Vec::new(), AtMost(TLS_WORDS_MAX);
        /// Whether the order of `cipher_suites` counts, or else the client's.
        prefer_server_cipher_suites: bool = true, Any;
        /// Curves for agreeing on keys, best first. Empty: all.
        curve_preferences: Vec<Curve> = Vec::new(), AtMost(TLS_WORDS_MAX);
    }
}

choice! {
    /// Whether clients show certificates, in Go's words.
    pub(crate) ClientAuthType {
        /// They are not asked.
        NoClientCert = "NoClientCert",
        /// They may.
        RequestClientCert = "RequestClientCert",
        /// They must, from anybody.
        RequireAnyClientCert = "RequireAnyClientCert",
        /// The same, in the words of older files.
        RequireClientCert = "RequireClientCert",
        /// They may, from somebody we trust.
        VerifyClientCertIfGiven = "VerifyClientCertIfGiven",
        /// They must, from somebody we trust.
        RequireAndVerifyClientCert = "RequireAndVerifyClientCert",
    }
}

impl From<ClientAuthType> for ClientAuth {
    fn from(word: ClientAuthType) -> Self {
        match word {
            ClientAuthType::NoClientCert => Self::NoClientCert,
            ClientAuthType::RequestClientCert => Self::RequestClientCert,
            ClientAuthType::RequireAnyClientCert | ClientAuthType::RequireClientCert => {
                Self::RequireAnyClientCert
            }
            ClientAuthType::VerifyClientCertIfGiven => Self::VerifyClientCertIfGiven,
            ClientAuthType::RequireAndVerifyClientCert => Self::RequireAndVerifyClientCert,
        }
    }
}

/// Text in PEM.
#[derive(Clone, PartialEq)]
pub(crate) struct PemText(String);

impl std::fmt::Debug for PemText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Setting for PemText {
    fn kind() -> String {
        "text in PEM".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        text::<Self>(node).map(|text| Self(text.to_owned()))
    }

    fn write(&self) -> Yaml {
        Yaml::Text("***".to_owned())
    }
}

/// Names of clients.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AllowedSans(Vec<String>);

impl Setting for AllowedSans {
    fn kind() -> String {
        format!("a list of at most {ALLOWED_SANS_MAX} names")
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        match &node.value {
            Value::List(items) if items.is_empty() => {
                Err(node.invalid("without a name, nobody could connect; give one"))
            }
            Value::List(items) if items.len() <= ALLOWED_SANS_MAX => Vec::read(node).map(Self),
            _ => Err(unexpected::<Self>(node)),
        }
    }

    fn write(&self) -> Yaml {
        self.0.write()
    }
}

/// Words of Go's TLS, of which the TLS library offers some.
macro_rules! go_word {
    ($($type:ty, $names:ident;)+) => {$(
        impl Setting for $type {
            fn kind() -> String {
                let offered: Vec<&str> = $names()
                    .into_iter()
                    .filter(|(_, is_offered)| *is_offered)
                    .map(|(name, _)| name)
                    .collect();
                format!("one of {}", offered.join(", "))
            }

            fn read(node: &Node) -> Result<Self, Invalid> {
                Self::named(text::<Self>(node)?).map_err(|exists| {
                    if exists {
                        node.invalid(format!("is not offered by the TLS library; expected {}", Self::kind()))
                    } else {
                        unexpected::<Self>(node)
                    }
                })
            }

            fn write(&self) -> Yaml {
                Yaml::Plain(self.name().to_owned())
            }
        }
    )+};
}

go_word! {
    TlsVersion, tls_version_names;
    CipherSuite, cipher_suite_names;
    Curve, curve_names;
}

fn fits_together(tls: &TlsServer, node: &Node) -> Result<(), Invalid> {
    let is_written = matches!(&node.value, Value::Section(children) if !children.is_empty());
    if !is_written {
        return Ok(());
    }
    let at = |key: &str| node.get(key).unwrap_or(node);
    for (file, inline, has_file, has_inline) in [
        ("cert_file", "cert", tls.cert_file.is_some(), tls.cert.is_some()),
        ("key_file", "key", tls.key_file.is_some(), tls.key.is_some()),
        (
            "client_ca_file",
            "client_ca",
            tls.client_ca_file.is_some(),
            tls.client_ca.is_some(),
        ),
    ] {
        if has_file && has_inline {
            return Err(at(inline).invalid(format!("cannot be given beside {file}; keep one of them")));
        }
        if !has_file && !has_inline && file != "client_ca_file" {
            return Err(node.invalid(format!("one of {file} and {inline} is missing")));
        }
    }
    let auth = tls.client_auth();
    let has_authority = tls.client_ca_file.is_some() || tls.client_ca.is_some();
    if has_authority && auth == ClientAuth::NoClientCert {
        let key = if tls.client_ca.is_some() {
            "client_ca"
        } else {
            "client_ca_file"
        };
        return Err(at(key).invalid(
            "needs a client_auth_type that asks for certificates, such as \
                                    RequireAndVerifyClientCert",
        ));
    }
    if tls.client_allowed_sans.is_some() && !auth.is_required() {
        return Err(at("client_allowed_sans").invalid(
            "needs the client_auth_type RequireAnyClientCert or RequireAndVerifyClientCert: with another, whoever shows \
             no certificate has no name and connects all the same",
        ));
    }
    if tls.min_version > tls.max_version {
        return Err(at("min_version").invalid("must not be newer than max_version"));
    }
    Ok(())
}

impl TlsServer {
    /// The paths in it begin at this folder.
    pub(crate) fn begin_at(&mut self, folder: &Path) {
        let files = [&mut self.cert_file, &mut self.key_file, &mut self.client_ca_file];
        for path in files.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    /// Whether nobody connects without a certificate.
    pub(crate) fn requires_certificates(&self) -> bool {
        self.client_auth().is_required()
    }

    /// Makes sure that HTTP/2 has a suite that it can be spoken with.
    pub(crate) fn check_http2(&self, is_on: bool, file: &Node) -> Result<(), Invalid> {
        let has_suite =
            |suites: &[CipherSuite]| CipherSuite::OF_HTTP2.iter().any(|suite| suites.contains(suite));
        if !is_on
            || self.cipher_suites.is_empty()
            || self.min_version > TlsVersion::Tls12
            || has_suite(&self.cipher_suites)
        {
            return Ok(());
        }
        let node = file
            .get("tls_server_config")
            .and_then(|section| section.get("cipher_suites"));
        let needed: Vec<&str> = CipherSuite::OF_HTTP2.iter().map(|suite| suite.name()).collect();
        Err(node.unwrap_or(file).invalid(format!(
            "HTTP/2 needs one of {} over TLS 1.2; add it, or set http_server_config.http2: false",
            needed.join(", ")
        )))
    }

    fn client_auth(&self) -> ClientAuth {
        self.client_auth_type.map_or(ClientAuth::NoClientCert, Into::into)
    }

    /// The room's own settings; `None` for connections in plain.
    pub(crate) fn settings(&self, protocols: Vec<&'static str>) -> Option<TlsSettings> {
        let cert = pem(self.cert_file.as_ref(), self.cert.as_ref())?;
        let key = pem(self.key_file.as_ref(), self.key.as_ref())?;
        Some(TlsSettings {
            clients: Clients {
                auth: self.client_auth(),
                ca: pem(self.client_ca_file.as_ref(), self.client_ca.as_ref()),
                allowed_sans: self
                    .client_allowed_sans
                    .as_ref()
                    .map_or_else(Vec::new, |names| names.0.clone()),
            },
            min_version: self.min_version,
            max_version: self.max_version,
            cipher_suites: self.cipher_suites.clone(),
            prefers_own_order: self.prefer_server_cipher_suites,
            curves: self.curve_preferences.clone(),
            ..TlsSettings::new(cert, key, protocols)
        })
    }
}

fn pem(file: Option<&PathBuf>, inline: Option<&PemText>) -> Option<Pem> {
    let of_file = file.map(|path| Pem::File(path.clone()));
    of_file.or_else(|| inline.map(|text| Pem::Inline(text.0.clone())))
}
