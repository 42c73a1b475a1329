//! What an operator may set of the tracker.

use crate::tracker::JobNames;
use std::time::Duration;

/// Settings of the tracker; defaults are those of the documentation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Shortest time between two looks at one operation.
    pub interval: Duration,
    /// Longest time between two looks at one operation, as far as the rate limit allows.
    pub interval_max: Duration,
    /// How long an operation stays after its end was observed.
    pub retention: Duration,
    /// Operations under watch at once.
    pub tracked_max: usize,
    /// Whether operations have series of their own.
    pub per_run: bool,
    /// Series of single operations at once.
    pub series_max: u64,
    /// How job names become the label `job_name`.
    pub job_names: JobNames,
    /// How operations are traced; `None` when they are not.
    pub traces: Option<TraceSettings>,
}

/// Settings of the operations' traces, as far as they are fixed by what is believed.
#[derive(Clone, Copy, Debug)]
pub struct TraceSettings {
    /// What a caller's own trace is to the operation's.
    pub caller_context: CallerContext,
    /// What ended longer ago than this when it is seen first is counted, but not traced: some backends refuse it.
    pub backfill_max_age: Duration,
}

/// What a caller's own trace is to the operation's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerContext {
    /// The caller's span is the parent, if it is recorded at all; otherwise it is linked.
    #[default]
    Parent,
    /// The operation has its own trace, which links to the caller's span.
    Link,
    /// Nothing.
    Ignore,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            caller_context: CallerContext::Parent,
            backfill_max_age: Duration::from_hours(1),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            interval_max: Duration::from_mins(2),
            retention: Duration::from_hours(1),
            tracked_max: 100_000,
            per_run: true,
            series_max: 4_000_000,
            job_names: JobNames::default(),
            traces: None,
        }
    }
}
