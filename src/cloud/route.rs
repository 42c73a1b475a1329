//! Which address serves which service.

use crate::clock::Clock;
use crate::cloud::attempt::unary;
use crate::cloud::channel::{Dialer, Route};
use crate::cloud::method::{Methods, Service};
use crate::cloud::renewal::{Fetch, Lease, Renewed};
use crate::cloud::{CloudError, Endpoints, Settings};
use crate::flow::Throttle;
use crate::proto::yandex::cloud::endpoint::{ListApiEndpointsRequest, ListApiEndpointsResponse};
use http::HeaderMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::Channel;

/// Ready-made connections, in place of dialled ones: tests run over in-memory pipes this way.
#[derive(Clone, Debug)]
pub struct Channels {
    /// To `OperationService`.
    pub operation: Channel,
    /// To `ProjectJobService`, `ProjectService` and `CommunityService`.
    pub datasphere: Channel,
    /// To `IamTokenService`.
    pub iam: Channel,
}

/// After all calls to a service have failed for this long, the addresses are looked up again: services move rarely,
/// and outages are mostly shorter.
const REDISCOVERY_AFTER: Duration = Duration::from_mins(2);

/// The way to each service: explicit, or found by asking the cloud.
#[derive(Debug)]
pub(crate) struct Routes {
    operation: Option<Arc<Route>>,
    datasphere: Option<Arc<Route>>,
    iam: Option<Arc<Route>>,
    discovered: Renewed<Discovery>,
}

/// What discovery found.
#[derive(Debug)]
pub(crate) struct Found {
    operation: Way,
    datasphere: Way,
    iam: Way,
}

type Way = Result<Arc<Route>, Arc<CloudError>>;

/// Asks `ApiEndpointService` for the addresses.
#[derive(Debug)]
pub(crate) struct Discovery {
    address: String,
    dialer: Dialer,
    /// The connection to the list itself, once the first lookup made it.
    route: Mutex<Option<Arc<Route>>>,
    methods: Arc<Methods>,
    timeout: Duration,
    clock: Clock,
    throttle: Arc<Throttle>,
}

impl Routes {
    /// # Errors
    /// An explicit address is not one, or TLS cannot be set up.
    pub(crate) fn dial(endpoints: &Endpoints, discovery: Discovery) -> Result<Self, CloudError> {
        let dialer = &discovery.dialer;
        let explicit = |address: &Option<String>| {
            let address = address.as_deref();
            address
                .map(|address| dialer.dial(address).map(Arc::new))
                .transpose()
        };
        Ok(Self {
            operation: explicit(&endpoints.operation)?,
            datasphere: explicit(&endpoints.datasphere)?,
            iam: explicit(&endpoints.iam)?,
            discovered: Renewed::new(discovery),
        })
    }

    pub(crate) fn over(channels: Channels, discovery: Discovery) -> Self {
        let route = |channel, address| Some(Arc::new(Route::new(channel, address)));
        Self {
            operation: route(channels.operation, "operation"),
            datasphere: route(channels.datasphere, "datasphere"),
            iam: route(channels.iam, "iam"),
            discovered: Renewed::new(discovery),
        }
    }

    /// The way to a service, if it is known.
    pub(crate) fn current(&self, service: Service, now: Instant) -> Option<Arc<Route>> {
        if let Some(route) = self.explicit(service) {
            return Some(Arc::clone(route));
        }
        self.discovered.current(now)?.value.way(service).ok()
    }

    /// The way to a service, found out if need be.
    pub(crate) async fn find(&self, service: Service, now: Instant) -> Way {
        if let Some(route) = self.explicit(service) {
            return Ok(Arc::clone(route));
        }
        self.discovered.obtain(now).await?.value.way(service)
    }

    /// A call on this route had no answer; the addresses are looked up again when that lasts.
    pub(crate) fn unanswered(&self, route: &Route, now: Instant) {
        if route.fails_for(now) >= REDISCOVERY_AFTER {
            self.discovered.renew_early(now);
        }
    }

    fn explicit(&self, service: Service) -> Option<&Arc<Route>> {
        match service {
            Service::Operation => self.operation.as_ref(),
            Service::DataSphere => self.datasphere.as_ref(),
            Service::Iam => self.iam.as_ref(),
            Service::Endpoint => None,
        }
    }
}

impl Found {
    fn way(&self, service: Service) -> Way {
        match service {
            Service::Operation => self.operation.clone(),
            Service::DataSphere => self.datasphere.clone(),
            Service::Iam => self.iam.clone(),
            Service::Endpoint => Err(Arc::new(CloudError::Unfinished)),
        }
    }
}

/// Equal when they lead to the same addresses.
impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        let address = |way: &Way| way.as_ref().ok().map(|route| Arc::clone(&route.address));
        [
            (&self.operation, &other.operation),
            (&self.datasphere, &other.datasphere),
            (&self.iam, &other.iam),
        ]
        .iter()
        .all(|(one, another)| address(one) == address(another))
    }
}

impl Discovery {
    pub(crate) fn new(
        settings: &Settings,
        methods: Arc<Methods>,
        clock: Clock,
        throttle: Arc<Throttle>,
    ) -> Result<Self, CloudError> {
        Ok(Self {
            address: settings.endpoint.clone(),
            dialer: Dialer::new(settings)?,
            route: Mutex::default(),
            methods,
            timeout: settings.request_timeout,
            clock,
            throttle,
        })
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    async fn list(&self) -> Result<ListApiEndpointsResponse, CloudError> {
        let route = self.route()?;
        let method = &self.methods.list_endpoints;
        let deadline = Instant::now() + self.timeout;
        // The one service that needs no authentication.
        unary(
            method,
            &route,
            HeaderMap::new(),
            ListApiEndpointsRequest::default(),
            deadline,
        )
        .await
        .map_err(|failure| failure.into_error(method, &route, self.timeout))
    }

    fn route(&self) -> Result<Arc<Route>, CloudError> {
        let mut known = self.route.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.as_ref() {
            return Ok(Arc::clone(route));
        }
        let route = Arc::new(self.dialer.dial(&self.address)?);
        Ok(Arc::clone(known.insert(route)))
    }

    /// The way that the list tells; the present one when it leads to the same address or the list has none.
    fn way(&self, listed: &ListApiEndpointsResponse, service: Service, present: Option<&Found>) -> Way {
        let present = present.and_then(|found| found.way(service).ok());
        let entry = listed
            .endpoints
            .iter()
            .find(|endpoint| endpoint.id == service.id());
        match (entry, present) {
            (Some(entry), Some(present)) if *present.address == *entry.address => Ok(present),
            (None, Some(present)) => Ok(present),
            (Some(entry), _) => self.dialer.dial(&entry.address).map(Arc::new).map_err(Arc::new),
            (None, None) => Err(Arc::new(CloudError::NotListed {
                endpoint: self.address.as_str().into(),
                service: service.id(),
            })),
        }
    }

    fn tell(&self, error: &CloudError) {
        if let Some(held_back) = self.throttle.admit("discovery", self.clock.now()) {
            let error = error.chain();
            tracing::warn!(
                error,
                held_back,
                "the addresses of the cloud's services could not be looked up"
            );
        }
    }
}

impl Fetch for Discovery {
    type Value = Arc<Found>;

    async fn fetch(&self, present: Option<Arc<Found>>) -> Result<Lease<Arc<Found>>, CloudError> {
        let listed = self.list().await.inspect_err(|error| self.tell(error))?;
        let way = |service| self.way(&listed, service, present.as_deref());
        let found = Found {
            operation: way(Service::Operation),
            datasphere: way(Service::DataSphere),
            iam: way(Service::Iam),
        };
        Ok(Lease {
            value: Arc::new(found),
            renew_at: None,
            dead_at: None,
        })
    }

    fn retry_interval_max(&self) -> Duration {
        Duration::from_secs(30)
    }
}
