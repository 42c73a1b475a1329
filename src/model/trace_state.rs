//! What the systems that take part in a caller's trace tell each other along with it.

use crate::limits::{TRACE_STATE_CHARS_MAX, TRACE_STATE_MEMBERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// A `tracestate` that is passed on as it came: valid, and within W3C's bounds.
///
/// See <https://www.w3.org/TR/trace-context-2/#tracestate-header>.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TraceState(Arc<str>);

/// Why a string is no `tracestate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tracestate has 1 to {TRACE_STATE_MEMBERS_MAX} members key=value of different keys, in {TRACE_STATE_CHARS_MAX} \
     characters"
)]
pub struct TraceStateError;

impl TraceState {
    /// From the headers `tracestate` of one call, in their order. `None` when there is none, or anything in them is
    /// not as it should be: half of one would be a lie to whoever wrote the rest.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (mut kept, mut keys) = (String::new(), HashSet::new());
        let members = headers.into_iter().flat_map(|header| header.split(','));
        // Members may be empty, and white space around them is not theirs.
        for member in members.map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if !is_key(key) || !is_value(value) || !keys.insert(key) {
                return None;
            }
            if !kept.is_empty() {
                kept.push(',');
            }
            kept.push_str(member);
            if keys.len() > TRACE_STATE_MEMBERS_MAX || kept.len() > TRACE_STATE_CHARS_MAX {
                return None;
            }
        }
        (!kept.is_empty()).then(|| Self(kept.into()))
    }

    /// As a header has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<TraceState> for String {
    fn from(state: TraceState) -> Self {
        state.as_str().to_owned()
    }
}

impl TryFrom<String> for TraceState {
    type Error = TraceStateError;

    fn try_from(header: String) -> Result<Self, TraceStateError> {
        Self::from_headers([header.as_str()]).ok_or(TraceStateError)
    }
}

/// A small letter or a digit, and up to 255 of these, `_`, `-`, `*`, `/` and `@`.
fn is_key(key: &str) -> bool {
    let begins_well = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let goes_on_well = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    begins_well && key.len() <= 256 && key.bytes().all(goes_on_well)
}

/// Up to 256 of what ASCII shows, and spaces between, without `,` and `=`.
fn is_value(value: &str) -> bool {
    let is_shown = |b: u8| (b' '..=b'~').contains(&b) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(is_shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &str) -> Option<String> {
        TraceState::from_headers([header]).map(String::from)
    }

    #[test]
    fn a_valid_state_is_kept_in_its_order_and_several_headers_are_one() {
        assert_eq!(
            read("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE").as_deref(),
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        );
        assert_eq!(read("ot=th:8 , ,\t1a@b=x y").as_deref(), Some("ot=th:8,1a@b=x y"));
        let joined = TraceState::from_headers(["b=2", "", "a=1"]);
        assert_eq!(joined.map(String::from).as_deref(), Some("b=2,a=1"));
    }

    #[test]
    fn a_state_with_one_bad_member_is_none() {
        let long = |length| "x".repeat(length);
        for header in [
            String::new(),
            " , ,".to_owned(),
            "a".to_owned(),
            "a=".to_owned(),
            "=1".to_owned(),
            "a=1,A=2".to_owned(),
            "a=1,b=2=3".to_owned(),
            "a=1,a=2".to_owned(),
            "a=1,b=\u{e9}".to_owned(),
            "a=1,b=\u{7f}".to_owned(),
            "a=1\r\nb=2".to_owned(),
            "-a=1".to_owned(),
            "a b=1".to_owned(),
            format!("a=1,{}=2", long(257)),
            format!("a=1,b={}", long(257)),
        ] {
            assert_eq!(read(&header), None, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_of_any_headers_is_within_the_bounds_and_reads_as_itself(
            headers in prop::collection::vec("([a-c]{1,2}[=,]?[ -~]{0,9}[,]?){0,40}|\\PC{0,40}", 0..4),
        ) {
            if let Some(state) = TraceState::from_headers(headers.iter().map(String::as_str)) {
                prop_assert!(state.as_str().len() <= TRACE_STATE_CHARS_MAX);
                prop_assert!(state.as_str().split(',').count() <= TRACE_STATE_MEMBERS_MAX);
                prop_assert_eq!(TraceState::try_from(String::from(state.clone())), Ok(state));
            }
        }

        #[test]
        fn a_well_formed_state_is_kept_as_a_whole_or_not_at_all(members in 1_usize..48, value in 1_usize..40) {
            let member = |number| format!("k{number}={}", "v".repeat(value));
            let header = (0..members).map(member).collect::<Vec<_>>().join(",");
            let fits = members <= TRACE_STATE_MEMBERS_MAX && header.len() <= TRACE_STATE_CHARS_MAX;
            prop_assert_eq!(read(&header), fits.then_some(header));
        }
    }
}
