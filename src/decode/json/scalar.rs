//! Single values of JSON, in all the forms that servers print them in; `None` for what cannot be one.

use crate::decode::json::object::parse;
use crate::limits::TIME_BYTES_MAX;
use prost::Message;
use prost_types::{Duration, Timestamp};
use std::str::FromStr;

/// The number that no enum has: a name that this version does not know.
const UNHEARD_OF: i64 = -1;

/// A string.
pub(crate) fn text(json: &str) -> Option<String> {
    parse(json)
}

/// An `int64`, which is printed as a string, or by other hands as a number: `"42"`, `42`, `42.0`, `4.2e1`.
pub(crate) fn integer(json: &str) -> Option<i64> {
    let quoted: Option<String> = json.starts_with('"').then(|| parse(json)).flatten();
    let number = quoted.as_deref().unwrap_or(json);
    number.parse().ok().or_else(|| whole(number))
}

/// A number with a fraction or an exponent that is whole all the same.
fn whole(number: &str) -> Option<i64> {
    let number: f64 = parse(number)?;
    (number.fract() == 0.0)
        .then(|| format!("{number:.0}").parse().ok())
        .flatten()
}

/// An enum by name or by number.
pub(crate) fn named(json: &str, names: &[(&str, i64)]) -> Option<i64> {
    let Some(number) = integer(json) else {
        let name: String = parse(json)?;
        let known = names.iter().find(|(known, _)| *known == name);
        return Some(known.map_or(UNHEARD_OF, |(_, number)| *number));
    };
    Some(number)
}

/// A `bool`.
pub(crate) fn flag(json: &str) -> Option<bool> {
    match json {
        "true" | "\"true\"" => Some(true),
        "false" | "\"false\"" => Some(false),
        _ => None,
    }
}

/// A `google.protobuf.Timestamp`, which is printed as in RFC 3339; as the bytes of its message.
pub(crate) fn time(json: &str) -> Option<Vec<u8>> {
    let text = text(json).filter(|text| text.len() <= TIME_BYTES_MAX)?;
    // Years with a sign are beyond the standard, and beyond what seconds can count.
    text.starts_with(|c: char| c.is_ascii_digit())
        .then(|| Timestamp::from_str(&text).ok())
        .flatten()
        .map(|time| time.encode_to_vec())
}

/// A `google.protobuf.Duration`, which is printed as `"1.5s"`; as the bytes of its message.
pub(crate) fn duration(json: &str) -> Option<Vec<u8>> {
    let text = text(json).filter(|text| text.len() <= TIME_BYTES_MAX)?;
    Duration::from_str(&text).ok().map(|time| time.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_quoted_or_not() {
        let cases = [
            ("42", Some(42)),
            ("\"42\"", Some(42)),
            ("\"-9223372036854775808\"", Some(i64::MIN)),
            ("9223372036854775807", Some(i64::MAX)),
            ("42.0", Some(42)),
            ("4.2e1", Some(42)),
            ("\"1e3\"", Some(1000)),
            ("42.5", None),
            ("\"9223372036854775808\"", None),
            ("1e300", None),
            ("\"\"", None),
            ("\" 42\"", Some(42)),
            ("true", None),
            ("{}", None),
            ("\"NaN\"", None),
        ];
        for (json, expected) in cases {
            assert_eq!(integer(json), expected, "{json}");
        }
    }

    #[test]
    fn an_enum_is_a_name_or_a_number_and_a_name_nobody_knows_is_no_number_either() {
        let names = [("NONE", 0), ("SOME", 7)];
        let cases = [
            ("\"SOME\"", Some(7)),
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("99", Some(99)),
            ("\"MORE\"", Some(UNHEARD_OF)),
            ("[]", None),
        ];
        for (json, expected) in cases {
            assert_eq!(named(json, &names), expected, "{json}");
        }
    }

    #[test]
    fn a_time_has_any_fraction_and_any_offset() {
        let cases = [
            ("2026-01-01T00:00:00Z", Some((1_767_225_600, 0))),
            ("2026-01-01T03:00:00+03:00", Some((1_767_225_600, 0))),
            ("2026-01-01T00:00:00.5Z", Some((1_767_225_600, 500_000_000))),
            (
                "2026-01-01T00:00:00.123456789Z",
                Some((1_767_225_600, 123_456_789)),
            ),
            ("0001-01-01T00:00:00Z", Some((-62_135_596_800, 0))),
            (
                "9999-12-31T23:59:59.999999999Z",
                Some((253_402_300_799, 999_999_999)),
            ),
            ("2026-13-01T00:00:00Z", None),
            ("2026-02-30T00:00:00Z", None),
            ("+99999999999-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let bytes = time(&format!("\"{text}\""));
            let expected = expected.map(|(seconds, nanos)| Timestamp { seconds, nanos }.encode_to_vec());
            assert_eq!(bytes, expected, "{text}");
        }
        assert_eq!(time("1767225600"), None);
    }

    #[test]
    fn a_duration_ends_with_its_unit() {
        let cases = [
            ("\"1.5s\"", Some((1, 500_000_000))),
            ("\"-3s\"", Some((-3, 0))),
            ("\"1.5\"", None),
            ("\"\"", None),
            ("1.5", None),
        ];
        for (json, expected) in cases {
            let expected = expected.map(|(seconds, nanos)| Duration { seconds, nanos }.encode_to_vec());
            assert_eq!(duration(json), expected, "{json}");
        }
    }

    #[test]
    fn a_flag_is_a_word_quoted_or_not() {
        let cases = [
            ("true", Some(true)),
            ("\"true\"", Some(true)),
            ("false", Some(false)),
            ("\"false\"", Some(false)),
            ("1", None),
            ("\"TRUE\"", None),
            ("[]", None),
        ];
        for (json, expected) in cases {
            assert_eq!(flag(json), expected, "{json}");
        }
    }
}
