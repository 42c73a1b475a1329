//! Free text from outside, cut to a bound before it is kept.

use crate::limits::TEXT_BYTES_MAX;
use smol_str::SmolStr;
use std::fmt;

/// Text of at most [`TEXT_BYTES_MAX`] bytes without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(from = "String")]
pub struct Text(SmolStr);

impl Text {
    /// Cuts at a character boundary and replaces control characters by spaces, so that one value is one
    /// line wherever it is shown.
    pub fn bounded(text: &str) -> Self {
        let cut = if text.len() <= TEXT_BYTES_MAX {
            text.len()
        } else {
            text.floor_char_boundary(TEXT_BYTES_MAX)
        };
        let kept = text.get(..cut).unwrap_or_default();
        if kept.chars().any(char::is_control) {
            Self(
                kept.chars()
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect(),
            )
        } else {
            Self(SmolStr::new(kept))
        }
    }

    /// The same, with nothing for an empty string: proto3 cannot tell unset from empty.
    pub fn non_empty(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::bounded(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::bounded(&text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_at_a_character_and_is_one_line() {
        let long = "я".repeat(TEXT_BYTES_MAX);
        assert_eq!(Text::bounded(&long).as_str().len(), TEXT_BYTES_MAX);
        assert_eq!(Text::bounded("a\nb\u{1b}[0m").as_str(), "a b [0m");
    }
}
