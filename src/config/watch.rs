//! The section `watch`.

use crate::config::error::Invalid;
use crate::config::node::{Node, Value};
use crate::config::setting::{Any, AtMost, Between, Row, Setting, parse, section, text, unexpected};
use crate::config::value::LabelName;
use crate::config::yaml::Yaml;
use crate::engine;
use crate::limits::{EXECUTION_PATTERNS_MAX, LABELS_MAX, PROJECTS_MAX};
use crate::model::{CommunityId, Labels, OperationId, ProjectId, Text};
use crate::sources::{self, FilePattern};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
/// Beyond this, nobody would see that something is no longer looked at.
const INTERVAL_MAX: Duration = DAY;

section! {
    /// What is watched, and how often it is looked at.
    Watch => is_consistent {
        /// Shortest time between two looks at one operation.
        interval: Duration = Duration::from_secs(10), Between(SECOND, INTERVAL_MAX);
        /// Longest time between two looks at one operation, as far as `requests_per_second` allows: the rate limit
        /// wins, and `datasphere_exporter_poll_lag_seconds` shows the lag.
        interval_max: Duration = Duration::from_mins(2), Between(SECOND, INTERVAL_MAX);
        /// Time between two listings of a project's live jobs, one listing for all of them. Failures in a row double this
        /// and the next two times, up to half a minute while the cloud does not answer, and up to five minutes while it
        /// refuses.
        list_interval: Duration = Duration::from_secs(10), Between(SECOND, INTERVAL_MAX);
        /// Time between two listings of a project's ended jobs, so that a job which failed between two listings of
        /// the live ones is not missed.
        sweep_interval: Duration = Duration::from_mins(1), Between(SECOND, INTERVAL_MAX);
        /// Time between two looks at a project's unit balance; its name and limits are looked at ten times less often.
        balance_interval: Duration = Duration::from_mins(1), Between(SECOND, INTERVAL_MAX);
        /// Longest time for one call with all its attempts.
        request_timeout: Duration = Duration::from_secs(10), Between(Duration::from_millis(100), Duration::from_mins(10));
        /// Looks under way at once.
        concurrency: usize = 64, Between(1, 10_000);
        /// Rate limit over all calls to the API.
        requests_per_second: f64 = 50.0, Between(0.01, 100_000.0);
        /// How long an operation stays after its end was observed.
        retention: Duration = Duration::from_hours(1), Between(SECOND, DAY * 30);
        /// Operations under watch at once; beyond it those that ended first leave early, and new ones are not taken
        /// while all are live.
        tracked_max: usize = 100_000, Between(1, 10_000_000);
        /// Operations to watch, each an id or an id with labels.
        operations: Vec<WatchedOperation> = Vec::new(), Any;
        /// Projects whose jobs are listed, and whose balances and limits are shown.
        projects: Vec<ProjectId> = Vec::new(), AtMost(PROJECTS_MAX);
        /// Communities whose projects are listed, each followed as if it were named above.
        communities: Vec<CommunityId> = Vec::new(), AtMost(PROJECTS_MAX);
        /// Files that `datasphere project job execute --async -o FILE` and `fork` write: the operations in them are
        /// watched. `*`, `?` and `[…]` stand for parts of a name, `**` for any number of folders. A new file is
        /// noticed within a second where the system tells of changes, or later among very many files, since looking
        /// takes at most a tenth of the time; elsewhere within 30 seconds. Its folder may come later. Where there is no
        /// room for its operation, that is tried again every 30 seconds, and all files of the last two weeks are named
        /// anew every hour, for roles that are granted late. Files are only read, and an operation whose file vanishes stays watched.
        execution_files: Vec<FilePattern> = Vec::new(), AtMost(EXECUTION_PATTERNS_MAX);
    }
}

fn is_consistent(watch: &Watch, node: &Node) -> Result<(), Invalid> {
    if watch.interval > watch.interval_max {
        let written = node.get("interval").or(node.get("interval_max")).unwrap_or(node);
        return Err(written.invalid(format!(
            "watch.interval ({}) must not be longer than watch.interval_max ({})",
            watch.interval.write().flow(),
            watch.interval_max.write().flow()
        )));
    }
    if watch.operations.len() > watch.tracked_max {
        let written = node.get("operations").unwrap_or(node);
        return Err(written.invalid(format!("more than watch.tracked_max ({})", watch.tracked_max)));
    }
    are_distinct(
        node,
        "operations",
        watch.operations.iter().map(|operation| &operation.id),
    )?;
    are_distinct(node, "projects", &watch.projects)?;
    are_distinct(node, "communities", &watch.communities)
}

fn are_distinct<'a, T: Hash + Eq + Display + 'a>(
    node: &Node,
    list: &str,
    ids: impl IntoIterator<Item = &'a T>,
) -> Result<(), Invalid> {
    let mut seen = HashSet::new();
    let Some((place, id)) = ids.into_iter().enumerate().find(|(_, id)| !seen.insert(*id)) else {
        return Ok(());
    };
    let written = match node.get(list).map(|list| &list.value) {
        Some(Value::List(items)) => items.get(place),
        _ => None,
    };
    Err(written
        .unwrap_or(node)
        .invalid(format!("{id} is named twice; keep one of them")))
}

/// An operation to watch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WatchedOperation {
    pub(crate) id: OperationId,
    pub(crate) labels: Labels,
}

section! {
    /// An operation with its labels.
    LabelledOperation => has_id {
        /// Its id; required.
        id: Option<OperationId> = None, Any;
        /// Labels to attach to it; those that `metrics.labels` names are shown.
        labels: Labels = Labels::default(), Any;
    }
}

fn has_id(operation: &LabelledOperation, node: &Node) -> Result<(), Invalid> {
    match operation.id {
        Some(_) => Ok(()),
        None => Err(node.invalid("id is missing")),
    }
}

impl Setting for WatchedOperation {
    const IS_SECTION: bool = true;

    fn kind() -> String {
        "an operation id, or {id, labels}".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        if let Value::Section(_) = node.value {
            let LabelledOperation { id, labels } = LabelledOperation::read(node)?;
            let id = id.ok_or_else(|| node.invalid("id is missing"))?;
            return Ok(Self { id, labels });
        }
        let id = OperationId::read(node)?;
        Ok(Self {
            id,
            labels: Labels::default(),
        })
    }

    fn write(&self) -> Yaml {
        if self.labels.is_empty() {
            return self.id.write();
        }
        Yaml::Section(vec![
            ("id".to_owned(), self.id.write()),
            ("labels".to_owned(), self.labels.write()),
        ])
    }

    fn describe(_: Option<&Self>, row: Row, rows: &mut Vec<Row>) {
        LabelledOperation::describe(None, row, rows);
    }
}

impl Setting for FilePattern {
    fn kind() -> String {
        "a path or pattern such as /var/lib/datasphere/*.json".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        parse(node, Self::parse)
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.to_string())
    }
}

impl Setting for Labels {
    fn kind() -> String {
        format!("at most {LABELS_MAX} labels with their values")
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let Value::Section(children) = &node.value else {
            return Err(unexpected::<Self>(node));
        };
        if children.len() > LABELS_MAX {
            return Err(node.invalid(format!("must be {}", Self::kind())));
        }
        let mut labels = BTreeMap::new();
        for child in children {
            if !LabelName::is_valid(&child.name) {
                return Err(child.invalid(format!("expected {}", LabelName::kind())));
            }
            labels.insert(SmolStr::new(&child.name), Text::bounded(text::<String>(child)?));
        }
        Ok(Arc::new(labels))
    }

    fn write(&self) -> Yaml {
        let entries = self
            .iter()
            .map(|(name, value)| (name.to_string(), Yaml::Text(value.to_string())));
        Yaml::Section(entries.collect())
    }
}

impl Watch {
    /// Patterns of files begin at the folder of the configuration.
    pub(crate) fn begin_at(&mut self, folder: &Path) {
        for pattern in &mut self.execution_files {
            *pattern = pattern.within(folder);
        }
    }

    /// Settings of the sources.
    pub(crate) fn sources(&self) -> sources::Settings {
        let operations = self.operations.iter();
        sources::Settings {
            operations: operations
                .map(|operation| (operation.id.clone(), Arc::clone(&operation.labels)))
                .collect(),
            projects: self.projects.clone(),
            communities: self.communities.clone(),
            execution_files: self.execution_files.clone(),
            list_interval: self.list_interval,
            sweep_interval: self.sweep_interval,
            balance_interval: self.balance_interval,
        }
    }

    /// Settings of the engine.
    pub(crate) fn engine(&self) -> engine::Settings {
        engine::Settings {
            concurrency: self.concurrency,
        }
    }
}
