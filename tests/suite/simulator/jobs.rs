//! Jobs, projects and communities.

use super::{ONE_JOB, jobs, metadata, operation, pass, response};
use crate::simulated::{Bound, Piped, START_SECONDS, http};
use datasphere_exporter::proto::yandex::cloud::{
    datasphere::v2::{
        self, GetProjectRequest, GetUnitBalanceRequest, ListCommunitiesRequest, ListProjectsRequest,
        ProjectExecutionRequest, SetUnitBalanceRequest,
        community_service_client::CommunityServiceClient,
        jobs::{
            CancelProjectJobRequest, CloneProjectJobRequest, CreateProjectJobRequest,
            CreateProjectJobResponse, ExecuteProjectJobRequest, File, FileDesc, GetProjectJobRequest,
            JobParameters, ListProjectJobRequest, ReadProjectJobLogsRequest, SetProjectJobDataTtlRequest,
            project_job_service_client::ProjectJobServiceClient,
        },
        project_execution_request::Target,
        project_service_client::ProjectServiceClient,
    },
    operation::{Operation, operation::Result as Outcome},
};
use std::time::Duration;
use tonic::{Code, Request};

fn execute(job_id: &str) -> ExecuteProjectJobRequest {
    ExecuteProjectJobRequest {
        job_id: job_id.to_owned(),
    }
}

fn create(name: &str) -> CreateProjectJobRequest {
    let desc = |path: &str| FileDesc {
        path: path.to_owned(),
        var: String::new(),
    };
    // The digest of "data\n".
    let sha256 = "6667b2d1aab6a00caa5aee5af8ad9f1465e567abf1c209d15727d57b3e8f6e5f".to_owned();
    let input = File {
        desc: Some(desc("in.txt")),
        sha256,
        size_bytes: 5,
        ..File::default()
    };
    let parameters = JobParameters {
        input_files: vec![input],
        output_files: vec![desc("out.txt")],
        ..JobParameters::default()
    };
    CreateProjectJobRequest {
        project_id: "bt1project".to_owned(),
        name: name.to_owned(),
        job_parameters: Some(parameters),
        config: "cmd: true".to_owned(),
        ..CreateProjectJobRequest::default()
    }
}

fn created(operation: &Operation) -> CreateProjectJobResponse {
    match operation.result.as_ref().unwrap() {
        Outcome::Response(response) => response.to_msg().unwrap(),
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

fn list(filter: &str, page_size: i64, page_token: &str) -> ListProjectJobRequest {
    ListProjectJobRequest {
        project_id: "bt1project".to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        filter: filter.to_owned(),
    }
}

#[tokio::test]
async fn a_client_creates_a_job_uploads_its_input_and_downloads_its_output() {
    let simulated = Bound::start(&format!("speed: 100000\n{ONE_JOB}")).await;
    let mut jobs = ProjectJobServiceClient::new(simulated.channel().await);
    let job = created(jobs.create(create("mine")).await.unwrap().get_ref());
    let path = |url: &str| url.split_once(&simulated.http.to_string()).unwrap().1.to_owned();
    let upload = path(&job.upload_files[0].url);
    assert_eq!(
        http(&format!("PUT {upload} HTTP/1.1\n\ndatb\n"), simulated.http)
            .await
            .0,
        400,
        "wrong content"
    );
    assert_eq!(
        http(&format!("PUT {upload}0 HTTP/1.1\n\ndata\n"), simulated.http)
            .await
            .0,
        403,
        "wrong signature"
    );
    assert_eq!(
        http(&format!("PUT {upload} HTTP/1.1\n\ndata\n"), simulated.http)
            .await
            .0,
        200
    );
    assert_eq!(simulated.handle.uploads(), 1);
    assert_eq!(
        created(jobs.create(create("again")).await.unwrap().get_ref()).upload_files,
        [],
        "it is there"
    );

    let begun = jobs.execute(execute(&job.job_id)).await.unwrap().into_inner();
    let mut operations = datasphere_exporter::proto::yandex::cloud::operation::operation_service_client::OperationServiceClient::new(simulated.channel().await);
    let ended = loop {
        let request = datasphere_exporter::proto::yandex::cloud::operation::GetOperationRequest {
            operation_id: begun.id.clone(),
        };
        let operation = operations.get(request).await.unwrap().into_inner();
        if operation.done {
            break operation;
        }
    };
    let output = &response(&ended).output_files[0];
    let (status, content) = http(&format!("GET {} HTTP/1.1", path(&output.url)), simulated.http).await;
    assert_eq!((status, content.as_str()), (200, "out.txt of mine\n"));
    assert_eq!(output.file.as_ref().unwrap().size_bytes, 16);
}

#[tokio::test(start_paused = true)]
async fn executing_a_running_job_finds_its_operation_and_an_ended_one_starts_anew() {
    let simulated = Piped::start(ONE_JOB);
    let mut jobs = jobs(&simulated);
    assert_eq!(
        jobs.execute(execute("bt1job")).await.unwrap().get_ref().id,
        "bt1operation"
    );
    pass(600).await;
    let anew = jobs.execute(execute("bt1job")).await.unwrap().into_inner();
    assert_ne!(anew.id, "bt1operation");
    assert!(!anew.done);
    assert!(
        operation(&simulated, "bt1operation").await.done,
        "the first run stays what it was"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_repeated_with_its_idempotency_key_begins_one_operation() {
    let simulated = Piped::start(ONE_JOB);
    let mut ids = Vec::new();
    for key in ["one", "one", "two"] {
        let mut request = Request::new(create("mine"));
        request
            .metadata_mut()
            .insert("idempotency-key", key.parse().unwrap());
        ids.push(jobs(&simulated).create(request).await.unwrap().into_inner().id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_nobody_executed_is_being_created() {
    let simulated = Piped::start(ONE_JOB);
    let job_id = created(jobs(&simulated).create(create("mine")).await.unwrap().get_ref()).job_id;
    pass(100_000).await;
    let job = jobs(&simulated)
        .get(GetProjectJobRequest { job_id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (job.status, job.started_at, job.created_at.unwrap().seconds),
        (1, None, START_SECONDS)
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_created_job_does_follows_from_its_name() {
    let scenario = ONE_JOB.to_owned() + "created_jobs:\n- { name: fail*, end: { return_code: 3 } }\n";
    let simulated = Piped::start(&scenario);
    let mut codes = Vec::new();
    for name in ["failing", "fine"] {
        let job_id = created(jobs(&simulated).create(create(name)).await.unwrap().get_ref()).job_id;
        let id = jobs(&simulated)
            .execute(execute(&job_id))
            .await
            .unwrap()
            .into_inner()
            .id;
        pass(3600).await;
        codes.push(
            response(&operation(&simulated, &id).await)
                .result
                .unwrap()
                .return_code,
        );
    }
    assert_eq!(codes, [3, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_clone_keeps_what_is_not_overridden_and_names_its_parent() {
    let simulated = Piped::start(ONE_JOB);
    let request = CloneProjectJobRequest {
        source_job_id: "bt1job".to_owned(),
        name: "copy".to_owned(),
        ..CloneProjectJobRequest::default()
    };
    // As a method, `clone` would be the one that copies the client.
    let cloned = ProjectJobServiceClient::clone(&mut jobs(&simulated), request)
        .await
        .unwrap();
    let job_id = created_by_clone(cloned.get_ref());
    let job = jobs(&simulated)
        .get(GetProjectJobRequest { job_id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (job.name.as_str(), job.parent_job_id.as_str()),
        ("copy", "bt1job")
    );
    assert_eq!(
        job.job_parameters.unwrap().env.unwrap().vars["PASSWORD"],
        "hunter2"
    );
}

fn created_by_clone(operation: &Operation) -> String {
    let Some(Outcome::Response(response)) = &operation.result else {
        panic!("{operation:?}")
    };
    response
        .to_msg::<v2::jobs::CloneProjectJobResponse>()
        .unwrap()
        .job_id
}

#[tokio::test(start_paused = true)]
async fn a_graceful_cancel_takes_longer_than_a_kill() {
    for (graceful, dying) in [(false, 5), (true, 30)] {
        let simulated = Piped::start(ONE_JOB);
        pass(100).await;
        let request = CancelProjectJobRequest {
            job_id: "bt1job".to_owned(),
            graceful,
            reason: String::new(),
        };
        jobs(&simulated).cancel(request).await.unwrap();
        let status = || async {
            metadata(&operation(&simulated, "bt1operation").await)
                .metadata
                .unwrap()
                .status
        };
        pass(dying - 1).await;
        assert_eq!(status().await, 7);
        pass(1).await;
        assert_eq!(status().await, 6);
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_listed_newest_first_by_status_and_in_pages() {
    let late = (1..=5).map(|number| {
        format!("    - {{ name: late-{number}, start: {number}s, timeline: [{{ status: EXECUTING }}] }}\n")
    });
    let scenario = ONE_JOB.to_owned() + &late.collect::<String>();
    let simulated = Piped::start(&scenario);
    pass(600).await;
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = jobs(&simulated)
            .list(list("", 4, &token))
            .await
            .unwrap()
            .into_inner();
        names.extend(page.jobs.into_iter().map(|job| job.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["late-5", "late-4", "late-3", "late-2", "late-1", "train"]);
    let live = jobs(&simulated)
        .list(list("status IN (EXECUTING, PREPARING)", 0, ""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((live.jobs.len(), live.next_page_token.as_str()), (5, ""));
    let wrong = jobs(&simulated).list(list("name = x", 0, "")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_listing_has_neither_progress_nor_return_code_and_tells_an_error_by_its_details_only() {
    let error = "      end: { error: { code: INTERNAL, message: machine was lost } }\n      data_ttl: 14d\n";
    let simulated = Piped::start(&(ONE_JOB.to_owned() + error));
    pass(600).await;
    let job = jobs(&simulated)
        .list(list("", 0, ""))
        .await
        .unwrap()
        .into_inner()
        .jobs
        .remove(0);
    assert_eq!((job.status, job.status_details.as_str()), (5, "machine was lost"));
    let expires = job.data_expires_at.unwrap().seconds - job.finished_at.unwrap().seconds;
    assert_eq!(expires, 14 * 86_400);
    let forever = SetProjectJobDataTtlRequest {
        job_id: "bt1job".to_owned(),
        ttl: None,
    };
    jobs(&simulated).set_data_ttl(forever).await.unwrap();
    let job = jobs(&simulated)
        .get(GetProjectJobRequest {
            job_id: "bt1job".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(job.data_expires_at, None);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_job_runs_at_its_interval_and_old_runs_are_forgotten() {
    let scenario = ONE_JOB
        .replace("id: bt1job", "every: 1h")
        .replace("operation_id: bt1operation", "keep: 3")
        .replace("name: train", "name: train-{date}-{run}");
    let simulated = Piped::start(&scenario);
    let names = || async {
        let page = jobs(&simulated).list(list("", 0, "")).await.unwrap().into_inner();
        page.jobs.into_iter().map(|job| job.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["train-2027-01-15-0"]);
    pass(2 * 3600).await;
    assert_eq!(
        names().await,
        ["train-2027-01-15-2", "train-2027-01-15-1", "train-2027-01-15-0"]
    );
    pass(100 * 3600).await;
    assert_eq!(
        names().await,
        [
            "train-2027-01-19-102",
            "train-2027-01-19-101",
            "train-2027-01-19-100"
        ]
    );
    let foretold = simulated.handle.runs(Duration::from_hours(1));
    assert_eq!(foretold.len(), 4, "three that are known and the next one");
    pass(3600).await;
    assert!(
        !operation(&simulated, &foretold[3].operation_id).await.done,
        "the foretold run has come"
    );
}

#[tokio::test(start_paused = true)]
async fn a_balance_falls_by_what_machines_cost_and_can_be_set() {
    let simulated = Piped::start(ONE_JOB);
    let mut projects = ProjectServiceClient::new(simulated.channel());
    let balance = || GetUnitBalanceRequest {
        project_id: "bt1project".to_owned(),
    };
    assert_eq!(
        projects
            .get_unit_balance(balance())
            .await
            .unwrap()
            .into_inner()
            .unit_balance,
        Some(100_000)
    );
    pass(10 + 100).await;
    let spent = projects
        .get_unit_balance(balance())
        .await
        .unwrap()
        .into_inner()
        .unit_balance;
    assert_eq!(
        spent,
        Some(100_000 - 4 * 100),
        "a c1.4 costs 4 units a second once it prepares"
    );
    let unlimited = SetUnitBalanceRequest {
        project_id: "bt1project".to_owned(),
        unit_balance: None,
    };
    assert!(
        projects
            .set_unit_balance(unlimited)
            .await
            .unwrap()
            .into_inner()
            .done
    );
    assert_eq!(
        projects
            .get_unit_balance(balance())
            .await
            .unwrap()
            .into_inner()
            .unit_balance,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_project_whose_balance_is_used_up_executes_nothing() {
    let simulated = Piped::start(ONE_JOB);
    pass(600).await;
    simulated.handle.set_balance("bt1project", Some(0));
    let refused = jobs(&simulated).execute(execute("bt1job")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn unknown_and_refused_projects_cannot_be_told_apart() {
    let scenario = ONE_JOB.to_owned()
        + "  - { name: secret, id: bt1secret, denied: true, jobs: [{ name: j, id: bt1hidden }] }\n";
    let simulated = Piped::start(&scenario);
    let mut projects = ProjectServiceClient::new(simulated.channel());
    for id in ["bt1secret", "bt1nothing"] {
        let request = GetProjectRequest {
            project_id: id.to_owned(),
        };
        assert_eq!(
            projects.get(request).await.unwrap_err().code(),
            Code::PermissionDenied
        );
        let request = ListProjectJobRequest {
            project_id: id.to_owned(),
            ..list("", 0, "")
        };
        assert_eq!(
            jobs(&simulated).list(request).await.unwrap_err().code(),
            Code::PermissionDenied
        );
    }
    let hidden = GetProjectJobRequest {
        job_id: "bt1hidden".to_owned(),
    };
    assert_eq!(
        jobs(&simulated).get(hidden).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let unknown = GetProjectJobRequest {
        job_id: "bt1nothing".to_owned(),
    };
    assert_eq!(
        jobs(&simulated).get(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
    let request = ListProjectsRequest {
        community_id: "bt1community".to_owned(),
        ..ListProjectsRequest::default()
    };
    let listed = projects.list(request).await.unwrap().into_inner().projects;
    assert_eq!(
        listed
            .iter()
            .map(|project| project.name.as_str())
            .collect::<Vec<_>>(),
        ["nlp"]
    );
    let mut communities = CommunityServiceClient::new(simulated.channel());
    let listed = communities
        .list(ListCommunitiesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .communities;
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, "bt1community"));
}

#[tokio::test(start_paused = true)]
async fn a_notebook_that_a_client_executes_runs_and_ends() {
    let simulated = Piped::start(ONE_JOB);
    let mut projects = ProjectServiceClient::new(simulated.channel());
    let request = ProjectExecutionRequest {
        project_id: "bt1project".to_owned(),
        target: Some(Target::NotebookId("a b/c.ipynb".to_owned())),
        ..ProjectExecutionRequest::default()
    };
    let begun = projects.execute(request).await.unwrap().into_inner();
    assert!(!begun.done);
    pass(30).await;
    assert!(operation(&simulated, &begun.id).await.done);
}

#[tokio::test(start_paused = true)]
async fn logs_come_as_they_are_written_until_the_job_ends_and_go_on_from_an_offset() {
    let simulated = Piped::start(ONE_JOB);
    pass(70).await;
    let request = |offset| ReadProjectJobLogsRequest {
        job_id: "bt1job".to_owned(),
        offset,
    };
    let mut stream = jobs(&simulated).read_logs(request(0)).await.unwrap().into_inner();
    let (mut all, mut offset) = (Vec::new(), 0);
    while let Some(answer) = stream.message().await.unwrap() {
        all.extend(answer.logs);
        offset = answer.offset;
    }
    assert_eq!(i64::try_from(all.len()).unwrap(), offset);
    let text = |log: &v2::jobs::LogMessage| String::from_utf8(log.content.clone()).unwrap();
    assert!(text(&all[0]).contains("CREATING") && text(all.last().unwrap()).contains("SUCCESS"));
    let mut rest = jobs(&simulated)
        .read_logs(request(offset - 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(rest.message().await.unwrap().unwrap().logs, all[all.len() - 1..]);
    let mut from_now = jobs(&simulated)
        .read_logs(request(-1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(from_now.message().await.unwrap(), None, "nothing more will come");
}
