//! The section `links`.

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::setting::{Any, Setting, parse, section};
use crate::config::yaml::Yaml;
use crate::limits::LINK_BYTES_MAX;
use crate::web::{self, Link};

section! {
    /// Where the status page leads to. Names in braces become values; what is not known yet is no link, and an empty
    /// one is none at all.
    Links => are_complete {
        /// The trace of an operation, with `{trace_id}`, such as `https://tempo.example.org/trace/{trace_id}`.
        trace: Option<Link> = web::Links::default().trace, Any;
        /// The place of an operation in the cloud's console, with `{community_id}`, `{project_id}`, `{job_id}` and
        /// `{operation_id}`.
        console: Option<Link> = web::Links::default().console, Any;
        /// What to do about an alert, with `{alert}`: where the rules say that runbooks are.
        runbook: Option<Link> = web::Links::default().runbook, Any;
    }
}

/// A link without the name that it is for would lead everybody to one place.
fn are_complete(links: &Links, node: &Node) -> Result<(), Invalid> {
    let needed = [
        ("trace", &links.trace, "trace_id"),
        ("runbook", &links.runbook, "alert"),
    ];
    for (key, link, name) in needed {
        if link.as_ref().is_some_and(|link| !link.has(name)) {
            return Err(node
                .get(key)
                .unwrap_or(node)
                .invalid(format!("must have {{{name}}}")));
        }
    }
    Ok(())
}

impl Links {
    /// The room's own settings.
    pub(crate) fn settings(&self) -> web::Links {
        web::Links {
            trace: self.trace.clone(),
            console: self.console.clone(),
            runbook: self.runbook.clone(),
        }
    }
}

impl Setting for Link {
    fn kind() -> String {
        "an address such as https://example.org/{job_id}".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let link = parse(node, Self::parse)?;
        if link.as_str().len() > LINK_BYTES_MAX {
            return Err(node.invalid(format!("must have at most {LINK_BYTES_MAX} bytes")));
        }
        Ok(link)
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.as_str().to_owned())
    }
}
