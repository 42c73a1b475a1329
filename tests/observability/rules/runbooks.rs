//! Every alert has a runbook that can be followed, and the list of runbooks tells every alert.

use crate::promql;
use crate::rules::files::{Alert, alerts, blocks, read, runbooks};
use crate::rules::{names, read_well};
use datasphere_exporter::config::{Config, Flags};
use promql_parser::parser::Expr;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// The headings of a runbook, in their order.
const HEADINGS: [&str; 4] = ["Meaning", "Impact", "Diagnosis", "Mitigation"];

#[test]
fn every_query_of_a_runbook_asks_for_what_the_exporter_declares_and_doubles_nothing() {
    for (name, text) in runbooks() {
        let queries = blocks(&text, "promql");
        assert!(!queries.is_empty(), "{name}: no query to look with");
        for query in queries {
            read_well(&name, &query);
        }
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

#[test]
fn every_command_of_the_exporter_that_somebody_is_told_to_type_is_one_that_it_knows() {
    let books = runbooks().into_iter().flat_map(|(name, text)| {
        let lines = blocks(&text, "sh").join("\n");
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        lines.into_iter().map(move |line| (name.clone(), line))
    });
    let told = alerts().into_iter().filter_map(|alert| {
        let description = &alert.annotations["description"];
        let at = description.find(" datasphere-exporter ")?;
        Some((alert.name.clone(), description[at + 1..].to_owned()))
    });
    let mut checked = 0;
    for (name, line) in books.chain(told) {
        let command = line.split('#').next().unwrap_or_default();
        let Some(words) = command.strip_prefix("datasphere-exporter ") else {
            continue;
        };
        // Asked for help, it complains of words before that it does not know, and does nothing.
        let answer = Command::new(env!("CARGO_BIN_EXE_datasphere-exporter"))
            .args(words.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(answer.status.success(), "{name}: {command}");
        checked += 1;
    }
    assert!(checked > 10, "only {checked} commands");
}

/// The targets of a document's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
}

/// Different words, in their first order.
fn joined(words: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = Vec::new();
    for word in words {
        if !different.contains(&word) {
            different.push(word);
        }
    }
    different.join(", ")
}

/// What values of a rule are compared with, other than whether there is something.
fn thresholds(query: &str) -> Vec<String> {
    let expression = promql::parse(query).unwrap();
    let compared = promql::parts(&expression)
        .into_iter()
        .filter_map(|part| match part {
            Expr::Binary(binary) if binary.op.is_comparison_operator() => {
                let limit = binary.rhs.to_string();
                let is_limit = !["0", "1"].contains(&limit.as_str());
                is_limit.then(|| format!("`{} {}`", binary.op, limit.replace('|', "\\|")))
            }
            _ => None,
        });
    compared.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn the_list_of_runbooks_tells_every_alert() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks/README.md");
    let mark = "<!-- alerts: made from rules/alerts.yaml by `UPDATE_DOCS=1 cargo test --test observability rules` -->\n";
    let told = read(&path);
    let (before, _) = told.split_once(mark).unwrap();
    let mut table =
        String::from("| alert | severity | after | thresholds | what happened |\n|---|---|---|---|---|\n");
    let mut names: Vec<String> = alerts().into_iter().map(|alert| alert.name).collect();
    names.dedup();
    for name in names {
        let rules: Vec<Alert> = alerts().into_iter().filter(|alert| alert.name == name).collect();
        let severity = joined(rules.iter().map(|rule| rule.labels["severity"].clone()));
        let time = joined(
            rules
                .iter()
                .map(|rule| rule.held_for.clone().unwrap_or("at once".to_owned())),
        );
        let thresholds = joined(rules.iter().flat_map(|rule| thresholds(&rule.expr)));
        let summary = &rules[0].annotations["summary"];
        writeln!(
            table,
            "| [{name}]({name}.md) | {severity} | {time} | {thresholds} | {summary} |"
        )
        .unwrap();
    }
    let declared = format!("{before}{mark}{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &declared).unwrap();
    }
    assert!(
        read(&path) == declared,
        "docs/runbooks/README.md is not what the rules say; UPDATE_DOCS=1 cargo test --test observability rules makes it so"
    );
}
