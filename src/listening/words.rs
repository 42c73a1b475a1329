//! The words of Go's TLS for versions, cipher suites and curves, as the exporter-toolkit's files use them, and what of
//! each rustls offers.

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{CipherSuite as SuiteId, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion};

/// A version of TLS that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// Every version that Go has a word for, and what it is here.
const VERSIONS: [(&str, Option<TlsVersion>); 4] = [
    ("TLS13", Some(TlsVersion::Tls13)),
    ("TLS12", Some(TlsVersion::Tls12)),
    ("TLS11", None),
    ("TLS10", None),
];

/// A cipher suite that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite(SuiteId);

/// Every cipher suite that Go counts as secure or merely old, and what it is here.
const CIPHER_SUITES: [(&str, Option<SuiteId>); 20] = [
    ("TLS_AES_128_GCM_SHA256", Some(SuiteId::TLS13_AES_128_GCM_SHA256)),
    ("TLS_AES_256_GCM_SHA384", Some(SuiteId::TLS13_AES_256_GCM_SHA384)),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        Some(SuiteId::TLS13_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Some(SuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Some(SuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(SuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Some(SuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Some(SuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(SuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", None),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", None),
];

/// A curve, or another way to agree on a key, that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve(NamedGroup);

/// Every curve that Go has a word for, and what it is here.
const CURVES: [(&str, Option<NamedGroup>); 5] = [
    ("X25519", Some(NamedGroup::X25519)),
    ("CurveP256", Some(NamedGroup::secp256r1)),
    ("CurveP384", Some(NamedGroup::secp384r1)),
    ("CurveP521", None),
    ("X25519MLKEM768", None),
];

/// A word's meaning; `Err` tells whether the word exists at least.
fn meaning<T: Copy>(table: &[(&str, Option<T>)], word: &str) -> Result<T, bool> {
    match table.iter().find(|(known, _)| *known == word) {
        Some((_, Some(meaning))) => Ok(*meaning),
        Some((_, None)) => Err(true),
        None => Err(false),
    }
}

fn word<T: Copy + PartialEq>(table: &[(&'static str, Option<T>)], of: T) -> &'static str {
    let found = table.iter().find(|(_, meaning)| *meaning == Some(of));
    found.map_or("", |(word, _)| *word)
}

fn names<T>(table: &[(&'static str, Option<T>)]) -> Vec<(&'static str, bool)> {
    table
        .iter()
        .map(|(word, meaning)| (*word, meaning.is_some()))
        .collect()
}

/// All words for versions, and whether each is offered.
pub fn tls_version_names() -> Vec<(&'static str, bool)> {
    names(&VERSIONS)
}

/// All words for cipher suites, and whether each is offered.
pub fn cipher_suite_names() -> Vec<(&'static str, bool)> {
    names(&CIPHER_SUITES)
}

/// All words for curves, and whether each is offered.
pub fn curve_names() -> Vec<(&'static str, bool)> {
    names(&CURVES)
}

impl TlsVersion {
    /// From its word: `TLS12`.
    ///
    /// # Errors
    /// Whether such a version exists at least.
    pub fn named(word: &str) -> Result<Self, bool> {
        meaning(&VERSIONS, word)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        word(&VERSIONS, self)
    }

    pub(crate) fn protocol(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

impl CipherSuite {
    /// What HTTP/2 needs at least one of over TLS 1.2: <https://www.rfc-editor.org/rfc/rfc7540#section-9.2.2>.
    pub const OF_HTTP2: [Self; 2] = [
        Self(SuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        Self(SuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ];

    /// From its word: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    ///
    /// # Errors
    /// Whether such a suite exists at least.
    pub fn named(word: &str) -> Result<Self, bool> {
        meaning(&CIPHER_SUITES, word).map(Self)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        word(&CIPHER_SUITES, self.0)
    }

    pub(crate) fn of(self, provider: &CryptoProvider) -> Option<SupportedCipherSuite> {
        let mut suites = provider.cipher_suites.iter();
        suites.find(|suite| suite.suite() == self.0).copied()
    }
}

impl Curve {
    /// From its word: `CurveP256`.
    ///
    /// # Errors
    /// Whether such a curve exists at least.
    pub fn named(word: &str) -> Result<Self, bool> {
        meaning(&CURVES, word).map(Self)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        word(&CURVES, self.0)
    }

    pub(crate) fn of(self, provider: &CryptoProvider) -> Option<&'static dyn SupportedKxGroup> {
        let mut groups = provider.kx_groups.iter();
        groups.find(|group| group.name() == self.0).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_offered_is_all_that_the_library_has() {
        let provider = rustls::crypto::ring::default_provider();
        let suites: Vec<_> = CIPHER_SUITES.iter().filter_map(|(_, suite)| *suite).collect();
        assert_eq!(suites.len(), provider.cipher_suites.len());
        for suite in suites {
            assert!(CipherSuite(suite).of(&provider).is_some(), "{suite:?}");
        }
        let curves: Vec<_> = CURVES.iter().filter_map(|(_, curve)| *curve).collect();
        assert_eq!(curves.len(), provider.kx_groups.len());
        for curve in curves {
            assert!(Curve(curve).of(&provider).is_some(), "{curve:?}");
        }
    }

    #[test]
    fn a_word_that_exists_elsewhere_is_told_from_one_that_was_invented() {
        assert_eq!(TlsVersion::named("TLS12"), Ok(TlsVersion::Tls12));
        assert_eq!(TlsVersion::named("TLS11"), Err(true));
        assert_eq!(TlsVersion::named("TLS111"), Err(false));
        assert_eq!(Curve::named("CurveP521"), Err(true));
        assert_eq!(CipherSuite::named("TLS_RSA_WITH_AES_128_CBC_SHA"), Err(true));
        let suite = CipherSuite::named("TLS_AES_128_GCM_SHA256").expect("a suite");
        assert_eq!(suite.name(), "TLS_AES_128_GCM_SHA256");
    }
}
