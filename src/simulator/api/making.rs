//! Jobs that clients make: what was asked, and the script that fits the name.

use crate::proto::yandex::cloud::datasphere::v2::jobs as pb;
use crate::simulator::{
    api::{Api, begin_plain},
    cloud::LiveCall,
    scenario::{JobScript, NotebookScript},
    timeline::Timeline,
    world::{Body, Change, Job, Output, World, packed},
};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

/// What a client asks for, whether it creates or clones.
struct Wish {
    project_id: String,
    name: String,
    description: String,
    config: String,
    parameters: pb::JobParameters,
    data_ttl: Option<prost_types::Duration>,
    parent_id: String,
}

impl Api {
    /// Makes a job; the operation answers where to upload what the store does not have.
    pub(crate) fn make_job(
        &self,
        world: &mut World,
        call: &LiveCall,
        request: pb::CreateProjectJobRequest,
    ) -> Result<String, Status> {
        let wish = Wish {
            project_id: request.project_id,
            name: request.name,
            description: request.desc,
            config: request.config,
            parameters: request.job_parameters.unwrap_or_default(),
            data_ttl: request.data_ttl,
            parent_id: String::new(),
        };
        let project_id = wish.project_id.clone();
        let (job_id, upload_files) = self.take_in(world, call, wish)?;
        let metadata = packed(&pb::CreateProjectJobMetadata {
            project_id,
            job_id: job_id.clone(),
        });
        let response = packed(&pb::CreateProjectJobResponse { job_id, upload_files });
        let change = Change::Other {
            description: "Create job",
            metadata: Some(metadata),
            response,
        };
        Ok(begin_plain(world, call, change, Duration::ZERO))
    }

    /// Makes a job out of another one.
    pub(crate) fn clone_job(
        &self,
        world: &mut World,
        call: &LiveCall,
        request: pb::CloneProjectJobRequest,
    ) -> Result<String, Status> {
        let source = world.job(&request.source_job_id)?;
        if source.data_cleared {
            return Err(Status::failed_precondition(
                "The data of the source job is cleared",
            ));
        }
        let overrides = request.job_parameters_overrides.unwrap_or_default();
        let either = |new: String, old: &str| if new.is_empty() { old.to_owned() } else { new };
        let wish = Wish {
            project_id: source.project_id.clone(),
            name: either(request.name, &source.name),
            description: either(request.desc, &source.body.description),
            config: source.body.config.clone(),
            parameters: overridden(source.body.parameters.clone(), overrides),
            data_ttl: request.data_ttl,
            parent_id: source.id.clone(),
        };
        let project_id = wish.project_id.clone();
        let (job_id, upload_files) = self.take_in(world, call, wish)?;
        let metadata = packed(&pb::CloneProjectJobMetadata {
            project_id,
            job_id: job_id.clone(),
        });
        let response = packed(&pb::CloneProjectJobResponse { job_id, upload_files });
        let change = Change::Other {
            description: "Clone job",
            metadata: Some(metadata),
            response,
        };
        Ok(begin_plain(world, call, change, Duration::ZERO))
    }

    fn take_in(
        &self,
        world: &mut World,
        call: &LiveCall,
        wish: Wish,
    ) -> Result<(String, Vec<pb::StorageFile>), Status> {
        world.has_room()?;
        world.project(&wish.project_id)?;
        let ttl = wish.data_ttl.map(Duration::try_from).transpose();
        let data_ttl = ttl.map_err(|_| Status::invalid_argument("data_ttl must not be negative"))?;
        let upload_files = self.missing(&wish.parameters);
        let id = world.new_id("job");
        let body = body_of(world, &wish);
        let job = Job {
            id: id.clone(),
            name: wish.name,
            project_id: wish.project_id,
            created_by: call.caller.clone(),
            created_at: call.present.now,
            parent_id: wish.parent_id,
            executions: Vec::new(),
            data_ttl,
            data_cleared: false,
            body: Arc::new(body),
        };
        world.project_mut(&job.project_id)?.jobs.push(id.clone());
        world.jobs.insert(id.clone(), job);
        Ok((id, upload_files))
    }

    /// The input files and modules that the store does not have, and where to put them.
    fn missing(&self, parameters: &pb::JobParameters) -> Vec<pb::StorageFile> {
        let python = parameters.env.iter().filter_map(|env| env.python_env.as_ref());
        let modules = python.flat_map(|python| &python.local_modules);
        let store = self.cloud.store();
        let missing = parameters
            .input_files
            .iter()
            .chain(modules)
            .filter(|file| !store.has(&file.sha256));
        missing
            .map(|file| pb::StorageFile {
                file: Some(file.clone()),
                url: self.cloud.urls.upload(&file.sha256),
            })
            .collect()
    }
}

impl World {
    /// The script of a job of this name that a client makes.
    fn script_of_job(&self, name: &str) -> JobScript {
        let fits = self
            .template
            .jobs
            .iter()
            .find(|script| is_named(name, &script.name));
        fits.cloned().unwrap_or_else(|| JobScript::named(name))
    }

    /// The script of a notebook that a client executes.
    pub(crate) fn script_of_notebook(&self, path: &str) -> NotebookScript {
        let fits = self
            .template
            .notebooks
            .iter()
            .find(|script| is_named(path, &script.path));
        NotebookScript {
            path: path.to_owned(),
            ..fits.cloned().unwrap_or_else(|| NotebookScript::of(path))
        }
    }
}

/// What the job will do: the files that were asked for, with the content that the script gives them.
fn body_of(world: &World, wish: &Wish) -> Body {
    let script = world.script_of_job(&wish.name);
    let outputs = wish.parameters.output_files.iter().map(|desc| {
        let scripted = script.outputs.iter().find(|output| output.path == desc.path);
        let content = scripted.and_then(|output| output.content.clone());
        let content = content.unwrap_or_else(|| format!("{} of {}\n", desc.path, wish.name));
        Output::of(&desc.path, &desc.var, &content)
    });
    let preferred = wish
        .parameters
        .cloud_instance_types
        .first()
        .map(|machine| machine.name.clone());
    Body {
        description: wish.description.clone(),
        config: wish.config.clone(),
        parameters: wish.parameters.clone(),
        instance_type: preferred.unwrap_or(script.instance_type.clone()),
        timeline: Arc::new(Timeline::scripted(&script, world.speed)),
        outputs: outputs.collect(),
        ..Body::scripted(&script, world.speed)
    }
}

/// The parameters of a clone: whatever the client set replaces what the source had.
fn overridden(mut parameters: pb::JobParameters, overrides: pb::JobParameters) -> pb::JobParameters {
    for file in overrides.input_files {
        let var = file.desc.as_ref().map(|desc| desc.var.clone());
        parameters
            .input_files
            .retain(|old| old.desc.as_ref().map(|desc| desc.var.clone()) != var);
        parameters.input_files.push(file);
    }
    for desc in overrides.output_files {
        parameters.output_files.retain(|old| old.var != desc.var);
        parameters.output_files.push(desc);
    }
    for argument in overrides.arguments {
        parameters.arguments.retain(|old| old.name != argument.name);
        parameters.arguments.push(argument);
    }
    if let Some(env) = overrides.env {
        parameters.env.get_or_insert_default().vars.extend(env.vars);
    }
    if !overrides.cloud_instance_types.is_empty() {
        parameters.cloud_instance_types = overrides.cloud_instance_types;
    }
    parameters
}

/// Whether a name is the pattern, or begins with what stands before the pattern's final `*`.
fn is_named(name: &str, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(name == pattern, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_names() {
        assert!(is_named("train-1", "train*") && is_named("train", "train") && is_named("x", "*"));
        assert!(!is_named("train-1", "train") && !is_named("a-train", "train*"));
    }
}
