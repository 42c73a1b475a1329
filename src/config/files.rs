//! Files that a configuration names: whether they are there, and where it names them.

use crate::config::error::{ConfigError, Invalid, Place};
use crate::config::node::Node;
use crate::config::otel::Otel;
use crate::config::root::Root;
use crate::decode::redact;
use crate::file;
use std::path::{Path, PathBuf};

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The configuration's own, if it has one.
    own: Option<PathBuf>,
    named: Vec<Named>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Named {
    /// Where it is named.
    place: Place,
    key: &'static str,
    path: PathBuf,
}

impl Files {
    /// Those of a configuration of no file, so far.
    pub(crate) fn named_by(
        node: &Node,
        root: &Root,
        otel: &Otel,
        auth_variable: Option<&'static str>,
    ) -> Self {
        let placed = |(key, path): (&'static str, &Path)| Named {
            place: node.place_of(key),
            key,
            path: path.to_owned(),
        };
        let auth = root.cloud.auth.file().map(|(key, path)| Named {
            place: auth_variable
                .map_or_else(|| node.place_of(key), |name| Place::Environment(name.to_owned())),
            key,
            path: path.to_owned(),
        });
        let ca_file = root.cloud.tls.ca_file.as_deref();
        let of_web = root.web.config_file.as_deref();
        let of_gateway = root.gateway.files().map(|(key, path)| (key, path.as_path()));
        let of_file = ca_file
            .map(|path| ("cloud.tls.ca_file", path))
            .into_iter()
            .chain(of_gateway)
            .chain(of_web.map(|path| ("web.config_file", path)));
        let of_otel = otel.files.iter().map(|(name, path)| Named {
            place: Place::Environment((*name).to_owned()),
            key: name,
            path: path.clone(),
        });
        Self {
            own: None,
            named: of_file.map(placed).chain(auth).chain(of_otel).collect(),
        }
    }

    /// The file of the configuration itself.
    pub(crate) fn are_of(&mut self, path: Option<&Path>) {
        self.own = path.map(Path::to_owned);
    }

    /// Makes sure that they are there.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for named in &self.named {
            if let Err(error) = file::open(&named.path) {
                return Err(self.about(named, format!("cannot read {}: {error}", shown(&named.path))));
            }
        }
        Ok(())
    }

    /// A problem with one of them, told with the place where it is named.
    pub(crate) fn finding(&self, path: &Path, problem: &str) -> Option<ConfigError> {
        let named = self.named.iter().find(|named| named.path == path)?;
        Some(self.about(named, problem.to_owned()))
    }

    /// The same for the file of a key.
    pub(crate) fn finding_of(&self, key: &str, problem: &str) -> Option<ConfigError> {
        let named = self.named.iter().find(|named| named.key == key)?;
        Some(self.about(named, problem.to_owned()))
    }

    /// That a file cannot be read is a finding about the place where it is named; what is wrong inside it is not.
    pub(crate) fn where_named(&self, path: &Path, error: ConfigError) -> ConfigError {
        match &error {
            ConfigError::Unreadable { source, .. } => {
                let problem = format!("cannot read {}: {source}", shown(path));
                self.finding(path, &problem).unwrap_or(error)
            }
            _ => error,
        }
    }

    fn about(&self, named: &Named, problem: String) -> ConfigError {
        let invalid = Invalid {
            place: named.place.clone(),
            key: named.key.to_owned(),
            problem,
        };
        ConfigError::about(self.own.as_deref(), invalid)
    }
}

fn shown(path: &Path) -> String {
    redact(&path.to_string_lossy()).into_owned()
}
