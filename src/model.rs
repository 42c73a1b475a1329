//! The vocabulary of the house: what an operation is, what one look at it tells, and what readers see.
//!
//! In: values that `decode` or a source made. Out: plain data that every room above shares. Never: prost,
//! tokio tasks, I/O or a decision that takes more than one value to make.

mod event;
mod fleet;
mod histogram;
mod id;
mod operation;
mod record;
mod sighting;
mod snapshot;
mod spans;
mod status;
mod text;
mod trace;
mod trace_state;
mod view;

pub use event::{Change, Departure, Event, Visit};
pub use fleet::{Completions, JobName, LastResult, Project, ProjectScope, ResultKey};
pub use histogram::{Buckets, Exemplar, Histogram};
pub use id::{CommunityId, IdError, JobId, OperationId, ProjectId};
pub use operation::{
    About, Boundary, OperationKey, OutputErrors, Reported, State, StatusTimes, TrackedOperation, Unread,
};
pub use record::{EndedRecord, Horizon, OpenQuestions, OperationRecord, Record, RecordKey, RecordValue};
pub use sighting::{
    Admission, Input, JobListing, Labels, ListingScope, Look, LookAnswer, LookError, Overheard, Sighting,
    Source, Target, is_label_name,
};
pub use snapshot::{
    Decoded, ExecutionStatus, Gap, Gaps, JobSnapshot, NotebookSnapshot, OperationSnapshot, Progress,
    ProjectSnapshot, RpcError,
};
pub use spans::{EncodedSpans, SpanKey};
pub use status::{JobStatus, Kind, NotebookStatus, Outcome, OutcomeKind, RpcCode};
pub use text::Text;
pub use trace::{Relation, Seed, SpanId, SpanLink, Trace, TraceContext, TraceId, TraceIdError};
pub use trace_state::{TraceState, TraceStateError};
pub use view::{Dropped, Operations, TrackerFigures, Unreadable, View};
