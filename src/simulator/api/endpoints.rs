//! `ApiEndpointService`: every service is here.

use crate::proto::yandex::cloud::endpoint::{
    ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsRequest, ListApiEndpointsResponse,
    api_endpoint_service_server::ApiEndpointService,
};
use crate::simulator::{api::Api, cloud::LiveCall};
use tonic::{Request, Response, Status};

/// The services of the cloud that the simulator stands for.
const IDS: [&str; 4] = ["datasphere", "endpoint", "iam", "operation"];

#[tonic::async_trait]
impl ApiEndpointService for Api {
    async fn get(&self, request: Request<GetApiEndpointRequest>) -> Result<Response<ApiEndpoint>, Status> {
        let id = &request.get_ref().api_endpoint_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        if !IDS.contains(&id.as_str()) {
            return Err(Status::not_found(format!("Endpoint {id} not found")));
        }
        Ok(Response::new(self.endpoint(id, &call)))
    }

    async fn list(
        &self,
        request: Request<ListApiEndpointsRequest>,
    ) -> Result<Response<ListApiEndpointsResponse>, Status> {
        let call = self.cloud.admit(&request, &[]).await?;
        let endpoints = IDS.iter().map(|id| self.endpoint(id, &call)).collect();
        Ok(Response::new(ListApiEndpointsResponse {
            endpoints,
            next_page_token: String::new(),
        }))
    }
}

impl Api {
    fn endpoint(&self, id: &str, call: &LiveCall) -> ApiEndpoint {
        let address = self
            .cloud
            .advertised
            .clone()
            .unwrap_or_else(|| call.authority.clone());
        ApiEndpoint {
            id: id.to_owned(),
            address,
        }
    }
}
