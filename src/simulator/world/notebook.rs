//! Notebook executions: operations without progress and without a listing.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::{
    datasphere::{v1, v2},
    operation::{Operation, operation::Result as Outcome},
};
use crate::simulator::{
    scenario::{NotebookEnd, NotebookScript},
    world::{Present, operation},
};
use prost_types::Any;
use std::time::Duration;

/// One execution of a notebook.
#[derive(Debug)]
pub(crate) struct NotebookRun {
    pub(crate) path: String,
    pub(crate) project_id: String,
    pub(crate) instance_type: String,
    began_at: Timestamp,
    lasts: Option<Duration>,
    end: NotebookEnd,
    /// When somebody cancelled it.
    cancelled_at: Option<Timestamp>,
    v1: bool,
    created_by: String,
}

impl NotebookRun {
    /// The run that a script describes.
    pub(crate) fn scripted(
        script: &NotebookScript,
        project_id: &str,
        began_at: Timestamp,
        speed: f64,
    ) -> Self {
        Self {
            path: script.path.clone(),
            project_id: project_id.to_owned(),
            instance_type: script.instance_type.clone(),
            began_at,
            lasts: script.lasts.map(|lasts| lasts.at_speed(speed)),
            end: script.end.clone(),
            cancelled_at: None,
            v1: script.v1,
            created_by: script.created_by.clone(),
        }
    }

    /// When it ended, if it has.
    pub(crate) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        let by_itself = self.lasts.map(|lasts| self.began_at.plus(lasts));
        let ended_at = match (by_itself, self.cancelled_at) {
            (Some(ended), Some(cancelled)) => Some(ended.min(cancelled)),
            (ended, cancelled) => ended.or(cancelled),
        };
        ended_at.filter(|at| *at <= now)
    }

    /// Time on a machine that is paid for.
    pub(crate) fn busy(&self, now: Timestamp) -> Duration {
        self.ended_at(now).unwrap_or(now).since(self.began_at)
    }

    /// Asks it to end; nothing happens when it has.
    pub(crate) fn cancel(&mut self, now: Timestamp) {
        if self.ended_at(now).is_none() {
            self.cancelled_at = Some(now);
        }
    }

    /// Its operation, and when it was done.
    pub(crate) fn operation(&self, id: &str, present: Present) -> (Operation, Option<Timestamp>) {
        let ended_at = self.ended_at(present.now);
        let operation = Operation {
            id: id.to_owned(),
            description: "Execute project".to_owned(),
            created_at: Some(present.stamp(self.began_at)),
            created_by: self.created_by.clone(),
            modified_at: Some(present.stamp(ended_at.unwrap_or(self.began_at))),
            done: ended_at.is_some(),
            metadata: Some(self.metadata()),
            result: ended_at.map(|at| self.outcome(at)),
        };
        (operation, ended_at)
    }

    fn metadata(&self) -> Any {
        let (project_id, path) = (self.project_id.clone(), self.path.clone());
        if self.v1 {
            let target = Some(v1::project_execution_metadata::Target::NotebookId(path));
            operation::packed(&v1::ProjectExecutionMetadata { project_id, target })
        } else {
            let target = Some(v2::project_execution_metadata::Target::NotebookId(path));
            operation::packed(&v2::ProjectExecutionMetadata { project_id, target })
        }
    }

    fn outcome(&self, ended_at: Timestamp) -> Outcome {
        if self.cancelled_at == Some(ended_at) {
            return Outcome::Error(operation::cancelled());
        }
        let execution_status = match &self.end {
            NotebookEnd::Error(refusal) => return Outcome::Error(operation::error_of(refusal)),
            NotebookEnd::Ok => v2::ExecutionStatus::Ok,
            NotebookEnd::Failed => v2::ExecutionStatus::Error,
            NotebookEnd::Aborted => v2::ExecutionStatus::Aborted,
        };
        Outcome::Response(if self.v1 {
            operation::packed(&v1::ProjectExecutionResponse {})
        } else {
            operation::packed(&v2::ProjectExecutionResponse {
                execution_status: execution_status.into(),
            })
        })
    }
}
