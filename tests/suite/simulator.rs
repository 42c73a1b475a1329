//! The simulator as plain clients see it: the facts of the API that the exporter builds on, one test each.

mod faults;
mod identity;
mod jobs;
mod operations;

use crate::simulated::Piped;
use datasphere_exporter::proto::yandex::cloud::{
    datasphere::v2::jobs::{
        ExecuteProjectJobMetadata, ExecuteProjectJobResponse,
        project_job_service_client::ProjectJobServiceClient,
    },
    operation::{
        GetOperationRequest, Operation, operation::Result as Outcome,
        operation_service_client::OperationServiceClient,
    },
};
use datasphere_exporter::simulator::Scenario;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Response, Status};

/// One project with one job that takes ten minutes and has known ids.
const ONE_JOB: &str = r"
communities:
- name: research
  id: bt1community
  projects:
  - name: nlp
    id: bt1project
    unit_balance: 100000
    jobs:
    - name: train
      id: bt1job
      operation_id: bt1operation
      environment: { PASSWORD: hunter2 }
      timeline:
      - { status: CREATING, lasts: 10s }
      - { status: PREPARING, lasts: 50s }
      - { status: EXECUTING, lasts: 500s }
      - { status: UPLOADING_OUTPUT, lasts: 40s }
      progress: { every: 10s }
      outputs: [{ path: model.pt, var: MODEL, content: weights }]
";

fn jobs(simulated: &Piped) -> ProjectJobServiceClient<Channel> {
    ProjectJobServiceClient::new(simulated.channel())
}

fn operations(simulated: &Piped) -> OperationServiceClient<Channel> {
    OperationServiceClient::new(simulated.channel())
}

async fn look(simulated: &Piped, id: &str) -> Result<Response<Operation>, Status> {
    operations(simulated)
        .get(GetOperationRequest {
            operation_id: id.to_owned(),
        })
        .await
}

async fn operation(simulated: &Piped, id: &str) -> Operation {
    look(simulated, id).await.unwrap().into_inner()
}

/// Lets so many seconds of paused time pass.
async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn metadata(operation: &Operation) -> ExecuteProjectJobMetadata {
    operation.metadata.as_ref().unwrap().to_msg().unwrap()
}

fn response(operation: &Operation) -> ExecuteProjectJobResponse {
    match operation.result.as_ref().unwrap() {
        Outcome::Response(response) => response.to_msg().unwrap(),
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

#[test]
fn the_scenario_in_the_documentation_can_be_read() {
    let text = include_str!("../../docs/simulator.md");
    let examples: Vec<&str> = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 1);
    let scenario = Scenario::parse(examples[0]).unwrap();
    assert_eq!(scenario.faults.len(), 2);
}
