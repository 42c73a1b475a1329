//! Rules for how a panel speaks to its reader.

use crate::lint::{Page, Shown, list, none, pages, text};
use crate::words;
use datasphere_exporter::model::{JobStatus, NotebookStatus, OutcomeKind};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs;
use serde_json::Value;

/// Panels of Grafana's core, so that nothing has to be installed.
const KINDS: [&str; 8] = [
    "bargauge",
    "gauge",
    "heatmap",
    "stat",
    "state-timeline",
    "table",
    "text",
    "timeseries",
];

/// Units of Grafana that are known by every linter; own suffixes are not.
const UNITS: [&str; 9] = [
    "bytes",
    "cps",
    "dateTimeFromNow",
    "dtdurations",
    "none",
    "percentunit",
    "reqps",
    "s",
    "short",
];

/// The faults of all panels that a rule finds.
fn faults(rule: impl Fn(&Shown<'_>) -> Option<String>) -> Vec<String> {
    let pages = pages();
    let panels = pages.iter().flat_map(Page::panels);
    panels
        .filter_map(|panel| rule(&panel).map(|fault| format!("{}: {fault}", panel.place)))
        .collect()
}

#[test]
fn panels_are_of_the_core() {
    none(&faults(|panel| {
        (!KINDS.contains(&panel.kind())).then(|| format!("{} is no kind of the core", panel.kind()))
    }));
}

#[test]
fn every_panel_says_what_it_shows_and_what_to_do() {
    none(&faults(|panel| {
        let (title, description) = (text(panel.body, "/title"), text(panel.body, "/description"));
        let told = panel.kind() == "text" || (description.ends_with('.') && description.len() > 60);
        (title.is_empty() || !told).then(|| "too little is said".to_owned())
    }));
}

#[test]
fn every_panel_has_a_unit() {
    none(&faults(|panel| {
        let unit = text(panel.body, "/fieldConfig/defaults/unit");
        (panel.kind() != "text" && !UNITS.contains(&unit)).then(|| format!("the unit {unit:?}"))
    }));
}

#[test]
fn every_panel_has_words_for_no_data() {
    none(&faults(|panel| {
        let words = text(panel.body, "/fieldConfig/defaults/noValue");
        (panel.kind() != "text" && words.is_empty()).then(|| "empty without a word".to_owned())
    }));
}

#[test]
fn every_panel_asks_the_data_source_that_the_reader_chose() {
    none(&faults(|panel| {
        let own = (panel.kind() != "text").then_some(panel.body);
        let wrong = own
            .into_iter()
            .chain(panel.targets())
            .find(|asks| text(asks, "/datasource/uid") != "${datasource}");
        wrong.map(|_| "another data source".to_owned())
    }));
}

#[test]
fn bars_over_time_give_no_total_beside_the_counts() {
    none(&faults(|panel| {
        let are_bars = panel.body["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars";
        let has_sums = list(panel.body, "/options/legend/calcs").next().is_some();
        (are_bars && has_sums).then(|| "the legend adds up windows that overlap".to_owned())
    }));
}

#[test]
fn every_series_has_a_name() {
    none(&faults(|panel| {
        let is_nameless =
            |target: &&Value| target["format"] != "table" && text(target, "/legendFormat").is_empty();
        panel
            .targets()
            .find(is_nameless)
            .map(|_| "a series without a name".to_owned())
    }));
}

#[test]
fn moments_are_told_in_milliseconds_as_their_unit_wants() {
    none(&faults(|panel| {
        let unit = text(panel.body, "/fieldConfig/defaults/unit");
        let is_wrong = |target: &Value| !text(target, "/expr").starts_with("1000 * ");
        (unit == "dateTimeFromNow" && panel.targets().any(is_wrong)).then(|| "seconds".to_owned())
    }));
}

#[test]
fn axes_of_graphs_have_units_that_can_be_told_of_any_number() {
    none(&faults(|panel| {
        let unit = text(panel.body, "/fieldConfig/defaults/unit");
        let is_of_words = ["dtdurations", "dateTimeFromNow"].contains(&unit);
        // Grafana writes fractions of a second in words as NaN.
        (panel.kind() == "timeseries" && is_of_words).then(|| format!("{unit} on an axis"))
    }));
}

#[test]
fn an_empty_cell_of_a_table_does_not_tell_that_the_table_is_empty() {
    none(&faults(|panel| {
        let mut overrides = list(panel.body, "/fieldConfig/overrides");
        let has_blank = overrides
            .any(|one| text(one, "/matcher/options") == "/.*/" && one["properties"][0]["id"] == "noValue");
        (panel.kind() == "table" && !has_blank).then(|| "the words for no data stand in cells".to_owned())
    }));
}

#[test]
fn states_over_time_have_a_bound_on_their_points() {
    none(&faults(|panel| {
        let bound = panel.body["maxDataPoints"].as_u64();
        (panel.kind() == "state-timeline" && bound.is_none_or(|most| most > 300))
            .then(|| "too many points to draw".to_owned())
    }));
}

/// The words of a table of mappings.
fn mapped(mappings: &Value) -> Vec<&str> {
    let options = mappings[0]["options"].as_object();
    let words = options.into_iter().flat_map(serde_json::Map::values);
    words.map(|word| text(word, "/text")).collect()
}

#[test]
fn every_status_and_every_outcome_has_a_word_and_a_colour() {
    let jobs = words::job_statuses();
    let notebooks = words::notebook_statuses();
    let outcomes = words::outcomes();
    for status in JobStatus::ALL {
        assert!(mapped(&jobs).contains(&status.label()), "{status:?}");
    }
    for status in NotebookStatus::ALL {
        assert!(mapped(&notebooks).contains(&status.label()), "{status:?}");
    }
    for outcome in OutcomeKind::ALL {
        assert!(mapped(&outcomes).contains(&outcome.label()), "{outcome:?}");
    }
    let lengths = [&jobs, &notebooks, &outcomes].map(|table| mapped(table).len());
    assert_eq!(
        lengths,
        [
            JobStatus::ALL.len(),
            NotebookStatus::ALL.len(),
            OutcomeKind::ALL.len()
        ]
    );
}

#[test]
fn every_status_of_the_api_is_among_those_that_have_words() {
    let mapped_words = words::job_statuses();
    let mut known = 0;
    for status in (0..100).filter_map(|number| jobs::JobStatus::try_from(number).ok()) {
        let word = status.as_str_name();
        let is_told = mapped(&mapped_words).contains(&word) || status == jobs::JobStatus::Unspecified;
        assert!(is_told, "{word}");
        known += 1;
    }
    assert_eq!(known, JobStatus::ALL.len(), "`Unknown` is what is not specified");
}

#[test]
fn a_value_has_the_same_words_wherever_it_is_shown() {
    let known = [
        words::job_statuses(),
        words::notebook_statuses(),
        words::outcomes(),
        words::codes(),
        words::ended(),
        words::severities(),
        words::standstill(),
    ];
    let is_known = |mappings: &Value| {
        let lines = mapped(mappings).len();
        lines == 0
            || known.contains(mappings)
            || (lines == 2 && mappings[0]["options"]["1"]["color"] == words::GOOD)
    };
    none(&faults(|panel| {
        let own = &panel.body["fieldConfig"]["defaults"]["mappings"];
        let overrides = list(panel.body, "/fieldConfig/overrides").flat_map(|one| list(one, "/properties"));
        let all = overrides
            .filter(|property| property["id"] == "mappings")
            .map(|property| &property["value"])
            .chain((panel.kind() != "text").then_some(own));
        all.into_iter()
            .find(|mappings| !is_known(mappings))
            .map(|_| "words of its own".to_owned())
    }));
}

#[test]
fn the_meaning_of_signals_is_told() {
    let codes = words::codes();
    for code in ["126", "127", "137", "139", "143"] {
        let word = text(&codes[0]["options"][code], "/text");
        assert!(word.len() > 15, "{code}: {word}");
    }
}
