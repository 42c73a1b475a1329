//! One exposition: chunks of bytes, each rendered when it is asked for.

use crate::catalogue::{Instruments, Metric};
use crate::clock::Timestamp;
use crate::metrics::buffer::{Buffer, Tally};
use crate::metrics::negotiation::{Format, FormatKind};
use crate::metrics::protobuf::Protobuf;
use crate::metrics::run::Presence;
use crate::metrics::sink::{AllowedLabel, Family, Place, Scene, Sink};
use crate::metrics::text::Text;
use crate::metrics::{Settings, exporter, fleet, run};
use crate::model::View;
use bytes::Bytes;
use std::sync::Arc;

/// The text of one scrape, as an iterator over its chunks.
///
/// It holds the view, which others go on sharing, and one chunk; a chunk's memory is used again once its
/// reader has dropped it.
pub struct Exposition {
    scene: Scene,
    encoder: Encoder,
    position: Position,
    ended: bool,
}

/// Where the next chunk goes on.
#[derive(Default)]
struct Position {
    family: usize,
    place: Place,
}

enum Encoder {
    Text(Box<Text>),
    Protobuf(Box<Protobuf<Buffer>>),
}

impl Exposition {
    /// Everything that is known at `now`, in this format.
    pub fn new(
        format: Format,
        view: Arc<View>,
        instruments: &Instruments,
        now: Timestamp,
        settings: &Settings,
    ) -> Self {
        let encoder = match format.kind {
            FormatKind::Text | FormatKind::Text1 => Encoder::Text(Box::new(Text::new(false))),
            FormatKind::OpenMetrics => Encoder::Text(Box::new(Text::new(true))),
            FormatKind::Protobuf => Encoder::Protobuf(Box::default()),
        };
        let scene = Scene {
            projects: view.projects.values().map(Arc::clone).collect(),
            presence: if settings.per_run {
                Presence::of(&view.operations)
            } else {
                Presence::default()
            },
            view,
            gathered: instruments.registry().gather(),
            labels: AllowedLabel::list(&settings.labels),
            settings: settings.clone(),
            now,
        };
        Self {
            scene,
            encoder,
            position: Position::default(),
            ended: false,
        }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        self.ended = match &mut self.encoder {
            Encoder::Text(text) => {
                text.out.prepare();
                self.position.fill_text(&self.scene, text)
            }
            Encoder::Protobuf(protobuf) => {
                protobuf.out.prepare();
                self.position.fill_protobuf(&self.scene, protobuf)
            }
        };
        match &mut self.encoder {
            Encoder::Text(text) => text.out.take(),
            Encoder::Protobuf(protobuf) => protobuf.out.take(),
        }
    }
}

impl Position {
    /// Fills a chunk of text; whether it was the last.
    fn fill_text(&mut self, scene: &Scene, text: &mut Text) -> bool {
        while let Some(step) = Step::at(self.family, scene) {
            if self.place == Place::default() {
                text.begin(step.metric());
            }
            if self.go_on(&step, scene, text) {
                return false;
            }
        }
        text.end();
        true
    }

    /// Fills a chunk of protobuf; whether it was the last.
    fn fill_protobuf(&mut self, scene: &Scene, protobuf: &mut Protobuf<Buffer>) -> bool {
        while let Some(step) = Step::at(self.family, scene) {
            if self.place == Place::default() {
                let size = family_size(self.family, scene);
                if size == 0 {
                    self.family += 1;
                    continue;
                }
                protobuf.begin(step.metric());
                protobuf.head(step.metric(), size);
            }
            if self.go_on(&step, scene, protobuf) {
                return false;
            }
        }
        true
    }

    /// Writes the rest of a family, or of the chunk; whether the chunk is full.
    fn go_on<S: Sink>(&mut self, step: &Step<'_, S>, scene: &Scene, sink: &mut S) -> bool {
        let next = step.write(scene, self.place, sink);
        self.place = next.unwrap_or_default();
        self.family += usize::from(next.is_none());
        next.is_some()
    }
}

/// One family of an exposition.
enum Step<'a, S> {
    Own(Family<S>),
    Gathered(&'static Metric, &'a prometheus::proto::MetricFamily),
}

impl<'a, S: Sink> Step<'a, S> {
    /// The family at a place in the order of the exposition: fleet, runs, the exporter itself.
    fn at(place: usize, scene: &'a Scene) -> Option<Self> {
        let runs = run::families().into_iter().filter(|_| scene.settings.per_run);
        let own = fleet::families()
            .into_iter()
            .chain(runs)
            .chain(exporter::families());
        let declared = |family| Some(Step::Gathered(exporter::declared(family)?, family));
        let gathered = scene.gathered.iter().filter_map(declared);
        own.map(Step::Own).chain(gathered).nth(place)
    }

    fn metric(&self) -> &'static Metric {
        match self {
            Self::Own((metric, _)) | Self::Gathered(metric, _) => metric,
        }
    }

    fn write(&self, scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
        match self {
            Self::Own((_, write)) => write(scene, from, sink),
            Self::Gathered(metric, family) => exporter::gathered(metric, family, from, sink),
        }
    }
}

/// How many bytes the metrics of a family take in protobuf.
fn family_size(family: usize, scene: &Scene) -> usize {
    let mut sizes = Protobuf::<Tally>::default();
    if let Some(step) = Step::at(family, scene) {
        sizes.begin(step.metric());
        step.write(scene, Place::default(), &mut sizes);
    }
    sizes.out.0
}
