//! Tokens: how they are had, renewed and replaced.

use crate::cloud::support::{KEY_FILE, World, account, scenario};
use crate::cloud::{GET, operation};
use datasphere_exporter::cloud::{Auth, Secret, Settings};
use datasphere_exporter::model::LookError;
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::Span;
use datasphere_exporter::simulator::scenario::{Action, Fault};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CREATE: &str = "IamTokenService.Create";

#[tokio::test(start_paused = true)]
async fn a_key_file_gets_one_token_for_all_calls() {
    let world = World::guarded();
    let client = world.client();
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let client = client.clone();
        calls.spawn(async move { client.get_operation(&operation()).await.map(|_| ()) });
    }
    for answer in calls.join_all().await {
        answer.expect("answered");
    }
    assert_eq!(world.calls(CREATE), 1);
    assert_eq!(world.counted(CREATE, "OK"), 1);
    assert_eq!(world.counted(GET, "UNAUTHENTICATED"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_replaced_at_once_for_all_calls_that_carried_it() {
    let world = World::guarded();
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    tokio::time::advance(Duration::from_mins(1)).await;
    world.simulator.revoke_tokens();
    let started_at = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let client = client.clone();
        calls.spawn(async move { client.get_operation(&operation()).await.map(|_| ()) });
    }
    for answer in calls.join_all().await {
        answer.expect("answered with the new token");
    }
    assert_eq!(world.calls(CREATE), 2);
    assert!(
        started_at.elapsed() < Duration::from_secs(1),
        "{:?}",
        started_at.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_every_token_makes_no_storm_on_the_identity_service() {
    let world = World::guarded();
    world.refuse("OperationService/Get", Code::Unauthenticated, "no", None);
    let client = world.client();
    let started_at = Instant::now();
    for _ in 0..200 {
        let error = client.get_operation(&operation()).await.expect_err("refused");
        assert!(matches!(error.look(), LookError::Refused(_)));
    }
    let seconds = started_at.elapsed().as_secs();
    let tokens = world.calls(CREATE);
    assert!(tokens <= 2 + seconds / 10, "{tokens} tokens in {seconds} s");
    assert!(world.calls(GET) <= 200 + tokens);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_behind_the_calls_long_before_they_die() {
    let mut scenario = scenario();
    scenario.auth.required = true;
    scenario.auth.token_ttl = Some(Span::minutes(60));
    scenario.auth.service_accounts = vec![account()];
    let world = World::of(
        &scenario,
        Settings::new(Auth::ServiceAccountKeyFile(KEY_FILE.into())),
    );
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    // From here on the identity service takes five seconds, which no call must feel.
    world
        .simulator
        .set_fault(Fault::of(Action::Delay(Span::seconds(5))).on("IamTokenService/Create"));
    for _ in 0..180 {
        tokio::time::advance(Duration::from_mins(1)).await;
        let started_at = Instant::now();
        client.get_operation(&operation()).await.expect("answered");
        assert!(
            started_at.elapsed() < Duration::from_millis(10),
            "{:?}",
            started_at.elapsed()
        );
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(world.counted(GET, "UNAUTHENTICATED"), 0);
    let tokens = world.calls(CREATE);
    assert!(
        (20..=40).contains(&tokens),
        "every six minutes of three hours: {tokens}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_service_that_is_down_is_counted_and_a_valid_token_goes_on_working() {
    let world = World::guarded();
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    world.refuse("IamTokenService/Create", Code::Unavailable, "down", None);
    for _ in 0..11 {
        tokio::time::sleep(Duration::from_hours(1)).await;
        client
            .get_operation(&operation())
            .await
            .expect("the token is still valid");
    }
    let failures = world.instruments.iam_token_refresh_failures_total.get();
    assert!((9..=11).contains(&failures), "{failures}");
    tokio::time::sleep(Duration::from_hours(2)).await;
    let error = client
        .get_operation(&operation())
        .await
        .expect_err("no token any more");
    assert_eq!(
        error.look(),
        LookError::Unanswered,
        "nothing is known of the operation"
    );
    assert!(
        error.chain().contains("IamTokenService.Create"),
        "{}",
        error.chain()
    );
    world.simulator.clear_faults();
    tokio::time::sleep(Duration::from_mins(1)).await;
    client.get_operation(&operation()).await.expect("recovered");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_cloud_does_not_know_is_told_as_such() {
    let mut scenario = scenario();
    scenario.auth.required = true;
    let world = World::of(
        &scenario,
        Settings::new(Auth::ServiceAccountKeyFile(KEY_FILE.into())),
    );
    let error = world
        .client()
        .get_operation(&operation())
        .await
        .expect_err("refused");
    assert_eq!(error.code(), "UNAUTHENTICATED");
    assert!(matches!(error.look(), LookError::Refused(code) if code.name() == "UNAUTHENTICATED"));
    assert!(
        error.chain().contains("IamTokenService.Create"),
        "{}",
        error.chain()
    );
    assert_eq!(world.calls(GET), 0);
    assert_eq!(world.calls(CREATE), 1);
}

#[tokio::test(start_paused = true)]
async fn the_expiry_of_the_token_is_shown_while_it_is_known() {
    let world = World::guarded();
    let client = world.client();
    let shown = || {
        let families = world.instruments.registry().gather();
        families
            .iter()
            .find(|family| family.name() == "datasphere_exporter_iam_token_expiry_timestamp_seconds")
            .and_then(|family| {
                family
                    .get_metric()
                    .first()
                    .map(|metric| metric.get_gauge().get_value())
            })
    };
    assert_eq!(shown(), None);
    client.get_operation(&operation()).await.expect("answered");
    let expected = world.clock.now().plus(Duration::from_hours(12)).seconds_f64();
    assert!((shown().expect("known") - expected).abs() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_token_is_sent_and_never_replaced() {
    let mut scenario = scenario();
    scenario.auth.required = true;
    scenario.auth.tokens = vec!["t1.fixed".to_owned()];
    let settings = Settings::new(Auth::IamToken(Secret::new("t1.fixed")));
    let world = World::of(&scenario, settings);
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    world.refuse("OperationService/Get", Code::Unauthenticated, "expired", None);
    client.get_operation(&operation()).await.expect_err("refused");
    assert_eq!(world.calls(GET), 2);
}

fn replace(path: &Path, token: &str) {
    let staged = path.with_extension("new");
    std::fs::write(&staged, token).expect("written");
    std::fs::rename(&staged, path).expect("replaced");
}

#[tokio::test(start_paused = true)]
async fn a_token_file_is_read_again_when_it_changes_and_an_empty_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("token");
    let mut scenario = scenario();
    scenario.auth.required = true;
    let world = World::of(&scenario, Settings::new(Auth::IamTokenFile(path.clone())));
    let client = world.client();
    let error = client.get_operation(&operation()).await.expect_err("no file yet");
    let told = error.chain();
    assert!(
        told.contains(&format!(
            "the token file of cloud.auth.iam_token_file {} cannot be read",
            path.display()
        )),
        "{told}"
    );

    replace(&path, &world.simulator.issue_token("ajeone"));
    tokio::time::sleep(Duration::from_secs(6)).await;
    client.get_operation(&operation()).await.expect("the file came");

    std::fs::write(&path, "").expect("written");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(6)).await;
        client
            .get_operation(&operation())
            .await
            .expect("the token read before");
    }
    assert!(world.instruments.iam_token_refresh_failures_total.get() > 5);

    world.simulator.revoke_tokens();
    replace(&path, &world.simulator.issue_token("ajetwo"));
    tokio::time::sleep(Duration::from_secs(6)).await;
    client
        .get_operation(&operation())
        .await
        .expect("read at once, since the old one was refused");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_is_a_line_a_minute_and_no_line_has_a_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    // While there is one subscriber only, tracing asks the thread that first reaches a line whether it is wanted, and
    // that may be the thread of another test.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = crate::support::heard_by(subscriber);
    let world = World::guarded();
    let client = world.client();
    client.get_operation(&operation()).await.expect("answered");
    world.simulator.revoke_tokens();
    world.refuse("IamTokenService/Create", Code::Unavailable, "down", None);
    for _ in 0..300 {
        client
            .get_operation(&operation())
            .await
            .expect_err("the token was revoked");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let text = String::from_utf8(log.0.lock().expect("not poisoned").clone()).expect("text");
    let warnings = text.lines().filter(|line| line.contains("WARN")).count();
    assert!((4..=6).contains(&warnings), "{warnings} warnings in five minutes");
    assert!(text.contains("an IAM token was read"), "debug lines are there");
    for secret in ["Bearer", "t1.", "eyJ"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
