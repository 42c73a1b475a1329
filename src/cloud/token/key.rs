//! Authorized keys of service accounts, and the claims they sign.

use crate::clock::Timestamp;
use crate::cloud::CloudError;
use crate::files;
use crate::limits::PEM_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// A key file, read anew at each use, so that a rotated key is picked up without a restart.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    key: Mutex<Arc<Key>>,
}

/// Who is asked to accept the claim. The documentation names this one audience for all installations:
/// <https://yandex.cloud/en/docs/iam/operations/iam-token/create-for-sa>.
const AUDIENCE: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";

/// The longest life that the cloud accepts for a claim.
const CLAIM_LIFE: Duration = Duration::from_hours(1);

impl KeyFile {
    /// # Errors
    /// The file cannot be read, or is not an authorized key.
    pub(crate) fn open(path: PathBuf) -> Result<Self, CloudError> {
        let bytes = files::read(&path, PEM_BYTES_MAX).map_err(|source| CloudError::File {
            what: WHAT,
            path: path.clone(),
            source,
        })?;
        let key = Key::parse(&bytes).map_err(|problem| wrong(&path, problem))?;
        Ok(Self {
            path,
            key: Mutex::new(Arc::new(key)),
        })
    }

    /// A claim to be the service account, valid for an hour from `now`.
    pub(crate) async fn jwt(&self, now: Timestamp) -> Result<String, CloudError> {
        // A file that is being replaced, or was damaged since, leaves the key that worked.
        let path = self.path.clone();
        let newest = spawn_blocking(move || files::read(&path, PEM_BYTES_MAX)).await;
        let newest = newest.ok().and_then(Result::ok);
        let newest = newest.and_then(|bytes| Key::parse(&bytes).ok()).map(Arc::new);
        let key = {
            let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(newest) = newest {
                *key = newest;
            }
            Arc::clone(&key)
        };
        key.jwt(now)
    }
}

const WHAT: &str = "service account key file";

fn wrong(path: &Path, problem: String) -> CloudError {
    CloudError::FileContent {
        what: WHAT,
        path: path.to_owned(),
        problem,
    }
}

/// An authorized key.
pub(crate) struct Key {
    id: String,
    service_account_id: String,
    pair: RsaKeyPair,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// What `yc iam key create --output` writes, and what the API answers: `{"key": {…}, "privateKey": …}`.
#[derive(Deserialize)]
struct KeyJson {
    id: Option<String>,
    service_account_id: Option<String>,
    private_key: Option<String>,
    #[serde(rename = "privateKey")]
    api_private_key: Option<String>,
    key: Option<ApiKeyJson>,
}

#[derive(Deserialize)]
struct ApiKeyJson {
    id: Option<String>,
    #[serde(rename = "serviceAccountId", alias = "service_account_id")]
    service_account_id: Option<String>,
}

const HINT: &str = "make one with `yc iam key create --service-account-name NAME --output key.json`";

impl Key {
    /// Reads a key file's content; the error is what is wrong with it, without any of its content.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: KeyJson = serde_json::from_slice(bytes).map_err(|error| {
            // The error's own words may quote the key.
            let (line, column) = (error.line(), error.column());
            format!("no JSON object with a key, see line {line} column {column}; {HINT}")
        })?;
        let (id, service_account_id, private_key) = match json.key {
            Some(key) => (
                key.id,
                key.service_account_id,
                json.api_private_key.or(json.private_key),
            ),
            None => (
                json.id,
                json.service_account_id,
                json.private_key.or(json.api_private_key),
            ),
        };
        let missing = |name: &str| format!("it has no `{name}`, so it is not an authorized key; {HINT}");
        Ok(Self {
            id: id.ok_or_else(|| missing("id"))?,
            service_account_id: service_account_id.ok_or_else(|| missing("service_account_id"))?,
            pair: key_pair(&private_key.ok_or_else(|| missing("private_key"))?)?,
        })
    }

    /// A signed claim: JWT with PS256, whose salt has the 32 bytes that the cloud insists on.
    fn jwt(&self, now: Timestamp) -> Result<String, CloudError> {
        let header = serde_json::json!({ "typ": "JWT", "alg": "PS256", "kid": self.id });
        let claims = serde_json::json!({
            "iss": self.service_account_id,
            "aud": AUDIENCE,
            "iat": now.millis() / 1000,
            "exp": now.plus(CLAIM_LIFE).millis() / 1000,
        });
        let mut jwt = URL_SAFE_NO_PAD.encode(header.to_string());
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut jwt);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                jwt.as_bytes(),
                &mut signature,
            )
            .map_err(|error| CloudError::Signature {
                problem: error.to_string(),
            })?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }
}

/// Newer keys begin with a line of text ("PLEASE DO NOT REMOVE THIS LINE! …") before the PEM itself.
fn key_pair(pem: &str) -> Result<RsaKeyPair, String> {
    let begin = pem.find("-----BEGIN").ok_or("its private key is not PEM")?;
    let der = PrivateKeyDer::from_pem_slice(pem.get(begin..).unwrap_or_default().as_bytes())
        .map_err(|_| "its private key is damaged PEM".to_owned())?;
    let pair = match &der {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err("its private key is not RSA".to_owned()),
    };
    pair.map_err(|rejected| format!("its private key is not an RSA key that can sign ({rejected})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{KeyPair, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::{Value, json};

    const FILE: &str = include_str!("../../../tests/fixtures/throwaway/service-account-key.json");

    fn file() -> Value {
        serde_json::from_str(FILE).expect("the fixture is JSON")
    }

    fn parse(value: &Value) -> Result<Key, String> {
        Key::parse(value.to_string().as_bytes())
    }

    fn part(jwt: &str, place: usize) -> Vec<u8> {
        let text = jwt.split('.').nth(place).expect("three parts");
        URL_SAFE_NO_PAD.decode(text).expect("base64url")
    }

    #[test]
    fn a_claim_is_what_the_cloud_asks_for_and_its_signature_holds() {
        let now = Timestamp::from_seconds(1_700_000_000, 0).expect("in range");
        let key = parse(&file()).expect("a key");
        let jwt = key.jwt(now).expect("signed");
        let header: Value = serde_json::from_slice(&part(&jwt, 0)).expect("JSON");
        assert_eq!(
            header,
            json!({"typ": "JWT", "alg": "PS256", "kid": "ajethrowawaykey00001"})
        );
        let claims: Value = serde_json::from_slice(&part(&jwt, 1)).expect("JSON");
        assert_eq!(
            claims,
            json!({
                "iss": "ajethrowawayaccount1",
                "aud": "https://iam.api.cloud.yandex.net/iam/v1/tokens",
                "iat": 1_700_000_000,
                "exp": 1_700_003_600,
            })
        );
        // ring accepts a salt of exactly 32 bytes here, which is what the cloud does.
        let (signed, _) = jwt.rsplit_once('.').expect("three parts");
        let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.pair.public_key().as_ref());
        public
            .verify(signed.as_bytes(), &part(&jwt, 2))
            .expect("the signature holds");
        assert!(jwt.len() <= 8000, "the API's bound");
    }

    #[test]
    fn both_shapes_of_the_file_and_both_of_the_pem_are_read() {
        let mut plain = file();
        let pem = plain["private_key"].as_str().expect("a string").to_owned();
        assert!(
            pem.starts_with("PLEASE DO NOT REMOVE THIS LINE!"),
            "the fixture is of the newer kind"
        );
        let begin = pem.find("-----BEGIN").expect("PEM");
        plain["private_key"] = Value::from(&pem[begin..]);
        assert!(parse(&plain).is_ok());
        let one_line = format!("PLEASE DO NOT REMOVE THIS LINE! {}", &pem[begin..]);
        plain["private_key"] = Value::from(one_line);
        assert!(parse(&plain).is_ok());

        let api = json!({
            "key": {"id": "ajekey", "serviceAccountId": "ajeaccount", "keyAlgorithm": "RSA_2048"},
            "privateKey": pem,
        });
        let key = parse(&api).expect("the API's shape");
        assert_eq!(
            (key.id.as_str(), key.service_account_id.as_str()),
            ("ajekey", "ajeaccount")
        );
    }

    #[test]
    fn a_wrong_file_is_told_without_its_content() {
        let with = |name: &str, value: Value| {
            let mut file = file();
            file[name] = value;
            file.to_string()
        };
        let cases = [
            (String::new(), "no JSON object"),
            ("canary".to_owned(), "no JSON object"),
            ("[1]".to_owned(), "no JSON object"),
            (
                json!({"access_key": {"id": "canary"}, "secret": "canary"}).to_string(),
                "no `id`",
            ),
            (
                json!({"id": "canary", "secret": "canary"}).to_string(),
                "no `service_account_id`",
            ),
            (with("private_key", Value::Null), "no `private_key`"),
            (with("private_key", Value::from(7)), "no JSON object"),
            (with("private_key", Value::from("canary")), "not PEM"),
            (
                with("private_key", Value::from("-----BEGIN PRIVATE KEY-----\ncanary")),
                "damaged PEM",
            ),
            (
                with(
                    "private_key",
                    Value::from("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----"),
                ),
                "not an RSA key",
            ),
        ];
        for (content, expected) in cases {
            let problem = Key::parse(content.as_bytes()).expect_err(expected);
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
    }

    #[tokio::test]
    async fn a_rotated_key_is_picked_up_and_a_damaged_file_is_survived() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("key.json");
        let now = Timestamp::from_seconds(1_700_000_000, 0).expect("in range");
        std::fs::write(&path, FILE).expect("written");
        let key = KeyFile::open(path.clone()).expect("a key");
        let mut rotated = file();
        rotated["id"] = Value::from("ajerotated");
        std::fs::write(&path, rotated.to_string()).expect("written");
        let header = String::from_utf8(part(&key.jwt(now).await.expect("signed"), 0)).expect("JSON");
        assert!(header.contains("ajerotated"), "{header}");
        std::fs::write(&path, "").expect("written");
        let header = String::from_utf8(part(&key.jwt(now).await.expect("signed"), 0)).expect("JSON");
        assert!(header.contains("ajerotated"), "{header}");
    }
}
