//! The sections `metrics` and `thresholds`.

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::setting::{Any, AtMost, Between, section};
use crate::config::value::{LabelName, Pattern};
use crate::config::watch::Watch;
use crate::limits::LABELS_MAX;
use crate::metrics;
use crate::model::{JobStatus, ProjectScope};
use crate::tracker;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// Rewrites of job names: each is tried on every name that is new.
const REWRITES_MAX: usize = 32;
const MONTH: Duration = Duration::from_hours(31 * 24);

section! {
    /// What is exported.
    Metrics {
        /// Whether single jobs and operations have series of their own.
        per_run: bool = true, Any;
        /// Series of single jobs and operations at once; beyond it whole operations lose theirs, those that ended first
        /// before others.
        series_max: u64 = 4_000_000, Between(0, 100_000_000);
        /// The label `job_name`.
        job_names: JobNames = JobNames::default(), Any;
        /// Labels of operations that are shown, as `label_…` on their `_info` series.
        labels: Vec<LabelName> = Vec::new(), AtMost(LABELS_MAX);
    }
}

section! {
    /// How the names of jobs, which are user text, become the label `job_name`.
    JobNames {
        /// Names of a project; further ones share `(other)`.
        max: usize = 100, Between(0, 10_000);
        /// What is replaced in a name, in order and again until nothing changes, so that the runs of one job share a
        /// name. A list of your own takes the place of the default, which strips ids, hashes, dates and counters.
        rewrite: Vec<Rewrite> = DEFAULT_REWRITES.clone(), AtMost(REWRITES_MAX);
    }
}

section! {
    /// One replacement.
    Rewrite => has_regex {
        /// What to find, in the syntax of the crate `regex`; required.
        regex: Option<Pattern> = None, Any;
        /// What to put there; `$1` stands for a group.
        replacement: String = String::new(), Any;
    }
}

fn has_regex(rewrite: &Rewrite, node: &Node) -> Result<(), Invalid> {
    match rewrite.regex {
        Some(_) => Ok(()),
        None => Err(node.invalid("regex is missing")),
    }
}

/// Compiled once: expressions are costly to compile and cheap to copy.
static DEFAULT_REWRITES: LazyLock<Vec<Rewrite>> = LazyLock::new(|| {
    let rewrites = tracker::JobNames::default().rewrites.into_iter();
    rewrites
        .map(|rewrite| Rewrite {
            regex: Some(Pattern(rewrite.regex)),
            replacement: rewrite.replacement,
        })
        .collect()
});

section! {
    /// What rules compare with, exported as gauges, so that a setting changes rather than a rule.
    Thresholds {
        /// Time in a status after which a job counts as stuck.
        stuck: Stuck = Stuck::default(), Any;
        /// Time without a change of progress after which a job counts as stalled.
        progress_stalled: Duration = Duration::from_mins(30), Between(Duration::from_secs(1), MONTH);
        /// Units below which a project is warned about.
        unit_balance_warning: i64 = 100, Any;
        /// Time before the deletion of a job's data from which it is warned about.
        data_expiry_warning: Duration = Duration::from_hours(24), Between(Duration::ZERO, MONTH);
    }
}

section! {
    /// By status; `0s` means never.
    Stuck {
        /// Waiting for a machine.
        creating as "CREATING": Duration = Duration::from_mins(15), Between(Duration::ZERO, MONTH);
        /// The machine and its environment are being made.
        preparing as "PREPARING": Duration = Duration::from_mins(30), Between(Duration::ZERO, MONTH);
        /// The job's program runs.
        executing as "EXECUTING": Duration = Duration::ZERO, Between(Duration::ZERO, MONTH);
        /// Results are being stored.
        uploading_output as "UPLOADING_OUTPUT": Duration = Duration::from_hours(1), Between(Duration::ZERO, MONTH);
        /// A cancellation was asked for.
        cancelling as "CANCELLING": Duration = Duration::from_mins(15), Between(Duration::ZERO, MONTH);
    }
}

impl Metrics {
    /// Settings of the tracker.
    pub(crate) fn tracker(&self, watch: &Watch) -> tracker::Settings {
        tracker::Settings {
            interval: watch.interval,
            interval_max: watch.interval_max,
            retention: watch.retention,
            tracked_max: watch.tracked_max,
            per_run: self.per_run,
            series_max: self.series_max,
            job_names: tracker::JobNames {
                max: self.job_names.max,
                rewrites: self.job_names.rewrites(),
            },
            traces: None,
        }
    }

    /// Settings of the exposition.
    pub(crate) fn exposition(&self, watch: &Watch, thresholds: &Thresholds) -> metrics::Settings {
        metrics::Settings {
            per_run: self.per_run,
            series_max: self.series_max,
            tracked_max: u64::try_from(watch.tracked_max).unwrap_or(u64::MAX),
            labels: self.labels.iter().map(|label| label.0.clone()).collect(),
            poll_intervals: BTreeMap::from([
                (ProjectScope::Operations, watch.interval_max),
                (ProjectScope::Jobs, watch.list_interval),
                (ProjectScope::Projects, watch.balance_interval),
            ]),
            thresholds: thresholds.settings(),
        }
    }
}

impl JobNames {
    fn rewrites(&self) -> Vec<tracker::JobNameRewrite> {
        let rewrites = self.rewrite.iter().filter_map(|rewrite| {
            Some(tracker::JobNameRewrite {
                regex: rewrite.regex.as_ref()?.0.clone(),
                replacement: rewrite.replacement.clone(),
            })
        });
        rewrites.collect()
    }
}

impl Thresholds {
    fn settings(&self) -> metrics::Thresholds {
        let stuck = [
            (JobStatus::Creating, self.stuck.creating),
            (JobStatus::Preparing, self.stuck.preparing),
            (JobStatus::Executing, self.stuck.executing),
            (JobStatus::UploadingOutput, self.stuck.uploading_output),
            (JobStatus::Cancelling, self.stuck.cancelling),
        ];
        metrics::Thresholds {
            stuck: stuck.into_iter().filter(|(_, time)| !time.is_zero()).collect(),
            progress_stalled: self.progress_stalled,
            unit_balance_warning: self.unit_balance_warning,
            data_expiry_warning: self.data_expiry_warning,
        }
    }
}
