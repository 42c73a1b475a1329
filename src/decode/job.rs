//! Jobs: as Get and List tell them, and as the metadata of an operation does, in either place.

use crate::decode::field::{Field, Integer, Keep, Lean, lean, read};
use crate::decode::page::page;
use crate::decode::value::{self, expect_id, free_text, not_negative, required_id, time, word};
use crate::decode::wire::{Job, JobPage, Page};
use crate::model::{Decoded, Gap, Gaps, JobId, JobSnapshot, JobStatus};

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
    page(message.as_bytes(), |bytes, gaps| {
        let JobFields(job) = read(bytes, gaps)?;
        let id = required_id(job.id, gaps)?;
        Some(job.snapshot(id, gaps))
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
pub(crate) struct Described<'a> {
    pub(crate) id: &'a [u8],
    name: &'a [u8],
    created_at: Option<&'a [u8]>,
    started_at: Option<&'a [u8]>,
    finished_at: Option<&'a [u8]>,
    data_expires_at: Option<&'a [u8]>,
    status: Integer,
    status_details: &'a [u8],
    created_by: &'a [u8],
    pub(crate) project_id: &'a [u8],
    parent_job_id: &'a [u8],
    data_cleared: bool,
    data_size_bytes: Integer,
    instance_type: Option<&'a [u8]>,
}

impl<'a> Described<'a> {
    /// With what only the deprecated place tells.
    pub(crate) fn completed_by(self, deprecated: Described<'a>) -> Described<'a> {
        Described {
            data_cleared: deprecated.data_cleared,
            data_size_bytes: deprecated.data_size_bytes,
            instance_type: deprecated.instance_type,
            ..self
        }
    }

    pub(crate) fn snapshot(&self, id: JobId, gaps: &mut Gaps) -> JobSnapshot {
        JobSnapshot {
            id,
            project_id: required_id(self.project_id, gaps),
            name: word(self.name, gaps),
            parent_job_id: value::id(self.parent_job_id, gaps),
            created_by: word(self.created_by, gaps),
            status: status(self.status.or_zero(), gaps),
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
            data_size_bytes: not_negative(self.data_size_bytes.or_zero(), gaps).filter(|size| *size > 0),
        }
    }
}

/// `jobs.Job`.
#[derive(Default)]
pub(crate) struct JobFields<'a>(pub(crate) Described<'a>);

impl<'a> Lean<'a> for JobFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        let job = &mut self.0;
        match field.number {
            1 => job.id.keep(field, gaps),
            2 => job.name.keep(field, gaps),
            4 => job.created_at.keep(field, gaps),
            5 => job.finished_at.keep(field, gaps),
            6 => job.status.keep(field, gaps),
            8 => job.created_by.keep(field, gaps),
            9 => job.project_id.keep(field, gaps),
            11 => job.data_expires_at.keep(field, gaps),
            12 => job.data_cleared.keep(field, gaps),
            16 => job.data_size_bytes.keep(field, gaps),
            17 => job.started_at.keep(field, gaps),
            18 => job.status_details.keep(field, gaps),
            19 => job.instance_type.keep(field, gaps),
            20 => job.parent_job_id.keep(field, gaps),
            _ => {}
        }
    }
}

/// `jobs.JobMetadata`.
#[derive(Default)]
pub(crate) struct JobMetadataFields<'a>(pub(crate) Described<'a>);

impl<'a> Lean<'a> for JobMetadataFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        let job = &mut self.0;
        match field.number {
            1 => job.id.keep(field, gaps),
            2 => job.name.keep(field, gaps),
            4 => job.created_at.keep(field, gaps),
            5 => job.started_at.keep(field, gaps),
            6 => job.finished_at.keep(field, gaps),
            7 => job.data_expires_at.keep(field, gaps),
            8 => job.status.keep(field, gaps),
            9 => job.status_details.keep(field, gaps),
            10 => job.created_by.keep(field, gaps),
            11 => job.project_id.keep(field, gaps),
            12 => job.parent_job_id.keep(field, gaps),
            _ => {}
        }
    }
}

lean! {
    /// `jobs.CloudInstanceType`.
    InstanceTypeFields<'a> {
        1 => name: &'a [u8],
    }
}
