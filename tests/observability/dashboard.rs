//! A dashboard: its rows, its variables, its notes in the graphs, and its place in the family.

use crate::fragments::JOB;
use crate::panel::{Panel, datasource};
use crate::query::{SHOWN, all, by};
use datasphere_exporter::catalogue::{exporter, fleet, run};
use serde_json::{Value, json};

/// The one schema of all of them: Grafana 10 and later read it as it is.
pub(crate) const SCHEMA: u32 = 39;

/// The tag by which they find one another.
pub(crate) const TAG: &str = "datasphere";

/// How many columns a page has.
pub(crate) const COLUMNS: u32 = 24;

/// A page of panels.
pub(crate) struct Dashboard {
    pub(crate) uid: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// How far back it looks when it is opened.
    pub(crate) from: &'static str,
    /// How often it asks again by itself; empty is never.
    pub(crate) refresh: &'static str,
    pub(crate) variables: Vec<Value>,
    pub(crate) rows: Vec<Row>,
}

/// Panels under one question.
pub(crate) struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

pub(crate) fn row(title: &'static str, panels: Vec<Panel>) -> Row {
    Row { title, panels }
}

impl Dashboard {
    /// The dashboard as Grafana reads it.
    pub(crate) fn build(self) -> Value {
        let common = [data_source_variable(), job_variable(), instance_variable()];
        let variables: Vec<Value> = common.into_iter().chain(self.variables).collect();
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": SCHEMA,
            "timezone": "browser",
            "time": { "from": self.from, "to": "now" },
            "refresh": self.refresh,
            "links": [family()],
            "annotations": { "list": annotations() },
            "templating": { "list": variables },
            "panels": placed(self.rows),
        })
    }
}

/// Panels from left to right and from top to bottom, each row under its title.
fn placed(rows: Vec<Row>) -> Vec<Value> {
    let (mut panels, mut y) = (Vec::new(), 0);
    for row in rows {
        let place = json!({ "x": 0, "y": y, "w": COLUMNS, "h": 1 });
        let id = panels.len() + 1;
        panels.push(json!({
            "id": id, "type": "row", "title": row.title, "collapsed": false, "gridPos": place, "panels": [],
        }));
        y += 1;
        let (mut x, mut tallest) = (0, 0);
        for panel in row.panels {
            if x + panel.width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            let (width, height) = (panel.width, panel.height);
            let id = u32::try_from(panels.len() + 1).unwrap();
            panels.push(panel.placed(id, x, y));
            x += width;
            tallest = tallest.max(height);
        }
        y += tallest;
    }
    panels
}

fn family() -> Value {
    json!({
        "title": "DataSphere", "type": "dashboards", "tags": [TAG], "asDropdown": true,
        "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": "",
    })
}

fn annotations() -> [Value; 3] {
    let note = |name: &str, expression: &str, colour: &str, title: &str| {
        json!({
            "name": name, "enable": true, "hide": false, "iconColor": colour, "datasource": datasource(),
            "expr": expression, "step": "60s", "titleFormat": title, "useValueForTime": false,
        })
    };
    let restarts = format!("changes({}[2m]) > 0", all(exporter::PROCESS_START_TIME).raw());
    let finished = all(run::JOB_FINISHED).once();
    let ended = format!("1000 * ({finished} > time() - 60)");
    let mut ends = note("Ends of jobs", &ended, "blue", "{{job_id}} ended");
    ends["useValueForTime"] = json!(true);
    ends["enable"] = json!(false);
    // Their beginnings alone, one for each name: some alert always fires, and would be a bar below all graphs.
    let firing = r#"ALERTS{alertstate="firing",alertname=~"Datasphere.+",severity="critical"}"#;
    let alerts = format!(
        "max by (alertname) ({firing}) unless on (alertname) max by (alertname) ({firing} offset 1m)"
    );
    [
        note("Critical alerts", &alerts, "red", "{{alertname}}"),
        note(
            "Restarts of the exporter",
            &restarts,
            "purple",
            "{{instance}} restarted",
        ),
        ends,
    ]
}

fn data_source_variable() -> Value {
    json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {}, "hide": 0, "includeAll": false, "multi": false, "refresh": 1, "regex": "", "options": [],
    })
}

fn query_variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(),
        "definition": query, "query": { "query": query, "refId": "variable", "qryType": 1 },
        "current": {}, "hide": 0, "includeAll": false, "multi": false, "options": [], "refresh": 2, "regex": "",
        "sort": 5,
    })
}

fn with_all(mut variable: Value, value_of_all: &str) -> Value {
    variable["includeAll"] = json!(true);
    variable["multi"] = json!(true);
    variable["allValue"] = json!(value_of_all);
    variable["current"] = json!({ "selected": true, "text": ["All"], "value": ["$__all"] });
    variable
}

fn job_variable() -> Value {
    let query = format!("label_values({}, job)", exporter::BUILD_INFO.name);
    with_all(query_variable("job", "Job", &query), ".+")
}

fn instance_variable() -> Value {
    let query = format!(
        "label_values({}{{job=~\"$job\"}}, instance)",
        exporter::BUILD_INFO.name
    );
    with_all(query_variable("instance", "Instance", &query), ".+")
}

/// Projects by name where the cloud tells it. What belongs to no project has an empty id, which "all" includes.
pub(crate) fn project_variable() -> Value {
    let target = r#"job=~"$job",instance=~"$instance""#;
    let named = format!(
        "max by (project_id, project_name) ({}{{{target}}})",
        fleet::PROJECT_INFO.name
    );
    let known = format!(
        "max by (project_id) ({}{{{target}}})",
        fleet::OPERATIONS_FINISHED.name
    );
    let query = format!("query_result({named} or on (project_id) {known})");
    let mut variable = query_variable("project", "Project", &query);
    variable["query"]["qryType"] = json!(3);
    variable["regex"] = json!(r#"/project_id="(?<value>[^"]+)"(?:, ?project_name="(?<text>[^"]+)")?/"#);
    with_all(variable, ".*")
}

/// Kinds of operations.
pub(crate) fn kind_variable() -> Value {
    let query = format!("label_values({}, kind)", all(fleet::OPERATIONS).raw());
    with_all(query_variable("kind", "Kind", &query), ".+")
}

/// Names of jobs.
pub(crate) fn job_name_variable() -> Value {
    let query = format!("label_values({}, job_name)", all(run::JOB_INFO).raw());
    with_all(query_variable("job_name", "Job name", &query), ".*")
}

/// One job of those names, the newest first, by its name and id.
pub(crate) fn job_id_variable() -> Value {
    let target = r#"job=~"$job",instance=~"$instance",project_id=~"$project""#;
    let info = format!("{}{{{target},job_name=~\"$job_name\"}}", run::JOB_INFO.name);
    let names = by(
        "max",
        &["project_id", "job_id", "job_name"],
        &format!("last_over_time({info}[{SHOWN}])"),
    );
    let created = format!("last_over_time({}{{{target}}}[{SHOWN}])", run::JOB_CREATED.name);
    let created = by("max", &JOB, &created);
    let jobs = format!("{names} * on (project_id, job_id) group_left () {created}");
    let labelled = format!(r#"label_join({jobs}, "label", " ", "job_name", "job_id")"#);
    let mut variable = query_variable(
        "job_id",
        "DataSphere job",
        &format!("query_result(sort_desc({labelled}))"),
    );
    variable["query"]["qryType"] = json!(3);
    variable["regex"] = json!(r#"/job_id="(?<value>[^"]+)".*label=" ?(?<text>[^"]+)"/"#);
    variable["sort"] = json!(0);
    variable
}
