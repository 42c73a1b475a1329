//! Why a running exporter did not do what it was asked for.

use crate::cli::exporter::{BaseUrl, TIMEOUT};
use crate::fault::{Fault, innermost};
use http::StatusCode;
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// Why a running exporter did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExporterError {
    #[error(
        "no exporter answers at {url}: {problem}; start `datasphere-exporter serve`, or tell where it is with --url"
    )]
    Unreachable { url: String, problem: String },
    #[error("the exporter at {url} did not answer within {} s; look at its log", TIMEOUT.as_secs())]
    Deadline { url: String },
    #[error("no secure connection to {url}: {problem}; {advice}")]
    Insecure {
        url: String,
        problem: String,
        advice: &'static str,
    },
    #[error("the exporter at {url} is not well: {said} (HTTP {status})")]
    Unwell {
        url: String,
        status: StatusCode,
        said: String,
    },
    #[error("{detail} (HTTP {status})")]
    Refused { status: StatusCode, detail: String },
    #[error(
        "the exporter at {url} wants to know who calls: give --user, with the password in --password-file or \
         DATASPHERE_EXPORTER_PASSWORD"
    )]
    SignIn { url: String },
    #[error("the exporter at {url} takes no such user with this password: one of the two is wrong")]
    WrongPassword { url: String },
    #[error(
        "what answers at {url} is no datasphere-exporter of this version: {problem}; is --url the exporter's own \
         address?"
    )]
    Foreign { url: String, problem: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] io::Error),
    #[error("the file {} cannot be used for TLS: {problem}", path.display())]
    File { path: PathBuf, problem: String },
}

impl ExporterError {
    /// Whether it concerns one id, and not all that is asked for.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// There is no answer.
    pub(super) fn unanswered(base: &BaseUrl, error: &(dyn Error + 'static)) -> Self {
        let (url, problem) = (base.to_string(), innermost(error));
        let advice = match Fault::of(error) {
            Some(Fault::NoTls) => "what answers there speaks no TLS: write http:// in --url",
            // The TLS library has no kind of its own for it.
            Some(Fault::Untrusted) if problem.contains("CaUsedAsEndEntity") => {
                "that is an authority's own certificate, which is none of a server: `openssl req -x509` makes one with \
                 `-addext basicConstraints=CA:FALSE`"
            }
            Some(Fault::Untrusted) => {
                "--ca-file names who vouches for its certificate, and `healthcheck` takes any on this host with --insecure"
            }
            Some(Fault::Unidentified) => {
                "it wants a certificate that it trusts: show one with --cert-file and --key-file"
            }
            Some(Fault::NoHttp1) if base.socket().is_some() => {
                "a unix socket on which TLS is spoken cannot be called by these commands"
            }
            Some(Fault::NoHttp1) if !base.is_encrypted() => "if it speaks TLS, write https:// in --url",
            Some(Fault::NoHttp1) => return Self::Foreign { url, problem },
            Some(Fault::NoHttp2) | None => return Self::Unreachable { url, problem },
        };
        Self::Insecure { url, problem, advice }
    }

    /// The answer is that of a port where TLS is spoken to whoever does not.
    pub(super) fn in_plain(base: &BaseUrl) -> Self {
        Self::Insecure {
            url: base.to_string(),
            problem: "what answers there speaks TLS only".to_owned(),
            advice: "write https:// in --url",
        }
    }
}
