//! The section `cloud.auth`: exactly one way to authenticate.

use crate::cloud::{self, Secret};
use crate::config::error::{Invalid, Place};
use crate::config::node::{Node, Value};
use crate::config::setting::{Any, Row, Setting, check_keys, child_key, section};
use crate::config::yaml::Yaml;
use std::path::{Path, PathBuf};

/// How calls are authenticated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Auth {
    /// Not said.
    Unset,
    /// `service_account_key_file`.
    ServiceAccountKeyFile(PathBuf),
    /// `iam_token_file`.
    IamTokenFile(PathBuf),
    /// A token from the environment; there is no key for it, since secrets do not belong into the file.
    IamToken(Secret),
    /// `metadata`.
    Metadata(Metadata),
    /// `workload_identity`.
    WorkloadIdentity(WorkloadIdentity),
    /// `anonymous`.
    Anonymous,
}

section! {
    /// The service account of the virtual machine that this runs on.
    Metadata {
        /// Host, or host and port, of the metadata service; `YC_METADATA_ADDR` wins.
        address: String = cloud::Auth::METADATA_ADDRESS.to_owned(), Any;
    }
}

section! {
    /// A token of another identity provider, exchanged for one of the cloud: a Kubernetes service account's, for
    /// instance.
    WorkloadIdentity => is_whole {
        /// The service account to act as; required.
        service_account_id: Option<String> = None, Any;
        /// File with the other provider's token, read anew at each renewal; required.
        token_file: Option<PathBuf> = None, Any;
        /// Where tokens are exchanged.
        token_url: String = cloud::Auth::TOKEN_URL.to_owned(), Any;
    }
}

fn is_whole(identity: &WorkloadIdentity, node: &Node) -> Result<(), Invalid> {
    if identity.service_account_id.is_none() || identity.token_file.is_none() {
        return Err(node.invalid("needs both service_account_id and token_file"));
    }
    Ok(())
}

/// Keys of the ways that the file may name.
const WAYS: &[&str] = &[
    "service_account_key_file",
    "iam_token_file",
    "metadata",
    "workload_identity",
    "anonymous",
];

const KEY_FILE_KEY: &str = "cloud.auth.service_account_key_file";

/// Variables of the environment that stand for a way which the file does not name.
pub(crate) const KEY_FILE_VARIABLE: &str = "YC_SERVICE_ACCOUNT_KEY_FILE";
/// See [`KEY_FILE_VARIABLE`].
pub(crate) const TOKEN_VARIABLE: &str = "YC_IAM_TOKEN";
/// See [`KEY_FILE_VARIABLE`].
pub(crate) const METADATA_VARIABLE: &str = "YC_METADATA_ADDR";

impl Auth {
    /// With what the environment says: another value for the way that the file names, or a way where it names
    /// none. Variables for other ways than the file's are left alone, since many shells carry one.
    pub(crate) fn with_environment(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Invalid> {
        let key_file = environment(KEY_FILE_VARIABLE);
        let token = environment(TOKEN_VARIABLE);
        let metadata = environment(METADATA_VARIABLE).map(|address| Metadata { address });
        Ok(match self {
            Self::ServiceAccountKeyFile(path) => {
                Self::ServiceAccountKeyFile(key_file.map_or(path, PathBuf::from))
            }
            Self::Metadata(written) => Self::Metadata(metadata.unwrap_or(written)),
            Self::Unset => match (key_file, token) {
                (Some(_), Some(_)) => return Err(two_variables()),
                (Some(path), None) => Self::ServiceAccountKeyFile(PathBuf::from(path)),
                (None, Some(token)) => Self::IamToken(Secret::new(token)),
                (None, None) => metadata.map_or(Self::Unset, Self::Metadata),
            },
            named => named,
        })
    }

    /// The variable that tells it in place of the file, which says `written`.
    pub(crate) fn variable(&self, written: &Self) -> Option<&'static str> {
        let told = match self {
            Self::ServiceAccountKeyFile(_) => KEY_FILE_VARIABLE,
            Self::IamToken(_) => TOKEN_VARIABLE,
            Self::Metadata(_) => METADATA_VARIABLE,
            Self::Unset | Self::IamTokenFile(_) | Self::WorkloadIdentity(_) | Self::Anonymous => return None,
        };
        (self != written).then_some(told)
    }

    /// The key of which a variable may take the place.
    pub(crate) fn displaceable(&self) -> Option<&'static str> {
        match self {
            Self::ServiceAccountKeyFile(_) => Some(KEY_FILE_KEY),
            Self::Metadata(written) if *written != Metadata::default() => Some("cloud.auth.metadata.address"),
            _ => None,
        }
    }

    /// The room's own settings; `None` when nothing was said.
    pub(crate) fn settings(&self) -> Option<cloud::Auth> {
        Some(match self.clone() {
            Self::Unset => return None,
            Self::ServiceAccountKeyFile(path) => cloud::Auth::ServiceAccountKeyFile(path),
            Self::IamTokenFile(path) => cloud::Auth::IamTokenFile(path),
            Self::IamToken(token) => cloud::Auth::IamToken(token),
            Self::Metadata(Metadata { address }) => cloud::Auth::Metadata { address },
            Self::WorkloadIdentity(identity) => cloud::Auth::WorkloadIdentity {
                service_account_id: identity.service_account_id?,
                token_file: identity.token_file?,
                token_url: identity.token_url,
            },
            Self::Anonymous => cloud::Auth::Anonymous,
        })
    }

    /// The file it needs, with its key.
    pub(crate) fn file(&self) -> Option<(&'static str, &Path)> {
        match self {
            Self::ServiceAccountKeyFile(path) => Some((KEY_FILE_KEY, path)),
            Self::IamTokenFile(path) => Some(("cloud.auth.iam_token_file", path)),
            Self::WorkloadIdentity(identity) => Some((
                "cloud.auth.workload_identity.token_file",
                identity.token_file.as_deref()?,
            )),
            Self::Unset | Self::IamToken(_) | Self::Metadata(_) | Self::Anonymous => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn file_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::ServiceAccountKeyFile(path) | Self::IamTokenFile(path) => Some(path),
            Self::WorkloadIdentity(identity) => identity.token_file.as_mut(),
            Self::Unset | Self::IamToken(_) | Self::Metadata(_) | Self::Anonymous => None,
        }
    }

    /// What is said when nothing tells how to authenticate.
    pub(crate) fn missing() -> String {
        format!(
            "missing; give exactly one of {}, or set {KEY_FILE_VARIABLE}, {TOKEN_VARIABLE} or {METADATA_VARIABLE}",
            WAYS.join(", ")
        )
    }
}

fn two_variables() -> Invalid {
    Invalid {
        place: Place::Environment(KEY_FILE_VARIABLE.to_owned()),
        key: "cloud.auth".to_owned(),
        problem: format!("set together with {TOKEN_VARIABLE}; keep one of them, or name a way in cloud.auth"),
    }
}

impl Setting for Auth {
    const IS_SECTION: bool = true;

    fn kind() -> String {
        format!("exactly one of {}", WAYS.join(", "))
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        check_keys(node, WAYS)?;
        let children = match &node.value {
            Value::Section(children) => children.as_slice(),
            Value::Nothing | Value::Text(_) | Value::List(_) => &[],
        };
        match children {
            [] => Err(node.invalid(format!("empty; give {}", Self::kind()))),
            [one] => Self::read_way(one),
            [first, second, ..] => Err(node.invalid(format!(
                "{} and {} at once; keep exactly one of {}",
                first.name,
                second.name,
                WAYS.join(", ")
            ))),
        }
    }

    fn write(&self) -> Yaml {
        let (name, value) = match self {
            Self::Unset => return Yaml::Absent,
            Self::IamToken(_) => return Yaml::Comment(format!("*** (from {TOKEN_VARIABLE})")),
            Self::ServiceAccountKeyFile(path) => ("service_account_key_file", path.write()),
            Self::IamTokenFile(path) => ("iam_token_file", path.write()),
            Self::Metadata(metadata) => ("metadata", metadata.write()),
            Self::WorkloadIdentity(identity) => ("workload_identity", identity.write()),
            Self::Anonymous => ("anonymous", Yaml::Section(Vec::new())),
        };
        Yaml::Section(vec![(name.to_owned(), value)])
    }

    fn describe(_: Option<&Self>, row: Row, rows: &mut Vec<Row>) {
        let way = |name, meaning: &str| Row {
            key: child_key(&row.key, name),
            kind: PathBuf::kind(),
            meaning: meaning.to_owned(),
            ..Row::default()
        };
        rows.push(Row {
            meaning: "Exactly one of the following; without it the environment may tell one.".to_owned(),
            ..row.clone()
        });
        rows.push(way(
            "service_account_key_file",
            "An authorized key of a service account, as `yc iam key create --output` writes it, read anew at each \
             renewal of the token; `YC_SERVICE_ACCOUNT_KEY_FILE` wins.",
        ));
        rows.push(way(
            "iam_token_file",
            "A file that somebody else keeps fresh with an IAM token; read again when it changes.",
        ));
        let section = |name| Row {
            key: child_key(&row.key, name),
            ..Row::default()
        };
        Metadata::describe(None, section("metadata"), rows);
        WorkloadIdentity::describe(None, section("workload_identity"), rows);
        rows.push(Row {
            kind: "{}".to_owned(),
            meaning: "No authentication, for the simulator.".to_owned(),
            ..section("anonymous")
        });
    }
}

impl Auth {
    fn read_way(way: &Node) -> Result<Self, Invalid> {
        match way.name.as_str() {
            "service_account_key_file" => PathBuf::read(way).map(Self::ServiceAccountKeyFile),
            "iam_token_file" => PathBuf::read(way).map(Self::IamTokenFile),
            "metadata" => Metadata::read(way).map(Self::Metadata),
            "workload_identity" => WorkloadIdentity::read(way).map(Self::WorkloadIdentity),
            _ => check_keys(way, &[]).map(|()| Self::Anonymous),
        }
    }
}
