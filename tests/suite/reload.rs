//! Another configuration for an exporter that runs: the whole process, on real sockets.

use crate::collector::Collector;
use crate::simulated::{Bound, http};
use crate::support::{finished, jobs, project, row};
use datasphere_exporter::app::{self, App, Ended};
use datasphere_exporter::config::{Config, ConfigError, Flags};
use datasphere_exporter::delivery::OwnTraces;
use datasphere_exporter::flow::{Lifecycle, ViewReader};
use datasphere_exporter::model::{JobStatus, OutcomeKind, View};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The longest a test waits for anything; what never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// Two projects with a job each: one that is held for a while, and one that runs for ever.
const SCENARIO: &str = "\
speed: 60
communities:
  - name: c
    id: c
    projects:
      - name: vision
        id: vision
        unit_balance: 1000
        jobs: [ { name: train-1, id: j-vision, timeline: [ { status: EXECUTING, lasts: 12m } ] } ]
      - name: speech
        id: speech
        unit_balance: 500
        jobs: [ { name: train-2, id: j-speech, timeline: [ { status: EXECUTING, lasts: 100d } ] } ]
";

/// An exporter whose configuration is what the test says last.
struct Exporter {
    file: Arc<Mutex<String>>,
    folder: TempDir,
    web: SocketAddr,
    views: ViewReader,
    lifecycle: Lifecycle,
    running: JoinSet<Ended>,
    simulator: Bound,
    /// Of the exporter itself, where it traces itself.
    own: Option<OwnTraces>,
}

impl Exporter {
    /// `watch` is a section, and `rest` whatever else.
    async fn start(watch: &str, rest: &str) -> Self {
        Self::start_at(Bound::start(SCENARIO).await, watch, rest).await
    }

    async fn start_at(simulator: Bound, watch: &str, rest: &str) -> Self {
        let file = Arc::new(Mutex::new(yaml(simulator.grpc, watch, rest)));
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("exporter.yaml");
        let load = {
            let file = Arc::clone(&file);
            move || read(&path, &file.lock().expect("not poisoned"))
        };
        let config = load().expect("a configuration");
        let own = config.delivery.as_ref().and_then(|delivery| delivery.own.clone());
        let app = App::bind(config).await;
        let app = app.expect("free ports").reloading_by(Arc::new(load));
        let (web, views, lifecycle) = (app.addresses()[0], app.views(), app.lifecycle());
        let mut running = JoinSet::new();
        running.spawn(async move { app.run(CancellationToken::new()).await.expect("ends when asked") });
        Self {
            file,
            folder,
            web,
            views,
            lifecycle,
            running,
            simulator,
            own,
        }
    }

    fn say(&self, watch: &str, rest: &str) {
        *self.file.lock().expect("not poisoned") = yaml(self.simulator.grpc, watch, rest);
    }

    async fn reload(&self, watch: &str, rest: &str) -> Result<(), String> {
        self.say(watch, rest);
        self.lifecycle.reload().await
    }

    /// Reloads what must be good.
    async fn take(&self, watch: &str, rest: &str) {
        self.reload(watch, rest).await.expect("a good configuration");
    }

    async fn until(&mut self, what: &str, shows: impl Fn(&View) -> bool) {
        let seen = timeout(PATIENCE, async {
            while !shows(&self.views.view()) {
                assert!(self.views.changed().await, "the engine ended before {what}");
            }
        });
        assert!(seen.await.is_ok(), "{what} never came");
    }

    async fn metrics(&self) -> String {
        http("GET /metrics HTTP/1.1", self.web).await.1
    }

    /// Ends it, and waits for that.
    async fn quit(mut self) -> Ended {
        self.lifecycle.quit();
        self.ended().await
    }

    async fn ended(&mut self) -> Ended {
        let ended = timeout(PATIENCE, self.running.join_next()).await;
        ended.expect("in time").expect("it runs").expect("no panic")
    }
}

fn yaml(cloud: SocketAddr, watch: &str, rest: &str) -> String {
    format!(
        "cloud: {{ endpoint: '{cloud}', tls: {{ enabled: false }}, auth: {{ anonymous: {{}} }} }}\n\
         watch: {{ interval: 1s, interval_max: 2s, list_interval: 1s, balance_interval: 1s, {watch} }}\n\
         storage: {{ path: '' }}\n{rest}\n"
    )
}

/// As a file of this text would be read.
fn read(path: &Path, text: &str) -> Result<Config, ConfigError> {
    std::fs::write(path, text).expect("a folder to write to");
    let flags = Flags {
        web_listen_address: vec!["127.0.0.1:0".to_owned()],
        web_enable_lifecycle: Some("true".to_owned()),
        ..Flags::default()
    };
    Config::load(Some(path), &flags, |_| None)
}

fn runs(view: &View, project_id: &str) -> bool {
    jobs(view, project_id, JobStatus::Executing) == 1
}

#[tokio::test]
async fn a_reload_follows_what_is_named_now_and_follows_to_its_end_what_is_not() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    exporter
        .until("the first project", |view| {
            runs(view, "vision")
                && project(view, "vision").is_some_and(|project| project.unit_balance.is_some())
        })
        .await;
    exporter.take("projects: [speech]", "").await;
    exporter
        .until("the second project", |view| {
            let first = project(view, "vision").expect("it has counters");
            runs(view, "speech") && !first.followed && first.unit_balance.is_none()
        })
        .await;
    exporter
        .until("the end of a job of the first", |view| {
            finished(view, "vision", OutcomeKind::Success) == 1
        })
        .await;
    assert_eq!(exporter.quit().await, Ended::Well);
}

#[tokio::test]
async fn a_reload_that_drops_a_community_drops_its_projects() {
    let mut exporter = Exporter::start("communities: [c]", "").await;
    exporter
        .until("both projects", |view| {
            runs(view, "vision") && runs(view, "speech")
        })
        .await;
    exporter.take("projects: [speech]", "").await;
    exporter
        .until("the project that is left", |view| {
            let followed = |id| project(view, id).is_some_and(|project| project.followed);
            followed("speech") && !followed("vision")
        })
        .await;
}

#[tokio::test]
async fn a_reload_from_a_transport_without_jobs_to_one_with_them_finds_them() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    let grpc = yaml(exporter.simulator.grpc, "projects: [vision]", "");
    let rest = grpc.replace("tls:", "transport: rest, tls:");
    *exporter.file.lock().expect("not poisoned") = rest.replace("[vision]", "[speech]");
    exporter.lifecycle.reload().await.expect("a good configuration");
    exporter
        .until("the balance by REST", |view| {
            project(view, "speech").is_some_and(|project| project.unit_balance.is_some())
        })
        .await;
    assert!(!runs(&exporter.views.view(), "speech"));
    *exporter.file.lock().expect("not poisoned") = grpc.replace("[vision]", "[speech]");
    exporter.lifecycle.reload().await.expect("a good configuration");
    exporter
        .until("its job by gRPC", |view| runs(view, "speech"))
        .await;
}

#[tokio::test]
async fn a_community_that_refuses_keeps_no_project_followed_that_was_dropped() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    exporter.until("the project", |view| runs(view, "vision")).await;
    exporter.take("communities: [nowhere]", "").await;
    exporter
        .until("the end of its job", |view| {
            finished(view, "vision", OutcomeKind::Success) == 1
        })
        .await;
}

#[tokio::test]
async fn a_bad_configuration_is_told_as_a_check_tells_it_and_changes_nothing() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    exporter.until("the project", |view| runs(view, "vision")).await;
    let good = exporter.metrics().await;
    assert!(good.contains("datasphere_exporter_config_last_reload_successful 1"));
    let key = exporter.folder.path().join("key.json");
    std::fs::write(&key, "{}").expect("written");
    let cases = [
        ("projects: [speech], intervall: 1s".to_owned(), ""),
        (
            "projects: [speech]".to_owned(),
            "gateway: { listen_address: ':0', tls: { cert_file: exporter.yaml, key_file: key.json } }",
        ),
        (
            "projects: [speech]".to_owned(),
            "traces: { endpoint: 'http://[' }",
        ),
    ];
    for (watch, rest) in cases {
        let told = exporter
            .reload(&watch, rest)
            .await
            .expect_err("a bad configuration");
        let checked = match read(
            &exporter.folder.path().join("exporter.yaml"),
            &yaml(exporter.simulator.grpc, &watch, rest),
        ) {
            Ok(config) => app::line(&app::check(&config).await.expect_err("a bad configuration")),
            Err(error) => app::line(&error),
        };
        assert_eq!(told, checked);
        let now = exporter.metrics().await;
        assert!(now.contains("datasphere_exporter_config_last_reload_successful 0"));
        assert!(project(&exporter.views.view(), "speech").is_none());
    }
    exporter.take("projects: [vision, speech]", "").await;
    let now = exporter.metrics().await;
    assert!(now.contains("datasphere_exporter_config_last_reload_successful 1"));
}

#[tokio::test]
async fn labels_limits_and_thresholds_of_a_reload_are_shown_by_the_next_scrape() {
    let operations = "operations: [ { id: bt1op, labels: { team: nlp } } ]";
    let mut exporter = Exporter::start(operations, "thresholds: { progress_stalled: 30m }").await;
    exporter
        .until("the operation", |view| row(view, "bt1op").is_some())
        .await;
    let before = exporter.metrics().await;
    assert!(
        before.contains("datasphere_exporter_tracked_operations_limit 100000\n"),
        "{before}"
    );
    exporter
        .take(
            &format!("{operations}, tracked_max: 5"),
            "metrics: { labels: [team] }\nthresholds: { progress_stalled: 10m }",
        )
        .await;
    let after = exporter.metrics().await;
    assert!(
        after.contains("datasphere_exporter_tracked_operations_limit 5\n"),
        "{after}"
    );
    assert!(
        after.contains("datasphere_exporter_progress_stalled_threshold_seconds 600\n"),
        "{after}"
    );
}

#[tokio::test]
async fn reloading_and_ending_over_http_are_off_until_they_are_asked_for() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    for method in ["POST", "PUT"] {
        let (status, body) = http(&format!("{method} /-/reload HTTP/1.1"), exporter.web).await;
        assert_eq!(
            (status, body.as_str()),
            (200, "The configuration was reloaded.\n")
        );
    }
    exporter.say("nonsense: 1", "");
    let (status, body) = http("POST /-/reload HTTP/1.1", exporter.web).await;
    assert_eq!(status, 500);
    assert!(
        body.contains("nonsense") && body.contains("stays in effect"),
        "{body}"
    );
    let (status, _) = http("GET /-/reload HTTP/1.1", exporter.web).await;
    assert_eq!(status, 405);
    let (status, _) = http("POST /-/quit HTTP/1.1", exporter.web).await;
    assert_eq!(status, 200);
    assert_eq!(exporter.ended().await, Ended::Well);
}

#[tokio::test]
async fn a_storm_of_reloads_costs_no_scrape() {
    let mut exporter = Exporter::start("communities: [c]", "").await;
    exporter
        .until("both projects", |view| {
            runs(view, "vision") && runs(view, "speech")
        })
        .await;
    for turn in 0..20 {
        let watch = ["projects: [vision, speech]", "communities: [c]"][turn % 2];
        let (reloaded, scraped) = tokio::join!(exporter.reload(watch, ""), exporter.metrics());
        reloaded.expect("a good configuration");
        assert!(
            scraped.contains("datasphere_operations{project_id=\"vision\""),
            "{scraped}"
        );
    }
}

#[expect(
    clippy::await_holding_lock,
    reason = "whoever loads waits for it, as for a file system that hangs"
)]
#[tokio::test]
async fn a_file_without_an_end_or_on_a_file_system_that_hangs_fails_its_reload_alone() {
    let watch = "projects: [speech]";
    let exporter = Exporter::start(watch, "").await;
    let text = yaml(exporter.simulator.grpc, watch, "")
        .replace("tls: { enabled: false }", "tls: { ca_file: /dev/zero }");
    *exporter.file.lock().expect("not poisoned") = text;
    let told = exporter.lifecycle.reload().await.expect_err("it has no end");
    assert!(
        told.contains("/dev/zero") && told.contains("larger than"),
        "{told}"
    );

    exporter.say(watch, "");
    let hanging = exporter.file.lock().expect("not poisoned");
    let (reloaded, scrape) = tokio::join!(exporter.lifecycle.reload(), exporter.metrics());
    assert!(scrape.contains("datasphere_exporter_build_info"), "{scrape}");
    let told = reloaded.expect_err("it hangs");
    assert!(told.contains("within 10 s"), "{told}");
    drop(hanging);
    let reloaded = exporter.lifecycle.reload().await;
    reloaded.expect("nothing hangs any more");
    assert_eq!(exporter.quit().await, Ended::Well);
}

#[tokio::test]
async fn the_answer_to_a_reload_comes_when_all_of_it_is_in_place() {
    let mut exporter = Exporter::start("operations: [ { id: bt1op, labels: { team: nlp } } ]", "").await;
    let labels = |view: &View| row(view, "bt1op").map(|row| row.about.labels.len());
    exporter.until("the label", |view| labels(view) == Some(1)).await;
    for turn in 0..5 {
        exporter.take("operations: [ bt1op, bt1other ]", "").await;
        let view = exporter.views.view();
        assert_eq!(labels(&view), Some(0), "turn {turn}");
        assert!(row(&view, "bt1other").is_some());
        exporter
            .take("operations: [ { id: bt1op, labels: { team: nlp } } ]", "")
            .await;
        let view = exporter.views.view();
        assert_eq!(labels(&view), Some(1), "turn {turn}");
        assert!(row(&view, "bt1other").is_none());
    }
}

#[tokio::test]
async fn a_process_that_is_ready_stays_so_over_a_reload() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    exporter.until("the project", |view| runs(view, "vision")).await;
    let ready = async |exporter: &Exporter| http("GET /-/ready HTTP/1.1", exporter.web).await.0;
    let patience = timeout(PATIENCE, async {
        while ready(&exporter).await != 200 {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("it becomes ready");
    for watch in ["projects: [vision, nowhere]", "communities: [c, nowhere]"] {
        exporter.take(watch, "").await;
        assert_eq!(ready(&exporter).await, 200, "{watch}");
    }
}

#[tokio::test]
async fn rules_for_the_names_of_jobs_hold_for_jobs_that_come_after_a_reload() {
    let mut exporter = Exporter::start("projects: [vision]", "").await;
    exporter.until("the project", |view| runs(view, "vision")).await;
    let rules = "metrics: { job_names: { rewrite: [ { regex: '^.*$', replacement: 'any' } ] } }";
    exporter.take("projects: [vision, speech]", rules).await;
    exporter
        .until("the other project", |view| runs(view, "speech"))
        .await;
    let view = exporter.views.view();
    let name = |id: &str| {
        let row = view
            .operations
            .iter()
            .find(|row| row.job_id.as_ref().is_some_and(|job| job.as_str() == id));
        row.and_then(|row| row.about.job_name.as_deref())
            .map(str::to_owned)
    };
    assert_eq!(name("j-speech").as_deref(), Some("any"));
    assert_ne!(name("j-vision").as_deref(), Some("any"), "it keeps its name");
}

#[tokio::test]
async fn a_new_token_file_is_used_by_the_next_call() {
    let simulator = Bound::start(&format!(
        "auth: {{ required: true, tokens: [t1.second] }}\n{SCENARIO}"
    ))
    .await;
    let mut exporter = Exporter::start_at(simulator, "projects: [vision]", "").await;
    for (name, token) in [("first", "t1.first"), ("second", "t1.second")] {
        std::fs::write(exporter.folder.path().join(name), token).expect("written");
    }
    let with = |file: &str| {
        yaml(exporter.simulator.grpc, "projects: [vision]", "")
            .replace("anonymous: {}", &format!("iam_token_file: {file}"))
    };
    let (first, second) = (with("first"), with("second"));
    *exporter.file.lock().expect("not poisoned") = first;
    exporter.lifecycle.reload().await.expect("a good configuration");
    assert!(!runs(&exporter.views.view(), "vision"));
    *exporter.file.lock().expect("not poisoned") = second;
    exporter.lifecycle.reload().await.expect("a good configuration");
    exporter.until("its job", |view| runs(view, "vision")).await;
}

#[tokio::test]
async fn traces_go_to_the_collector_that_a_reload_names_and_so_do_the_exporters_own() {
    let (first, second) = (Collector::start().await, Collector::start().await);
    let to = |collector: &Collector| {
        format!(
            "traces: {{ endpoint: '{}', protocol: http/protobuf, self: {{ enabled: true, ratio: 1 }} }}",
            collector.url()
        )
    };
    let mut exporter = Exporter::start("projects: [vision]", &to(&first)).await;
    let own = exporter.own.clone().expect("it traces itself");
    let _guard = tracing_subscriber::registry().with(own.layer()).set_default();
    first.until_of("datasphere-exporter/self").await;
    first.until_of("datasphere-exporter/jobs").await;
    exporter.take("projects: [vision]", "").await;
    let shown = exporter.metrics().await;
    assert!(!shown.contains("\ndatasphere_exporter_otlp_up "), "nobody sends");
    exporter.take("projects: [speech]", &to(&second)).await;
    second.until_of("datasphere-exporter/self").await;
    second.until_of("datasphere-exporter/jobs").await;
    let shown = exporter.metrics().await;
    assert!(shown.contains("\ndatasphere_exporter_otlp_up 1"), "{shown}");
    exporter.until("its job", |view| runs(view, "speech")).await;
    assert_eq!(exporter.quit().await, Ended::Well);
}
