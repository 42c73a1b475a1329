//! The labels of an operation: what the configuration says now, and what somebody gave, which wins.

use crate::clock::Timestamp;
use crate::limits::LABELS_MAX;
use crate::model::{About, Labels, OperationId, Source, Text, TrackedOperation};
use crate::tracker::Tracker;
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

impl Tracker {
    /// Attaches labels to a row. The configuration's stand in place of what it said before; any other source's stay,
    /// and yield to newer values of such a source only.
    pub(crate) fn label(&mut self, slot: usize, labels: &Labels, source: Source, now: Timestamp) {
        let Some(row) = self.rows.get(slot) else { return };
        let about = &row.about;
        let is_configured = source == Source::Config;
        let takes_none = !is_configured || about.configured_labels.is_empty();
        if labels.is_empty() && takes_none {
            return;
        }
        let (given, configured) = apart(about);
        let (given, configured) = if is_configured {
            (given, BTreeMap::clone(labels))
        } else {
            let newest = given.into_iter().chain(BTreeMap::clone(labels));
            (newest.collect(), configured)
        };
        let mut next = TrackedOperation::clone(row);
        together(Arc::make_mut(&mut next.about), given, configured);
        self.commit(slot, next, now);
    }

    /// The configuration names these operations only: what it said of others holds no more.
    pub(crate) fn unlabel_others(&mut self, operations: &HashSet<OperationId>, now: Timestamp) {
        let is_left = |row: &TrackedOperation| {
            let mut ids = row.operation_id.iter().chain(&row.about.aliases);
            !row.about.configured_labels.is_empty() && !ids.any(|id| operations.contains(id))
        };
        for slot in self.rows.slots_of(is_left) {
            self.label(slot, &Labels::default(), Source::Config, now);
        }
    }
}

/// Gives the labels of another row of the same execution to this one.
pub(crate) fn take_labels(about: &mut About, other: &About) {
    if other.labels.is_empty() {
        return;
    }
    let ((mut given, mut configured), (also_given, also_configured)) = (apart(about), apart(other));
    given.extend(also_given);
    configured.extend(also_configured);
    together(about, given, configured);
}

type ByName = BTreeMap<SmolStr, Text>;

/// What somebody gave, and what the configuration says.
fn apart(about: &About) -> (ByName, ByName) {
    let labels = about
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    labels.partition(|(name, _)| !about.configured_labels.contains(name))
}

fn together(about: &mut About, given: ByName, configured: ByName) {
    let mut labels: ByName = given.into_iter().take(LABELS_MAX).collect();
    let mut names = Vec::new();
    for (name, value) in configured {
        if labels.len() < LABELS_MAX && !labels.contains_key(&name) {
            names.push(name.clone());
            labels.insert(name, value);
        }
    }
    about.labels = Arc::new(labels);
    about.configured_labels = names.into();
}
