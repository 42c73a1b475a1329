//! Executions of jobs: what the metadata and the response of such an operation tell.

use crate::decode::field::{Integer, lean, read};
use crate::decode::job::{Described, JobFields, JobMetadataFields};
use crate::decode::value::{self, free_text, required_id, time};
use crate::model::{Gap, Gaps, JobSnapshot, OutputErrors, Progress, ProjectId};

/// What the metadata of an execution tells.
#[derive(Debug, Default)]
pub(crate) struct Execution {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) job: Option<JobSnapshot>,
    pub(crate) progress: Option<Progress>,
}

/// `ExecuteProjectJobMetadata`; `None` when its bytes do not parse.
///
/// The job is told twice: in `metadata`, and whole in the deprecated `job`, of which only what the former
/// lacks is used, unless the former is missing.
pub(crate) fn execution(bytes: &[u8], gaps: &mut Gaps) -> Option<Execution> {
    let fields: ExecutionFields = read(bytes, gaps)?;
    let progress = fields.progress.and_then(|bytes| progress(bytes, gaps));
    let Some(job) = described(&fields, gaps) else {
        return Some(Execution {
            progress,
            ..Execution::default()
        });
    };
    let job_id = required_id(job.id, gaps);
    let Some(job_id) = job_id else {
        // A job that nobody could ask for; its project still tells for whom the operation counts.
        return Some(Execution {
            project_id: value::id(job.project_id, gaps),
            job: None,
            progress,
        });
    };
    let job = job.snapshot(job_id, gaps);
    Some(Execution {
        project_id: job.project_id.clone(),
        job: Some(job),
        progress,
    })
}

fn described<'a>(fields: &ExecutionFields<'a>, gaps: &mut Gaps) -> Option<Described<'a>> {
    if fields.metadata.is_none() && fields.job.is_none() {
        gaps.add(Gap::Missing);
    }
    let metadata = fields.metadata.and_then(|bytes| read(bytes, gaps));
    let deprecated = fields.job.and_then(|bytes| read(bytes, gaps));
    match (metadata, deprecated) {
        (Some(JobMetadataFields(metadata)), Some(JobFields(job))) if !metadata.id.is_empty() => {
            Some(metadata.completed_by(job))
        }
        (_, Some(JobFields(job))) => Some(job),
        (Some(JobMetadataFields(metadata)), None) => Some(metadata),
        (None, None) => None,
    }
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
        return_code: result.and_then(|result| result.return_code.told()),
        output_errors: output_errors(&fields.output_errors, gaps),
    })
}

fn output_errors(errors: &[&[u8]], gaps: &mut Gaps) -> OutputErrors {
    let mut counts = OutputErrors::default();
    for bytes in errors {
        let error: UploadErrorFields = read(bytes, gaps).unwrap_or_default();
        let count = match error.error_type.or_zero() {
            1 => &mut counts.upload_failed,
            2 => &mut counts.not_found,
            number => {
                if number != 0 {
                    gaps.add(Gap::UnknownEnum);
                }
                &mut counts.unknown
            }
        };
        *count = count.saturating_add(1);
    }
    counts
}

/// `JobProgress`. An empty one is a program that reported nothing.
fn progress(bytes: &[u8], gaps: &mut Gaps) -> Option<Progress> {
    if bytes.is_empty() {
        return None;
    }
    let fields: ProgressFields = read(bytes, gaps)?;
    let percent = u8::try_from(fields.percent.told()?).ok();
    let Some(percent) = percent.filter(|percent| *percent <= 100) else {
        gaps.add(Gap::OutOfRange);
        return None;
    };
    Some(Progress {
        percent,
        message: free_text(fields.message, gaps),
        created_at: time(fields.created_at, gaps),
    })
}

lean! {
    /// `jobs.ExecuteProjectJobMetadata`.
    ExecutionFields<'a> {
        1 => job: Option<&'a [u8]>,
        2 => progress: Option<&'a [u8]>,
        3 => metadata: Option<&'a [u8]>,
    }
}

lean! {
    /// `jobs.JobProgress`.
    ProgressFields<'a> {
        1 => message: &'a [u8],
        2 => percent: Integer,
        3 => created_at: Option<&'a [u8]>,
    }
}

lean! {
    /// `jobs.ExecuteProjectJobResponse`.
    ResponseFields<'a> {
        2 => result: Option<&'a [u8]>,
        4 => output_errors: Vec<&'a [u8]>,
    }
}

lean! {
    /// `jobs.JobResult`.
    ResultFields {
        1 => return_code: Integer,
    }
}

lean! {
    /// `jobs.FileUploadError`.
    UploadErrorFields {
        4 => error_type: Integer,
    }
}
