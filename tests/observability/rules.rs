//! The rules and runbooks speak of what the exporter serves, and every alert is told, explained and tested.

pub(crate) mod files;
mod lint;
mod pages;
mod runbooks;
mod templates;

use crate::promql;
use crate::rules::files::{Alert, TestGroup, alerts, examples, recordings, test_groups};
use crate::rules::templates::{labels_of_alert, labels_of_answers, queries_of_template};
use datasphere_exporter::catalogue::{self, exporter};
use promql_parser::parser::Expr;
use std::collections::{BTreeMap, BTreeSet};

/// The five cases that each alert is tested in; the name of a group of tests says which of them it is.
const CASES: [&str; 5] = ["silent", "firing", "recovering", "two replicas", "restart"];

fn names() -> BTreeSet<String> {
    alerts().into_iter().map(|alert| alert.name).collect()
}

/// A query of a rule or a runbook, which has no fault.
fn read_well(place: &str, query: &str) -> Expr {
    let expression = promql::parse(query).unwrap_or_else(|error| panic!("{place}: {error} in\n{query}"));
    let found = promql::faults(&expression);
    let one_sided = promql::one_sided(std::slice::from_ref(&expression));
    let faults: Vec<String> = found.into_iter().chain(one_sided).collect();
    assert!(faults.is_empty(), "{place}: {faults:?} in\n{query}");
    expression
}

#[test]
fn every_query_of_the_rules_asks_for_what_the_exporter_declares_and_doubles_nothing() {
    for rule in recordings() {
        read_well(&rule.name, &rule.expr);
    }
    for Alert {
        name,
        expr,
        annotations,
        ..
    } in alerts().into_iter().chain(examples())
    {
        let labels = promql::labels(&read_well(&name, &expr)).unwrap();
        for annotation in annotations.values() {
            let asked = queries_of_template(annotation)
                .iter()
                .flat_map(|query| promql::labels(&read_well(&name, query)).unwrap())
                .collect();
            for (shown, there) in [
                (labels_of_alert(annotation), &labels),
                (labels_of_answers(annotation), &asked),
            ] {
                let absent: Vec<&String> = shown.difference(there).collect();
                assert!(absent.is_empty(), "{name}: {absent:?} in {annotation}");
            }
        }
    }
}

#[test]
fn rules_are_tested_with_series_that_the_exporter_serves() {
    for group in test_groups() {
        for series in group.series() {
            let selector = promql::parse(series).unwrap();
            let strange = promql::selected(&selector).into_iter();
            let strange = strange.flat_map(|one| promql::strange_words(&one));
            let faults: Vec<String> = promql::labels(&selector)
                .err()
                .into_iter()
                .chain(strange)
                .collect();
            assert!(faults.is_empty(), "{}: {series}: {faults:?}", group.name);
        }
    }
}

#[test]
fn every_recorded_series_is_used_and_looks_at_nothing_recorded() {
    let selected = |query: &str| -> BTreeSet<String> {
        let expression = promql::parse(query).unwrap();
        let selected = promql::selected(&expression);
        selected.into_iter().map(|one| one.name.to_owned()).collect()
    };
    let recorded: BTreeSet<String> = recordings().into_iter().map(|rule| rule.name).collect();
    for rule in recordings() {
        assert!(
            selected(&rule.expr).is_disjoint(&recorded),
            "{}: the order of groups is not told",
            rule.name
        );
    }
    let used = alerts().iter().flat_map(|alert| selected(&alert.expr)).collect();
    let unused: Vec<&String> = recorded.difference(&used).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn what_the_exporter_tells_as_a_threshold_is_one_of_the_rules() {
    let is_threshold = |name: &str| {
        let is_limit = name.ends_with("_limit");
        is_limit
            || ["_threshold_", "_warning_"]
                .iter()
                .any(|word| name.contains(word))
    };
    let alerts = alerts();
    let unused = catalogue::ALL
        .into_iter()
        .flatten()
        .map(|metric| metric.name)
        .filter(|name| is_threshold(name) && !alerts.iter().any(|alert| alert.expr.contains(name)));
    assert_eq!(
        unused.collect::<Vec<_>>(),
        [exporter::DATA_EXPIRY_WARNING.name],
        "by which datasphere_jobs_data_expiring counts already"
    );
}

#[test]
fn every_alert_says_what_happened_and_where_to_read_on() {
    for alert in alerts() {
        let Alert {
            name,
            labels,
            annotations,
            ..
        } = &alert;
        assert!(name.starts_with("Datasphere"), "{name}");
        let severity = labels.get("severity").map(String::as_str);
        assert!(
            matches!(severity, Some("critical" | "warning" | "info")),
            "{name}: {severity:?}"
        );
        for value in labels.values() {
            assert!(
                !value.contains("{{"),
                "{name}: a label that changes makes another alert"
            );
        }
        let said: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(
            said,
            [
                "dashboard_uid",
                "dashboard_url",
                "description",
                "runbook_url",
                "summary"
            ],
            "{name}"
        );
        let summary = &annotations["summary"];
        assert!(
            summary.ends_with('.') && !summary.contains("{{"),
            "{name}: {summary}"
        );
        let is_of_nothing = alert.expr.starts_with("absent(");
        assert!(
            is_of_nothing || annotations["description"].contains("{{ $labels."),
            "{name}: which one?"
        );
        assert!(
            annotations["runbook_url"].ends_with(&format!("/docs/runbooks/{name}.md")),
            "{name}: {}",
            annotations["runbook_url"]
        );
    }
}

#[test]
fn every_alert_is_tested_in_all_five_cases() {
    let mut tested: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for group in test_groups() {
        let (alert, told) = group.name.split_once(": ").unwrap();
        let claims = CASES.into_iter().filter(|case| told.contains(case));
        for case in claims {
            assert!(
                shows(&group, alert, case),
                "{}: shows nothing of the kind: {case}",
                group.name
            );
            tested.entry(alert.to_owned()).or_default().insert(case);
        }
    }
    assert_eq!(tested.keys().cloned().collect::<BTreeSet<_>>(), names());
    for (alert, cases) in tested {
        let missing: Vec<&str> = CASES.into_iter().filter(|case| !cases.contains(case)).collect();
        assert!(missing.is_empty(), "{alert}: not tested: {missing:?}");
    }
}

/// Whether a group of tests can show what its name claims.
fn shows(group: &TestGroup, alert: &str, case: &str) -> bool {
    let times = |is_firing: bool| -> Vec<u64> { group.evaluations(alert, is_firing) };
    match case {
        "silent" => !times(false).is_empty(),
        "firing" => !times(true).is_empty(),
        "recovering" => times(true)
            .iter()
            .any(|fired| times(false).iter().any(|quiet| quiet > fired)),
        "two replicas" => group.has_series_of("a") && group.has_series_of("b") && group.is_asserted(alert),
        _ => group.has_gap() && group.is_asserted(alert),
    }
}
