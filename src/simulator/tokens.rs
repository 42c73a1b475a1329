//! IAM tokens: made, checked and revoked without a table of them.
//!
//! A token carries its subject, its end and the generation it belongs to, signed with a key of this process.

mod jwt;

use crate::clock::Timestamp;
use crate::simulator::{Error, scenario::Auth, span::Span};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt::Keys;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Makes and checks tokens.
pub(crate) struct Tokens {
    pub(crate) required: bool,
    key: Key,
    ttl: Duration,
    fixed: Vec<String>,
    oauth: Vec<String>,
    accounts: Vec<String>,
    keys: Keys,
    revoked: Mutex<Revoked>,
}

#[derive(Debug, Default)]
struct Revoked {
    /// Tokens of older generations are dead.
    generation: u64,
    /// Single dead tokens of this generation, oldest first.
    tokens: VecDeque<String>,
}

/// What a token is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Of this subject.
    Valid(String),
    /// Not made here.
    Foreign,
    /// Made here and dead.
    Dead,
}

/// Tokens live for twelve hours at most, as in the cloud.
const TTL: Duration = Duration::from_hours(12);
/// Revoked tokens that are remembered one by one; whoever revokes more gets the oldest back to life.
const REVOKED_MAX: usize = 10_000;
const PREFIX: &str = "t1.";

impl Tokens {
    pub(crate) fn new(auth: &Auth) -> Result<Self, Error> {
        Ok(Self {
            required: auth.required,
            key: Key::new(HMAC_SHA256, &rand::random::<[u8; 32]>()),
            ttl: auth.token_ttl.map_or(TTL, Span::length),
            fixed: auth.tokens.clone(),
            oauth: auth.oauth_tokens.clone(),
            accounts: auth
                .service_accounts
                .iter()
                .map(|account| account.id.clone())
                .collect(),
            keys: Keys::load(auth)?,
            revoked: Mutex::new(Revoked::default()),
        })
    }

    /// A token for a subject, and the end of its life.
    pub(crate) fn issue(&self, subject: &str, now: Timestamp) -> (String, Timestamp) {
        let expires_at = now.plus(self.ttl);
        let nonce: u64 = rand::random();
        let claims = format!(
            "{subject}\n{}\n{}\n{nonce:x}",
            expires_at.nanos(),
            self.revoked().generation
        );
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let signature = URL_SAFE_NO_PAD.encode(sign(&self.key, claims.as_bytes()));
        (format!("{PREFIX}{claims}.{signature}"), expires_at)
    }

    /// The life of a new token.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// What a token is worth now.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Verdict {
        if self.fixed.iter().any(|fixed| fixed == token) {
            return Verdict::Valid("fixed".to_owned());
        }
        let Some((subject, expires_at, generation)) = self.opened(token) else {
            return Verdict::Foreign;
        };
        let revoked = self.revoked();
        let alive = now.nanos() < expires_at
            && generation == revoked.generation
            && !revoked.tokens.iter().any(|dead| dead == token);
        if alive {
            Verdict::Valid(subject)
        } else {
            Verdict::Dead
        }
    }

    /// Ends every token made so far.
    pub(crate) fn revoke_all(&self) {
        let mut revoked = self.revoked();
        revoked.generation += 1;
        revoked.tokens.clear();
    }

    /// Ends one token; its subject, unless it was not made here.
    pub(crate) fn revoke(&self, token: &str) -> Option<String> {
        let (subject, _, _) = self.opened(token)?;
        let mut revoked = self.revoked();
        if revoked.tokens.len() >= REVOKED_MAX {
            revoked.tokens.pop_front();
        }
        revoked.tokens.push_back(token.to_owned());
        Some(subject)
    }

    /// The service account that a JWT proves, or why it proves none.
    pub(crate) fn exchange_jwt(&self, jwt: &str, now: Timestamp, authority: &str) -> Result<String, String> {
        self.keys.verify(jwt, now, authority)
    }

    /// Whether an OAuth token may be exchanged.
    pub(crate) fn knows_oauth(&self, token: &str) -> bool {
        self.oauth.iter().any(|known| known == token)
    }

    /// Whether a service account exists.
    pub(crate) fn knows_account(&self, id: &str) -> bool {
        self.accounts.iter().any(|known| known == id)
    }

    /// The account of the machine that the instance metadata speaks for.
    pub(crate) fn machine_account(&self) -> &str {
        self.accounts
            .first()
            .map_or("ajesimulatedmachine1", String::as_str)
    }

    /// What is in a token that was made here: subject, end in nanoseconds, generation.
    fn opened(&self, token: &str) -> Option<(String, i64, u64)> {
        let (claims, signature) = token.strip_prefix(PREFIX)?.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        verify(&self.key, claims.as_bytes(), &signature).ok()?;
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let mut parts = claims.split('\n');
        Some((
            parts.next()?.to_owned(),
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        ))
    }

    fn revoked(&self) -> std::sync::MutexGuard<'_, Revoked> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tokens")
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_token_is_valid_until_its_end() {
        let tokens = Tokens::new(&Auth::default()).unwrap();
        let (token, expires_at) = tokens.issue("aje1", now());
        assert_eq!(expires_at.since(now()), TTL);
        assert_eq!(tokens.check(&token, now()), Verdict::Valid("aje1".to_owned()));
        assert_eq!(tokens.check(&token, expires_at), Verdict::Dead);
    }

    #[test]
    fn a_revoked_token_is_dead_and_others_live() {
        let tokens = Tokens::new(&Auth::default()).unwrap();
        let (first, second) = (tokens.issue("aje1", now()).0, tokens.issue("aje1", now()).0);
        assert_eq!(tokens.revoke(&first), Some("aje1".to_owned()));
        assert_eq!(tokens.check(&first, now()), Verdict::Dead);
        assert_eq!(tokens.check(&second, now()), Verdict::Valid("aje1".to_owned()));
        tokens.revoke_all();
        assert_eq!(tokens.check(&second, now()), Verdict::Dead);
    }

    #[test]
    fn a_forged_token_is_foreign() {
        let tokens = Tokens::new(&Auth::default()).unwrap();
        let token = Tokens::new(&Auth::default()).unwrap().issue("aje1", now()).0;
        assert_eq!(tokens.check(&token, now()), Verdict::Foreign);
        assert_eq!(tokens.check("", now()), Verdict::Foreign);
    }
}
