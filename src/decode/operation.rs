//! Operations: what every one tells, and what its metadata and response add.

use crate::decode::any::Any;
use crate::decode::error::error;
use crate::decode::field::{Field, Keep, Lean, lean, read};
use crate::decode::value::{expect_id, free_text, id, time, word};
use crate::decode::{execution, notebook, wire};
use crate::model::{Decoded, Gap, Gaps, JobId, Kind, OperationId, OperationSnapshot, ProjectId};

/// One operation. The id is the one asked for, whatever the answer says.
pub(crate) fn operation(asked: &OperationId, message: &wire::Operation) -> Decoded<OperationSnapshot> {
    let mut gaps = Gaps::default();
    let mut value = undescribed(asked);
    if let Some(fields) = read::<OperationFields>(message.as_bytes(), &mut gaps) {
        expect_id(fields.id, asked.as_str(), &mut gaps);
        value.description = free_text(fields.description, &mut gaps);
        value.created_at = time(fields.created_at, &mut gaps);
        value.modified_at = time(fields.modified_at, &mut gaps);
        value.created_by = word(fields.created_by, &mut gaps);
        value.done = fields.done;
        value.error = fields.error.and_then(|bytes| error(bytes, &mut gaps));
        if let Some(metadata) = fields.metadata.and_then(|bytes| Any::of(bytes, &mut gaps)) {
            describe(&mut value, &metadata, &mut gaps);
        }
        if let Some(response) = fields.response.and_then(|bytes| Any::of(bytes, &mut gaps)) {
            complete(&mut value, &response, &mut gaps);
        }
    }
    Decoded { value, gaps }
}

/// One operation under the id that the answer gives it.
pub(crate) fn begun(message: &wire::Operation) -> Option<Decoded<OperationSnapshot>> {
    let named: Named = read(message.as_bytes(), &mut Gaps::default())?;
    let id = id::<OperationId>(named.id, &mut Gaps::default())?;
    Some(operation(&id, message))
}

/// The job that an operation makes, as its metadata tells, or its response.
pub(crate) fn made_job(message: &wire::Operation) -> Option<JobId> {
    let mut gaps = Gaps::default();
    let fields: OperationFields<'_> = read(message.as_bytes(), &mut gaps)?;
    let parts = [fields.metadata, fields.response].into_iter().flatten();
    parts
        .filter_map(|bytes| Any::of(bytes, &mut gaps))
        .find_map(|part| match part.type_name() {
            "yandex.cloud.datasphere.v2.jobs.CloneProjectJobMetadata"
            | "yandex.cloud.datasphere.v2.jobs.CreateProjectJobMetadata" => {
                let fields: MakingFields<'_> = read(part.value, &mut Gaps::default())?;
                id(fields.job_id, &mut Gaps::default())
            }
            "yandex.cloud.datasphere.v2.jobs.CloneProjectJobResponse"
            | "yandex.cloud.datasphere.v2.jobs.CreateProjectJobResponse" => {
                let fields: MadeFields<'_> = read(part.value, &mut Gaps::default())?;
                id(fields.job_id, &mut Gaps::default())
            }
            _ => None,
        })
}

/// An operation of which nothing is known but that it was asked for.
fn undescribed(asked: &OperationId) -> OperationSnapshot {
    OperationSnapshot {
        id: asked.clone(),
        kind: Kind::Other,
        described: false,
        description: None,
        created_at: None,
        modified_at: None,
        created_by: None,
        done: false,
        error: None,
        project_id: None,
        job: None,
        progress: None,
        return_code: None,
        output_errors: None,
        notebook: None,
        execution_status: None,
        metadata_type: None,
    }
}

/// Adds what the metadata tells. Metadata of a known type whose bytes do not parse still tells the kind, but
/// leaves the operation undescribed: the next look may bring its project.
fn describe(value: &mut OperationSnapshot, metadata: &Any<'_>, gaps: &mut Gaps) {
    match metadata_type(metadata.type_name()) {
        MetadataType::Job => {
            value.kind = Kind::Job;
            if let Some(execution) = execution::execution(metadata.value, gaps) {
                value.described = execution.job.is_some() || execution.project_id.is_some();
                value.project_id = execution.project_id;
                value.job = execution.job;
                value.progress = execution.progress;
            }
        }
        MetadataType::Notebook => {
            value.kind = Kind::Notebook;
            if let Some(execution) = notebook::execution(metadata.value, gaps) {
                value.described = true;
                value.project_id = execution.project_id;
                value.notebook = Some(execution.notebook);
            }
        }
        MetadataType::OfProject => {
            if let Some(fields) = read::<ProjectFields>(metadata.value, gaps) {
                value.described = true;
                value.project_id = id::<ProjectId>(fields.project_id, gaps);
            }
        }
        MetadataType::WithoutProject => value.described = true,
        MetadataType::Unknown => {
            gaps.add(Gap::UnknownType);
            value.described = true;
            value.metadata_type = free_text(metadata.type_url.as_bytes(), gaps);
        }
    }
}

/// Adds what the response tells. That of an operation which is neither job nor notebook is not looked at:
/// nothing of it is shown, and it may hold secrets, as the session token of an opened project.
fn complete(value: &mut OperationSnapshot, response: &Any<'_>, gaps: &mut Gaps) {
    match response.type_name() {
        "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobResponse" => {
            if let Some(completion) = execution::completion(response.value, gaps) {
                value.return_code = completion.return_code;
                value.output_errors = Some(completion.output_errors);
            }
        }
        "yandex.cloud.datasphere.v2.ProjectExecutionResponse" => {
            value.execution_status = notebook::status(response.value, gaps);
        }
        "yandex.cloud.datasphere.v1.ProjectExecutionResponse" => {}
        _ if value.kind == Kind::Other => {}
        _ => gaps.add(Gap::UnknownType),
    }
}

/// What a type of metadata is to us.
enum MetadataType {
    /// The execution of a job.
    Job,
    /// The execution of a notebook.
    Notebook,
    /// Something else in a project, which its field 1 names.
    OfProject,
    /// Something else that names no project.
    WithoutProject,
    /// A type that this version does not know.
    Unknown,
}

/// All metadata types of the `DataSphere` API, v1 and v2.
fn metadata_type(name: &str) -> MetadataType {
    let Some(name) = name.strip_prefix("yandex.cloud.datasphere.") else {
        return match name {
            "google.protobuf.Empty" => MetadataType::WithoutProject,
            _ => MetadataType::Unknown,
        };
    };
    match name {
        "v2.jobs.ExecuteProjectJobMetadata" => MetadataType::Job,
        "v1.ProjectExecutionMetadata" | "v2.ProjectExecutionMetadata" => MetadataType::Notebook,
        "v1.CreateProjectMetadata"
        | "v1.DeleteProjectMetadata"
        | "v1.OpenProjectMetadata"
        | "v1.UpdateProjectMetadata"
        | "v2.CreateProjectMetadata"
        | "v2.DeleteProjectMetadata"
        | "v2.OpenProjectMetadata"
        | "v2.ResizeProjectDiskMetadata"
        | "v2.SetProjectAccessBindingsMetadata"
        | "v2.SetUnitBalanceMetadata"
        | "v2.UpdateProjectAccessBindingsMetadata"
        | "v2.UpdateProjectMetadata"
        | "v2.jobs.CloneProjectJobMetadata"
        | "v2.jobs.CreateProjectJobMetadata"
        | "v2.jobs.DeleteAllProjectJobDataMetadata" => MetadataType::OfProject,
        "v2.CreateCommunityMetadata"
        | "v2.DeleteCommunityMetadata"
        | "v2.SetCommunityAccessBindingsMetadata"
        | "v2.UpdateCommunityAccessBindingsMetadata"
        | "v2.UpdateCommunityMetadata"
        | "v2.jobs.DeleteProjectJobDataMetadata"
        | "v2.jobs.DeleteProjectJobMetadata" => MetadataType::WithoutProject,
        _ => MetadataType::Unknown,
    }
}

/// `yandex.cloud.operation.Operation`.
#[derive(Default)]
struct OperationFields<'a> {
    id: &'a [u8],
    description: &'a [u8],
    created_at: Option<&'a [u8]>,
    created_by: &'a [u8],
    modified_at: Option<&'a [u8]>,
    done: bool,
    metadata: Option<&'a [u8]>,
    error: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for OperationFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.id.keep(field, gaps),
            2 => self.description.keep(field, gaps),
            3 => self.created_at.keep(field, gaps),
            4 => self.created_by.keep(field, gaps),
            5 => self.modified_at.keep(field, gaps),
            6 => self.done.keep(field, gaps),
            7 => self.metadata.keep(field, gaps),
            // One or the other: the last one counts.
            8 => {
                self.response = None;
                self.error.keep(field, gaps);
            }
            9 => {
                self.error = None;
                self.response.keep(field, gaps);
            }
            _ => {}
        }
    }
}

lean! {
    /// `yandex.cloud.operation.Operation`, of which only the name is of interest yet.
    Named<'a> {
        1 => id: &'a [u8],
    }
}

lean! {
    /// Any metadata of [`MetadataType::OfProject`].
    ProjectFields<'a> {
        1 => project_id: &'a [u8],
    }
}

lean! {
    /// The metadata of an operation that makes a job.
    MakingFields<'a> {
        2 => job_id: &'a [u8],
    }
}

lean! {
    /// Its response.
    MadeFields<'a> {
        1 => job_id: &'a [u8],
    }
}
