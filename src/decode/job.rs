//! Jobs: as listings tell them, and as the metadata of an operation does, in its new and its deprecated place.

use crate::decode::field::{Field, Lean, read};
use crate::decode::value::{self, expect_id, free_text, not_negative, required_id, string, time, word};
use crate::decode::wire::{Job, JobPage, Page};
use crate::model::{Decoded, Gap, Gaps, JobId, JobSnapshot, JobStatus, OutputErrors, Progress, ProjectId};

/// One job. The id is the one asked for, whatever the answer says.
pub(crate) fn job(asked: &JobId, message: &Job) -> Decoded<JobSnapshot> {
    let mut gaps = Gaps::default();
    let fields = read::<JobFields>(message.as_bytes(), &mut gaps);
    if let Some(fields) = &fields {
        expect_id(fields.0.id, asked.as_str(), &mut gaps);
    }
    let value = fields.unwrap_or_default().0.snapshot(asked.clone(), &mut gaps);
    Decoded { value, gaps }
}

/// One page of a project's jobs.
pub(crate) fn jobs(message: &JobPage) -> Page<Decoded<JobSnapshot>> {
    let mut gaps = Gaps::default();
    let page: JobPageFields = read(message.as_bytes(), &mut gaps).unwrap_or_default();
    let next_page_token = string(page.next_page_token, &mut gaps)
        .unwrap_or_default()
        .to_owned();
    let items = page
        .jobs
        .iter()
        .filter_map(|bytes| listed(bytes, &mut gaps))
        .collect();
    Page {
        items,
        next_page_token,
        gaps,
    }
}

/// A job of a page; without an id there is nothing to keep, and the page counts why.
fn listed(bytes: &[u8], page_gaps: &mut Gaps) -> Option<Decoded<JobSnapshot>> {
    let mut gaps = Gaps::default();
    let listed = read::<JobFields>(bytes, &mut gaps).and_then(|fields| {
        let id = required_id(fields.0.id, &mut gaps)?;
        Some(fields.0.snapshot(id, &mut gaps))
    });
    if listed.is_none() {
        page_gaps.extend(gaps);
    }
    listed.map(|value| Decoded { value, gaps })
}

/// What the metadata of an execution tells.
#[derive(Debug, Default)]
pub(crate) struct Execution {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) job: Option<JobSnapshot>,
    pub(crate) progress: Option<Progress>,
}

/// `ExecuteProjectJobMetadata`; `None` when its bytes do not parse.
pub(crate) fn execution(bytes: &[u8], gaps: &mut Gaps) -> Option<Execution> {
    let fields: ExecutionFields = read(bytes, gaps)?;
    let progress = fields.progress.and_then(|bytes| progress(bytes, gaps));
    let deprecated = fields.job.and_then(|bytes| read::<JobFields>(bytes, gaps));
    let described = fields
        .metadata
        .and_then(|bytes| read::<JobMetadataFields>(bytes, gaps))
        .filter(|metadata| !metadata.0.id.is_empty());
    let job = match (described, deprecated) {
        (Some(JobMetadataFields(metadata)), Some(JobFields(job))) => metadata.completed_by(&job),
        (Some(JobMetadataFields(only)), None) | (None, Some(JobFields(only))) => only,
        (None, None) => {
            gaps.add(Gap::Missing);
            return Some(Execution {
                progress,
                ..Execution::default()
            });
        }
    };
    let job = match required_id(job.id, gaps) {
        Some(id) => job.snapshot(id, gaps),
        // Without its id the job is not one we could follow; its project still tells whom to count it for.
        None => {
            return Some(Execution {
                project_id: value::id(job.project_id, gaps),
                job: None,
                progress,
            });
        }
    };
    Some(Execution {
        project_id: job.project_id.clone(),
        job: Some(job),
        progress,
    })
}

/// What the response of an execution tells.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    pub(crate) return_code: Option<i64>,
    pub(crate) output_errors: OutputErrors,
}

/// `ExecuteProjectJobResponse`; `None` when its bytes do not parse. An absent `result` is not a zero.
pub(crate) fn completion(bytes: &[u8], gaps: &mut Gaps) -> Option<Completion> {
    let fields: ResponseFields = read(bytes, gaps)?;
    let result = fields.result.and_then(|bytes| read::<ResultFields>(bytes, gaps));
    Some(Completion {
        return_code: result.map(|result| result.return_code),
        output_errors: fields.output_errors,
    })
}

/// `JobProgress`. An empty one is a program that reported nothing.
fn progress(bytes: &[u8], gaps: &mut Gaps) -> Option<Progress> {
    if bytes.is_empty() {
        return None;
    }
    let fields: ProgressFields = read(bytes, gaps)?;
    let Some(percent) = u8::try_from(fields.percent)
        .ok()
        .filter(|percent| *percent <= 100)
    else {
        gaps.add(Gap::OutOfRange);
        return None;
    };
    Some(Progress {
        percent,
        message: free_text(fields.message, gaps),
        created_at: time(fields.created_at, gaps),
    })
}

/// A job's status. Unset is UNKNOWN without a gap, since that is the API's own word for it; a number that
/// this version does not know is counted.
fn status(number: i64, gaps: &mut Gaps) -> JobStatus {
    match number {
        0 => JobStatus::Unknown,
        1 => JobStatus::Creating,
        2 => JobStatus::Executing,
        3 => JobStatus::UploadingOutput,
        4 => JobStatus::Success,
        5 => JobStatus::Error,
        6 => JobStatus::Cancelled,
        7 => JobStatus::Cancelling,
        8 => JobStatus::Preparing,
        _ => {
            gaps.add(Gap::UnknownEnum);
            JobStatus::Unknown
        }
    }
}

/// What `Job` and `JobMetadata` have in common, and the little that only `Job` tells.
#[derive(Default)]
struct Described<'a> {
    id: &'a [u8],
    name: &'a [u8],
    created_at: Option<&'a [u8]>,
    started_at: Option<&'a [u8]>,
    finished_at: Option<&'a [u8]>,
    data_expires_at: Option<&'a [u8]>,
    status: i64,
    status_details: &'a [u8],
    created_by: &'a [u8],
    project_id: &'a [u8],
    parent_job_id: &'a [u8],
    data_cleared: bool,
    data_size_bytes: i64,
    instance_type: Option<&'a [u8]>,
}

impl<'a> Described<'a> {
    /// With what only the deprecated place tells.
    fn completed_by(self, deprecated: &Described<'a>) -> Described<'a> {
        Described {
            data_cleared: deprecated.data_cleared,
            data_size_bytes: deprecated.data_size_bytes,
            instance_type: deprecated.instance_type,
            ..self
        }
    }

    fn snapshot(&self, id: JobId, gaps: &mut Gaps) -> JobSnapshot {
        JobSnapshot {
            id,
            project_id: required_id(self.project_id, gaps),
            name: word(self.name, gaps),
            parent_job_id: value::id(self.parent_job_id, gaps),
            created_by: word(self.created_by, gaps),
            status: status(self.status, gaps),
            status_details: free_text(self.status_details, gaps),
            created_at: time(self.created_at, gaps),
            started_at: time(self.started_at, gaps),
            finished_at: time(self.finished_at, gaps),
            data_expires_at: time(self.data_expires_at, gaps),
            data_cleared: self.data_cleared,
            instance_type: self
                .instance_type
                .and_then(|bytes| read::<InstanceTypeFields>(bytes, gaps))
                .and_then(|instance_type| word(instance_type.name, gaps)),
            // Zero is also what an answer without the field says, and unknown is never shown as zero.
            data_size_bytes: not_negative(self.data_size_bytes, gaps).filter(|size| *size > 0),
        }
    }
}

/// `jobs.Job`.
#[derive(Default)]
struct JobFields<'a>(Described<'a>);

impl<'a> Lean<'a> for JobFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        let job = &mut self.0;
        match field.number {
            1 => job.id = field.bytes(gaps),
            2 => job.name = field.bytes(gaps),
            4 => job.created_at = field.message(gaps),
            5 => job.finished_at = field.message(gaps),
            6 => job.status = field.integer(gaps),
            8 => job.created_by = field.bytes(gaps),
            9 => job.project_id = field.bytes(gaps),
            11 => job.data_expires_at = field.message(gaps),
            12 => job.data_cleared = field.bool(gaps),
            16 => job.data_size_bytes = field.integer(gaps),
            17 => job.started_at = field.message(gaps),
            18 => job.status_details = field.bytes(gaps),
            19 => job.instance_type = field.message(gaps),
            20 => job.parent_job_id = field.bytes(gaps),
            _ => {}
        }
    }
}

/// `jobs.JobMetadata`.
#[derive(Default)]
struct JobMetadataFields<'a>(Described<'a>);

impl<'a> Lean<'a> for JobMetadataFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        let job = &mut self.0;
        match field.number {
            1 => job.id = field.bytes(gaps),
            2 => job.name = field.bytes(gaps),
            4 => job.created_at = field.message(gaps),
            5 => job.started_at = field.message(gaps),
            6 => job.finished_at = field.message(gaps),
            7 => job.data_expires_at = field.message(gaps),
            8 => job.status = field.integer(gaps),
            9 => job.status_details = field.bytes(gaps),
            10 => job.created_by = field.bytes(gaps),
            11 => job.project_id = field.bytes(gaps),
            12 => job.parent_job_id = field.bytes(gaps),
            _ => {}
        }
    }
}

/// `jobs.ListProjectJobResponse`.
#[derive(Default)]
struct JobPageFields<'a> {
    jobs: Vec<&'a [u8]>,
    next_page_token: &'a [u8],
}

impl<'a> Lean<'a> for JobPageFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.jobs.extend(field.message(gaps)),
            2 => self.next_page_token = field.bytes(gaps),
            _ => {}
        }
    }
}

/// `jobs.CloudInstanceType`.
#[derive(Default)]
struct InstanceTypeFields<'a> {
    name: &'a [u8],
}

impl<'a> Lean<'a> for InstanceTypeFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        if field.number == 1 {
            self.name = field.bytes(gaps);
        }
    }
}

/// `jobs.ExecuteProjectJobMetadata`.
#[derive(Default)]
struct ExecutionFields<'a> {
    job: Option<&'a [u8]>,
    progress: Option<&'a [u8]>,
    metadata: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for ExecutionFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.job = field.message(gaps),
            2 => self.progress = field.message(gaps),
            3 => self.metadata = field.message(gaps),
            _ => {}
        }
    }
}

/// `jobs.JobProgress`.
#[derive(Default)]
struct ProgressFields<'a> {
    message: &'a [u8],
    percent: i64,
    created_at: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for ProgressFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.message = field.bytes(gaps),
            2 => self.percent = field.integer(gaps),
            3 => self.created_at = field.message(gaps),
            _ => {}
        }
    }
}

/// `jobs.ExecuteProjectJobResponse`.
#[derive(Default)]
struct ResponseFields<'a> {
    result: Option<&'a [u8]>,
    output_errors: OutputErrors,
}

impl<'a> Lean<'a> for ResponseFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            2 => self.result = field.message(gaps),
            4 => {
                let error = field
                    .message(gaps)
                    .and_then(|bytes| read::<UploadErrorFields>(bytes, gaps));
                let count = match error.map_or(0, |error| error.error_type) {
                    1 => &mut self.output_errors.upload_failed,
                    2 => &mut self.output_errors.not_found,
                    number => {
                        if number != 0 {
                            gaps.add(Gap::UnknownEnum);
                        }
                        &mut self.output_errors.unknown
                    }
                };
                *count = count.saturating_add(1);
            }
            _ => {}
        }
    }
}

/// `jobs.JobResult`.
#[derive(Default)]
struct ResultFields {
    return_code: i64,
}

impl<'a> Lean<'a> for ResultFields {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        if field.number == 1 {
            self.return_code = field.integer(gaps);
        }
    }
}

/// `jobs.FileUploadError`.
#[derive(Default)]
struct UploadErrorFields {
    error_type: i64,
}

impl<'a> Lean<'a> for UploadErrorFields {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        if field.number == 4 {
            self.error_type = field.integer(gaps);
        }
    }
}
