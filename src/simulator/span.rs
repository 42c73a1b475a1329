//! Spans of script time as a scenario writes them: `90s`, `1h30m`, `-10m`.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::time::Duration;

/// A span of script time, to the millisecond; negative means before the start of the simulator.
///
/// At `speed: 60` a span of an hour lasts a minute on the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    millis: i64,
}

/// Unit suffixes and their length in milliseconds; `ms` stands before `m` and `s`, whose letters it ends in.
const UNITS: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
/// A hundred years: longer spans are typing errors, and sums of shorter ones cannot overflow.
const LONGEST_MILLIS: i64 = 100 * 365 * 86_400_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

impl Span {
    /// From whole seconds; saturates at a hundred years.
    pub fn seconds(seconds: i64) -> Self {
        Self {
            millis: seconds
                .saturating_mul(1000)
                .clamp(-LONGEST_MILLIS, LONGEST_MILLIS),
        }
    }

    /// From whole minutes; saturates at a hundred years.
    pub fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// From text such as `1h30m`, `250ms`, `-2d` or `0`; `None` when it is not a span.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        if rest == "0" {
            return Some(Self::default());
        }
        let mut millis = 0i64;
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
            let (number, unit_and_rest) = rest.split_at_checked(digits)?;
            let (unit, length) = UNITS.iter().find(|(unit, _)| unit_and_rest.starts_with(unit))?;
            millis = millis.checked_add(number.parse::<i64>().ok()?.checked_mul(*length)?)?;
            rest = unit_and_rest.get(unit.len()..)?;
        }
        let valid = !text.is_empty() && text != "-" && millis <= LONGEST_MILLIS;
        valid.then_some(Self {
            millis: sign * millis,
        })
    }

    /// Whether it lies before the start.
    pub fn is_negative(self) -> bool {
        self.millis < 0
    }

    /// Its length, without the sign.
    pub fn length(self) -> Duration {
        Duration::from_millis(self.millis.unsigned_abs())
    }

    /// Its length on the clock when the script runs `speed` times as fast.
    pub(crate) fn at_speed(self, speed: f64) -> Duration {
        self.length().div_f64(speed)
    }

    /// Signed nanoseconds on the clock when the script runs `speed` times as fast.
    pub(crate) fn nanos_at_speed(self, speed: f64) -> i64 {
        let nanos = i64::try_from(self.at_speed(speed).as_nanos()).unwrap_or(i64::MAX);
        if self.is_negative() { -nanos } else { nanos }
    }

    /// Signed nanoseconds.
    pub(crate) fn nanos(self) -> i64 {
        self.millis.saturating_mul(NANOS_PER_MILLI)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanText;
        impl Visitor<'_> for SpanText {
            type Value = Span;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a span of time such as 90s, 10m, 1h30m, -2d or 250ms")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| {
                    E::custom(format_args!(
                        "`{text}` is not a span of time: write 90s, 10m, 1h30m, -2d or 250ms"
                    ))
                })
            }
        }
        deserializer.deserialize_str(SpanText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_the_way_people_write_it() {
        let cases = [
            ("0", 0),
            ("90s", 90),
            ("1h30m", 5400),
            ("-10m", -600),
            ("2d", 172_800),
            ("1m1s", 61),
        ];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text), Some(Span::seconds(seconds)), "{text}");
        }
        assert_eq!(Span::parse("1500ms").map(Span::nanos), Some(1_500_000_000));
    }

    #[test]
    fn what_is_not_a_span_is_refused() {
        for text in ["", "-", "10", "m", "1x", "1h 30m", "--1s", "9999999999d", "1.5h"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn speed_shortens_spans_and_keeps_their_sign() {
        assert_eq!(Span::minutes(60).at_speed(60.0), Duration::from_mins(1));
        assert_eq!(Span::minutes(-60).nanos_at_speed(60.0), -60_000_000_000);
    }
}
