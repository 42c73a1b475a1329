//! Which operations a page shows, in which order, and how many there are of each kind.

use crate::limits::{PAGE_OVERVIEW_ROWS_MAX, PAGE_ROWS_MAX};
use crate::model::{OutcomeKind, State, TrackedOperation, View};
use crate::web::page::mark::Mark;
use crate::web::page::query::{Query, Shown};
use crate::web::page::words;
use maud::{Markup, html};
use std::cmp::Reverse;

/// What is shown of a view. It walks all operations, and orders no more than it shows.
pub(super) struct Listing<'a> {
    pub(super) counts: Counts,
    /// What goes on: what fails first, then the newest.
    pub(super) live: Part<'a>,
    /// What ended, the newest end first.
    pub(super) ended: Part<'a>,
}

/// A piece of a list.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub(super) rows: Vec<&'a TrackedOperation>,
    /// How many the list has.
    pub(super) total: usize,
    /// The page, from 1.
    pub(super) page: usize,
    /// How many pages there are, at least one.
    pub(super) pages: usize,
}

/// Operations that the search finds, by how they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    live: u64,
    failing: u64,
    ended: [u64; OutcomeKind::ALL.len()],
}

impl<'a> Listing<'a> {
    pub(super) fn new(view: &'a View, query: &Query) -> Self {
        let mut counts = Counts::default();
        let (mut live, mut ended) = (Vec::new(), Vec::new());
        for row in view.operations.iter().map(|row| &**row) {
            if !query.finds(row, view) {
                continue;
            }
            counts.count(row);
            if query.shown.is_some_and(|shown| !shown.has(row)) {
                continue;
            }
            if row.outcome.is_some() {
                &mut ended
            } else {
                &mut live
            }
            .push(row);
        }
        let size = if query.shown.is_some() {
            PAGE_ROWS_MAX
        } else {
            PAGE_OVERVIEW_ROWS_MAX
        };
        let page = if query.shown.is_some() { query.page } else { 1 };
        Self {
            counts,
            live: Part::cut(live, page, size, |row| {
                (
                    row.state != State::Failing,
                    Reverse((row.created_at().unwrap_or(row.tracked_at), row.key)),
                )
            }),
            ended: Part::cut(ended, page, size, |row| {
                Reverse((row.over_at().or(row.ended_at).unwrap_or(row.tracked_at), row.key))
            }),
        }
    }
}

impl<'a> Part<'a> {
    /// A page of a list; the last one where the page that was asked for is behind it.
    fn cut<K: Ord>(
        mut rows: Vec<&'a TrackedOperation>,
        page: usize,
        size: usize,
        order: impl Fn(&TrackedOperation) -> K,
    ) -> Self {
        let total = rows.len();
        let pages = total.div_ceil(size).max(1);
        let page = page.min(pages);
        let end = page.saturating_mul(size);
        if end < total {
            rows.select_nth_unstable_by_key(end, |row| order(row));
            rows.truncate(end);
        }
        rows.sort_unstable_by_key(|row| order(row));
        rows.drain(..end.saturating_sub(size).min(total));
        Self {
            rows,
            total,
            page,
            pages,
        }
    }
}

impl Counts {
    fn count(&mut self, row: &TrackedOperation) {
        let Some(outcome) = row.outcome else {
            self.live += 1;
            self.failing += u64::from(row.state == State::Failing);
            return;
        };
        for (kind, count) in OutcomeKind::ALL.into_iter().zip(&mut self.ended) {
            *count += u64::from(kind == outcome.kind());
        }
    }

    fn of(&self, shown: Shown) -> u64 {
        match shown {
            Shown::Live => self.live,
            Shown::Failing => self.failing,
            Shown::Ended => self.ended.iter().sum(),
            Shown::Outcome(kind) => OutcomeKind::ALL
                .into_iter()
                .zip(self.ended)
                .filter(|(of, _)| *of == kind)
                .map(|(_, count)| count)
                .sum(),
        }
    }

    /// The same in a sentence: what a screen reader is told when it changes, and what a tab shows.
    pub(super) fn words(&self) -> String {
        let failed =
            self.of(Shown::Outcome(OutcomeKind::Failure)) + self.of(Shown::Outcome(OutcomeKind::Error));
        let mut words = format!("{} live", words::count(self.live));
        if self.failing > 0 {
            words = format!("{words}, {} failing", words::count(self.failing));
        }
        if failed > 0 {
            words = format!("{words}, {} failed", words::count(failed));
        }
        words
    }

    /// The same as links to each part.
    pub(super) fn chips(&self, query: &Query) -> Markup {
        html! {
            nav #counts aria-label="Operations by state" {
                ul {
                    @for shown in Shown::ALL {
                        @let count = self.of(shown);
                        @let is_current = query.shown == Some(shown);
                        li {
                            a href=(query.showing((!is_current).then_some(shown))) aria-current=[is_current.then_some("true")] .none[count == 0] {
                                strong { (words::count(count)) } " "
                                (mark(shown).word(shown.word()))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn mark(shown: Shown) -> Mark {
    match shown {
        Shown::Live => Mark::Busy,
        Shown::Failing => Mark::Warning,
        Shown::Ended => Mark::Quiet,
        Shown::Outcome(outcome) => Mark::of(outcome),
    }
}
