//! Users and their passwords, as bcrypt keeps them, and whether a request brings one of them.
//!
//! Hashing is dear on purpose: it is paid once for each credential, away from the threads that answer, one at a time. A
//! user that does not exist costs what one that exists costs, so that nobody can find out by the time it takes.

use crate::limits::{
    BCRYPT_COST_MAX, CREDENTIALS_KNOWN_MAX, PASSWORD_WAIT_TIME_MAX, PASSWORDS_WAITING_MAX,
    PASSWORDS_WAITING_PEER_MAX,
};
use crate::listening::Peers;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Users by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users(Arc<BTreeMap<String, PasswordHash>>);

/// A password as bcrypt keeps it: `$2y$10$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Every hash of bcrypt has so many characters.
const HASH_BYTES: usize = 60;

impl FromStr for PasswordHash {
    type Err = String;

    /// The message does not quote the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<bcrypt::HashParts> = text.parse().ok();
        let parts = parts.filter(|_| text.len() == HASH_BYTES);
        let cost = parts
            .map(|parts| parts.get_cost())
            .ok_or("it is no hash of bcrypt: `htpasswd -nBC 10 \"\" | tr -d ':\\n'` makes one".to_owned())?;
        if cost > BCRYPT_COST_MAX {
            return Err(format!(
                "its cost is above {BCRYPT_COST_MAX}: a check, or one that waits for it, would outlast a scrape"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl FromIterator<(String, PasswordHash)> for Users {
    fn from_iter<I: IntoIterator<Item = (String, PasswordHash)>>(users: I) -> Self {
        Self(Arc::new(users.into_iter().collect()))
    }
}

impl Users {
    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The hash to check a password of this user against, and whether the user exists: for one that does not it is
    /// somebody else's, chosen by the name, which takes as long to check.
    fn hash_of(&self, user: &[u8], secret: &hmac::Key) -> Option<(PasswordHash, bool)> {
        let known = std::str::from_utf8(user).ok().and_then(|user| self.0.get(user));
        if let Some(hash) = known {
            return Some((hash.clone(), true));
        }
        let digest = hmac::sign(secret, user);
        let chosen = digest.as_ref().iter().fold(0, |index, byte| {
            (index * 256 + usize::from(*byte)) % self.0.len().max(1)
        });
        self.0.values().nth(chosen).map(|hash| (hash.clone(), false))
    }
}

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignedIn {
    /// Welcome.
    Yes,
    /// The user or the password is wrong.
    No,
    /// There is no user and password in it.
    Untried,
    /// Too many wait.
    Busy,
}

/// Whether a password is that of a hash.
type Check = Arc<dyn Fn(&[u8], &str) -> bool + Send + Sync>;

/// Checks passwords, and remembers what came out.
pub(super) struct SignIn {
    check: Check,
    /// New with each process: what is remembered means nothing to anybody else.
    secret: hmac::Key,
    remembered: Mutex<Remembered>,
    /// Who may hash.
    turn: Arc<Semaphore>,
    /// Who may wait for it.
    waiting: Semaphore,
    /// Of them, those of each address: a flood from one must not make the others wait behind it.
    peers: Peers,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl Default for SignIn {
    fn default() -> Self {
        Self::with(Arc::new(|password, hash| {
            bcrypt::verify(password, hash).unwrap_or(false)
        }))
    }
}

impl SignIn {
    fn with(check: Check) -> Self {
        let secret = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self {
            check,
            // A system without randomness has no TLS either; what is lost here is that keys cannot be foretold.
            secret: secret.unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, &[0; 32])),
            remembered: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(PASSWORDS_WAITING_MAX),
            peers: Peers::new(PASSWORDS_WAITING_PEER_MAX),
        }
    }

    /// Whether a request of this address brings one of the users with the right password.
    pub(super) async fn check(
        &self,
        users: &Users,
        peer: impl Into<Option<IpAddr>>,
        headers: &HeaderMap,
    ) -> SignedIn {
        let Some((user, password)) = credential(headers) else {
            return SignedIn::Untried;
        };
        let Some((hash, is_user)) = users.hash_of(&user, &self.secret) else {
            return SignedIn::No;
        };
        let key = self.key([&user, hash.0.as_bytes(), &password]);
        if let Some(known) = self.remembered(&key) {
            return signed_in(known && is_user);
        }
        let (Some(_share), Ok(_waiting)) = (self.peers.share(peer), self.waiting.try_acquire()) else {
            return SignedIn::Busy;
        };
        let turn = timeout(PASSWORD_WAIT_TIME_MAX, Arc::clone(&self.turn).acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            return SignedIn::Busy;
        };
        // Somebody with the same credential may have had the turn before.
        if let Some(known) = self.remembered(&key) {
            return signed_in(known && is_user);
        }
        let check = Arc::clone(&self.check);
        // The turn goes with the hashing, and is not over before it when whoever asked for it hangs up.
        let checked = tokio::task::spawn_blocking(move || (check(&password, &hash.0), turn));
        let Ok((is_right, turn)) = checked.await else {
            return SignedIn::No;
        };
        let is_right = is_right && is_user;
        self.lock().remember(key, is_right);
        drop(turn);
        signed_in(is_right)
    }

    /// What stands for a credential: no two have the same, since each part is preceded by its length.
    fn key(&self, parts: [&[u8]; 3]) -> Key {
        let mut signing = hmac::Context::with_key(&self.secret);
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            signing.update(&length.to_be_bytes());
            signing.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(signing.sign().as_ref());
        key
    }

    fn remembered(&self, key: &Key) -> Option<bool> {
        self.lock().find(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signed_in(is_right: bool) -> SignedIn {
    if is_right { SignedIn::Yes } else { SignedIn::No }
}

/// User and password of the only header `Authorization`, if it is of the scheme `Basic`.
fn credential(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at_checked(colon)?;
    Some((user.to_vec(), password.strip_prefix(b":")?.to_vec()))
}

type Key = [u8; 32];

/// What came out for the newest credentials. The wrong ones, which anybody can send in any number, do not push out the
/// right ones.
#[derive(Default)]
struct Remembered {
    right: Newest,
    wrong: Newest,
}

impl Remembered {
    fn find(&self, key: &Key) -> Option<bool> {
        if self.right.keys.contains(key) {
            return Some(true);
        }
        self.wrong.keys.contains(key).then_some(false)
    }

    fn remember(&mut self, key: Key, is_right: bool) {
        if is_right {
            self.right.insert(key);
        } else {
            self.wrong.insert(key);
        }
    }
}

/// A bounded set, out of which the oldest leave first.
#[derive(Default)]
struct Newest {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Newest {
    fn insert(&mut self, key: Key) {
        if !self.keys.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > CREDENTIALS_KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
