//! What is told to anyone: of all that the API may say, only what is listed reaches `/metrics`, the JSON API, the log
//! at debug level, or a person at a terminal.

use crate::canary::{Canary, SHOWN};
use crate::support::World;
use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::cloud::Transport;
use datasphere_exporter::decode;
use datasphere_exporter::metrics::{Exposition, Format, FormatKind, Settings};
use datasphere_exporter::model::{
    Event, Input, JobId, JobStatus, Labels, Look, LookAnswer, Sighting, Source, Target,
};
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::traces::Encoder;
use datasphere_exporter::tracker::{TraceSettings, Tracker};
use datasphere_exporter::{traces, tracker, web};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn exposition(world: &World, kind: FormatKind) -> String {
    let format = Format {
        kind,
        ..Format::default()
    };
    let settings = Settings::default();
    let chunks = Exposition::new(
        format,
        world.view(),
        &world.instruments,
        world.clock.now(),
        &settings,
    );
    let bytes: Vec<u8> = chunks.flatten().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(start_paused = true)]
async fn only_listed_fields_of_the_api_reach_metrics_json_or_the_log() {
    only_listed_fields_are_shown(Transport::Grpc).await;
}

#[tokio::test(start_paused = true)]
async fn only_listed_fields_of_the_api_over_rest_reach_metrics_json_or_the_log() {
    only_listed_fields_are_shown(Transport::Rest).await;
}

/// Watches operations full of tokens, and reads everything that is told of them.
async fn only_listed_fields_are_shown(transport: Transport) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = crate::support::heard_by(subscriber);
    let mut canary = Canary::new();
    let filled = canary.operations();
    let world = World::start("{}", |setup, handle| {
        for operation in &filled {
            let answer = Operation::decode(operation.bytes.clone()).unwrap();
            handle.lay_answers_ready(&operation.id, vec![Ok(answer)]);
            setup
                .sources
                .operations
                .push((operation.id.parse().unwrap(), Labels::default()));
        }
        setup.cloud.requests_per_second = 10_000.0;
        setup.cloud.transport = transport;
    });
    world.pass(Duration::from_secs(25)).await;
    let view = world.view();
    assert!(view.operations.iter().filter(|row| row.observed).count() > 10);

    let mut texts = vec![String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned()];
    for kind in [
        FormatKind::Text,
        FormatKind::Text1,
        FormatKind::OpenMetrics,
        FormatKind::Protobuf,
    ] {
        texts.push(exposition(&world, kind));
    }
    texts.extend(
        view.operations
            .iter()
            .map(|row| web::operation_json(row).to_string()),
    );
    let mut shown = BTreeSet::new();
    for text in &texts {
        for field in canary.shown_in(text) {
            assert!(SHOWN.contains(&field), "{field} is shown");
            shown.insert(field);
        }
    }
    assert!(
        shown.contains("yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.name"),
        "{shown:?}"
    );
}

/// Fields of [`SHOWN`] that no span tells: a project is known by its id (which comes with its jobs), what a program
/// says of its progress is of the moment, and who executes a job goes before who made it.
const NOT_TOLD: &[&str] = &[
    "yandex.cloud.datasphere.v2.Project.id",
    "yandex.cloud.datasphere.v2.Project.name",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.metadata.created_by_id",
    "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata.progress.message",
];

/// What a tracker tells when it looks at `target` and is answered so.
fn look(tracker: &mut Tracker, target: Target, answer: LookAnswer, now: Timestamp) -> Vec<Event> {
    let mut events = tracker.apply(
        Input::Sighted(Sighting {
            target: target.clone(),
            source: Source::Config,
            labels: Labels::default(),
            trace_context: None,
        }),
        now,
    );
    let look = Look {
        target,
        asked_at: now,
        answer: Ok(answer),
    };
    events.extend(tracker.apply(Input::Looked(look), now));
    events
}

#[test]
fn only_listed_fields_of_the_api_reach_spans() {
    let mut canary = Canary::new();
    let filled = canary.operations();
    let [job, project] = ["jobs.Job", "Project"].map(|name| {
        let message = canary.fill(&format!("yandex.cloud.datasphere.v2.{name}"), 0);
        Bytes::from(message.encode_to_vec())
    });
    let now = Timestamp::from_seconds(1_700_000_100, 0).unwrap();
    let mut tracker = Tracker::new(tracker::Settings {
        traces: Some(TraceSettings::default()),
        ..tracker::Settings::default()
    });
    let mut events = Vec::new();
    for operation in &filled {
        let id = operation.id.parse().unwrap();
        let answer = decode::operation(&id, &operation.bytes.clone().into());
        let answer = LookAnswer::Operation(Box::new(answer));
        events.extend(look(&mut tracker, Target::Operation(id), answer, now));
    }
    let id: JobId = canary
        .token_of("yandex.cloud.datasphere.v2.jobs.Job.id")
        .parse()
        .unwrap();
    let mut job = decode::job(&id, &job.into());
    job.value.status = JobStatus::Error;
    let mut project = decode::project(&"bt1project".parse().unwrap(), &project.into()).value;
    project.id = job.value.project_id.clone().unwrap();
    tracker.apply(Input::Project(project), now);
    events.extend(look(
        &mut tracker,
        Target::Job(id),
        LookAnswer::Job(Box::new(job)),
        now,
    ));

    let spans = Encoder::new(traces::Settings::default()).encode(&events, &tracker.view().projects);
    assert!(spans.len() > filled.len());
    let bytes: Vec<u8> = spans.into_iter().flat_map(|span| span.bytes).collect();
    let text = String::from_utf8_lossy(&bytes);
    let told = canary.shown_in(&text);
    let may_be_told: BTreeSet<&str> = SHOWN
        .iter()
        .copied()
        .filter(|field| !NOT_TOLD.contains(field))
        .collect();
    let untold: Vec<_> = may_be_told.difference(&told).collect();
    let leaked: Vec<_> = told.difference(&may_be_told).collect();
    assert!(
        leaked.is_empty() && untold.is_empty(),
        "told: {leaked:#?}; listed, but not told: {untold:#?}"
    );
}
