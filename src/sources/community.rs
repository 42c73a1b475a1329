//! One community: the projects in it, each followed as if it were configured.

use crate::cloud::{CloudError, PageTrail};
use crate::flow::{Latch, Readiness};
use crate::model::{CommunityId, ProjectId};
use crate::sources::Context;
use crate::sources::pace::{Ending, Pace};
use crate::sources::project::Project;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Between two listings of a community's projects: new ones are rare, and nothing waits for them.
const PROJECTS_INTERVAL: Duration = Duration::from_mins(5);

/// Follows one community.
#[derive(Debug)]
pub(crate) struct Community {
    id: CommunityId,
    context: Context,
    /// Held until its projects were named once.
    naming: Option<mpsc::Sender<()>>,
}

impl Community {
    pub(crate) fn new(id: CommunityId, context: Context, naming: mpsc::Sender<()>) -> Self {
        Self {
            id,
            context,
            naming: Some(naming),
        }
    }

    /// Runs until `stop`, or until one of its projects breaks. A project that leaves the community is followed on, for its runs may go on.
    pub(crate) async fn run(mut self, readiness: Readiness, latch: Latch, stop: CancellationToken) {
        let mut projects = JoinSet::new();
        let mut first = Some(latch);
        let (mut pace, mut retry) = (
            Pace::new(PROJECTS_INTERVAL),
            Pace::new(self.context.settings.list_interval),
        );
        while let Some(found) = stop.run_until_cancelled(self.list_projects()).await {
            let ending = found.as_ref().err().copied().unwrap_or(Ending::Answered);
            for project_id in found.iter().flatten().filter(|id| self.context.claim(id)) {
                let project = Project::new(project_id.clone(), self.context.clone());
                let latch = first.is_some().then(|| readiness.latch());
                projects.spawn(project.run(latch, stop.clone()));
            }
            first = None;
            // One that refuses has no project for us, as far as it is for today's configuration to say.
            self.naming.take_if(|_| ending != Ending::Unanswered);
            retry.done(ending);
            pace.done(Ending::Answered);
            let next = if ending == Ending::Answered {
                pace.due_at()
            } else {
                retry.due_at()
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(next) => {}
                Some(_) = projects.join_next() => return,
            }
        }
        while projects.join_next().await.is_some() {}
    }

    /// The projects of all pages, or how the call for a page failed.
    async fn list_projects(&self) -> Result<Vec<ProjectId>, Ending> {
        let mut found = Vec::new();
        match self.page_through(&mut found).await {
            Ok(()) => Ok(found),
            Err(error) => {
                self.context
                    .complain(self.id.as_str(), &error, "listing the projects of a community");
                Err(Ending::from(&error))
            }
        }
    }

    async fn page_through(&self, found: &mut Vec<ProjectId>) -> Result<(), CloudError> {
        let mut trail = PageTrail::default();
        let mut page_token = Some(String::new());
        while let Some(token) = page_token {
            let page = self.context.client.list_projects(&self.id, &token).await?;
            found.extend(page.items.into_iter().map(|project| project.value.id));
            page_token = trail.follow("ProjectService.List", page.next_page_token)?;
        }
        Ok(())
    }
}
