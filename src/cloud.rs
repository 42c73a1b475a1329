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

mod acting;
mod answer;
mod attempt;
mod binding;
mod call;
mod channel;
mod error;
mod idempotency;
mod inputs;
mod limiter;
mod method;
mod page;
mod passage;
mod pushback;
mod reading;
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
use crate::clock::Clock;
use crate::flow::Throttle;
use crate::model::{Gaps, JobStatus};
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

/// Asks the cloud. Clones share connection, token, rate limit and what was learned about the API.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    connection: RwLock<Arc<Connection>>,
    methods: Arc<Methods>,
    page_sizes: PageSizes,
    instruments: Instruments,
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
        self.0.connection().transport == Transport::Grpc
    }

    /// The way for calls of others.
    pub fn passage(&self) -> Passage {
        Passage::new(self.clone())
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.0.connection().routes)
    }

    async fn call<Q, A>(&self, method: &Method, ask: impl Fn() -> Q) -> Result<A, CloudError>
    where
        Q: Bound,
        A: Message + Default + 'static,
    {
        self.0.connection().caller.call(method, None, ask).await
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
