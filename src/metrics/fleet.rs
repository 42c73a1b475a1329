//! Bounded series about projects.

use crate::catalogue::fleet;
use crate::metrics::number::Number;
use crate::metrics::sink::{Family, Label, Observations, Place, Scene, Sink, each};
use crate::model::{
    CommunityId, Exemplar, Histogram, JobName, JobStatus, LastResult, OutcomeKind, Project, ProjectId, Text,
};
use smol_str::SmolStr;
use std::sync::Arc;

/// The families, in the catalogue's order.
pub(super) fn families<S: Sink>() -> [Family<S>; fleet::ALL.len()] {
    [
        (&fleet::JOBS, jobs),
        (&fleet::OPERATIONS, operations),
        (&fleet::OPERATIONS_TRACKED, operations_tracked),
        (&fleet::OPERATIONS_FINISHED, operations_finished),
        (&fleet::OPERATION_RESULTS, operation_results),
        (&fleet::OPERATION_DURATION, operation_duration),
        (&fleet::JOB_DURATION, job_duration),
        (&fleet::JOB_STATUS_DURATION, job_status_duration),
        (&fleet::JOBS_DATA_EXPIRING, jobs_data_expiring),
        (&fleet::JOB_LAST_COMPLETION, |scene, from, sink| {
            last_value(scene, from, sink, |last| Some(last.finished_at))
        }),
        (&fleet::JOB_LAST_SUCCESS, |scene, from, sink| {
            name_value(scene, from, sink, |name| name.last_success_at)
        }),
        (&fleet::JOB_LAST_OUTCOME, job_last_outcome),
        (&fleet::JOB_LAST_DURATION, |scene, from, sink| {
            last_value(scene, from, sink, |last| last.duration_seconds)
        }),
        (&fleet::JOB_LAST_RETURN_CODE, |scene, from, sink| {
            last_value(scene, from, sink, |last| last.return_code)
        }),
        (&fleet::PROJECT_INFO, project_info),
        (&fleet::PROJECT_UNIT_BALANCE, |scene, from, sink| {
            project_value(scene, from, sink, |project| project.unit_balance)
        }),
        (&fleet::PROJECT_UNITS_SPENT, |scene, from, sink| {
            project_value(scene, from, sink, |project| project.units_spent_total)
        }),
        (&fleet::PROJECT_LIMIT_UNITS, project_limit_units),
    ]
}

impl Observations for Histogram {
    fn count(&self) -> u64 {
        Self::count(self)
    }

    fn sum(&self) -> f64 {
        Self::sum(self)
    }

    fn classic(&self) -> impl Iterator<Item = (f64, u64, Option<&Exemplar>)> {
        self.cumulative()
    }

    fn native(&self) -> Option<&Histogram> {
        Some(self)
    }
}

/// Walks the projects; each writes its samples from a part on.
fn projects<S: Sink>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    write: impl Fn(&mut S, &Project, Label<'_>, usize) -> Option<usize>,
) -> Option<Place> {
    let mut part = from.part;
    for (row, project) in scene.projects.iter().enumerate().skip(from.row) {
        let id = Label::Word(project.id.as_ref().map_or("", ProjectId::as_str));
        if let Some(part) = write(sink, project, id, part) {
            return Some(Place { row, part });
        }
        part = 0;
        if sink.is_full() {
            return Some(Place { row: row + 1, part });
        }
    }
    None
}

/// One value a project, where it is known.
fn project_value<S: Sink, N: Number>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    value: impl Fn(&Project) -> Option<N>,
) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, _| {
        if let Some(value) = value(project) {
            sink.sample(&[id], value);
        }
        None
    })
}

/// Walks the job names of all projects.
fn names<S: Sink>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    write: impl Fn(&mut S, [Label<'_>; 2], &JobName),
) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.job_names.iter(),
            part,
            sink,
            |sink, (name, known): (&SmolStr, &Arc<JobName>)| {
                write(sink, [id, Label::Text(name)], known);
            },
        )
    })
}

/// One value a job name, where it is known.
fn name_value<S: Sink, N: Number>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    value: impl Fn(&JobName) -> Option<N>,
) -> Option<Place> {
    names(scene, from, sink, |sink, labels, name| {
        if let Some(value) = value(name) {
            sink.sample(&labels, value);
        }
    })
}

/// One value of the newest ended execution of a job name, where it is known.
fn last_value<S: Sink, N: Number>(
    scene: &Scene,
    from: Place,
    sink: &mut S,
    value: impl Fn(&LastResult) -> Option<N>,
) -> Option<Place> {
    name_value(scene, from, sink, |name| name.last.as_ref().and_then(&value))
}

fn jobs<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            JobStatus::ALL.into_iter().zip(project.jobs),
            part,
            sink,
            |sink, (status, count)| {
                sink.sample(&[id, Label::Word(status.label())], u64::from(count));
            },
        )
    })
}

fn operations<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.operations.iter(),
            part,
            sink,
            |sink, ((kind, state), count)| {
                let labels = [id, Label::Word(kind.label()), Label::Word(state.label())];
                sink.sample(&labels, u64::from(*count));
            },
        )
    })
}

fn operations_tracked<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.tracked_total.iter(),
            part,
            sink,
            |sink, ((kind, source), count)| {
                let labels = [id, Label::Word(kind.label()), Label::Word(source.label())];
                sink.sample(&labels, *count);
            },
        )
    })
}

fn operations_finished<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.finished_total.iter(),
            part,
            sink,
            |sink, ((kind, outcome), finished)| {
                let labels = [id, Label::Word(kind.label()), Label::Word(outcome.label())];
                sink.counter(&labels, finished.count, finished.exemplar.as_ref());
            },
        )
    })
}

fn operation_results<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(project.results_total.iter(), part, sink, |sink, (key, count)| {
            let labels = [
                id,
                Label::Word(key.kind.label()),
                Label::Word(key.outcome.label()),
                Label::Text(&key.code),
            ];
            sink.sample(&labels, *count);
        })
    })
}

fn operation_duration<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.durations.iter(),
            part,
            sink,
            |sink, ((kind, outcome), durations)| {
                let labels = [id, Label::Word(kind.label()), Label::Word(outcome.label())];
                sink.histogram(&labels, &**durations);
            },
        )
    })
}

fn job_duration<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    names(scene, from, sink, |sink, labels, name| {
        if let Some(durations) = &name.durations {
            sink.histogram(&labels, durations);
        }
    })
}

fn job_status_duration<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        each(
            project.status_durations.iter(),
            part,
            sink,
            |sink, (status, durations)| {
                sink.histogram(&[id, Label::Word(status.label())], &**durations);
            },
        )
    })
}

fn jobs_data_expiring<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    let (now, until) = (
        scene.now,
        scene.now.plus(scene.settings.thresholds.data_expiry_warning),
    );
    projects(scene, from, sink, |sink, project, id, _| {
        let warned = project
            .expiries
            .values()
            .filter(|at| (now..=until).contains(at) && **at != now);
        sink.sample(&[id], u64::try_from(warned.count()).unwrap_or(u64::MAX));
        None
    })
}

fn job_last_outcome<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    names(scene, from, sink, |sink, [id, name], known| {
        let Some(last) = &known.last else { return };
        for outcome in OutcomeKind::ALL {
            sink.sample(&[id, name, Label::Word(outcome.label())], last.outcome == outcome);
        }
    })
}

fn project_info<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, _| {
        let name = Label::Text(project.name.as_ref().map_or("", Text::as_str));
        let community = project.community_id.as_ref().map_or("", CommunityId::as_str);
        // What belongs to no project has no name to join.
        if project.id.is_some() {
            sink.sample(&[id, name, Label::Word(community)], true);
        }
        None
    })
}

fn project_limit_units<S: Sink>(scene: &Scene, from: Place, sink: &mut S) -> Option<Place> {
    projects(scene, from, sink, |sink, project, id, part| {
        let limits = [
            ("hour", project.units_per_hour_max),
            ("execution", project.units_per_execution_max),
        ];
        each(limits.into_iter(), part, sink, |sink, (scope, limit)| {
            if let Some(limit) = limit {
                sink.sample(&[id, Label::Word(scope)], limit);
            }
        })
    })
}
