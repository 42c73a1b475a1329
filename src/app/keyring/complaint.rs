//! What the log is told of failures that repeat: each once, and not before it is there to stay.

/// Failures that may be gone at the next look: certificate and key are hardly ever exchanged at the same moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaint {
    /// At the last look.
    seen: Option<String>,
    /// The last that the log was told.
    told: Option<String>,
}

impl Complaint {
    /// Whether the log has to be told of this failure: `at_once`, or when it is still there at the second look.
    pub(super) fn hears(&mut self, text: &str, at_once: bool) -> bool {
        let stays = self.seen.as_deref() == Some(text);
        self.seen = Some(text.to_owned());
        let is_news = (stays || at_once) && self.told.as_deref() != Some(text);
        if is_news {
            self.told = Some(text.to_owned());
        }
        is_news
    }

    /// Nothing fails any more; whether something had been told.
    pub(super) fn ends(&mut self) -> bool {
        self.seen = None;
        self.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_failure_is_told_as_the_first_was_and_each_once() {
        let mut complaint = Complaint::default();
        let told = ["A", "A", "A", "B", "B", "B", "A", "A"].map(|text| complaint.hears(text, false));
        assert_eq!(told, [false, true, false, false, true, false, false, true]);
        assert!(complaint.ends());
        assert!(!complaint.ends(), "nothing was told since");
    }

    #[test]
    fn a_failure_that_another_interrupts_for_a_look_is_not_told_again() {
        let mut complaint = Complaint::default();
        let told = ["A", "A", "B", "A", "A"].map(|text| complaint.hears(text, false));
        assert_eq!(told, [false, true, false, false, false]);
        assert!(complaint.hears("B", true), "whoever asked is told at once");
        assert!(complaint.hears("A", true));
        assert!(!complaint.hears("A", true));
    }
}
