//! Rules for a dashboard as a whole.

use crate::dashboard::{COLUMNS, SCHEMA, TAG};
use crate::lint::{Page, list, none, pages, text};
use crate::promql;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where alerts and links of the family point to.
const UIDS: [&str; 5] = [
    "datasphere-exporter",
    "datasphere-fleet",
    "datasphere-job",
    "datasphere-operations",
    "datasphere-slo",
];

#[test]
fn dashboards_keep_the_addresses_that_alerts_link_to() {
    let uids: BTreeSet<String> = pages()
        .iter()
        .map(|page| text(&page.body, "/uid").to_owned())
        .collect();
    assert_eq!(uids, UIDS.map(str::to_owned).into());
}

#[test]
fn dashboards_can_be_provisioned_by_a_file_as_they_are() {
    for Page { name, body } in pages() {
        for absent in [
            "__inputs",
            "__requires",
            "__elements",
            "id",
            "iteration",
            "version",
            "gnetId",
        ] {
            assert!(
                body.get(absent).is_none(),
                "{name} has {absent}, which only an import understands"
            );
        }
        assert_eq!(body["schemaVersion"], SCHEMA, "{name}");
        assert_eq!(
            body["editable"], false,
            "{name}: what is edited by hand is lost at the next update"
        );
        assert_eq!(body["tags"], json!([TAG]), "{name}");
        assert_eq!(body["timezone"], "browser", "{name}");
        assert!(text(&body, "/title").starts_with("DataSphere / "), "{name}");
        assert!(
            text(&body, "/description").ends_with('.'),
            "{name} does not say what it is for"
        );
        assert!(
            ["", "1m"].contains(&text(&body, "/refresh")),
            "{name} asks too often"
        );
    }
}

#[test]
fn dashboards_lead_to_one_another_and_keep_what_was_chosen() {
    for page in pages() {
        let links: Vec<&Value> = list(&page.body, "/links").collect();
        assert_eq!(links.len(), 1, "{}", page.name);
        for (key, value) in [
            ("type", json!("dashboards")),
            ("tags", json!([TAG])),
            ("includeVars", json!(true)),
            ("keepTime", json!(true)),
        ] {
            assert_eq!(links[0][key], value, "{}: {key}", page.name);
        }
    }
}

#[test]
fn every_dashboard_notes_when_a_critical_alert_began() {
    let mut faults = Vec::new();
    for page in pages() {
        let notes: Vec<&Value> = list(&page.body, "/annotations/list").collect();
        let of_alerts = notes.iter().find(|note| text(note, "/expr").contains("ALERTS"));
        let is_of_beginnings = of_alerts.is_some_and(|note| {
            let query = text(note, "/expr");
            note["enable"] == true
                && query.contains(r#"severity="critical""#)
                && query.contains(" unless ")
                && query.contains("offset 1m")
        });
        assert!(
            is_of_beginnings,
            "{}: a note for as long as alerts fire",
            page.name
        );
        for note in notes {
            match promql::parse(text(note, "/expr")) {
                Err(error) => faults.push(format!("{}: {}: {error}", page.name, note["name"])),
                Ok(expression) => faults.extend(promql::labels(&expression).err()),
            }
        }
    }
    none(&faults);
}

#[test]
fn a_reader_chooses_the_data_source_first_and_then_the_target() {
    for page in pages() {
        let names: Vec<&str> = page.variables().map(|variable| text(variable, "/name")).collect();
        assert_eq!(names[..3], ["datasource", "job", "instance"], "{}", page.name);
        for (name, label) in [("job", "Job"), ("instance", "Instance")] {
            let variable = page
                .variables()
                .find(|variable| variable["name"] == name)
                .unwrap();
            let is_well = (text(variable, "/type"), text(variable, "/label")) == ("query", label)
                && variable["multi"] == true
                && variable["allValue"] == ".+";
            assert!(is_well, "{}: {variable}", page.name);
        }
        let sources: Vec<&Value> = page
            .variables()
            .filter(|variable| variable["type"] == "datasource")
            .collect();
        assert_eq!(sources.len(), 1, "{}", page.name);
        assert_eq!(
            (text(sources[0], "/query"), text(sources[0], "/label")),
            ("prometheus", "Data source")
        );
    }
}

#[test]
fn variables_are_asked_again_when_the_time_changes() {
    for page in pages() {
        for variable in page.variables().filter(|variable| variable["type"] == "query") {
            let place = format!("{}: {}", page.name, variable["name"]);
            assert_eq!(variable["refresh"], 2, "{place}");
            assert_eq!(text(variable, "/datasource/uid"), "${datasource}", "{place}");
            assert!(!text(variable, "/label").is_empty(), "{place}");
            if variable["includeAll"] == true {
                assert!(
                    variable["allValue"].is_string(),
                    "{place}: all as a list of values is long"
                );
            }
        }
    }
}

#[test]
fn variables_ask_for_labels_that_their_metrics_have() {
    let mut faults = Vec::new();
    for page in pages() {
        for variable in page.variables().filter(|variable| variable["type"] == "query") {
            let query = text(variable, "/query/query");
            if let Err(fault) = variable_query(query) {
                faults.push(format!("{}: {}: {fault}: {query}", page.name, variable["name"]));
            }
        }
    }
    none(&faults);
}

/// `label_values(selector, label)` or `query_result(query)`.
fn variable_query(query: &str) -> Result<(), String> {
    let inner = query.strip_suffix(')').ok_or("no end")?;
    if let Some(result) = inner.strip_prefix("query_result(") {
        return promql::labels(&promql::parse(result)?).map(|_| ());
    }
    let inner = inner
        .strip_prefix("label_values(")
        .ok_or("neither label_values nor query_result")?;
    let (selector, label) = inner.rsplit_once(", ").ok_or("no label")?;
    let labels = promql::labels(&promql::parse(selector)?)?;
    labels
        .contains(label)
        .then_some(())
        .ok_or_else(|| format!("no label {label}"))
}

#[test]
fn panels_have_numbers_of_their_own_and_places_that_do_not_overlap() {
    for page in pages() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&page.body, "/panels") {
            let place = format!("{}: {}", page.name, panel["title"]);
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{place}: its id is taken"
            );
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(
                w > 0 && h > 0 && x + w <= u64::from(COLUMNS),
                "{place} leaves the page"
            );
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{place} covers another at {cell:?}");
            }
        }
    }
}

#[test]
fn nothing_of_one_installation_is_in_a_dashboard() {
    for page in pages() {
        let text = page
            .body
            .to_string()
            .replace("https://datasphere.yandex.cloud/", "");
        for own in ["localhost", "127.0.0.1", "bt1", "http://", "https://"] {
            assert!(!text.contains(own), "{} names {own}", page.name);
        }
        let sources = text.matches("\"uid\":\"").count();
        let chosen = text.matches("\"uid\":\"${datasource}\"").count();
        assert_eq!(sources, chosen + 1, "{}: a data source by its own uid", page.name);
    }
}

#[test]
fn links_lead_to_dashboards_that_exist() {
    for page in pages() {
        let text = page.body.to_string();
        for link in text.split("/d/").skip(1) {
            let uid: String = link
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(UIDS.contains(&uid.as_str()), "{}: a link to {uid}", page.name);
        }
    }
}
