//! Messages of the API, into the model: the only room that knows both sides.
//!
//! In: bytes as the cloud sent them ([`wire`], which [`json`] makes of JSON) and, where one thing was asked for, its id. Out: snapshots of
//! what is shown, each with the gaps that were left in it. Never: a failure or a panic, whatever the bytes;
//! and never a secret: environment, passwords, commands, configurations, arguments, URLs, session tokens and
//! input variables are passed over without being read, and free text is redacted.
//!
//! A gap costs the value it is in and nothing beside it. The bytes of a message are read in place, so that an
//! operation which carries its job's whole configuration costs little more than one that does not.

mod any;
mod error;
mod execution;
mod field;
mod job;
pub mod json;
mod notebook;
mod operation;
mod page;
mod project;
mod redact;
mod value;
pub mod wire;

pub use wire::Page;

use crate::model::{Decoded, JobId, JobSnapshot, OperationId, OperationSnapshot, ProjectId, ProjectSnapshot};
use std::borrow::Cow;

/// An operation, as `OperationService.Get` and every call that begins one answer it.
///
/// The snapshot has the id that was asked for; an answer that names another or none has a gap.
pub fn operation(id: &OperationId, message: &wire::Operation) -> Decoded<OperationSnapshot> {
    operation::operation(id, message)
}

/// An operation that a call has just begun, whose id nobody could ask for; `None` when the answer has no readable id.
pub fn begun(message: &wire::Operation) -> Option<Decoded<OperationSnapshot>> {
    operation::begun(message)
}

/// The job that an operation makes: one that `ProjectJobService.Create` or `Clone` began.
pub fn made_job(message: &wire::Operation) -> Option<JobId> {
    operation::made_job(message)
}

/// A job, as `ProjectJobService.Get` answers it; the id is treated as in [`operation()`].
pub fn job(id: &JobId, message: &wire::Job) -> Decoded<JobSnapshot> {
    job::job(id, message)
}

/// A page of `ProjectJobService.List`. A job without a readable id is left out and counted by the page.
pub fn jobs(message: &wire::JobPage) -> Page<Decoded<JobSnapshot>> {
    job::jobs(message)
}

/// A project, as `ProjectService.Get` answers it; the id is treated as in [`operation()`].
pub fn project(id: &ProjectId, message: &wire::Project) -> Decoded<ProjectSnapshot> {
    project::project(id, message)
}

/// A page of `ProjectService.List`. A project without a readable id is left out and counted by the page.
pub fn projects(message: &wire::ProjectPage) -> Page<Decoded<ProjectSnapshot>> {
    project::projects(message)
}

/// Units left, as `ProjectService.GetUnitBalance` answers: `None` when there is no limit, and also, with a gap,
/// when the answer is unreadable.
pub fn unit_balance(message: &wire::UnitBalance) -> Decoded<Option<i64>> {
    project::unit_balance(message)
}

/// Free text without what looks like a secret: passwords and queries of URLs, values of keys that name a
/// secret, tokens and access keys. Every text of strangers goes through here before it is shown or logged.
///
/// Borrowed when nothing had to be taken out. Linear in its first 4 KiB; what follows them is left out.
pub fn redact(text: &str) -> Cow<'_, str> {
    redact::redact(text)
}
