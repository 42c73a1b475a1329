//! What readers see: an immutable picture of everything, cheap to share.

use crate::clock::Timestamp;
use crate::model::{JobId, Kind, OperationId, Project, ProjectId, TrackedOperation};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Everything that is known, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Operations under watch.
    pub operations: Operations,
    /// Projects, by id; the one without an id gathers what belongs to none.
    pub projects: Arc<BTreeMap<Option<ProjectId>, Arc<Project>>>,
    /// Figures of the tracker about itself.
    pub tracker: TrackerFigures,
    /// The number of the newest change that it shows, from 1; 0 before the first.
    pub changes: u64,
}

/// Operations in the order in which they came under watch.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    slots: imbl::Vector<Option<Arc<TrackedOperation>>>,
}

impl Operations {
    /// All of them, in an order that is stable between two views.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TrackedOperation>> {
        self.slots.iter().flatten()
    }

    /// Shows runs of neighbouring places, from `slot` on, each with the place of its first, until `visit` breaks.
    ///
    /// A reader who stops and comes again pays for one descent into the vector, not for one an operation.
    pub fn walk_from<B>(
        &self,
        slot: usize,
        mut visit: impl FnMut(usize, &[Option<Arc<TrackedOperation>>]) -> ControlFlow<B>,
    ) -> Option<B> {
        let mut focus = self.slots.focus();
        let mut next = slot;
        while next < focus.len() {
            let (places, leaf) = focus.chunk_at(next);
            let run = leaf.get(next - places.start..).unwrap_or_default();
            if let ControlFlow::Break(end) = visit(next, run) {
                return Some(end);
            }
            next = places.end;
        }
        None
    }

    /// Places, taken or free: the bound of [`Self::get`].
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The operation at a place.
    pub fn get(&self, slot: usize) -> Option<&Arc<TrackedOperation>> {
        self.slots.get(slot).and_then(Option::as_ref)
    }

    /// Puts an operation at a place, or takes it away; the place after the last is made.
    pub fn set(&mut self, slot: usize, operation: Option<Arc<TrackedOperation>>) {
        if slot == self.slots.len() {
            self.slots.push_back(operation);
        } else if let Some(place) = self.slots.get_mut(slot) {
            *place = operation;
        }
    }

    /// The operation at a place, to be changed; copied first when a view still shows it.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut TrackedOperation> {
        self.slots.get_mut(slot)?.as_mut().map(Arc::make_mut)
    }

    /// The newest operation with this operation id, alias or job id. Walks all: for people, not for polls.
    pub fn find(&self, id: &str) -> Option<&Arc<TrackedOperation>> {
        let known_by = |operation: &TrackedOperation| {
            operation.operation_id.as_ref().map(OperationId::as_str) == Some(id)
                || operation.job_id.as_ref().map(JobId::as_str) == Some(id)
                || operation.about.aliases.iter().any(|alias| alias.as_str() == id)
        };
        self.iter()
            .filter(|operation| known_by(operation))
            .max_by_key(|operation| operation.key)
    }
}

/// Figures of the tracker about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackerFigures {
    /// Operations tracked now, by kind, observed or not.
    pub tracked: BTreeMap<Kind, u64>,
    /// Tracked operations that cannot be read, by reason.
    pub unreadable: BTreeMap<Unreadable, u64>,
    /// Operations dropped since the start, by reason.
    pub dropped_total: BTreeMap<Dropped, u64>,
    /// Label values replaced by `(other)` since the start.
    pub job_name_overflows_total: u64,
    /// Result codes replaced by `(other)` since the start.
    pub code_overflows_total: u64,
    /// Projects beyond `limits::PROJECTS_MAX`, which have no fleet series.
    pub project_overflows_total: u64,
    /// Callers' trace contexts that came when nothing could be hung on them any more.
    pub late_callers_total: u64,
    /// Run series now.
    pub run_series: u64,
    /// When the most overdue look was or will be due.
    pub earliest_due_at: Option<Timestamp>,
}

/// Why a tracked operation cannot be read: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// `PERMISSION_DENIED`.
    PermissionDenied,
    /// `UNAUTHENTICATED`, after the token was renewed.
    Unauthenticated,
    /// `NOT_FOUND`, and it was never seen: a wrong id, or one of another endpoint.
    NotFound,
    /// Any other refusal.
    Refused,
}

impl Unreadable {
    /// All reasons, in the order in which the exposition lists them.
    pub const ALL: [Self; 4] = [
        Self::PermissionDenied,
        Self::Unauthenticated,
        Self::NotFound,
        Self::Refused,
    ];

    /// The same for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission denied",
            Self::Unauthenticated => "unauthenticated",
            Self::NotFound => "not found",
            Self::Refused => "refused",
        }
    }

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
        }
    }
}

/// Why an operation was dropped: the label `reason` of `datasphere_exporter_operations_dropped_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// One that the cloud never knew or showed us left: before its day was over, to make room under `watch.tracked_max`,
    /// or after it, if the calls of others had told of it.
    Unknown,
    /// An ended one left before its retention, to make room under `watch.tracked_max`.
    EndedEarly,
    /// A new one was not taken, since all `watch.tracked_max` are live.
    TrackedMax,
    /// Its run series left, because of `metrics.series_max`; it stays under watch.
    SeriesMax,
}

impl Dropped {
    /// All reasons, in the order in which the exposition lists them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::EndedEarly, Self::TrackedMax, Self::SeriesMax];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::EndedEarly => "ended_early",
            Self::TrackedMax => "tracked_max",
            Self::SeriesMax => "series_max",
        }
    }
}
