//! What counters and histograms name for following up: the trace of what they counted last.

use crate::metrics::{families, label, settings, text};
use crate::scene;
use datasphere_exporter::metrics::FormatKind;
use datasphere_exporter::model::{
    Decoded, Gaps, Input, JobSnapshot, JobStatus, Labels, Look, LookAnswer, Sighting, Source, Target, Text,
    View,
};
use datasphere_exporter::tracker::{self, TraceSettings, Tracker};
use std::collections::BTreeSet;

/// A view of one job that ended at once and was traced.
fn traced_view() -> View {
    let mut tracker = Tracker::new(tracker::Settings {
        traces: Some(TraceSettings::default()),
        ..tracker::Settings::default()
    });
    let target = Target::Job("bt1job".parse().unwrap());
    let sighting = Sighting {
        target: target.clone(),
        source: Source::Config,
        labels: Labels::default(),
        trace_context: None,
    };
    let job = JobSnapshot {
        id: "bt1job".parse().unwrap(),
        project_id: Some(scene::project_id()),
        name: Text::non_empty("train"),
        parent_job_id: None,
        created_by: None,
        status: JobStatus::Success,
        status_details: None,
        created_at: Some(scene::at(scene::NOW - 90)),
        started_at: Some(scene::at(scene::NOW - 80)),
        finished_at: Some(scene::at(scene::NOW - 40)),
        data_expires_at: None,
        data_cleared: false,
        instance_type: None,
        data_size_bytes: None,
    };
    let answer = Decoded {
        value: job,
        gaps: Gaps::default(),
    };
    let look = Look {
        target,
        asked_at: scene::now(),
        answer: Ok(LookAnswer::Job(Box::new(answer))),
    };
    tracker.apply(Input::Sighted(sighting), scene::now());
    tracker.apply(Input::Looked(look), scene::now());
    tracker.view()
}

#[test]
fn a_counter_names_the_trace_of_the_newest_end_in_openmetrics_and_protobuf_and_nowhere_else() {
    let view = traced_view();
    let trace = view.operations.iter().next().unwrap().trace.clone().unwrap();
    let (trace_id, span_id) = (trace.trace_id.to_string(), trace.root_id.to_string());
    let labels = format!("{{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}}");

    let open_metrics = text(FormatKind::OpenMetrics, view.clone(), &settings());
    let with_exemplar: Vec<(&str, &str)> = open_metrics
        .lines()
        .filter_map(|line| line.split_once(" # "))
        .collect();
    let named: BTreeSet<&str> = with_exemplar
        .iter()
        .map(|(sample, _)| sample.split('{').next().unwrap())
        .collect();
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        [
            "datasphere_job_duration_seconds_bucket",
            "datasphere_operation_duration_seconds_bucket",
            "datasphere_operations_finished_total",
        ]
    );
    for (sample, exemplar) in with_exemplar {
        assert!(exemplar.starts_with(&labels), "{exemplar}");
        assert!(exemplar.ends_with(&format!(" {}", scene::NOW)), "{exemplar}");
        assert!(!sample.contains("trace_id"));
    }
    let label_chars = "trace_id".len() + trace_id.len() + "span_id".len() + span_id.len();
    assert!(
        label_chars <= 128,
        "OpenMetrics allows 128 characters, here are {label_chars}"
    );

    let shown = families(view.clone(), &settings());
    let finished = shown
        .iter()
        .find(|family| family.name() == "datasphere_operations_finished_total")
        .unwrap();
    let exemplars: Vec<_> = finished
        .metric
        .iter()
        .filter_map(|metric| metric.counter.as_ref()?.exemplar.as_ref())
        .collect();
    assert_eq!(exemplars.len(), 1);
    let pairs: Vec<_> = exemplars[0]
        .label
        .iter()
        .map(|pair| (pair.name(), pair.value()))
        .collect();
    assert_eq!(
        pairs,
        [("trace_id", trace_id.as_str()), ("span_id", span_id.as_str())]
    );
    assert_eq!(exemplars[0].timestamp.unwrap().seconds, scene::NOW);

    let plain = text(FormatKind::Text, view, &settings());
    assert!(!plain.contains(" # "));
    assert_eq!(label(&plain, "datasphere_job_info", "trace_id"), trace_id);
}
