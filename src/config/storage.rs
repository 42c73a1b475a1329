//! The section `storage`.

use crate::config::setting::{Any, section};
use crate::config::traces::Traces;
use crate::store;
use std::path::PathBuf;

section! {
    /// What survives a restart.
    Storage {
        /// The folder for it, which belongs to one exporter alone; empty keeps everything in memory. Unlike the paths of
        /// files that are read, a relative one is relative to where the exporter was started.
        path: Option<PathBuf> = Some(PathBuf::from("./data")), Any;
    }
}

impl Storage {
    /// The room's own settings.
    pub(crate) fn settings(&self, traces: &Traces) -> store::Settings {
        store::Settings {
            path: self.path.clone(),
            outbox_bytes_max: traces.outbox.bytes_max.0,
            outbox_age_max: traces.outbox.age_max,
        }
    }
}
