//! Series of single jobs and operations, straight from their rows.
//!
//! `TrackedOperation::run_series` counts these lines by arithmetic; whoever adds one here adds it there.

use crate::catalogue::run;
use crate::clock::Timestamp;
use crate::metrics::number::Number;
use crate::metrics::sink::{Family, Label, Place, Scene, Sink, UserLabels};
use crate::model::{
    About, JobId, JobStatus, Kind, NotebookStatus, OperationId, Outcome, ProjectId, State, Text,
    TrackedOperation,
};

/// The families, in the catalogue's order.
pub(super) fn families<S: Sink>() -> [Family<S>; run::ALL.len()] {
    [
        (&run::JOB_INFO, job_info),
        (&run::JOB_STATUS, job_status),
        (&run::JOB_STATUS_SINCE, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.status_since)
        }),
        (&run::JOB_TIME_IN_STATUS, job_time_in_status),
        (&run::JOB_PROGRESS, |scene, from, sink| {
            job_value(scene, from, sink, progress_ratio)
        }),
        (&run::JOB_PROGRESS_CHANGED, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.progress_changed_at)
        }),
        (&run::JOB_CREATED, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.job_created_at)
        }),
        (&run::JOB_STARTED, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.started_at)
        }),
        (&run::JOB_FINISHED, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.finished_at)
        }),
        (&run::JOB_DATA_EXPIRES, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.data_expires_at)
        }),
        (&run::JOB_OUTCOME, job_outcome),
        (&run::JOB_RETURN_CODE, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.return_code)
        }),
        (&run::JOB_DATA_SIZE, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.reported.data_size_bytes)
        }),
        (&run::JOB_OUTPUT_ERRORS, job_output_errors),
        (&run::JOB_LAST_POLL, |scene, from, sink| {
            job_value(scene, from, sink, |job| job.polled_at)
        }),
        (&run::OPERATION_INFO, operation_info),
        (&run::OPERATION_DONE, operation_done),
        (&run::OPERATION_ERROR, operation_error),
        (&run::OPERATION_CREATED, |scene, from, sink| {
            lone_moment(scene, from, sink, |operation| {
                operation.reported.operation_created_at
            })
        }),
        (&run::OPERATION_MODIFIED, |scene, from, sink| {
            lone_moment(scene, from, sink, |operation| operation.reported.modified_at)
        }),
        (&run::OPERATION_LAST_POLL, |scene, from, sink| {
            lone_moment(scene, from, sink, |operation| operation.polled_at)
        }),
        (&run::NOTEBOOK_STATUS, notebook_status),
    ]
}

/// A row, and the values of the two labels that identify its series.
struct Row<'a> {
    operation: &'a TrackedOperation,
    project: Label<'a>,
    id: Label<'a>,
}

/// Walks the rows that have an id of the wanted sort.
#[inline]
fn rows<'a, S: Sink>(
    scene: &'a Scene,
    from: Place,
    sink: &mut S,
    id: impl Fn(&TrackedOperation) -> Option<&str>,
    write: impl Fn(&mut S, Row<'a>),
) -> Option<Place> {
    for (slot, operation) in scene.view.operations.iter_from(from.row) {
        if !operation.in_run_tier() {
            continue;
        }
        let Some(id) = id(operation) else { continue };
        let project = operation.project_id.as_ref().map_or("", ProjectId::as_str);
        write(
            sink,
            Row {
                operation,
                project: Label::Word(project),
                id: Label::Word(id),
            },
        );
        if sink.is_full() {
            return Some(Place {
                row: slot + 1,
                part: 0,
            });
        }
    }
    None
}

#[inline]
fn jobs<'a, S: Sink>(
    scene: &'a Scene,
    from: Place,
    sink: &mut S,
    write: impl Fn(&mut S, Row<'a>),
) -> Option<Place> {
    rows(
        scene,
        from,
        sink,
        |operation| operation.job_series_id().map(JobId::as_str),
        write,
    )
}

#[inline]
fn operations<'a, S: Sink>(
    scene: &'a Scene,
    from: Place,
    sink: &mut S,
    write: impl Fn(&mut S, Row<'a>),
) -> Option<Place> {
    rows(
        scene,
        from,
        sink,
        |operation| operation.operation_id.as_ref().map(OperationId::as_str),
        write,
    )
}

/// One value a job, where it is known.
#[inline]
fn job_value<S: Sink, N: Number>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    value: impl Fn(&TrackedOperation) -> Option<N>,
) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        if let Some(value) = value(row.operation) {
            sink.sample(&[row.project, row.id], value);
        }
    })
}

/// One moment an operation of a kind other than job: jobs have their own.
#[inline]
fn lone_moment<S: Sink>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    moment: impl Fn(&TrackedOperation) -> Option<Timestamp>,
) -> Option<Place> {
    operations(scene, from, sink, |sink, row| {
        if let Some(moment) = moment(row.operation).filter(|_| row.operation.kind != Kind::Job) {
            sink.sample(&[row.project, row.id], moment);
        }
    })
}

fn progress_ratio(job: &TrackedOperation) -> Option<f64> {
    job.reported
        .progress
        .as_ref()
        .map(|progress| f64::from(progress.percent) / 100.0)
}

fn job_info<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        let About {
            parent_job_id,
            instance_type,
            created_by,
            labels,
            ..
        } = &*row.operation.about;
        let labels_of_job = [
            row.project,
            row.id,
            Label::Text(job_name(row.operation)),
            Label::Word(
                row.operation
                    .operation_id
                    .as_ref()
                    .map_or("", OperationId::as_str),
            ),
            Label::Word(parent_job_id.as_ref().map_or("", JobId::as_str)),
            text(instance_type.as_ref()),
            text(created_by.as_ref()),
            Label::Word(""),
        ];
        sink.info(
            &labels_of_job,
            UserLabels {
                allowed: &scene.labels,
                labels,
            },
        );
    })
}

fn job_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        let present = row.operation.status;
        for status in JobStatus::ALL {
            let is_present = present == Some(status);
            if is_present || row.operation.status_times.was_left(status) {
                sink.sample(&[row.project, row.id, Label::Word(status.label())], is_present);
            }
        }
    })
}

fn job_time_in_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        for (status, time) in row.operation.status_times.iter() {
            sink.sample(&[row.project, row.id, Label::Word(status.label())], time);
        }
    })
}

fn job_outcome<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        if let Some(outcome) = row.operation.outcome.map(Outcome::kind) {
            sink.sample(&[row.project, row.id, Label::Word(outcome.label())], true);
        }
    })
}

fn job_output_errors<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(scene, from, sink, |sink, row| {
        let Some(errors) = row.operation.output_errors() else {
            return;
        };
        for (error_type, count) in errors.by_type() {
            sink.sample(&[row.project, row.id, Label::Word(error_type)], u64::from(count));
        }
    })
}

fn operation_info<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    operations(scene, from, sink, |sink, row| {
        let About {
            notebook_id,
            created_by,
            labels,
            ..
        } = &*row.operation.about;
        let labels_of_operation = [
            row.project,
            row.id,
            Label::Word(row.operation.kind.label()),
            Label::Word(row.operation.job_id.as_ref().map_or("", JobId::as_str)),
            text(notebook_id.as_ref()),
            text(created_by.as_ref()),
        ];
        sink.info(
            &labels_of_operation,
            UserLabels {
                allowed: &scene.labels,
                labels,
            },
        );
    })
}

fn operation_done<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    operations(scene, from, sink, |sink, row| {
        sink.sample(&[row.project, row.id], row.operation.state == State::Done);
    })
}

fn operation_error<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    operations(scene, from, sink, |sink, row| {
        if let Some(error) = &row.operation.reported.error {
            sink.sample(&[row.project, row.id, Label::Word(error.code.name())], true);
        }
    })
}

fn notebook_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    operations(scene, from, sink, |sink, row| {
        let Some(present) = row.operation.notebook_status() else {
            return;
        };
        for status in NotebookStatus::ALL {
            sink.sample(
                &[row.project, row.id, Label::Word(status.label())],
                status == present,
            );
        }
    })
}

/// The name that the fleet's series of this job carry, so that the two join.
fn job_name(job: &TrackedOperation) -> &str {
    let as_written = job.about.name.as_ref().map_or("", Text::as_str);
    job.about.job_name.as_deref().unwrap_or(as_written)
}

fn text(text: Option<&Text>) -> Label<'_> {
    Label::Text(text.map_or("", Text::as_str))
}
