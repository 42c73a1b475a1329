//! The operation of a job execution, and what operations have in common.

use crate::clock::Timestamp;
use crate::proto::{
    google::rpc::{Code, QuotaFailure, Status, quota_failure},
    yandex::cloud::{
        datasphere::{v1::NodeExecutionErrorDetails, v2::jobs as pb},
        operation::{Operation, operation::Result as Outcome},
    },
};
use crate::simulator::{
    scenario::{End, Refusal},
    timeline::Telling,
    urls::Urls,
    world::{Execution, Job, Present},
};
use prost_types::Any;

impl Job {
    /// The operation of one of its executions, and when it was done; `None` for an id of another job.
    pub(crate) fn operation(
        &self,
        id: &str,
        present: Present,
        urls: &Urls,
    ) -> Option<(Operation, Option<Timestamp>)> {
        let execution = self
            .executions
            .iter()
            .find(|execution| execution.operation_id == id)?;
        let moment = execution.moment(present.now);
        let told = moment
            .telling
            .map(|telling| progress_message(telling, execution, present));
        let metadata = pb::ExecuteProjectJobMetadata {
            job: Some(self.message(present)),
            progress: told,
            metadata: Some(self.metadata(present)),
        };
        let operation = Operation {
            id: id.to_owned(),
            description: "Execute DataSphere job".to_owned(),
            created_at: Some(present.stamp(execution.began_at)),
            created_by: execution.created_by.clone(),
            modified_at: Some(present.stamp(execution.began_at.plus(moment.changed()))),
            done: moment.done.is_some(),
            metadata: Some(packed(&metadata)),
            result: self.outcome(execution, moment.finished.is_some(), moment.done.is_some(), urls),
        };
        Some((operation, moment.done.map(|done| execution.began_at.plus(done))))
    }

    /// How the operation ended. An error shows as soon as the job has ended, which may be before the operation is
    /// done; a response comes with `done`.
    fn outcome(&self, execution: &Execution, ended: bool, done: bool, urls: &Urls) -> Option<Outcome> {
        let response = |return_code: Option<i64>| {
            let response = self.response(return_code, urls);
            done.then(|| Outcome::Response(packed(&response)))
        };
        match &execution.timeline.end {
            End::Success => response(Some(0)),
            End::ReturnCode(code) => response(Some(*code)),
            End::WithoutResult => response(None),
            End::Error(refusal) => ended.then(|| Outcome::Error(error_of(refusal))),
            End::Cancelled => ended.then(|| Outcome::Error(cancelled())),
        }
    }

    fn response(&self, return_code: Option<i64>, urls: &Urls) -> pb::ExecuteProjectJobResponse {
        let files = self.body.outputs.iter().enumerate();
        let output_files = files
            .map(|(index, output)| pb::StorageFile {
                file: Some(output.file.clone()),
                url: urls.download(&self.id, "outputs", index),
            })
            .collect();
        pb::ExecuteProjectJobResponse {
            output_files,
            result: return_code.map(|return_code| pb::JobResult { return_code }),
            output_datasets: Vec::new(),
            output_files_errors: self.body.output_errors.clone(),
        }
    }
}

/// A message in an `Any`; packing cannot fail for messages that encode into memory.
pub(crate) fn packed<M: prost::Name>(message: &M) -> Any {
    Any::from_msg(message).unwrap_or_default()
}

/// An error as the API sends it, with its details.
pub(crate) fn error_of(refusal: &Refusal) -> Status {
    let quota = refusal.quota.as_ref().map(|subject| {
        let violation = quota_failure::Violation {
            subject: subject.clone(),
            description: refusal.message.clone(),
            ..quota_failure::Violation::default()
        };
        packed(&QuotaFailure {
            violations: vec![violation],
        })
    });
    let exception = refusal.exception.as_ref().map(|name| {
        packed(&NodeExecutionErrorDetails {
            error_name: name.clone(),
            error_message: refusal.message.clone(),
            traceback: vec![
                "Traceback (most recent call last):".to_owned(),
                format!("{name}: …"),
            ],
        })
    });
    let details = quota.into_iter().chain(exception).collect();
    Status {
        code: refusal.code.0,
        message: refusal.message.clone(),
        details,
    }
}

/// The error of whatever somebody cancelled.
pub(crate) fn cancelled() -> Status {
    Status {
        code: Code::Cancelled.into(),
        message: "Operation was cancelled".to_owned(),
        details: Vec::new(),
    }
}

fn progress_message(telling: Telling, execution: &Execution, present: Present) -> pb::JobProgress {
    pb::JobProgress {
        message: format!("step {} of 100", telling.percent),
        progress: telling.percent,
        create_time: Some(present.stamp(execution.began_at.plus(telling.at))),
    }
}
