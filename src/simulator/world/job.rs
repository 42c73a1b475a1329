//! A job: what was asked, its executions, and the messages of the API about it.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::datasphere::v2::jobs::{self as pb, file_upload_error};
use crate::simulator::{
    ids::hex,
    logs::LOG_FILES,
    scenario::{End, JobScript, OutputError},
    timeline::{Moment, Progress, Step, Timeline},
    world::Present,
};
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Duration;

/// A job as the simulated cloud knows it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) parent_id: String,
    /// Oldest first; empty until somebody executes the job.
    pub(crate) executions: Vec<Execution>,
    pub(crate) data_ttl: Option<Duration>,
    pub(crate) data_cleared: bool,
    pub(crate) body: Arc<Body>,
}

/// One run of a job.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) operation_id: String,
    pub(crate) began_at: Timestamp,
    pub(crate) created_by: String,
    pub(crate) timeline: Arc<Timeline>,
}

/// What all runs of a script share.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) description: String,
    pub(crate) config: String,
    pub(crate) parameters: pb::JobParameters,
    pub(crate) instance_type: String,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) output_errors: Vec<pb::FileUploadError>,
}

/// A file that a job makes.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) file: pb::File,
    pub(crate) content: Bytes,
}

/// Executions of a job that are remembered: a job that is executed in a loop must not grow for ever.
const EXECUTIONS_MAX: usize = 8;
/// What a job holds on its machine beside its output files, for `data_size_bytes`.
const ENVIRONMENT_BYTES: i64 = 3_500_000_000;

impl Job {
    /// The newest execution.
    pub(crate) fn execution(&self) -> Option<&Execution> {
        self.executions.last()
    }

    /// How the newest execution stands; `None` before the first.
    pub(crate) fn moment(&self, now: Timestamp) -> Option<Moment> {
        self.execution().map(|execution| execution.moment(now))
    }

    /// Whether it is being executed.
    pub(crate) fn is_running(&self, now: Timestamp) -> bool {
        self.moment(now).is_some_and(|moment| moment.finished.is_none())
    }

    /// Time on machines that are paid for, over all executions.
    pub(crate) fn busy(&self, now: Timestamp) -> Duration {
        self.executions
            .iter()
            .map(|execution| execution.moment(now).busy)
            .sum()
    }

    /// Begins an execution; the oldest of too many is forgotten, and its operation id is handed back.
    pub(crate) fn begin(&mut self, execution: Execution) -> Option<String> {
        self.executions.push(execution);
        (self.executions.len() > EXECUTIONS_MAX).then(|| self.executions.remove(0).operation_id)
    }

    /// Changes how the newest execution goes on.
    pub(crate) fn divert(&mut self, now: Timestamp, change: impl FnOnce(&Timeline, Duration) -> Timeline) {
        if let Some(execution) = self.executions.last_mut() {
            let elapsed = now.since(execution.began_at);
            execution.timeline = Arc::new(change(&execution.timeline, elapsed));
        }
    }

    /// The status as sent.
    pub(crate) fn status(&self, now: Timestamp) -> i32 {
        self.moment(now)
            .map_or(pb::JobStatus::Creating.into(), |moment| moment.status)
    }

    /// The message of the API, secrets included.
    pub(crate) fn message(&self, present: Present) -> pb::Job {
        let life = self.life(present);
        let ended = life.finished_at.is_some();
        let files = self
            .body
            .outputs
            .iter()
            .filter(|_| ended)
            .map(|output| output.file.clone())
            .collect();
        let output_bytes: i64 = self
            .body
            .outputs
            .iter()
            .map(|output| output.file.size_bytes)
            .sum();
        pb::Job {
            id: self.id.clone(),
            name: self.name.clone(),
            desc: self.body.description.clone(),
            created_at: Some(present.stamp(self.created_at)),
            finished_at: life.finished_at,
            status: life.status,
            config: self.body.config.clone(),
            created_by_id: self.created_by.clone(),
            project_id: self.project_id.clone(),
            job_parameters: Some(self.body.parameters.clone()),
            data_expires_at: life.data_expires_at,
            data_cleared: self.data_cleared,
            output_files: files,
            log_files: self.log_files(ended).into_iter().map(|log| log.file).collect(),
            diagnostic_files: Vec::new(),
            data_size_bytes: if life.started_at.is_some() {
                ENVIRONMENT_BYTES + output_bytes
            } else {
                0
            },
            started_at: life.started_at,
            status_details: life.details,
            actual_cloud_instance_type: life.has_machine.then(|| pb::CloudInstanceType {
                name: self.body.instance_type.clone(),
            }),
            parent_job_id: self.parent_id.clone(),
            file_errors: if ended {
                self.body.output_errors.clone()
            } else {
                Vec::new()
            },
            output_datasets: Vec::new(),
        }
    }

    /// The public half of the message.
    pub(crate) fn metadata(&self, present: Present) -> pb::JobMetadata {
        let life = self.life(present);
        pb::JobMetadata {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.body.description.clone(),
            created_at: Some(present.stamp(self.created_at)),
            started_at: life.started_at,
            finished_at: life.finished_at,
            data_expires_at: life.data_expires_at,
            status: life.status,
            status_details: life.details,
            created_by_id: self.created_by.clone(),
            project_id: self.project_id.clone(),
            parent_job_id: self.parent_id.clone(),
        }
    }

    /// The files of the logs, known once the job has ended.
    pub(crate) fn log_files(&self, ended: bool) -> Vec<Output> {
        let logs = LOG_FILES.iter().filter(|_| ended && !self.data_cleared);
        logs.map(|path| Output::of(path, "", &format!("log {path} of {}\n", self.name)))
            .collect()
    }

    fn life(&self, present: Present) -> Life {
        let Some((execution, moment)) = self
            .execution()
            .map(|execution| (execution, execution.moment(present.now)))
        else {
            return Life {
                status: pb::JobStatus::Creating.into(),
                ..Life::default()
            };
        };
        let at = |elapsed| present.stamp(execution.began_at.plus(elapsed));
        let expires_at = moment
            .finished
            .zip(self.data_ttl)
            .map(|(finished, ttl)| present.stamp(execution.began_at.plus(finished).plus(ttl)));
        Life {
            status: moment.status,
            started_at: moment.started.map(at),
            finished_at: moment.finished.map(at),
            data_expires_at: expires_at,
            details: moment
                .finished
                .map(|_| details_of(&execution.timeline.end))
                .unwrap_or_default(),
            has_machine: !moment.busy.is_zero(),
        }
    }
}

/// The fields that two messages share.
#[derive(Default)]
struct Life {
    status: i32,
    started_at: Option<prost_types::Timestamp>,
    finished_at: Option<prost_types::Timestamp>,
    data_expires_at: Option<prost_types::Timestamp>,
    details: String,
    has_machine: bool,
}

impl Execution {
    /// How it stands.
    pub(crate) fn moment(&self, now: Timestamp) -> Moment {
        self.timeline.at(now.since(self.began_at))
    }
}

impl Body {
    /// The body of a scripted job, with the kind of secrets that real ones carry.
    pub(crate) fn scripted(script: &JobScript, speed: f64) -> Self {
        let outputs: Vec<Output> = script
            .outputs
            .iter()
            .map(|output| {
                let made = format!("{} of {}\n", output.path, script.name);
                Output::of(
                    &output.path,
                    &output.var,
                    output.content.as_ref().unwrap_or(&made),
                )
            })
            .collect();
        let machine = pb::CloudInstanceType {
            name: script.instance_type.clone(),
        };
        let parameters = pb::JobParameters {
            cmd: script.command.clone(),
            env: Some(pb::Environment {
                vars: script.environment.clone().into_iter().collect(),
                ..pb::Environment::default()
            }),
            cloud_instance_types: vec![machine],
            output_files: outputs
                .iter()
                .filter_map(|output| output.file.desc.clone())
                .collect(),
            ..pb::JobParameters::default()
        };
        Self {
            description: script.description.clone(),
            config: config_of(script),
            parameters,
            instance_type: script.instance_type.clone(),
            timeline: Arc::new(Timeline::scripted(script, speed)),
            outputs,
            output_errors: script.output_errors.iter().map(upload_error).collect(),
        }
    }
}

impl Output {
    /// A file with this content.
    pub(crate) fn of(path: &str, var: &str, content: &str) -> Self {
        let content = Bytes::copy_from_slice(content.as_bytes());
        let file = pb::File {
            desc: Some(pb::FileDesc {
                path: path.to_owned(),
                var: var.to_owned(),
            }),
            sha256: hex(digest(&SHA256, &content).as_ref()),
            size_bytes: i64::try_from(content.len()).unwrap_or(i64::MAX),
            compression_type: pb::FileCompressionType::None.into(),
        };
        Self { file, content }
    }
}

impl Timeline {
    /// The life that a script describes, at the speed of the simulation.
    pub(crate) fn scripted(script: &JobScript, speed: f64) -> Self {
        let stages = script.timeline.iter();
        let steps: Vec<Step> = stages
            .map(|stage| Step {
                status: stage.status.0,
                lasts: stage.lasts.map(|lasts| lasts.at_speed(speed)),
            })
            .collect();
        let executing = i32::from(pb::JobStatus::Executing);
        let executes = steps
            .iter()
            .filter(|step| step.status == executing)
            .map(|step| step.lasts);
        let executes: Option<Duration> = executes.sum();
        let progress = script.progress.map(|progress| Progress {
            every: progress.every.at_speed(speed).max(Duration::from_millis(1)),
            over: progress
                .over
                .map(|over| over.at_speed(speed))
                .or(executes)
                .unwrap_or(Duration::from_hours(1).div_f64(speed))
                .max(Duration::from_millis(1)),
            curve: progress.curve,
            stalls_at: progress.stalls_at.unwrap_or(100),
        });
        let final_status = script
            .final_status
            .map_or_else(|| fitting_status(&script.end), |status| status.0);
        let done_after = script.done_after.at_speed(speed);
        Self {
            steps,
            end: script.end.clone(),
            final_status,
            done_after,
            progress,
        }
    }
}

/// The status that fits an end. A failing return code does not make a job an ERROR: its operation succeeds.
pub(crate) fn fitting_status(end: &End) -> i32 {
    match end {
        End::Success | End::ReturnCode(_) | End::WithoutResult => pb::JobStatus::Success.into(),
        End::Error(_) => pb::JobStatus::Error.into(),
        End::Cancelled => pb::JobStatus::Cancelled.into(),
    }
}

/// What a listing tells of an end: next to nothing, as in the cloud.
fn details_of(end: &End) -> String {
    match end {
        End::Error(refusal) => refusal.message.clone(),
        End::Success | End::ReturnCode(_) | End::WithoutResult | End::Cancelled => String::new(),
    }
}

/// The configuration file that a user might have written for a scripted job.
fn config_of(script: &JobScript) -> String {
    let mut config = format!(
        "name: {}\ndesc: {}\ncmd: {}\ncloud-instance-types:\n  - {}\n",
        script.name, script.description, script.command, script.instance_type
    );
    if !script.environment.is_empty() {
        config.push_str("env:\n  vars:\n");
        for (name, value) in &script.environment {
            config.extend(["    - ", name, ": ", value, "\n"]);
        }
    }
    config
}

fn upload_error(error: &OutputError) -> pb::FileUploadError {
    let desc = pb::FileDesc {
        path: error.path.clone(),
        var: String::new(),
    };
    let kind = if error.not_found {
        file_upload_error::ErrorType::NotFound
    } else {
        file_upload_error::ErrorType::UploadFailed
    };
    pb::FileUploadError {
        description: error.description.clone(),
        r#type: kind.into(),
        file_type: Some(file_upload_error::FileType::OutputFileDesc(desc)),
    }
}
