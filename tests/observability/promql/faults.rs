//! What is wrong with how a query reads its metrics.

use crate::promql::labels::OF_TARGETS;
use crate::promql::{Selected, is_of_fleet, labels, metric, parts, selected, strange_words};
use datasphere_exporter::catalogue::{self, Type};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{Expr, VectorSelector};
use std::collections::BTreeSet;

/// Functions that a counter may be given to as it is; all others see its resets as falls.
const FOR_COUNTERS: [&str; 4] = ["rate", "irate", "increase", "resets"];

/// What is wrong with how a query reads its metrics.
pub(crate) fn faults(expression: &Expr) -> Vec<String> {
    let mut faults = match labels(expression) {
        Err(fault) => vec![fault],
        Ok(labels) if labels.contains("instance") && is_of_fleet(expression) => {
            vec![format!("tells each replica apart: {expression}")]
        }
        Ok(_) => Vec::new(),
    };
    if expression.value_type() == ValueType::Matrix {
        faults.push(format!("a range that nothing is taken of: {expression}"));
    }
    let selected = selected(expression);
    faults.extend(selected.iter().filter_map(misread));
    faults.extend(selected.iter().flat_map(strange_patterns));
    faults.extend(selected.iter().flat_map(strange_words));
    faults.extend(parts(expression).into_iter().filter_map(quantile_without_buckets));
    faults
}

/// What is wrong with a query of a dashboard: it follows the variables, and needs no rules.
pub(crate) fn faults_on_a_dashboard(expression: &Expr) -> Vec<String> {
    let mut faults = faults(expression);
    for Selected { name, selector, .. } in selected(expression) {
        if name.contains(':') {
            faults.push(format!("{name} is not there without the recording rules"));
        }
        let has_project = metric(name).is_some_and(|metric| metric.labels.contains(&"project_id"));
        let narrowing: &[&str] = match name {
            "ALERTS" => &[],
            _ if has_project => &["job", "instance", "project_id"],
            _ => &OF_TARGETS,
        };
        for label in narrowing.iter().filter(|label| !is_chosen(selector, label)) {
            faults.push(format!("{name} is not narrowed by the variable for {label}"));
        }
    }
    faults
}

/// A counter that is read as a gauge, or a gauge as a counter.
fn misread(selected: &Selected<'_>) -> Option<String> {
    let Selected {
        name,
        selector,
        function,
    } = *selected;
    let is_counter = metric(name).is_some_and(|metric| metric.metric_type != Type::Gauge);
    let is_for_counters = function.is_some_and(|function| FOR_COUNTERS.contains(&function));
    match (is_counter, is_for_counters) {
        (true, false) if !is_birth(selector, function) => {
            Some(format!("{name} is a counter, and is read as a gauge"))
        }
        (false, true) => Some(format!("{name} is a gauge, and is read as a counter")),
        _ => None,
    }
}

/// Regular expressions that are plain words, or say again that they match the whole.
fn strange_patterns(selected: &Selected<'_>) -> Vec<String> {
    let is_strange = |matcher: &&Matcher| {
        let value = matcher.value.as_str();
        let is_pattern = value.starts_with('$') || value.contains(['|', '.', '*', '+', '?', '[', '(']);
        let is_anchored = value.starts_with('^') || value.ends_with('$');
        matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_)) && (!is_pattern || is_anchored)
    };
    let strange = selected.selector.matchers.matchers.iter().filter(is_strange);
    strange
        .map(|matcher| format!("{matcher} of {} is no pattern", selected.name))
        .collect()
}

/// Histograms of which queries read only the classic or only the native side, where the exporter serves both.
pub(crate) fn one_sided(queries: &[Expr]) -> Vec<String> {
    let names: BTreeSet<&str> = queries.iter().flat_map(selected).map(|one| one.name).collect();
    let native = catalogue::ALL
        .into_iter()
        .flatten()
        .filter(|metric| metric.native);
    native
        .filter(|metric| {
            let classic = format!("{}_bucket", metric.name);
            names.contains(metric.name) != names.contains(classic.as_str())
        })
        .map(|metric| format!("only one side of {}", metric.name))
        .collect()
}

/// Whether a variable of the dashboard chooses among the values of a label.
fn is_chosen(selector: &VectorSelector, label: &str) -> bool {
    let variable = format!("${}", label.trim_end_matches("_id"));
    let matchers = &selector.matchers.matchers;
    matchers.iter().any(|matcher| {
        matcher.name == label && matcher.value == variable && matches!(matcher.op, MatchOp::Re(_))
    })
}

/// The two readings by which the first value of a counter that is born in the time shown is found.
fn is_birth(selector: &VectorSelector, function: Option<&str>) -> bool {
    function == Some("min_over_time") || (function.is_none() && selector.offset.is_some())
}

/// A quantile of classic buckets that were merged into one.
fn quantile_without_buckets(expression: &Expr) -> Option<String> {
    let Expr::Call(call) = expression else {
        return None;
    };
    let is_classic = selected(expression)
        .iter()
        .any(|selected| selected.name.ends_with("_bucket"));
    let has_le = || {
        let mut arguments = call.args.args.iter();
        arguments.any(|argument| labels(argument).is_ok_and(|labels| labels.contains("le")))
    };
    (call.func.name == "histogram_quantile" && is_classic && !has_le())
        .then(|| format!("a quantile without le: {call}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql;
    use datasphere_exporter::catalogue::run;

    /// Queries in which `T` stands for the matchers of a target and `P` for those and the project's, with what is found.
    const WRONG: [(&str, &str); 22] = [
        ("sum(datasphere_jobs{P})", "adds up what each replica tells"),
        ("datasphere_jobs{P}", "tells each replica apart"),
        (
            "max(datasphere_jobs{T})",
            "not narrowed by the variable for project_id",
        ),
        ("max by (code) (datasphere_jobs{P})", "no label code"),
        ("max(datasphere_jobs{P,code='1'})", "no label code"),
        ("max(datasphere_job{P})", "there is no metric"),
        ("project_id:datasphere_jobs:nobody", "there is no metric"),
        (
            "project_id:datasphere_jobs_failed:increase6h",
            "not there without the recording rules",
        ),
        ("max(rate(datasphere_jobs{P}[5m]))", "is a gauge"),
        ("max(datasphere_operations_finished_total{P})", "is a counter"),
        (
            "datasphere_exporter_tracked_operations{T}[5m]",
            "a range that nothing is taken of",
        ),
        ("max(datasphere_jobs{P,status=~'ERROR'})", "is no pattern"),
        ("max(datasphere_jobs{P,status=~'^E.*'})", "is no pattern"),
        (
            "max(datasphere_jobs{P,status='RUNNING'})",
            "status of datasphere_jobs is never",
        ),
        (
            "max(datasphere_jobs{P,status=~'ERROR|BROKEN'})",
            "status of datasphere_jobs is never",
        ),
        (
            "max(datasphere_job_outcome{P,outcome=~'f.*|broken'})",
            "outcome of datasphere_job_outcome is never",
        ),
        (
            "rate(datasphere_exporter_api_requests_total{T,code!~'OK|MISSING'}[5m])",
            "code of datasphere_exporter_api_requests_total is never",
        ),
        (
            "max by (status) (datasphere_jobs{P}) * on (kind) max by (status) (datasphere_jobs{P})",
            "no label kind",
        ),
        (
            "max by (status) (datasphere_jobs{P}) + ignoring (code) max by (status) (datasphere_jobs{P})",
            "no label code",
        ),
        (
            "max by (project_id) (datasphere_jobs{P}) / max by (status) (datasphere_jobs{P})",
            "never matches",
        ),
        (
            "max by (project_id, status) (datasphere_jobs{P}) + ignoring (status) max(datasphere_jobs{P})",
            "never matches",
        ),
        (
            "histogram_quantile(0.9, sum(rate(datasphere_exporter_api_request_duration_seconds_bucket{T}[5m])))",
            "a quantile without le",
        ),
    ];

    fn read(query: &str) -> Expr {
        let target = r#"job=~"$job",instance=~"$instance""#;
        let project = format!(r#"{target},project_id=~"$project""#);
        let query = query.replace("{T", &format!("{{{target}"));
        promql::parse(&query.replace("{P", &format!("{{{project}"))).unwrap()
    }

    #[test]
    fn wrong_queries_are_found() {
        for (query, fault) in WRONG {
            let found = faults_on_a_dashboard(&read(query));
            let is_found = found.iter().any(|found| found.contains(fault));
            assert!(is_found, "{query}: {found:?}");
        }
    }

    #[test]
    fn right_queries_have_no_fault() {
        let all = run::JOB_PROGRESS.labels.join(", ");
        let by_job = format!("max by ({all}) ({}{{P}})", run::JOB_PROGRESS.name);
        let joined = format!(
            "{by_job} * ignoring (status) group_right () max without (job, instance) (datasphere_job_status{{P}})"
        );
        for right in [by_job, joined] {
            assert_eq!(
                faults_on_a_dashboard(&read(&right)),
                Vec::<String>::new(),
                "{right}"
            );
        }
    }

    #[test]
    fn histograms_that_are_read_from_one_side_are_found() {
        let classic = "sum by (le) (rate(datasphere_job_duration_seconds_bucket{P}[5m]))";
        let native = "sum(rate(datasphere_job_duration_seconds{P}[5m]))";
        for one in [classic, native] {
            assert_eq!(
                one_sided(&[read(one)]),
                ["only one side of datasphere_job_duration_seconds"]
            );
        }
        assert!(one_sided(&[read(classic), read(native)]).is_empty());
    }
}
