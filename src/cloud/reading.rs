//! What the cloud is asked without changing anything there: operations, jobs, projects, and listings of them.

use crate::cloud::binding::Bound;
use crate::cloud::method::Method;
use crate::cloud::{Client, CloudError};
use crate::decode::{self, Page, wire};
use crate::model::{
    CommunityId, Decoded, JobId, JobSnapshot, ListingScope, OperationId, OperationSnapshot, ProjectId,
    ProjectSnapshot,
};
use crate::proto::yandex::cloud::datasphere::v2::jobs::{GetProjectJobRequest, ListProjectJobRequest};
use crate::proto::yandex::cloud::datasphere::v2::{
    GetProjectRequest, GetUnitBalanceRequest, ListProjectsRequest,
};
use crate::proto::yandex::cloud::operation::GetOperationRequest;
use prost::Message;
use tokio::time::Instant;

impl Client {
    /// One operation as it is now.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn get_operation(&self, id: &OperationId) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let method = &self.0.methods.get_operation;
        let ask = || GetOperationRequest {
            operation_id: id.as_str().to_owned(),
        };
        let answer = self.call(method, ask).await?;
        let decoded = decode::operation(id, &answer);
        self.count(&decoded.gaps);
        Ok(decoded)
    }

    /// One job as it is now.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn get_job(&self, id: &JobId) -> Result<Decoded<JobSnapshot>, CloudError> {
        let method = &self.0.methods.get_job;
        let ask = || GetProjectJobRequest {
            job_id: id.as_str().to_owned(),
        };
        let answer = self.call(method, ask).await?;
        let decoded = decode::job(id, &answer);
        self.count(&decoded.gaps);
        Ok(decoded)
    }

    /// A page of a project's jobs in live or in ended statuses; the first with an empty `page_token`.
    /// [`PageTrail`](crate::cloud::PageTrail) leads through all of them.
    ///
    /// A page that is too large, or too slow to come in time, makes the next ones smaller; one that is too large is
    /// asked for again at once.
    ///
    /// # Errors
    /// See [`CloudError`]; [`CloudError::EndlessListing`] when the next page has the token of this one.
    pub async fn list_jobs(
        &self,
        project_id: &ProjectId,
        scope: ListingScope,
        page_token: &str,
    ) -> Result<Page<Decoded<JobSnapshot>>, CloudError> {
        let method = &self.0.methods.list_jobs;
        let filter = match scope {
            ListingScope::Live => &self.0.live,
            ListingScope::Ended => &self.0.ended,
        };
        let ask = |page_size| ListProjectJobRequest {
            project_id: project_id.as_str().to_owned(),
            page_size,
            page_token: page_token.to_owned(),
            filter: filter.clone(),
        };
        let answer: wire::JobPage = self.list(method, project_id.as_str(), ask).await?;
        let page = decode::jobs(&answer);
        self.check(method, page_token, page)
    }

    /// A project's name and limits.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn get_project(&self, id: &ProjectId) -> Result<Decoded<ProjectSnapshot>, CloudError> {
        let method = &self.0.methods.get_project;
        let ask = || GetProjectRequest {
            project_id: id.as_str().to_owned(),
        };
        let answer = self.call(method, ask).await?;
        let decoded = decode::project(id, &answer);
        self.count(&decoded.gaps);
        Ok(decoded)
    }

    /// A page of a community's projects; otherwise as [`Client::list_jobs`].
    ///
    /// # Errors
    /// As [`Client::list_jobs`].
    pub async fn list_projects(
        &self,
        community_id: &CommunityId,
        page_token: &str,
    ) -> Result<Page<Decoded<ProjectSnapshot>>, CloudError> {
        let method = &self.0.methods.list_projects;
        let ask = |page_size| ListProjectsRequest {
            community_id: community_id.as_str().to_owned(),
            page_size,
            page_token: page_token.to_owned(),
            ..ListProjectsRequest::default()
        };
        let answer: wire::ProjectPage = self.list(method, community_id.as_str(), ask).await?;
        let page = decode::projects(&answer);
        self.check(method, page_token, page)
    }

    /// Units that a project may still spend; `None` for no limit.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn unit_balance(&self, id: &ProjectId) -> Result<Decoded<Option<i64>>, CloudError> {
        let method = &self.0.methods.unit_balance;
        let ask = || GetUnitBalanceRequest {
            project_id: id.as_str().to_owned(),
        };
        let answer = self.call(method, ask).await?;
        let decoded = decode::unit_balance(&answer);
        self.count(&decoded.gaps);
        Ok(decoded)
    }

    /// Asks for a page, for a smaller one if it is too large.
    async fn list<Q, A>(&self, method: &Method, parent: &str, ask: impl Fn(i64) -> Q) -> Result<A, CloudError>
    where
        Q: Bound,
        A: Message + Default + 'static,
    {
        let sizes = &self.0.page_sizes;
        let mut size = sizes.get(parent, Instant::now());
        loop {
            let error = match self.call(method, || ask(size)).await {
                Err(error) if error.asks_for_less() => error,
                answer => return answer,
            };
            let smaller = sizes.reduce(parent, size, Instant::now());
            match smaller {
                Some(smaller) if error.is_about_size() => size = smaller,
                // The call's time is over; the next one asks for less.
                _ => return Err(error),
            }
        }
    }

    fn check<T>(
        &self,
        method: &Method,
        page_token: &str,
        page: Page<Decoded<T>>,
    ) -> Result<Page<Decoded<T>>, CloudError> {
        self.count(&page.gaps);
        for item in &page.items {
            self.count(&item.gaps);
        }
        if !page.next_page_token.is_empty() && page.next_page_token == page_token {
            return Err(CloudError::EndlessListing { method: method.label });
        }
        Ok(page)
    }
}
