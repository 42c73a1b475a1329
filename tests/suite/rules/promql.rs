//! What a query asks for, compared with what the exporter declares.

use datasphere_exporter::catalogue::{self, Type};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use regex::Regex;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// Labels that Prometheus adds to what it scrapes.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

/// Metrics that Prometheus makes itself, with the labels that it adds to those of the target.
const SERVER_METRICS: [(&str, &[&str]); 3] = [
    ("up", &[]),
    ("scrape_duration_seconds", &[]),
    ("ALERTS", &["alertname", "alertstate", "severity"]),
];

/// All names in a query.
#[derive(Debug, Default)]
pub(crate) struct Query {
    text: String,
    /// The metrics that it selects, as they are written.
    pub(crate) metrics: BTreeSet<String>,
    /// Labels of selectors, with their metric.
    matched: Vec<(String, String)>,
    /// Labels by which it groups and joins.
    grouped: BTreeSet<String>,
    /// Labels that it makes itself.
    made: BTreeSet<String>,
    /// What `rate` and `increase` are taken of.
    rated: BTreeSet<String>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let expr = parser::parse(text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
        let mut query = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let Ok(_) = walk_expr(&mut query, &expr);
        query
    }

    /// Fails where the query asks for something that is neither declared nor recorded.
    pub(crate) fn check(&self, place: &str, recorded: &BTreeSet<String>) {
        let text = &self.text;
        for metric in &self.metrics {
            let is_known = labels_of(metric).is_some();
            assert!(is_known, "{place}: nothing is called {metric} in\n{text}");
            let is_recorded = !metric.contains(':') || recorded.contains(metric);
            assert!(is_recorded, "{place}: nobody records {metric} in\n{text}");
        }
        for (metric, label) in &self.matched {
            let labels = labels_of(metric).unwrap_or_default();
            assert!(
                labels.contains(label.as_str()),
                "{place}: {metric} has no label {label} in\n{text}"
            );
        }
        for label in &self.grouped {
            assert!(
                self.has_label(label),
                "{place}: no metric has the label {label} in\n{text}"
            );
        }
        for metric in &self.rated {
            let grows = declared(metric).is_none_or(|(_, found)| found != Type::Gauge);
            assert!(
                grows,
                "{place}: {metric} is a gauge, which has no rate, in\n{text}"
            );
        }
    }

    /// Whether one of its metrics has the label, or the query makes it.
    pub(crate) fn has_label(&self, label: &str) -> bool {
        let has = |metric: &String| labels_of(metric).is_some_and(|labels| labels.contains(label));
        self.made.contains(label) || self.metrics.iter().any(has)
    }

    fn selects(&mut self, selector: &VectorSelector) {
        let name = selector
            .name
            .clone()
            .unwrap_or_else(|| panic!("a selector without a name in\n{}", self.text));
        for matcher in &selector.matchers.matchers {
            self.matched.push((name.clone(), matcher.name.clone()));
        }
        self.metrics.insert(name);
    }
}

impl ExprVisitor for Query {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        let mut groups = |modifier: Option<&LabelModifier>| {
            self.grouped.extend(
                modifier
                    .into_iter()
                    .flat_map(|modifier| modifier.labels().labels.clone()),
            );
        };
        match expr {
            Expr::Aggregate(aggregate) => {
                groups(aggregate.modifier.as_ref());
                if let Some(Expr::VectorSelector(selector)) = aggregate.param.as_deref() {
                    self.selects(selector);
                }
            }
            Expr::Binary(binary) => {
                let modifier = binary.modifier.as_ref();
                groups(modifier.and_then(|modifier| modifier.matching.as_ref()));
                let taken = modifier.and_then(|modifier| modifier.card.labels());
                self.grouped
                    .extend(taken.into_iter().flat_map(|labels| labels.labels.clone()));
            }
            Expr::Call(call) => {
                let args: Vec<&Expr> = call.args.args.iter().map(|arg| &**arg).collect();
                match (call.func.name, args.as_slice()) {
                    ("label_replace", [_, Expr::StringLiteral(label), ..]) => {
                        self.made.insert(label.val.clone());
                    }
                    ("rate" | "irate" | "increase", [Expr::MatrixSelector(matrix)]) => {
                        self.rated.extend(matrix.vs.name.clone());
                    }
                    _ => {}
                }
            }
            Expr::VectorSelector(selector) => self.selects(selector),
            Expr::MatrixSelector(matrix) => self.selects(&matrix.vs),
            _ => {}
        }
        Ok(true)
    }
}

/// The labels that a metric has once it is scraped or recorded, if there is such a metric.
fn labels_of(metric: &str) -> Option<BTreeSet<&'static str>> {
    let scraped = |labels: &[&'static str]| labels.iter().copied().chain(TARGET_LABELS).collect();
    if let Some((_, labels)) = SERVER_METRICS.into_iter().find(|(name, _)| *name == metric) {
        return Some(scraped(labels));
    }
    match metric.split_once(':') {
        Some(("project_id", _)) => Some(BTreeSet::from(["project_id"])),
        Some(("project_id_job_name", _)) => Some(BTreeSet::from(["project_id", "job_name"])),
        Some(("datasphere", _)) => Some(BTreeSet::from(["job"])),
        Some(_) => None,
        None => {
            let mut labels: BTreeSet<&'static str> = scraped(declared(metric)?.0);
            labels.extend(metric.ends_with("_bucket").then_some("le"));
            Some(labels)
        }
    }
}

/// The labels and the type that the catalogue declares for a metric, or for the part of a histogram.
fn declared(metric: &str) -> Option<(&'static [&'static str], Type)> {
    let whole = catalogue::find(metric);
    let part = || {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| metric.strip_suffix(suffix))?;
        catalogue::find(family).filter(|found| found.metric_type == Type::Histogram)
    };
    whole.or_else(part).map(|found| (found.labels, found.metric_type))
}

/// The queries that a template of an annotation makes, with a word in the place of each value.
pub(crate) fn queries_of_template(template: &str) -> Vec<String> {
    let printed = Regex::new(r#"printf "((?:[^"\\]|\\.)*)" [^|{}]*\| query"#).unwrap();
    let queries = printed
        .captures_iter(template)
        .map(|found| found[1].replace("%q", "\"x\"").replace("\\\"", "\""));
    let queries: Vec<String> = queries.collect();
    assert_eq!(
        queries.len(),
        template.matches("| query").count(),
        "a query of another form: {template}"
    );
    queries
}

/// The labels that a template shows.
pub(crate) fn labels_of_template(template: &str) -> BTreeSet<String> {
    let label = Regex::new(r"\$labels\.([a-z_]+)").unwrap();
    label
        .captures_iter(template)
        .map(|found| found[1].to_owned())
        .collect()
}
