//! What is told to anyone: of all that the API may say, only what is listed reaches `/metrics`, the JSON API, the log
//! at debug level, or a person at a terminal.

use crate::canary::{Canary, SHOWN};
use crate::support::World;
use datasphere_exporter::metrics::{Exposition, Format, FormatKind, Settings};
use datasphere_exporter::model::Labels;
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::web;
use prost::Message;
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
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
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
