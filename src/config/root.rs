//! The whole document.

use crate::config::cloud::Cloud;
use crate::config::exposition::{Metrics, Thresholds};
use crate::config::gateway::Gateway;
use crate::config::links::Links;
use crate::config::setting::{Any, section};
use crate::config::storage::Storage;
use crate::config::surface::{Api, Log, Web};
use crate::config::traces::Traces;
use crate::config::watch::Watch;

section! {
    /// The configuration.
    Root {
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
