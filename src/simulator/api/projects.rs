//! `ProjectService` of the second version. Restrictions are not simulated and answer `UNIMPLEMENTED`.

use crate::proto::yandex::cloud::{
    access::{
        ListAccessBindingsRequest, ListAccessBindingsResponse, SetAccessBindingsRequest,
        UpdateAccessBindingsRequest,
    },
    datasphere::v2::{self as pb, project_execution_request::Target, project_service_server::ProjectService},
    operation::Operation,
};
use crate::simulator::{
    api::{Api, begin_plain, page::page},
    world::{Change, NotebookRun, Project, Work, packed},
};
use std::time::Duration;
use tonic::{Request, Response, Status};

/// How long the editor of a project takes to start; script time.
const OPENING_LASTS: Duration = Duration::from_secs(40);

#[tonic::async_trait]
impl ProjectService for Api {
    async fn create(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Result<Response<Operation>, Status> {
        let call = self
            .cloud
            .admit(&request, &[&request.get_ref().community_id])
            .await?;
        let asked = request.into_inner();
        self.begun(&call, |world| {
            if !world
                .communities
                .iter()
                .any(|community| community.id == asked.community_id)
            {
                return Err(Status::permission_denied(format!(
                    "Permission denied to resource {}",
                    asked.community_id
                )));
            }
            let id = world.new_id("project");
            let project = Project::made(id.clone(), asked, &call.caller, call.present.now);
            let response = packed(&project.message(call.present));
            let metadata = Some(packed(&pb::CreateProjectMetadata {
                project_id: id.clone(),
            }));
            world.projects.insert(id, project);
            let change = Change::Other {
                description: "Create project",
                metadata,
                response,
            };
            Ok(begin_plain(world, &call, change, Duration::ZERO))
        })
    }

    async fn update(
        &self,
        request: Request<pb::UpdateProjectRequest>,
    ) -> Result<Response<Operation>, Status> {
        let call = self
            .cloud
            .admit(&request, &[&request.get_ref().project_id])
            .await?;
        let asked = request.into_inner();
        let metadata = packed(&pb::UpdateProjectMetadata {
            project_id: asked.project_id.clone(),
        });
        self.done(&call, "Update project", Some(metadata), |world| {
            let project = world.project_mut(&asked.project_id)?;
            let paths = asked.update_mask.map(|mask| mask.paths).unwrap_or_default();
            let asks_for = |path: &str| paths.is_empty() || paths.iter().any(|asked| asked == path);
            if asks_for("name") {
                project.name = asked.name;
            }
            if asks_for("description") {
                project.description = asked.description;
            }
            if asks_for("labels") {
                project.labels = asked.labels;
            }
            if asks_for("limits") {
                project.limits = asked.limits;
            }
            if asks_for("settings") {
                project.settings = asked.settings;
            }
            Ok(packed(&project.message(call.present)))
        })
    }

    async fn delete(
        &self,
        request: Request<pb::DeleteProjectRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::DeleteProjectMetadata {
            project_id: id.clone(),
        });
        self.done(&call, "Delete project", Some(metadata), |world| {
            world.project(id)?;
            if let Some(project) = world.projects.remove(id) {
                project
                    .jobs
                    .iter()
                    .for_each(|job| world.remove_execution(job, call.present.now));
            }
            Ok(packed(&()))
        })
    }

    async fn open(&self, request: Request<pb::OpenProjectRequest>) -> Result<Response<Operation>, Status> {
        let id = request.get_ref().project_id.clone();
        let call = self.cloud.admit(&request, &[&id]).await?;
        self.begun(&call, |world| {
            let community_id = world.project(&id)?.community_id.clone();
            let response = packed(&pb::OpenProjectResponse {
                project_url: format!(
                    "https://datasphere.yandex.cloud/communities/{community_id}/projects/{id}"
                ),
                session_token: format!("session-{}", world.new_id("session")),
            });
            let lasts = OPENING_LASTS.div_f64(world.speed);
            Ok(begin_plain(
                world,
                &call,
                Change::Opening {
                    project_id: id.clone(),
                    response,
                },
                lasts,
            ))
        })
    }

    async fn get(&self, request: Request<pb::GetProjectRequest>) -> Result<Response<pb::Project>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        Ok(Response::new(
            self.cloud.world().project(id)?.message(call.present),
        ))
    }

    async fn list(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Result<Response<pb::ListProjectsResponse>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.community_id]).await?;
        let world = self.cloud.world();
        if !world
            .communities
            .iter()
            .any(|community| community.id == asked.community_id)
        {
            return Err(Status::permission_denied(format!(
                "Permission denied to resource {}",
                asked.community_id
            )));
        }
        let fits = |project: &&Project| {
            project.community_id == asked.community_id
                && !project.denied
                && project.name.contains(&asked.project_name_pattern)
        };
        let mut projects: Vec<&Project> = world.projects.values().filter(fits).collect();
        projects.sort_by_key(|project| &project.id);
        let (projects, next_page_token) = page(
            projects.into_iter(),
            |project| &project.id,
            asked.page_size,
            &asked.page_token,
        )?;
        let projects = projects
            .into_iter()
            .map(|project| project.message(call.present))
            .collect();
        Ok(Response::new(pb::ListProjectsResponse {
            projects,
            next_page_token,
        }))
    }

    async fn get_unit_balance(
        &self,
        request: Request<pb::GetUnitBalanceRequest>,
    ) -> Result<Response<pb::GetUnitBalanceResponse>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let world = self.cloud.world();
        let unit_balance = world.balance(world.project(id)?, call.present.now);
        Ok(Response::new(pb::GetUnitBalanceResponse { unit_balance }))
    }

    async fn set_unit_balance(
        &self,
        request: Request<pb::SetUnitBalanceRequest>,
    ) -> Result<Response<Operation>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.project_id]).await?;
        let metadata = packed(&pb::SetUnitBalanceMetadata {
            project_id: asked.project_id.clone(),
        });
        self.done(&call, "Set unit balance", Some(metadata), |world| {
            world.project(&asked.project_id)?;
            world.set_balance(&asked.project_id, asked.unit_balance, call.present.now);
            Ok(packed(&()))
        })
    }

    async fn execute(
        &self,
        request: Request<pb::ProjectExecutionRequest>,
    ) -> Result<Response<Operation>, Status> {
        let asked = request.get_ref();
        let path = match &asked.target {
            Some(Target::NotebookId(path) | Target::CellId(path)) => path.clone(),
            None => String::new(),
        };
        let call = self.cloud.admit(&request, &[&asked.project_id, &path]).await?;
        self.begun(&call, |world| {
            world.project(&asked.project_id)?;
            if path.is_empty() {
                return Err(Status::invalid_argument(
                    "One of notebook_id and cell_id is required",
                ));
            }
            let mut script = world.script_of_notebook(&path);
            script.created_by.clone_from(&call.caller);
            let run = NotebookRun::scripted(&script, &asked.project_id, call.present.now, world.speed);
            let id = world.new_id("operation");
            world.begin(&id, Work::Notebook(Box::new(run)), call.present.now);
            world.project_mut(&asked.project_id)?.notebooks.push(id.clone());
            Ok(id)
        })
    }

    async fn list_access_bindings(
        &self,
        request: Request<ListAccessBindingsRequest>,
    ) -> Result<Response<ListAccessBindingsResponse>, Status> {
        let id = &request.get_ref().resource_id;
        let _call = self.cloud.admit(&request, &[id]).await?;
        self.cloud.world().project(id)?;
        Ok(Response::new(ListAccessBindingsResponse::default()))
    }

    async fn set_access_bindings(
        &self,
        request: Request<SetAccessBindingsRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().resource_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::SetProjectAccessBindingsMetadata {
            project_id: id.clone(),
        });
        self.done(&call, "Set access bindings", Some(metadata), |world| {
            world.project(id).map(|_| packed(&()))
        })
    }

    async fn update_access_bindings(
        &self,
        request: Request<UpdateAccessBindingsRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().resource_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let metadata = packed(&pb::UpdateProjectAccessBindingsMetadata {
            project_id: id.clone(),
        });
        self.done(&call, "Update access bindings", Some(metadata), |world| {
            world.project(id).map(|_| packed(&()))
        })
    }

    async fn add_resource(
        &self,
        request: Request<pb::AddResourceToProjectRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        self.done(&call, "Add resource", None, |world| {
            world.project(id).map(|_| packed(&()))
        })
    }

    async fn remove_resource(
        &self,
        request: Request<pb::RemoveResourceFromProjectRequest>,
    ) -> Result<Response<Operation>, Status> {
        let id = &request.get_ref().project_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        self.done(&call, "Remove resource", None, |world| {
            world.project(id).map(|_| packed(&()))
        })
    }

    async fn resize_disk(
        &self,
        request: Request<pb::ResizeProjectDiskRequest>,
    ) -> Result<Response<Operation>, Status> {
        let asked = request.get_ref();
        let call = self.cloud.admit(&request, &[&asked.project_id]).await?;
        let metadata = packed(&pb::ResizeProjectDiskMetadata {
            project_id: asked.project_id.clone(),
            old_disk_size_gb: 10,
            new_disk_size_gb: asked.new_disk_size_gb,
        });
        self.done(&call, "Resize disk", Some(metadata), |world| {
            world.project(&asked.project_id)?;
            let size = i32::try_from(asked.new_disk_size_gb);
            let size = size.map_err(|_| Status::invalid_argument("new_disk_size_gb is out of range"))?;
            Ok(packed(&pb::DiskInfo {
                project_id: asked.project_id.clone(),
                disk_size_gb: size.into(),
                disk_used_gb: 1.0,
                detailed_usage: None,
            }))
        })
    }
}
