//! The way for calls of others: the addresses and the TLS of our own calls, without our token or rate limit.

use crate::cloud::method::Service;
use crate::cloud::{Client, CloudError};
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use std::fmt;
use std::sync::Arc;
use tokio::time::Instant;

/// Makes connections to the cloud.
pub type Connector = HttpsConnector<HttpConnector>;

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/2.
    Grpc,
    /// HTTP/1.1, which passes where HTTP/2 is blocked, and has no limit of calls on one connection.
    Http1,
}

/// Where calls of others go, and how they get there.
#[derive(Clone)]
pub struct Passage(Client);

impl Passage {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// The root of a service, with scheme and authority: as it was set, or as the cloud tells it.
    ///
    /// # Errors
    /// Nobody told the address, or it is none.
    pub async fn root(&self, service: Service) -> Result<Uri, Arc<CloudError>> {
        let routes = self.0.routes();
        let dialer = routes.dialer();
        if service == Service::Endpoint {
            return Ok(dialer.uri(routes.endpoint())?);
        }
        let route = routes.find(service, Instant::now()).await?;
        Ok(dialer.uri(&route.address)?)
    }

    /// The address of a service, if an operator set it.
    pub fn explicit(&self, service: Service) -> Option<Arc<str>> {
        let routes = self.0.routes();
        let route = routes.explicit(service)?;
        Some(Arc::clone(&route.address))
    }

    /// What makes connections.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn connector(&self, protocols: Protocols) -> Result<Connector, CloudError> {
        self.0.routes().dialer().connector(protocols)
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("endpoint", &self.0.routes().endpoint())
            .finish_non_exhaustive()
    }
}
