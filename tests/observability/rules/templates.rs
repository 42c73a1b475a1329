//! What the templates of annotations ask for and show.

use regex::Regex;
use std::collections::BTreeSet;

/// The queries that a template makes, with a word in the place of each value.
pub(crate) fn queries_of_template(template: &str) -> Vec<String> {
    let printed = Regex::new(r#"printf "((?:[^"\\]|\\.)*)" [^|{}]*\| query"#).unwrap();
    let queries = printed
        .captures_iter(template)
        .map(|found| found[1].replace("%q", "\"x\"").replace("\\\"", "\""));
    let queries: Vec<String> = queries.collect();
    assert_eq!(
        queries.len(),
        template.matches("| query").count(),
        "a query of another form: {template}"
    );
    queries
}

/// The labels of the alert that a template shows.
pub(crate) fn labels_of_alert(template: &str) -> BTreeSet<String> {
    found(template, r"\$labels\.([a-z_]+)")
}

/// The labels of its queries' answers that a template shows.
pub(crate) fn labels_of_answers(template: &str) -> BTreeSet<String> {
    found(template, r#"\| label "([a-z_]+)""#)
}

fn found(template: &str, pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let names = pattern.captures_iter(template).map(|found| found[1].to_owned());
    names.collect()
}
