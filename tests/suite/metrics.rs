//! The exposition as a client reads it, in every format, from one scripted view.

use crate::scene;
use bytes::Bytes;
use datasphere_exporter::catalogue::{self, Instruments};
use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::metrics::{Exposition, Format, FormatKind, Settings};
use datasphere_exporter::model::{
    About, Gap, JobName, JobStatus, Kind, OutputErrors, Project, Text, TrackedOperation, View,
};
use datasphere_exporter::proto::io::prometheus::client::{LabelPair, MetricFamily, MetricType};
use proptest::prelude::*;
use prost::Message;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn settings() -> Settings {
    Settings {
        labels: vec![SmolStr::new("team")],
        ..Settings::default()
    }
}

fn instruments() -> Instruments {
    let instruments = Instruments::new("0.1.0", "abc123", "1.95.0");
    instruments
        .api_requests_total
        .with_label_values(&["OperationService/Get", "OK"])
        .inc_by(12);
    instruments
        .api_request_duration_seconds
        .with_label_values(&["OperationService/Get"])
        .observe(0.02);
    instruments.rate_limit_requests_per_second.set(50.0);
    instruments.set_iam_token_expiry(Some(scene::at(scene::NOW + 3600)));
    instruments.set_store_up(true);
    instruments.show_outbox(3, 1200, Some(scene::at(scene::NOW - 5)));
    instruments.set_otlp_up(true);
    instruments.otlp_requests_total.with_label_values(&["OK"]).inc();
    let gateway = &instruments.gateway_requests_total;
    gateway.with_label_values(&["OperationService.Get", "OK"]).inc();
    instruments
}

fn chunks(kind: FormatKind, view: View, settings: &Settings) -> Vec<Bytes> {
    let format = Format { kind, escaping: None };
    Exposition::new(format, Arc::new(view), &instruments(), scene::now(), settings).collect()
}

pub(crate) fn text(kind: FormatKind, view: View, settings: &Settings) -> String {
    String::from_utf8(chunks(kind, view, settings).concat()).expect("UTF-8")
}

pub(crate) fn families(view: View, settings: &Settings) -> Vec<MetricFamily> {
    let bytes = chunks(FormatKind::Protobuf, view, settings).concat();
    let mut rest = &bytes[..];
    let mut families = Vec::new();
    while !rest.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut rest).expect("a family"));
    }
    families
}

/// One series: its name with its labels as text, and its value.
type Series = BTreeMap<String, f64>;

/// Every series of a text, by a parser of our own that knows nothing of the writer.
fn parsed(text: &str) -> Series {
    let mut series = Series::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let sample = line.split(" # ").next().expect("a sample");
        let (name, value) = match sample.rsplit_once("} ") {
            Some((labels, value)) => (format!("{labels}}}"), value),
            None => sample
                .split_once(' ')
                .map(|(name, value)| (name.to_owned(), value))
                .expect("a value"),
        };
        let value = value.parse().expect("a number");
        assert_eq!(series.insert(name, value), None, "twice: {line}");
    }
    series
}

/// The series that a server makes of protobuf, written as the text formats write them.
fn flattened(families: &[MetricFamily]) -> Series {
    let mut series = Series::new();
    for family in families {
        for metric in &family.metric {
            let mut labels = String::new();
            for pair in &metric.label {
                let value = pair
                    .value()
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n");
                write!(labels, ",{}=\"{value}\"", pair.name()).expect("a string takes everything");
            }
            let mut add = |suffix: &str, le: Option<f64>, value: f64| {
                let le = le.map(|le| {
                    if le.is_infinite() {
                        "+Inf".to_owned()
                    } else {
                        format!("{le:?}")
                    }
                });
                let le = le.map_or_else(String::new, |le| format!(",le=\"{le}\""));
                let inner = format!("{labels}{le}");
                let braces = inner
                    .strip_prefix(',')
                    .map_or_else(String::new, |inner| format!("{{{inner}}}"));
                series.insert(format!("{}{suffix}{braces}", family.name()), value);
            };
            match family.r#type() {
                MetricType::Counter => add("", None, metric.counter.as_ref().expect("a counter").value()),
                MetricType::Gauge => add("", None, metric.gauge.as_ref().expect("a gauge").value()),
                _ => {
                    let histogram = metric.histogram.as_ref().expect("a histogram");
                    let count = histogram.sample_count();
                    add("_count", None, f64::from(u32::try_from(count).expect("few")));
                    add("_sum", None, histogram.sample_sum());
                    for bucket in &histogram.bucket {
                        let count = f64::from(u32::try_from(bucket.cumulative_count()).expect("few"));
                        add("_bucket", Some(bucket.upper_bound()), count);
                    }
                }
            }
        }
    }
    series
}

/// What differs from run to run.
fn without_process(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains("process_"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_scene_in_text_0_0_4() {
    insta::assert_snapshot!(without_process(&text(
        FormatKind::Text,
        scene::view(),
        &settings()
    )));
}

#[test]
fn the_scene_in_openmetrics() {
    insta::assert_snapshot!(without_process(&text(
        FormatKind::OpenMetrics,
        scene::view(),
        &settings()
    )));
}

#[test]
fn text_1_0_0_differs_in_its_content_type_only() {
    let of = |kind| without_process(&text(kind, scene::view(), &settings()));
    assert_eq!(of(FormatKind::Text1), of(FormatKind::Text));
}

#[test]
fn the_scene_in_protobuf() {
    let mut printed = String::new();
    for family in families(scene::view(), &settings()) {
        if !family.name().starts_with("process_") {
            writeln!(
                printed,
                "{} {:?} {:?}",
                family.name(),
                family.r#type(),
                family.unit()
            )
            .expect("a string");
            for metric in &family.metric {
                let labels: Vec<String> = metric
                    .label
                    .iter()
                    .map(|pair| format!("{}={:?}", pair.name(), pair.value()))
                    .collect();
                writeln!(printed, "  {{{}}} {}", labels.join(", "), value(metric)).expect("a string");
            }
        }
    }
    insta::assert_snapshot!(printed);
}

fn value(metric: &datasphere_exporter::proto::io::prometheus::client::Metric) -> String {
    if let Some(gauge) = &metric.gauge {
        return format!("{:?}", gauge.value());
    }
    if let Some(counter) = &metric.counter {
        let exemplar = counter.exemplar.as_ref().map(|exemplar| format!(" {exemplar:?}"));
        return format!("{:?}{}", counter.value(), exemplar.unwrap_or_default());
    }
    let histogram = metric.histogram.as_ref().expect("a histogram");
    let mut printed = format!(
        "count {} sum {:?}",
        histogram.sample_count(),
        histogram.sample_sum()
    );
    let buckets: Vec<String> = histogram
        .bucket
        .iter()
        .map(|bucket| format!("{:?}:{}", bucket.upper_bound(), bucket.cumulative_count()))
        .collect();
    write!(printed, " classic [{}]", buckets.join(" ")).expect("a string");
    if histogram.schema.is_some() {
        let spans: Vec<String> = histogram
            .positive_span
            .iter()
            .map(|span| format!("{}+{}", span.offset(), span.length()))
            .collect();
        write!(
            printed,
            " native schema {} zero {}:{} spans [{}] deltas {:?} exemplars {}",
            histogram.schema(),
            histogram.zero_threshold(),
            histogram.zero_count(),
            spans.join(" "),
            histogram.positive_delta,
            histogram.exemplars.len(),
        )
        .expect("a string");
    }
    printed
}

#[test]
fn all_formats_tell_the_same_series_and_values() {
    let without_process = |mut series: Series| {
        series.retain(|name, _| !name.starts_with("process_"));
        series
    };
    let plain = without_process(parsed(&text(FormatKind::Text, scene::view(), &settings())));
    let open_metrics = without_process(parsed(&text(FormatKind::OpenMetrics, scene::view(), &settings())));
    let protobuf = without_process(flattened(&families(scene::view(), &settings())));
    assert_eq!(plain, open_metrics);
    assert_eq!(plain, protobuf);
    assert!(plain.len() > 400, "{} series", plain.len());
}

// Within a runtime, without which there are no tasks to count.
#[tokio::test]
async fn every_declared_metric_is_shown_and_every_shown_one_is_declared() {
    let instruments = instruments();
    instruments.config_last_reload_success_timestamp_seconds.set(1.0);
    instruments
        .http_requests_total
        .with_label_values(&["metrics", "200"])
        .inc();
    let format = Format {
        kind: FormatKind::Protobuf,
        escaping: None,
    };
    let view = Arc::new(scene::view());
    let bytes: Vec<Bytes> = Exposition::new(format, view, &instruments, scene::now(), &settings()).collect();
    let bytes = bytes.concat();
    let mut rest = &bytes[..];
    let mut shown = BTreeMap::new();
    while !rest.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut rest).expect("a family");
        assert_eq!(shown.insert(family.name().to_owned(), family), None);
    }
    for metric in catalogue::ALL.into_iter().flatten() {
        let family = shown
            .remove(metric.name)
            .unwrap_or_else(|| panic!("{} is not shown", metric.name));
        assert_eq!(family.help(), metric.help);
        assert_eq!(
            family.r#type().as_str_name().to_lowercase(),
            metric.metric_type.word()
        );
        for series in &family.metric {
            let names: Vec<&str> = series.label.iter().map(LabelPair::name).collect();
            let own = names
                .iter()
                .filter(|name| !name.starts_with(catalogue::USER_LABEL_PREFIX));
            assert!(own.eq(metric.labels), "{}: {names:?}", metric.name);
            let is_native = series
                .histogram
                .as_ref()
                .is_some_and(|histogram| histogram.schema.is_some());
            assert_eq!(is_native, metric.native, "{}", metric.name);
        }
    }
    assert!(shown.is_empty(), "{shown:?}");
}

#[test]
fn decode_gaps_start_at_zero_for_every_reason() {
    assert_eq!(Gap::ALL.map(Gap::label), catalogue::GAP_REASONS);
}

#[test]
fn run_series_can_be_switched_off() {
    let off = Settings {
        per_run: false,
        ..settings()
    };
    let off = parsed(&text(FormatKind::Text, scene::view(), &off));
    let on = parsed(&text(FormatKind::Text, scene::view(), &settings()));
    for name in off.keys() {
        assert!(
            !name.contains("job_id=") && !name.contains("operation_id="),
            "{name}"
        );
    }
    assert_eq!(whole(off["datasphere_exporter_series{tier=\"run\"}"]), 0);
    let runs = on
        .keys()
        .filter(|name| name.contains("job_id=") || name.contains("operation_id="));
    let told = on["datasphere_exporter_series{tier=\"run\"}"];
    assert_eq!(whole(told), runs.count());
    let fleet = on.keys().filter(|name| {
        let family = name.split('{').next().expect("a name");
        let stem = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| family.strip_suffix(suffix));
        catalogue::fleet::ALL
            .iter()
            .any(|metric| metric.name == family || Some(metric.name) == stem)
    });
    let told = on["datasphere_exporter_series{tier=\"fleet\"}"];
    assert_eq!(whole(told), fleet.count());
}

/// A figure as a count.
fn whole(value: f64) -> usize {
    format!("{value}").parse().expect("a whole number")
}

#[test]
fn a_chunk_stays_near_its_size_and_lines_are_never_torn() {
    let jobs = (0..5_000).map(|number| TrackedOperation {
        job_id: Some(format!("bt1job{number}").parse().expect("an id")),
        operation_id: Some(format!("bt1op{number}").parse().expect("an id")),
        ..scene::training()
    });
    for kind in [FormatKind::Text, FormatKind::OpenMetrics, FormatKind::Protobuf] {
        let chunks = chunks(kind, scene::view_of(jobs.clone()), &settings());
        assert!(chunks.len() > 50, "{}", chunks.len());
        for chunk in &chunks {
            assert!(chunk.len() < (64 << 10) + (32 << 10), "{}", chunk.len());
            assert!(kind == FormatKind::Protobuf || chunk.ends_with(b"\n"));
        }
    }
    let many = scene::view_of(jobs);
    let text = parsed(&text(FormatKind::Text, many.clone(), &settings()));
    let protobuf = flattened(&families(many, &settings()));
    assert_eq!(text.len(), protobuf.len());
}

#[test]
fn a_projects_many_job_names_are_cut_into_chunks_too() {
    let mut project = Project::new(Some(scene::project_id()), &Arc::new(scene::durations()));
    for number in 0..100 {
        let name = JobName {
            durations: Some(scene::durations()),
            ..JobName::default()
        };
        project.job_names.insert(
            SmolStr::new(format!("{}{number}", "\"".repeat(250))),
            Arc::new(name),
        );
    }
    let projects = BTreeMap::from([(project.id.clone(), Arc::new(project))]);
    let view = View {
        projects: Arc::new(projects),
        ..View::default()
    };
    let chunks = chunks(FormatKind::OpenMetrics, view.clone(), &settings());
    assert!(chunks.iter().all(|chunk| chunk.len() < (64 << 10) + (32 << 10)));
    let series = parsed(&text(FormatKind::Text, view.clone(), &settings()));
    assert_eq!(series.len(), flattened(&families(view, &settings())).len());
}

/// What must hold between two scrapes of one process.
fn check_evolution(before: &str, after: &str) {
    let types = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        lines
            .filter_map(|line| line.split_once(' '))
            .map(|(name, word)| (name.into(), word.into()))
            .collect()
    };
    let (types_before, types_after) = (types(before), types(after));
    for (family, word) in &types_before {
        assert!(
            types_after.get(family).is_none_or(|now| now == word),
            "{family} changed its type"
        );
    }
    let order = |text: &str| -> Vec<String> { parsed_in_order(text) };
    let (order_before, order_after) = (order(before), order(after));
    let kept: BTreeSet<&String> = order_after.iter().collect();
    let old = order_before.iter().filter(|name| kept.contains(name));
    let known: BTreeSet<&String> = order_before.iter().collect();
    let new = order_after.iter().filter(|name| known.contains(name));
    assert!(old.eq(new), "lines changed their order");
    let (before, after) = (parsed(before), parsed(after));
    for (name, value) in &before {
        let family = name.split('{').next().expect("a name");
        let is_counter = types_before.get(family).is_some_and(|word| word == "counter");
        let is_bucket = ["_bucket", "_count"].iter().any(|suffix| {
            let stem = family.strip_suffix(suffix);
            stem.is_some_and(|stem| types_before.get(stem).is_some_and(|word| word == "histogram"))
        });
        if is_counter || is_bucket {
            let now = after.get(name).unwrap_or_else(|| panic!("{name} has gone"));
            assert!(now >= value, "{name} went down");
        }
    }
}

fn parsed_in_order(text: &str) -> Vec<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            line.rsplit_once("} ")
                .map_or(line, |(labels, _)| labels)
                .to_owned()
        })
        .collect()
}

#[test]
fn between_two_scrapes_counters_never_fall_and_lines_keep_their_order() {
    let before = scene::view();
    let mut after = before.clone();
    let done = after.operations.get_mut(0).expect("the training job");
    done.status_times
        .add(JobStatus::Executing, Duration::from_hours(1));
    done.status = Some(JobStatus::UploadingOutput);
    after.operations.set(
        after.operations.slots(),
        Some(Arc::new(TrackedOperation {
            job_id: Some("bt1new".parse().expect("an id")),
            ..scene::blank(99, Kind::Job)
        })),
    );
    let mut project = (*after.projects[&Some(scene::project_id())]).clone();
    for finished in project.finished_total.values_mut() {
        finished.count += 1;
    }
    let mut projects = (*after.projects).clone();
    projects.insert(project.id.clone(), Arc::new(project));
    after.projects = Arc::new(projects);
    check_evolution(
        &text(FormatKind::Text, before, &settings()),
        &text(FormatKind::Text, after, &settings()),
    );
}

/// Undoes the escaping of a label's value.
fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        text.push(match (character, character == '\\') {
            (_, true) => match characters.next().expect("something escaped") {
                'n' => '\n',
                other => other,
            },
            (other, false) => other,
        });
    }
    text
}

/// The value of a label on the only line of a family.
pub(crate) fn label(text: &str, family: &str, name: &str) -> String {
    let opening = format!("{family}{{");
    let mut lines = text.lines().filter(|line| line.starts_with(&opening));
    let line = lines.next().expect("a line");
    assert_eq!(lines.next(), None);
    let start = line.find(&format!("{name}=\"")).expect("the label") + name.len() + 2;
    let rest = &line[start..];
    let mut is_escaped = false;
    let end = rest.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    unescaped(&rest[..end.expect("an end")])
}

fn any_operation() -> impl Strategy<Value = TrackedOperation> {
    let ids = (any::<bool>(), any::<bool>(), any::<bool>());
    let present = proptest::collection::vec(any::<bool>(), 16);
    let visits = proptest::collection::vec((0_usize..9, any::<bool>()), 0..6);
    let kind = prop::sample::select(Kind::ALL.to_vec());
    let status = prop::option::of(0_usize..9);
    (ids, present, visits, kind, status).prop_map(
        |((by_operation, by_job, in_run_tier), present, visits, kind, status)| {
            let whole = scene::training();
            let mut operation = TrackedOperation {
                ..scene::blank(1, kind)
            };
            operation.hidden = !in_run_tier;
            operation.operation_id = whole.operation_id.filter(|_| by_operation);
            operation.job_id = whole.job_id.filter(|_| by_job);
            operation.status = status.map(|status| JobStatus::ALL[status]);
            for (status, is_measured) in visits {
                let status = JobStatus::ALL[status];
                if is_measured {
                    operation.status_times.add(status, Duration::from_secs(7));
                } else {
                    operation.status_times.leave(status);
                }
            }
            let moment = |place: usize| Some(scene::now()).filter(|_| present[place]);
            operation.status_since = moment(0);
            operation.progress_changed_at = moment(1);
            operation.polled_at = moment(2);
            let reported = &mut operation.reported;
            reported.operation_created_at = moment(3);
            reported.modified_at = moment(4);
            reported.job_created_at = moment(5);
            reported.started_at = moment(6);
            reported.finished_at = moment(7);
            reported.data_expires_at = moment(8);
            reported.progress = whole.reported.progress.filter(|_| present[9]);
            reported.return_code = Some(-1).filter(|_| present[10]);
            reported.data_size_bytes = Some(0).filter(|_| present[11]);
            reported.output_errors = Some(OutputErrors::default()).filter(|_| present[12]);
            reported.error = scene::failing().reported.error.filter(|_| present[13]);
            operation.outcome = Some(datasphere_exporter::model::Outcome::Lost).filter(|_| present[14]);
            operation
        },
    )
}

proptest! {
    #[test]
    fn an_operations_series_can_be_counted_without_writing_them(operation in any_operation()) {
        let expected = if operation.in_run_tier() { operation.run_series() } else { 0 };
        let text = text(FormatKind::Text, scene::view_of([operation]), &settings());
        let runs = parsed(&text).into_keys().filter(|name| {
            let family = name.split('{').next().expect("a name");
            catalogue::run::ALL.iter().any(|metric| metric.name == family)
        });
        prop_assert_eq!(u32::try_from(runs.count()).expect("few"), expected);
    }

    #[test]
    fn text_from_outside_arrives_as_it_was(words: String, control in "[\\\\\"\n{},=я🦀 ]{0,20}") {
        for words in [words, control] {
            let about = About {
                name: Some(Text::bounded(&words)),
                labels: Arc::new(BTreeMap::from([(SmolStr::new("team"), Text::bounded(&words))])),
                ..About::default()
            };
            let mut view = scene::view_of([TrackedOperation { about: Arc::new(about), ..scene::training() }]);
            let mut project = Project::new(Some(scene::project_id()), &Arc::new(scene::durations()));
            project.name = Some(Text::bounded(&words));
            let name = JobName { last_success_at: Some(scene::now()), ..JobName::default() };
            project.job_names.insert(SmolStr::new(&words), Arc::new(name));
            view.projects = Arc::new(BTreeMap::from([(project.id.clone(), Arc::new(project))]));

            let bounded = Text::bounded(&words).as_str().to_owned();
            let expected = [
                ("datasphere_job_info", "job_name", &bounded),
                ("datasphere_job_info", "label_team", &bounded),
                ("datasphere_project_info", "project_name", &bounded),
                ("datasphere_job_last_success_timestamp_seconds", "job_name", &words),
            ];
            for kind in [FormatKind::Text, FormatKind::OpenMetrics] {
                let text = text(kind, view.clone(), &settings());
                for (family, name, value) in expected {
                    prop_assert_eq!(&label(&text, family, name), value);
                }
            }
            let families = families(view, &settings());
            for (family, name, value) in expected {
                let family = families.iter().find(|known| known.name() == family).expect("the family");
                let pair = family.metric[0].label.iter().find(|pair| pair.name() == name).expect("the label");
                prop_assert_eq!(pair.value(), value);
            }
        }
    }

    #[test]
    fn ids_of_any_length_are_the_same_in_all_formats(
        ids in proptest::collection::vec("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,63}", 1..40), project in "[a-z0-9]{0,64}",
    ) {
        let ids: BTreeSet<String> = ids.into_iter().collect();
        let jobs = ids.iter().map(|id| TrackedOperation {
            job_id: Some(id.parse().expect("an id")),
            operation_id: Some(id.parse().expect("an id")),
            project_id: project.parse().ok(),
            ..scene::training()
        });
        let view = scene::view_of(jobs);
        let about_runs = |mut series: Series| {
            series.retain(|name, _| name.contains("_id="));
            series
        };
        let text = about_runs(parsed(&text(FormatKind::Text, view.clone(), &settings())));
        prop_assert_eq!(text.len() % ids.len(), 0);
        prop_assert_eq!(text, about_runs(flattened(&families(view, &settings()))));
    }

    #[test]
    fn moments_are_the_same_in_text_and_protobuf(nanos in 1..i64::MAX) {
        let at = Timestamp::from_nanos(nanos).expect("positive");
        let job = TrackedOperation { polled_at: Some(at), ..scene::training() };
        let view = scene::view_of([job]);
        let poll = |series: Series| {
            let found = series.into_iter().find(|(name, _)| name.starts_with("datasphere_job_last_poll"));
            found.expect("the series").1.to_bits()
        };
        let text = poll(parsed(&text(FormatKind::Text, view.clone(), &settings())));
        prop_assert_eq!(text, poll(flattened(&families(view, &settings()))));
    }
}
