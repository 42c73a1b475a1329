//! The sections `web` and `log`, which have flags too, and `api`.

use crate::config::error::Invalid;
use crate::config::links::Links;
use crate::config::node::{Node, Value};
use crate::config::setting::{Any, Between, Setting, section, text, unexpected};
use crate::config::value::{ListenAddress, choice};
use crate::config::yaml::Yaml;
use crate::limits::LISTEN_ADDRESSES_MAX;
use crate::web;
use http::Uri;
use std::path::PathBuf;

section! {
    /// HTTP. Each key has a flag and a variable of the environment.
    Web {
        /// Addresses to listen on: one, or a list.
        listen_address: ListenAddresses = ListenAddresses::default(), Any;
        /// Where metrics are served.
        telemetry_path: TelemetryPath = TelemetryPath("/metrics".to_owned()), Any;
        /// Scrapes served at once, 0 for no bound; further ones are refused with 503.
        max_requests: usize = 40, Between(0, 10_000);
        /// Where browsers find this server, if not at an address or `localhost`: calls that write are refused under any
        /// other name, so that no page can make a name of its own lead here.
        external_url: Option<ExternalUrl> = None, Any;
        /// Whether `POST /-/reload` reloads this configuration, and `POST /-/quit` ends the exporter. SIGHUP of
        /// `serve`, and SIGTERM, always do.
        enable_lifecycle: bool = false, Any;
        /// Who may connect, and how: TLS, client certificates, users and passwords, in a file of its own, see
        /// [web-configuration.md](web-configuration.md). Empty: everybody, in plain.
        config_file: Option<PathBuf> = None, Any;
        /// Whether to listen on the sockets that systemd hands over, and not on `listen_address`.
        systemd_socket: bool = false, Any;
    }
}

section! {
    /// What callers of the HTTP API may change, see [api.md](api.md).
    Api {
        /// Whether they put operations under watch, and take them off it.
        track: bool = true, Any;
        /// Whether they start jobs and notebooks, and cancel operations.
        actions: bool = false, Any;
        /// Whether everybody who reaches the server may, and not callers of the same host alone, over a loopback address
        /// or a unix socket. It counts only where `web.config_file` asks for neither users nor certificates: where it
        /// does, calls that write need one, whatever is set here.
        unauthenticated_writes: bool = false, Any;
    }
}

impl Web {
    /// The room's own settings.
    pub(crate) fn settings(&self, api: &Api, links: &Links) -> web::Settings {
        web::Settings {
            listen_addresses: self
                .listen_address
                .0
                .iter()
                .map(|address| address.0.clone())
                .collect(),
            telemetry_path: self.telemetry_path.0.clone(),
            max_requests: self.max_requests,
            enable_lifecycle: self.enable_lifecycle,
            external_host: self.external_url.as_ref().map(|url| url.host.clone()),
            api: web::ApiSettings {
                track: api.track,
                actions: api.actions,
                unauthenticated_writes: api.unauthenticated_writes,
            },
            links: links.settings(),
        }
    }
}

section! {
    /// What is logged, to standard error. What goes wrong again and again is one line a minute, in which `held_back`
    /// tells how often it was not said since the line before; where it is missing, never. Each key has a flag and a
    /// variable of the environment.
    Log {
        /// The least important messages that are logged.
        level: LogLevel = LogLevel::Info, Any;
        /// The form of a line.
        format: LogFormat = LogFormat::Logfmt, Any;
    }
}

choice! {
    /// How important a message is.
    pub LogLevel {
        /// Something does not work.
        Error = "error",
        /// Something may soon not work.
        Warn = "warn",
        /// What an operator wants to know.
        Info = "info",
        /// What a developer wants to know.
        Debug = "debug",
        /// Everything that the program itself has to say.
        Trace = "trace",
    }
}

choice! {
    /// The form of a line of the log.
    pub LogFormat {
        /// `key=value`.
        Logfmt = "logfmt",
        /// One JSON document a line.
        Json = "json",
    }
}

/// At least one address to listen on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListenAddresses(pub(crate) Vec<ListenAddress>);

impl Default for ListenAddresses {
    fn default() -> Self {
        Self(vec![ListenAddress(":10477".to_owned())])
    }
}

impl Setting for ListenAddresses {
    fn kind() -> String {
        format!("{}, or a list of them", ListenAddress::kind())
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let addresses = match &node.value {
            Value::List(items) if !items.is_empty() => Vec::read(node)?,
            Value::Text(_) => vec![ListenAddress::read(node)?],
            Value::Nothing | Value::List(_) | Value::Section(_) => return Err(unexpected::<Self>(node)),
        };
        if addresses.len() > LISTEN_ADDRESSES_MAX {
            return Err(node.invalid(format!("must be at most {LISTEN_ADDRESSES_MAX} addresses")));
        }
        for (index, address) in addresses.iter().enumerate() {
            let mut before = addresses.iter().take(index);
            if let (Some(first), Value::List(items)) =
                (before.position(|before| before.meets(address)), &node.value)
            {
                let place = items.get(index).unwrap_or(node);
                return Err(place.invalid(format!(
                    "the same address as {}[{first}]; keep one of them",
                    node.key
                )));
            }
        }
        Ok(Self(addresses))
    }

    fn write(&self) -> Yaml {
        self.0.write()
    }
}

/// Nobody types a longer one.
const PATH_BYTES_MAX: usize = 128;

/// Where metrics are served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TelemetryPath(pub(crate) String);

impl TelemetryPath {
    /// Whether metrics stand where the status page would.
    pub(crate) fn hides_page(&self) -> bool {
        self.0 == "/"
    }
}

impl Setting for TelemetryPath {
    fn kind() -> String {
        "a path such as /metrics, outside of /api, /assets, /operations and /-".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let path = text::<Self>(node)?;
        let first = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
        let is_free = first.is_some_and(|first| {
            !matches!(
                first,
                "-" | "api" | "assets" | "operations" | "healthz" | "livez" | "readyz"
            )
        });
        let is_plain =
            |byte| matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~') || u8::is_ascii_alphanumeric(&byte);
        if is_free && !path.contains("//") && path.bytes().all(is_plain) && path.len() <= PATH_BYTES_MAX {
            Ok(Self(path.to_owned()))
        } else {
            Err(unexpected::<Self>(node))
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.clone())
    }
}

/// Where browsers find the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExternalUrl {
    url: String,
    /// In lower case.
    host: String,
}

impl Setting for ExternalUrl {
    fn kind() -> String {
        "a URL such as https://exporter.example.org".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let url = text::<Self>(node)?;
        let parsed: Uri = url.parse().map_err(|_| unexpected::<Self>(node))?;
        let is_web = matches!(parsed.scheme_str(), Some("http" | "https"));
        let is_plain = parsed.query().is_none() && !url.contains('@');
        match parsed.host().filter(|_| is_web && is_plain) {
            Some(host) => Ok(Self {
                url: url.to_owned(),
                host: host.to_ascii_lowercase(),
            }),
            None => Err(unexpected::<Self>(node)),
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.url.clone())
    }
}
