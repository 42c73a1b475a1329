//! What no honest server does, and what ours sees of us.

use crate::cloud::support::Pipe;
use crate::cloud::{operation, project};
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::cloud::{Auth, Channels, Client, CloudError, Secret, Settings};
use datasphere_exporter::model::{ListingScope, LookError};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs::project_job_service_server::{
    ProjectJobService, ProjectJobServiceServer,
};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs::{
    ListProjectJobRequest, ListProjectJobResponse,
};
use datasphere_exporter::proto::yandex::cloud::operation::operation_service_server::{
    OperationService, OperationServiceServer,
};
use datasphere_exporter::proto::yandex::cloud::operation::{GetOperationRequest, Operation};
use http::HeaderMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// A client of whatever these routes answer; the tasks serve it.
fn client_of(routes: Routes, settings: &Settings) -> (Client, JoinSet<()>) {
    let (pipe, incoming) = Pipe::new();
    let mut servers = JoinSet::new();
    servers.spawn(async move {
        let incoming = incoming.map(Ok::<_, io::Error>);
        let server = Server::builder().add_routes(routes);
        server.serve_with_incoming(incoming).await.expect("serves");
    });
    let channel = pipe.channel();
    let channels = Channels {
        operation: channel.clone(),
        datasphere: channel.clone(),
        iam: channel,
    };
    let instruments = Instruments::new("test", "test", "test");
    let client = Client::over(channels, settings, Clock::system(), &instruments).expect("the settings hold");
    (client, servers)
}

async fn damaged_details() -> axum::response::Response {
    let mut response = axum::response::Response::default();
    let headers = response.headers_mut();
    headers.insert("content-type", "application/grpc".parse().expect("ascii"));
    headers.insert("grpc-status", "5".parse().expect("ascii"));
    headers.insert("grpc-message", "gone".parse().expect("ascii"));
    headers.insert(
        "grpc-status-details-bin",
        "%%% not base64 %%%".parse().expect("ascii"),
    );
    response
}

#[tokio::test(start_paused = true)]
async fn details_that_are_no_base64_do_not_end_the_caller() {
    let routes = Routes::from(axum::Router::new().fallback(damaged_details));
    let (client, _servers) = client_of(routes, &Settings::new(Auth::Anonymous));
    let error = client.get_operation(&operation()).await.expect_err("refused");
    assert!(
        matches!(error.look(), LookError::Refused(code) if code.name() == "NOT_FOUND"),
        "{error}"
    );
}

async fn garbage() -> &'static str {
    "<html>this is a login page</html>"
}

#[tokio::test(start_paused = true)]
async fn a_page_of_html_is_not_an_answer() {
    let routes = Routes::from(axum::Router::new().fallback(garbage));
    let (client, _servers) = client_of(routes, &Settings::new(Auth::Anonymous));
    let error = client.get_operation(&operation()).await.expect_err("no gRPC");
    assert_eq!(error.look(), LookError::Unanswered, "{error}");
}

/// Lists nothing, with a next page that is this page.
struct Circle;

#[tonic::async_trait]
impl ProjectJobService for Circle {
    async fn list(
        &self,
        request: Request<ListProjectJobRequest>,
    ) -> Result<Response<ListProjectJobResponse>, Status> {
        let token = request.into_inner().page_token;
        let next_page_token = if token.is_empty() {
            "again".to_owned()
        } else {
            token
        };
        Ok(Response::new(ListProjectJobResponse {
            next_page_token,
            ..ListProjectJobResponse::default()
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_its_own_next_page_ends_the_listing() {
    let routes = Routes::new(ProjectJobServiceServer::new(Circle));
    let (client, _servers) = client_of(routes, &Settings::new(Auth::Anonymous));
    let first = client
        .list_jobs(&project(), ListingScope::Live, "")
        .await
        .expect("answered");
    let second = client
        .list_jobs(&project(), ListingScope::Live, &first.next_page_token)
        .await;
    assert!(
        matches!(second, Err(CloudError::EndlessListing { .. })),
        "{second:?}"
    );
}

/// Keeps the headers of the last call.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<HeaderMap>>);

#[tonic::async_trait]
impl OperationService for Witness {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        *self.0.lock().expect("not poisoned") = request.metadata().clone().into_headers();
        Ok(Response::new(Operation::default()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_its_deadline_its_token_and_nothing_more_than_it_must() {
    let witness = Witness::default();
    let routes = Routes::new(OperationServiceServer::new(witness.clone()));
    let settings = Settings::new(Auth::IamToken(Secret::new("t1.token")));
    let (client, _servers) = client_of(routes, &settings);
    client.get_operation(&operation()).await.expect("answered");
    let seen = witness.0.lock().expect("not poisoned").clone();
    assert_eq!(seen["grpc-timeout"], "10000000u");
    assert_eq!(seen["authorization"], "Bearer t1.token");
    let mut names: Vec<_> = seen.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "authorization",
            "content-type",
            "grpc-timeout",
            "te",
            "user-agent"
        ]
    );
}
