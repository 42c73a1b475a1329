//! The hand of a test, or of the demo, in a running simulation.

use crate::clock::{Clock, Timestamp};
use crate::proto::yandex::cloud::operation::Operation;
use crate::simulator::{
    Error, Identity,
    api::{Api, routes},
    cloud::Cloud,
    files,
    line::Line,
    scenario::{End, Fault, JobScript, NotebookScript, RestStyle, Scenario, StatusName},
    timeline::Step,
    world::{RunIds, fitting_status},
};
use axum::Router;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::{Server, ServerTlsConfig};

/// A simulation without sockets of its own; cheap to copy, all copies steer the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    cloud: Arc<Cloud>,
}

/// A scripted execution: where it is found, and when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The id of its operation.
    pub operation_id: String,
    /// The id of its job; `None` for a notebook.
    pub job_id: Option<String>,
    /// The project it runs in.
    pub project_id: String,
    /// When it begins, or began.
    pub begins_at: Timestamp,
}

/// Runs of one script that are foretold: a script that repeats every millisecond has no end of them.
const FORETOLD_MAX: u64 = 10_000;

impl Handle {
    /// A simulation that nobody can reach yet; `http_authority` is where its file store will be found.
    ///
    /// # Errors
    /// When the scenario contradicts itself, or a key file of it cannot be read.
    pub fn new(scenario: &Scenario, clock: Clock, http_authority: &str) -> Result<Self, Error> {
        Self::advertising(scenario, clock, http_authority, None)
    }

    pub(crate) fn advertising(
        scenario: &Scenario,
        clock: Clock,
        http_authority: &str,
        advertised: Option<String>,
    ) -> Result<Self, Error> {
        let cloud = Cloud::new(scenario, clock, http_authority.to_owned(), advertised)?;
        Ok(Self {
            cloud: Arc::new(cloud),
        })
    }

    /// The gRPC services, to be served over anything.
    pub fn routes(&self) -> Routes {
        routes(self.api(TaskTracker::new(), CancellationToken::new()))
    }

    fn api(&self, readers: TaskTracker, shutdown: CancellationToken) -> Api {
        Api {
            cloud: Arc::clone(&self.cloud),
            readers,
            shutdown,
        }
    }

    /// The HTTP half: the file store and the instance metadata.
    pub fn http_routes(&self) -> Router {
        files::routes(Arc::clone(&self.cloud))
    }

    /// Serves gRPC and REST over connections of any kind until `shutdown`; connections that a fault resets end
    /// without an answer.
    ///
    /// # Errors
    /// When certificate and key do not fit, or the listener fails.
    pub async fn serve_with_incoming<S>(
        &self,
        incoming: impl Stream<Item = io::Result<S>>,
        identity: Option<Identity>,
        shutdown: CancellationToken,
    ) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // REST comes over HTTP/1.1, on the same port.
        let mut server = Server::builder().accept_http1(true);
        if let Some(Identity {
            certificate_pem,
            key_pem,
        }) = identity
        {
            let identity = tonic::transport::Identity::from_pem(certificate_pem, key_pem);
            let config = ServerTlsConfig::new().identity(identity);
            server = server
                .tls_config(config)
                .map_err(|source| Error::Tls { source })?;
        }
        let incoming = incoming.map(|stream| stream.map(Line::new));
        let readers = TaskTracker::new();
        let routes = routes(self.api(readers.clone(), shutdown.child_token()));
        let ended = shutdown.clone().cancelled_owned();
        let outcome = server
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, ended)
            .await;
        readers.close();
        readers.wait().await;
        outcome.map_err(|source| Error::Serve { source })
    }

    /// Adds a job to a project, its `start` counted from now, and tells its first run; `None` when there is no such
    /// project, or no run in the script.
    pub fn add_job(&self, project_id: &str, script: &JobScript) -> Option<Run> {
        let now = self.cloud.clock.now();
        let first = self.cloud.world().schedule_job(project_id, script, now);
        first.map(|(ids, begins_at)| Run::of(ids, project_id, begins_at))
    }

    /// Adds a notebook execution to a project, as for a job.
    pub fn add_notebook(&self, project_id: &str, script: &NotebookScript) -> Option<Run> {
        let now = self.cloud.clock.now();
        let first = self.cloud.world().schedule_notebook(project_id, script, now);
        first.map(|(ids, begins_at)| Run::of(ids, project_id, begins_at))
    }

    /// Moves a running job into a status for good; `false` when there is no such job, or it has ended.
    pub fn set_status(&self, job_id: &str, status: StatusName) -> bool {
        let stays = Step {
            status: status.0,
            lasts: None,
        };
        self.divert(job_id, &[stays], End::Success, status.0)
    }

    /// Ends a running job now; `false` when there is no such job, or it has ended.
    pub fn end_job(&self, job_id: &str, end: End) -> bool {
        let status = fitting_status(&end);
        self.divert(job_id, &[], end, status)
    }

    fn divert(&self, job_id: &str, steps: &[Step], end: End, final_status: i32) -> bool {
        let now = self.cloud.clock.now();
        let mut world = self.cloud.world();
        let Some(job) = world.jobs.get_mut(job_id).filter(|job| job.is_running(now)) else {
            return false;
        };
        job.divert(now, |timeline, elapsed| {
            timeline.diverted(elapsed, steps, end, final_status)
        });
        true
    }

    /// Lays answers ready for looks at one operation, whether it exists or not; the last one stays.
    pub fn lay_answers_ready(&self, operation_id: &str, answers: Vec<Result<Operation, Status>>) {
        self.cloud
            .world()
            .laid_ready
            .insert(operation_id.to_owned(), answers.into());
    }

    /// Sets what a project may still spend; `None` is without a limit.
    pub fn set_balance(&self, project_id: &str, units: Option<i64>) {
        let now = self.cloud.clock.now();
        self.cloud.world().set_balance(project_id, units, now);
    }

    /// Changes how REST answers are printed from now on.
    pub fn print_rest(&self, style: RestStyle) {
        *self.cloud.rest_style() = style;
    }

    /// Adds a fault; its counts begin now.
    pub fn set_fault(&self, fault: Fault) {
        self.cloud.faults().add(fault);
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.cloud.faults().clear();
    }

    /// A valid token of a subject.
    pub fn issue_token(&self, subject: &str) -> String {
        self.cloud.tokens.issue(subject, self.cloud.clock.now()).0
    }

    /// Ends every token made so far.
    pub fn revoke_tokens(&self) {
        self.cloud.tokens.revoke_all();
    }

    /// How often a method was called, whatever came of it; the method is a full path, `/package.Service/Method`.
    pub fn calls(&self, method: &str) -> u64 {
        self.cloud.calls().get(method).copied().unwrap_or(0)
    }

    /// How often each method was called.
    pub fn calls_by_method(&self) -> BTreeMap<String, u64> {
        self.cloud.calls().clone()
    }

    /// The number of input files in the store.
    pub fn uploads(&self) -> usize {
        self.cloud.store().count()
    }

    /// The ids of all communities.
    pub fn community_ids(&self) -> Vec<String> {
        self.cloud
            .world()
            .communities
            .iter()
            .map(|community| community.id.clone())
            .collect()
    }

    /// The ids of all projects that can be seen, with their names.
    pub fn projects(&self) -> BTreeMap<String, String> {
        let world = self.cloud.world();
        let seen = world.projects.values().filter(|project| !project.denied);
        seen.map(|project| (project.id.clone(), project.name.clone()))
            .collect()
    }

    /// The scripted executions that have begun and are remembered, and those that begin within `ahead` on the clock:
    /// in the order of their beginning.
    pub fn runs(&self, ahead: Duration) -> Vec<Run> {
        let now = self.cloud.clock.now();
        let until = now.plus(ahead);
        let world = self.cloud.world();
        let mut runs = Vec::new();
        for birth in &world.births {
            let known = birth.known.iter().map(|(number, _)| *number);
            for number in known.chain(birth.next..birth.next.saturating_add(FORETOLD_MAX)) {
                let Some(begins_at) = birth.begins_at(number).filter(|at| *at <= until) else {
                    break;
                };
                runs.push(Run::of(birth.ids(number), &birth.project_id, begins_at));
            }
        }
        runs.sort_by_key(|run| run.begins_at);
        runs
    }
}

impl Run {
    fn of(ids: RunIds, project_id: &str, begins_at: Timestamp) -> Self {
        let RunIds { job_id, operation_id } = ids;
        Self {
            operation_id,
            job_id,
            project_id: project_id.to_owned(),
            begins_at,
        }
    }
}
