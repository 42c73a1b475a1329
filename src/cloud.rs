//! The connection to Yandex Cloud: endpoints, TLS, IAM tokens, deadlines, rate limit and retries.
//!
//! In: [`Settings`], and what to ask for. Out: snapshots that `decode` made, or a [`CloudError`] that says what to
//! do. Never: a call of Create or Clone, nor of Execute or Cancel but when somebody asks for just that, which
//! `sources` and `engine` never do; a call without a deadline; a token in an error, a log line or a `Debug`.
//!
//! A call waits for the one rate limit, takes the route and the token of the moment, and is sent. What may be tried
//! again is, within the call's own time. Tokens are renewed early in their life, behind the back of the calls that use
//! them; addresses are looked up when they are first needed. Neither has to be there for [`Client::new`] to succeed:
//! a cloud that cannot be reached at start is one that cannot be reached yet. Both are fetched one at a time, with
//! growing pauses between failures, and so are outside the rate limit.

mod answer;
mod attempt;
mod binding;
mod call;
mod channel;
mod ending;
mod error;
mod idempotency;
mod inputs;
mod limiter;
mod method;
mod page;
mod passage;
mod pushback;
mod renewal;
mod rest;
mod retry;
mod route;
mod screen;
mod secret;
mod settings;
mod token;

pub use answer::Answer;
pub(crate) use answer::{detail, is_about_size};
pub use ending::Ending;
pub use error::CloudError;
pub use idempotency::IdempotencyKey;
pub use inputs::Inputs;
pub use method::Service;
pub use page::PageTrail;
pub use passage::{Connector, Passage, Protocols};
pub(crate) use pushback::retry_after;
pub use rest::Http;
pub use route::Channels;
pub(crate) use screen::screen;
pub use secret::Secret;
pub use settings::{Auth, Endpoints, Settings, Tls, Transport};

use crate::catalogue::{Instruments, count_gaps};
use crate::clock::{Clock, Timestamp};
use crate::decode::{self, Page, wire};
use crate::flow::Throttle;
use crate::model::{
    CommunityId, Decoded, Gaps, JobId, JobSnapshot, JobStatus, ListingScope, OperationId, OperationSnapshot,
    ProjectId, ProjectSnapshot,
};
use crate::proto::yandex::cloud::datasphere::v2::jobs::{
    ExecuteProjectJobRequest, GetProjectJobRequest, ListProjectJobRequest,
};
use crate::proto::yandex::cloud::datasphere::v2::{
    GetProjectRequest, GetUnitBalanceRequest, ListProjectsRequest, ProjectExecutionRequest,
    project_execution_request::Target,
};
use crate::proto::yandex::cloud::operation::GetOperationRequest;
use binding::Bound;
use call::Caller;
use limiter::Limiter;
use method::{Method, Methods};
use page::PageSizes;
use prost::Message;
use route::{Discovery, Routes};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use token::{Authorization, House};
use tokio::time::Instant;

/// Asks the cloud. Clones share connection, token, rate limit and what was learned about the API.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    connection: RwLock<Arc<Connection>>,
    methods: Arc<Methods>,
    page_sizes: PageSizes,
    instruments: Instruments,
    clock: Clock,
    /// The filters of listings, made once.
    live: String,
    ended: String,
}

/// What follows from the settings, and is another after a reload.
struct Connection {
    caller: Caller,
    routes: Arc<Routes>,
    transport: Transport,
    is_in_use: Arc<AtomicBool>,
}

impl Client {
    /// A client for these settings; connects, looks up and signs in when it is first used. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    /// What only the operator can mend: a key file or CA file that cannot be used, an address that is none, a system
    /// without certificate authorities. Never that the cloud cannot be reached.
    pub fn new(settings: &Settings, clock: Clock, instruments: &Instruments) -> Result<Self, CloudError> {
        Ok(Self::prepared(settings, clock, instruments)?.in_use())
    }

    /// The same, whose connection another client is to take over; until then nothing tells of it.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn prepared(
        settings: &Settings,
        clock: Clock,
        instruments: &Instruments,
    ) -> Result<Self, CloudError> {
        Self::build(settings, clock, instruments, |discovery| {
            Routes::dial(&settings.endpoints, discovery)
        })
    }

    /// The same over connections that exist already; addresses and TLS of the settings are not used.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        channels: Channels,
        settings: &Settings,
        clock: Clock,
        instruments: &Instruments,
    ) -> Result<Self, CloudError> {
        let routes = |discovery| Ok(Routes::over(channels, discovery));
        Ok(Self::build(settings, clock, instruments, routes)?.in_use())
    }

    /// The same over REST, with `cloud.transport: rest` in the settings.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over_http(
        http: &Http,
        settings: &Settings,
        clock: Clock,
        instruments: &Instruments,
    ) -> Result<Self, CloudError> {
        let routes = |discovery| Routes::over_http(http, discovery);
        Ok(Self::build(settings, clock, instruments, routes)?.in_use())
    }

    fn build(
        settings: &Settings,
        clock: Clock,
        instruments: &Instruments,
        routes: impl FnOnce(Discovery) -> Result<Routes, CloudError>,
    ) -> Result<Self, CloudError> {
        let methods = Arc::new(Methods::new(instruments));
        let throttle = Arc::new(Throttle::default());
        let discovery = Discovery::new(settings, Arc::clone(&methods), clock, Arc::clone(&throttle))?;
        let dialer = discovery.dialer().clone();
        let routes = Arc::new(routes(discovery)?);
        let house = House {
            routes: Arc::clone(&routes),
            methods: Arc::clone(&methods),
            instruments: instruments.clone(),
            clock,
            throttle: Arc::clone(&throttle),
            is_in_use: Arc::default(),
        };
        let is_in_use = Arc::clone(&house.is_in_use);
        let authorization = Authorization::new(settings, &dialer, house)?;
        let limiter = Limiter::new(settings.requests_per_second, instruments);
        let connection = Connection {
            routes: Arc::clone(&routes),
            caller: Caller::new(settings, routes, authorization, limiter, clock, throttle),
            transport: settings.transport,
            is_in_use,
        };
        Ok(Self(Arc::new(Shared {
            connection: RwLock::new(Arc::new(connection)),
            methods,
            page_sizes: PageSizes::default(),
            instruments: instruments.clone(),
            clock,
            live: filter(|status| !status.is_terminal()),
            ended: filter(JobStatus::is_terminal),
        })))
    }

    fn in_use(self) -> Self {
        self.0.connection().begin();
        self
    }

    /// Takes over the connection of a client that was made for other settings: this one and its clones ask by it from
    /// the next call on. Calls under way end as they began.
    pub fn take_over(&self, other: &Self) {
        let taken = other.0.connection();
        taken.begin();
        let mut connection = self.0.connection.write().unwrap_or_else(PoisonError::into_inner);
        connection.is_in_use.store(false, Ordering::Release);
        *connection = taken;
        // Of the token before; the next one tells its own.
        self.0.instruments.set_iam_token_expiry(None);
    }

    /// Whether jobs can be asked about: REST has no methods for them.
    pub fn reaches_jobs(&self) -> bool {
        self.transport() == Transport::Grpc
    }

    pub(crate) fn transport(&self) -> Transport {
        self.0.connection().transport
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The way for calls of others.
    pub fn passage(&self) -> Passage {
        Passage::new(self.clone())
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.0.connection().routes)
    }

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

    /// Starts a job that was made, and answers the operation of its run; the snapshot has its id. A job that is
    /// running goes on in the operation it has, but one that has ended may run anew: for people's commands only.
    /// Sent again only if it cannot have arrived; whoever asks again with the same key starts nothing twice.
    ///
    /// # Errors
    /// See [`CloudError`]; [`CloudError::Unnamed`] when something was started that cannot be followed.
    pub async fn execute_job(
        &self,
        id: &JobId,
        key: Option<IdempotencyKey>,
    ) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let ask = || ExecuteProjectJobRequest {
            job_id: id.as_str().to_owned(),
        };
        self.begin(&self.0.methods.execute_job, key, ask).await
    }

    /// Runs a notebook, named by its path in the project, and answers the operation of the run; the snapshot has its
    /// id. For people's commands only. Sent again as [`Client::execute_job`] is.
    ///
    /// # Errors
    /// As [`Client::execute_job`].
    pub async fn execute_notebook(
        &self,
        project_id: &ProjectId,
        notebook_id: &str,
        inputs: &Inputs,
        key: Option<IdempotencyKey>,
    ) -> Result<Decoded<OperationSnapshot>, CloudError> {
        let ask = || ProjectExecutionRequest {
            project_id: project_id.as_str().to_owned(),
            target: Some(Target::NotebookId(notebook_id.to_owned())),
            input_variables: inputs.message(),
            ..ProjectExecutionRequest::default()
        };
        self.begin(&self.0.methods.execute_notebook, key, ask).await
    }

    /// A page of a project's jobs in live or in ended statuses; the first with an empty `page_token`. [`PageTrail`]
    /// leads through all of them.
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

    async fn call<Q, A>(&self, method: &Method, ask: impl Fn() -> Q) -> Result<A, CloudError>
    where
        Q: Bound,
        A: Message + Default + 'static,
    {
        self.0.connection().caller.call(method, None, ask).await
    }

    /// Calls a method that begins an operation.
    async fn begin<Q>(
        &self,
        method: &Method,
        key: Option<IdempotencyKey>,
        ask: impl Fn() -> Q,
    ) -> Result<Decoded<OperationSnapshot>, CloudError>
    where
        Q: Bound,
    {
        let answer = self.0.connection().caller.call(method, key, ask).await?;
        let decoded = decode::begun(&answer).ok_or(CloudError::Unnamed { method: method.label })?;
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

    fn count(&self, gaps: &Gaps) {
        let gaps = gaps.iter().map(|(gap, count)| (gap.label(), count));
        count_gaps(&self.0.instruments.decode_gaps_total, gaps);
    }
}

impl Connection {
    /// Calls are made by it from now on.
    fn begin(&self) {
        self.is_in_use.store(true, Ordering::Release);
        self.caller.show();
    }
}

impl Shared {
    fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// The one form of filter that the API is known to understand.
fn filter(wanted: impl Fn(JobStatus) -> bool) -> String {
    let statuses: Vec<_> = JobStatus::ALL
        .into_iter()
        .filter(|status| *status != JobStatus::Unknown && wanted(*status))
        .map(JobStatus::label)
        .collect();
    format!("status IN ({})", statuses.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_every_status_once() {
        assert_eq!(
            filter(|status| !status.is_terminal()),
            "status IN (CREATING, PREPARING, EXECUTING, UPLOADING_OUTPUT, CANCELLING)"
        );
        assert_eq!(
            filter(JobStatus::is_terminal),
            "status IN (SUCCESS, ERROR, CANCELLED)"
        );
    }
}
