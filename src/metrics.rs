//! The exposition: what is known, as every format that Prometheus negotiates.
//!
//! In: a view, the exporter's own instruments and the settings it shows. Out: chunks of bytes, rendered while
//! they are sent, and the choice of format and compression. Never: a wait for the cloud, a copy of the whole
//! text, or a name that the catalogue does not declare.

mod beginning;
mod buffer;
mod compression;
mod exporter;
mod exposition;
mod fleet;
mod negotiation;
mod number;
mod protobuf;
mod run;
mod sink;
mod text;

pub use compression::{Encoded, Encoding};
pub use exposition::Exposition;
pub use negotiation::{Escaping, Format, FormatKind};

use crate::model::{JobStatus, ProjectScope};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the exposition shows beside the view.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether single jobs and operations have series: `metrics.per_run`.
    pub per_run: bool,
    /// The most run series: `metrics.series_max`; the tracker keeps it, we show it.
    pub series_max: u64,
    /// The most operations under watch: `watch.tracked_max`; the tracker keeps it, we show it.
    pub tracked_max: u64,
    /// Names of user labels that reach the `_info` series: `metrics.labels`.
    pub labels: Vec<SmolStr>,
    /// The longest time between two looks, by what is looked at.
    pub poll_intervals: BTreeMap<ProjectScope, Duration>,
    /// What rules compare with.
    pub thresholds: Thresholds,
}

/// Thresholds that rules read as gauges, so that a user changes a setting instead of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Time in a status after which a job counts as stuck.
    pub stuck: BTreeMap<JobStatus, Duration>,
    /// Time without a change of progress after which a job counts as stalled.
    pub progress_stalled: Duration,
    /// Units below which a project is warned about.
    pub unit_balance_warning: i64,
    /// Time before the deletion of stored data from which it is warned about.
    pub data_expiry_warning: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            per_run: true,
            series_max: 4_000_000,
            tracked_max: 100_000,
            labels: Vec::new(),
            poll_intervals: BTreeMap::from([
                (ProjectScope::Operations, Duration::from_mins(2)),
                (ProjectScope::Jobs, Duration::from_secs(10)),
                (ProjectScope::Projects, Duration::from_mins(1)),
            ]),
            thresholds: Thresholds::default(),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            stuck: BTreeMap::from([
                (JobStatus::Creating, Duration::from_mins(15)),
                (JobStatus::Preparing, Duration::from_mins(30)),
                (JobStatus::UploadingOutput, Duration::from_hours(1)),
                (JobStatus::Cancelling, Duration::from_mins(15)),
            ]),
            progress_stalled: Duration::from_mins(30),
            unit_balance_warning: 100,
            data_expiry_warning: Duration::from_hours(24),
        }
    }
}
