//! What an operation tells, and when.

use super::{ONE_JOB, look, metadata, operation, operations, pass, response};
use crate::simulated::{Piped, START_SECONDS};
use datasphere_exporter::proto::google::rpc::QuotaFailure;
use datasphere_exporter::proto::yandex::cloud::{
    datasphere::{v1, v2},
    operation::{CancelOperationRequest, Operation, operation::Result as Outcome},
};
use datasphere_exporter::simulator::scenario::{End, StatusName};
use tonic::{Code, Status};

#[tokio::test(start_paused = true)]
async fn a_job_is_seen_in_each_of_its_statuses_and_its_operation_ends() {
    let simulated = Piped::start(ONE_JOB);
    let mut statuses = Vec::new();
    for wait in [0, 10, 50, 500, 40] {
        pass(wait).await;
        let operation = operation(&simulated, "bt1operation").await;
        let metadata = metadata(&operation);
        let (old, new) = (metadata.job.unwrap(), metadata.metadata.unwrap());
        assert_eq!(
            (old.status, old.started_at, old.finished_at),
            (new.status, new.started_at, new.finished_at)
        );
        statuses.push((new.status, operation.done));
    }
    assert_eq!(
        statuses,
        [(1, false), (8, false), (2, false), (3, false), (4, true)]
    );
    let ended = operation(&simulated, "bt1operation").await;
    assert_eq!(response(&ended).result.unwrap().return_code, 0);
    assert_eq!(response(&ended).output_files.len(), 1);
    let job = metadata(&ended).metadata.unwrap();
    assert_eq!(job.started_at.unwrap().seconds, START_SECONDS + 60);
    assert_eq!(job.finished_at.unwrap().seconds, START_SECONDS + 600);
    assert_eq!(ended.modified_at.unwrap().seconds, START_SECONDS + 600);
}

#[tokio::test(start_paused = true)]
async fn the_deprecated_half_of_the_metadata_carries_secrets_as_the_real_one_does() {
    let simulated = Piped::start(ONE_JOB);
    let job = metadata(&operation(&simulated, "bt1operation").await)
        .job
        .unwrap();
    assert!(job.config.contains("hunter2"));
    assert_eq!(
        job.job_parameters.unwrap().env.unwrap().vars["PASSWORD"],
        "hunter2"
    );
}

#[tokio::test(start_paused = true)]
async fn progress_is_in_the_operation_and_keeps_the_time_it_was_told() {
    let simulated = Piped::start(ONE_JOB);
    assert_eq!(
        metadata(&operation(&simulated, "bt1operation").await).progress,
        None
    );
    pass(60 + 255).await;
    let progress = metadata(&operation(&simulated, "bt1operation").await)
        .progress
        .unwrap();
    assert_eq!(progress.progress, 50);
    assert_eq!(progress.create_time.unwrap().seconds, START_SECONDS + 60 + 250);
}

#[tokio::test(start_paused = true)]
async fn an_operation_succeeds_though_its_job_returned_a_failing_code() {
    let scenario = ONE_JOB.to_owned() + "      end: { return_code: 137 }\n";
    let simulated = Piped::start(&scenario);
    pass(600).await;
    let ended = operation(&simulated, "bt1operation").await;
    assert_eq!(response(&ended).result.unwrap().return_code, 137);
    assert_eq!(
        metadata(&ended).metadata.unwrap().status,
        4,
        "SUCCESS does not mean exit code 0"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_shows_before_the_operation_is_done() {
    let error = "      end: { error: { code: RESOURCE_EXHAUSTED, message: quota, quota: jobs } }\n";
    let scenario = ONE_JOB.to_owned() + error + "      done_after: 30s\n";
    let simulated = Piped::start(&scenario);
    pass(600).await;
    let failing = operation(&simulated, "bt1operation").await;
    let Some(Outcome::Error(error)) = &failing.result else {
        panic!("{failing:?}")
    };
    assert_eq!(
        (failing.done, error.code, error.message.as_str()),
        (false, 8, "quota")
    );
    let quota: QuotaFailure = error.details[0].to_msg().unwrap();
    assert_eq!(quota.violations[0].subject, "jobs");
    pass(30).await;
    assert!(operation(&simulated, "bt1operation").await.done);
}

#[tokio::test(start_paused = true)]
async fn a_job_may_end_without_a_result() {
    let scenario = ONE_JOB.to_owned() + "      end: without_result\n";
    let simulated = Piped::start(&scenario);
    pass(600).await;
    assert_eq!(
        response(&operation(&simulated, "bt1operation").await).result,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn statuses_may_skip_repeat_go_back_and_be_unheard_of() {
    let scenario = ONE_JOB.replace("{ status: CREATING, lasts: 10s }", "{ status: 99, lasts: 10s }");
    let simulated = Piped::start(&scenario);
    let status = || async {
        metadata(&operation(&simulated, "bt1operation").await)
            .metadata
            .unwrap()
            .status
    };
    assert_eq!(status().await, 99);
    assert!(simulated.handle.set_status("bt1job", StatusName(3)));
    assert_eq!(status().await, 3);
    pass(100_000).await;
    assert_eq!(status().await, 3, "a status that was set stays");
    assert!(simulated.handle.end_job("bt1job", End::Success));
    assert_eq!(status().await, 4);
    assert!(
        !simulated.handle.set_status("bt1job", StatusName(2)),
        "a job that ended stays ended"
    );
}

#[tokio::test(start_paused = true)]
async fn speed_shortens_the_script_and_timestamps_stay_those_of_the_clock() {
    let simulated = Piped::start(&format!("speed: 60\n{ONE_JOB}"));
    pass(10).await;
    let ended = operation(&simulated, "bt1operation").await;
    assert!(ended.done);
    let job = metadata(&ended).metadata.unwrap();
    assert_eq!(
        job.finished_at.unwrap().seconds - job.created_at.unwrap().seconds,
        10
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_and_expired_operations_are_not_found() {
    let simulated = Piped::start(&format!("operation_ttl: 1h\n{ONE_JOB}"));
    assert_eq!(
        look(&simulated, "bt1nothing").await.unwrap_err().code(),
        Code::NotFound
    );
    pass(600 + 3599).await;
    assert!(operation(&simulated, "bt1operation").await.done);
    pass(1).await;
    assert_eq!(
        look(&simulated, "bt1operation").await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_operation_ends_with_the_code_cancelled() {
    let simulated = Piped::start(ONE_JOB);
    pass(100).await;
    let request = CancelOperationRequest {
        operation_id: "bt1operation".to_owned(),
    };
    let cancelling = operations(&simulated).cancel(request).await.unwrap().into_inner();
    assert_eq!(metadata(&cancelling).metadata.unwrap().status, 7);
    pass(5).await;
    let ended = operation(&simulated, "bt1operation").await;
    let Some(Outcome::Error(error)) = &ended.result else {
        panic!("{ended:?}")
    };
    assert_eq!(
        (ended.done, error.code, metadata(&ended).metadata.unwrap().status),
        (true, 1, 6)
    );
}

#[tokio::test(start_paused = true)]
async fn notebooks_end_in_each_of_their_ways() {
    let scenario = r#"
communities:
- name: c
  projects:
  - name: p
    id: bt1project
    notebooks:
    - { path: "Отчёты/за день.ipynb", operation_id: ok, lasts: 10s }
    - { path: b.ipynb, operation_id: failed, lasts: 10s, end: failed }
    - { path: c.ipynb, operation_id: aborted, lasts: 10s, end: aborted }
    - { path: d.ipynb, operation_id: raised, lasts: 10s, end: { error: { code: 9, exception: ValueError } } }
    - { path: e.ipynb, operation_id: old, lasts: 10s, v1: true }
"#;
    let simulated = Piped::start(scenario);
    let running = operation(&simulated, "ok").await;
    let told: v2::ProjectExecutionMetadata = running.metadata.unwrap().to_msg().unwrap();
    let target = v2::project_execution_metadata::Target::NotebookId("Отчёты/за день.ipynb".to_owned());
    assert_eq!(
        (told.project_id.as_str(), told.target, running.done),
        ("bt1project", Some(target), false)
    );
    pass(10).await;
    for (id, status) in [("ok", 1), ("failed", 2), ("aborted", 3)] {
        let Some(Outcome::Response(response)) = operation(&simulated, id).await.result else {
            panic!("{id}")
        };
        assert_eq!(
            response
                .to_msg::<v2::ProjectExecutionResponse>()
                .unwrap()
                .execution_status,
            status,
            "{id}"
        );
    }
    let Some(Outcome::Error(error)) = operation(&simulated, "raised").await.result else {
        panic!()
    };
    let details: v1::NodeExecutionErrorDetails = error.details[0].to_msg().unwrap();
    assert_eq!((error.code, details.error_name.as_str()), (9, "ValueError"));
    let old = operation(&simulated, "old").await;
    assert!(
        old.metadata
            .unwrap()
            .to_msg::<v1::ProjectExecutionMetadata>()
            .is_ok()
    );
    assert!(
        matches!(old.result, Some(Outcome::Response(any)) if any.type_url.ends_with("v1.ProjectExecutionResponse"))
    );
}

#[tokio::test(start_paused = true)]
async fn answers_laid_ready_come_in_order_and_the_last_one_stays() {
    let simulated = Piped::start(ONE_JOB);
    let answer = Operation {
        id: "bt1x".to_owned(),
        description: "laid ready".to_owned(),
        ..Operation::default()
    };
    simulated
        .handle
        .lay_answers_ready("bt1x", vec![Ok(answer), Err(Status::data_loss("gone"))]);
    assert_eq!(operation(&simulated, "bt1x").await.description, "laid ready");
    assert_eq!(look(&simulated, "bt1x").await.unwrap_err().code(), Code::DataLoss);
    assert_eq!(look(&simulated, "bt1x").await.unwrap_err().code(), Code::DataLoss);
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_headers_that_support_asks_for() {
    let simulated = Piped::start(ONE_JOB);
    let good = look(&simulated, "bt1operation").await.unwrap();
    let bad = look(&simulated, "bt1nothing").await.unwrap_err();
    for headers in [good.metadata(), bad.metadata()] {
        assert_eq!(headers.get("x-request-id").unwrap().len(), 36);
        let trace = headers.get("x-server-trace-id").unwrap().to_str().unwrap();
        assert_eq!(trace.split(':').count(), 4, "{trace}");
    }
}
