//! Where the pages lead to: the trace of an operation, its place in the cloud's console, a runbook.

use crate::model::{CommunityId, JobId, OperationId, ProjectId, TrackedOperation};
use crate::web::page::{Scene, table, words};
use http::Uri;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where links lead to; where nobody told, there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// A trace: `links.trace`.
    pub trace: Option<Link>,
    /// The cloud's console: `links.console`.
    pub console: Option<Link>,
    /// A runbook: `links.runbook`.
    pub runbook: Option<Link>,
}

/// Where the cloud's console shows a job, as the official client prints it.
const CONSOLE: &str =
    "https://datasphere.yandex.cloud/communities/{community_id}/projects/{project_id}/job/{job_id}";

/// Where the rules of this repository say that runbooks are.
const RUNBOOK: &str = "https://datasphere-exporter.example/docs/runbooks/{alert}.md";

impl Default for Links {
    fn default() -> Self {
        let link = |text: &str| Some(Link(text.to_owned()));
        Self {
            trace: None,
            console: link(CONSOLE),
            runbook: link(RUNBOOK),
        }
    }
}

/// An address of the web with names in braces, in whose place values come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

/// Why a text is not a [`Link`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No address of the web.
    #[error("it has to begin with https:// or http:// and a host, and to have no user")]
    Address,
    /// A name that nothing has.
    #[error("in braces there may be {}", Link::NAMES.join(", "))]
    Name,
}

/// What stays as it is in a value within an address: the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Link {
    /// What may stand in braces.
    pub const NAMES: [&str; 6] = [
        "trace_id",
        "operation_id",
        "job_id",
        "project_id",
        "community_id",
        "alert",
    ];

    /// From text such as `https://tempo.example.org/trace/{trace_id}`.
    ///
    /// # Errors
    /// [`LinkError`], when it leads nowhere or names what nothing has.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let mut filled = String::new();
        for part in Part::all(text) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) if Self::NAMES.contains(&name) => filled.push('x'),
                Part::Name(_) => return Err(LinkError::Name),
            }
        }
        let uri: Uri = filled.parse().map_err(|_| LinkError::Address)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let has_host = authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'));
        // The host stands in the text: no value decides whose page it is.
        let host_is_plain = Part::all(text)
            .next()
            .is_some_and(|part| matches!(part, Part::Text(text) if text.splitn(4, '/').count() == 4));
        if is_web && has_host && (host_is_plain || !text.contains('{')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LinkError::Address)
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has this name in braces.
    pub fn has(&self, name: &str) -> bool {
        Part::all(&self.0).any(|part| matches!(part, Part::Name(found) if found == name))
    }

    /// The address with values in the places of their names; `None` when one of them is not known.
    pub(super) fn filled<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let mut address = String::new();
        for part in Part::all(&self.0) {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Name(name) => address.extend(utf8_percent_encode(value(name)?, ESCAPED)),
            }
        }
        Some(address)
    }
}

/// A piece of a link.
enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

impl<'a> Part<'a> {
    /// All pieces; a brace without its other half is text.
    fn all(text: &'a str) -> impl Iterator<Item = Self> {
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            if let Some((name, behind)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                rest = behind;
                return Some(Part::Name(name));
            }
            let from = rest.ceil_char_boundary(1);
            let end = rest
                .get(from..)?
                .find('{')
                .map_or(rest.len(), |place| place + from);
            let (before, behind) = rest.split_at_checked(end)?;
            rest = behind;
            Some(Part::Text(before))
        })
    }
}

/// The page of an operation, seen from the scene's own.
pub(super) fn page(scene: &Scene<'_>, row: &TrackedOperation) -> String {
    format!(
        "{}operations/{}",
        scene.root,
        utf8_percent_encode(row.id(), ESCAPED)
    )
}

/// What to do about an alert.
pub(super) fn runbook(scene: &Scene<'_>, alert: &str) -> Option<String> {
    let value = |name: &str| (name == "alert").then_some(alert);
    scene.links.runbook.as_ref()?.filled(value)
}

/// Ways from an operation to where more is known of it.
pub(super) fn of_operation(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    let trace_id = row.trace.as_ref().map(|trace| trace.trace_id.to_string());
    let community_id = scene
        .project(row)
        .and_then(|project| project.community_id.as_ref());
    let value = |name: &str| match name {
        "trace_id" => trace_id.as_deref(),
        "operation_id" => row.operation_id.as_ref().map(OperationId::as_str),
        "job_id" => row.job_id.as_ref().map(JobId::as_str),
        "project_id" => row.project_id.as_ref().map(ProjectId::as_str),
        "community_id" => community_id.map(CommunityId::as_str),
        _ => None,
    };
    let filled = |link: &Option<Link>| link.as_ref().and_then(|link| link.filled(value));
    let links = [
        ("trace", filled(&scene.links.trace)),
        ("console", filled(&scene.links.console)),
        (
            "runbook",
            table::alert(row).and_then(|alert| runbook(scene, alert)),
        ),
    ];
    html! {
        @for (word, address) in links { @if let Some(address) = address {
            a href=(address) rel="noreferrer" { (word) span .unseen { " of " bdi { (words::name(row)) } } } " "
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_links() {
        for text in [CONSOLE, RUNBOOK] {
            assert_eq!(Link::parse(text), Ok(Link(text.to_owned())));
        }
    }

    #[test]
    fn values_are_escaped_and_one_that_is_unknown_is_no_link() {
        let link = Link::parse("https://a.example/{job_id}/?t={trace_id}#x").expect("a link");
        let value = |name: &str| match name {
            "job_id" => Some("../ä\"<"),
            "trace_id" => Some("a1-b.c"),
            _ => None,
        };
        let filled = link.filled(value).expect("known");
        assert_eq!(filled, "https://a.example/..%2F%C3%A4%22%3C/?t=a1-b.c#x");
        assert_eq!(link.filled(|_| None), None);
        assert!(link.has("job_id") && !link.has("alert"));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let cases = [
            ("", LinkError::Address),
            ("/here", LinkError::Address),
            ("javascript:alert(1)", LinkError::Address),
            ("https://", LinkError::Address),
            ("https://me:secret@a.example/", LinkError::Address),
            ("https://{job_id}.example/", LinkError::Address),
            ("{job_id}", LinkError::Address),
            ("https://a.example/{jobid}", LinkError::Name),
        ];
        for (text, error) in cases {
            assert_eq!(Link::parse(text), Err(error), "{text}");
        }
        assert!(Link::parse("https://a.example").is_ok());
    }
}
