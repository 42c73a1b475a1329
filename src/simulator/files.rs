//! The other half of the cloud, spoken to over plain HTTP: files by presigned URL, and instance metadata.

use crate::simulator::{cloud::Cloud, ids::hex, world::Output};
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::routing::{get, post, put};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Input files by their checksum.
#[derive(Debug, Default)]
pub(crate) struct Store {
    files: HashMap<String, Bytes>,
    bytes: usize,
}

/// The largest file that can be uploaded.
const FILE_BYTES_MAX: usize = 64 << 20;
/// All files together: a simulator is no place to keep things.
const STORE_BYTES_MAX: usize = 256 << 20;

impl Store {
    /// Whether a file is there.
    pub(crate) fn has(&self, sha256: &str) -> bool {
        self.files.contains_key(sha256)
    }

    /// Keeps a file; `false` when there is no room.
    fn keep(&mut self, sha256: String, content: Bytes) -> bool {
        let length = content.len();
        if !self.has(&sha256) && self.bytes + length > STORE_BYTES_MAX {
            return false;
        }
        if self.files.insert(sha256, content).is_none() {
            self.bytes += length;
        }
        true
    }

    /// The number of files.
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }
}

/// The routes of the HTTP half.
pub(crate) fn routes(cloud: Arc<Cloud>) -> Router {
    Router::new()
        .route("/storage/inputs/{sha256}", put(upload))
        .route("/storage/jobs/{job_id}/{kind}/{index}", get(download))
        .route(
            "/computeMetadata/v1/instance/service-accounts/default/token",
            get(machine_token),
        )
        .route("/oauth/token", post(exchanged_token))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX))
        .with_state(cloud)
}

async fn upload(
    State(cloud): State<Arc<Cloud>>,
    uri: Uri,
    RawQuery(query): RawQuery,
    Path(sha256): Path<String>,
    body: Bytes,
) -> StatusCode {
    if !is_signed(&cloud, &Method::PUT, uri.path(), query.as_deref()) {
        return StatusCode::FORBIDDEN;
    }
    if hex(digest(&SHA256, &body).as_ref()) != sha256 {
        return StatusCode::BAD_REQUEST;
    }
    if cloud.store().keep(sha256, body) {
        StatusCode::OK
    } else {
        StatusCode::INSUFFICIENT_STORAGE
    }
}

async fn download(
    State(cloud): State<Arc<Cloud>>,
    uri: Uri,
    RawQuery(query): RawQuery,
    Path((job_id, kind, index)): Path<(String, String, usize)>,
) -> Result<Bytes, StatusCode> {
    if !is_signed(&cloud, &Method::GET, uri.path(), query.as_deref()) {
        return Err(StatusCode::FORBIDDEN);
    }
    let world = cloud.world();
    let job = world
        .job(&job_id)
        .ok()
        .filter(|job| !job.data_cleared)
        .ok_or(StatusCode::NOT_FOUND)?;
    let content = match kind.as_str() {
        "outputs" => job.body.outputs.get(index).map(|output| output.content.clone()),
        "logs" => job
            .log_files(true)
            .get(index)
            .map(|output: &Output| output.content.clone()),
        _ => None,
    };
    content.ok_or(StatusCode::NOT_FOUND)
}

/// The token of the machine, as the instance metadata gives it.
///
/// Source: `en/compute/operations/vm-connect/auth-inside-vm.md` of the cloud's documentation.
async fn machine_token(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    if headers
        .get("metadata-flavor")
        .is_none_or(|flavor| flavor != "Google")
    {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(Json(token(&cloud, cloud.tokens.machine_account())))
}

/// A token for a workload that shows a token of its own identity provider.
///
/// Source: `en/iam/operations/wlif/setup-wlif.md` of the cloud's documentation. Any subject token will do here.
async fn exchanged_token(
    State(cloud): State<Arc<Cloud>>,
    body: String,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let fields: HashMap<&str, String> = body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key, decoded(value)))
        .collect();
    let field = |name| fields.get(name).map(String::as_str).unwrap_or_default();
    let asked = field("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
        && field("requested_token_type") == "urn:ietf:params:oauth:token-type:access_token"
        && field("subject_token_type") == "urn:ietf:params:oauth:token-type:id_token"
        && !field("subject_token").is_empty();
    if !asked {
        return Err((
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_request" })),
        ));
    }
    if !cloud.tokens.knows_account(field("audience")) {
        return Err((
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "invalid_target" })),
        ));
    }
    Ok(Json(token(&cloud, field("audience"))))
}

fn token(cloud: &Cloud, subject: &str) -> Value {
    let (token, _) = cloud.tokens.issue(subject, cloud.clock.now());
    json!({ "access_token": token, "expires_in": cloud.tokens.ttl().as_secs(), "token_type": "Bearer" })
}

/// Whether a URL carries the signature of its own path.
fn is_signed(cloud: &Cloud, method: &Method, path: &str, query: Option<&str>) -> bool {
    let given = query
        .and_then(|query| query.strip_prefix("X-Amz-Signature="))
        .unwrap_or_default();
    given == cloud.urls.signature(method.as_str(), path)
}

/// A value of a form, its escapes resolved; broken escapes stay as they are.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (
            byte,
            escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()),
        ) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_values_are_read_as_they_were_meant() {
        for (written, meant) in [
            ("urn%3Aietf%3Aparams", "urn:ietf:params"),
            ("a+b%2", "a b%2"),
            ("", ""),
        ] {
            assert_eq!(decoded(written), meant);
        }
    }

    #[test]
    fn the_store_refuses_what_it_has_no_room_for() {
        let mut store = Store::default();
        assert!(store.keep("a".to_owned(), Bytes::from(vec![0; STORE_BYTES_MAX])));
        assert!(!store.keep("b".to_owned(), Bytes::from_static(b"x")));
        assert!(
            store.keep("a".to_owned(), Bytes::new()),
            "a file that is there may come again"
        );
        assert_eq!(store.count(), 1);
    }
}
