//! The configuration: file, environment and flags, into one validated whole.
//!
//! In: a YAML file, flags, and variables of the environment that somebody else reads. Out: [`Config`], composed of
//! each room's own settings, or one message that names file, line, key and what is allowed. Never: a value of the
//! file in a message or a secret in what is printed; never an access to the cloud.
//!
//! Every key is declared once, by `section!` in `config::setting`: its meaning, type, default and range. Reading,
//! checking, printing and the reference document all follow from that declaration.

mod auth;
mod cloud;
mod differences;
mod document;
mod duration;
mod error;
mod exposition;
mod gateway;
mod layers;
mod links;
mod node;
mod otel;
mod root;
mod setting;
mod size;
mod storage;
mod surface;
mod traces;
mod value;
mod watch;
mod web_file;
mod yaml;

pub use document::document;
pub use error::{ConfigError, Invalid, Place};
pub use layers::{Flags, environment_name};
pub use otel::meant_by;
pub use surface::{LogFormat, LogLevel};
pub use web_file::{check_protection, document as web_document, protection};

use crate::cloud::Transport;
use crate::decode::redact;
use crate::delivery;
use crate::engine;
use crate::files;
use crate::limits::CONFIG_BYTES_MAX;
use crate::metrics;
use crate::sources;
use crate::store;
use crate::tracker;
use crate::web;
use auth::Auth;
use differences::differences;
use node::Node;
use otel::Otel;
use root::Root;
use setting::Setting;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Sections and keys that a reload does not put in place: what listens goes on listening, and what was begun with
/// them cannot be begun anew.
const AT_START: &[&str] = &[
    "gateway.listen_address",
    "gateway.advertise_address",
    "gateway.strip_headers",
    "gateway.tls",
    "traces.self",
    "api",
    "links",
    "storage",
    "web",
    "log",
];

/// What is in effect.
#[derive(Clone, Debug)]
pub struct Config {
    /// The connection to the cloud.
    pub cloud: crate::cloud::Settings,
    /// What the tracker believes for how long.
    pub tracker: tracker::Settings,
    /// The loop.
    pub engine: engine::Settings,
    /// What the traces of operations tell beside them.
    pub traces: crate::traces::Settings,
    /// How traces are sent; `None` when nothing is traced.
    pub delivery: Option<delivery::Settings>,
    /// What is watched.
    pub sources: sources::Settings,
    /// What survives a restart.
    pub store: store::Settings,
    /// What is exported.
    pub metrics: metrics::Settings,
    /// Where it is served.
    pub web: web::Settings,
    /// The web configuration file, which protects it; everybody may connect without.
    pub web_file: Option<PathBuf>,
    /// Whether it is served on the sockets that whoever started us opened, in place of addresses of its own.
    pub web_systemd_socket: bool,
    /// Where calls of others pass through; `None` where they do not.
    pub gateway: Option<crate::gateway::Settings>,
    /// The least important messages that are logged.
    pub log_level: LogLevel,
    /// The form of a line of the log.
    pub log_format: LogFormat,
    root: Root,
    /// Variables of OpenTelemetry that are set.
    heard: Vec<&'static str>,
}

impl Config {
    /// Reads the file, if there is one, and lays environment and flags over it. Files that it names must be
    /// readable.
    ///
    /// `environment` tells the value of a variable; an empty one counts as none.
    ///
    /// # Errors
    /// One [`ConfigError`] that names the first thing that is wrong, and what is allowed.
    pub fn load(
        path: Option<&Path>,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let config = Self::load_main(path, flags, environment)?;
        // It names its own file in what it says of it.
        config.web_file.as_deref().map(protection).transpose()?;
        Ok(config)
    }

    fn load_main(
        path: Option<&Path>,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::read("", Path::new(""), flags, environment).map_err(|invalid| {
                if invalid.place == Place::Nowhere {
                    ConfigError::NoFile(invalid)
                } else {
                    ConfigError::Elsewhere(invalid)
                }
            });
        };
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let yaml = read_file(path, CONFIG_BYTES_MAX).map_err(unreadable)?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let folder = absolute.parent().unwrap_or(Path::new(""));
        Self::read(&yaml, folder, flags, environment).map_err(|invalid| {
            if matches!(invalid.place, Place::Flag(_) | Place::Environment(_)) {
                ConfigError::Elsewhere(invalid)
            } else {
                ConfigError::InFile {
                    path: path.to_owned(),
                    invalid,
                }
            }
        })
    }

    /// The same from text, without a look at the files that it names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(
        yaml: &str,
        folder: &Path,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Invalid> {
        let (node, root, otel) = layered(yaml, folder, flags, environment)?;
        Self::compose(&node, root, otel)
    }

    fn read(
        yaml: &str,
        folder: &Path,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Invalid> {
        let (node, root, otel) = layered(yaml, folder, flags, environment)?;
        check_files(&node, &root, &otel)?;
        Self::compose(&node, root, otel)
    }

    fn compose(node: &Node, root: Root, otel: Otel) -> Result<Self, Invalid> {
        let Root {
            cloud,
            watch,
            metrics,
            thresholds,
            gateway,
            traces,
            api,
            storage,
            web,
            links,
            log,
        } = &root;
        let missing_auth = || Invalid {
            place: node.place_of("cloud.auth"),
            key: "cloud.auth".to_owned(),
            problem: Auth::missing(),
        };
        Ok(Self {
            cloud: cloud.settings(watch).ok_or_else(missing_auth)?,
            tracker: tracker::Settings {
                traces: otel.delivery.is_some().then(|| traces.tracker(gateway)),
                ..metrics.tracker(watch)
            },
            engine: watch.engine(),
            delivery: otel.delivery,
            traces: crate::traces::Settings {
                service_name: traces.service_name.clone(),
                resource_attributes: otel.resource_attributes,
            },
            sources: watch.sources(),
            store: storage.settings(traces),
            metrics: metrics.exposition(watch, thresholds),
            web: web.settings(api, links),
            web_file: web.config_file.clone(),
            web_systemd_socket: web.systemd_socket,
            gateway: gateway.settings(),
            log_level: log.level,
            log_format: log.format,
            root,
            heard: otel.heard,
        })
    }

    /// Whether projects are to be watched over a transport that has no jobs.
    pub fn asks_rest_for_jobs(&self) -> bool {
        let lists = !self.sources.projects.is_empty() || !self.sources.communities.is_empty();
        lists && self.cloud.transport == Transport::Rest
    }

    /// Keys that differ from those of the configuration that an exporter began with, and would take effect at its next
    /// start only.
    pub fn differs_at_start(&self, before: &Self) -> Vec<String> {
        let (own, theirs) = (self.to_json(), before.to_json());
        // The gateway connects to the cloud as it did when it began.
        let of_gateway = self.gateway.is_some().then_some(&"cloud.tls");
        let differing = AT_START.iter().chain(of_gateway).flat_map(|key| {
            let pointer = format!("/{}", key.replace('.', "/"));
            differences(key, own.pointer(&pointer), theirs.pointer(&pointer))
        });
        differing.collect()
    }

    /// Goes on with the queue of the exporter's own traces, which the log was given when it began.
    pub fn keep_own_traces_of(&mut self, before: &Self) {
        if let Some(delivery) = &mut self.delivery {
            let own = before.delivery.as_ref().and_then(|before| before.own.clone());
            delivery.own = own;
        }
    }

    /// All that is in effect, defaults included, as a document that can be read again; secrets are `***`. Variables of
    /// OpenTelemetry are named, without their values.
    pub fn to_yaml(&self) -> String {
        let mut document = self.root.write().document();
        if !self.heard.is_empty() {
            document.extend(["# traces, from the environment: ", &self.heard.join(", "), "\n"]);
        }
        document
    }

    /// The same as JSON, which is YAML too; what stands in a comment there is left out.
    pub fn to_json(&self) -> serde_json::Value {
        self.root.write().json()
    }
}

/// The file with environment and flags laid over it: as a tree, for places, and as what it says.
fn layered(
    yaml: &str,
    folder: &Path,
    flags: &Flags,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Node, Root, Otel), Invalid> {
    let environment = &|name: &str| environment(name).filter(|value| !value.is_empty());
    let mut node = Node::parse(yaml)?;
    layers::lay_over(&mut node, flags, environment);
    let mut root = Root::read(&node)?;
    let from_folder = |path: &mut PathBuf| *path = folder.join(&*path);
    root.cloud.tls.ca_file.iter_mut().for_each(from_folder);
    root.gateway.tls.files_mut().for_each(from_folder);
    root.cloud.auth.file_mut().into_iter().for_each(from_folder);
    root.watch.begin_at(folder);
    // From a flag or a variable it is relative to where the exporter was started.
    if node.place_of("web.config_file").is_line() {
        root.web.config_file.iter_mut().for_each(from_folder);
    }
    root.cloud.auth = root.cloud.auth.with_environment(environment)?;
    let otel = Otel::read(&root.traces, &node, &environment)?;
    Ok((node, root, otel))
}

fn read_file(path: &Path, bytes_max: u64) -> io::Result<String> {
    let bytes = files::read(path, bytes_max)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// Makes sure that files which must be there are.
fn check_files(node: &Node, root: &Root, otel: &Otel) -> Result<(), Invalid> {
    let ca_file = root.cloud.tls.ca_file.as_deref();
    let files = [
        ca_file.map(|path| ("cloud.tls.ca_file", path)),
        root.cloud.auth.file(),
    ];
    let of_gateway = root.gateway.files().map(|(key, path)| (key, path.as_path()));
    let of_file = files.into_iter().flatten().chain(of_gateway);
    let of_file = of_file.map(|(key, path)| (node.place_of(key), key, path));
    let of_otel = otel.files.iter();
    let of_otel = of_otel.map(|(name, path)| (Place::Environment((*name).to_owned()), *name, path.as_path()));
    for (place, key, path) in of_file.chain(of_otel) {
        if let Err(error) = File::open(path) {
            return Err(Invalid {
                place,
                key: key.to_owned(),
                problem: format!("cannot read {}: {error}", redact(&path.to_string_lossy())),
            });
        }
    }
    Ok(())
}
