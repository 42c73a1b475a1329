//! Single values: numbers, durations, addresses, paths, ids, names, and lists of them.

use crate::config::duration;
use crate::config::error::Invalid;
use crate::config::node::{Node, Value};
use crate::config::setting::{Row, Setting, parse, text, unexpected};
use crate::config::yaml::Yaml;
use crate::listening::Place;
use crate::model::{CommunityId, OperationId, ProjectId, is_label_name};
use regex::Regex;
use smol_str::SmolStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Setting for bool {
    fn kind() -> String {
        "true or false".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        match text::<Self>(node)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(unexpected::<Self>(node)),
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Plain(self.to_string())
    }
}

macro_rules! whole_number {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn kind() -> String {
                "a whole number".to_owned()
            }

            fn read(node: &Node) -> Result<Self, Invalid> {
                let number = text::<Self>(node)?.replace('_', "");
                number.parse().map_err(|_| unexpected::<Self>(node))
            }

            fn write(&self) -> Yaml {
                Yaml::Plain(self.to_string())
            }
        }
    )+};
}

whole_number!(usize, u64, i64);

impl Setting for f64 {
    fn kind() -> String {
        "a number".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let number = text::<Self>(node)?.parse().ok();
        number
            .filter(|number: &Self| number.is_finite())
            .ok_or_else(|| unexpected::<Self>(node))
    }

    fn write(&self) -> Yaml {
        Yaml::Plain(self.to_string())
    }
}

impl Setting for Duration {
    fn kind() -> String {
        "a duration such as 10s, 1m30s or 7d".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        parse(node, duration::parse)
    }

    fn write(&self) -> Yaml {
        Yaml::Plain(duration::write(*self))
    }
}

impl Setting for String {
    fn kind() -> String {
        "text".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        text::<Self>(node).map(str::to_owned)
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.clone())
    }
}

impl Setting for PathBuf {
    fn kind() -> String {
        "a path".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        match text::<Self>(node)? {
            "" => Err(unexpected::<Self>(node)),
            path => Ok(Self::from(path)),
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.to_string_lossy().into_owned())
    }
}

/// What may be left empty.
impl<T: Setting> Setting for Option<T> {
    const IS_SECTION: bool = T::IS_SECTION;

    fn kind() -> String {
        T::kind()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        if node.value == Value::Text(String::new()) {
            return Ok(None);
        }
        T::read(node).map(Some)
    }

    fn write(&self) -> Yaml {
        match self {
            Some(value) => value.write(),
            None if T::IS_SECTION => Yaml::Absent,
            None => Yaml::Text(String::new()),
        }
    }

    fn describe(default: Option<&Self>, row: Row, rows: &mut Vec<Row>) {
        T::describe(default.and_then(Option::as_ref), row, rows);
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn kind() -> String {
        format!("a list, each item {}", T::kind())
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        match &node.value {
            Value::List(items) => items.iter().map(T::read).collect(),
            found => Err(node.invalid(format!("expected {}, found {}", Self::kind(), found.kind()))),
        }
    }

    fn write(&self) -> Yaml {
        Yaml::List(self.iter().map(Setting::write).collect())
    }

    fn describe(default: Option<&Self>, row: Row, rows: &mut Vec<Row>) {
        let key = format!("{}[]", row.key);
        rows.push(Row {
            kind: Self::kind(),
            default: default.map_or_else(String::new, |default| default.write().flow()),
            ..row
        });
        if T::IS_SECTION {
            let item = Row {
                key,
                ..Row::default()
            };
            T::describe(None, item, rows);
        }
    }
}

/// An address to call: a host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) String);

impl Setting for Address {
    fn kind() -> String {
        "an address such as api.cloud.yandex.net:443".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let address = text::<Self>(node)?;
        let is_address = host_and_port(address).is_some_and(|(host, port)| !host.is_empty() && port > 0);
        if is_address {
            Ok(Self(address.to_owned()))
        } else {
            Err(unexpected::<Self>(node))
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.clone())
    }
}

/// An address to listen on: without a host on all interfaces, with port 0 on any that is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) String);

impl ListenAddress {
    /// Whether listening on both at once is refused for sure. Names other than addresses are not looked up.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        if self.0.eq_ignore_ascii_case(&other.0) {
            // Port 0 is another one each time.
            return !matches!(host_and_port(&self.0), Some((_, 0)));
        }
        match (host_and_port(&self.0), host_and_port(&other.0)) {
            (Some((own, port)), Some((theirs, other_port))) => {
                port == other_port && port > 0 && (takes_in(own, theirs) || takes_in(theirs, own))
            }
            _ => false,
        }
    }
}

/// Whether listening on one host takes in the other: the addresses of all interfaces do.
fn takes_in(all: &str, one: &str) -> bool {
    match all {
        "" | "[::]" => true,
        "0.0.0.0" => !one.starts_with('['),
        _ => false,
    }
}

impl Setting for ListenAddress {
    fn kind() -> String {
        "an address such as :10477, 127.0.0.1:10477 or unix:/run/exporter.sock".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let address = text::<Self>(node)?;
        let is_unix = Place::unix_path(address).is_some_and(Path::is_absolute);
        if is_unix || host_and_port(address).is_some() {
            Ok(Self(address.to_owned()))
        } else {
            Err(unexpected::<Self>(node))
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.clone())
    }
}

fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_v6 = host.starts_with('[') && host.ends_with(']');
    let is_host = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_port && (is_v6 || is_host) {
        Some((host, port.parse().ok()?))
    } else {
        None
    }
}

macro_rules! id {
    ($($type:ty, $kind:literal;)+) => {$(
        impl Setting for $type {
            fn kind() -> String {
                $kind.to_owned()
            }

            fn read(node: &Node) -> Result<Self, Invalid> {
                parse(node, str::parse)
            }

            fn write(&self) -> Yaml {
                Yaml::Text(self.to_string())
            }
        }
    )+};
}

id! {
    OperationId, "an operation id";
    ProjectId, "a project id";
    CommunityId, "a community id";
}

/// The name of a label, as Prometheus takes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LabelName(pub(crate) SmolStr);

impl LabelName {
    /// Whether Prometheus takes it: the two leading underscores are its own.
    pub(crate) fn is_valid(name: &str) -> bool {
        is_label_name(name)
    }
}

impl Setting for LabelName {
    fn kind() -> String {
        "a label name of at most 64 letters, digits and underscores, without a digit or two underscores first"
            .to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let name = text::<Self>(node)?;
        if Self::is_valid(name) {
            Ok(Self(SmolStr::new(name)))
        } else {
            Err(unexpected::<Self>(node))
        }
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.to_string())
    }
}

/// A regular expression, in the syntax of the crate `regex`.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Setting for Pattern {
    fn kind() -> String {
        "a regular expression".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        parse(node, |pattern| {
            Regex::new(pattern).map(Self).map_err(|error| {
                // The whole message draws the pattern; its last line tells what is wrong with it.
                let message = error.to_string();
                message
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned()
            })
        })
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.as_str().to_owned())
    }
}

/// Declares a setting that is one of a few words.
macro_rules! choice {
    ($(#[$doc:meta])* $vis:vis $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The word that stands for it.
            $vis fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", [$($word),+].join(", "))),
                }
            }
        }

        impl $crate::config::setting::Setting for $name {
            fn kind() -> String {
                format!("one of {}", [$($word),+].join(", "))
            }

            fn read(
                node: &$crate::config::node::Node,
            ) -> Result<Self, $crate::config::error::Invalid> {
                let word = $crate::config::setting::text::<Self>(node)?;
                word.parse().map_err(|_| $crate::config::setting::unexpected::<Self>(node))
            }

            fn write(&self) -> $crate::config::yaml::Yaml {
                $crate::config::yaml::Yaml::Plain(self.word().to_owned())
            }
        }
    };
}
pub(crate) use choice;
