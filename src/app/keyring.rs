//! Certificates, keys, users and passwords: files that are read anew while the exporter runs.

mod complaint;
mod protected_server;

pub(super) use protected_server::ProtectedServer;

use crate::app::line;
use crate::app::standing::Standing;
use crate::config::ConfigError;
use crate::limits::{KEYRING_INTERVAL, RELOAD_TIME_MAX};
use crate::listening::{Shown, TlsError};
use complaint::Complaint;
use protected_server::Look;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Files that tell who may connect, and as whom we answer.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    web: Option<ProtectedServer>,
    gateway: Option<Shown>,
    standing: Standing,
    complaint: Arc<Mutex<Complaint>>,
    /// One reading at a time: the older of two must not be put in place after the newer, and where one hangs, no
    /// further one hangs with it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Why what is in effect is older than the files.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyringError {
    /// The web configuration, or a file that it names.
    #[error("the web configuration cannot be used")]
    WebConfiguration(#[from] ConfigError),
    /// What was closed would be open to everybody, which a file that was cut off asks for too.
    #[error(
        "{} asks for no {what} any more, as a file does that was cut off, so that what it asked for before stays in \
         effect; write it whole, or have it so by a reload (SIGHUP, or POST /-/reload)",
        path.display()
    )]
    Opened {
        /// The web configuration file.
        path: PathBuf,
        /// What it no longer asks for.
        what: String,
    },
    /// The gateway's certificate.
    #[error("gateway.tls cannot be used")]
    Gateway(#[from] TlsError),
    /// A file system hangs.
    #[error("files of certificates, users and passwords were not read within {} s", RELOAD_TIME_MAX.as_secs())]
    Late,
    /// Nobody read them.
    #[error("the files were not read; this is a defect of the exporter")]
    Unread(#[from] tokio::task::JoinError),
}

impl Keyring {
    pub(super) fn new(web: Option<ProtectedServer>, gateway: Option<Shown>, standing: Standing) -> Self {
        Self {
            web,
            gateway,
            standing,
            complaint: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Reads all of them anew for an operator; what is new counts at once, and what asks for less too. What cannot be
    /// used changes nothing, and is told in the log and the metrics.
    ///
    /// # Errors
    /// What cannot be used.
    pub(super) async fn reread(&self) -> Result<(), KeyringError> {
        let result = self.read(Look::Asked).await;
        self.tell(result.as_ref().err(), true);
        result
    }

    /// Reads them anew every few seconds.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if self.web.is_none() && self.gateway.is_none() {
            return stop.cancelled().await;
        }
        let reading = async {
            loop {
                tokio::time::sleep(KEYRING_INTERVAL).await;
                let result = self.read(Look::Regular).await;
                self.tell(result.err().as_ref(), false);
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    /// One that cannot be used does not keep the other from being read.
    async fn read(&self, look: Look) -> Result<(), KeyringError> {
        timeout(RELOAD_TIME_MAX, self.read_in_turn(look))
            .await
            .map_err(|_| KeyringError::Late)?
    }

    async fn read_in_turn(&self, look: Look) -> Result<(), KeyringError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (web, gateway) = (self.web.clone(), self.gateway.clone());
        let read = move || {
            let _turn = turn;
            let of_web = web.as_ref().map_or(Ok(false), |web| web.reread(look));
            let of_gateway = gateway.as_ref().map_or(Ok(false), Shown::reread);
            let (web, gateway) = (matches!(of_web, Ok(true)), matches!(of_gateway, Ok(true)));
            if web || gateway {
                tracing::info!(web, gateway, "certificates, users or passwords were read anew");
            }
            of_web?;
            of_gateway?;
            Ok(())
        };
        tokio::task::spawn_blocking(read).await?
    }

    fn tell(&self, error: Option<&KeyringError>, at_once: bool) {
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            if complaint.ends() {
                tracing::info!("files of certificates, users and passwords can be used again");
            }
            self.standing.tell_keyring(true);
            return;
        };
        let error = line(error);
        if complaint.hears(&error, at_once) {
            tracing::error!(error, "what is in effect stays, since a file cannot be used");
            self.standing.tell_keyring(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Instruments;
    use crate::web::{Protected, Protection};
    use std::fs;
    use std::path::Path;

    const ALICE: &str =
        "basic_auth_users: { alice: $2b$04$4Zs4BbMKbGTsh6u8OVzGAeFOpSCHQGm2hyCnCCsTGnNU7ADqwRY1u }\n";

    fn keyring(path: &Path) -> (Keyring, Protected, Instruments) {
        let protected = Protected::default();
        let web = ProtectedServer::new(path.to_owned(), protected.clone());
        let instruments = Instruments::new("test", "test", "test");
        instruments.config_last_reload_successful.set(1.0);
        let keyring = Keyring::new(Some(web), None, Standing::new(&instruments));
        (keyring, protected, instruments)
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_changes_nothing_and_is_told_until_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let (keyring, protected, instruments) = keyring(&path);
        let success = || instruments.config_last_reload_successful.get();
        fs::write(&path, ALICE).expect("a file");
        keyring.reread().await.expect("a good file");
        let before = protected.newest();
        assert_eq!(before.users.len(), 1);

        fs::write(&path, "basic_auth_users: { alice: secret }\n").expect("a file");
        let error = line(&keyring.reread().await.expect_err("a bad file"));
        assert!(error.contains("web.yml:1: basic_auth_users.alice"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(protected.newest(), before);
        assert!(success() < 1.0);

        fs::write(&path, "").expect("a file");
        keyring.reread().await.expect("a good file");
        assert_eq!(*protected.newest(), Protection::default());
        assert!(success() > 0.0);
    }

    #[tokio::test]
    async fn a_failure_between_two_looks_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (keyring, _, instruments) = keyring(&folder.path().join("missing.yml"));
        let success = || instruments.config_last_reload_successful.get();
        let error = || keyring.read(Look::Regular);
        keyring.tell(error().await.err().as_ref(), false);
        assert!(success() > 0.0, "it may be gone in a moment");
        keyring.tell(None, false);
        keyring.tell(error().await.err().as_ref(), false);
        assert!(success() > 0.0);
        keyring.tell(error().await.err().as_ref(), false);
        assert!(success() < 1.0, "it stays");
    }

    const BOB: &str = "  bob: $2b$04$4Zs4BbMKbGTsh6u8OVzGAeFOpSCHQGm2hyCnCCsTGnNU7ADqwRY1u\n";

    #[tokio::test]
    async fn a_file_that_was_cut_off_lets_nobody_in_until_a_reload_asks_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let (keyring, protected, instruments) = keyring(&path);
        fs::write(&path, ALICE).expect("a file");
        keyring.read(Look::Regular).await.expect("a good file");
        let before = protected.newest();
        for cut in ["", "basic_auth_users: {}\n", "# users\n"] {
            fs::write(&path, cut).expect("a file");
            for _ in 0..3 {
                let result = keyring.read(Look::Regular).await;
                keyring.tell(result.as_ref().err(), false);
                let error = line(&result.expect_err("nobody is asked for"));
                assert!(error.contains("web.yml asks for no users any more"), "{error}");
                assert_eq!(protected.newest(), before);
            }
            assert!(instruments.config_last_reload_successful.get() < 1.0);
        }
        keyring.reread().await.expect("it was asked for");
        assert_eq!(*protected.newest(), Protection::default());
    }

    #[tokio::test]
    async fn a_file_cut_off_in_what_it_asks_of_certificates_lets_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let (keyring, protected, _) = keyring(&path);
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(folder.path().join("own.crt"), own.cert.pem()).expect("a file");
        fs::write(folder.path().join("own.key"), own.signing_key.serialize_pem()).expect("a file");
        let pair = "tls_server_config:\n  cert_file: own.crt\n  key_file: own.key\n";
        let of_ca = format!("{pair}  client_ca_file: own.crt\n");
        let all = format!(
            "{of_ca}  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus]\n"
        );
        fs::write(&path, &all).expect("a file");
        keyring.read(Look::Regular).await.expect("a good file");
        let before = protected.newest();
        for (cut, expected) in [
            (
                format!("{of_ca}  client_auth_type: RequireAndVerifyClientCert\n"),
                "asks for no names of clients any more",
            ),
            (
                format!("{of_ca}  client_auth_type: VerifyClientCertIfGiven\n"),
                "asks for no certificates of clients or names of clients any more",
            ),
            (pair.to_owned(), "certificates that are vouched for"),
            (String::new(), "TLS"),
        ] {
            fs::write(&path, &cut).expect("a file");
            let error = line(&keyring.read(Look::Regular).await.expect_err("it asks for less"));
            assert!(error.contains(expected), "{error}");
            assert_eq!(protected.newest(), before, "{cut}");
        }
    }

    #[tokio::test]
    async fn a_user_leaves_once_two_looks_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let (keyring, protected, _) = keyring(&path);
        let alice = BOB.replace("bob", "alice");
        let both = format!("basic_auth_users:\n{alice}{BOB}");
        let one = format!("basic_auth_users:\n{alice}");
        for (yaml, users) in [
            (&both, 2),
            (&one, 2),
            (&both, 2),
            (&one, 2),
            (&one, 1),
            (&both, 2),
        ] {
            fs::write(&path, yaml).expect("a file");
            keyring.read(Look::Regular).await.expect("a good file");
            assert_eq!(protected.newest().users.len(), users, "{yaml}");
        }
        fs::write(&path, &one).expect("a file");
        keyring.reread().await.expect("a good file");
        assert_eq!(protected.newest().users.len(), 1, "whoever asks does not wait");
    }
}
