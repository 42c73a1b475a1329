//! What changed, with the operation after it.

use crate::clock::Timestamp;
use crate::model::{Boundary, JobStatus, TrackedOperation};
use std::sync::Arc;

/// A change of one operation. Setting each event's `after` by its key, and taking out those that left,
/// reproduces the view's operations, poll bookkeeping aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When we saw it.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
    /// The operation after the change.
    pub after: Arc<TrackedOperation>,
}

/// What changed about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came under watch.
    Tracked,
    /// Its first observation was decoded: it counts from here.
    Observed,
    /// Its trace is fixed: something of it may be told from here.
    Traced,
    /// Its job's status changed.
    Status {
        /// The visit to the status it left, if it had one.
        left: Option<Visit>,
    },
    /// Its program reported other progress.
    Progress,
    /// Its error is set while it is not done.
    Failing,
    /// It ended; its outcome is final.
    Ended,
    /// Some other property changed.
    Updated,
    /// It is no longer under watch.
    Left(Departure),
}

/// The time that a job spent in a status which it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The status.
    pub status: JobStatus,
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// How well its beginning is known.
    pub start: Boundary,
    /// How well its end is known.
    pub end: Boundary,
    /// How much earlier than told it may have begun, in milliseconds.
    pub start_uncertainty_ms: u32,
    /// How much earlier than told it may have ended, in milliseconds.
    pub end_uncertainty_ms: u32,
    /// Which visit to this status it was, from 1; 255 stands for all beyond.
    pub number: u8,
}

/// Why an operation left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Its retention after the end is over.
    Retention,
    /// `watch.tracked_max` was reached, and it was the oldest that had ended.
    TrackedMax,
    /// It turned out to be the same execution as another row, which stays.
    Merged,
    /// A later execution of the same job took its place.
    Replaced,
    /// The configuration does not name it any more, and it was never observed.
    Unconfigured,
    /// Somebody asked for it.
    Dismissed,
    /// The cloud never knew or showed it, for a day or until its room was needed.
    Unknown,
}

impl Change {
    /// All words of [`Self::label`].
    pub const WORDS: [&str; 9] = [
        "tracked", "observed", "traced", "status", "progress", "failing", "ended", "updated", "left",
    ];

    /// The word for it in the stream of events.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tracked => "tracked",
            Self::Observed => "observed",
            Self::Traced => "traced",
            Self::Status { .. } => "status",
            Self::Progress => "progress",
            Self::Failing => "failing",
            Self::Ended => "ended",
            Self::Updated => "updated",
            Self::Left(_) => "left",
        }
    }
}

impl Departure {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Retention,
        Self::TrackedMax,
        Self::Merged,
        Self::Replaced,
        Self::Unconfigured,
        Self::Dismissed,
        Self::Unknown,
    ];

    /// The word for it in the stream of events.
    pub fn label(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::TrackedMax => "tracked_max",
            Self::Merged => "merged",
            Self::Replaced => "replaced",
            Self::Unconfigured => "unconfigured",
            Self::Dismissed => "dismissed",
            Self::Unknown => "unknown",
        }
    }
}
