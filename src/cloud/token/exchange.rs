//! Token services that speak HTTP: instance metadata, and the exchange of another provider's tokens.

use crate::clock::Clock;
use crate::cloud::channel::Dialer;
use crate::cloud::token::{Life, Token, UNTOLD_INTERVAL, read_token_file};
use crate::cloud::{CloudError, Secret};
use crate::decode;
use crate::fault::innermost;
use crate::limits::TOKEN_BYTES_MAX;
use crate::model::Text;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// A token service that speaks HTTP.
#[derive(Debug)]
pub(crate) enum TokenUrl {
    /// Of the virtual machine this runs on.
    Metadata {
        uri: Uri,
        http: Client<HttpConnector, Full<Bytes>>,
    },
    /// RFC 8693.
    Workload {
        uri: Uri,
        http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
        service_account_id: String,
        token_file: PathBuf,
    },
}

/// The metadata service is on the same machine: what does not answer quickly is not there.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);

const WORKLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// <https://yandex.cloud/en/docs/compute/operations/vm-connect/auth-inside-vm>.
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

#[derive(Deserialize)]
struct TokenJson {
    access_token: String,
    expires_in: Option<u32>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct ErrorJson {
    error: String,
    error_description: Option<String>,
}

const FILE_OF_IDENTITY: &str = "token file of cloud.auth.workload_identity.token_file";

impl TokenUrl {
    /// The metadata service at `host` or `host:port`.
    pub(crate) fn metadata(address: &str) -> Result<Self, CloudError> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(METADATA_CONNECT_TIMEOUT));
        Ok(Self::Metadata {
            uri: uri(&format!("http://{address}{METADATA_PATH}"))?,
            http: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(tcp),
        })
    }

    /// The exchange of a token in a file.
    pub(crate) fn workload(
        service_account_id: &str,
        token_file: &Path,
        token_url: &str,
        dialer: &Dialer,
    ) -> Result<Self, CloudError> {
        let uri = uri(token_url)?;
        let connector = dialer.http(&uri)?;
        Ok(Self::Workload {
            uri,
            http: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
            service_account_id: service_account_id.to_owned(),
            token_file: token_file.to_owned(),
        })
    }

    /// A new token.
    pub(crate) async fn token(&self, clock: &Clock) -> Result<Token, CloudError> {
        let answer = match self {
            Self::Metadata { uri, http } => {
                let request = metadata_request(uri);
                ask(uri, METADATA_TIMEOUT, http.request(request)).await?
            }
            Self::Workload {
                uri,
                http,
                service_account_id,
                token_file,
            } => {
                let subject = read_token_file(FILE_OF_IDENTITY, token_file).await?;
                let request = workload_request(uri, service_account_id, &subject);
                ask(uri, WORKLOAD_TIMEOUT, http.request(request)).await?
            }
        };
        let life = answer
            .expires_in
            .map_or(Life::Unknown(UNTOLD_INTERVAL), |seconds| {
                Life::Until(clock.now().plus(Duration::from_secs(seconds.into())))
            });
        Ok(Token {
            secret: Secret::new(answer.access_token),
            life,
        })
    }
}

fn uri(text: &str) -> Result<Uri, CloudError> {
    let wrong = |problem: String| CloudError::Address {
        address: text.to_owned(),
        problem,
    };
    let uri: Uri = text
        .parse()
        .map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(uri),
        _ => Err(wrong("a token service is reached by http or https".to_owned())),
    }
}

fn metadata_request(uri: &Uri) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert("metadata-flavor", http::HeaderValue::from_static("Google"));
    request
}

fn workload_request(uri: &Uri, service_account_id: &str, subject: &Secret) -> Request<Full<Bytes>> {
    let form = form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", service_account_id),
        ("subject_token", subject.expose()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]);
    let mut request = Request::new(Full::from(form));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    headers.insert(ACCEPT, http::HeaderValue::from_static("application/json"));
    request
}

/// `application/x-www-form-urlencoded`; everything but unreserved characters is escaped.
fn form(fields: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                form.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(form, "%{byte:02X}");
            }
        }
    }
    form
}

/// Waits for an answer and reads the token in it.
async fn ask(
    uri: &Uri,
    within: Duration,
    answer: impl Future<Output = Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error>>,
) -> Result<TokenJson, CloudError> {
    let no_token = |problem: String| CloudError::Exchange {
        url: uri.to_string(),
        problem,
    };
    let exchange = async {
        let response = answer.await.map_err(|error| no_token(innermost(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, TOKEN_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| no_token(innermost(error.as_ref())))?;
        Ok((head.status, body.to_bytes()))
    };
    let (status, body) = timeout(within, exchange)
        .await
        .map_err(|_| no_token(format!("no answer within {within:?}")))??;
    if status != StatusCode::OK {
        return Err(no_token(refusal(status, &body)));
    }
    // What the parser would say may quote the token.
    serde_json::from_slice(&body).map_err(|_| no_token("the answer has no access_token".to_owned()))
}

/// What an answer that is not a token says, as far as it can be shown.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let mut problem = format!("HTTP status {status}");
    if let Ok(told) = serde_json::from_slice::<ErrorJson>(body) {
        let words = match told.error_description {
            Some(description) => format!("{}: {description}", told.error),
            None => told.error,
        };
        let words = Text::bounded(&decode::redact(&words));
        // Writing to a string does not fail.
        let _ = write!(problem, " ({words})");
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_escapes_what_is_not_unreserved() {
        assert_eq!(
            form(&[("a", "x y&z=1"), ("b", "я.~_-9")]),
            "a=x%20y%26z%3D1&b=%D1%8F.~_-9"
        );
    }

    #[test]
    fn a_refusal_shows_the_reason_but_no_page_of_html() {
        let told = refusal(
            StatusCode::BAD_REQUEST,
            br#"{"error":"invalid_grant","error_description":"audience does not match"}"#,
        );
        assert_eq!(
            told,
            "HTTP status 400 Bad Request (invalid_grant: audience does not match)"
        );
        let page = refusal(StatusCode::BAD_GATEWAY, b"<html>canary</html>");
        assert_eq!(page, "HTTP status 502 Bad Gateway");
    }

    #[test]
    fn a_token_service_is_reached_by_http() {
        assert!(TokenUrl::metadata("169.254.169.254").is_ok());
        assert!(TokenUrl::metadata("[fd00::1]:8080").is_ok());
        assert!(TokenUrl::metadata("").is_err());
        assert!(uri("ftp://auth.example/token").is_err());
        assert!(uri("auth.example").is_err());
    }
}
