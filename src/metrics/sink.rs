//! What a family's writer tells an encoder, and how a family is walked in steps.

use crate::catalogue::{Metric, USER_LABEL_PREFIX};
use crate::clock::Timestamp;
use crate::metrics::Settings;
use crate::metrics::number::Number;
use crate::metrics::run::Presence;
use crate::model::{Exemplar, Histogram, Labels, Project, View};
use prometheus::proto::MetricFamily;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An encoder: takes the samples of one family after the other.
///
/// Label values come in the order in which the catalogue declares their names.
pub(super) trait Sink {
    /// A family begins; nothing of it is written before its first sample.
    fn begin(&mut self, metric: &'static Metric);

    /// A gauge or counter.
    fn sample(&mut self, labels: &[Label<'_>], value: impl Number);

    /// The samples that follow are of the operation with these two ids, the first two labels.
    fn row(&mut self, ids: [&str; 2]);

    /// A gauge of that operation; the word, if any, is the value of the third label.
    fn row_sample(&mut self, word: Option<&str>, value: impl Number);

    /// A gauge of 1 of that operation, with its other labels and those of users.
    fn row_info(&mut self, labels: &[Label<'_>], user: UserLabels<'_>);

    /// A counter that may carry an exemplar.
    fn counter(&mut self, labels: &[Label<'_>], value: u64, exemplar: Option<&Exemplar>);

    /// A histogram.
    fn histogram(&mut self, labels: &[Label<'_>], histogram: &impl Observations);

    /// Whether to pause before the next row.
    fn is_full(&self) -> bool;
}

/// A label's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label<'a> {
    /// An id, or a word of ours: needs no escaping.
    Word(&'a str),
    /// Text from outside.
    Text(&'a str),
}

/// The observations of a histogram.
pub(super) trait Observations {
    /// How many.
    fn count(&self) -> u64;

    /// Their sum.
    fn sum(&self) -> f64;

    /// Classic buckets, cumulative, the infinite one last.
    fn classic(&self) -> impl Iterator<Item = (f64, u64, Option<&Exemplar>)>;

    /// The native side, where there is one.
    fn native(&self) -> Option<&Histogram>;
}

/// Labels of users that reach the `_info` series.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserLabels<'a> {
    pub(super) allowed: &'a [AllowedLabel],
    pub(super) labels: &'a Labels,
}

/// One name of the allow-list, and how the exposition writes it.
#[derive(Debug)]
pub(super) struct AllowedLabel {
    key: SmolStr,
    name: String,
}

impl AllowedLabel {
    /// The allow-list with names that every format accepts; of two that become the same, the first counts.
    pub(super) fn list(keys: &[SmolStr]) -> Vec<Self> {
        let mut known = BTreeSet::new();
        let named = keys.iter().map(|key| {
            let word = key
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            (
                key.clone(),
                USER_LABEL_PREFIX.chars().chain(word).collect::<String>(),
            )
        });
        named
            .filter(|(_, name)| known.insert(name.clone()))
            .map(|(key, name)| Self { key, name })
            .collect()
    }
}

impl<'a> UserLabels<'a> {
    /// Those that the operation has, in the order of the allow-list.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let labels = self.labels;
        self.allowed
            .iter()
            .filter_map(move |allowed| Some((allowed.name.as_str(), labels.get(&allowed.key)?.as_str())))
    }
}

/// Everything that one exposition shows.
pub(super) struct Scene {
    pub(super) view: Arc<View>,
    pub(super) projects: Vec<Arc<Project>>,
    pub(super) gathered: Vec<MetricFamily>,
    pub(super) settings: Settings,
    pub(super) labels: Vec<AllowedLabel>,
    pub(super) presence: Presence,
    pub(super) now: Timestamp,
}

/// How far a family is written: the next row, and the next part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) part: usize,
}

/// Writes a family from a place on, and tells the place to go on from when the sink got full.
pub(super) type Write<S> = fn(&Scene, Place, &mut S) -> Option<Place>;

/// A family and its writer.
pub(super) type Family<S> = (&'static Metric, Write<S>);

/// Writes items from a part on; the next part when the sink got full.
pub(super) fn each<S: Sink, I: Iterator>(
    items: I,
    from: usize,
    sink: &mut S,
    write: impl Fn(&mut S, I::Item),
) -> Option<usize> {
    for (part, item) in items.enumerate().skip(from) {
        write(sink, item);
        if sink.is_full() {
            return Some(part + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;
    use std::collections::BTreeMap;

    #[test]
    fn two_user_labels_never_become_one_name() {
        let keys = ["team-a", "team_a", "команда"].map(SmolStr::new);
        let allowed = AllowedLabel::list(&keys);
        let names: Vec<&str> = allowed.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["label_team_a", "label________"]);

        let labels: Labels = Arc::new(BTreeMap::from([
            (SmolStr::new("team-a"), Text::bounded("nlp")),
            (SmolStr::new("secret"), Text::bounded("x")),
        ]));
        let user = UserLabels {
            allowed: &allowed,
            labels: &labels,
        };
        assert_eq!(user.iter().collect::<Vec<_>>(), [("label_team_a", "nlp")]);
    }
}
