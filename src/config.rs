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
mod files;
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
mod variables;
mod watch;
mod web_file;
mod yaml;

pub use document::document;
pub use error::{ConfigError, Invalid, Place};
pub use layers::{Flags, environment_name};
pub use surface::{LogFormat, LogLevel};
pub use variables::unknown;
pub use web_file::{check_protection, document as web_document, protection};

use crate::delivery;
use crate::engine;
use crate::file;
use crate::limits::CONFIG_BYTES_MAX;
use crate::metrics;
use crate::sources;
use crate::store;
use crate::tracker;
use crate::web;
use auth::Auth;
use differences::differences;
use files::Files;
use node::Node;
use otel::Otel;
use root::Root;
use setting::Setting;
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
    /// Files that it names, and where.
    files: Files,
    /// See [`Self::notes`].
    notes: Vec<String>,
}

/// The file with environment and flags laid over it: as a tree, for places, and as what it says.
struct Layered {
    node: Node,
    root: Root,
    otel: Otel,
    /// The variable that tells how to authenticate, where it is not the file that does.
    auth_variable: Option<&'static str>,
    notes: Vec<String>,
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
        if let Some(web_file) = &config.web_file {
            // It names its own file in what it says of what is in it.
            protection(web_file).map_err(|error| config.files.where_named(web_file, error))?;
        }
        Ok(config)
    }

    fn load_main(
        path: Option<&Path>,
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut yaml = String::new();
        let mut folder = PathBuf::new();
        if let Some(path) = path {
            let unreadable = |source| ConfigError::Unreadable {
                what: "configuration file",
                path: path.to_owned(),
                source,
            };
            yaml = file::read_text(path, CONFIG_BYTES_MAX).map_err(unreadable)?;
            folder = std::path::absolute(path).map_err(unreadable)?;
            folder.pop();
        }
        let mut config = Self::parse(&yaml, &folder, flags, environment)
            .map_err(|invalid| ConfigError::about(path, invalid))?;
        config.files.are_of(path);
        config.files.check()?;
        Ok(config)
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
        let Layered {
            node,
            root,
            otel,
            auth_variable,
            notes,
        } = layered(yaml, folder, flags, environment)?;
        let files = Files::named_by(&node, &root, &otel, auth_variable);
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
            files,
            notes,
        })
    }

    /// What an operator may not expect of it, though nothing is wrong with it: a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A problem with a file that it names, told with the place where it does.
    pub fn of_file(&self, path: &Path, problem: &str) -> Option<ConfigError> {
        self.files.finding(path, problem)
    }

    /// The same for the file of a key.
    pub fn of_key(&self, key: &str, problem: &str) -> Option<ConfigError> {
        self.files.finding_of(key, problem)
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

/// Lays environment and flags over the file; paths in it begin at its folder.
fn layered(
    yaml: &str,
    folder: &Path,
    flags: &Flags,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Layered, Invalid> {
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
    let written = root.cloud.auth.clone();
    root.cloud.auth = written.clone().with_environment(environment)?;
    let auth_variable = root.cloud.auth.variable(&written);
    let otel = Otel::read(&root.traces, &node, &environment)?;
    let displaced = auth_variable.zip(written.displaceable());
    let displaced =
        displaced.map(|(variable, key)| format!("{variable} is set and takes the place of {key}"));
    let hidden = root.web.telemetry_path.hides_page().then(|| {
        "metrics are served at / and take the place of the status page: web.telemetry_path is /".to_owned()
    });
    Ok(Layered {
        node,
        root,
        otel,
        auth_variable,
        notes: displaced.into_iter().chain(hidden).collect(),
    })
}
