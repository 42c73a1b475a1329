//! What is wrong with how a query reads its metrics.

use crate::promql::{OF_TARGETS, Selected, children, is_of_fleet, labels, metric, selected};
use datasphere_exporter::catalogue::Type;
use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, VectorSelector};

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
    faults.extend(selected(expression).iter().flat_map(faults_of_one));
    faults.extend(quantiles_without_buckets(expression));
    faults
}

fn faults_of_one(selected: &Selected<'_>) -> Vec<String> {
    let Selected {
        name,
        selector,
        function,
    } = *selected;
    let mut faults = Vec::new();
    let metric = metric(name);
    let has_project = metric.is_some_and(|metric| metric.labels.contains(&"project_id"));
    let narrowing: &[&str] = match name {
        "ALERTS" => &[],
        _ if has_project => &["job", "instance", "project_id"],
        _ => &OF_TARGETS,
    };
    for label in narrowing.iter().filter(|label| !is_chosen(selector, label)) {
        faults.push(format!("{name} is not narrowed by the variable for {label}"));
    }
    let is_counter = metric.is_some_and(|metric| metric.metric_type != Type::Gauge);
    let is_for_counters = function.is_some_and(|function| FOR_COUNTERS.contains(&function));
    if is_counter && !is_for_counters && !is_birth(selector, function) {
        faults.push(format!("{name} is a counter, and is read as a gauge"));
    }
    if !is_counter && is_for_counters {
        faults.push(format!("{name} is a gauge, and is read as a counter"));
    }
    faults
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

/// Quantiles of classic buckets that were merged into one.
fn quantiles_without_buckets(expression: &Expr) -> Vec<String> {
    let mut faults = Vec::new();
    if let Expr::Call(call) = expression
        && call.func.name == "histogram_quantile"
    {
        let is_classic = selected(expression)
            .iter()
            .any(|selected| selected.name.ends_with("_bucket"));
        let has_le = call
            .args
            .args
            .iter()
            .any(|argument| labels(argument).is_ok_and(|labels| labels.contains("le")));
        if is_classic && !has_le {
            faults.push(format!("a quantile without le: {call}"));
        }
    }
    let inner = children(expression)
        .into_iter()
        .flat_map(quantiles_without_buckets);
    faults.extend(inner);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql;
    use datasphere_exporter::catalogue::run;

    #[test]
    fn wrong_queries_are_found() {
        let target = r#"job=~"$job",instance=~"$instance""#;
        let project = format!(r#"{target},project_id=~"$project""#);
        let wrong = [
            (
                format!("sum(datasphere_jobs{{{project}}})"),
                "adds up what each replica tells",
            ),
            (
                format!("datasphere_jobs{{{project}}}"),
                "tells each replica apart",
            ),
            (
                format!("max(datasphere_jobs{{{target}}})"),
                "not narrowed by the variable for project_id",
            ),
            (
                format!("max by (code) (datasphere_jobs{{{project}}})"),
                "no label code",
            ),
            (
                format!("max(datasphere_jobs{{{project},code=\"1\"}})"),
                "no label code",
            ),
            (format!("max(datasphere_job{{{project}}})"), "there is no metric"),
            (
                format!("max(rate(datasphere_jobs{{{project}}}[5m]))"),
                "is a gauge",
            ),
            (
                format!("max(datasphere_operations_finished_total{{{project}}})"),
                "is a counter",
            ),
            (
                format!(
                    "max by (project_id) (datasphere_jobs{{{project}}}) * on (kind) max by (project_id) (datasphere_jobs{{{project}}})"
                ),
                "no label kind",
            ),
            (
                format!(
                    "max by (project_id) (datasphere_jobs{{{project}}}) / max by (status) (datasphere_jobs{{{project}}})"
                ),
                "never matches",
            ),
            (
                format!(
                    "histogram_quantile(0.9, sum(rate(datasphere_exporter_api_request_duration_seconds_bucket{{{target}}}[5m])))"
                ),
                "a quantile without le",
            ),
        ];
        for (query, fault) in wrong {
            let found = faults(&promql::parse(&query).unwrap());
            assert!(
                found.iter().any(|found| found.contains(fault)),
                "{query}: {found:?}"
            );
        }
        let right = format!(
            "max by ({}) ({}{{{project}}})",
            run::JOB_PROGRESS.labels.join(", "),
            run::JOB_PROGRESS.name
        );
        assert_eq!(faults(&promql::parse(&right).unwrap()), Vec::<String>::new());
    }
}
