//! One scripted fleet as a view, made by hand: every kind of operation, every ending, every oddity.

use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::model::{
    About, Boundary, Buckets, CommunityId, Completions, Dropped, Exemplar, Histogram, JobId, JobName,
    JobStatus, Kind, LastResult, OperationId, OperationKey, Operations, Outcome, OutcomeKind, OutputErrors,
    Progress, Project, ProjectId, ProjectScope, Reported, ResultKey, RpcCode, RpcError, Seed, Source, State,
    StatusTimes, Text, Trace, TrackedOperation, TrackerFigures, Unreadable, View,
};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The moment at which the scene is looked at, in unix seconds.
pub(crate) const NOW: i64 = 1_767_225_600;

/// Unix seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds, 0).expect("in range")
}

/// Now.
pub(crate) fn now() -> Timestamp {
    at(NOW)
}

/// An operation of which nothing but its kind and key is known.
pub(crate) fn blank(key: u64, kind: Kind) -> TrackedOperation {
    TrackedOperation {
        key: OperationKey(key),
        kind,
        source: Source::Config,
        attempt: 1,
        observed: true,
        hidden: false,
        operation_id: None,
        job_id: None,
        project_id: None,
        state: State::Running,
        status: None,
        status_since: None,
        status_boundary: Boundary::FirstSeen,
        status_times: StatusTimes::default(),
        status_uncertainty_ms: 0,
        outcome: None,
        reported: Reported::default(),
        progress_changed_at: None,
        unreadable: None,
        about: Arc::default(),
        tracked_at: at(NOW - 86_400),
        ended_at: None,
        polled_at: Some(at(NOW - 5)),
        trace: None,
    }
}

fn operation_id(id: &str) -> OperationId {
    id.parse().expect("an id")
}

fn job_id(id: &str) -> JobId {
    id.parse().expect("an id")
}

/// The project that most of the scene is in.
pub(crate) fn project_id() -> ProjectId {
    "bt1alpha".parse().expect("an id")
}

fn times(visits: &[(JobStatus, u64)]) -> StatusTimes {
    let mut times = StatusTimes::default();
    for (status, millis) in visits {
        times.add(*status, Duration::from_millis(*millis));
    }
    times
}

/// A job that trains, with everything that a live job can tell.
pub(crate) fn training() -> TrackedOperation {
    TrackedOperation {
        operation_id: Some(operation_id("bt1opTraining")),
        job_id: Some(job_id("bt1jobTraining")),
        project_id: Some(project_id()),
        status: Some(JobStatus::Executing),
        status_since: Timestamp::from_seconds(NOW - 3600, 250_000_000),
        status_boundary: Boundary::Observed,
        status_times: times(&[(JobStatus::Creating, 4_500), (JobStatus::Preparing, 61_000)]),
        reported: Reported {
            operation_created_at: Some(at(NOW - 3700)),
            modified_at: Some(at(NOW - 60)),
            job_created_at: Some(at(NOW - 3710)),
            started_at: Some(at(NOW - 3600)),
            progress: Some(Progress {
                percent: 42,
                message: Text::non_empty("epoch 42"),
                created_at: Some(at(NOW - 61)),
            }),
            ..Reported::default()
        },
        trace: Some(Arc::new(Trace {
            trace_id: "aea18e1507a9c51627ceb00170ac82a7".parse().expect("an id"),
            root_id: "9793712fcccbd4cb".parse().expect("an id"),
            seed: Seed::Job(job_id("bt1jobTraining")),
            parent_id: None,
            state: None,
            links: Vec::new(),
            begins_at: at(NOW - 3700),
            seen_at: at(NOW - 3690),
        })),
        progress_changed_at: Some(at(NOW - 60)),
        about: Arc::new(About {
            name: Text::non_empty("train \"resnet\" \\ \u{44f}"),
            job_name: Some(SmolStr::new("train \"resnet\" \\ \u{44f}")),
            parent_job_id: Some(Box::new(job_id("bt1jobParent"))),
            instance_type: Text::non_empty("g2.1"),
            created_by: Text::non_empty("ajeAlice"),
            labels: Arc::new(BTreeMap::from([
                (SmolStr::new("team"), Text::bounded("nlp")),
                (SmolStr::new("private"), Text::bounded("not allowed")),
            ])),
            ..About::default()
        }),
        ..blank(0, Kind::Job)
    }
}

/// A job that ended with return code 3, with files it could not store.
fn failed() -> TrackedOperation {
    TrackedOperation {
        operation_id: Some(operation_id("bt1opFailed")),
        job_id: Some(job_id("bt1jobFailed")),
        project_id: Some(project_id()),
        state: State::Done,
        status: Some(JobStatus::Success),
        status_since: Some(at(NOW - 900)),
        status_times: times(&[
            (JobStatus::Creating, 3_000),
            (JobStatus::Preparing, 0),
            (JobStatus::Executing, 86_400_123),
            (JobStatus::UploadingOutput, 10),
        ]),
        outcome: Some(Outcome::Failure),
        reported: Reported {
            operation_created_at: Some(at(NOW - 90_000)),
            job_created_at: Some(at(NOW - 90_001)),
            started_at: Some(at(NOW - 89_000)),
            finished_at: Some(at(NOW - 900)),
            data_expires_at: Some(at(NOW + 3600)),
            return_code: Some(3),
            data_size_bytes: Some(12_345_678_901),
            output_errors: Some(OutputErrors {
                upload_failed: 2,
                not_found: 0,
                unknown: 1,
            }),
            ..Reported::default()
        },
        ended_at: Some(at(NOW - 890)),
        about: Arc::new(About {
            name: Text::non_empty("etl"),
            ..About::default()
        }),
        ..blank(1, Kind::Job)
    }
}

/// A job found by listing after it was cancelled, which was executing when it was first seen.
fn cancelled() -> TrackedOperation {
    let mut status_times = StatusTimes::default();
    status_times.leave(JobStatus::Executing);
    TrackedOperation {
        source: Source::Discovery,
        job_id: Some(job_id("bt1jobCancelled")),
        project_id: Some(project_id()),
        state: State::Done,
        status: Some(JobStatus::Cancelled),
        status_times,
        outcome: Some(Outcome::Cancelled),
        polled_at: None,
        ..blank(2, Kind::Job)
    }
}

fn notebook() -> TrackedOperation {
    TrackedOperation {
        operation_id: Some(operation_id("bt1opNotebook")),
        project_id: Some(project_id()),
        state: State::Done,
        outcome: Some(Outcome::Success),
        reported: Reported {
            operation_created_at: Some(at(NOW - 500)),
            modified_at: Some(at(NOW - 400)),
            ..Reported::default()
        },
        about: Arc::new(About {
            notebook_id: Text::non_empty("reports/daily.ipynb").map(Box::new),
            created_by: Text::non_empty("ajeBob"),
            ..About::default()
        }),
        ..blank(3, Kind::Notebook)
    }
}

/// An operation of another service, without a project, whose error is set before it is done.
pub(crate) fn failing() -> TrackedOperation {
    TrackedOperation {
        operation_id: Some(operation_id("opOther")),
        state: State::Failing,
        reported: Reported {
            operation_created_at: Some(at(NOW - 50)),
            error: RpcCode::from_number(8).map(|code| {
                Arc::new(RpcError {
                    code,
                    message: None,
                    reason: None,
                })
            }),
            ..Reported::default()
        },
        ..blank(4, Kind::Other)
    }
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        trace_id: [
            0xae, 0xa1, 0x8e, 0x15, 7, 0xa9, 0xc5, 0x16, 0x27, 0xce, 0xb0, 1, 0x70, 0xac, 0x82, 0xa7,
        ],
        span_id: [0x97, 0x93, 0x71, 0x2f, 0xcc, 0xcb, 0xd4, 0xcb],
        value,
        at: at(NOW - 900),
    }
}

/// Durations of 42 s, 42 s, 100 s and 2 ms, and one with a trace.
pub(crate) fn durations() -> Histogram {
    let mut histogram = Histogram::new(Buckets::RUNS);
    for millis in [42_000, 42_000, 100_000, 0, 1_500] {
        histogram.observe(Duration::from_millis(millis), None);
    }
    histogram.observe(Duration::from_hours(24), Some(exemplar(86_400.0)));
    histogram
}

fn alpha() -> Project {
    let mut project = Project::new(Some(project_id()), &Arc::new(Histogram::new(Buckets::RUNS)));
    project.name = Text::non_empty("Альфа \"prod\"");
    project.community_id = Some("bt1community".parse::<CommunityId>().expect("an id"));
    project.jobs[JobStatus::Executing.index()] = 1;
    project.jobs[JobStatus::Success.index()] = 1;
    project.jobs[JobStatus::Cancelled.index()] = 1;
    project.operations.insert((Kind::Job, State::Running), 1);
    project.operations.insert((Kind::Job, State::Done), 2);
    project.tracked_total.insert((Kind::Job, Source::Discovery), 3);
    let failures = Completions {
        count: 7,
        exemplar: Some(exemplar(86_400.0)),
    };
    project
        .finished_total
        .insert((Kind::Job, OutcomeKind::Failure), failures);
    let code = |code| ResultKey {
        kind: Kind::Job,
        outcome: OutcomeKind::Failure,
        code: SmolStr::new(code),
    };
    project.results_total = Arc::new(BTreeMap::from([(code("3"), 6), (code("(other)"), 1)]));
    project
        .durations
        .insert((Kind::Job, OutcomeKind::Failure), Arc::new(durations()));
    project
        .status_durations
        .insert(JobStatus::Executing, Arc::new(durations()));
    let trained = JobName {
        durations: Some(durations()),
        last: Some(LastResult {
            finished_at: at(NOW - 900),
            outcome: OutcomeKind::Failure,
            duration_seconds: Some(88_100.0),
            return_code: Some(3),
        }),
        last_success_at: Some(at(NOW - 90_000)),
        ..JobName::default()
    };
    let other = JobName {
        durations: Some(durations()),
        ..JobName::default()
    };
    project.job_names = BTreeMap::from([
        (SmolStr::new("train\n\"quoted\" \\"), Arc::new(trained)),
        (SmolStr::new("(other)"), Arc::new(other)),
    ]);
    let expiry = |after, id| (job_id(id), at(NOW + after));
    project.expiries = [expiry(-5, "gone"), expiry(3600, "soon"), expiry(90_000, "later")]
        .into_iter()
        .collect();
    project.unit_balance = Some(-12);
    project.units_spent_total = Some(345);
    project.units_per_hour_max = Some(100);
    project.last_success_at = BTreeMap::from([
        (ProjectScope::Operations, at(NOW - 5)),
        (ProjectScope::Jobs, at(NOW - 8)),
    ]);
    project
}

/// A view of these operations, without projects.
pub(crate) fn view_of(operations: impl IntoIterator<Item = TrackedOperation>) -> View {
    let mut view = View::default();
    for operation in operations {
        let slot = view.operations.slots();
        view.tracker.run_series += if operation.in_run_tier() {
            u64::from(operation.run_series())
        } else {
            0
        };
        *view.tracker.tracked.entry(operation.kind).or_insert(0) += 1;
        view.operations.set(slot, Some(Arc::new(operation)));
    }
    view
}

/// The whole scene.
pub(crate) fn view() -> View {
    let unobserved = TrackedOperation {
        observed: false,
        operation_id: Some(operation_id("bt1opUnobserved")),
        ..blank(5, Kind::Other)
    };
    let hidden = TrackedOperation {
        hidden: true,
        job_id: Some(job_id("bt1jobHidden")),
        project_id: Some(project_id()),
        ..blank(6, Kind::Job)
    };
    let View {
        operations, tracker, ..
    } = view_of([
        training(),
        failed(),
        cancelled(),
        notebook(),
        failing(),
        unobserved,
        hidden,
    ]);
    let nowhere = Project::new(None, &Arc::new(Histogram::new(Buckets::RUNS)));
    View {
        operations: with_a_free_place(operations),
        projects: Arc::new(BTreeMap::from([
            (None, Arc::new(nowhere)),
            (Some(project_id()), Arc::new(alpha())),
        ])),
        tracker: TrackerFigures {
            unreadable: BTreeMap::from([(Unreadable::PermissionDenied, 1)]),
            dropped_total: BTreeMap::from([(Dropped::SeriesMax, 1)]),
            job_name_overflows_total: 1,
            earliest_due_at: Timestamp::from_seconds(NOW - 2, 500_000_000),
            ..tracker
        },
        changes: 0,
    }
}

fn with_a_free_place(mut operations: Operations) -> Operations {
    operations.set(operations.slots(), None);
    operations
}
