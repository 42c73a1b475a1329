//! The way for calls of others: the addresses and the TLS of our own calls, without our token or rate limit.

use crate::cloud::CloudError;
use crate::cloud::method::Service;
use crate::cloud::route::Routes;
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
pub struct Passage(Arc<Routes>);

impl Passage {
    pub(crate) fn new(routes: Arc<Routes>) -> Self {
        Self(routes)
    }

    /// The root of a service, with scheme and authority: as it was set, or as the cloud tells it.
    ///
    /// # Errors
    /// Nobody told the address, or it is none.
    pub async fn root(&self, service: Service) -> Result<Uri, Arc<CloudError>> {
        let dialer = self.0.dialer();
        if service == Service::Endpoint {
            return Ok(dialer.uri(self.0.endpoint())?);
        }
        let route = self.0.find(service, Instant::now()).await?;
        Ok(dialer.uri(&route.address)?)
    }

    /// The address of a service, if an operator set it.
    pub fn explicit(&self, service: Service) -> Option<Arc<str>> {
        let route = self.0.explicit(service)?;
        Some(Arc::clone(&route.address))
    }

    /// What makes connections.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn connector(&self, protocols: Protocols) -> Result<Connector, CloudError> {
        self.0.dialer().connector(protocols)
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("endpoint", &self.0.endpoint())
            .finish_non_exhaustive()
    }
}
