//! The authorization of calls, from any of its sources.

mod exchange;
mod key;

use crate::catalogue::Instruments;
use crate::clock::{Clock, Timestamp};
use crate::cloud::attempt::unary;
use crate::cloud::channel::Dialer;
use crate::cloud::method::{Methods, Service};
use crate::cloud::renewal::{Current, Fetch, Lease, Renewed};
use crate::cloud::route::Routes;
use crate::cloud::{Auth, CloudError, Secret, Settings};
use crate::files;
use crate::flow::{Said, Throttle};
use crate::limits::TOKEN_BYTES_MAX;
use crate::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use crate::proto::yandex::cloud::iam::v1::{CreateIamTokenRequest, CreateIamTokenResponse};
use exchange::TokenUrl;
use http::{HeaderMap, HeaderValue};
use key::KeyFile;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// What calls carry in the header `authorization`.
#[derive(Debug)]
pub(crate) enum Authorization {
    /// The same always; `None` for nothing.
    Fixed(Option<HeaderValue>),
    /// What its source says now.
    Renewed(Box<Renewed<Tokens>>),
}

impl Authorization {
    /// # Errors
    /// A file of the settings cannot be used, or the fixed token cannot be a header.
    pub(crate) fn new(settings: &Settings, dialer: &Dialer, house: House) -> Result<Self, CloudError> {
        let source = match &settings.auth {
            Auth::Anonymous => return Ok(Self::Fixed(None)),
            Auth::IamToken(token) => {
                let origin = "the configuration";
                let header = token.bearer().ok_or(CloudError::UnusableToken { origin })?;
                return Ok(Self::Fixed(Some(header)));
            }
            Auth::ServiceAccountKeyFile(path) => Source::Key(KeyFile::open(path.clone())?),
            Auth::IamTokenFile(path) => Source::File(path.clone()),
            Auth::Metadata { address } => Source::Url(Box::new(TokenUrl::metadata(address)?)),
            Auth::WorkloadIdentity {
                service_account_id,
                token_file,
                token_url,
            } => Source::Url(Box::new(TokenUrl::workload(
                service_account_id,
                token_file,
                token_url,
                dialer,
            )?)),
        };
        let tokens = Tokens {
            source,
            timeout: settings.request_timeout,
            house,
        };
        Ok(Self::Renewed(Box::new(Renewed::new(tokens))))
    }

    /// The header to send now, if there is one that may be used.
    pub(crate) fn current(&self, now: Instant) -> Option<Current<Option<HeaderValue>>> {
        match self {
            Self::Fixed(value) => Some(Current {
                value: value.clone(),
                generation: 0,
            }),
            Self::Renewed(tokens) => tokens.current(now),
        }
    }

    /// The header to send, waiting for its source.
    pub(crate) async fn obtain(&self, now: Instant) -> Result<Current<Option<HeaderValue>>, Arc<CloudError>> {
        match self {
            Self::Fixed(value) => Ok(Current {
                value: value.clone(),
                generation: 0,
            }),
            Self::Renewed(tokens) => tokens.obtain(now).await,
        }
    }

    /// Whether there is another header to send than the one of this generation, which was refused.
    pub(crate) async fn replace(&self, generation: u64, now: Instant) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Renewed(tokens) => tokens.replace(generation, now).await.is_some(),
        }
    }
}

/// What sources of tokens share with the rest of the room.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) routes: Arc<Routes>,
    pub(crate) methods: Arc<Methods>,
    pub(crate) instruments: Instruments,
    pub(crate) clock: Clock,
    pub(crate) throttle: Arc<Throttle>,
    /// Whether calls are made by this connection, so that its token is the one to tell of.
    pub(crate) is_in_use: Arc<AtomicBool>,
}

/// Fetches tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: Source,
    timeout: Duration,
    house: House,
}

#[derive(Debug)]
enum Source {
    /// A key that signs for a service account.
    Key(KeyFile),
    /// A file with a token.
    File(PathBuf),
    /// A token service that speaks HTTP.
    Url(Box<TokenUrl>),
}

/// A token, as its source gave it.
#[derive(Debug)]
struct Token {
    secret: Secret,
    life: Life,
}

#[derive(Debug, Clone, Copy)]
enum Life {
    /// The source tells when it ends.
    Until(Timestamp),
    /// The source tells nothing, and is asked again after this time.
    Unknown(Duration),
}

/// How often a token file is looked at. Reading a file this small costs less than watching its folder would, and sees
/// every way of replacing it.
const FILE_INTERVAL: Duration = Duration::from_secs(5);

/// When to renew a token whose life is not told: the documentation advises a new one every hour.
const UNTOLD_INTERVAL: Duration = Duration::from_mins(50);

impl Fetch for Tokens {
    type Value = Option<HeaderValue>;

    async fn fetch(&self, _: Option<Self::Value>) -> Result<Lease<Self::Value>, CloudError> {
        let token = match &self.source {
            Source::Key(key) => self.sign_in(key).await,
            Source::File(path) => read_token_file("IAM token file", path).await.map(|secret| Token {
                secret,
                life: Life::Unknown(FILE_INTERVAL),
            }),
            Source::Url(url) => url.token(&self.house.clock).await,
        };
        token
            .and_then(|token| self.lease(&token))
            .inspect_err(|error| self.tell(error))
    }

    fn retry_interval_max(&self) -> Duration {
        match self.source {
            Source::File(_) => FILE_INTERVAL,
            Source::Key(_) | Source::Url(_) => Duration::from_mins(1),
        }
    }
}

impl Tokens {
    /// Exchanges a signed claim for a token.
    async fn sign_in(&self, key: &KeyFile) -> Result<Token, CloudError> {
        let House {
            routes,
            methods,
            clock,
            ..
        } = &self.house;
        let method = &methods.create_token;
        let deadline = Instant::now() + self.timeout;
        let jwt = key.jwt(clock.now()).await?;
        let route = routes
            .find(Service::Iam, Instant::now())
            .await
            .map_err(|source| {
                let method = method.label;
                CloudError::Discovery { method, source }
            })?;
        let request = CreateIamTokenRequest {
            identity: Some(Identity::Jwt(jwt)),
        };
        let answer: CreateIamTokenResponse = unary(method, &route, HeaderMap::new(), request, deadline)
            .await
            .map_err(|failure| {
                if failure.is_silence() {
                    routes.unanswered(&route, Instant::now());
                }
                failure.into_error(method, &route, self.timeout)
            })?;
        let expires_at = answer.expires_at.and_then(|at| {
            let nanos = u32::try_from(at.nanos).ok()?;
            Timestamp::from_seconds(at.seconds, nanos)
        });
        Ok(Token {
            secret: Secret::new(answer.iam_token),
            life: expires_at.map_or(Life::Unknown(UNTOLD_INTERVAL), Life::Until),
        })
    }

    fn lease(&self, token: &Token) -> Result<Lease<Option<HeaderValue>>, CloudError> {
        let header = token
            .secret
            .bearer()
            .filter(|_| !token.secret.expose().is_empty());
        let origin = "its source";
        let value = header.ok_or(CloudError::UnusableToken { origin })?;
        let (now, present) = (Instant::now(), self.house.clock.now());
        let (renew_at, dead_at, expires_at) = match token.life {
            Life::Until(expires_at) => {
                let life = believed_life(expires_at.since(present));
                let renew_after = renewal(life, rand::random_range(0.9..=1.1));
                (now + renew_after, Some(now + life), Some(expires_at))
            }
            Life::Unknown(renew_after) => (now + renew_after, None, None),
        };
        if self.house.is_in_use.load(Ordering::Acquire) {
            self.house.instruments.set_iam_token_expiry(expires_at);
        }
        tracing::debug!(
            renewed_in_seconds = renew_at.duration_since(now).as_secs(),
            "an IAM token was read"
        );
        Ok(Lease {
            value: Some(value),
            renew_at: Some(renew_at),
            dead_at,
        })
    }

    fn tell(&self, error: &CloudError) {
        self.house.instruments.iam_token_refresh_failures_total.inc();
        if let Some(Said { held_back }) = self.house.throttle.admit("token", self.house.clock.now()) {
            let error = error.chain();
            tracing::warn!(
                error,
                held_back,
                "no new IAM token; one that is still valid stays in use"
            );
        }
    }
}

/// A token that was just given out lives for a while, whatever a clock that is wrong makes of its end.
fn believed_life(told: Duration) -> Duration {
    told.max(Duration::from_mins(1))
}

/// After which part of its life to renew a token: a tenth, at most an hour as the documentation advises, so that
/// there is time for hundreds of attempts before it dies; with jitter, but never later than its last quarter.
fn renewal(life: Duration, jitter: f64) -> Duration {
    (life / 10)
        .min(Duration::from_hours(1))
        .max(Duration::from_secs(30))
        .mul_f64(jitter)
        .min(life * 3 / 4)
}

/// Reads a token from a file that somebody else replaces at any time.
async fn read_token_file(what: &'static str, path: &Path) -> Result<Secret, CloudError> {
    let (from, bytes_max) = (
        path.to_owned(),
        u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX),
    );
    let read = spawn_blocking(move || files::read(&from, bytes_max)).await;
    let bytes = read
        .unwrap_or_else(|broken| Err(broken.into()))
        .map_err(|source| CloudError::File {
            what,
            path: path.to_owned(),
            source,
        })?;
    let wrong = |problem: &str| CloudError::FileContent {
        what,
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let text = str::from_utf8(&bytes)
        .map_err(|_| wrong("it is not text"))?
        .trim();
    match text {
        "" => Err(wrong("it is empty; the token read before stays in use")),
        _ if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Err(wrong("a token is one word"))
        }
        token => Ok(Secret::new(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_early_in_their_life() {
        let cases = [
            (Duration::from_hours(12), Duration::from_hours(1)),
            (Duration::from_hours(1), Duration::from_mins(6)),
            (Duration::from_mins(10), Duration::from_mins(1)),
            (Duration::from_mins(1), Duration::from_secs(30)),
            (Duration::from_secs(20), Duration::from_secs(15)),
        ];
        for (life, expected) in cases {
            assert_eq!(renewal(life, 1.0), expected, "{life:?}");
            assert!(renewal(life, 1.1) <= life * 3 / 4, "{life:?}");
        }
    }

    #[tokio::test]
    async fn a_token_file_that_is_none_is_told_without_its_content() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token");
        let long = "a".repeat(TOKEN_BYTES_MAX + 9);
        let cases: [(&[u8], &str); 5] = [
            (b" \n", "empty"),
            (b"canary canary", "one word"),
            (b"\xff\xfe", "not text"),
            (long.as_bytes(), "larger than"),
            (b"canary\x00", "one word"),
        ];
        for (content, expected) in cases {
            std::fs::write(&path, content).expect("written");
            let error = read_token_file("IAM token file", &path)
                .await
                .expect_err(expected);
            assert!(error.chain().contains(expected), "{error}");
            assert!(!error.chain().contains("canary"), "{error}");
        }
        std::fs::write(&path, "t1.good\n").expect("written");
        let token = read_token_file("IAM token file", &path).await.expect("good");
        assert_eq!(token.expose(), "t1.good");
    }
}
