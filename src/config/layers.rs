//! Flags and the environment, laid over what the file says.

use crate::config::error::Place;
use crate::config::node::{Node, Value};

/// Flags of `serve` that are settings: what was given on the command line, unparsed, so that every source of a
/// value is checked in one place and in the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--web.listen-address`, which may be given more than once.
    pub web_listen_address: Vec<String>,
    /// `--web.telemetry-path`.
    pub web_telemetry_path: Option<String>,
    /// `--web.max-requests`.
    pub web_max_requests: Option<String>,
    /// `--web.external-url`.
    pub web_external_url: Option<String>,
    /// `--web.enable-lifecycle`.
    pub web_enable_lifecycle: Option<String>,
    /// `--web.config.file`.
    pub web_config_file: Option<String>,
    /// `--web.systemd-socket`.
    pub web_systemd_socket: bool,
    /// `--storage.path`.
    pub storage_path: Option<String>,
    /// `--log.level`.
    pub log_level: Option<String>,
    /// `--log.format`.
    pub log_format: Option<String>,
}

/// A flag that is a setting.
#[derive(Debug)]
pub(crate) struct Flag {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// Section and name of the setting.
    pub(crate) key: (&'static str, &'static str),
    /// Whether it takes more than one value: in the environment they are separated by commas.
    pub(crate) is_list: bool,
    given: fn(&Flags) -> Vec<String>,
}

pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        name: "--web.listen-address",
        key: ("web", "listen_address"),
        is_list: true,
        given: |flags| flags.web_listen_address.clone(),
    },
    Flag {
        name: "--web.telemetry-path",
        key: ("web", "telemetry_path"),
        is_list: false,
        given: |flags| flags.web_telemetry_path.iter().cloned().collect(),
    },
    Flag {
        name: "--web.max-requests",
        key: ("web", "max_requests"),
        is_list: false,
        given: |flags| flags.web_max_requests.iter().cloned().collect(),
    },
    Flag {
        name: "--web.external-url",
        key: ("web", "external_url"),
        is_list: false,
        given: |flags| flags.web_external_url.iter().cloned().collect(),
    },
    Flag {
        name: "--web.enable-lifecycle",
        key: ("web", "enable_lifecycle"),
        is_list: false,
        given: |flags| flags.web_enable_lifecycle.iter().cloned().collect(),
    },
    Flag {
        name: "--web.config.file",
        key: ("web", "config_file"),
        is_list: false,
        given: |flags| flags.web_config_file.iter().cloned().collect(),
    },
    Flag {
        name: "--web.systemd-socket",
        key: ("web", "systemd_socket"),
        is_list: false,
        given: |flags| Vec::from_iter(flags.web_systemd_socket.then(|| "true".to_owned())),
    },
    Flag {
        name: "--storage.path",
        key: ("storage", "path"),
        is_list: false,
        given: |flags| flags.storage_path.iter().cloned().collect(),
    },
    Flag {
        name: "--log.level",
        key: ("log", "level"),
        is_list: false,
        given: |flags| flags.log_level.iter().cloned().collect(),
    },
    Flag {
        name: "--log.format",
        key: ("log", "format"),
        is_list: false,
        given: |flags| flags.log_format.iter().cloned().collect(),
    },
];

/// Begins the names of variables that are for the exporter.
pub(crate) const PREFIX: &str = "DATASPHERE_EXPORTER_";

/// The variable of the environment that stands for a flag: `--web.listen-address` is
/// `DATASPHERE_EXPORTER_WEB_LISTEN_ADDRESS`.
pub fn environment_name(flag: &str) -> String {
    let name = flag.trim_start_matches('-').replace(['.', '-'], "_");
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

/// Lays the environment over the file, and flags over both. An empty variable is none.
pub(crate) fn lay_over(file: &mut Node, flags: &Flags, environment: impl Fn(&str) -> Option<String>) {
    for flag in FLAGS {
        let given = (flag.given)(flags);
        let variable = environment_name(flag.name);
        let (place, values) = if !given.is_empty() {
            (Place::Flag(flag.name), given)
        } else if let Some(value) = environment(&variable) {
            let values = if flag.is_list {
                value.split(',').map(|part| part.trim().to_owned()).collect()
            } else {
                vec![value]
            };
            (Place::Environment(variable), values)
        } else {
            continue;
        };
        put(file, flag, &place, values);
    }
}

fn put(file: &mut Node, flag: &Flag, place: &Place, values: Vec<String>) {
    let (section, name) = flag.key;
    let key = format!("{section}.{name}");
    let text = |name: &str, text| Node {
        name: name.to_owned(),
        key: key.clone(),
        place: place.clone(),
        value: Value::Text(text),
    };
    let mut node = text(name, String::new());
    node.value = if flag.is_list {
        Value::List(values.into_iter().map(|value| text(name, value)).collect())
    } else {
        Value::Text(values.into_iter().next().unwrap_or_default())
    };
    let empty = Node {
        name: section.to_owned(),
        key: section.to_owned(),
        ..Node::empty()
    };
    // Where the file has something else in place of a section, reading it will say so.
    if let Some(section) = file.child_mut(empty) {
        section.replace(node);
    }
}
