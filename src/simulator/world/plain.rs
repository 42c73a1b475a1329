//! Operations that only change something: creating, opening, updating, sharing.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::{
    datasphere::v2::{OpenProjectMetadata, open_project_metadata::OpenProjectStatus},
    operation::{Operation, operation::Result as Outcome},
};
use crate::simulator::world::{Present, operation};
use prost_types::Any;
use std::time::Duration;

/// An operation with nothing to watch but its end.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) change: Change,
    pub(crate) created_by: String,
    pub(crate) began_at: Timestamp,
    /// How long it takes on the clock.
    pub(crate) lasts: Duration,
}

/// What an operation changes.
#[derive(Debug)]
pub(crate) enum Change {
    /// The start of a project's editor, which tells what it waits for.
    Opening { project_id: String, response: Any },
    /// Anything else.
    Other {
        description: &'static str,
        metadata: Option<Any>,
        response: Any,
    },
}

/// What the start of an editor waits for, in order, each for an equal part of the time.
const OPENING: [OpenProjectStatus; 4] = [
    OpenProjectStatus::UnzippingProject,
    OpenProjectStatus::AllocatingVm,
    OpenProjectStatus::AllocatingResources,
    OpenProjectStatus::StartingIde,
];

impl Plain {
    /// The operation, and when it was done.
    pub(crate) fn operation(&self, id: &str, present: Present) -> (Operation, Option<Timestamp>) {
        let done_at = Some(self.began_at.plus(self.lasts)).filter(|at| *at <= present.now);
        let (description, metadata, response) = match &self.change {
            Change::Opening { project_id, response } => (
                "Open project",
                Some(self.opening(project_id, present.now)),
                response,
            ),
            Change::Other {
                description,
                metadata,
                response,
            } => (*description, metadata.clone(), response),
        };
        let operation = Operation {
            id: id.to_owned(),
            description: description.to_owned(),
            created_at: Some(present.stamp(self.began_at)),
            created_by: self.created_by.clone(),
            modified_at: Some(present.stamp(done_at.unwrap_or(self.began_at))),
            done: done_at.is_some(),
            metadata,
            result: done_at.map(|_| Outcome::Response(response.clone())),
        };
        (operation, done_at)
    }

    fn opening(&self, project_id: &str, now: Timestamp) -> Any {
        let parts = self
            .lasts
            .as_millis()
            .max(1)
            .div_ceil(OPENING.len().try_into().unwrap_or(1));
        let part = now.since(self.began_at).as_millis() / parts.max(1);
        let status = usize::try_from(part).ok().and_then(|part| OPENING.get(part));
        operation::packed(&OpenProjectMetadata {
            project_id: project_id.to_owned(),
            status: status.copied().unwrap_or(OpenProjectStatus::StartingIde).into(),
        })
    }
}
