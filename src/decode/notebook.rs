//! Notebook executions, of both API versions: their metadata have the same fields, and v1's response is empty.

use crate::decode::field::{Field, Integer, Keep, Lean, lean, read};
use crate::decode::value::{required_id, word};
use crate::model::{ExecutionStatus, Gap, Gaps, NotebookSnapshot, ProjectId};

/// What the metadata of a notebook execution tells.
pub(crate) struct Execution {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) notebook: NotebookSnapshot,
}

/// `ProjectExecutionMetadata`; `None` when its bytes do not parse.
pub(crate) fn execution(bytes: &[u8], gaps: &mut Gaps) -> Option<Execution> {
    let fields: ExecutionFields = read(bytes, gaps)?;
    Some(Execution {
        project_id: required_id(fields.project_id, gaps),
        notebook: NotebookSnapshot {
            notebook_id: word(fields.target, gaps),
        },
    })
}

/// The status in v2's `ProjectExecutionResponse`; `None` when its bytes do not parse. Unset is
/// [`ExecutionStatus::Unknown`] without a gap, as for a job's status.
pub(crate) fn status(bytes: &[u8], gaps: &mut Gaps) -> Option<ExecutionStatus> {
    Some(match read::<ResponseFields>(bytes, gaps)?.status.or_zero() {
        0 => ExecutionStatus::Unknown,
        1 => ExecutionStatus::Ok,
        2 => ExecutionStatus::Error,
        3 => ExecutionStatus::Aborted,
        _ => {
            gaps.add(Gap::UnknownEnum);
            ExecutionStatus::Unknown
        }
    })
}

/// `ProjectExecutionMetadata` of v1 and v2.
#[derive(Default)]
struct ExecutionFields<'a> {
    project_id: &'a [u8],
    /// One of `notebook_id`, a path, and `cell_id`.
    target: &'a [u8],
}

impl<'a> Lean<'a> for ExecutionFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.project_id.keep(field, gaps),
            2 | 3 => self.target.keep(field, gaps),
            _ => {}
        }
    }
}

lean! {
    /// `v2.ProjectExecutionResponse`; older servers fill 1 and 2 with values of the notebook.
    ResponseFields {
        3 => status: Integer,
    }
}
