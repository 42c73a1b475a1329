//! How a rule is written, beyond what promtool asks: a rule that breaks one of these loads, and misleads later.

use crate::promql;
use crate::rules::files::{Alert, alerts, groups, recordings};
use promql_parser::parser::token::{T_BOTTOMK, T_DIV, T_TOPK};
use promql_parser::parser::{BinaryExpr, Expr};
use regex::Regex;
use std::collections::BTreeSet;

fn parse(query: &str) -> Expr {
    promql::parse(query).unwrap()
}

/// Whether a value has to meet a condition to be in the result.
fn has_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Binary(binary) if binary.op.is_comparison_operator() => !binary.return_bool(),
        Expr::Binary(BinaryExpr { op, lhs, rhs, .. }) => match op.to_string().as_str() {
            "or" => has_condition(lhs) && has_condition(rhs),
            "and" | "unless" => has_condition(lhs),
            _ => has_condition(lhs) || has_condition(rhs),
        },
        Expr::Call(call) => {
            call.func.name == "absent" || call.args.args.iter().any(|inner| has_condition(inner))
        }
        Expr::Aggregate(aggregate) => has_condition(&aggregate.expr),
        Expr::Paren(paren) => has_condition(&paren.expr),
        _ => false,
    }
}

#[test]
fn every_alert_has_a_condition_and_does_not_choose_among_what_meets_it() {
    for alert in alerts() {
        let expression = parse(&alert.expr);
        assert!(has_condition(&expression), "{} fires always", alert.name);
        let chooses = matches!(&expression, Expr::Aggregate(of) if [T_TOPK, T_BOTTOMK].contains(&of.op.id()));
        assert!(!chooses, "{} goes from one to another", alert.name);
    }
    assert!(!has_condition(&parse("max by (project_id) (datasphere_jobs)")));
    assert!(!has_condition(&parse("datasphere_jobs > bool 3")));
    assert!(!has_condition(&parse("datasphere_jobs > 3 or datasphere_jobs")));
}

#[test]
fn times_are_given_where_they_are_needed_and_never_as_zero() {
    let time = Regex::new("^[1-9][0-9]*[mhd]$").unwrap();
    for Alert {
        name,
        expr,
        held_for,
        kept_for,
        ..
    } in alerts()
    {
        for told in held_for.iter().chain(&kept_for) {
            assert!(time.is_match(told), "{name}: {told}");
        }
        let expression = parse(&expr);
        let parts = promql::parts(&expression);
        let is_quotient = parts.into_iter().any(divides_by_series);
        assert!(
            !is_quotient || held_for.is_some(),
            "{name}: both sides of a quotient come from different scrapes"
        );
        assert!(
            !expr.starts_with("absent(") || held_for.is_some(),
            "{name}: one scrape that fails is no absence"
        );
    }
}

fn divides_by_series(part: &Expr) -> bool {
    matches!(part, Expr::Binary(binary) if binary.op.id() == T_DIV && !promql::selected(&binary.rhs).is_empty())
}

#[test]
fn nothing_is_divided_before_it_is_added_up() {
    let queries = recordings()
        .into_iter()
        .map(|rule| (rule.name, rule.expr))
        .chain(alerts().into_iter().map(|alert| (alert.name, alert.expr)));
    for (name, query) in queries {
        for part in promql::parts(&parse(&query)) {
            if let Expr::Aggregate(aggregate) = part {
                let inner = promql::parts(&aggregate.expr);
                assert!(
                    !inner.into_iter().any(divides_by_series),
                    "{name}: one part that is not a number makes all of it none"
                );
            }
        }
    }
}

#[test]
fn what_a_rate_or_a_quotient_gives_is_rounded_for_its_reader() {
    for alert in alerts() {
        let is_rough = ["rate(", "increase(", " /", ":"]
            .iter()
            .any(|word| alert.expr.contains(word))
            && !alert.expr.starts_with("round(");
        for (key, text) in &alert.annotations {
            for shown in text.split("{{ $value").skip(1) {
                assert!(
                    !is_rough || shown.starts_with(" | "),
                    "{}: {key} shows many digits",
                    alert.name
                );
            }
        }
    }
}

#[test]
fn no_rule_is_there_twice_and_every_group_goes_at_the_pace_of_the_server() {
    let mut seen = BTreeSet::new();
    for alert in alerts() {
        assert!(seen.insert(alert.expr), "{} asks what another asks", alert.name);
        let as_told = format!("{} {:?}", alert.name, alert.labels);
        assert!(seen.insert(as_told), "{} is there twice", alert.name);
    }
    for rule in recordings() {
        assert_eq!(
            rule.name.split(':').count(),
            3,
            "{}: level:metric:operation",
            rule.name
        );
        assert!(
            seen.insert(rule.expr) && seen.insert(rule.name),
            "a rule is there twice"
        );
    }
    let groups = groups();
    assert!(groups.len() > 2);
    for group in groups {
        assert!(seen.insert(group.clone()), "the group {group} is there twice");
    }
}
