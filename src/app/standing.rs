//! Whether what is in effect is what the files say.

use crate::catalogue::Instruments;
use crate::clock::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// Two facts, shown as one: a certificate that can be used again must not hide a configuration that cannot.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    facts: Arc<Mutex<Facts>>,
    instruments: Instruments,
}

#[derive(Debug)]
struct Facts {
    is_configuration_good: bool,
    is_keyring_good: bool,
}

impl Standing {
    /// Of a process that has just read everything.
    pub(super) fn new(instruments: &Instruments) -> Self {
        Self {
            facts: Arc::new(Mutex::new(Facts {
                is_configuration_good: true,
                is_keyring_good: true,
            })),
            instruments: instruments.clone(),
        }
    }

    /// A reload succeeded, at this moment, or not.
    pub(super) fn tell_configuration(&self, good_at: Option<Timestamp>) {
        self.tell(|facts| facts.is_configuration_good = good_at.is_some());
        if let Some(at) = good_at {
            self.instruments
                .config_last_reload_success_timestamp_seconds
                .set(at.seconds_f64());
        }
    }

    /// Certificates, users and passwords are those of their files, or not.
    pub(super) fn tell_keyring(&self, are_good: bool) {
        self.tell(|facts| facts.is_keyring_good = are_good);
    }

    fn tell(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut facts);
        let is_good = facts.is_configuration_good && facts.is_keyring_good;
        self.instruments
            .config_last_reload_successful
            .set(if is_good { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_certificate_that_can_be_used_again_hides_no_configuration_that_cannot() {
        let instruments = Instruments::new("test", "test", "test");
        let standing = Standing::new(&instruments);
        let shown = || instruments.config_last_reload_successful.get() > 0.0;
        let now = Clock::system().now();
        standing.tell_configuration(Some(now));
        assert!(shown());
        standing.tell_configuration(None);
        standing.tell_keyring(false);
        standing.tell_keyring(true);
        assert!(!shown());
        standing.tell_configuration(Some(now));
        assert!(shown());
        standing.tell_keyring(false);
        assert!(!shown());
    }
}
