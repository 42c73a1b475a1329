//! What a scenario file may say: the vocabulary of scripts.
//!
//! `docs/simulator.md` is the reference for people. Unknown keys are refused everywhere. Spans of time are script
//! time, which `speed` shortens, except where a field says that it is measured on the clock.

mod fault;
mod script;
mod words;

pub use fault::{Action, Fault, Part};
pub use script::{
    Curve, End, JobScript, NotebookEnd, NotebookScript, OutputError, OutputFile, ProgressScript, Refusal,
    Stage,
};
pub use words::{CodeName, StatusName};

use crate::simulator::{Error, span::Span};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A scripted fleet, its accounts and its faults.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// How many seconds of script pass in a second on the clock; 0.001 to 100 000.
    #[serde(default = "real_time")]
    pub speed: f64,
    /// Who may call.
    #[serde(default)]
    pub auth: Auth,
    /// How long an operation is known after it was done; absent means for ever.
    pub operation_ttl: Option<Span>,
    /// Communities with their projects, jobs and notebooks.
    #[serde(default)]
    pub communities: Vec<CommunityScript>,
    /// What jobs do that a client creates: the first whose name, which may end in `*`, fits.
    #[serde(default)]
    pub created_jobs: Vec<JobScript>,
    /// What notebooks do that a client executes: the first whose path, which may end in `*`, fits.
    #[serde(default)]
    pub executed_notebooks: Vec<NotebookScript>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// How answers over REST are printed.
    #[serde(default)]
    pub rest: RestStyle,
    /// Makes the ids of runs differ from those of every other edition, since a collector takes equal ids for the same
    /// run. A file has none: there ids follow from names alone.
    #[serde(skip)]
    pub edition: Option<i64>,
}

/// How answers over REST are printed: by default as the cloud's gateway does it, with each form that other printers of
/// the same standard use to choose from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct RestStyle {
    /// Whether an `int64` is a string.
    pub quoted_integers: bool,
    /// Whether an enum is its number instead of its name.
    pub enum_numbers: bool,
    /// Whether messages of any type carry `@type`.
    pub types: bool,
    /// Whether fields with their default value are printed.
    pub defaults: bool,
}

impl Default for RestStyle {
    fn default() -> Self {
        Self {
            quoted_integers: true,
            enum_numbers: false,
            types: true,
            defaults: false,
        }
    }
}

/// Who may call, and how tokens are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Whether calls without a valid token are refused; discovery and token creation never need one.
    #[serde(default)]
    pub required: bool,
    /// How long a token lives, on the clock; twelve hours when absent.
    pub token_ttl: Option<Span>,
    /// Accounts that may exchange a signed JWT for a token.
    #[serde(default)]
    pub service_accounts: Vec<ServiceAccount>,
    /// Tokens that are valid as they stand.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// OAuth tokens that may be exchanged for a token.
    #[serde(default)]
    pub oauth_tokens: Vec<String>,
    /// Audiences accepted in a JWT beside the cloud's own and the one of the called address.
    #[serde(default)]
    pub audiences: Vec<String>,
}

/// An account of a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its id, `aje…`.
    pub id: String,
    /// Its keys.
    #[serde(default)]
    pub keys: Vec<AuthorizedKey>,
}

/// The public half of a key of a service account; exactly one of the two forms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedKey {
    /// The key's id, `kid` in a JWT.
    pub id: String,
    /// PEM text.
    pub public_key: Option<String>,
    /// A PEM file, or a key file of `yc iam key create`, whose `public_key` is taken; relative to the scenario.
    pub public_key_file: Option<PathBuf>,
}

/// A community and its projects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunityScript {
    /// Its name; the id follows from it.
    pub name: String,
    /// Its id, when it must be a certain one.
    pub id: Option<String>,
    /// Its projects.
    #[serde(default)]
    pub projects: Vec<ProjectScript>,
}

/// A project with what runs in it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectScript {
    /// Its name; the id follows from it and from the community.
    pub name: String,
    /// Its id, when it must be a certain one.
    pub id: Option<String>,
    /// Whether every access to it is refused with `PERMISSION_DENIED`.
    #[serde(default)]
    pub denied: bool,
    /// Units left at the start; absent means without a limit.
    pub unit_balance: Option<i64>,
    /// Units that leave in each second of script beside those of running jobs.
    #[serde(default)]
    pub units_per_second: u32,
    /// Bound on units in an hour.
    pub max_units_per_hour: Option<i64>,
    /// Bound on units of one execution.
    pub max_units_per_execution: Option<i64>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Jobs.
    #[serde(default)]
    pub jobs: Vec<JobScript>,
    /// Notebook executions.
    #[serde(default)]
    pub notebooks: Vec<NotebookScript>,
}

/// Bounds of `speed`; beyond them spans of time vanish or last for ever.
const SPEED_RANGE: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// Values and other tokens of a scenario: some 25 for each of 100 000 jobs.
const NODES_MAX: usize = 4_000_000;

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// When the text is not YAML, holds an unknown key or an impossible value; the message names line and key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let budget = serde_saphyr::budget! { max_events: NODES_MAX, max_nodes: NODES_MAX };
        let options = serde_saphyr::options! { with_snippet: false, budget: budget };
        let scenario: Self =
            serde_saphyr::from_str_with_options(text, options).map_err(|source| Error::Scenario {
                source: Box::new(source),
            })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a scenario file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// When the file cannot be read, and as for [`Scenario::parse`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let mut scenario = Self::parse(&text)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        for key in scenario
            .auth
            .service_accounts
            .iter_mut()
            .flat_map(|account| &mut account.keys)
        {
            key.public_key_file = key.public_key_file.take().map(|file| folder.join(file));
        }
        Ok(scenario)
    }

    /// Refuses what the types cannot.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !SPEED_RANGE.contains(&self.speed) {
            return Err(Error::Impossible {
                what: format!("speed is {}; allowed is 0.001 to 100000", self.speed),
            });
        }
        for project in self.projects() {
            project.jobs.iter().try_for_each(JobScript::check)?;
            project.notebooks.iter().try_for_each(NotebookScript::check)?;
        }
        self.created_jobs.iter().try_for_each(JobScript::check)?;
        self.executed_notebooks
            .iter()
            .try_for_each(NotebookScript::check)?;
        self.check_ids()
    }

    fn projects(&self) -> impl Iterator<Item = &ProjectScript> {
        self.communities.iter().flat_map(|community| &community.projects)
    }

    /// Refuses an id that is given twice: one of the two could never be found.
    fn check_ids(&self) -> Result<(), Error> {
        let communities = self.communities.iter().map(|community| &community.id);
        let projects = self.projects().map(|project| &project.id);
        let jobs = self.projects().flat_map(|project| &project.jobs);
        let jobs = jobs.flat_map(|job| [&job.id, &job.operation_id]);
        let notebooks = self.projects().flat_map(|project| &project.notebooks);
        let notebooks = notebooks.map(|notebook| &notebook.operation_id);
        let mut seen = HashSet::new();
        for id in communities.chain(projects).chain(jobs).chain(notebooks).flatten() {
            if !seen.insert(id) {
                return Err(Error::Impossible {
                    what: format!("the id `{id}` is given twice"),
                });
            }
        }
        Ok(())
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            speed: real_time(),
            auth: Auth::default(),
            operation_ttl: None,
            communities: Vec::new(),
            created_jobs: Vec::new(),
            executed_notebooks: Vec::new(),
            faults: Vec::new(),
            rest: RestStyle::default(),
            edition: None,
        }
    }
}

fn real_time() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_says_little_when_little_is_needed() {
        let text =
            "communities:\n- name: research\n  projects:\n  - name: nlp\n    jobs:\n    - name: train\n";
        let scenario = Scenario::parse(text).unwrap();
        let job = &scenario.communities[0].projects[0].jobs[0];
        assert_eq!((job.name.as_str(), job.start), ("train", Span::default()));
        assert_eq!(job.end, End::Success);
        assert!(
            !job.timeline.is_empty(),
            "a job without a timeline lives an ordinary life"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let message = Scenario::parse("speed: 2\nspeeed: 3\n").unwrap_err().chain();
        assert!(
            message.contains("speeed") && message.contains("line 2"),
            "{message}"
        );
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let job = "communities: [{name: c, projects: [{name: p, jobs: [{name: j, JOB}]}]}]";
        for (text, named) in [
            ("speed: 0".to_owned(), "speed"),
            (job.replace("JOB", "every: 0s"), "every"),
            (job.replace("JOB", "id: bt1x, every: 1h"), "every"),
            (job.replace("JOB", "id: bt1x, operation_id: bt1x"), "twice"),
            (job.replace("JOB", "timeline: [{status: SLEEPING}]"), "SLEEPING"),
            (
                job.replace("JOB", "timeline: [{status: EXECUTING, lasts: -1s}]"),
                "lasts",
            ),
            (job.replace("JOB", "end: {error: {code: BROKEN}}"), "BROKEN"),
            (job.replace("JOB", "progress: {every: 0s}"), "progress"),
        ] {
            let message = Scenario::parse(&text).unwrap_err().chain();
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
