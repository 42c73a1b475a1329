//! Rules and dashboards agree: each alert leads to the page of what it speaks of, and both burn one budget.

use crate::committed;
use crate::levels::{BUDGET, GOOD_CODES};
use crate::promql;
use crate::rules::files::{Alert, alerts, recordings};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where Grafana is, until the user says it.
const GRAFANA: &str = "https://grafana.example/d/";

/// Labels of alerts, and the variables of dashboards that choose by them.
const CHOICES: [(&str, &str); 4] = [
    ("job", "job"),
    ("instance", "instance"),
    ("project_id", "project"),
    ("job_id", "job_id"),
];

/// The committed dashboard of this uid.
fn page(uid: &str) -> Value {
    let mut pages = committed::read().into_iter().map(|(_, page)| page);
    pages
        .find(|page| page["uid"] == uid)
        .unwrap_or_else(|| panic!("there is no dashboard {uid}"))
}

#[test]
fn every_alert_leads_to_a_dashboard_that_shows_what_it_speaks_of() {
    for Alert {
        name,
        expr,
        annotations,
        ..
    } in alerts()
    {
        let url = &annotations["dashboard_url"];
        let place = url.strip_prefix(GRAFANA).unwrap();
        let (uid, query) = place.split_once('?').unwrap_or((place, ""));
        assert_eq!(uid, annotations["dashboard_uid"], "{name}");
        let page = page(uid);
        let variables: BTreeSet<&str> = page["templating"]["list"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        let chosen: BTreeSet<&str> = query.split('&').filter(|word| !word.is_empty()).collect();
        for word in &chosen {
            let (variable, _) = word.split_once('=').unwrap();
            let variable = variable.strip_prefix("var-").unwrap();
            assert!(variables.contains(variable), "{name}: {uid} has no {variable}");
        }
        let labels = promql::labels(&promql::parse(&expr).unwrap()).unwrap();
        for (label, variable) in CHOICES {
            if labels.contains(label) && variables.contains(variable) {
                // A label can hold anything, and a link must not break by it.
                let word = format!("var-{variable}={{{{ $labels.{label} | urlquery }}}}");
                assert!(chosen.contains(word.as_str()), "{name}: {word} is not in {url}");
            }
        }
    }
}

/// How many times faster than allowed the budget burns when an alert fires: all such speeds, and those that wake.
fn speeds() -> (BTreeSet<String>, BTreeSet<String>) {
    let told = Regex::new(r"> ([\d.]+) \* ([\d.]+)").unwrap();
    let (mut all, mut waking) = (BTreeSet::new(), BTreeSet::new());
    let alerts = alerts().into_iter();
    for alert in alerts.filter(|alert| alert.name == "DatasphereExporterErrorBudgetBurn") {
        let windows: Vec<_> = told.captures_iter(&alert.expr).collect();
        assert_eq!(windows.len(), 2, "{}", alert.expr);
        for window in windows {
            assert_eq!(&window[2], BUDGET, "{}", alert.expr);
            all.insert(window[1].to_owned());
            if alert.labels["severity"] == "critical" {
                waking.insert(window[1].to_owned());
            }
        }
    }
    (all, waking)
}

#[test]
fn alerts_and_dashboard_burn_the_same_budget_at_the_same_speeds() {
    let (speeds, waking) = speeds();
    let page = page("datasphere-slo");
    let is_of_speed = |title: &str| title.starts_with("Speed of burning");
    let mut panels = page["panels"].as_array().unwrap().iter();
    let panel = panels
        .find(|panel| panel["title"].as_str().is_some_and(is_of_speed))
        .unwrap();
    let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array();
    let lines: BTreeSet<String> = steps
        .unwrap()
        .iter()
        .filter_map(|step| step["value"].as_f64())
        .map(|value| value.to_string())
        .collect();
    assert!(
        !waking.is_empty() && waking.is_subset(&lines),
        "no line where somebody is woken: {waking:?} {lines:?}"
    );
    assert!(
        lines.is_subset(&speeds),
        "no alert fires at a line: {lines:?} {speeds:?}"
    );
    for target in panel["targets"].as_array().unwrap() {
        let query = target["expr"].as_str().unwrap();
        assert!(query.ends_with(&format!("/ {BUDGET}")), "{query}");
    }
}

#[test]
fn alerts_and_dashboard_count_the_same_calls_as_answered() {
    let answered = format!("code=~\"{}\"", GOOD_CODES.join("|"));
    let ratios = recordings();
    let mut ratios = ratios
        .iter()
        .filter(|rule| rule.name.starts_with("datasphere:api_errors:"))
        .peekable();
    assert!(ratios.peek().is_some());
    for rule in ratios {
        assert!(rule.expr.contains(&answered), "{}: {}", rule.name, rule.expr);
    }
}
