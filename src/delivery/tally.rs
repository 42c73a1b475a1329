//! What became of the spans of one batch.

use crate::delivery::answer::Answer;
use crate::delivery::batch::Batch;

/// Counted over all requests that a batch was sent in.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Spans that the collector took.
    pub(crate) taken: u64,
    /// Spans that it refused each by itself, as far as no line was asked for yet: they are set aside.
    pub(crate) refused: u64,
    /// The first of those, with the answer to it.
    pub(crate) first_refused: Option<(Batch, Answer)>,
}

impl Tally {
    /// A part was set aside.
    pub(crate) fn refuse(&mut self, part: Batch, answer: Answer) {
        self.refused += part.count();
        self.first_refused.get_or_insert((part, answer));
    }
}
