//! The whole document.

use crate::config::cloud::Cloud;
use crate::config::error::{Invalid, Place};
use crate::config::exposition::{Metrics, Thresholds};
use crate::config::gateway::Gateway;
use crate::config::links::Links;
use crate::config::node::Node;
use crate::config::setting::{Any, section};
use crate::config::storage::Storage;
use crate::config::surface::{Api, Log, Web};
use crate::config::traces::Traces;
use crate::config::watch::Watch;

section! {
    /// The configuration.
    Root => fits_together {
        /// See the section.
        cloud: Cloud = Cloud::default(), Any;
        /// See the section.
        watch: Watch = Watch::default(), Any;
        /// See the section.
        metrics: Metrics = Metrics::default(), Any;
        /// See the section.
        thresholds: Thresholds = Thresholds::default(), Any;
        /// See the section.
        gateway: Gateway = Gateway::default(), Any;
        /// See the section.
        traces: Traces = Traces::default(), Any;
        /// See the section.
        api: Api = Api::default(), Any;
        /// See the section.
        storage: Storage = Storage::default(), Any;
        /// See the section.
        web: Web = Web::default(), Any;
        /// See the section.
        links: Links = Links::default(), Any;
        /// See the section.
        log: Log = Log::default(), Any;
    }
}

/// Two servers cannot listen on one address.
fn fits_together(root: &Root, node: &Node) -> Result<(), Invalid> {
    const OF_WEB: &str = "web.listen_address";
    const OF_GATEWAY: &str = "gateway.listen_address";
    let Some(address) = &root.gateway.listen_address else {
        return Ok(());
    };
    if root.web.systemd_socket || !root.web.listen_address.0.iter().any(|web| web.meets(address)) {
        return Ok(());
    }
    let (of_web, of_gateway) = (node.place_of(OF_WEB), node.place_of(OF_GATEWAY));
    // What was typed last is what to change; the default has no place.
    let (place, key, other) = match of_web {
        Place::Flag(_) | Place::Environment(_) => (of_web, OF_WEB, OF_GATEWAY),
        Place::Line(_) | Place::Nowhere => (of_gateway, OF_GATEWAY, OF_WEB),
    };
    Err(Invalid {
        place,
        key: key.to_owned(),
        problem: format!("the same address as {other}; one of them has to be another"),
    })
}
