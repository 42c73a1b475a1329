//! What all parts stand on, and the parts that a configuration asks for.

use crate::app::keyring::{Keyring, ProtectedServer};
use crate::app::standing::Standing;
use crate::app::{AppError, REVISION, RUSTC_VERSION, VERSION};
use crate::catalogue::Instruments;
use crate::clock::Clock;
use crate::cloud::Client;
use crate::config::{Config, protection};
use crate::delivery::{Delivery, DeliveryError};
use crate::engine::Keeping;
use crate::flow::{Inbox, Readiness, WeakInbox};
use crate::gateway::{self, Gateway, GatewayError};
use crate::limits::READINESS_GRACE;
use crate::model::Record;
use crate::sources::{Places, Sources};
use crate::store::Store;
use crate::traces::Encoder;
use crate::web::Server;
use std::sync::Arc;

/// What parts share.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) clock: Clock,
    pub(super) instruments: Instruments,
    pub(super) standing: Standing,
    pub(super) client: Client,
    pub(super) store: Store,
    pub(super) readiness: Readiness,
    /// How far sources of this cloud are, for those that take their place.
    pub(super) places: Places,
    /// The engine runs until those who feed it have ended.
    pub(super) inbox: WeakInbox,
}

impl Ground {
    /// Reads the keys to the cloud, and opens the store; with what an earlier process recorded.
    pub(super) async fn lay(config: &Config, inbox: &Inbox) -> Result<(Self, Vec<Record>), AppError> {
        let clock = Clock::system();
        let instruments = Instruments::new(VERSION, REVISION, RUSTC_VERSION);
        let client = Client::new(&config.cloud, clock, &instruments)?;
        let (store, records) = Store::open(config.store.clone(), clock, &instruments).await?;
        let standing = Standing::new(&instruments);
        standing.tell_configuration(Some(clock.now()));
        let ground = Self {
            clock,
            instruments,
            standing,
            client,
            store,
            readiness: Readiness::with_grace(READINESS_GRACE),
            places: Places::default(),
            inbox: inbox.downgrade(),
        };
        Ok((ground, records))
    }

    pub(super) fn sources(&self, config: &Config, inbox: Inbox) -> Sources {
        let (client, readiness) = (self.client.clone(), self.readiness.clone());
        Sources::new(config.sources.clone(), client, inbox, self.clock, readiness)
            .going_on_at(self.places.clone())
    }

    /// Where goes what must survive a restart, or be sent; in memory alone, records would survive nothing.
    pub(super) fn keeping(&self, config: &Config) -> Option<Keeping> {
        let is_traced = config.delivery.is_some();
        let encoder = is_traced.then(|| Arc::new(Encoder::new(config.traces.clone())));
        (self.store.is_durable() || is_traced).then(|| Keeping {
            store: self.store.clone(),
            encoder,
        })
    }

    pub(super) fn delivery(&self, config: &Config) -> Result<Option<Delivery>, DeliveryError> {
        let settings = config.delivery.clone();
        let delivery = settings
            .map(|settings| Delivery::new(settings, self.store.outbox(), self.clock, &self.instruments));
        delivery.transpose()
    }

    pub(super) async fn gateway(
        &self,
        config: &Config,
        inbox: Inbox,
    ) -> Result<Option<Gateway>, GatewayError> {
        let Some(settings) = config.gateway.clone() else {
            return Ok(None);
        };
        let context = gateway::Context {
            client: self.client.clone(),
            inbox,
            instruments: self.instruments.clone(),
            clock: self.clock,
        };
        Gateway::bind(settings, context).await.map(Some)
    }

    /// The files that protect the web server, and the gateway's own; the server is protected from here on.
    pub(super) fn keyring(
        &self,
        config: &Config,
        server: &Server,
        gateway: Option<&Gateway>,
    ) -> Result<Keyring, AppError> {
        let web = match config.web_file.clone() {
            None => None,
            Some(path) => {
                let protected = server.protected();
                protected.replace(protection(&path)?);
                Some(ProtectedServer::new(path, protected))
            }
        };
        let certificate = gateway.and_then(Gateway::certificate);
        Ok(Keyring::new(web, certificate, self.standing.clone()))
    }
}
