//! The web server and the file that protects it: what takes protection away is doubted first.
//!
//! An editor that truncates before it writes, or a disk that is full, leaves a file that is shorter and still makes
//! sense. So the regular looks never open what was closed, and let go of a user only when two of them agree.

use crate::app::keyring::KeyringError;
use crate::config::protection;
use crate::web::{Protected, Protection};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The web configuration file, and the server that it protects.
#[derive(Clone, Debug)]
pub(crate) struct ProtectedServer {
    path: PathBuf,
    protected: Protected,
    /// With fewer users than what is in effect, and seen once.
    doubted: Arc<Mutex<Option<Protection>>>,
}

/// Who wants the file read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody: the time has come.
    Regular,
    /// An operator, by a signal or a call, who means what the file says.
    Asked,
}

impl ProtectedServer {
    pub(crate) fn new(path: PathBuf, protected: Protected) -> Self {
        Self {
            path,
            protected,
            doubted: Arc::default(),
        }
    }

    /// Whether something else is in effect now.
    pub(super) fn reread(&self, look: Look) -> Result<bool, KeyringError> {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        let once_seen = doubted.take();
        let read = protection(&self.path)?;
        let before = self.protected.newest();
        let opened = opened(&before, &read);
        if look == Look::Regular && !opened.is_empty() {
            return Err(KeyringError::Opened {
                path: self.path.clone(),
                what: opened.join(" or "),
            });
        }
        let has_fewer_users = read.users.len() < before.users.len();
        if look == Look::Regular && has_fewer_users && once_seen.as_ref() != Some(&read) {
            *doubted = Some(read);
            return Ok(false);
        }
        if has_fewer_users || !opened.is_empty() {
            tracing::warn!(
                path = %self.path.display(),
                users_before = before.users.len(),
                users = read.users.len(),
                no_longer_asked_for = opened.join(", "),
                "the web configuration protects less than before"
            );
        }
        Ok(self.protected.replace(read))
    }
}

/// What nobody is asked for any more.
fn opened(before: &Protection, after: &Protection) -> Vec<&'static str> {
    let now = demands(after);
    demands(before)
        .into_iter()
        .filter(|demand| !now.contains(demand))
        .collect()
}

/// What a caller has to bring.
fn demands(protection: &Protection) -> Vec<&'static str> {
    let tls = protection.tls.as_ref();
    let of_tls = tls
        .map(|tls| ["TLS"].iter().chain(tls.demands()))
        .into_iter()
        .flatten();
    let users = (!protection.users.is_empty()).then_some(&"users");
    of_tls.chain(users).copied().collect()
}
