//! Certificates, keys, users and passwords: files that are read anew while the exporter runs.

use crate::app::line;
use crate::app::standing::Standing;
use crate::config::{ConfigError, protection};
use crate::limits::CREDENTIALS_INTERVAL;
use crate::listening::{Shown, TlsError};
use crate::web::Protected;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Files that tell who may connect, and as whom we answer.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    web: Option<WebFile>,
    gateway: Option<Shown>,
    standing: Standing,
    /// What was complained about last, while it still holds.
    complaint: Arc<Mutex<Option<Complaint>>>,
}

/// The web configuration file, and the server that it protects.
#[derive(Clone, Debug)]
pub(crate) struct WebFile {
    pub(crate) path: PathBuf,
    pub(crate) protected: Protected,
}

/// Why what is in effect is older than the files.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    /// The web configuration, or a file that it names.
    #[error("the web configuration cannot be used")]
    Web(#[from] ConfigError),
    /// The gateway's certificate.
    #[error("gateway.tls cannot be used")]
    Gateway(#[from] TlsError),
    /// Nobody read them.
    #[error("the files were not read; this is a defect of the exporter")]
    Unread(#[from] tokio::task::JoinError),
}

/// A failure that may be gone at the next look: certificate and key are hardly ever exchanged at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    text: String,
    is_told: bool,
}

impl WebFile {
    fn reread(&self) -> Result<bool, ConfigError> {
        Ok(self.protected.replace(protection(&self.path)?))
    }
}

impl Credentials {
    pub(super) fn new(web: Option<WebFile>, gateway: Option<Shown>, standing: Standing) -> Self {
        Self {
            web,
            gateway,
            standing,
            complaint: Arc::default(),
        }
    }

    /// Reads all of them anew; what is new counts at once. What cannot be used changes nothing, and is told in the log
    /// and the metrics too.
    ///
    /// # Errors
    /// What cannot be used.
    pub(super) async fn reread(&self) -> Result<(), CredentialsError> {
        let result = self.read().await;
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
                tokio::time::sleep(CREDENTIALS_INTERVAL).await;
                let result = self.read().await;
                self.tell(result.err().as_ref(), false);
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    /// One that cannot be used does not keep the other from being read.
    async fn read(&self) -> Result<(), CredentialsError> {
        let (web, gateway) = (self.web.clone(), self.gateway.clone());
        let read = move || {
            let of_web = web.as_ref().map_or(Ok(false), WebFile::reread);
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

    /// Each failure is said once: `at_once`, or when it is still there at the second look.
    fn tell(&self, error: Option<&CredentialsError>, at_once: bool) {
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let text = error.map(|error| line(error));
        let Some(text) = text else {
            if complaint.take().is_some_and(|complaint| complaint.is_told) {
                tracing::info!("files of certificates, users and passwords can be used again");
            }
            self.standing.tell_credentials(true);
            return;
        };
        let is_known = complaint.as_ref().is_some_and(|known| known.text == text);
        let was_told = complaint.as_ref().is_some_and(|known| known.is_told);
        if (is_known || at_once) && !(is_known && was_told) {
            tracing::error!(
                error = text,
                "what is in effect stays, since a file cannot be used"
            );
            self.standing.tell_credentials(false);
            *complaint = Some(Complaint { text, is_told: true });
        } else if !is_known {
            *complaint = Some(Complaint {
                text,
                is_told: was_told,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Instruments;
    use crate::web::Protection;
    use std::fs;
    use std::path::Path;

    const ALICE: &str =
        "basic_auth_users: { alice: $2b$04$4Zs4BbMKbGTsh6u8OVzGAeFOpSCHQGm2hyCnCCsTGnNU7ADqwRY1u }\n";

    fn credentials(path: &Path) -> (Credentials, Protected, Instruments) {
        let protected = Protected::default();
        let web = WebFile {
            path: path.to_owned(),
            protected: protected.clone(),
        };
        let instruments = Instruments::new("test", "test", "test");
        instruments.config_last_reload_successful.set(1.0);
        let credentials = Credentials::new(Some(web), None, Standing::new(&instruments));
        (credentials, protected, instruments)
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_changes_nothing_and_is_told_until_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let (credentials, protected, instruments) = credentials(&path);
        let success = || instruments.config_last_reload_successful.get();
        fs::write(&path, ALICE).expect("a file");
        credentials.reread().await.expect("a good file");
        let before = protected.newest();
        assert_eq!(before.users.len(), 1);

        fs::write(&path, "basic_auth_users: { alice: secret }\n").expect("a file");
        let error = line(&credentials.reread().await.expect_err("a bad file"));
        assert!(error.contains("web.yml:1: basic_auth_users.alice"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(protected.newest(), before);
        assert!(success() < 1.0);

        fs::write(&path, "").expect("a file");
        credentials.reread().await.expect("a good file");
        assert_eq!(*protected.newest(), Protection::default());
        assert!(success() > 0.0);
    }

    #[tokio::test]
    async fn a_failure_between_two_looks_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (credentials, _, instruments) = credentials(&folder.path().join("missing.yml"));
        let success = || instruments.config_last_reload_successful.get();
        let error = || credentials.read();
        credentials.tell(error().await.err().as_ref(), false);
        assert!(success() > 0.0, "it may be gone in a moment");
        credentials.tell(None, false);
        credentials.tell(error().await.err().as_ref(), false);
        assert!(success() > 0.0);
        credentials.tell(error().await.err().as_ref(), false);
        assert!(success() < 1.0, "it stays");
    }
}
