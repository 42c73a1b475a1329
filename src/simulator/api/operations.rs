//! `OperationService`.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::operation::{
    CancelOperationRequest, GetOperationRequest, Operation, operation_service_server::OperationService,
};
use crate::simulator::{
    api::Api,
    world::{Work, World},
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl OperationService for Api {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().operation_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let operation = self.cloud.world().operation(id, call.present, &self.cloud.urls)?;
        Ok(Response::new(call.effects.on(operation)))
    }

    async fn cancel(&self, request: Request<CancelOperationRequest>) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().operation_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let mut world = self.cloud.world();
        world.operation(id, call.present, &self.cloud.urls)?;
        world.cancel_operation(id, call.present.now)?;
        let operation = world.operation(id, call.present, &self.cloud.urls)?;
        Ok(Response::new(call.effects.on(operation)))
    }
}

impl World {
    /// Asks whatever an operation stands for to end.
    fn cancel_operation(&mut self, id: &str, now: Timestamp) -> Result<(), Status> {
        match self.works.get_mut(id) {
            Some(Work::Job(job_id)) => {
                let job_id = job_id.clone();
                self.cancel_job(&job_id, false, now)
            }
            Some(Work::Notebook(run)) => {
                run.cancel(now);
                Ok(())
            }
            Some(Work::Plain(_)) | None => Err(Status::failed_precondition(format!(
                "Operation {id} cannot be cancelled"
            ))),
        }
    }
}
