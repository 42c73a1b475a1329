//! A running exporter, as a caller of its HTTP API.

mod connection;
mod error;
mod url;

pub(crate) use connection::Trust;
pub(crate) use error::ExporterError;
pub(crate) use url::BaseUrl;

use crate::limits::LISTING_PAGES_MAX;
use crate::model::{OperationId, Text};
use bytes::Bytes;
use connection::Connection;
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
    connection: Connection,
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
            connection: Connection::to(&base, trust)?,
            base,
        })
    }

    /// Asks whether all is well.
    ///
    /// # Errors
    /// What it says when it is not, and everything that keeps it from saying so.
    pub(crate) async fn health(&self, path: &str) -> Result<(), ExporterError> {
        let (status, said) = self.exchange(Method::GET, path, String::new()).await?;
        match status {
            _ if status.is_success() => return Ok(()),
            StatusCode::NOT_FOUND => return Err(self.foreign(&format!("HTTP {status}"))),
            _ => {}
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

    /// What is watched, page by page in the order in which it came, an empty one too; `filter` has names and values of parameters.
    pub(crate) async fn list(
        &self,
        filter: &[(&str, &str)],
        mut show: impl FnMut(&[Value]),
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
            show(rows);
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
        let exchange = timeout(TIMEOUT, self.connection.exchange(request)).await;
        let (status, said) = exchange
            .map_err(|_| ExporterError::Deadline {
                url: self.base.to_string(),
            })?
            .map_err(|error| ExporterError::unanswered(&self.base, &*error))?;
        match status {
            StatusCode::UNAUTHORIZED => Err(self.stranger()),
            StatusCode::BAD_REQUEST if !self.base.is_encrypted() && tells_of_tls(&said) => {
                Err(ExporterError::in_plain(&self.base))
            }
            _ => Ok((status, said)),
        }
    }

    /// It does not know us.
    fn stranger(&self) -> ExporterError {
        let url = self.base.to_string();
        if self.base.signs_in() {
            ExporterError::WrongPassword { url }
        } else {
            ExporterError::SignIn { url }
        }
    }

    fn foreign(&self, problem: &str) -> ExporterError {
        self.base.foreign(problem)
    }
}

/// Whether it is what servers of TLS tell in plain: ours, Go's and nginx' all name the scheme. A problem of the API,
/// which may quote what was asked, is told in JSON.
fn tells_of_tls(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said).to_ascii_lowercase();
    !said.trim_start().starts_with('{') && said.contains("https")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Secret;
    use http::header::AUTHORIZATION;
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
            "unix:",
            "unix:relative.sock",
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
            .list(&[("state", "a&b")], |rows| {
                names.extend(rows.iter().map(|row| row["name"].clone()));
            })
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
    async fn a_password_that_is_missing_is_told_from_one_that_is_wrong() {
        let (exporter, _asked) = server(&[("401 Unauthorized", "no"), ("401 Unauthorized", "no")]).await;
        let told = exporter.list(&[], |_| {}).await.expect_err("a refusal");
        assert!(told.to_string().contains("give --user"), "{told}");
        assert!(!told.is_refusal(), "further ids would fare no better");
        let known = exporter.base.clone().signed_in("alice", &Secret::new("canary"));
        let exporter = Exporter::at(known).expect("an exporter");
        let told = exporter
            .health("/-/healthy")
            .await
            .expect_err("a refusal")
            .to_string();
        assert!(
            told.contains("no such user with this password") && !told.contains("canary"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn nothing_is_shown_of_a_list_before_there_is_an_answer() {
        let (exporter, _asked) = server(&[
            ("500 Internal Server Error", ""),
            ("200 OK", r#"{"operations": []}"#),
        ])
        .await;
        let mut pages = 0;
        assert!(exporter.list(&[], |_| pages += 1).await.is_err());
        assert_eq!(pages, 0);
        exporter.list(&[], |_| pages += 1).await.expect("a list");
        assert_eq!(pages, 1, "a list of nothing has a head");
    }

    #[tokio::test]
    async fn plain_http_where_tls_is_spoken_and_the_reverse_are_told_apart() {
        let (exporter, _asked) = server(&[(
            "400 Bad Request",
            "Client sent an HTTP request to an HTTPS server.\n",
        )])
        .await;
        let told = exporter.health("/-/healthy").await.expect_err("TLS").to_string();
        assert!(told.ends_with("write https:// in --url"), "{told}");
        let (exporter, _asked) = server(&[("200 OK", "")]).await;
        let encrypted = exporter.base.to_string().replace("http:", "https:");
        let authority = tempfile::NamedTempFile::new().expect("a file");
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(authority.path(), own.cert.pem()).expect("a file");
        let trust = Trust {
            ca_file: Some(authority.path().to_owned()),
            ..Trust::default()
        };
        let exporter = Exporter::trusting(url(&encrypted), &trust).expect("an exporter");
        let told = exporter
            .health("/-/healthy")
            .await
            .expect_err("plain")
            .to_string();
        assert!(
            told.starts_with("no secure connection to https://127.0.0.1:")
                && told.ends_with("speaks no TLS: write http:// in --url"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn the_certificate_of_an_authority_is_told_to_be_none_of_a_server() {
        let mut made = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        made.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = made.self_signed(&key).expect("a certificate");
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                key.serialize_der().try_into().expect("a key"),
            )
            .expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
            acceptor.accept(stream).await.is_ok()
        });
        let authority = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(authority.path(), own.pem()).expect("a file");
        let trust = Trust {
            ca_file: Some(authority.path().to_owned()),
            ..Trust::default()
        };
        let exporter = Exporter::trusting(url(&format!("https://{address}")), &trust).expect("an exporter");
        let told = exporter
            .health("/-/healthy")
            .await
            .expect_err("no trust")
            .to_string();
        assert!(
            told.contains("an authority's own certificate") && told.ends_with("CA:FALSE`"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn an_exporter_is_called_over_its_unix_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.sock");
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("a caller");
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let base = url(&format!("unix:{}", path.display()));
        assert!(base.is_loopback());
        assert_eq!(base.to_string(), format!("unix:{}", path.display()));
        let exporter = Exporter::at(base).expect("an exporter");
        exporter
            .health("/-/healthy")
            .await
            .expect("an exporter that is well");
        let asked = serving.join_next().await.expect("a server").expect("asked");
        assert!(
            asked.contains("/-/healthy HTTP/1.1\r\n") && asked.contains("host: localhost\r\n"),
            "{asked}"
        );
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
