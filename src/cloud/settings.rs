//! What an operator sets about the connection to the cloud.

use crate::cloud::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// Where the cloud is and how to talk to it: the section `cloud` of the configuration, with the two settings of
/// `watch` that concern calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `host:port` of `ApiEndpointService`, which tells the addresses that [`Endpoints`] leaves open.
    pub endpoint: String,
    /// Explicit addresses.
    pub endpoints: Endpoints,
    /// What calls travel over.
    pub transport: Transport,
    /// TLS to all of them.
    pub tls: Tls,
    /// How calls are authenticated.
    pub auth: Auth,
    /// Longest time for one call with all its attempts; time spent waiting for the rate limit is not part of it.
    pub request_timeout: Duration,
    /// Rate limit over all calls; above zero.
    pub requests_per_second: f64,
    /// The product's part of the header `user-agent`.
    pub user_agent: String,
}

/// Explicit `host:port` addresses; each wins over discovery, and with all three set nothing is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Of `OperationService`.
    pub operation: Option<String>,
    /// Of `ProjectJobService`, `ProjectService` and `CommunityService`.
    pub datasphere: Option<String>,
    /// Of `IamTokenService`.
    pub iam: Option<String>,
}

/// What calls travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// JSON over HTTP/1.1, for networks that block HTTP/2; jobs cannot be reached by it.
    Rest,
}

/// TLS to the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Off for a local endpoint only: tokens travel in clear then.
    pub enabled: bool,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name that certificates must carry, where it is not the host that was dialled.
    pub server_name: Option<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            enabled: true,
            ca_file: None,
            server_name: None,
        }
    }
}

/// How calls are authenticated; exactly one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// An authorized key of a service account, as `yc iam key create --output` writes it; read anew at each
    /// renewal.
    ServiceAccountKeyFile(PathBuf),
    /// A file that somebody else keeps fresh with an IAM token.
    IamTokenFile(PathBuf),
    /// A token that is never renewed.
    IamToken(Secret),
    /// The service account of the virtual machine this runs on.
    Metadata {
        /// `host` or `host:port` of the metadata service.
        address: String,
    },
    /// A token of somebody else's identity provider, exchanged for one of the cloud (RFC 8693).
    WorkloadIdentity {
        /// Whom to act as.
        service_account_id: String,
        /// File with the provider's token; read anew at each renewal.
        token_file: PathBuf,
        /// Where it is exchanged.
        token_url: String,
    },
    /// No authentication, for the simulator.
    Anonymous,
}

impl Auth {
    /// The address of the metadata service inside every virtual machine.
    pub const METADATA_ADDRESS: &str = "169.254.169.254";
    /// Where the cloud exchanges tokens of other identity providers.
    pub const TOKEN_URL: &str = "https://auth.yandex.cloud/oauth/token";
}

impl Settings {
    /// The public cloud with an operator's authentication, everything else by default.
    pub fn new(auth: Auth) -> Self {
        Self {
            endpoint: "api.cloud.yandex.net:443".to_owned(),
            endpoints: Endpoints::default(),
            transport: Transport::Grpc,
            tls: Tls::default(),
            auth,
            request_timeout: Duration::from_secs(10),
            requests_per_second: 50.0,
            user_agent: concat!("datasphere-exporter/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
