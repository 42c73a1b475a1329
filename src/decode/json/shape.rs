//! Which fields of which messages are read, and what JSON calls them. A test compares all of it with the schema.

/// A field that is read.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// As it is printed; the name of the `.proto` file is taken as well.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Integer,
    Flag,
    /// Its names with their numbers.
    Enum(&'static [(&'static str, i64)]),
    /// `google.protobuf.Timestamp`.
    Time,
    /// `google.protobuf.Duration`.
    Duration,
    /// `google.protobuf.Int64Value`.
    Wrapped,
    Message(&'static [Field]),
    Messages(&'static [Field]),
    /// `google.protobuf.Any`: the metadata of an operation.
    Metadata,
    /// `google.protobuf.Any`: the response of an operation.
    Response,
    /// `google.protobuf.Any`, many: the details of a status.
    Details,
}

impl Field {
    /// Whether a member of this name is this field.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        is_same(self.name, name)
    }
}

/// Whether a member's name is this one, in either spelling: `createdAt` or `created_at`.
pub(crate) fn is_same(known: &str, name: &str) -> bool {
    let letters = name.bytes().filter(|byte| *byte != b'_');
    let known = known.bytes().map(|byte| byte.to_ascii_lowercase());
    known.eq(letters.map(|byte| byte.to_ascii_lowercase()))
}

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

pub(crate) const OPERATION: &[Field] = &[
    field(1, "id", Kind::Text),
    field(2, "description", Kind::Text),
    field(3, "createdAt", Kind::Time),
    field(4, "createdBy", Kind::Text),
    field(5, "modifiedAt", Kind::Time),
    field(6, "done", Kind::Flag),
    field(7, "metadata", Kind::Metadata),
    field(8, "error", Kind::Message(STATUS)),
    field(9, "response", Kind::Response),
];

pub(crate) const STATUS: &[Field] = &[
    field(1, "code", Kind::Integer),
    field(2, "message", Kind::Text),
    field(3, "details", Kind::Details),
];

pub(crate) const JOB_EXECUTION: &[Field] = &[
    field(1, "job", Kind::Message(JOB)),
    field(2, "progress", Kind::Message(PROGRESS)),
    field(3, "metadata", Kind::Message(JOB_METADATA)),
];

const JOB: &[Field] = &[
    field(1, "id", Kind::Text),
    field(2, "name", Kind::Text),
    field(4, "createdAt", Kind::Time),
    field(5, "finishedAt", Kind::Time),
    field(6, "status", Kind::Enum(JOB_STATUS)),
    field(8, "createdById", Kind::Text),
    field(9, "projectId", Kind::Text),
    field(11, "dataExpiresAt", Kind::Time),
    field(12, "dataCleared", Kind::Flag),
    field(16, "dataSizeBytes", Kind::Integer),
    field(17, "startedAt", Kind::Time),
    field(18, "statusDetails", Kind::Text),
    field(19, "actualCloudInstanceType", Kind::Message(INSTANCE_TYPE)),
    field(20, "parentJobId", Kind::Text),
];

const INSTANCE_TYPE: &[Field] = &[field(1, "name", Kind::Text)];

const JOB_METADATA: &[Field] = &[
    field(1, "id", Kind::Text),
    field(2, "name", Kind::Text),
    field(4, "createdAt", Kind::Time),
    field(5, "startedAt", Kind::Time),
    field(6, "finishedAt", Kind::Time),
    field(7, "dataExpiresAt", Kind::Time),
    field(8, "status", Kind::Enum(JOB_STATUS)),
    field(9, "statusDetails", Kind::Text),
    field(10, "createdById", Kind::Text),
    field(11, "projectId", Kind::Text),
    field(12, "parentJobId", Kind::Text),
];

const JOB_STATUS: &[(&str, i64)] = &[
    ("JOB_STATUS_UNSPECIFIED", 0),
    ("CREATING", 1),
    ("EXECUTING", 2),
    ("UPLOADING_OUTPUT", 3),
    ("SUCCESS", 4),
    ("ERROR", 5),
    ("CANCELLED", 6),
    ("CANCELLING", 7),
    ("PREPARING", 8),
];

const PROGRESS: &[Field] = &[
    field(1, "message", Kind::Text),
    field(2, "progress", Kind::Integer),
    field(3, "createTime", Kind::Time),
];

pub(crate) const JOB_RESPONSE: &[Field] = &[
    field(2, "result", Kind::Message(RESULT)),
    field(4, "outputFilesErrors", Kind::Messages(UPLOAD_ERROR)),
];

const RESULT: &[Field] = &[field(1, "returnCode", Kind::Integer)];

const UPLOAD_ERROR: &[Field] = &[field(
    4,
    "type",
    Kind::Enum(&[
        ("ERROR_TYPE_UNSPECIFIED", 0),
        ("UPLOAD_FAILED", 1),
        ("NOT_FOUND", 2),
    ]),
)];

/// Of either version.
pub(crate) const NOTEBOOK_EXECUTION: &[Field] = &[
    field(1, "projectId", Kind::Text),
    field(2, "notebookId", Kind::Text),
    field(3, "cellId", Kind::Text),
];

pub(crate) const NOTEBOOK_RESPONSE: &[Field] = &[field(
    3,
    "executionStatus",
    Kind::Enum(&[
        ("EXECUTION_STATUS_UNSPECIFIED", 0),
        ("OK", 1),
        ("ERROR", 2),
        ("ABORTED", 3),
    ]),
)];

pub(crate) const OF_PROJECT: &[Field] = &[field(1, "projectId", Kind::Text)];

pub(crate) const ERROR_INFO: &[Field] = &[field(1, "reason", Kind::Text)];

pub(crate) const NODE_ERROR: &[Field] = &[field(1, "errorName", Kind::Text)];

pub(crate) const QUOTA_FAILURE: &[Field] = &[field(1, "violations", Kind::Messages(QUOTA_VIOLATION))];

const QUOTA_VIOLATION: &[Field] = &[
    field(1, "subject", Kind::Text),
    field(4, "quotaMetric", Kind::Text),
];

pub(crate) const PRECONDITION_FAILURE: &[Field] =
    &[field(1, "violations", Kind::Messages(PRECONDITION_VIOLATION))];

const PRECONDITION_VIOLATION: &[Field] = &[field(1, "type", Kind::Text), field(2, "subject", Kind::Text)];

pub(crate) const REQUEST_INFO: &[Field] = &[field(1, "requestId", Kind::Text)];

pub(crate) const RETRY_INFO: &[Field] = &[field(1, "retryDelay", Kind::Duration)];

pub(crate) const PROJECT: &[Field] = &[
    field(1, "id", Kind::Text),
    field(3, "name", Kind::Text),
    field(8, "limits", Kind::Message(LIMITS)),
    field(11, "communityId", Kind::Text),
];

const LIMITS: &[Field] = &[
    field(1, "maxUnitsPerHour", Kind::Wrapped),
    field(2, "maxUnitsPerExecution", Kind::Wrapped),
];

pub(crate) const PROJECT_PAGE: &[Field] = &[
    field(1, "projects", Kind::Messages(PROJECT)),
    field(2, "nextPageToken", Kind::Text),
];

pub(crate) const UNIT_BALANCE: &[Field] = &[field(1, "unitBalance", Kind::Wrapped)];

pub(crate) const TOKEN: &[Field] = &[
    field(1, "iamToken", Kind::Text),
    field(2, "expiresAt", Kind::Time),
];

pub(crate) const ENDPOINTS: &[Field] = &[
    field(1, "endpoints", Kind::Messages(ENDPOINT)),
    field(2, "nextPageToken", Kind::Text),
];

const ENDPOINT: &[Field] = &[field(1, "id", Kind::Text), field(2, "address", Kind::Text)];
