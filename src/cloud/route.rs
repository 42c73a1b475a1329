//! Which address serves which service.

use crate::clock::Clock;
use crate::cloud::attempt::unary;
use crate::cloud::channel::{Dialer, Link, Route};
use crate::cloud::method::{Methods, Service};
use crate::cloud::renewal::{Fetch, Lease, Renewed};
use crate::cloud::rest::Http;
use crate::cloud::screen::Screened;
use crate::cloud::{CloudError, Endpoints, Settings};
use crate::flow::{Said, Throttle};
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

/// How long a list of addresses that lacks one holds.
const INCOMPLETE_INTERVAL: Duration = Duration::from_mins(1);

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
        let route =
            |channel, address| Some(Arc::new(Route::new(Link::Grpc(Screened::new(channel)), address)));
        Self {
            operation: route(channels.operation, "operation"),
            datasphere: route(channels.datasphere, "datasphere"),
            iam: route(channels.iam, "iam"),
            discovered: Renewed::new(discovery),
        }
    }

    /// REST, all services in one place.
    ///
    /// # Errors
    /// The user agent cannot be a header.
    pub(crate) fn over_http(http: &Http, discovery: Discovery) -> Result<Self, CloudError> {
        let dialer = &discovery.dialer;
        let route = |address| {
            dialer
                .over_http(http.clone(), address)
                .map(|route| Some(Arc::new(route)))
        };
        Ok(Self {
            operation: route("operation")?,
            datasphere: route("datasphere")?,
            iam: route("iam")?,
            discovered: Renewed::new(discovery),
        })
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

    /// The address of `ApiEndpointService`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.discovered.fetch().address
    }

    /// What connections are made with.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.discovered.fetch().dialer
    }

    /// A call on this route had no answer; the addresses are looked up again when that lasts.
    pub(crate) fn unanswered(&self, route: &Route, now: Instant) {
        if route.fails_for(now) >= REDISCOVERY_AFTER {
            self.discovered.renew_early(now);
        }
    }

    /// The way that an operator set.
    pub(crate) fn explicit(&self, service: Service) -> Option<&Arc<Route>> {
        match service {
            Service::Operation => self.operation.as_ref(),
            Service::DataSphere => self.datasphere.as_ref(),
            Service::Iam => self.iam.as_ref(),
            Service::Endpoint => None,
        }
    }
}

impl Found {
    fn is_complete(&self) -> bool {
        self.operation.is_ok() && self.datasphere.is_ok() && self.iam.is_ok()
    }

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

    fn found(&self, listed: &ListApiEndpointsResponse, present: Option<&Found>) -> Found {
        let way = |service| self.way(listed, service, present);
        Found {
            operation: way(Service::Operation),
            datasphere: way(Service::DataSphere),
            iam: way(Service::Iam),
        }
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
        if let Some(Said { held_back }) = self.throttle.admit("discovery", self.clock.now()) {
            let error = error.chain();
            tracing::warn!(
                error,
                held_back,
                "the addresses of the cloud services could not be looked up"
            );
        }
    }
}

impl Fetch for Discovery {
    type Value = Arc<Found>;

    async fn fetch(&self, present: Option<Arc<Found>>) -> Result<Lease<Arc<Found>>, CloudError> {
        let listed = self.list().await.inspect_err(|error| self.tell(error))?;
        let found = self.found(&listed, present.as_deref());
        // A list that lacks something is asked for again; one that has all holds until calls fail.
        let renew_at = (!found.is_complete()).then(|| Instant::now() + INCOMPLETE_INTERVAL);
        Ok(Lease {
            value: Arc::new(found),
            renew_at,
            dead_at: None,
        })
    }

    fn retry_interval_max(&self) -> Duration {
        Duration::from_secs(30)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Instruments;
    use crate::cloud::Auth;
    use crate::proto::yandex::cloud::endpoint::ApiEndpoint;

    fn discovery() -> Discovery {
        let mut settings = Settings::new(Auth::Anonymous);
        settings.tls.enabled = false;
        let methods = Arc::new(Methods::new(&Instruments::new("test", "test", "test")));
        Discovery::new(&settings, methods, Clock::system(), Arc::default()).expect("no files")
    }

    fn listed(addresses: &[(&str, &str)]) -> ListApiEndpointsResponse {
        ListApiEndpointsResponse {
            endpoints: addresses
                .iter()
                .map(|(id, address)| ApiEndpoint {
                    id: (*id).to_owned(),
                    address: (*address).to_owned(),
                })
                .collect(),
            next_page_token: String::new(),
        }
    }

    fn found(discovery: &Discovery, addresses: &[(&str, &str)], present: Option<&Found>) -> Found {
        discovery.found(&listed(addresses), present)
    }

    const ALL: [(&str, &str); 4] = [
        ("iam", "iam.example:443"),
        ("compute", "compute.example:443"),
        ("operation", "operation.example:443"),
        ("datasphere", "datasphere.example:443"),
    ];

    #[tokio::test]
    async fn a_service_that_moved_gets_a_new_connection_and_the_others_keep_theirs() {
        let discovery = discovery();
        let first = found(&discovery, &ALL, None);
        assert!(first.is_complete());
        let mut moved = ALL;
        moved[3].1 = "elsewhere.example:443";
        let second = found(&discovery, &moved, Some(&first));
        let (before, after) = (first.way(Service::Operation), second.way(Service::Operation));
        assert!(Arc::ptr_eq(&before.expect("listed"), &after.expect("listed")));
        let after = second.way(Service::DataSphere).expect("listed");
        assert_eq!(&*after.address, "elsewhere.example:443");
        assert!(first != second);
        assert!(second == found(&discovery, &moved, Some(&second)));
    }

    #[tokio::test]
    async fn a_list_that_lost_an_entry_does_not_lose_the_way() {
        let discovery = discovery();
        let first = found(&discovery, &ALL, None);
        let second = found(&discovery, &[("iam", "not an address")], Some(&first));
        assert!(second.way(Service::Operation).is_ok());
        assert!(second.way(Service::Iam).is_err(), "a lie about it does");
    }

    #[tokio::test]
    async fn what_is_not_listed_is_told_and_asked_for_again() {
        let found = found(&discovery(), &ALL[..3], None);
        assert!(found.way(Service::Operation).is_ok());
        let told = found
            .way(Service::DataSphere)
            .expect_err("not listed")
            .to_string();
        assert!(told.contains("cloud.endpoints.datasphere"), "{told}");
        assert!(!found.is_complete());
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_knows_for_how_long_it_has_failed() {
        let route = discovery().dialer().dial("localhost:1").expect("an address");
        assert_eq!(route.fails_for(Instant::now()), Duration::ZERO);
        tokio::time::advance(Duration::from_mins(3)).await;
        assert_eq!(
            route.fails_for(Instant::now()).as_secs(),
            179,
            "to the millisecond after the first"
        );
        route.answered();
        assert_eq!(route.fails_for(Instant::now()), Duration::ZERO);
    }
}
