//! PromQL made from the exporter's own declarations: a renamed metric does not compile, a wrong label panics.
//!
//! Two replicas of the exporter tell the same of the same operations, so what is told of the fleet is merged
//! over the replicas before anything is added up.

use datasphere_exporter::catalogue::{Metric, Tier, Type};
use std::fmt::Write;

/// What every selector of the exporter's own target says.
const TARGET: &str = r#"job=~"$job",instance=~"$instance""#;

/// What every selector with a project says besides.
const PROJECT: &str = r#"project_id=~"$project""#;

/// The range of a graph's step.
pub(crate) const STEP: &str = "$__rate_interval";

/// All the time that is shown.
pub(crate) const SHOWN: &str = "$__range";

/// Series of one metric, narrowed by labels that it declares.
#[derive(Clone)]
pub(crate) struct Series {
    metric: Metric,
    matchers: String,
}

/// All series of this metric that the variables of the dashboard choose.
pub(crate) fn all(metric: Metric) -> Series {
    let has_project = metric.labels.contains(&"project_id");
    let matchers = if has_project {
        format!("{TARGET},{PROJECT}")
    } else {
        TARGET.to_owned()
    };
    Series { metric, matchers }
}

impl Series {
    /// Those with this value.
    pub(crate) fn with(self, label: &str, value: &str) -> Self {
        self.narrowed(label, "=", value)
    }

    /// Those with one of these values; a variable of the dashboard may stand for several.
    pub(crate) fn among(self, label: &str, values: &[&str]) -> Self {
        let operator = if is_one_word(values) { "=" } else { "=~" };
        self.narrowed(label, operator, &values.join("|"))
    }

    /// Those with none of these values.
    pub(crate) fn without(self, label: &str, values: &[&str]) -> Self {
        let operator = if is_one_word(values) { "!=" } else { "!~" };
        self.narrowed(label, operator, &values.join("|"))
    }

    fn narrowed(mut self, label: &str, operator: &str, value: &str) -> Self {
        self.declared(&[label]);
        let _ = write!(self.matchers, ",{label}{operator}\"{value}\"");
        self
    }

    fn declared(&self, labels: &[&str]) {
        for label in labels {
            let is_declared = self.metric.labels.contains(label);
            assert!(is_declared, "{} has no label {label}", self.metric.name);
        }
    }

    /// The selector alone.
    pub(crate) fn raw(&self) -> String {
        self.part("")
    }

    /// The selector of a histogram's part, or of the metric itself for an empty suffix.
    fn part(&self, suffix: &str) -> String {
        format!("{}{suffix}{{{}}}", self.metric.name, self.matchers)
    }

    /// Its values with all declared labels, each told once however many replicas tell it.
    pub(crate) fn once(&self) -> String {
        self.by(self.metric.labels)
    }

    /// The greatest value by these labels.
    pub(crate) fn by(&self, labels: &[&str]) -> String {
        self.declared(labels);
        by("max", labels, &self.raw())
    }

    /// The least value by these labels.
    pub(crate) fn least_by(&self, labels: &[&str]) -> String {
        self.declared(labels);
        by("min", labels, &self.raw())
    }

    /// What a counter grew within a range, once for all replicas of the fleet, for each target of the exporter.
    pub(crate) fn increase(&self, range: &str) -> String {
        self.moved("increase", range)
    }

    /// What a counter grows a second.
    pub(crate) fn rate(&self) -> String {
        self.moved("rate", STEP)
    }

    fn moved(&self, function: &str, range: &str) -> String {
        assert_eq!(self.metric.metric_type, Type::Counter, "{}", self.metric.name);
        let moved = format!("{function}({}[{range}])", self.raw());
        if self.metric.tier == Tier::Exporter {
            moved
        } else {
            by("max", self.metric.labels, &moved)
        }
    }

    /// What a counter grew in the time shown when its series may be born in it: a first value is no growth to
    /// `increase`, so it is added.
    pub(crate) fn increase_since_birth(&self) -> String {
        let labels = self.metric.labels;
        let grown = self.increase(SHOWN);
        let lowest = by("max", labels, &format!("min_over_time({}[{SHOWN}])", self.raw()));
        let before = by("max", labels, &format!("{} offset {SHOWN}", self.raw()));
        format!("(({grown} + ({lowest} unless {before})) or {grown} or ({lowest} unless {before}))")
    }

    /// What a counter grows a second, of those alone that grew in the time shown.
    pub(crate) fn rate_of_seen(&self, label: &str) -> String {
        self.declared(&[label]);
        let rate = by("sum", &[label], &self.rate());
        let grown = format!("increase({}[{SHOWN}] @ end())", self.raw());
        format!("{rate} and on ({label}) ({} > 0)", by("sum", &[label], &grown))
    }

    /// A quantile of a histogram by these labels, from native or classic buckets; absent without observations.
    pub(crate) fn quantile(&self, quantile: f64, labels: &[&str], range: &str) -> String {
        self.declared(labels);
        let classic = by("sum", &joined(labels, "le"), &self.classic(range));
        let classic = format!("histogram_quantile({quantile}, {classic})");
        if !self.metric.native {
            return format!("({classic} >= 0)");
        }
        let native = by("sum", labels, &self.native(range));
        format!("((histogram_quantile({quantile}, {native}) or {classic}) >= 0)")
    }

    /// What has at least so many observations of a histogram within a range, by these labels.
    pub(crate) fn has_observed(&self, least: u32, labels: &[&str], range: &str) -> String {
        self.declared(labels);
        let count = self.part("_count");
        let classic = by("max", self.metric.labels, &format!("increase({count}[{range}])"));
        let native = by("sum", labels, &self.native(range));
        let either = format!("histogram_count({native}) or {}", by("sum", labels, &classic));
        format!("(({either}) >= {least})")
    }

    /// The buckets of a heatmap: from native series, and from classic ones where there are no native ones.
    pub(crate) fn buckets(&self) -> Vec<String> {
        let classic = by("sum", &["le"], &self.classic(STEP));
        if !self.metric.native {
            return vec![classic];
        }
        let native = format!("sum({})", self.native(STEP));
        let instead = format!("{classic} unless on () {native}");
        vec![native, instead]
    }

    fn classic(&self, range: &str) -> String {
        assert_eq!(self.metric.metric_type, Type::Histogram, "{}", self.metric.name);
        let grown = format!("increase({}[{range}])", self.part("_bucket"));
        if self.metric.tier == Tier::Exporter {
            return grown;
        }
        by("max", &joined(self.metric.labels, "le"), &grown)
    }

    /// `max` knows no native histograms; the mean of replicas that agree is the same.
    fn native(&self, range: &str) -> String {
        let grown = format!("increase({}[{range}])", self.raw());
        by("avg", self.metric.labels, &grown)
    }
}

/// An aggregation that keeps these labels.
pub(crate) fn by(operator: &str, labels: &[&str], expression: &str) -> String {
    if labels.is_empty() {
        return format!("{operator}({expression})");
    }
    format!("{operator} by ({}) ({expression})", labels.join(", "))
}

/// The sum over everything.
pub(crate) fn sum(expression: &str) -> String {
    by("sum", &[], expression)
}

/// The sum, and 0 where there is nothing to add up.
pub(crate) fn sum_or_zero(expression: &str) -> String {
    format!("(sum({expression}) or vector(0))")
}

/// A quotient that is absent where it would divide by nothing.
pub(crate) fn ratio(part: &str, whole: &str) -> String {
    format!("{part} / ({whole} > 0)")
}

/// The seconds since a moment.
pub(crate) fn age(moment: &str) -> String {
    format!("time() - {moment}")
}

fn is_one_word(values: &[&str]) -> bool {
    matches!(values, [value] if !value.starts_with('$'))
}

fn joined<'a>(labels: &[&'a str], last: &'a str) -> Vec<&'a str> {
    labels.iter().copied().chain([last]).collect()
}
