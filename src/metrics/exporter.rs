//! The exporter about itself: what the tracker and the settings tell, and what its instruments gathered.

use crate::catalogue::{Metric, Tier, Type, exporter, find};
use crate::metrics::fleet;
use crate::metrics::number::Number;
use crate::metrics::sink::{Family, Label, Observations, Place, Scene, Sink, UserLabels, each};
use crate::model::{Dropped, Exemplar, Histogram, Kind, Project, ProjectId, ProjectScope, Unreadable};
use prometheus::proto;
use std::time::Duration;

/// The families that are not in the registry.
pub(super) fn families<S: Sink>() -> [Family<S>; 14] {
    [
        (&exporter::LAST_SUCCESS, last_success),
        (&exporter::POLL_LAG, poll_lag),
        (&exporter::POLL_INTERVAL, poll_interval),
        (&exporter::OPERATIONS_UNREADABLE, operations_unreadable),
        (&exporter::TRACKED_OPERATIONS, tracked_operations),
        (&exporter::TRACKED_OPERATIONS_LIMIT, |scene, _, sink| {
            one(sink, scene.settings.tracked_max)
        }),
        (&exporter::OPERATIONS_DROPPED, operations_dropped),
        (&exporter::LABEL_OVERFLOWS, label_overflows),
        (&exporter::SERIES, series),
        (&exporter::SERIES_LIMIT, |scene, _, sink| {
            one(sink, scene.settings.series_max)
        }),
        (&exporter::STUCK_THRESHOLD, stuck_threshold),
        (&exporter::PROGRESS_STALLED_THRESHOLD, |scene, _, sink| {
            one(sink, scene.settings.thresholds.progress_stalled)
        }),
        (&exporter::UNIT_BALANCE_WARNING, |scene, _, sink| {
            one(sink, scene.settings.thresholds.unit_balance_warning)
        }),
        (&exporter::DATA_EXPIRY_WARNING, |scene, _, sink| {
            one(sink, scene.settings.thresholds.data_expiry_warning)
        }),
    ]
}

/// The declaration of a gathered family; what is not declared is not shown.
pub(super) fn declared(family: &proto::MetricFamily) -> Option<&'static Metric> {
    find(family.name()).filter(|metric| metric.tier == Tier::Exporter)
}

/// Writes a family of the registry.
pub(super) fn gathered<S: Sink>(
    metric: &Metric,
    family: &proto::MetricFamily,
    from: Place,
    sink: &mut S,
) -> Option<Place> {
    let part = each(family.get_metric().iter(), from.part, sink, |sink, series| {
        let value = |name: &&str| {
            let pair = series.get_label().iter().find(|pair| pair.name() == *name);
            Label::Text(pair.map_or("", proto::LabelPair::value))
        };
        let labels: Vec<Label<'_>> = metric.labels.iter().map(value).collect();
        match metric.metric_type {
            Type::Counter => sink.sample(&labels, series.get_counter().get_value()),
            Type::Gauge => sink.sample(&labels, series.get_gauge().get_value()),
            Type::Histogram => sink.histogram(&labels, series.get_histogram()),
        }
    })?;
    Some(Place { row: 0, part })
}

impl Observations for proto::Histogram {
    fn count(&self) -> u64 {
        self.get_sample_count()
    }

    fn sum(&self) -> f64 {
        self.get_sample_sum()
    }

    fn classic(&self) -> impl Iterator<Item = (f64, u64, Option<&Exemplar>)> {
        let finite = self
            .get_bucket()
            .iter()
            .filter(|bucket| bucket.upper_bound().is_finite());
        finite
            .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count(), None))
            .chain([(f64::INFINITY, self.get_sample_count(), None)])
    }

    fn native(&self) -> Option<&Histogram> {
        None
    }
}

/// The only sample of a family.
fn one<S: Sink>(sink: &mut S, value: impl Number) -> Option<Place> {
    sink.sample(&[], value);
    None
}

/// A closed set of samples with one label: too few to pause among them.
fn closed<S: Sink, N: Number>(
    sink: &mut S,
    samples: impl IntoIterator<Item = (&'static str, N)>,
) -> Option<Place> {
    for (label, value) in samples {
        sink.sample(&[Label::Word(label)], value);
    }
    None
}

fn last_success<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    let told = |(row, project): (usize, &Project), sink: &mut S| {
        let id = Label::Word(project.id.as_ref().map_or("", ProjectId::as_str));
        for (scope, at) in &project.last_success_at {
            sink.sample(&[id, Label::Word(scope.label())], *at);
        }
        sink.is_full().then_some(Place {
            row: row + 1,
            part: 0,
        })
    };
    let projects = scene.projects.iter().map(|project| &**project);
    projects
        .enumerate()
        .skip(from.row)
        .find_map(|project| told(project, sink))
}

fn poll_lag<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let due_at = scene.view.tracker.earliest_due_at;
    one(
        sink,
        due_at.map_or(Duration::ZERO, |due_at| scene.now.since(due_at)),
    )
}

fn poll_interval<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let intervals = &scene.settings.poll_intervals;
    closed(
        sink,
        intervals
            .iter()
            .map(|(scope, interval)| (ProjectScope::label(*scope), *interval)),
    )
}

fn operations_unreadable<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let unreadable = &scene.view.tracker.unreadable;
    let count = |reason: Unreadable| unreadable.get(&reason).copied().unwrap_or(0);
    closed(
        sink,
        Unreadable::ALL.map(|reason| (reason.label(), count(reason))),
    )
}

fn tracked_operations<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let count = |kind: Kind| scene.view.tracker.tracked.get(&kind).copied().unwrap_or(0);
    closed(sink, Kind::ALL.map(|kind| (kind.label(), count(kind))))
}

fn operations_dropped<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let dropped = &scene.view.tracker.dropped_total;
    let count = |reason: Dropped| dropped.get(&reason).copied().unwrap_or(0);
    closed(sink, Dropped::ALL.map(|reason| (reason.label(), count(reason))))
}

fn label_overflows<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let tracker = &scene.view.tracker;
    let by_label = [
        ("job_name", tracker.job_name_overflows_total),
        ("code", tracker.code_overflows_total),
        ("project_id", tracker.project_overflows_total),
    ];
    closed(sink, by_label)
}

fn series<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let run = if scene.settings.per_run {
        scene.view.tracker.run_series
    } else {
        0
    };
    closed(
        sink,
        [
            (Tier::Fleet.label(), fleet_series(scene)),
            (Tier::Run.label(), run),
        ],
    )
}

fn stuck_threshold<S: Sink>(scene: &Scene, _: Place, sink: &mut S) -> Option<Place> {
    let stuck = &scene.settings.thresholds.stuck;
    closed(
        sink,
        stuck
            .iter()
            .map(|(status, threshold)| (status.label(), *threshold)),
    )
}

/// The series of the fleet tier, by walking it without writing.
fn fleet_series(scene: &Scene) -> u64 {
    let mut count = Count(0);
    for (_, write) in fleet::families::<Count>() {
        write(scene, Place::default(), &mut count);
    }
    count.0
}

/// Counts series as a server stores them, classic histograms by their lines.
struct Count(u64);

impl Sink for Count {
    fn begin(&mut self, _: &'static Metric) {}

    fn sample(&mut self, _: &[Label<'_>], _: impl Number) {
        self.0 += 1;
    }

    fn row(&mut self, _: [&str; 2]) {}

    fn row_sample(&mut self, _: Option<&str>, _: impl Number) {
        self.0 += 1;
    }

    fn row_info(&mut self, _: &[Label<'_>], _: UserLabels<'_>) {
        self.0 += 1;
    }

    fn counter(&mut self, _: &[Label<'_>], _: u64, _: Option<&Exemplar>) {
        self.0 += 1;
    }

    fn histogram(&mut self, _: &[Label<'_>], histogram: &impl Observations) {
        let sum_and_count = 2;
        self.0 += u64::try_from(histogram.classic().count()).unwrap_or(0) + sum_and_count;
    }

    fn is_full(&self) -> bool {
        false
    }
}
