//! The section `gateway`.

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::setting::{Any, AtMost, Setting, section, text};
use crate::config::value::{Address, ListenAddress, choice};
use crate::config::yaml::Yaml;
use crate::gateway;
use crate::limits::GATEWAY_HEADERS_MAX;
use crate::tracker;
use http::HeaderName;
use std::path::PathBuf;

section! {
    /// The pass-through for clients of the cloud: pointed at it, they work as before, and what they start is watched.
    Gateway {
        /// Address to listen on, such as `:10478`; gRPC and REST share it. Empty: there is no gateway.
        listen_address: Option<ListenAddress> = None, Any;
        /// What discovery answers in place of the cloud's addresses. Empty: the address that the caller used.
        advertise_address: Option<Address> = None, Any;
        /// Metadata and headers of callers that are not passed on to the cloud.
        strip_headers: Vec<Header> = Vec::new(), AtMost(GATEWAY_HEADERS_MAX);
        /// The certificate that callers see; plaintext without.
        tls: Tls = Tls::default(), Any;
        /// What a caller's own trace is to the operation's: its `parent`, a `link`, or nothing (`ignore`).
        caller_context: CallerContext = CallerContext::Parent, Any;
    }
}

section! {
    /// The certificate that callers see; both files or neither.
    Tls => is_whole {
        /// PEM file of the certificate and its chain.
        cert_file: Option<PathBuf> = None, Any;
        /// PEM file of its key.
        key_file: Option<PathBuf> = None, Any;
    }
}

fn is_whole(tls: &Tls, node: &Node) -> Result<(), Invalid> {
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => Err(node.invalid("key_file is missing")),
        (None, Some(_)) => Err(node.invalid("cert_file is missing")),
        _ => Ok(()),
    }
}

choice! {
    /// What a caller's own trace is to the operation's.
    pub(crate) CallerContext {
        /// Its parent.
        Parent = "parent",
        /// Linked.
        Link = "link",
        /// Nothing.
        Ignore = "ignore",
    }
}

/// A header that may be stripped: calls work without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header(HeaderName);

impl Setting for Header {
    fn kind() -> String {
        "the name of a header such as x-client-version, not one that calls need".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let name: Option<HeaderName> = text::<Self>(node)?.parse().ok();
        let is_needed = |name: &HeaderName| {
            matches!(name.as_str(), "content-length" | "content-type" | "host" | "te")
                || name.as_str().starts_with("grpc-")
        };
        match name.filter(|name| !is_needed(name)) {
            Some(name) => Ok(Self(name)),
            None => Err(node.invalid(format!("expected {}", Self::kind()))),
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.as_str().to_owned())
    }
}

impl Gateway {
    /// The room's own settings; `None` where there is no gateway.
    pub(crate) fn settings(&self) -> Option<gateway::Settings> {
        let listen_address = self.listen_address.as_ref()?.0.clone();
        let tls = match (&self.tls.cert_file, &self.tls.key_file) {
            (Some(cert_file), Some(key_file)) => Some(gateway::Tls {
                cert_file: cert_file.clone(),
                key_file: key_file.clone(),
            }),
            _ => None,
        };
        Some(gateway::Settings {
            listen_address,
            advertise_address: self.advertise_address.as_ref().map(|address| address.0.clone()),
            strip_headers: self.strip_headers.iter().map(|header| header.0.clone()).collect(),
            tls,
        })
    }

    /// The files that it needs, by their keys.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let files = [
            ("gateway.tls.cert_file", &self.tls.cert_file),
            ("gateway.tls.key_file", &self.tls.key_file),
        ];
        files
            .into_iter()
            .filter_map(|(key, path)| Some((key, path.as_ref()?)))
    }
}

impl Tls {
    /// The paths in it, to be completed.
    pub(crate) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.cert_file.iter_mut().chain(self.key_file.iter_mut())
    }
}

impl From<CallerContext> for tracker::CallerContext {
    fn from(context: CallerContext) -> Self {
        match context {
            CallerContext::Parent => Self::Parent,
            CallerContext::Link => Self::Link,
            CallerContext::Ignore => Self::Ignore,
        }
    }
}
