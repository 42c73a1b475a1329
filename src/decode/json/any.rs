//! `google.protobuf.Any` in JSON: a message with its type among its members, or without, as the reference pages print
//! it. A missing type is told by the members, and of a response by the operation's metadata; where nothing tells it,
//! none is written.

use crate::decode::json::object::{members, parse};
use crate::decode::json::shape::{self, Field};
use crate::decode::json::{message, write_bytes};

/// A message that an `Any` may hold.
struct Known {
    name: &'static str,
    fields: &'static [Field],
    /// Members that only this message has, of all that stand in the same place.
    telling: &'static [&'static str],
}

const JOB_METADATA: Known = Known {
    name: "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata",
    fields: shape::JOB_EXECUTION,
    telling: &["job", "progress", "metadata"],
};

const NOTEBOOK_METADATA: Known = Known {
    name: "yandex.cloud.datasphere.v2.ProjectExecutionMetadata",
    fields: shape::NOTEBOOK_EXECUTION,
    telling: &["notebookId", "cellId"],
};

/// For every change of a project, of which only the project is shown.
const PROJECT_METADATA: Known = Known {
    name: "yandex.cloud.datasphere.v2.UpdateProjectMetadata",
    fields: shape::OF_PROJECT,
    telling: &["projectId"],
};

const METADATA: &[Known] = &[
    JOB_METADATA,
    NOTEBOOK_METADATA,
    Known {
        name: "yandex.cloud.datasphere.v1.ProjectExecutionMetadata",
        fields: shape::NOTEBOOK_EXECUTION,
        telling: &[],
    },
    PROJECT_METADATA,
];

const JOB_RESPONSE: Known = Known {
    name: "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobResponse",
    fields: shape::JOB_RESPONSE,
    telling: &["result", "outputFiles", "outputFilesErrors", "outputDatasets"],
};

const RESPONSES: &[Known] = &[
    JOB_RESPONSE,
    Known {
        name: "yandex.cloud.datasphere.v2.ProjectExecutionResponse",
        fields: shape::NOTEBOOK_RESPONSE,
        telling: &["executionStatus"],
    },
];

/// The response of the first version: it tells nothing, as one without members does.
const EMPTY_NOTEBOOK_RESPONSE: &str = "yandex.cloud.datasphere.v1.ProjectExecutionResponse";

const DETAILS: &[Known] = &[
    Known {
        name: "google.rpc.ErrorInfo",
        fields: shape::ERROR_INFO,
        telling: &["reason"],
    },
    Known {
        name: "yandex.cloud.datasphere.v1.NodeExecutionErrorDetails",
        fields: shape::NODE_ERROR,
        telling: &["errorName"],
    },
    Known {
        name: "google.rpc.QuotaFailure",
        fields: shape::QUOTA_FAILURE,
        telling: &["violations"],
    },
    Known {
        name: "google.rpc.PreconditionFailure",
        fields: shape::PRECONDITION_FAILURE,
        telling: &[],
    },
    Known {
        name: "google.rpc.RequestInfo",
        fields: shape::REQUEST_INFO,
        telling: &["requestId"],
    },
    Known {
        name: "google.rpc.RetryInfo",
        fields: shape::RETRY_INFO,
        telling: &["retryDelay"],
    },
];

/// The metadata of an operation, as the bytes of an `Any`; `None` when it is no object.
pub(crate) fn metadata(json: &str) -> Option<Vec<u8>> {
    let head = Head::of(json, METADATA)?;
    // Whatever else happens in a project names it in the same way.
    Some(head.pack(json, |name| {
        fields_of(METADATA, name).unwrap_or(PROJECT_METADATA.fields)
    }))
}

/// The name of the metadata's type, told or guessed.
pub(crate) fn metadata_name(json: &str) -> Option<String> {
    let type_url = Head::of(json, METADATA)?.type_url;
    Some(name(&type_url).to_owned())
}

/// The response of an operation, likewise.
pub(crate) fn response(json: &str, metadata_name: Option<&str>) -> Option<Vec<u8>> {
    let mut head = Head::of(json, RESPONSES)?;
    if head.type_url.is_empty() {
        let told = match metadata_name {
            Some(name) if name == JOB_METADATA.name => JOB_RESPONSE.name,
            Some(name) if name == NOTEBOOK_METADATA.name => EMPTY_NOTEBOOK_RESPONSE,
            _ => "",
        };
        head.type_url = url(told);
    }
    Some(head.pack(json, |name| fields_of(RESPONSES, name).unwrap_or_default()))
}

/// A detail of an error, likewise.
pub(crate) fn detail(json: &str) -> Option<Vec<u8>> {
    let head = Head::of(json, DETAILS)?;
    Some(head.pack(json, |name| fields_of(DETAILS, name).unwrap_or_default()))
}

/// The type of a message, found before its members are read: it may stand behind them.
struct Head {
    /// Empty where nothing tells it.
    type_url: String,
}

impl Head {
    fn of(json: &str, known: &[Known]) -> Option<Self> {
        let mut type_url = None;
        let mut place = known.len();
        let is_object = members(json, |name, value| {
            if name == "@type" {
                type_url = parse::<String>(value);
            }
            let told = known.iter().position(|known| known.is_told_by(name));
            place = place.min(told.unwrap_or(known.len()));
        });
        let guessed = known.get(place).map_or("", |known| known.name);
        is_object.then(|| Self {
            type_url: type_url.unwrap_or_else(|| url(guessed)),
        })
    }

    fn pack(&self, json: &str, fields: impl Fn(&str) -> &'static [Field]) -> Vec<u8> {
        let (mut value, mut out) = (Vec::new(), Vec::new());
        message(fields(name(&self.type_url)), json, &mut value);
        write_bytes(1, Some(self.type_url.clone().into_bytes()), &mut out);
        write_bytes(2, Some(value), &mut out);
        out
    }
}

impl Known {
    fn is_told_by(&self, name: &str) -> bool {
        self.telling.iter().any(|telling| shape::is_same(telling, name))
    }
}

fn fields_of(known: &[Known], name: &str) -> Option<&'static [Field]> {
    known
        .iter()
        .find(|known| known.name == name)
        .map(|known| known.fields)
}

fn name(type_url: &str) -> &str {
    type_url.rsplit_once('/').map_or(type_url, |(_, name)| name)
}

fn url(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!("type.googleapis.com/{name}")
    }
}

/// Every message with its fields.
#[cfg(test)]
pub(crate) fn known() -> impl Iterator<Item = (&'static str, &'static [Field])> {
    let all = METADATA.iter().chain(RESPONSES).chain(DETAILS);
    all.map(|known| (known.name, known.fields))
}
