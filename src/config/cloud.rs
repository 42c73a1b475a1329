//! The section `cloud`.

use crate::cloud;
use crate::config::auth::Auth;
use crate::config::setting::{Any, section};
use crate::config::value::{Address, choice};
use crate::config::watch::Watch;
use std::path::PathBuf;

section! {
    /// Where the cloud is, and how calls are authenticated.
    Cloud {
        /// Address of `ApiEndpointService`, which tells the addresses below.
        endpoint: Address = Address("api.cloud.yandex.net:443".to_owned()), Any;
        /// Explicit addresses.
        endpoints: Endpoints = Endpoints::default(), Any;
        /// The protocol of calls; `rest` is for networks that block HTTP/2, and reaches no jobs: only operations by id,
        /// names, limits and balances of projects.
        transport: Transport = Transport::Grpc, Any;
        /// Encryption of calls.
        tls: Tls = Tls::default(), Any;
        /// Who we are.
        auth: Auth = Auth::Unset, Any;
    }
}

section! {
    /// Each wins over what discovery tells; with all three nothing is looked up.
    Endpoints {
        /// Address of `OperationService`.
        operation: Option<Address> = None, Any;
        /// Address of `ProjectJobService`, `ProjectService` and `CommunityService`.
        datasphere: Option<Address> = None, Any;
        /// Address of `IamTokenService`.
        iam: Option<Address> = None, Any;
    }
}

section! {
    /// Encryption of calls, for all addresses.
    Tls {
        /// Off for a local endpoint only: tokens travel in clear then.
        enabled: bool = true, Any;
        /// PEM file of the authorities to trust instead of the system's.
        ca_file: Option<PathBuf> = None, Any;
        /// The name that certificates must carry, where it is not the host that was dialled.
        server_name: Option<String> = None, Any;
    }
}

choice! {
    /// The protocol of calls.
    pub(crate) Transport {
        /// gRPC over HTTP/2.
        Grpc = "grpc",
        /// JSON over HTTP/1.1.
        Rest = "rest",
    }
}

impl Cloud {
    /// The room's own settings; `None` without a way to authenticate.
    pub(crate) fn settings(&self, watch: &Watch) -> Option<cloud::Settings> {
        let address = |address: &Option<Address>| address.as_ref().map(|address| address.0.clone());
        Some(cloud::Settings {
            endpoint: self.endpoint.0.clone(),
            endpoints: cloud::Endpoints {
                operation: address(&self.endpoints.operation),
                datasphere: address(&self.endpoints.datasphere),
                iam: address(&self.endpoints.iam),
            },
            transport: match self.transport {
                Transport::Grpc => cloud::Transport::Grpc,
                Transport::Rest => cloud::Transport::Rest,
            },
            tls: cloud::Tls {
                enabled: self.tls.enabled,
                ca_file: self.tls.ca_file.clone(),
                server_name: self.tls.server_name.clone(),
            },
            request_timeout: watch.request_timeout,
            requests_per_second: watch.requests_per_second,
            ..cloud::Settings::new(self.auth.settings()?)
        })
    }
}
