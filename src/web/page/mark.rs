//! Marks of how something is: a shape, a word and a colour, so that none of them is needed.

use crate::model::OutcomeKind;
use maud::{Markup, html};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Nothing to tell.
    Quiet,
    /// Well.
    Good,
    /// Under way.
    Busy,
    /// Worth a look.
    Warning,
    /// Went wrong.
    Bad,
}

impl Mark {
    /// The mark of an ending.
    pub(super) fn of(outcome: OutcomeKind) -> Self {
        match outcome {
            OutcomeKind::Success => Self::Good,
            OutcomeKind::Failure | OutcomeKind::Error => Self::Bad,
            OutcomeKind::Cancelled => Self::Quiet,
            OutcomeKind::Lost => Self::Warning,
        }
    }

    /// The class that gives it its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    /// Its shape, in a square of sixteen.
    fn path(self) -> &'static str {
        match self {
            Self::Quiet => "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2zm0 2a4 4 0 1 1 0 8 4 4 0 1 1 0-8z",
            Self::Good => "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1zM6.9 11.4 3.6 8.1l1.3-1.3 2 2 4.2-4.2 1.3 1.3z",
            Self::Busy => "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1zM6.2 4.6 11.6 8l-5.4 3.4z",
            Self::Warning => "M8 1 15.5 14.5H.5zM7.1 5.8h1.8v4.4H7.1zm0 5.4h1.8v1.7H7.1z",
            Self::Bad => {
                "M2 2h12v12H2zm3.5 2.1L4.1 5.5 6.6 8l-2.5 2.5 1.4 1.4L8 9.4l2.5 2.5 1.4-1.4L9.4 8l2.5-2.5-1.4-1.4L8 6.6z"
            }
        }
    }

    /// The mark with its word.
    pub(super) fn word(self, word: &str) -> Markup {
        html! {
            span .mark .(self.class()) {
                svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" { path fill-rule="evenodd" d=(self.path()) {} }
                span { (word) }
            }
        }
    }
}
