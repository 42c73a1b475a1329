//! What a query says, found by reading it as Prometheus does: its selectors, and the labels of its result.

use datasphere_exporter::catalogue::{self, Metric, Tier, Type, USER_LABEL_PREFIX};
use promql_parser::parser::token::{T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_SUM, T_TOPK};
use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};
use std::collections::BTreeSet;

mod faults;

pub(crate) use faults::faults;

pub(crate) type Labels = BTreeSet<String>;

/// Series that Prometheus makes itself, with their labels.
const OF_PROMETHEUS: [(&str, &[&str]); 3] = [
    ("up", &[]),
    ("scrape_samples_scraped", &[]),
    (
        "ALERTS",
        &[
            "alertname",
            "alertstate",
            "severity",
            "project_id",
            "job_id",
            "job_name",
        ],
    ),
];

/// What the labels of a target are called.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

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
        Expr::Aggregate(aggregate) => vec![&aggregate.expr],
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|argument| &**argument).collect(),
        _ => Vec::new(),
    }
}

/// The labels that a result may have, or what asks for a label that cannot be there.
pub(crate) fn labels(expression: &Expr) -> Result<Labels, String> {
    match expression {
        Expr::VectorSelector(selector) => of_selector(selector),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.vs),
        Expr::Aggregate(aggregate) => of_aggregate(aggregate),
        Expr::Binary(binary) => of_binary(binary),
        Expr::Call(call) => of_call(call),
        Expr::Paren(paren) => labels(&paren.expr),
        Expr::Unary(unary) => labels(&unary.expr),
        Expr::Subquery(subquery) => labels(&subquery.expr),
        _ => Ok(Labels::new()),
    }
}

fn of_selector(selector: &VectorSelector) -> Result<Labels, String> {
    let name = selector.name.as_deref().unwrap_or_default();
    let own = OF_PROMETHEUS.iter().find(|(known, _)| *known == name);
    let declared = match (metric(name), own) {
        (Some(metric), _) => metric.labels,
        (None, Some((_, labels))) => labels,
        (None, None) => return Err(format!("there is no metric {name:?}")),
    };
    let mut labels: Labels = declared
        .iter()
        .chain(&OF_TARGETS)
        .map(ToString::to_string)
        .collect();
    if name.ends_with("_bucket") {
        labels.insert("le".to_owned());
    }
    for matcher in &selector.matchers.matchers {
        require(&labels, [&matcher.name], name)?;
    }
    Ok(labels)
}

fn of_aggregate(aggregate: &AggregateExpr) -> Result<Labels, String> {
    let inner = labels(&aggregate.expr)?;
    let id = aggregate.op.id();
    if [T_SUM, T_COUNT, T_COUNT_VALUES].contains(&id)
        && inner.contains("instance")
        && is_of_fleet(&aggregate.expr)
    {
        return Err(format!("adds up what each replica tells: {}", aggregate.expr));
    }
    let kept = match &aggregate.modifier {
        None => Labels::new(),
        Some(LabelModifier::Include(by)) => {
            require(&inner, &by.labels, &aggregate.expr.to_string())?;
            by.labels.iter().cloned().collect()
        }
        Some(LabelModifier::Exclude(without)) => {
            let without: Labels = without.labels.iter().cloned().collect();
            inner.difference(&without).cloned().collect()
        }
    };
    let is_choice = [T_TOPK, T_BOTTOMK].contains(&id);
    Ok(if is_choice { inner } else { kept })
}

/// Whether an expression reads what every replica tells alike.
pub(crate) fn is_of_fleet(expression: &Expr) -> bool {
    selected(expression)
        .iter()
        .filter_map(|selected| metric(selected.name))
        .any(|metric| metric.tier != Tier::Exporter)
}

fn of_binary(binary: &BinaryExpr) -> Result<Labels, String> {
    let (left, right) = (labels(&binary.lhs)?, labels(&binary.rhs)?);
    let (is_left_scalar, is_right_scalar) = (is_scalar(&binary.lhs), is_scalar(&binary.rhs));
    if is_left_scalar || is_right_scalar {
        return Ok(if is_left_scalar { right } else { left });
    }
    let modifier = binary.modifier.as_ref();
    let on = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
        Some(LabelModifier::Include(on)) => Some(on.labels.clone()),
        _ => None,
    };
    if let Some(on) = &on {
        require(&left, on, &binary.lhs.to_string())?;
        require(&right, on, &binary.rhs.to_string())?;
    }
    let operator = binary.op.to_string();
    let is_set = ["and", "or", "unless"].contains(&operator.as_str());
    if on.is_none() && left != right && operator != "or" {
        return Err(format!(
            "{operator} between {left:?} and {right:?} never matches: {binary}"
        ));
    }
    Ok(match modifier.map(|modifier| &modifier.card) {
        _ if operator == "or" => left.union(&right).cloned().collect(),
        _ if is_set => left,
        Some(VectorMatchCardinality::ManyToOne(extra)) => joined(left, &right, &extra.labels)?,
        Some(VectorMatchCardinality::OneToMany(extra)) => joined(right, &left, &extra.labels)?,
        _ => on.map_or(left, |on| on.into_iter().collect()),
    })
}

/// The labels of the many, with those that they take over from the one.
fn joined(mut many: Labels, one: &Labels, extra: &[String]) -> Result<Labels, String> {
    require(one, extra, "the one side of a join")?;
    many.extend(extra.iter().cloned());
    Ok(many)
}

fn of_call(call: &Call) -> Result<Labels, String> {
    let vectors = call.args.args.iter().filter(|argument| !is_scalar(argument));
    let mut all = Labels::new();
    for vector in vectors {
        all.extend(labels(vector)?);
    }
    if call.func.name == "histogram_quantile" {
        all.remove("le");
    }
    Ok(all)
}

fn is_scalar(expression: &Expr) -> bool {
    expression.value_type() == parser::value::ValueType::Scalar
        || matches!(expression, Expr::StringLiteral(_))
}

fn require<'a>(
    there: &Labels,
    asked: impl IntoIterator<Item = &'a String>,
    what: &str,
) -> Result<(), String> {
    for label in asked {
        if !there.contains(label) && !label.starts_with(USER_LABEL_PREFIX) {
            return Err(format!("no label {label} in {what}"));
        }
    }
    Ok(())
}
