//! Every metric declared once: what it is called, what it measures and how it is labelled.
//!
//! In: nothing. Out: [`ALL`], the declarations that the exposition, the documents and the tests share, and
//! [`Instruments`], the handles of the metrics that the exporter keeps about itself. Never: a value of the
//! fleet; those are rendered from the view.

mod document;
pub mod exporter;
pub mod fleet;
mod instruments;
pub mod run;

pub use document::document;
pub use instruments::{
    GAP_REASONS, Instruments, SELF_SPAN_OUTCOMES, SPAN_OUTCOMES, UNHEARD_REASONS, count_gaps,
};

/// One metric, as the contract with dashboards and rules declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in every format, `_total` of a counter included.
    pub name: &'static str,
    /// What it measures.
    pub metric_type: Type,
    /// Its base unit, told by its name: the last word before `_total`.
    pub unit: Option<&'static str>,
    /// What it means, in one line without characters that need escaping.
    pub help: &'static str,
    /// Its labels in the order in which they are written.
    pub labels: &'static [&'static str],
    /// Which bound its series have.
    pub tier: Tier,
    /// Whether its histogram has native buckets beside the classic ones.
    pub native: bool,
    /// Whether its samples may carry exemplars.
    pub exemplars: bool,
    /// Whether labels that users attached may follow the declared ones, prefixed [`USER_LABEL_PREFIX`].
    pub user_labels: bool,
}

/// What a metric measures; the word is the same in every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only goes up while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// What bounds the number of a metric's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Bounded by projects and closed label sets; always on.
    Fleet,
    /// One set an operation; leaves with it, and may be switched off.
    Run,
    /// The exporter about itself.
    Exporter,
}

/// What a user's label is prefixed with, so that it never meets one of ours.
pub const USER_LABEL_PREFIX: &str = "label_";

/// Every metric, in the order of the exposition and of the document.
pub const ALL: [&[Metric]; 3] = [&fleet::ALL, &run::ALL, &exporter::ALL];

/// The declaration of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    ALL.into_iter().flatten().find(|metric| metric.name == name)
}

impl Type {
    /// The word after `# TYPE`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Tier {
    /// The label `tier` of `datasphere_exporter_series`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Run => "run",
            Self::Exporter => "exporter",
        }
    }
}

/// Units that a name may end with; the base units of Prometheus that we have.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

impl Metric {
    /// The family's name in OpenMetrics: a counter's without `_total`.
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    const fn new(
        tier: Tier,
        metric_type: Type,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            metric_type,
            unit: unit_of(name),
            help: help.trim_ascii_start(),
            labels,
            tier,
            native: false,
            exemplars: false,
            user_labels: false,
        }
    }

    const fn native(mut self) -> Self {
        self.native = true;
        self
    }

    const fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }

    const fn user_labels(mut self) -> Self {
        self.user_labels = true;
        self
    }
}

/// The unit that a name ends with, `_total` aside.
const fn unit_of(name: &str) -> Option<&'static str> {
    let [seconds, bytes, ratio] = UNITS;
    if ends_with_word(name, seconds) || ends_with_word(name, "seconds_total") {
        Some(seconds)
    } else if ends_with_word(name, bytes) || ends_with_word(name, "bytes_total") {
        Some(bytes)
    } else if ends_with_word(name, ratio) {
        Some(ratio)
    } else {
        None
    }
}

/// `str::ends_with` for constants, at the border of a word.
const fn ends_with_word(name: &str, word: &str) -> bool {
    let (mut name, mut word) = (name.as_bytes(), word.as_bytes());
    while let (Some((last, rest)), Some((word_last, word_rest))) = (name.split_last(), word.split_last()) {
        if *last != *word_last {
            return false;
        }
        (name, word) = (rest, word_rest);
    }
    word.is_empty() && matches!(name.last(), Some(b'_'))
}

/// Declares the metrics of one tier: the doc line of each is its help, and all of them are in `ALL`.
macro_rules! metrics {
    ($tier:ident; $(
        #[doc = $help:literal]
        $name:ident: $kind:ident $text:literal $labels:tt $($flag:ident)*;
    )+) => {
        $(
            #[doc = $help]
            pub const $name: $crate::catalogue::Metric = $crate::catalogue::Metric::new(
                $crate::catalogue::Tier::$tier,
                $crate::catalogue::Type::$kind,
                $text,
                &$labels,
                $help,
            )$(.$flag())*;
        )+

        /// All of them, in the order of the exposition.
        pub const ALL: [$crate::catalogue::Metric; [$(stringify!($name)),+].len()] = [$($name),+];
    };
}
use metrics;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static Metric> {
        ALL.into_iter().flatten()
    }

    #[test]
    fn every_name_is_declared_once() {
        let names: BTreeSet<_> = all().map(Metric::family).collect();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn names_tell_the_type_and_the_unit() {
        for metric in all() {
            let name = metric.name;
            let is_total = name.ends_with("_total");
            assert_eq!(is_total, metric.metric_type == Type::Counter, "{name}");
            assert!(
                name.starts_with("datasphere_") || name.starts_with("process_"),
                "{name}"
            );
            for suffix in ["_bucket", "_count", "_sum", "_created"] {
                assert!(!name.ends_with(suffix), "{name} looks like a part of a histogram");
            }
            if metric.metric_type == Type::Histogram {
                assert_eq!(metric.unit, Some("seconds"), "{name}");
            }
        }
        assert_eq!(unit_of("a_cpu_seconds_total"), Some("seconds"));
        assert_eq!(unit_of("milliseconds"), None);
        assert_eq!(unit_of("a_requests_per_second"), None);
    }

    #[test]
    fn help_is_one_plain_sentence() {
        for metric in all() {
            let help = metric.help;
            assert!(
                help.ends_with('.') && !help.starts_with(' '),
                "{}: {help:?}",
                metric.name
            );
            assert!(
                !help.contains(['\\', '\n', '"', '`']),
                "{}: {help:?}",
                metric.name
            );
        }
    }

    #[test]
    fn labels_never_meet_those_of_a_target_or_of_users() {
        for metric in all() {
            let labels: BTreeSet<_> = metric.labels.iter().collect();
            assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
            for label in labels {
                assert!(
                    !["job", "instance", "le"].contains(label),
                    "{}: {label}",
                    metric.name
                );
                assert!(!label.starts_with(USER_LABEL_PREFIX), "{}: {label}", metric.name);
            }
        }
    }

    #[test]
    fn run_series_are_identified_by_ids_and_at_most_the_point_of_the_metric() {
        for metric in run::ALL.iter().filter(|metric| !metric.name.ends_with("_info")) {
            let by_job = metric.labels.starts_with(&["project_id", "job_id"]);
            let by_operation = metric.labels.starts_with(&["project_id", "operation_id"]);
            assert!(by_job || by_operation, "{}", metric.name);
            assert!(metric.labels.len() <= 3, "{}", metric.name);
        }
        for metric in fleet::ALL {
            assert!(
                !metric
                    .labels
                    .iter()
                    .any(|label| *label == "job_id" || *label == "operation_id")
            );
        }
    }
}
