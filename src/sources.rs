//! Who tells us what to watch: the configured list, execution files, and the listings of projects and communities.
//!
//! In: settings, what the cloud lists, and files that others write. Out: inputs for the engine. Never: Execute,
//! Create, Clone or Cancel, which may start or end somebody's run; never a write to a file; and never a project that
//! stops the others.

mod community;
mod files;
mod pace;
mod places;
mod project;

pub use files::{FilePattern, FilePatternError};
pub use places::Places;

use crate::clock::Clock;
use crate::cloud::{Client, CloudError};
use crate::flow::{Inbox, Latch, Readiness, Said, Throttle};
use crate::limits::PROJECTS_MAX;
use crate::model::{CommunityId, Input, Labels, OperationId, ProjectId, Sighting, Source, Target};
use community::Community;
use files::Files;
use project::Project;
use std::collections::HashSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What an operator may set of the sources; defaults are those of the documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Operations to watch, with their labels.
    pub operations: Vec<(OperationId, Labels)>,
    /// Projects whose jobs are listed.
    pub projects: Vec<ProjectId>,
    /// Communities whose projects are listed.
    pub communities: Vec<CommunityId>,
    /// Files that name operations, by absolute patterns.
    pub execution_files: Vec<FilePattern>,
    /// Between two listings of a project's live jobs.
    pub list_interval: Duration,
    /// Between two listings of a project's ended jobs.
    pub sweep_interval: Duration,
    /// Between two looks at a project's balance; limits and names are looked at ten times less often.
    pub balance_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            projects: Vec::new(),
            communities: Vec::new(),
            execution_files: Vec::new(),
            list_interval: Duration::from_secs(10),
            sweep_interval: Duration::from_mins(1),
            balance_interval: Duration::from_mins(1),
        }
    }
}

/// Why a project has no jobs, and what to do.
pub const WITHOUT_JOBS: &str = "the API has jobs in gRPC alone and cloud.transport is rest; \
                                name operations by id, or use grpc";

/// What every source needs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Client,
    pub(crate) inbox: Inbox,
    pub(crate) clock: Clock,
    pub(crate) throttle: Arc<Throttle>,
    /// Projects that have a listing already: a community and the configuration may both name one.
    followed: Arc<Mutex<HashSet<ProjectId>>>,
    pub(crate) places: Places,
}

impl Context {
    /// Whether a project is to be followed by the caller: the first who asks, while there is room.
    pub(crate) fn claim(&self, project_id: &ProjectId) -> bool {
        let mut followed = self.followed();
        if followed.contains(project_id) {
            return false;
        }
        let has_room = followed.len() < PROJECTS_MAX;
        if has_room {
            followed.insert(project_id.clone());
        } else if let Some(Said { held_back }) = self.throttle.admit("projects_max", self.clock.now()) {
            tracing::error!(
                %project_id,
                held_back,
                "a project is not followed, since {PROJECTS_MAX} are; share the projects among several exporters"
            );
        }
        has_room
    }

    fn followed(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> Files {
        let (patterns, throttle) = (&self.settings.execution_files, Arc::clone(&self.throttle));
        Files::new(patterns, self.inbox.clone(), self.clock, throttle)
    }

    /// Says once what the transport keeps from being seen.
    fn tell_of_jobs(&self) {
        let lists = !self.settings.projects.is_empty() || !self.settings.communities.is_empty();
        if lists && !self.client.reaches_jobs() {
            tracing::warn!(
                "jobs of projects are not followed, only names, limits and balances: {WITHOUT_JOBS}"
            );
        }
    }

    /// Says what went wrong: once a minute for each code, however many projects it concerns.
    pub(crate) fn complain(&self, id: &str, error: &CloudError, doing: &str) {
        let error_chain = error.chain();
        if let Some(Said { held_back }) = self.throttle.admit(error.code(), self.clock.now()) {
            tracing::warn!(id, error = error_chain, held_back, "{doing} failed; trying again");
        } else {
            tracing::debug!(id, error = error_chain, "{doing} failed; trying again");
        }
    }
}

/// All sources of one configuration.
#[derive(Debug)]
pub struct Sources {
    context: Context,
    readiness: Readiness,
    /// Held until every source holds its own.
    latch: Latch,
    /// Held until the configured list is shown.
    shown: Option<Latch>,
}

impl Sources {
    /// Sources that have not begun; they hold `readiness` back until each was listed or looked at once.
    pub fn new(settings: Settings, client: Client, inbox: Inbox, clock: Clock, readiness: Readiness) -> Self {
        let context = Context {
            settings: Arc::new(settings),
            client,
            inbox,
            clock,
            throttle: Arc::default(),
            followed: Arc::default(),
            places: Places::default(),
        };
        let latch = readiness.latch();
        Self {
            context,
            readiness,
            latch,
            shown: None,
        }
    }

    /// Goes on where earlier sources of the same cloud left these places.
    #[must_use]
    pub fn going_on_at(mut self, places: Places) -> Self {
        self.context.places = places;
        self
    }

    /// Has the latch released once the configured list is in the view.
    #[must_use]
    pub fn shown_by(self, latch: Latch) -> Self {
        Self {
            shown: Some(latch),
            ..self
        }
    }

    /// Runs until `stop` is cancelled; the inbox stays open until then. Returns early only if a source broke.
    ///
    /// Others may then take their place: what they do not name any more is given up.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            context,
            readiness,
            latch,
            shown,
        } = self;
        context.tell_of_jobs();
        let mut tasks = JoinSet::new();
        for project_id in &context.settings.projects {
            if context.claim(project_id) {
                let project = Project::new(project_id.clone(), context.clone());
                tasks.spawn(project.run(Some(readiness.latch()), stop.clone()));
            }
        }
        // Nobody sends anything here: each community holds an end until it has named its projects.
        let (naming, mut named) = mpsc::channel::<()>(1);
        for community_id in &context.settings.communities {
            let community = Community::new(community_id.clone(), context.clone(), naming.clone());
            tasks.spawn(community.run(readiness.clone(), readiness.latch(), stop.clone()));
        }
        drop(naming);
        if !context.settings.execution_files.is_empty() {
            let files = context.files();
            tasks.spawn(files.run(readiness.latch(), stop.clone()));
        }
        let _ = stop
            .run_until_cancelled(sight_configured(&context, latch, shown))
            .await;
        let naming = async {
            named.recv().await;
            let projects = context.followed().clone();
            context.places.keep_only(&projects);
            let _ = context.inbox.send(Input::ProjectsFollowed(projects)).await;
            pending::<()>().await;
        };
        tokio::select! {
            // Who ends because of it ends at the same moment.
            biased;
            () = stop.cancelled() => {}
            Some(ended) = tasks.join_next() => {
                tracing::error!(?ended, "a source ended unasked");
                return;
            }
            () = naming => {}
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Hands the configured list over, and readiness with it.
async fn sight_configured(context: &Context, latch: Latch, shown: Option<Latch>) {
    for (operation_id, labels) in &context.settings.operations {
        let target = Target::Operation(operation_id.clone());
        let sighting = Sighting {
            target,
            source: Source::Config,
            labels: Arc::clone(labels),
            trace_context: None,
        };
        if context.inbox.send(Input::Sighted(sighting)).await.is_err() {
            return;
        }
    }
    let operations = context.settings.operations.iter();
    let configured = Input::Configured(operations.map(|(operation_id, _)| operation_id.clone()).collect());
    let Ok(receipt) = context.inbox.deliver(configured).await else {
        return;
    };
    let _ = context.inbox.after_first_look(latch).await;
    if shown.is_some() {
        receipt.told().await;
    }
}
