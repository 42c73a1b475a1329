//! What a query says, found by reading it as Prometheus does: its selectors, the labels of its result, its faults.
//! Dashboards, rules and runbooks are read by it.

use datasphere_exporter::catalogue::{self, Metric, Tier, Type};
use promql_parser::parser::{self, Expr, VectorSelector};

mod faults;
mod labels;
mod words;

pub(crate) use faults::{faults, faults_on_a_dashboard, one_sided};
pub(crate) use labels::{Labels, labels};
pub(crate) use words::strange_words;

/// One selector of a query, with the function that it is given to.
pub(crate) struct Selected<'a> {
    pub(crate) name: &'a str,
    pub(crate) selector: &'a VectorSelector,
    pub(crate) function: Option<&'static str>,
}

/// The query with the variables of Grafana replaced by values of their kind.
pub(crate) fn concrete(query: &str) -> String {
    query.replace("$__rate_interval", "5m").replace("$__range", "1h")
}

pub(crate) fn parse(query: &str) -> Result<Expr, String> {
    parser::parse(&concrete(query))
}

/// The declaration behind a name, which may be that of a histogram's part.
pub(crate) fn metric(name: &str) -> Option<&'static Metric> {
    let part = ["_bucket", "_count", "_sum"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .and_then(catalogue::find)
        .filter(|metric| metric.metric_type == Type::Histogram);
    catalogue::find(name).or(part)
}

/// All selectors of an expression.
pub(crate) fn selected(expression: &Expr) -> Vec<Selected<'_>> {
    let mut found = Vec::new();
    collect(expression, None, &mut found);
    found
}

fn collect<'a>(expression: &'a Expr, function: Option<&'static str>, found: &mut Vec<Selected<'a>>) {
    match expression {
        Expr::VectorSelector(selector) => found.push(select(selector, function)),
        Expr::MatrixSelector(matrix) => found.push(select(&matrix.vs, function)),
        Expr::Call(call) => {
            for argument in &call.args.args {
                collect(argument, Some(call.func.name), found);
            }
        }
        other => {
            for child in children(other) {
                collect(child, None, found);
            }
        }
    }
}

fn select<'a>(selector: &'a VectorSelector, function: Option<&'static str>) -> Selected<'a> {
    let name = selector.name.as_deref().unwrap_or_default();
    Selected {
        name,
        selector,
        function,
    }
}

pub(crate) fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Aggregate(aggregate) => {
            let parameter = aggregate.param.as_deref();
            parameter.into_iter().chain([&*aggregate.expr]).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|argument| &**argument).collect(),
        _ => Vec::new(),
    }
}

/// The expression and all that it is made of.
pub(crate) fn parts(expression: &Expr) -> Vec<&Expr> {
    let inner = children(expression).into_iter().flat_map(parts);
    std::iter::once(expression).chain(inner).collect()
}

/// Whether an expression reads what every replica tells alike.
pub(crate) fn is_of_fleet(expression: &Expr) -> bool {
    selected(expression)
        .iter()
        .filter_map(|selected| metric(selected.name))
        .any(|metric| metric.tier != Tier::Exporter)
}
