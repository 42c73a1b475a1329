//! `ProjectJobService`.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::{
    datasphere::v2::jobs::{self as pb, project_job_service_server::ProjectJobService},
    operation::Operation,
};
use crate::simulator::{
    api::{Api, filter, page::page, reading},
    world::{Execution, Job, Work, World, packed},
};
use std::sync::Arc;
use std::time::Duration;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// How long a process takes to die when it is killed, and when it may end in its own way; script time.
const KILLED_IN: Duration = Duration::from_secs(5);
const ENDED_IN: Duration = Duration::from_secs(30);

#[tonic::async_trait]
impl ProjectJobService for Api {
    async fn create(
        &self,
        request: Request<pb::CreateProjectJobRequest>,
    ) -> Result<Response<Operation>, Status> {
        let call = self
            .cloud
            .admit(&request, &[&request.get_ref().project_id])
            .await?;
        let request = request.into_inner();
        self.begun(&call, |world| self.make_job(world, &call, request))
    }

    async fn clone(
        &self,
        request: Request<pb::CloneProjectJobRequest>,
    ) -> Result<Response<Operation>, Status> {
        let call = self
            .cloud
            .admit(&request, &[&request.get_ref().source_job_id])
            .await?;
        let request = request.into_inner();
        self.begun(&call, |world| self.clone_job(world, &call, request))
    }

    async fn execute(
        &self,
        request: Request<pb::ExecuteProjectJobRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().job_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        self.begun(&call, |world| {
            world.execute_job(id, &call.caller, call.present.now)
        })
    }

    async fn cancel(&self, request: Request<pb::CancelProjectJobRequest>) -> Result<Response<()>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.job_id]).await?;
        self.cloud
            .world()
            .cancel_job(&asked.job_id, asked.graceful, call.present.now)?;
        Ok(Response::new(()))
    }

    async fn read_std_logs(
        &self,
        request: Request<pb::ReadProjectJobStdLogsRequest>,
    ) -> Result<Response<BoxStream<pb::ReadProjectJobStdLogsResponse>>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.job_id]).await?;
        let (id, offset) = (asked.job_id.clone(), asked.offset);
        Ok(Response::new(reading::stream(
            self,
            id,
            offset,
            call.effects.skew_nanos,
        )?))
    }

    async fn read_logs(
        &self,
        request: Request<pb::ReadProjectJobLogsRequest>,
    ) -> Result<Response<BoxStream<pb::ReadProjectJobLogsResponse>>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.job_id]).await?;
        let (id, offset) = (asked.job_id.clone(), asked.offset);
        Ok(Response::new(reading::stream(
            self,
            id,
            offset,
            call.effects.skew_nanos,
        )?))
    }

    async fn download_job_files(
        &self,
        request: Request<pb::DownloadProjectJobFilesRequest>,
    ) -> Result<Response<pb::DownloadProjectJobFilesResponse>, Status> {
        let asked = request.get_ref();
        let _call = self.cloud.admit(&request, &[&asked.job_id]).await?;
        let world = self.cloud.world();
        let job = world.job(&asked.job_id)?;
        let known = self.files_of(job);
        let wanted = |file: &pb::StorageFile| asked.files.iter().any(|wanted| same_file(wanted, file));
        let download_files = known.into_iter().filter(wanted).collect();
        Ok(Response::new(pb::DownloadProjectJobFilesResponse {
            download_files,
        }))
    }

    async fn list(
        &self,
        request: Request<pb::ListProjectJobRequest>,
    ) -> Result<Response<pb::ListProjectJobResponse>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.project_id]).await?;
        let statuses = filter::statuses(&asked.filter)?;
        let world = self.cloud.world();
        let now = call.present.now;
        let newest_first = world.project(&asked.project_id)?.jobs.iter().rev();
        let jobs = newest_first.filter_map(|id| world.jobs.get(id)).filter(|job| {
            statuses
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&job.status(now)))
        });
        let (jobs, next_page_token) = page(jobs, |job| &job.id, asked.page_size, &asked.page_token)?;
        let jobs = jobs.into_iter().map(|job| job.message(call.present)).collect();
        Ok(Response::new(pb::ListProjectJobResponse {
            jobs,
            next_page_token,
        }))
    }

    async fn get(&self, request: Request<pb::GetProjectJobRequest>) -> Result<Response<pb::Job>, Status> {
        let id = &request.get_ref().job_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        Ok(Response::new(self.cloud.world().job(id)?.message(call.present)))
    }

    async fn delete(
        &self,
        request: Request<pb::DeleteProjectJobRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().job_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::DeleteProjectJobMetadata { job_id: id.clone() });
        self.done(&call, "Delete job", Some(metadata), |world| {
            world.job(id)?;
            world.remove_execution(id, call.present.now);
            Ok(packed(&()))
        })
    }

    async fn delete_data(
        &self,
        request: Request<pb::DeleteProjectJobDataRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().job_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::DeleteProjectJobDataMetadata { job_id: id.clone() });
        self.done(&call, "Delete job data", Some(metadata), |world| {
            world.job_mut(id)?.data_cleared = true;
            Ok(packed(&pb::DeleteProjectJobDataResponse {}))
        })
    }

    async fn delete_all_data(
        &self,
        request: Request<pb::DeleteAllProjectJobDataRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::DeleteAllProjectJobDataMetadata {
            project_id: id.clone(),
        });
        self.done(&call, "Delete data of all jobs", Some(metadata), |world| {
            for job_id in world.project(id)?.jobs.clone() {
                world.job_mut(&job_id)?.data_cleared = true;
            }
            Ok(packed(&pb::DeleteAllProjectJobDataResponse {}))
        })
    }

    async fn set_data_ttl(
        &self,
        request: Request<pb::SetProjectJobDataTtlRequest>,
    ) -> Result<Response<pb::SetProjectJobDataTtlResponse>, Status> {
        let asked = request.get_ref();
        let _call = self.cloud.admit(&request, &[&asked.job_id]).await?;
        let ttl = asked.ttl.map(Duration::try_from).transpose();
        let ttl = ttl.map_err(|_| Status::invalid_argument("ttl must not be negative"))?;
        self.cloud.world().job_mut(&asked.job_id)?.data_ttl = ttl;
        Ok(Response::new(pb::SetProjectJobDataTtlResponse {}))
    }
}

impl Api {
    /// Every file of a job that has ended, and where to get it.
    fn files_of(&self, job: &Job) -> Vec<pb::StorageFile> {
        let logs = job.log_files(
            job.moment(self.cloud.clock.now())
                .is_some_and(|now| now.finished.is_some()),
        );
        [("outputs", &job.body.outputs), ("logs", &logs)]
            .into_iter()
            .flat_map(|(kind, files)| {
                files
                    .iter()
                    .enumerate()
                    .map(move |(index, output)| pb::StorageFile {
                        file: Some(output.file.clone()),
                        url: self.cloud.urls.download(&job.id, kind, index),
                    })
            })
            .collect()
    }
}

impl World {
    /// Starts a job, and gives the id of the operation. A job that is running goes on in the operation it has; one
    /// that has ended starts anew, which is why a watcher must never call this.
    fn execute_job(&mut self, id: &str, caller: &str, now: Timestamp) -> Result<String, Status> {
        let job = self.job(id)?;
        if let Some(execution) = job.execution().filter(|_| job.is_running(now)) {
            return Ok(execution.operation_id.clone());
        }
        let project = self.project(&job.project_id)?;
        if self.balance(project, now).is_some_and(|units| units <= 0) {
            return Err(Status::failed_precondition(
                "The unit balance of the project is used up",
            ));
        }
        let timeline = Arc::clone(&job.body.timeline);
        let operation_id = self.new_id("operation");
        self.begin(&operation_id, Work::Job(id.to_owned()), now);
        let execution = Execution {
            operation_id: operation_id.clone(),
            began_at: now,
            created_by: caller.to_owned(),
            timeline,
        };
        if let Some(forgotten) = self.job_mut(id)?.begin(execution) {
            self.works.remove(&forgotten);
        }
        Ok(operation_id)
    }

    /// Asks a job to end; one that has ended stays as it is.
    pub(crate) fn cancel_job(&mut self, id: &str, graceful: bool, now: Timestamp) -> Result<(), Status> {
        let dying = if graceful { ENDED_IN } else { KILLED_IN }.div_f64(self.speed);
        let job = self.job_mut(id)?;
        if job.is_running(now) {
            job.divert(now, |timeline, elapsed| timeline.cancelled(elapsed, dying));
        }
        Ok(())
    }
}

fn same_file(wanted: &pb::File, file: &pb::StorageFile) -> bool {
    let path = |file: &pb::File| file.desc.as_ref().map(|desc| desc.path.clone());
    file.file.as_ref().is_some_and(|file| path(file) == path(wanted))
}
