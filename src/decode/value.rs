//! Single values: from what the wire holds to what the model accepts, or a gap.

use crate::clock::Timestamp;
use crate::decode::field::{Integer, lean, read};
use crate::decode::redact::redact;
use crate::model::{Gap, Gaps, Text};
use std::str::FromStr;

/// The first second of the year 2100: later times are "never" written as a number, or noise.
const SECONDS_END: i64 = 4_102_444_800;
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A string; a gap when it is not UTF-8, and absent then and when empty: proto3 cannot tell unset from empty.
pub(crate) fn string<'a>(bytes: &'a [u8], gaps: &mut Gaps) -> Option<&'a str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        gaps.add(Gap::Malformed);
        return None;
    };
    (!text.is_empty()).then_some(text)
}

/// A name or another word of the API's own: bounded, otherwise as it came.
pub(crate) fn word(bytes: &[u8], gaps: &mut Gaps) -> Option<Text> {
    string(bytes, gaps).map(Text::bounded)
}

/// Free text, which may quote anything: without what looks like a secret, then bounded.
pub(crate) fn free_text(bytes: &[u8], gaps: &mut Gaps) -> Option<Text> {
    string(bytes, gaps).map(|text| Text::bounded(&redact(text)))
}

/// An id; a gap when it cannot be one, absent also when empty.
pub(crate) fn id<T: FromStr>(bytes: &[u8], gaps: &mut Gaps) -> Option<T> {
    let id = string(bytes, gaps)?.parse().ok();
    if id.is_none() {
        gaps.add(Gap::Malformed);
    }
    id
}

/// An id that the answer cannot do without: a gap also when it is empty.
pub(crate) fn required_id<T: FromStr>(bytes: &[u8], gaps: &mut Gaps) -> Option<T> {
    if bytes.is_empty() {
        gaps.add(Gap::Missing);
    }
    id(bytes, gaps)
}

/// Whether an answer is about what was asked for; a gap when it names something else or nothing.
pub(crate) fn expect_id(bytes: &[u8], asked: &str, gaps: &mut Gaps) {
    if bytes.is_empty() {
        gaps.add(Gap::Missing);
    } else if bytes != asked.as_bytes() {
        gaps.add(Gap::Malformed);
    }
}

/// A `google.protobuf.Timestamp` after 1970 and before 2100, else a gap; all zero means unset.
pub(crate) fn time(bytes: Option<&[u8]>, gaps: &mut Gaps) -> Option<Timestamp> {
    let moment: Moment = read(bytes?, gaps)?;
    let (seconds, nanos) = (moment.seconds.told()?, moment.nanos.told()?);
    if seconds == 0 && nanos == 0 {
        return None;
    }
    let time = u32::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos < NANOS_PER_SECOND && (0..SECONDS_END).contains(&seconds))
        .and_then(|nanos| Timestamp::from_seconds(seconds, nanos));
    if time.is_none() {
        gaps.add(Gap::OutOfRange);
    }
    time
}

/// A `google.protobuf.Int64Value`.
pub(crate) fn wrapped_integer(bytes: Option<&[u8]>, gaps: &mut Gaps) -> Option<i64> {
    read::<Wrapped>(bytes?, gaps)?.value.told()
}

/// A number that cannot be negative: a gap when it is.
pub(crate) fn not_negative(number: i64, gaps: &mut Gaps) -> Option<u64> {
    let number = u64::try_from(number).ok();
    if number.is_none() {
        gaps.add(Gap::OutOfRange);
    }
    number
}

lean! {
    /// `google.protobuf.Timestamp`.
    Moment {
        1 => seconds: Integer,
        2 => nanos: Integer,
    }
}

lean! {
    /// `google.protobuf.Int64Value`.
    Wrapped {
        1 => value: Integer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn gap(gap: Gap) -> Gaps {
        let mut gaps = Gaps::default();
        gaps.add(gap);
        gaps
    }

    #[test]
    fn times_that_cannot_be_true_are_gaps_and_unset_ones_are_not() {
        let fine = Gaps::default();
        let cases = [
            (1_700_000_000, 5, true, fine),
            (0, 1, true, fine),
            (SECONDS_END - 1, 999_999_999, true, fine),
            (0, 0, false, fine),
            (SECONDS_END, 0, false, gap(Gap::OutOfRange)),
            (253_402_300_799, 0, false, gap(Gap::OutOfRange)),
            (-1, 0, false, gap(Gap::OutOfRange)),
            (i64::MIN, i32::MIN, false, gap(Gap::OutOfRange)),
            (1_700_000_000, 1_000_000_000, false, gap(Gap::OutOfRange)),
            (1_700_000_000, -1, false, gap(Gap::OutOfRange)),
        ];
        for (seconds, nanos, present, expected) in cases {
            let bytes = prost_types::Timestamp { seconds, nanos }.encode_to_vec();
            let mut gaps = Gaps::default();
            assert_eq!(
                time(Some(&bytes), &mut gaps),
                if present {
                    Timestamp::from_seconds(seconds, nanos.unsigned_abs())
                } else {
                    None
                }
            );
            assert_eq!(gaps, expected, "{seconds} {nanos}");
        }
    }

    #[test]
    fn one_bad_string_costs_that_string_only() {
        let mut gaps = Gaps::default();
        assert_eq!(word(b"\xff", &mut gaps), None);
        assert_eq!(gaps, gap(Gap::Malformed));
        assert_eq!(word("имя".as_bytes(), &mut gaps), Some(Text::bounded("имя")));
        assert_eq!(word(b"", &mut gaps), None);
        assert_eq!(gaps, gap(Gap::Malformed));
    }
}
