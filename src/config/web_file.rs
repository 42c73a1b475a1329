//! The web configuration file, in the format of Prometheus' exporter-toolkit: who may connect to the server, and how.
//!
//! It is a document of its own, so that one file can serve many exporters, and is read anew while the exporter runs.
//! `docs/web-configuration.md` tells where it differs from the toolkit's.

mod document;
mod http_server;
mod tls_server;

pub use document::document;

use crate::config::error::{ConfigError, Invalid};
use crate::config::node::{Node, Value};
use crate::config::setting::{Any, AtMost, Between, Setting, section, text, unexpected};
use crate::config::yaml::Yaml;
use crate::decode::redact;
use crate::file;
use crate::limits::{OPEN_PATHS_MAX, USERS_MAX, WEB_CONFIG_BYTES_MAX};
use crate::listening::{Tls, TlsError};
use crate::web::{self, PasswordHash, Protection, Users};
use http_server::HttpServer;
use std::path::Path;
use std::time::Duration;
use tls_server::TlsServer;

section! {
    /// The web configuration.
    WebFile => fits_together {
        /// See the section.
        tls_server_config: TlsServer = TlsServer::default(), Any;
        /// See the section.
        http_server_config: HttpServer = HttpServer::default(), Any;
        /// Users and the hashes of their passwords; whoever calls has to be one of them. Without users, everybody may.
        basic_auth_users: UserList = UserList::default(), Any;
        /// Paths that are answered without a user, for probes: such as `/-/healthy`. What writes needs one all the same.
        auth_excluded_paths: Vec<OpenPath> = Vec::new(), AtMost(OPEN_PATHS_MAX);
        /// See the section.
        rate_limit: RateLimit = RateLimit::default(), Any;
    }
}

section! {
    /// How many requests are answered, of all callers together; further ones are refused with 429. A bucket holds
    /// `burst` requests, and one more is let in each `interval`.
    RateLimit {
        /// Between two requests; 0 for no limit.
        interval: Duration = Duration::ZERO, Any;
        /// Requests that may come at once; with 0 and an interval, every request is refused.
        burst: usize = 0, Between(0, 1_000_000);
    }
}

fn fits_together(file: &WebFile, node: &Node) -> Result<(), Invalid> {
    file.tls_server_config
        .check_http2(file.http_server_config.http2, node)?;
    if !file.auth_excluded_paths.is_empty() && file.tls_server_config.requires_certificates() {
        let problem = "cannot be combined with a client_auth_type that requires certificates: they are asked for before \
                       a path is known";
        let place = node.get("auth_excluded_paths").unwrap_or(node);
        return Err(place.invalid(problem));
    }
    Ok(())
}

/// Users by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UserList(Users);

impl Setting for UserList {
    fn kind() -> String {
        "users with hashes of bcrypt".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let Value::Section(children) = &node.value else {
            return Err(unexpected::<Self>(node));
        };
        if children.len() > USERS_MAX {
            return Err(node.invalid(format!("must be at most {USERS_MAX} users")));
        }
        let users: Result<_, Invalid> = children
            .iter()
            .map(|child| {
                // RFC 7617, section 2: the first colon ends the name.
                if child.name.contains(':') {
                    return Err(
                        child.invalid("the name of a user cannot have a colon: nobody could sign in with it")
                    );
                }
                let hash: Result<PasswordHash, String> = match &child.value {
                    Value::Text(text) => text.parse(),
                    found => Err(format!("expected a hash of bcrypt, found {}", found.kind())),
                };
                Ok((
                    child.name.clone(),
                    hash.map_err(|problem| child.invalid(problem))?,
                ))
            })
            .collect();
        Ok(Self(users?))
    }

    fn write(&self) -> Yaml {
        Yaml::Absent
    }
}

/// A path that is answered without a user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenPath(String);

impl Setting for OpenPath {
    fn kind() -> String {
        "a path such as /-/healthy".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let path = text::<Self>(node)?;
        if path.starts_with('/') {
            Ok(Self(path.to_owned()))
        } else {
            Err(unexpected::<Self>(node))
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.clone())
    }
}

/// Reads a web configuration file and every file that it names; an empty one protects nothing.
///
/// # Errors
/// One [`ConfigError`] that names the first thing that is wrong, and what is allowed.
pub fn protection(path: &Path) -> Result<Protection, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        what: "web configuration file",
        path: path.to_owned(),
        source,
    };
    let yaml = file::read_text(path, WEB_CONFIG_BYTES_MAX).map_err(unreadable)?;
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let folder = absolute.parent().unwrap_or(Path::new(""));
    parsed(&yaml, folder).map_err(|invalid| ConfigError::InFile {
        path: path.to_owned(),
        invalid,
    })
}

/// Whether a text is a web configuration, without a look at the files that it names.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_protection(yaml: &str) -> Result<(), Invalid> {
    WebFile::read(&Node::parse(yaml)?).map(|_| ())
}

fn parsed(yaml: &str, folder: &Path) -> Result<Protection, Invalid> {
    let node = Node::parse(yaml)?;
    let mut file = WebFile::read(&node)?;
    file.tls_server_config.begin_at(folder);
    let settings = file
        .tls_server_config
        .settings(file.http_server_config.protocols());
    let tls = settings.map(|settings| Tls::load(&settings)).transpose();
    let limit = file.rate_limit;
    Ok(Protection {
        tls: tls.map_err(|error| of_tls(&node, &error))?,
        users: file.basic_auth_users.0,
        open_paths: file.auth_excluded_paths.into_iter().map(|path| path.0).collect(),
        rate_limit: (!limit.interval.is_zero()).then(|| web::Rate {
            interval: limit.interval,
            burst: u32::try_from(limit.burst).unwrap_or(u32::MAX),
        }),
        headers: file.http_server_config.headers.pairs(),
    })
}

fn of_tls(node: &Node, error: &TlsError) -> Invalid {
    let key = format!("tls_server_config.{}", error.key);
    Invalid {
        place: node.place_of(&key),
        key,
        problem: redact(&error.problem).into_owned(),
    }
}

#[cfg(test)]
mod tests;
