//! The services of the API, over the world.

mod communities;
mod endpoints;
mod filter;
mod jobs;
mod making;
mod operations;
mod page;
mod projects;
mod reading;
mod tokens;

use crate::proto::yandex::cloud::{
    datasphere::v2::{
        community_service_server::CommunityServiceServer,
        jobs::project_job_service_server::ProjectJobServiceServer,
        project_service_server::ProjectServiceServer,
    },
    endpoint::api_endpoint_service_server::ApiEndpointServiceServer,
    iam::v1::iam_token_service_server::IamTokenServiceServer,
    operation::{Operation, operation_service_server::OperationServiceServer},
};
use crate::simulator::{
    cloud::{Cloud, LiveCall},
    front::front,
    rest::transcode,
    world::{Change, Plain, Work, World},
};
use prost_types::Any;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Response, Status};

/// The services; cheap to copy, all copies share one cloud.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) cloud: Arc<Cloud>,
    /// The readers of logs, and what ends them with the server that they read from.
    pub(crate) readers: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

/// All services behind the front, and before it what turns REST into gRPC.
pub(crate) fn routes(api: Api) -> Routes {
    let cloud = Arc::clone(&api.cloud);
    let router = Routes::new(OperationServiceServer::new(api.clone()))
        .add_service(ProjectJobServiceServer::new(api.clone()))
        .add_service(ProjectServiceServer::new(api.clone()))
        .add_service(CommunityServiceServer::new(api.clone()))
        .add_service(IamTokenServiceServer::new(api.clone()))
        .add_service(ApiEndpointServiceServer::new(api))
        .into_axum_router()
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&cloud), front));
    // Around the router and not inside of it, since it changes the path that is looked up.
    let router = axum::Router::new()
        .fallback_service(router)
        .layer(axum::middleware::from_fn_with_state(cloud, transcode));
    Routes::from(router)
}

impl Api {
    /// Begins an operation, or finds the one that the same idempotency key began, and answers it.
    pub(crate) fn begun(
        &self,
        call: &LiveCall,
        begin: impl FnOnce(&mut World) -> Result<String, Status>,
    ) -> Result<Response<Operation>, Status> {
        let mut world = self.cloud.world();
        let known = call.key.as_deref().and_then(|key| world.operation_of_key(key));
        let id = if let Some(id) = known {
            id
        } else {
            let id = begin(&mut world)?;
            if let Some(key) = &call.key {
                world.remember_key(key.clone(), &id);
            }
            id
        };
        let operation = world.operation(&id, call.present, &self.cloud.urls)?;
        Ok(Response::new(call.effects.on(operation)))
    }

    /// Begins an operation that is done at once.
    pub(crate) fn done(
        &self,
        call: &LiveCall,
        description: &'static str,
        metadata: Option<Any>,
        response: impl FnOnce(&mut World) -> Result<Any, Status>,
    ) -> Result<Response<Operation>, Status> {
        self.begun(call, |world| {
            let response = response(world)?;
            let change = Change::Other {
                description,
                metadata,
                response,
            };
            Ok(begin_plain(world, call, change, Duration::ZERO))
        })
    }
}

/// Takes an operation in and gives its id.
fn begin_plain(world: &mut World, call: &LiveCall, change: Change, lasts: Duration) -> String {
    let plain = Plain {
        change,
        created_by: call.caller.clone(),
        began_at: call.present.now,
        lasts,
    };
    let id = world.new_id("operation");
    world.begin(&id, Work::Plain(Box::new(plain)), call.present.now);
    id
}
