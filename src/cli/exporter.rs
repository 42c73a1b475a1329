//! A running exporter, as a caller of its HTTP API.

use crate::cli::unverified;
use crate::cloud::Secret;
use crate::limits::{COMMAND_ANSWER_BYTES_MAX, LISTING_PAGES_MAX};
use crate::model::{OperationId, Text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time for one call: the exporter answers from memory.
const TIMEOUT: Duration = Duration::from_secs(10);

const OPERATIONS: &str = "/api/v1/operations";

/// What needs no escaping in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// An exporter that answers.
#[derive(Debug)]
pub(crate) struct Exporter {
    base: BaseUrl,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Whom to take for the exporter, and as whom to call it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Authorities in PEM; the system's without.
    pub(crate) ca_file: Option<PathBuf>,
    /// Certificate and key in PEM.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// Whether whatever certificate is shown will do.
    pub(crate) is_blind: bool,
}

/// Where an exporter is. What signs in is not shown.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// In front of what is asked for, without a slash at its end.
    path: String,
    authorization: Option<Secret>,
}

/// What became of an id.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// Under watch since this call.
    New(Value),
    /// Under watch before.
    Known(Value),
    /// Taken in, and not shown yet.
    Pending,
}

/// Why a running exporter did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExporterError {
    #[error(
        "no exporter answers at {url}: {problem}; start `datasphere-exporter serve`, or tell where it is with --url"
    )]
    Unreachable { url: String, problem: String },
    #[error("the exporter at {url} did not answer within {} s; look at its log", TIMEOUT.as_secs())]
    Deadline { url: String },
    #[error("the exporter at {url} is not well: {said} (HTTP {status})")]
    Unwell {
        url: String,
        status: StatusCode,
        said: String,
    },
    #[error("{detail} (HTTP {status})")]
    Refused { status: StatusCode, detail: String },
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
}

impl Exporter {
    /// Connects when it is first asked for something.
    ///
    /// # Errors
    /// A system without authorities, when the URL is of HTTPS.
    #[cfg(test)]
    pub(crate) fn at(base: BaseUrl) -> Result<Self, ExporterError> {
        Self::trusting(base, &Trust::default())
    }

    /// The same for one that shows a certificate, or asks for ours.
    ///
    /// # Errors
    /// Files that cannot be used, too.
    pub(crate) fn trusting(base: BaseUrl, trust: &Trust) -> Result<Self, ExporterError> {
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build(connector(&base, trust)?),
            base,
        })
    }

    /// Asks whether all is well.
    ///
    /// # Errors
    /// What it says when it is not, and everything that keeps it from saying so.
    pub(crate) async fn health(&self, path: &str) -> Result<(), ExporterError> {
        let (status, said) = self.exchange(Method::GET, path, String::new()).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(ExporterError::Unwell {
            url: self.base.to_string(),
            status,
            said: Text::bounded(String::from_utf8_lossy(&said).trim()).to_string(),
        })
    }

    /// Has an operation, or a job, watched.
    pub(crate) async fn track(
        &self,
        id: &OperationId,
        is_job: bool,
        labels: &BTreeMap<String, String>,
    ) -> Result<Told, ExporterError> {
        let by = if is_job { "?by=job" } else { "" };
        let body = json!({ "labels": labels }).to_string();
        let (status, answer) = self
            .ask(Method::PUT, &format!("{OPERATIONS}/{id}{by}"), body)
            .await?;
        match status {
            StatusCode::CREATED => Ok(Told::New(answer)),
            StatusCode::ACCEPTED => Ok(Told::Pending),
            _ => Ok(Told::Known(answer)),
        }
    }

    /// Has an operation or job watched and shown no more; whether that is so already, since it may be kept a moment
    /// later.
    pub(crate) async fn untrack(&self, id: &OperationId) -> Result<bool, ExporterError> {
        let path = format!("{OPERATIONS}/{id}");
        let (status, _) = self.ask(Method::DELETE, &path, String::new()).await?;
        Ok(status != StatusCode::ACCEPTED)
    }

    /// What is watched, page by page in the order in which it came; `filter` has names and values of parameters.
    pub(crate) async fn list(
        &self,
        filter: &[(&str, &str)],
        mut show: impl FnMut(&Value),
    ) -> Result<(), ExporterError> {
        let mut page_token = String::new();
        for _ in 0..LISTING_PAGES_MAX {
            let filter = filter
                .iter()
                .copied()
                .chain([("limit", "500"), ("page_token", &page_token)]);
            let pairs: Vec<String> = filter
                .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
                .collect();
            let path = format!("{OPERATIONS}?{}", pairs.join("&"));
            let (_, page) = self.ask(Method::GET, &path, String::new()).await?;
            let Some(rows) = page.get("operations").and_then(Value::as_array) else {
                return Err(self.foreign("a list without operations"));
            };
            rows.iter().for_each(&mut show);
            match page.get("next_page_token").and_then(Value::as_str) {
                Some(next) if next != page_token => next.clone_into(&mut page_token),
                _ => return Ok(()),
            }
        }
        Err(self.foreign("a list that does not end"))
    }

    /// Sends a call; the answer if the exporter did what it was asked for.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Value), ExporterError> {
        let (status, bytes) = self.exchange(method, path, body).await?;
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
        if status.is_success() {
            return match answer {
                Some(answer) => Ok((status, answer)),
                None if bytes.is_empty() => Ok((status, Value::Null)),
                None => Err(self.foreign("an answer that is no JSON")),
            };
        }
        let detail = answer
            .as_ref()
            .and_then(|problem| problem.get("detail")?.as_str());
        match detail {
            Some(detail) => Err(ExporterError::Refused {
                status,
                detail: Text::bounded(detail).to_string(),
            }),
            None => Err(self.foreign(&format!("HTTP {status}"))),
        }
    }

    /// Sends a call and returns what came, whatever it is.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Bytes), ExporterError> {
        let request = self.base.request(method, path, body)?;
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), COMMAND_ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(|error| self.unreachable(&*error))?;
            Ok::<_, ExporterError>((status, body.to_bytes()))
        };
        timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| ExporterError::Deadline {
                url: self.base.to_string(),
            })?
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> ExporterError {
        // What is above the innermost cause only says that something failed.
        let causes = std::iter::successors(Some(error), |error| (*error).source());
        ExporterError::Unreachable {
            url: self.base.to_string(),
            problem: causes.last().map_or_else(String::new, ToString::to_string),
        }
    }

    fn foreign(&self, problem: &str) -> ExporterError {
        self.base.foreign(problem)
    }
}

impl BaseUrl {
    /// Where `serve` and `demo` listen, if nobody says otherwise.
    pub(crate) fn local() -> Self {
        Self {
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
        host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// The same as this user.
    pub(crate) fn signed_in(self, user: &str, password: &Secret) -> Self {
        let credential = STANDARD.encode(format!("{user}:{}", password.expose()));
        Self {
            authorization: Some(Secret::new(format!("Basic {credential}"))),
            ..self
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, ExporterError> {
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.path))
            .build();
        let mut request = Request::builder()
            .method(method)
            .uri(uri.map_err(|error| self.foreign(&error.to_string()))?)
            .header(ACCEPT, "application/json, application/problem+json");
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

    fn foreign(&self, problem: &str) -> ExporterError {
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
        const KIND: &str = "write http://HOST:PORT or https://HOST:PORT";
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
            scheme: scheme.clone(),
            authority: host.parse().map_err(|_| KIND)?,
            path: uri.path().trim_end_matches('/').to_owned(),
            authorization,
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// No authority is needed, nor looked for, to reach an exporter without TLS.
fn connector(base: &BaseUrl, trust: &Trust) -> Result<HttpsConnector<HttpConnector>, ExporterError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let rooted = if trust.is_blind {
        let every = unverified::Every::known_to(&provider);
        versions
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(every))
    } else {
        versions.with_root_certificates(roots(base, trust)?)
    };
    let config = match &trust.identity {
        None => rooted.with_no_client_auth(),
        Some((cert_file, key_file)) => {
            let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
                .map_err(|_| unfit(key_file, "there is no private key in PEM in it"))?;
            rooted
                .with_client_auth_cert(certificates(cert_file)?, key)
                .map_err(|error| unfit(cert_file, &error.to_string()))?
        }
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    Ok(builder.https_or_http().enable_http1().build())
}

/// Whom to believe that it is the exporter.
fn roots(base: &BaseUrl, trust: &Trust) -> Result<RootCertStore, ExporterError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &trust.ca_file {
        roots.add_parsable_certificates(certificates(path)?);
    } else if base.scheme == Scheme::HTTPS {
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            let problem = "this system has no authorities; name some with --ca-file";
            return Err(io::Error::new(io::ErrorKind::NotFound, problem).into());
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| unfit(path, "there is no certificate in PEM in it"))
}

fn read(path: &Path) -> Result<Vec<u8>, ExporterError> {
    std::fs::read(path).map_err(|error| unfit(path, &error.to_string()))
}

fn unfit(path: &Path, problem: &str) -> ExporterError {
    ExporterError::File {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    fn url(text: &str) -> BaseUrl {
        text.parse().expect("a URL")
    }

    #[test]
    fn an_exporter_is_called_below_its_url() {
        let cases = [
            ("http://localhost:10477", "http://localhost:10477/x"),
            ("https://example.org/exporter/", "https://example.org/exporter/x"),
            ("http://[::1]:1/", "http://[::1]:1/x"),
        ];
        for (text, expected) in cases {
            let request = url(text)
                .request(Method::GET, "/x", String::new())
                .expect("a request");
            assert_eq!(request.uri(), expected);
            assert!(!request.headers().contains_key(AUTHORIZATION));
        }
    }

    #[test]
    fn only_a_name_of_this_host_is_a_loopback() {
        for text in [
            "http://localhost:1",
            "https://127.0.0.1:1",
            "https://127.8.8.8:1",
            "http://[::1]:1",
        ] {
            assert!(url(text).is_loopback(), "{text}");
        }
        for text in [
            "http://localhost.example:1",
            "http://10.0.0.1:1",
            "http://[::2]:1",
            "http://127.0.0.1.example:1",
        ] {
            assert!(!url(text).is_loopback(), "{text}");
        }
    }

    #[tokio::test]
    async fn health_is_what_the_exporter_says() {
        let (exporter, mut asked) = server(&[
            ("200 OK", "The exporter is healthy.\n"),
            (
                "503 Service Unavailable",
                "waiting for the first look at 3 operations\n",
            ),
        ])
        .await;
        assert!(exporter.health("/-/healthy").await.is_ok());
        let error = exporter
            .health("/-/ready")
            .await
            .expect_err("not ready")
            .to_string();
        assert!(
            error.ends_with(
                "is not well: waiting for the first look at 3 operations (HTTP 503 Service Unavailable)"
            ),
            "{error}"
        );
        let asked = asked.join_next().await.expect("a server").expect("all asked");
        assert_eq!(asked, ["GET /-/healthy HTTP/1.1", "GET /-/ready HTTP/1.1"]);
    }

    #[test]
    fn a_password_in_a_url_signs_in_and_is_not_shown() {
        let base = url("http://user:p%40ss@localhost:10477");
        let request = base.request(Method::GET, "/x", String::new()).expect("a request");
        let authorization = request.headers().get(AUTHORIZATION).expect("a header");
        assert_eq!(authorization, "Basic dXNlcjpwQHNz");
        for shown in [base.to_string(), format!("{base:?}"), format!("{request:?}")] {
            assert!(
                !shown.contains("p%40ss") && !shown.contains("dXNlcjpw"),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_no_url_of_an_exporter_is_refused_without_being_quoted() {
        for text in [
            "",
            "localhost:10477",
            "ftp://a",
            "http://user:canary@",
            "http://a/?q=canary",
        ] {
            let refusal = text.parse::<BaseUrl>().expect_err(text);
            assert!(!refusal.contains("canary"), "{refusal}");
        }
    }

    /// Answers one request after the other with these, status and body; what was asked for.
    async fn server(answers: &'static [(&'static str, &'static str)]) -> (Exporter, JoinSet<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mut asked = JoinSet::new();
        asked.spawn(answer_all(listener, answers));
        (Exporter::at(url(&base)).expect("an exporter"), asked)
    }

    async fn answer_all(listener: TcpListener, answers: &'static [(&str, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.expect("a request");
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            asked.push(request.lines().next().unwrap_or_default().to_owned());
            let head = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .await
                .expect("a caller");
        }
        asked
    }

    #[tokio::test]
    async fn a_list_is_followed_from_page_to_page() {
        let (exporter, mut asked) = server(&[
            (
                "200 OK",
                r#"{"operations": [{"name": "a"}], "next_page_token": "7"}"#,
            ),
            ("200 OK", r#"{"operations": [{"name": "b"}]}"#),
        ])
        .await;
        let mut names = Vec::new();
        let listed = exporter
            .list(&[("state", "a&b")], |row| names.push(row["name"].clone()))
            .await;
        listed.expect("a list");
        assert_eq!(names, ["a", "b"]);
        let asked = asked.join_next().await.expect("a server").expect("all asked");
        assert_eq!(
            asked[1],
            "GET /api/v1/operations?state=a%26b&limit=500&page_token=7 HTTP/1.1"
        );
    }

    #[tokio::test]
    async fn what_the_exporter_says_of_a_refusal_is_told_and_what_is_none_is_called_so() {
        let id: OperationId = "op".parse().expect("an id");
        let (exporter, _asked) = server(&[
            (
                "403 Forbidden",
                r#"{"detail": "served on loopback addresses only"}"#,
            ),
            ("404 Not Found", "<html>"),
            ("200 OK", "hello"),
            ("204 No Content", ""),
        ])
        .await;
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(exporter.untrack(&id).await.expect_err("a refusal"));
        }
        assert!(exporter.untrack(&id).await.is_ok());
        assert_eq!(
            told[0].to_string(),
            "served on loopback addresses only (HTTP 403 Forbidden)"
        );
        assert!(told[0].is_refusal());
        for foreign in &told[1..] {
            assert!(
                foreign
                    .to_string()
                    .contains("is no datasphere-exporter of this version"),
                "{foreign}"
            );
        }
    }

    #[tokio::test]
    async fn an_exporter_that_is_not_there_is_told_with_what_to_do() {
        let exporter = Exporter::at(url("http://user:canary@127.0.0.1:1")).expect("an exporter");
        let error = exporter.list(&[], |_| {}).await.expect_err("nobody").to_string();
        assert!(
            error.contains("http://127.0.0.1:1: Connection refused") && error.contains("--url"),
            "{error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }
}
