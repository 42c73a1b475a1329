//! `CommunityService`, as far as it is declared.

use crate::proto::yandex::cloud::datasphere::v2::{
    Community, GetCommunityRequest, ListCommunitiesRequest, ListCommunitiesResponse,
    community_service_server::CommunityService,
};
use crate::simulator::api::{Api, page::page};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl CommunityService for Api {
    async fn get(&self, request: Request<GetCommunityRequest>) -> Result<Response<Community>, Status> {
        let id = &request.get_ref().community_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let world = self.cloud.world();
        let community = world.communities.iter().find(|community| &community.id == id);
        let unknown = || Status::permission_denied(format!("Permission denied to resource {id}"));
        Ok(Response::new(
            community.ok_or_else(unknown)?.message(call.present),
        ))
    }

    async fn list(
        &self,
        request: Request<ListCommunitiesRequest>,
    ) -> Result<Response<ListCommunitiesResponse>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[]).await?;
        let world = self.cloud.world();
        let pattern = &asked.name_or_description_pattern;
        let fitting = world
            .communities
            .iter()
            .filter(|community| community.name.contains(pattern.as_str()));
        let (communities, next_page_token) = page(
            fitting,
            |community| &community.id,
            asked.page_size,
            &asked.page_token,
        )?;
        let communities = communities
            .into_iter()
            .map(|community| community.message(call.present))
            .collect();
        Ok(Response::new(ListCommunitiesResponse {
            communities,
            next_page_token,
        }))
    }
}
