//! Execution files: what the official client writes when it starts a job and does not wait for it.

mod changes;
mod complaints;
mod execution;
mod newest;
mod pattern;
mod search;
#[cfg(test)]
mod tests;

pub use pattern::{FilePattern, FilePatternError};

use crate::clock::Clock;
use crate::flow::{Inbox, InboxClosed, Latch, Receipt, Throttle};
use crate::model::{Admission, Input, Labels, OperationId, Sighting, Source, Target};
use changes::{Change, Changes};
use complaints::Complaints;
use execution::Execution;
use search::Search;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two searches of all folders: file systems over a network tell of no changes.
const RESCAN_INTERVAL: Duration = Duration::from_secs(30);

/// Between two times that all are named: what left because nobody could read it is back soon after a role was granted.
const NAMING_INTERVAL: Duration = Duration::from_hours(1);

/// How old a file may be that is named again: what nobody could read for so long stays away.
const NAMED_AGAIN_AGE_MAX: Duration = Duration::from_hours(14 * 24);

/// Shortest time between two looks, so that a file written in pieces is read once or twice.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Of all time, at most one part in so many is spent on looks: a folder may be busy with other files.
const LOOK_SHARE: u32 = 10;

/// Follows the files of some patterns. A file is only ever read, and an operation whose file vanishes stays watched.
#[derive(Debug)]
pub(crate) struct Files {
    inbox: Inbox,
    changes: Arc<Changes>,
    search: Search,
    clock: Clock,
}

impl Files {
    /// Asks the system to tell of changes; without that, everything is searched from time to time.
    pub(crate) fn new(patterns: &[FilePattern], inbox: Inbox, clock: Clock, throttle: Arc<Throttle>) -> Self {
        let patterns: Arc<[FilePattern]> = patterns.into();
        let complaints = Complaints::new(throttle, clock);
        let changes = Arc::<Changes>::default();
        let hear = {
            let (changes, patterns) = (Arc::clone(&changes), Arc::clone(&patterns));
            move |told| changes.hear(told, &patterns)
        };
        let watcher = notify::recommended_watcher(hear)
            .inspect_err(|error| {
                for pattern in patterns.iter() {
                    complaints.unwatched(&pattern.base(), error);
                }
            })
            .ok();
        Self {
            inbox,
            changes,
            search: Search::new(patterns, complaints, watcher),
            clock,
        }
    }

    /// Runs until `stop`; releases the latch once everything that the files name was looked at. Returns early only
    /// if it broke.
    pub(crate) async fn run(self, latch: Latch, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.follow(latch)).await;
    }

    async fn follow(self, latch: Latch) -> Result<(), InboxClosed> {
        let Self {
            inbox,
            changes,
            mut search,
            clock,
        } = self;
        let mut latch = Some(latch);
        let mut change = Change::Everything;
        let mut rescan_at = Instant::now();
        let mut naming_at = rescan_at + NAMING_INTERVAL;
        loop {
            let began_at = Instant::now();
            if change == Change::Everything {
                rescan_at = began_at + RESCAN_INTERVAL;
                if naming_at <= began_at {
                    naming_at = began_at + NAMING_INTERVAL;
                    search.forget_younger_than(NAMED_AGAIN_AGE_MAX, clock.now());
                }
            }
            let looked = spawn_blocking(move || {
                let executions = search.look(change);
                (search, executions)
            });
            let Ok((returned, executions)) = looked.await else {
                tracing::error!("the search for execution files broke");
                return Ok(());
            };
            search = returned;
            let named = name(&inbox, executions).await?;
            if let Some(latch) = latch.take() {
                inbox.after_first_look(latch).await?;
            }
            search.refused(&refused(named).await);
            let pause = began_at.elapsed().saturating_mul(LOOK_SHARE - 1);
            tokio::time::sleep(pause.max(LOOK_INTERVAL_MIN)).await;
            change = tokio::select! {
                change = changes.take() => change,
                () = tokio::time::sleep_until(rescan_at) => Change::Everything,
            };
        }
    }
}

/// Has the operations watched; what becomes of each is told later.
async fn name(inbox: &Inbox, executions: Vec<Execution>) -> Result<Vec<(OperationId, Receipt)>, InboxClosed> {
    let mut named = Vec::with_capacity(executions.len());
    for execution in executions {
        let operation_id = execution.operation_id.clone();
        let receipt = inbox.deliver(Input::Sighted(sighting(execution))).await?;
        named.push((operation_id, receipt));
    }
    Ok(named)
}

/// Those for which there was no room.
async fn refused(named: Vec<(OperationId, Receipt)>) -> HashSet<OperationId> {
    let mut refused = HashSet::new();
    for (operation_id, receipt) in named {
        if receipt.told().await == Some(Admission::Full) {
            refused.insert(operation_id);
        }
    }
    refused
}

fn sighting(execution: Execution) -> Sighting {
    let Execution { operation_id, job_id } = execution;
    let job_id = job_id.as_ref().map(tracing::field::display);
    tracing::debug!(%operation_id, job_id, "an execution file names an operation");
    Sighting {
        target: Target::Operation(operation_id),
        source: Source::File,
        labels: Labels::default(),
        trace_context: None,
    }
}
