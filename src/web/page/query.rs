//! What a page is asked to show: a filter and a search, all of it in the address.

use crate::limits::TEXT_BYTES_MAX;
use crate::model::{OutcomeKind, Project, ProjectId, State, Text, TrackedOperation, View};
use crate::web::page::projects;
use crate::web::page::words;
use axum::extract::Query as Pairs;
use axum::http::Uri;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Regex, RegexBuilder};

/// What is wanted. Whatever a stranger typed that means nothing is not there: a page is no API.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub(super) shown: Option<Shown>,
    pub(super) project: Option<ProjectId>,
    /// The page, from 1, of a list that is shown alone.
    pub(super) page: usize,
    /// What is searched for, as it was typed.
    pub(super) text: String,
    /// The same as an expression; `None` where nothing is searched for.
    sought: Option<Regex>,
}

/// One list instead of both, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// All that did not end.
    Live,
    /// Of those, what will end badly.
    Failing,
    /// All that ended.
    Ended,
    /// What ended so.
    Outcome(OutcomeKind),
}

impl Shown {
    /// All, in the order of a page.
    pub(super) const ALL: [Self; 8] = [
        Self::Live,
        Self::Failing,
        Self::Ended,
        Self::Outcome(OutcomeKind::Success),
        Self::Outcome(OutcomeKind::Failure),
        Self::Outcome(OutcomeKind::Error),
        Self::Outcome(OutcomeKind::Cancelled),
        Self::Outcome(OutcomeKind::Lost),
    ];

    /// The word for it, in the address and on the page.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Failing => "failing",
            Self::Ended => "ended",
            Self::Outcome(outcome) => outcome.label(),
        }
    }

    /// Whether it is a list of what goes on.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Failing)
    }

    /// Whether an operation is among it.
    pub(super) fn has(self, row: &TrackedOperation) -> bool {
        match self {
            Self::Live => row.outcome.is_none(),
            Self::Failing => row.outcome.is_none() && row.state == State::Failing,
            Self::Ended => row.outcome.is_some(),
            Self::Outcome(kind) => row.outcome.is_some_and(|outcome| outcome.kind() == kind),
        }
    }
}

impl Query {
    /// From the query of an address; of a name that is given twice the last counts.
    pub(super) fn parse(uri: &Uri) -> Self {
        let mut query = Self {
            page: 1,
            ..Self::default()
        };
        let pairs: Vec<(String, String)> = Pairs::try_from_uri(uri)
            .map(|Pairs(pairs)| pairs)
            .unwrap_or_default();
        for (name, value) in pairs {
            match name.as_str() {
                "state" => query.shown = Shown::ALL.into_iter().find(|shown| shown.word() == value),
                "project" => query.project = value.parse().ok(),
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                "q" => query.seek(value.trim()),
                _ => {}
            }
        }
        query
    }

    fn seek(&mut self, text: &str) {
        let text = Text::bounded(text);
        text.as_str().clone_into(&mut self.text);
        // An escaped text of this length is always an expression.
        let expression = || {
            RegexBuilder::new(&regex::escape(text.as_str()))
                .case_insensitive(true)
                .build()
                .ok()
        };
        self.sought = (!text.as_str().is_empty()).then(expression).flatten();
    }

    /// Whether an operation is in the project and has the text, whatever its state.
    pub(super) fn finds(&self, row: &TrackedOperation, view: &View) -> bool {
        if self.project.is_some() && self.project != row.project_id {
            return false;
        }
        let Some(sought) = &self.sought else {
            return true;
        };
        let about = &row.about;
        let named = [&about.name, &about.created_by, &about.instance_type];
        let told = named.into_iter().flatten().chain(about.notebook_id.as_deref());
        let labels = about.labels.values();
        let told = told.chain(labels).map(Text::as_str);
        told.chain(words::ids(row)).any(|text| sought.is_match(text)) || self.finds_project(row, view)
    }

    fn finds_project(&self, row: &TrackedOperation, view: &View) -> bool {
        let project = view.projects.get(&row.project_id);
        let words = project.into_iter().flat_map(|project| {
            [
                project.name.as_ref().map(Text::as_str),
                project.id.as_ref().map(ProjectId::as_str),
            ]
        });
        let is_sought = |word: &str| self.sought.as_ref().is_some_and(|sought| sought.is_match(word));
        words.flatten().any(is_sought)
    }

    /// The address of the same with another state, seen from the page at `/`; its first page.
    pub(super) fn showing(&self, shown: Option<Shown>) -> String {
        Self {
            shown,
            page: 1,
            ..self.clone()
        }
        .address()
    }

    /// The address of another page of the same.
    pub(super) fn at_page(&self, page: usize) -> String {
        Self { page, ..self.clone() }.address()
    }

    /// The address of everything in a project.
    pub(super) fn of_project(project: &ProjectId) -> String {
        Self {
            project: Some(project.clone()),
            page: 1,
            ..Self::default()
        }
        .address()
    }

    fn address(&self) -> String {
        let pairs = [
            (
                "state",
                self.shown.map_or(String::new(), |shown| shown.word().to_owned()),
            ),
            (
                "project",
                self.project.as_ref().map_or(String::new(), ToString::to_string),
            ),
            ("q", self.text.clone()),
            (
                "page",
                if self.page > 1 {
                    self.page.to_string()
                } else {
                    String::new()
                },
            ),
        ];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let given: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        if given.is_empty() {
            "./".to_owned()
        } else {
            format!("./?{}", given.join("&"))
        }
    }

    /// Whether anything narrows what is shown, beside the state.
    pub(super) fn is_narrow(&self) -> bool {
        self.sought.is_some() || self.project.is_some()
    }

    /// The form that sets it.
    pub(super) fn form(&self, view: &View) -> Markup {
        let projects = projects::known(view);
        let is_listed = |id: &ProjectId| projects.iter().any(|project| project.id.as_ref() == Some(id));
        let elsewhere = self.project.as_ref().filter(|id| !is_listed(id));
        html! {
            form #filter role="search" method="get" action="./" aria-label="Operations" {
                @if let Some(shown) = self.shown { input type="hidden" name="state" value=(shown.word()); }
                label for="q" { "Search" }
                input #q type="search" name="q" value=(self.text) maxlength=(TEXT_BYTES_MAX) placeholder="name, id, author, label" autocomplete="off" spellcheck="false";
                label for="project" { "Project" }
                select #project name="project" {
                    option value="" selected[self.project.is_none()] { "all" }
                    @for project in &projects { (self.choice(project)) }
                    @if let Some(id) = elsewhere { option value=(id) selected { (id) } }
                }
                button type="submit" { "Show" }
                @if self.is_narrow() || self.shown.is_some() { a href="./" { "Show all" } }
            }
        }
    }

    fn choice(&self, project: &Project) -> Markup {
        let id = project.id.as_ref();
        html! { @if let Some(id) = id {
            option value=(id) selected[self.project.as_ref() == Some(id)] { (projects::name(project)) }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(&format!("/{text}").parse().expect("an address"))
    }

    #[test]
    fn an_address_says_the_same_when_it_is_read_again() {
        let cases = [
            ("", "./"),
            ("?state=live", "./?state=live"),
            ("?state=nothing&page=0&unknown=1", "./"),
            ("?page=3&q=&state=lost", "./?state=lost&page=3"),
            (
                "?q=a%26b%20%3Cscript%3E+%D1%8F",
                "./?q=a%26b%20%3Cscript%3E%20%D1%8F",
            ),
            ("?project=bt1alpha&q=x", "./?project=bt1alpha&q=x"),
            ("?project=no%20id", "./"),
            ("?q=%ff", "./?q=%EF%BF%BD"),
            ("?q=a&q=b", "./?q=b"),
        ];
        for (text, address) in cases {
            assert_eq!(query(text).address(), address, "{text}");
            assert_eq!(query(address.trim_start_matches("./")).address(), address);
        }
    }

    #[test]
    fn every_state_has_a_word_of_its_own() {
        for shown in Shown::ALL {
            assert_eq!(query(&format!("?state={}", shown.word())).shown, Some(shown));
        }
    }

    #[test]
    fn what_is_searched_for_is_text_in_any_case_and_no_expression() {
        let matches = |sought: &str, text: &str| {
            let mut query = Query::default();
            query.seek(sought);
            query.sought.is_none_or(|sought| sought.is_match(text))
        };
        assert!(matches("OBUCH", "obuchenie") && matches("ОБУЧ", "обучение") && matches("", "anything"));
        assert!(matches("a.b", "xA.Bx") && !matches("a.b", "axb"));
        assert!(matches("(((", "((((") && !matches("[a-z]", "k"));
        assert!(
            matches(&"я".repeat(5_000), &"Я".repeat(TEXT_BYTES_MAX / 2)),
            "it is cut as names are"
        );
    }
}
