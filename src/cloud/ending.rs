//! Asking something to end, in the way that its kind and the transport have.

use crate::clock::Timestamp;
use crate::cloud::{Client, CloudError, Transport};
use crate::decode;
use crate::model::{Decoded, JobId, JobSnapshot, Kind, OperationId, OperationSnapshot, Target};
use crate::proto::yandex::cloud::datasphere::v2::jobs::CancelProjectJobRequest;
use crate::proto::yandex::cloud::operation::CancelOperationRequest;

/// How something is that was to end.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Whether it was asked to end: what has ended is not.
    pub is_asked: bool,
    /// The newest answer about its operation, and when that was asked for; `None` where no operation tells of it.
    pub newest: Option<(Timestamp, Decoded<OperationSnapshot>)>,
}

impl Ending {
    const UNSEEN: Self = Self {
        is_asked: true,
        newest: None,
    };
}

impl Client {
    /// Asks something to end that has not. Sent again only if it cannot have arrived.
    ///
    /// A job ends through the jobs' own service, as the official client does it, since an operation's own cancellation
    /// is for operations that say they support it; over REST that is all there is. `job_id` is the job of an operation,
    /// if it is known: it can be ended though the operation is forgotten. `graceful` sends a job its own signal first,
    /// and says nothing to what is no job.
    ///
    /// # Errors
    /// See [`CloudError`]; [`CloudError::Graceful`] for a job over REST that is to get its signal.
    pub async fn cancel(
        &self,
        target: &Target,
        job_id: Option<&JobId>,
        graceful: bool,
    ) -> Result<Ending, CloudError> {
        let operation_id = match target {
            Target::Operation(id) => id,
            Target::Job(id) => {
                self.cancel_job(id, graceful).await?;
                return Ok(Ending::UNSEEN);
            }
        };
        let job_id = job_id.filter(|_| self.reaches_jobs());
        let asked_at = self.now();
        match (self.get_operation(operation_id).await, job_id) {
            (Err(error), Some(job_id)) if error.code() == "NOT_FOUND" => {
                self.cancel_job(job_id, graceful).await?;
                Ok(Ending::UNSEEN)
            }
            (answer, _) => {
                self.cancel_seen(operation_id, (asked_at, answer?), graceful)
                    .await
            }
        }
    }

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

    async fn cancel_seen(
        &self,
        id: &OperationId,
        before: (Timestamp, Decoded<OperationSnapshot>),
        graceful: bool,
    ) -> Result<Ending, CloudError> {
        if before.1.value.done {
            return Ok(Ending {
                is_asked: false,
                newest: Some(before),
            });
        }
        let asked_at = self.now();
        let newest = match job_of(&before.1.value).map(|job| (&job.id, self.transport())) {
            Some((_, Transport::Rest)) if graceful => return Err(CloudError::Graceful),
            Some((job_id, Transport::Grpc)) => {
                self.cancel_job(job_id, graceful).await?;
                let asked_at = self.now();
                // It was asked to end, whether or not it can be seen now.
                match self.get_operation(id).await {
                    Ok(answer) => (asked_at, answer),
                    Err(_) => before,
                }
            }
            Some((_, Transport::Rest)) | None => (asked_at, self.cancel_operation(id).await?),
        };
        Ok(Ending {
            is_asked: true,
            newest: Some(newest),
        })
    }
}

fn job_of(operation: &OperationSnapshot) -> Option<&JobSnapshot> {
    operation.job.as_ref().filter(|_| operation.kind == Kind::Job)
}
