//! The labels of a query's result, or why it can have none.

use crate::promql::{is_of_fleet, metric, parse, selected};
use crate::rules::files::recordings;
use datasphere_exporter::catalogue::USER_LABEL_PREFIX;
use promql_parser::label::MatchOp;
use promql_parser::parser::token::{T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_SUM, T_TOPK};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};
use std::collections::BTreeSet;

pub(crate) type Labels = BTreeSet<String>;

/// Series that Prometheus makes itself, with the labels that it adds to those of the target.
const OF_PROMETHEUS: [(&str, &[&str]); 4] = [
    ("up", &[]),
    ("scrape_duration_seconds", &[]),
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
pub(crate) const OF_TARGETS: [&str; 2] = ["job", "instance"];

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
    let labels = of_metric(name)?;
    for matcher in &selector.matchers.matchers {
        require(&labels, [&matcher.name], name)?;
    }
    Ok(labels)
}

/// The labels of a metric once it is scraped or recorded.
fn of_metric(name: &str) -> Result<Labels, String> {
    let own = OF_PROMETHEUS.iter().find(|(known, _)| *known == name);
    let declared = match (metric(name), own) {
        (Some(metric), _) => metric.labels,
        (None, Some((_, labels))) => labels,
        (None, None) => return of_recorded(name),
    };
    let bucket = name.ends_with("_bucket").then_some("le");
    let labels = declared.iter().copied().chain(OF_TARGETS).chain(bucket);
    Ok(labels.map(str::to_owned).collect())
}

/// A recorded series has the labels of its rule's result.
fn of_recorded(name: &str) -> Result<Labels, String> {
    let rule = recordings().into_iter().find(|rule| rule.name == name);
    let rule = rule.ok_or_else(|| format!("there is no metric {name:?}"))?;
    labels(&parse(&rule.expr)?)
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
        Some(LabelModifier::Exclude(left_out)) => without(&inner, &left_out.labels),
    };
    let is_choice = [T_TOPK, T_BOTTOMK].contains(&id);
    Ok(if is_choice { inner } else { kept })
}

fn of_binary(binary: &BinaryExpr) -> Result<Labels, String> {
    let (left, right) = (labels(&binary.lhs)?, labels(&binary.rhs)?);
    let (is_left_scalar, is_right_scalar) = (is_scalar(&binary.lhs), is_scalar(&binary.rhs));
    if is_left_scalar || is_right_scalar {
        return Ok(if is_left_scalar { right } else { left });
    }
    let operator = binary.op.to_string();
    let modifier = binary.modifier.as_ref();
    let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
    let either = left.union(&right).cloned().collect();
    let by_left = matched(&left, &either, matching)?;
    let by_right = matched(&right, &either, matching)?;
    if by_left != by_right && operator != "or" {
        return Err(format!(
            "{operator} between {by_left:?} and {by_right:?} never matches: {binary}"
        ));
    }
    Ok(match modifier.map(|modifier| &modifier.card) {
        _ if operator == "or" => left.union(&right).cloned().collect(),
        _ if binary.op.is_set_operator() => left,
        Some(VectorMatchCardinality::ManyToOne(extra)) => joined(left, &right, &extra.labels)?,
        Some(VectorMatchCardinality::OneToMany(extra)) => joined(right, &left, &extra.labels)?,
        _ => by_left,
    })
}

/// The labels of one side of an operator that have to be the same on the other.
fn matched(side: &Labels, either: &Labels, matching: Option<&LabelModifier>) -> Result<Labels, String> {
    match matching {
        None => Ok(side.clone()),
        Some(LabelModifier::Include(on)) => {
            require(side, &on.labels, "a side that is matched by it")?;
            Ok(on.labels.iter().cloned().collect())
        }
        Some(LabelModifier::Exclude(ignored)) => {
            require(either, &ignored.labels, "either side that ignores it")?;
            Ok(without(side, &ignored.labels))
        }
    }
}

fn without(labels: &Labels, left_out: &[String]) -> Labels {
    let kept = labels.iter().filter(|label| !left_out.contains(label));
    kept.cloned().collect()
}

/// The labels of the many, with those that they take over from the one.
fn joined(mut many: Labels, one: &Labels, extra: &[String]) -> Result<Labels, String> {
    require(one, extra, "the one side of a join")?;
    many.extend(extra.iter().cloned());
    Ok(many)
}

fn of_call(call: &Call) -> Result<Labels, String> {
    let mut all = Labels::new();
    for argument in call.args.args.iter().filter(|argument| !is_scalar(argument)) {
        all.extend(labels(argument)?);
    }
    match (call.func.name, call.args.args.as_slice()) {
        ("histogram_quantile", _) => drop(all.remove("le")),
        ("label_replace" | "label_join", [_, label, ..]) => {
            if let Expr::StringLiteral(label) = &**label {
                all.insert(label.val.clone());
            }
        }
        ("absent", [series]) => {
            let matchers = selected(series)
                .into_iter()
                .flat_map(|one| &one.selector.matchers.matchers);
            let equal = matchers.filter(|matcher| matcher.op == MatchOp::Equal);
            all = equal.map(|matcher| matcher.name.clone()).collect();
        }
        _ => {}
    }
    Ok(all)
}

fn is_scalar(expression: &Expr) -> bool {
    expression.value_type() == ValueType::Scalar || matches!(expression, Expr::StringLiteral(_))
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
