//! The rules, their tests and the runbooks, as they lie in the repository.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ALERTS: &str = "rules/alerts.yaml";
const RECORDINGS: &str = "rules/recording.yaml";
const EXAMPLE: &str = "rules/examples/nightly.yaml";

/// A rule that makes alerts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    #[serde(rename = "alert")]
    pub(crate) name: String,
    pub(crate) expr: String,
    /// How long it must hold; Prometheus' own word is a keyword here.
    #[serde(rename = "for")]
    pub(crate) held_for: Option<String>,
    /// How long it stays after that.
    #[serde(rename = "keep_firing_for")]
    pub(crate) kept_for: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A rule that makes a series.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    #[serde(rename = "record")]
    pub(crate) name: String,
    pub(crate) expr: String,
}

/// One group of tests for promtool: series, and what is asked at which time.
#[derive(Debug, Deserialize)]
pub(crate) struct TestGroup {
    pub(crate) name: String,
    input_series: Vec<Series>,
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<QueryTest>,
}

#[derive(Debug, Deserialize)]
struct Series {
    series: String,
    values: String,
}

#[derive(Debug, Deserialize)]
struct AlertTest {
    eval_time: String,
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Expected>,
}

/// Labels and texts that must be there; promtool compares them.
#[derive(Debug, Deserialize)]
struct Expected {}

#[derive(Debug, Deserialize)]
struct QueryTest {
    expr: String,
    eval_time: String,
    exp_samples: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    value: f64,
}

#[derive(Deserialize)]
struct Groups<R> {
    groups: Vec<Group<R>>,
}

/// A group has no interval of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<R> {
    name: String,
    rules: Vec<R>,
}

#[derive(Deserialize)]
struct Tests {
    tests: Vec<TestGroup>,
}

/// All alerts.
pub(crate) fn alerts() -> Vec<Alert> {
    rules_of(ALERTS)
}

/// Alerts that users copy, and no server loads as they are.
pub(crate) fn examples() -> Vec<Alert> {
    rules_of(EXAMPLE)
}

/// All recorded series.
pub(crate) fn recordings() -> Vec<Recording> {
    rules_of(RECORDINGS)
}

/// The names of all groups.
pub(crate) fn groups() -> Vec<String> {
    let alerts = groups_of::<Alert>(ALERTS).into_iter().map(|group| group.name);
    let recordings = groups_of::<Recording>(RECORDINGS)
        .into_iter()
        .map(|group| group.name);
    alerts.chain(recordings).collect()
}

/// All groups of tests of all files.
pub(crate) fn test_groups() -> Vec<TestGroup> {
    files("rules/tests", "yaml")
        .iter()
        .flat_map(|path| {
            let tests: Tests = serde_saphyr::from_str(&read(path)).unwrap();
            tests.tests
        })
        .collect()
}

/// The text of each runbook, by the alert that its file is called after.
pub(crate) fn runbooks() -> BTreeMap<String, String> {
    files("docs/runbooks", "md")
        .iter()
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                read(path),
            )
        })
        .filter(|(name, _)| name != "README")
        .collect()
}

/// The blocks of a document that are in this language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text
        .split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block.to_owned()).collect()
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rules_of<R: for<'de> Deserialize<'de>>(path: &str) -> Vec<R> {
    groups_of(path)
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

fn groups_of<R: for<'de> Deserialize<'de>>(path: &str) -> Vec<Group<R>> {
    let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let groups: Groups<R> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    groups.groups
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

impl TestGroup {
    /// The minutes at which it is asked whether an alert fires, by what is expected.
    pub(crate) fn evaluations(&self, alert: &str, is_firing: bool) -> Vec<u64> {
        let by_alert = self.alert_rule_test.iter().filter(|test| test.alertname == alert);
        let by_alert = by_alert.map(|test| (&test.eval_time, !test.exp_alerts.is_empty()));
        let by_query = self
            .counts(alert)
            .map(|test| (&test.eval_time, !test.exp_samples.is_empty()));
        let asked = by_alert.chain(by_query).filter(|(_, fires)| *fires == is_firing);
        asked.map(|(time, _)| minutes(time)).collect()
    }

    /// Whether something is expected of the alert that fewer or more of it would break.
    pub(crate) fn is_asserted(&self, alert: &str) -> bool {
        let by_alert = self.alert_rule_test.iter().any(|test| test.alertname == alert);
        by_alert
            || self
                .counts(alert)
                .any(|test| test.exp_samples.iter().all(|sample| sample.value > 0.0))
    }

    /// The series that it feeds to the rules.
    pub(crate) fn series(&self) -> impl Iterator<Item = &str> {
        self.input_series.iter().map(|series| series.series.as_str())
    }

    /// Whether a replica of this name serves something.
    pub(crate) fn has_series_of(&self, instance: &str) -> bool {
        let label = format!("instance=\"{instance}\"");
        self.input_series
            .iter()
            .any(|series| series.series.contains(&label))
    }

    /// Whether a series is interrupted, as it is by a scrape that fails while a process starts anew.
    pub(crate) fn has_gap(&self) -> bool {
        let returns = |values: &str| {
            values
                .split_once(" stale ")
                .is_some_and(|(_, after)| !after.is_empty())
        };
        self.input_series.iter().any(|series| returns(&series.values))
    }

    fn counts(&self, alert: &str) -> impl Iterator<Item = &QueryTest> {
        let query = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
        self.promql_expr_test
            .iter()
            .filter(move |test| test.expr == query)
    }
}

/// A time of promtool's, which is written in minutes or hours here.
fn minutes(time: &str) -> u64 {
    let (number, unit) = time.split_at(time.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "m" => number,
        "h" => number * 60,
        _ => panic!("{time}: write it in minutes or hours"),
    }
}
