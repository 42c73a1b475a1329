//! What somebody asked for that starts or ends something in the cloud.

use crate::cloud::binding::Bound;
use crate::cloud::method::Method;
use crate::cloud::{Client, CloudError, IdempotencyKey, Inputs};
use crate::decode;
use crate::model::{Decoded, JobId, OperationId, OperationSnapshot, ProjectId};
use crate::proto::yandex::cloud::datasphere::v2::jobs::{CancelProjectJobRequest, ExecuteProjectJobRequest};
use crate::proto::yandex::cloud::datasphere::v2::{
    ProjectExecutionRequest, project_execution_request::Target,
};
use crate::proto::yandex::cloud::operation::CancelOperationRequest;

impl Client {
    /// Asks an operation to end, and answers how it is then. Sent again only if it cannot have arrived.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn cancel_operation(&self, id: &OperationId) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let method = &self.0.methods.cancel_operation;
        let ask = || CancelOperationRequest {
            operation_id: id.as_str().to_owned(),
        };
        let answer = self.call(method, ask).await?;
        let decoded = decode::operation(id, &answer);
        self.count(&decoded.gaps);
        Ok(decoded)
    }

    /// Asks a job to end; that this succeeds says only that it was asked. `graceful` sends the job's own signal first.
    /// Sent again only if it cannot have arrived.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn cancel_job(&self, id: &JobId, graceful: bool) -> Result<(), CloudError> {
        let method = &self.0.methods.cancel_job;
        let ask = || CancelProjectJobRequest {
            job_id: id.as_str().to_owned(),
            reason: String::new(),
            graceful,
        };
        self.call(method, ask).await
    }

    /// Starts a job that was made, and answers the operation of its run; the snapshot has its id. A job that is
    /// running goes on in the operation it has, but one that has ended may run anew: for people's commands only.
    /// Sent again only if it cannot have arrived; whoever asks again with the same key starts nothing twice.
    ///
    /// # Errors
    /// See [`CloudError`]; [`CloudError::Unnamed`] when something was started that cannot be followed.
    pub async fn execute_job(
        &self,
        id: &JobId,
        key: Option<IdempotencyKey>,
    ) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let ask = || ExecuteProjectJobRequest {
            job_id: id.as_str().to_owned(),
        };
        self.begin(&self.0.methods.execute_job, key, ask).await
    }

    /// Runs a notebook, named by its path in the project, and answers the operation of the run; the snapshot has its
    /// id. For people's commands only. Sent again as [`Client::execute_job`] is.
    ///
    /// # Errors
    /// As [`Client::execute_job`].
    pub async fn execute_notebook(
        &self,
        project_id: &ProjectId,
        notebook_id: &str,
        inputs: &Inputs,
        key: Option<IdempotencyKey>,
    ) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let ask = || ProjectExecutionRequest {
            project_id: project_id.as_str().to_owned(),
            target: Some(Target::NotebookId(notebook_id.to_owned())),
            input_variables: inputs.message(),
            ..ProjectExecutionRequest::default()
        };
        self.begin(&self.0.methods.execute_notebook, key, ask).await
    }

    /// Calls a method that begins an operation.
    async fn begin<Q>(
        &self,
        method: &Method,
        key: Option<IdempotencyKey>,
        ask: impl Fn() -> Q,
    ) -> Result<Decoded<OperationSnapshot>, CloudError>
    where
        Q: Bound,
    {
        let answer = self.0.connection().caller.call(method, key, ask).await?;
        let decoded = decode::begun(&answer).ok_or(CloudError::Unnamed { method: method.label })?;
        self.count(&decoded.gaps);
        Ok(decoded)
    }
}
