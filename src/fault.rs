//! What an error of a connection tells for sure, by the kinds of its causes and not by their words.
//!
//! In: an error of whichever library made the connection. Out: one of a few faults that somebody has to mend. Never: a
//! guess, nor words for users: whoever called knows which setting is at fault.

use rustls::{AlertDescription, InvalidMessage};
use std::error::Error;
use std::io;

/// What no second try mends, but somebody who changes an address, a protocol or a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What answers speaks no HTTP/2, or only encrypted.
    NoHttp2,
    /// What answers speaks no HTTP/1.1, or only encrypted.
    NoHttp1,
    /// What answers speaks no TLS.
    NoTls,
    /// Nobody that we trust vouches for the certificate of what answers, or it has another name or is too old.
    Untrusted,
    /// What answers wants a certificate of ours that it trusts.
    Unidentified,
}

impl Fault {
    /// Looks for what tells it for sure among an error and its causes.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(Self::of_cause)
    }

    /// Whether the two sides speak another protocol.
    pub fn is_mismatch(&self) -> bool {
        matches!(self, Self::NoHttp2 | Self::NoHttp1 | Self::NoTls)
    }

    fn of_cause(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            // The first letters of an answer in HTTP/1, or of an alert of TLS, read as the length of a frame.
            let is_no_frame = error.is_library() && error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR);
            return is_no_frame.then_some(Self::NoHttp2);
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return (error.is_parse() && !error.is_parse_too_large()).then_some(Self::NoHttp1);
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Self::of_tls(error);
        }
        // The source of an error of I/O is that of the error inside it, which is passed over.
        Self::of_cause(cause.downcast_ref::<io::Error>()?.get_ref()?)
    }

    fn of_tls(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Some(Self::NoTls),
            rustls::Error::InvalidCertificate(_) => Some(Self::Untrusted),
            rustls::Error::AlertReceived(alert) => Self::of_alert(*alert),
            _ => None,
        }
    }

    /// By <https://www.rfc-editor.org/rfc/rfc8446#section-6.2>.
    fn of_alert(alert: AlertDescription) -> Option<Self> {
        match alert {
            AlertDescription::NoApplicationProtocol => Some(Self::NoHttp2),
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => Some(Self::Unidentified),
            _ => None,
        }
    }
}

/// The innermost cause: what is above it only says that something failed.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;

    #[test]
    fn a_fault_of_tls_is_found_inside_errors_of_io() {
        for (error, expected) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                Some(Fault::Untrusted),
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                Some(Fault::Unidentified),
            ),
            (
                rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
                Some(Fault::NoTls),
            ),
            (rustls::Error::DecryptError, None),
        ] {
            let outer = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            assert_eq!(Fault::of(&outer), expected);
        }
    }
}
