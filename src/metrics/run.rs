//! Series of single jobs and operations, straight from their rows.
//!
//! `TrackedOperation::run_series` counts these lines by arithmetic; whoever adds one here adds it there.

use crate::catalogue::run;
use crate::clock::Timestamp;
use crate::metrics::number::{Number, Percent};
use crate::metrics::sink::{Family, Label, Place, Scene, Sink, UserLabels};
use crate::metrics::text::hex;
use crate::model::{
    About, JobId, JobStatus, Kind, NotebookStatus, OperationId, Operations, Outcome, ProjectId, State, Text,
    TrackedOperation,
};
use std::ops::ControlFlow;

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

/// Whether any row has series of the sorts that a fleet of jobs has not: a walk over all rows for a family
/// that turns out to be empty costs as much as one that is not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presence {
    lone: bool,
    failing: bool,
}

impl Presence {
    pub(super) fn of(operations: &Operations) -> Self {
        let mut presence = Self::default();
        for operation in operations.iter() {
            presence.lone |= operation.kind != Kind::Job;
            presence.failing |= operation.reported.error.is_some();
        }
        presence
    }
}

/// Rows that are picked before the first of them is written. Picking touches rows that are far apart in
/// memory and depend on nothing, so that the processor fetches many at a time; written one by one, each would
/// be waited for.
const BATCH: usize = 16;

/// Writes what is picked of each row that has series.
#[inline]
fn rows<S: Sink, T>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    id: impl Fn(&TrackedOperation) -> Option<&str>,
    pick: impl Fn(&TrackedOperation) -> Option<T>,
    write: impl Fn(&mut S, &TrackedOperation, &T),
) -> Option<Place> {
    scene.view.operations.walk_from(from.row, |first, run| {
        for (offset, rows) in (0..).step_by(BATCH).zip(run.chunks(BATCH)) {
            let mut batch = [const { None }; BATCH];
            for (place, operation) in batch.iter_mut().zip(rows) {
                if let Some(operation) = operation
                    && operation.in_run_tier()
                    && let Some(value) = pick(operation)
                {
                    *place = Some((&**operation, value));
                }
            }
            for (row, picked) in (first + offset..).zip(&batch) {
                let Some((operation, value)) = picked else {
                    continue;
                };
                let Some(id) = id(operation) else { continue };
                let project_id = operation.project_id.as_ref().map_or("", ProjectId::as_str);
                sink.row([project_id, id]);
                write(sink, operation, value);
                if sink.is_full() {
                    return ControlFlow::Break(Place {
                        row: row + 1,
                        part: 0,
                    });
                }
            }
        }
        ControlFlow::Continue(())
    })
}

fn job_id(job: &TrackedOperation) -> Option<&str> {
    job.job_series_id().map(JobId::as_str)
}

fn operation_id(operation: &TrackedOperation) -> Option<&str> {
    operation.operation_id.as_ref().map(OperationId::as_str)
}

/// Writes what is picked of each job.
#[inline]
fn jobs<S: Sink, T>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    pick: impl Fn(&TrackedOperation) -> Option<T>,
    write: impl Fn(&mut S, &TrackedOperation, &T),
) -> Option<Place> {
    rows(scene, from, sink, job_id, pick, write)
}

/// Writes what is picked of each operation whose operation id is known.
#[inline]
fn operations<S: Sink, T>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    pick: impl Fn(&TrackedOperation) -> Option<T>,
    write: impl Fn(&mut S, &TrackedOperation, &T),
) -> Option<Place> {
    rows(scene, from, sink, operation_id, pick, write)
}

/// One value a job, where it is known.
#[inline]
fn job_value<S: Sink, N: Number>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    value: impl Fn(&TrackedOperation) -> Option<N>,
) -> Option<Place> {
    jobs(scene, from, sink, value, |sink, _, value| {
        sink.row_sample(None, *value);
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
    if !scene.presence.lone {
        return None;
    }
    let moment = |operation: &TrackedOperation| moment(operation).filter(|_| operation.kind != Kind::Job);
    operations(scene, from, sink, moment, |sink, _, moment| {
        sink.row_sample(None, *moment);
    })
}

fn progress_ratio(job: &TrackedOperation) -> Option<Percent> {
    job.reported
        .progress
        .as_ref()
        .map(|progress| Percent(progress.percent))
}

fn job_info<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(
        scene,
        from,
        sink,
        |_| Some(()),
        |sink, job, ()| {
            let About {
                parent_job_id,
                instance_type,
                created_by,
                labels,
                ..
            } = &*job.about;
            let trace_id = job.trace.as_ref().map(|trace| hex(trace.trace_id.to_bytes()));
            let properties = [
                Label::Text(job_name(&job.about)),
                Label::Word(job.operation_id.as_ref().map_or("", OperationId::as_str)),
                Label::Word(parent_job_id.as_ref().map_or("", |id| id.as_str())),
                text(instance_type.as_ref()),
                text(created_by.as_ref()),
                Label::Word(trace_id.as_ref().map_or("", |hex| digits(hex.as_flattened()))),
            ];
            sink.row_info(
                &properties,
                UserLabels {
                    allowed: &scene.labels,
                    labels,
                },
            );
        },
    )
}

/// Hexadecimal digits as what they are.
fn digits(hex: &[u8]) -> &str {
    str::from_utf8(hex).unwrap_or_default()
}

fn job_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    let statuses = |job: &TrackedOperation| Some((job.status, job.status_times));
    jobs(scene, from, sink, statuses, |sink, _, (present, times)| {
        for status in JobStatus::ALL {
            let is_present = *present == Some(status);
            if is_present || times.was_left(status) {
                sink.row_sample(Some(status.label()), is_present);
            }
        }
    })
}

fn job_time_in_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(
        scene,
        from,
        sink,
        |job| Some(job.status_times),
        |sink, _, times| {
            for (status, time) in times.iter() {
                sink.row_sample(Some(status.label()), time);
            }
        },
    )
}

fn job_outcome<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(
        scene,
        from,
        sink,
        |job| job.outcome.map(Outcome::kind),
        |sink, _, outcome| {
            sink.row_sample(Some(outcome.label()), true);
        },
    )
}

fn job_output_errors<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    jobs(
        scene,
        from,
        sink,
        TrackedOperation::output_errors,
        |sink, _, errors| {
            for (error_type, count) in errors.by_type() {
                sink.row_sample(Some(error_type), u64::from(count));
            }
        },
    )
}

fn operation_info<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    operations(
        scene,
        from,
        sink,
        |_| Some(()),
        |sink, operation, ()| {
            let About {
                notebook_id,
                created_by,
                labels,
                ..
            } = &*operation.about;
            let properties = [
                Label::Word(operation.kind.label()),
                Label::Word(operation.job_id.as_ref().map_or("", JobId::as_str)),
                text(notebook_id.as_deref()),
                text(created_by.as_ref()),
            ];
            sink.row_info(
                &properties,
                UserLabels {
                    allowed: &scene.labels,
                    labels,
                },
            );
        },
    )
}

fn operation_done<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    let is_done = |operation: &TrackedOperation| Some(operation.state == State::Done);
    operations(scene, from, sink, is_done, |sink, _, is_done| {
        sink.row_sample(None, *is_done);
    })
}

fn operation_error<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    if !scene.presence.failing {
        return None;
    }
    let code = |operation: &TrackedOperation| Some(operation.reported.error.as_ref()?.code);
    operations(scene, from, sink, code, |sink, _, code| {
        sink.row_sample(Some(code.name()), true);
    })
}

fn notebook_status<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    if !scene.presence.lone {
        return None;
    }
    operations(
        scene,
        from,
        sink,
        TrackedOperation::notebook_status,
        |sink, _, present| {
            for status in NotebookStatus::ALL {
                sink.row_sample(Some(status.label()), status == *present);
            }
        },
    )
}

/// The name that the fleet's series of this job carry, so that the two join.
fn job_name(about: &About) -> &str {
    let as_written = about.name.as_ref().map_or("", Text::as_str);
    about.job_name.as_deref().unwrap_or(as_written)
}

fn text(text: Option<&Text>) -> Label<'_> {
    Label::Text(text.map_or("", Text::as_str))
}
