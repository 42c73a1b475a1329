//! Whether what answers speaks another protocol than we do, told by the kinds of errors and not by their words.

use rustls::{AlertDescription, InvalidMessage};
use std::error::Error;
use std::fmt;
use std::io;

/// What we speak and the other side does not. No second try mends it, but somebody who changes an address or a
/// protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// HTTP/2 with gRPC in it.
    Grpc,
    /// HTTP/1.1.
    Http,
    /// TLS.
    Tls,
}

impl Mismatch {
    /// Looks for what tells it for sure among an error and its causes.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(Self::of_cause)
    }

    fn of_cause(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            // The first letters of an answer in HTTP/1, or of an alert of TLS, read as the length of a frame.
            let is_no_frame = error.is_library() && error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR);
            return is_no_frame.then_some(Self::Grpc);
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return (error.is_parse() && !error.is_parse_too_large()).then_some(Self::Http);
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
            ) => Some(Self::Tls),
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => Some(Self::Grpc),
            _ => None,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => {
                "does not speak gRPC, or only encrypted: 4317 is usually for grpc, 4318 for http/protobuf; see \
                 traces.protocol or OTEL_EXPORTER_OTLP_PROTOCOL"
            }
            Self::Http => {
                "does not speak HTTP/1.1, or only encrypted: 4317 is usually for grpc, 4318 for http/protobuf; see \
                 traces.protocol or OTEL_EXPORTER_OTLP_PROTOCOL"
            }
            Self::Tls => "does not speak TLS: its address begins with http://",
        })
    }
}
