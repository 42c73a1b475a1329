//! Where a running exporter is, as a user writes it.

use crate::cli::exporter::ExporterError;
use crate::cloud::Secret;
use crate::listening::Place;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where an exporter is. What signs in is not shown.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    /// The socket to connect to, in place of `authority`.
    socket: Option<PathBuf>,
    scheme: Scheme,
    authority: Authority,
    /// In front of what is asked for, without a slash at its end.
    path: String,
    authorization: Option<Secret>,
}

impl BaseUrl {
    /// Where `serve` and `demo` listen, if nobody says otherwise.
    pub(crate) fn local() -> Self {
        Self {
            socket: None,
            scheme: Scheme::HTTP,
            authority: Authority::from_static("localhost:10477"),
            path: String::new(),
            authorization: None,
        }
    }

    /// Whether it is on this host, by its own words.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        self.socket.is_some()
            || host == "localhost"
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Its unix socket, if it is called over one.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether it is called over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether calls tell who we are.
    pub(super) fn signs_in(&self) -> bool {
        self.authorization.is_some()
    }

    /// The same as this user.
    pub(crate) fn signed_in(self, user: &str, password: &Secret) -> Self {
        let credential = STANDARD.encode(format!("{user}:{}", password.expose()));
        Self {
            authorization: Some(Secret::new(format!("Basic {credential}"))),
            ..self
        }
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, ExporterError> {
        let uri = Uri::builder().path_and_query(format!("{}{path}", self.path));
        // Over TCP the client makes them into a host.
        let uri = match self.socket {
            Some(_) => uri,
            None => uri.scheme(self.scheme.clone()).authority(self.authority.clone()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri.build().map_err(|error| self.foreign(&error.to_string()))?)
            .header(ACCEPT, "application/json, application/problem+json");
        if self.socket.is_some() {
            request = request.header(HOST, self.authority.as_str());
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            let mut value = HeaderValue::from_str(authorization.expose())
                .map_err(|_| self.foreign("a password that no header can carry"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.foreign(&error.to_string()))
    }

    pub(super) fn foreign(&self, problem: &str) -> ExporterError {
        ExporterError::Foreign {
            url: self.to_string(),
            problem: problem.to_owned(),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = &'static str;

    /// The message does not quote the text, which may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const KIND: &str = "write http://HOST:PORT, https://HOST:PORT or unix:/PATH";
        if let Some(path) = Place::unix_path(text) {
            let socket = path.is_absolute().then(|| path.to_owned());
            return Ok(Self {
                socket: Some(socket.ok_or(KIND)?),
                authority: Authority::from_static("localhost"),
                ..Self::local()
            });
        }
        let uri: Uri = text.parse().map_err(|_| KIND)?;
        let scheme = uri
            .scheme()
            .filter(|scheme| ["http", "https"].contains(&scheme.as_str()));
        let (Some(scheme), Some(authority), None) = (scheme, uri.authority(), uri.query()) else {
            return Err(KIND);
        };
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        let authorization = user.map(|user| {
            let decoded: Vec<u8> = percent_decode_str(user).collect();
            Secret::new(format!("Basic {}", STANDARD.encode(decoded)))
        });
        Ok(Self {
            socket: None,
            scheme: scheme.clone(),
            authority: host.parse().map_err(|_| KIND)?,
            path: uri.path().trim_end_matches('/').to_owned(),
            authorization,
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => Place::Unix(path.clone()).fmt(f),
            None => write!(f, "{}://{}{}", self.scheme, self.authority, self.path),
        }
    }
}
