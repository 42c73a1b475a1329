//! The client of the cloud against the simulator, under paused time: deadlines, retries, tokens, limits, pages.

mod liars;
mod rest;
mod sockets;
mod support;
mod tokens;

use crate::cloud::support::World;
use datasphere_exporter::cloud::{CloudError, Inputs, PageTrail};
use datasphere_exporter::model::{
    CommunityId, JobId, Kind, ListingScope, LookError, OperationId, ProjectId, Text,
};
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::Span;
use datasphere_exporter::simulator::scenario::{Action, Fault, Part};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const GET: &str = "OperationService.Get";
const LIST: &str = "ProjectJobService.List";
const CANCEL: &str = "OperationService.Cancel";

fn operation() -> OperationId {
    "bt1operation".parse().expect("an id")
}

fn job() -> JobId {
    "bt1job".parse().expect("an id")
}

fn project() -> ProjectId {
    "bt1project".parse().expect("an id")
}

fn community() -> CommunityId {
    "bt1community".parse().expect("an id")
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_watched_can_be_asked_for() {
    let world = World::open();
    let client = world.client();
    let seen = client.get_operation(&operation()).await.expect("answered");
    assert_eq!(seen.value.id, operation());
    assert!(!seen.value.done);
    let seen = client.get_job(&job()).await.expect("answered");
    assert_eq!(seen.value.project_id, Some(project()));
    let seen = client.get_project(&project()).await.expect("answered");
    assert_eq!(seen.value.units_per_hour_max, Some(100));
    let units = client.unit_balance(&project()).await.expect("answered").value;
    assert!(units.is_some_and(|units| units <= 500), "{units:?}");
    let page = client.list_projects(&community(), "").await.expect("answered");
    assert_eq!(page.items.len(), 1);
    let page = client
        .list_jobs(&project(), ListingScope::Live, "")
        .await
        .expect("answered");
    assert_eq!(page.items.len(), 1);
    assert_eq!(world.counted(GET, "OK"), 1);
    assert_eq!(world.counted("ProjectService.GetUnitBalance", "OK"), 1);
    let durations = &world.instruments.api_request_duration_seconds;
    assert_eq!(durations.with_label_values(&[GET]).get_sample_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_and_an_operation_can_be_cancelled() {
    let world = World::open();
    let client = world.client();
    client.cancel_operation(&operation()).await.expect("asked");
    client.cancel_job(&job(), true).await.expect("asked");
    assert_eq!(world.calls(CANCEL), 1);
    assert_eq!(world.calls("ProjectJobService.Cancel"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_and_a_notebook_can_be_started() {
    let world = World::open();
    let client = world.client();
    let begun = client.execute_job(&job(), None).await.expect("accepted").value;
    assert_eq!(begun.id, operation(), "a job that runs goes on");
    let Value::Object(values) = json!({"epochs": 3, "password": "canary"}) else {
        unreachable!("an object")
    };
    let notebook = "отчёты/утро 1.ipynb";
    let begun = client
        .execute_notebook(&project(), notebook, &Inputs::from(values), None)
        .await
        .expect("accepted")
        .value;
    assert_eq!(begun.kind, Kind::Notebook);
    let told = begun.notebook.and_then(|told| told.notebook_id);
    assert_eq!(told.as_ref().map(Text::as_str), Some(notebook));
    let seen = client.get_operation(&begun.id).await.expect("answered").value;
    assert_eq!(seen.project_id, Some(project()));
}

#[tokio::test(start_paused = true)]
async fn a_start_is_sent_again_only_if_it_cannot_have_arrived() {
    for (code, attempts) in [
        (Code::Unavailable, 1),
        (Code::Internal, 1),
        (Code::ResourceExhausted, 3),
    ] {
        let world = World::open();
        world.refuse("ProjectService/Execute", code, "stumbled", Some(2));
        let inputs = Inputs::default();
        let begun = world
            .client()
            .execute_notebook(&project(), "a.ipynb", &inputs, None)
            .await;
        assert_eq!(begun.is_ok(), attempts == 3, "{code:?}: {begun:?}");
        assert_eq!(world.calls("ProjectService.Execute"), attempts, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_api_costs_a_call_its_own_time_and_is_no_cancellation() {
    let world = World::open();
    world
        .simulator
        .set_fault(Fault::of(Action::Delay(Span::minutes(5))).on("OperationService/Get"));
    let started_at = Instant::now();
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("late");
    assert_eq!(started_at.elapsed().as_secs(), 10);
    assert!(
        matches!(error, CloudError::Deadline { method: GET, .. }),
        "{error}"
    );
    assert_eq!(error.code(), "DEADLINE_EXCEEDED");
    assert_eq!(error.look(), LookError::Unanswered);
    assert_eq!(world.counted(GET, "DEADLINE_EXCEEDED"), 1);
    assert_eq!(world.counted(GET, "CANCELLED"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_stumbles_is_asked_again() {
    for code in [
        Code::Unavailable,
        Code::Internal,
        Code::Cancelled,
        Code::ResourceExhausted,
    ] {
        let world = World::open();
        world.refuse("OperationService/Get", code, "stumbled", Some(2));
        let seen = world.client().get_operation(&operation()).await;
        assert!(seen.is_ok(), "{code:?}: {seen:?}");
        assert_eq!(world.counted(GET, code.as_str_name()), 2);
        assert_eq!(world.counted(GET, "OK"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_asked_about_again() {
    let refusals = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::PermissionDenied,
        Code::FailedPrecondition,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Unauthenticated,
    ];
    for code in refusals {
        let world = World::open();
        world.refuse("OperationService/Get", code, "no", None);
        let error = world
            .client()
            .get_operation(&operation())
            .await
            .expect_err("refused");
        assert_eq!(error.code(), code.as_str_name());
        assert!(matches!(error.look(), LookError::Refused(_)), "{error}");
        assert_eq!(world.calls(GET), 1, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_names_method_endpoint_and_what_to_do() {
    let world = World::open();
    world.refuse(
        "OperationService/Get",
        Code::PermissionDenied,
        "Permission denied",
        None,
    );
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("refused")
        .to_string();
    for words in [
        GET,
        "at operation",
        "PERMISSION_DENIED",
        "datasphere.community-projects.viewer",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_the_api_are_shown_without_secrets() {
    let world = World::open();
    world.refuse(
        "OperationService/Get",
        Code::NotFound,
        "no https://user:canary@host/x?token=canary",
        None,
    );
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("refused");
    assert!(!error.chain().contains("canary"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_down_gets_hardly_more_than_one_attempt_per_call() {
    let world = World::open();
    world.refuse("OperationService/Get", Code::Unavailable, "down", None);
    let client = world.client();
    for _ in 0..100 {
        client.get_operation(&operation()).await.expect_err("down");
    }
    let attempts = world.calls(GET);
    assert!((100..=104).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_made_anew_for_a_read() {
    let world = World::open();
    let client = world.client();
    client.get_operation(&operation()).await.expect("connected");
    world.simulator.set_fault(Fault::of(Action::Reset).times(1));
    client.get_operation(&operation()).await.expect("asked again");
    assert_eq!(world.counted(GET, "OK"), 2);
    assert_eq!(world.calls(GET), 3);
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_may_have_arrived_is_not_sent_again() {
    let world = World::open();
    let client = world.client();
    world.simulator.set_fault(Fault::of(Action::Reset));
    let error = client.cancel_operation(&operation()).await.expect_err("broken");
    assert_eq!(error.look(), LookError::Unanswered);
    assert_eq!(world.calls(CANCEL), 1);
    world.simulator.clear_faults();
    world.refuse("OperationService/Cancel", Code::Unavailable, "down", None);
    client.cancel_operation(&operation()).await.expect_err("down");
    assert_eq!(world.calls(CANCEL), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_keep_to_the_rate_and_waiting_for_it_is_not_held_against_them() {
    let mut world = World::open();
    world.settings.requests_per_second = 2.0;
    let client = world.client();
    let started_at = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let client = client.clone();
        calls.spawn(async move { client.get_operation(&operation()).await.map(|_| ()) });
    }
    let answers = calls.join_all().await;
    assert!(
        answers.iter().all(Result::is_ok),
        "though many waited longer than a call may take"
    );
    let elapsed = started_at.elapsed().as_millis();
    assert!(
        (29_400..29_600).contains(&elapsed),
        "{elapsed} ms for 60 calls at 2 a second"
    );
    assert_eq!(world.instruments.rate_limiter_wait_seconds.get_sample_count(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_api_with_a_lower_limit_is_called_more_slowly_for_a_while() {
    let world = World::open();
    world.simulator.set_fault(Fault::of(Action::RateLimit(10)));
    let client = world.client();
    let mut late = 0_u64;
    for _ in 0..60 {
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            calls.spawn(async move { client.get_operation(&operation()).await.is_err() });
        }
        late += calls.join_all().await.into_iter().map(u64::from).sum::<u64>();
    }
    let rate = world.instruments.rate_limit_requests_per_second.get();
    assert!(rate <= 25.0, "{rate}");
    let refused = world.counted(GET, "RESOURCE_EXHAUSTED");
    assert!(refused < 100, "{refused} of {}", world.calls(GET));
    assert!(late < 80, "{late} of 480 without an answer");
    world.simulator.clear_faults();
    tokio::time::advance(Duration::from_mins(5)).await;
    client.get_operation(&operation()).await.expect("answered");
    let rate = world.instruments.rate_limit_requests_per_second.get();
    assert!((rate - 50.0).abs() < 1e-9, "{rate}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_followed_through_its_pages() {
    let world = World::open();
    let client = world.client();
    let mut trail = PageTrail::default();
    let (mut sizes, mut page_token) = (Vec::new(), Some(String::new()));
    while let Some(token) = page_token {
        let page = client
            .list_jobs(&project(), ListingScope::Ended, &token)
            .await
            .expect("answered");
        sizes.push(page.items.len());
        page_token = trail.follow(LIST, page.next_page_token).expect("it ends");
    }
    assert_eq!(sizes, [50, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let world = World::open();
    let message = "grpc: received message larger than max (5000000 vs. 4194304)";
    world.refuse(
        "ProjectJobService/List",
        Code::ResourceExhausted,
        message,
        Some(2),
    );
    let client = world.client();
    let first = client
        .list_jobs(&project(), ListingScope::Ended, "")
        .await
        .expect("answered");
    assert_eq!(first.items.len(), 12, "fifty, halved twice");
    let rate = world.instruments.rate_limit_requests_per_second.get();
    assert!((rate - 50.0).abs() < 1e-9, "this is not about the rate: {rate}");
    let second = client
        .list_jobs(&project(), ListingScope::Ended, &first.next_page_token)
        .await;
    assert_eq!(second.expect("answered").items.len(), 12, "it is remembered");
    tokio::time::advance(Duration::from_mins(11)).await;
    let later = client
        .list_jobs(&project(), ListingScope::Ended, "")
        .await
        .expect("answered");
    assert_eq!(later.items.len(), 24, "and tried out after a while");
}

#[tokio::test(start_paused = true)]
async fn a_single_job_that_is_too_large_is_an_error_and_not_a_loop() {
    let world = World::open();
    let message = "grpc: received message larger than max (5000000 vs. 4194304)";
    world.refuse("ProjectJobService/List", Code::ResourceExhausted, message, None);
    let error = world
        .client()
        .list_jobs(&project(), ListingScope::Live, "")
        .await
        .expect_err("too large");
    assert_eq!(error.look(), LookError::Unanswered);
    assert_eq!(world.calls(LIST), 6);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_slow_is_smaller_the_next_time() {
    let world = World::open();
    let client = world.client();
    let slow = Fault::of(Action::Delay(Span::minutes(5)))
        .on("ProjectJobService/List")
        .times(1);
    world.simulator.set_fault(slow);
    let error = client
        .list_jobs(&project(), ListingScope::Ended, "")
        .await
        .expect_err("late");
    assert_eq!(error.code(), "DEADLINE_EXCEEDED");
    let page = client
        .list_jobs(&project(), ListingScope::Ended, "")
        .await
        .expect("answered");
    assert_eq!(page.items.len(), 25);
}

#[tokio::test(start_paused = true)]
async fn an_operation_above_four_mebibytes_arrives() {
    let world = World::open();
    world.simulator.set_fault(Fault::of(Action::Pad(6 << 20)));
    let seen = world
        .client()
        .get_operation(&operation())
        .await
        .expect("answered");
    assert!(seen.value.described);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_counted() {
    let world = World::open();
    world
        .simulator
        .set_fault(Fault::of(Action::Truncate(Part::Metadata)));
    let seen = world
        .client()
        .get_operation(&operation())
        .await
        .expect("answered");
    assert!(!seen.gaps.is_empty());
    let counted = world
        .instruments
        .decode_gaps_total
        .with_label_values(&["malformed"]);
    assert!(counted.get() > 0);
}
