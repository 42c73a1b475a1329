//! The rules and runbooks speak of what the exporter serves, and every alert is told, explained and tested.

mod files;
mod promql;

use crate::rules::files::{Alert, TestGroup, alerts, blocks, read, recordings, runbooks, test_groups};
use crate::rules::promql::{Query, labels_of_template, queries_of_template};
use datasphere_exporter::config::{Config, Flags};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// The five cases that each alert is tested in; the name of a group of tests says which of them it is.
const CASES: [&str; 5] = ["silent", "firing", "recovering", "two replicas", "restart"];

/// The headings of a runbook, in their order.
const HEADINGS: [&str; 4] = ["Meaning", "Impact", "Diagnosis", "Mitigation"];

/// The dashboards that an alert may name.
const DASHBOARDS: [&str; 5] = [
    "datasphere-fleet",
    "datasphere-job",
    "datasphere-operations",
    "datasphere-exporter",
    "datasphere-slo",
];

fn names() -> BTreeSet<String> {
    alerts().into_iter().map(|alert| alert.name).collect()
}

#[test]
fn every_query_of_the_rules_asks_for_what_the_exporter_declares() {
    let recorded: BTreeSet<String> = recordings().into_iter().map(|rule| rule.name).collect();
    for rule in recordings() {
        Query::parse(&rule.expr).check(&rule.name, &recorded);
    }
    for alert in alerts() {
        let query = Query::parse(&alert.expr);
        query.check(&alert.name, &recorded);
        for annotation in alert.annotations.values() {
            for inner in queries_of_template(annotation) {
                Query::parse(&inner).check(&alert.name, &recorded);
            }
            for label in labels_of_template(annotation) {
                assert!(
                    query.has_label(&label),
                    "{}: there is no label {label}",
                    alert.name
                );
            }
        }
    }
}

#[test]
fn every_query_of_a_runbook_asks_for_what_the_exporter_declares() {
    let recorded: BTreeSet<String> = recordings().into_iter().map(|rule| rule.name).collect();
    for (name, text) in runbooks() {
        let queries = blocks(&text, "promql");
        assert!(!queries.is_empty(), "{name}: no query to look with");
        for query in queries {
            Query::parse(&query).check(&name, &recorded);
        }
    }
}

#[test]
fn every_recorded_series_is_used_and_looks_at_nothing_recorded() {
    let recorded: BTreeSet<String> = recordings().into_iter().map(|rule| rule.name).collect();
    for rule in recordings() {
        let depends = Query::parse(&rule.expr)
            .metrics
            .into_iter()
            .find(|name| recorded.contains(name));
        assert_eq!(depends, None, "{}: the order of groups is not told", rule.name);
    }
    let used: BTreeSet<String> = alerts()
        .iter()
        .flat_map(|alert| Query::parse(&alert.expr).metrics)
        .collect();
    assert_eq!(
        recorded.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new()
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
            ["dashboard_uid", "description", "runbook_url", "summary"],
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
        assert!(
            DASHBOARDS.contains(&annotations["dashboard_uid"].as_str()),
            "{name}"
        );
    }
}

#[test]
fn every_alert_has_a_runbook_with_all_its_parts() {
    let books = runbooks();
    assert_eq!(books.keys().cloned().collect::<BTreeSet<_>>(), names());
    for (name, text) in &books {
        assert!(text.starts_with(&format!("# {name}\n")), "{name}: its title");
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, HEADINGS, "{name}");
        let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
        for section in &sections {
            let (heading, body) = section.split_once('\n').unwrap();
            assert!(body.trim().len() > 40, "{name}: {heading} tells nothing");
        }
        assert!(
            sections[2].contains("```promql\n"),
            "{name}: no query under Diagnosis"
        );
        let has_command = ["```sh\n", "```yaml\n"]
            .iter()
            .any(|fence| sections[3].contains(fence));
        assert!(has_command, "{name}: no command and no setting under Mitigation");
        for link in links(text).filter(|link| !link.contains("://")) {
            let path = link.split('#').next().unwrap_or_default();
            let target = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs/runbooks")
                .join(path);
            assert!(target.exists(), "{name}: {link} leads nowhere");
        }
    }
}

#[test]
fn every_setting_of_a_runbook_is_one_of_the_configuration() {
    let auth = |name: &str| (name == "YC_IAM_TOKEN").then(|| "t1.token".to_owned());
    let mut checked = 0;
    for (name, text) in runbooks() {
        for yaml in blocks(&text, "yaml") {
            Config::parse(&yaml, Path::new(""), &Flags::default(), auth)
                .unwrap_or_else(|error| panic!("{name}: {error} in\n{yaml}"));
            checked += 1;
        }
    }
    assert!(checked > 5, "runbooks name settings");
}

/// The targets of a document's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_list_of_runbooks_tells_every_alert() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks/README.md");
    let mark =
        "<!-- alerts: made from rules/alerts.yaml by `UPDATE_DOCS=1 cargo test --test suite rules` -->\n";
    let told = read(&path);
    let (before, _) = told.split_once(mark).unwrap();
    let mut table = String::from("| alert | severity | after | what happened |\n|---|---|---|---|\n");
    let mut rows: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    let all = alerts();
    for alert in &all {
        let row = rows.entry(&alert.name).or_default();
        row.0.insert(&alert.labels["severity"]);
        row.1.insert(alert.held_for.as_deref().unwrap_or("at once"));
    }
    let mut seen = BTreeSet::new();
    for alert in all.iter().filter(|alert| seen.insert(alert.name.as_str())) {
        let (severities, times) = &rows[alert.name.as_str()];
        let join = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(", ");
        let (name, summary) = (&alert.name, &alert.annotations["summary"]);
        let (severity, time) = (join(severities), join(times));
        writeln!(table, "| [{name}]({name}.md) | {severity} | {time} | {summary} |").unwrap();
    }
    let declared = format!("{before}{mark}{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &declared).unwrap();
    }
    assert!(
        read(&path) == declared,
        "docs/runbooks/README.md is not what the rules say; UPDATE_DOCS=1 cargo test --test suite rules makes it so"
    );
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
