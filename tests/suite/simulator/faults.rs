//! Scripted faults as a client meets them.

use super::{ONE_JOB, look, metadata, operation, pass};
use crate::simulated::{Bound, Piped, START_SECONDS};
use datasphere_exporter::proto::yandex::cloud::{
    datasphere::v2::jobs::ExecuteProjectJobMetadata,
    operation::{GetOperationRequest, operation_service_client::OperationServiceClient},
};
use datasphere_exporter::simulator::Span;
use datasphere_exporter::simulator::scenario::{Action, CodeName, Fault, Part};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

const GET: &str = "/yandex.cloud.operation.OperationService/Get";

async fn code(simulated: &Piped) -> Code {
    look(simulated, "bt1operation")
        .await
        .map_or_else(|status| status.code(), |_| Code::Ok)
}

fn refusal() -> Action {
    Action::Refuse {
        code: CodeName(14),
        message: "try later".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_strikes_as_often_as_scripted_and_calls_are_counted_all_the_same() {
    let simulated = Piped::start(ONE_JOB);
    simulated
        .handle
        .set_fault(Fault::of(refusal()).on("OperationService/Get").times(2));
    let codes = [
        code(&simulated).await,
        code(&simulated).await,
        code(&simulated).await,
    ];
    assert_eq!(codes, [Code::Unavailable, Code::Unavailable, Code::Ok]);
    assert_eq!(simulated.handle.calls(GET), 3);
    assert_eq!(
        simulated
            .handle
            .calls("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Execute"),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_about_a_project_strikes_what_runs_in_it() {
    for subject in [
        "bt1operation",
        "bt1job",
        "train",
        "bt1project",
        "nlp",
        "bt1community",
    ] {
        let simulated = Piped::start(ONE_JOB);
        simulated
            .handle
            .set_fault(Fault::of(refusal()).about("somebody else"));
        assert_eq!(code(&simulated).await, Code::Ok);
        simulated.handle.set_fault(Fault::of(refusal()).about(subject));
        assert_eq!(code(&simulated).await, Code::Unavailable, "{subject}");
        simulated.handle.clear_faults();
        assert_eq!(code(&simulated).await, Code::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_scenario_keep_their_window() {
    let window = "faults:\n- { method: OperationService/Get, from: 1m, until: 2m, do: { refuse: { code: UNAVAILABLE } } }\n- { from: 1m, do: { rate_limit: 1000 } }\n";
    let simulated = Piped::start(&(ONE_JOB.to_owned() + window));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(code(&simulated).await);
        pass(60).await;
    }
    assert_eq!(codes, [Code::Ok, Code::Unavailable, Code::Ok]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_comes_late() {
    let simulated = Piped::start(ONE_JOB);
    simulated
        .handle
        .set_fault(Fault::of(Action::Delay(Span::seconds(7))).times(1));
    let asked = Instant::now();
    assert_eq!(code(&simulated).await, Code::Ok);
    assert_eq!(asked.elapsed().as_secs(), 7);
}

#[tokio::test]
async fn a_reset_breaks_the_connection_and_the_next_one_works() {
    let simulated = Bound::start(ONE_JOB).await;
    simulated.handle.set_fault(Fault::of(Action::Reset).times(1));
    let mut operations = OperationServiceClient::new(simulated.channel().await);
    let request = || GetOperationRequest {
        operation_id: "bt1operation".to_owned(),
    };
    let broken = operations.get(request()).await.unwrap_err();
    assert!(
        std::error::Error::source(&broken).is_some(),
        "no server said this: {broken:?}"
    );
    assert!(broken.metadata().get("x-request-id").is_none());
    assert!(operations.get(request()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_reset_breaks_a_pipe_as_well() {
    let simulated = Piped::start(ONE_JOB);
    simulated.handle.set_fault(Fault::of(Action::Reset).times(1));
    assert_ne!(code(&simulated).await, Code::Ok);
    assert_eq!(code(&simulated).await, Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn more_calls_in_a_second_than_allowed_are_refused() {
    let simulated = Piped::start(ONE_JOB);
    simulated.handle.set_fault(Fault::of(Action::RateLimit(2)));
    let codes = [
        code(&simulated).await,
        code(&simulated).await,
        code(&simulated).await,
    ];
    assert_eq!(codes, [Code::Ok, Code::Ok, Code::ResourceExhausted]);
    pass(1).await;
    assert_eq!(code(&simulated).await, Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn what_an_operation_carries_may_be_unheard_of_cut_off_or_huge() {
    let simulated = Piped::start(ONE_JOB);
    let carried = |action| {
        simulated.handle.clear_faults();
        simulated.handle.set_fault(Fault::of(action));
        async { operation(&simulated, "bt1operation").await.metadata.unwrap() }
    };
    let unheard = carried(Action::UnknownType).await;
    assert!(
        unheard.to_msg::<ExecuteProjectJobMetadata>().is_err() && unheard.type_url.ends_with(".UnheardOf")
    );
    assert!(
        carried(Action::Truncate(Part::Metadata))
            .await
            .to_msg::<ExecuteProjectJobMetadata>()
            .is_err()
    );
    simulated.handle.set_fault(Fault::of(Action::Pad(5 << 20)));
    let refused = look(&simulated, "bt1operation").await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "above the usual limit of 4 MiB");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_shifts_every_timestamp() {
    let simulated = Piped::start(ONE_JOB);
    simulated
        .handle
        .set_fault(Fault::of(Action::ClockSkew(Span::minutes(-60))));
    let operation = operation(&simulated, "bt1operation").await;
    assert_eq!(operation.created_at.unwrap().seconds, START_SECONDS - 3600);
    assert_eq!(
        metadata(&operation).metadata.unwrap().created_at.unwrap().seconds,
        START_SECONDS - 3600
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_may_be_revoked_in_mid_flight() {
    let simulated = Piped::start(&format!("auth: {{ required: true }}\n{ONE_JOB}"));
    let token = simulated.handle.issue_token("aje1");
    let ask = |token: String| {
        let mut request = tonic::Request::new(GetOperationRequest {
            operation_id: "bt1operation".to_owned(),
        });
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        let mut operations = super::operations(&simulated);
        async move {
            operations
                .get(request)
                .await
                .map_or_else(|status| status.code(), |_| Code::Ok)
        }
    };
    assert_eq!(ask(token.clone()).await, Code::Ok);
    simulated
        .handle
        .set_fault(Fault::of(Action::RevokeTokens).times(1));
    assert_eq!(ask(token.clone()).await, Code::Unauthenticated);
    assert_eq!(ask(simulated.handle.issue_token("aje1")).await, Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_simulation_outlives_its_server() {
    let first = Piped::start(ONE_JOB);
    let handle = first.handle.clone();
    drop(first);
    tokio::time::advance(Duration::from_mins(10)).await;
    let second = Piped::serving(handle);
    assert!(operation(&second, "bt1operation").await.done);
}
