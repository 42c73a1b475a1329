//! Every attribute of a span, declared once: the code sets these, and `docs/traces.md` lists them.

/// An attribute as it is declared.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// Its name: of OpenTelemetry's conventions where they have one, otherwise `datasphere.*`.
    pub(crate) name: &'static str,
    /// Of what type its value is.
    pub(crate) value: Value,
    /// Where it stands.
    pub(crate) on: &'static [Place],
    /// What it means, with its unit.
    pub(crate) meaning: &'static str,
    /// What it is made from.
    pub(crate) source: &'static str,
}

/// Of what type an attribute's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text,
    Integer,
}

impl Value {
    /// The type's name in OpenTelemetry.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "int",
        }
    }
}

/// Where an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Resource,
    Root,
    Started,
    Phase,
    Link,
}

impl Place {
    /// What the document calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Root => "root",
            Self::Started => "`started`",
            Self::Phase => "phases",
            Self::Link => "links",
        }
    }
}

const RESOURCE: &[Place] = &[Place::Resource];
const ROOT: &[Place] = &[Place::Root];
const PHASE: &[Place] = &[Place::Phase];
const LINK: &[Place] = &[Place::Link];
const ALL_SPANS: &[Place] = &[Place::Root, Place::Started, Place::Phase];
const WHOLE: &[Place] = &[Place::Root, Place::Started];
const ROOT_AND_PHASE: &[Place] = &[Place::Root, Place::Phase];

macro_rules! attributes {
    ($($constant:ident = $name:literal, $value:ident, $on:ident, $meaning:literal, $source:literal;)*) => {
        $(pub(crate) const $constant: &Attribute = &Attribute {
            name: $name,
            value: Value::$value,
            on: $on,
            meaning: $meaning,
            source: $source,
        };)*

        /// All of them, in the order of the document.
        pub(crate) const ALL: &[&Attribute] = &[$($constant),*];
    };
}

attributes! {
    SERVICE_NAME = "service.name", Text, RESOURCE,
        "the service to which the spans belong: the jobs, not the exporter", "setting";
    CLOUD_PROVIDER = "cloud.provider", Text, RESOURCE, "`yandex_cloud`", "constant";
    CLOUD_PLATFORM = "cloud.platform", Text, RESOURCE, "`yandex_cloud_datasphere`", "constant";
    PROJECT_ID = "datasphere.project.id", Text, RESOURCE, "the project", "Job.project_id, metadata";
    COMMUNITY_ID = "datasphere.community.id", Text, RESOURCE,
        "the project's community, once it is known", "Project.community_id";

    PIPELINE_NAME = "cicd.pipeline.name", Text, ALL_SPANS,
        "the job's name without what tells one run from the next, the label `job_name` of the metrics; absent \
         beyond the bound of names", "Job.name";
    RUN_ID = "cicd.pipeline.run.id", Text, ALL_SPANS,
        "the job's id, or the operation's where it is no job", "Job.id, Operation.id";
    KIND = "datasphere.operation.kind", Text, ALL_SPANS,
        "`job`, `notebook` or `other`", "type of the metadata";
    JOB_ID = "datasphere.job.id", Text, ALL_SPANS, "the job", "Job.id";
    JOB_STATUS = "datasphere.job.status", Text, ALL_SPANS,
        "of a phase, the status that it is; of `started`, the one at first sight; of the root, the last",
        "Job.status";

    OPERATION_ID = "datasphere.operation.id", Text, WHOLE, "the operation, where it is known", "Operation.id";
    JOB_NAME = "datasphere.job.name", Text, WHOLE, "the job's name as the user wrote it, redacted", "Job.name";
    PARENT_JOB_ID = "datasphere.job.parent_id", Text, WHOLE, "the job it was cloned from", "Job.parent_job_id";
    ATTEMPT = "datasphere.job.attempt", Integer, WHOLE,
        "which execution of the job it is; absent on the first", "counted";
    NOTEBOOK_ID = "datasphere.notebook.id", Text, WHOLE,
        "the notebook's path or the cell's id, redacted", "ProjectExecutionMetadata";
    USER_ID = "user.id", Text, WHOLE, "the id of who started it", "Operation.created_by, Job.created_by_id";

    ACTION_NAME = "cicd.pipeline.action.name", Text, ROOT, "`RUN`", "constant";
    RESULT = "cicd.pipeline.result", Text, ROOT, "how it ended, see the table of ends", "see there";
    ERROR_TYPE = "error.type", Text, ROOT, "why it failed, in one word; absent unless it failed", "see there";
    OUTCOME = "datasphere.outcome", Text, ROOT, "the label `outcome` of the metrics", "see there";
    END_REASON = "datasphere.run.end_reason", Text, ROOT,
        "`lost`: the cloud does not know the operation any more; otherwise absent", "NOT_FOUND, three times";
    EXIT_CODE = "process.exit.code", Integer, ROOT_AND_PHASE,
        "the return code of the job's program; of the phases, on `executing`, where it is known by its end",
        "JobResult.return_code";
    INSTANCE_TYPE = "datasphere.instance_type", Text, ROOT_AND_PHASE,
        "the VM configuration it was given; of the phases, on `executing`", "Job.actual_cloud_instance_type.name";
    PROGRESS = "datasphere.job.progress", Integer, ROOT_AND_PHASE,
        "how far its program said it was, in percent; of the phases, on `executing`", "JobProgress.progress";
    ERROR_CODE = "datasphere.operation.error.code", Integer, ROOT,
        "the number of the operation's error in google.rpc.Code", "Operation.error.code";
    ERROR_REASON = "datasphere.operation.error.reason", Text, ROOT,
        "the short reason among the error's details, redacted", "Operation.error.details";
    EXCEPTION_TYPE = "exception.type", Text, ROOT,
        "the same of a notebook: the name of the error that a cell raised", "NodeExecutionErrorDetails.error_name";
    DESCRIPTION = "datasphere.operation.description", Text, ROOT,
        "the cloud's own description, redacted", "Operation.description";
    METADATA_TYPE = "datasphere.operation.metadata_type", Text, ROOT,
        "the type of metadata that this version does not know", "Operation.metadata";
    STATUS_DETAILS = "datasphere.job.status_details", Text, ROOT,
        "the cloud's words on the status, redacted", "Job.status_details";
    JOB_CREATED_AT = "datasphere.job.created_at", Text, ROOT,
        "when the job was created, which is earlier than its execution, in RFC 3339", "Job.created_at";
    DATA_SIZE = "datasphere.job.data_size_bytes", Integer, ROOT, "its stored data, in bytes", "Job.data_size_bytes";
    UPLOAD_FAILED = "datasphere.output_errors.upload_failed", Integer, ROOT,
        "output files that could not be stored; absent at zero", "FileUploadError.type";
    NOT_FOUND = "datasphere.output_errors.not_found", Integer, ROOT,
        "output files that were not there; absent at zero", "FileUploadError.type";
    OTHER_OUTPUT_ERRORS = "datasphere.output_errors.unknown", Integer, ROOT,
        "output files that failed for a reason which this version does not know; absent at zero",
        "FileUploadError.type";

    RUN_STATE = "cicd.pipeline.run.state", Text, PHASE,
        "`pending` before the program runs, `executing`, `finalizing` after it", "Job.status";
    START_SOURCE = "datasphere.phase.start_source", Text, PHASE,
        "how its beginning is known: `reported` by the API, `modified` (the operation's last change, which lies \
         between two looks), `observed` (the later of two looks)", "";
    START_UNCERTAINTY = "datasphere.phase.start_uncertainty_ms", Integer, PHASE,
        "how much earlier it may have begun, in milliseconds; absent when reported, and at a first look after a \
         restart", "time between two looks";
    END_SOURCE = "datasphere.phase.end_source", Text, PHASE, "the same of its end; `last_seen` where the operation was lost", "";
    END_UNCERTAINTY = "datasphere.phase.end_uncertainty_ms", Integer, PHASE,
        "how much earlier it may have ended, in milliseconds", "time between two looks";

    RELATION = "datasphere.link.relation", Text, LINK,
        "`caller` asked for the execution, `first_attempt` is the first execution of the same job, `parent_job` \
         executed the job that this one was cloned from", "";
}
