//! Sample values: the same number as text and as a double.

use crate::clock::Timestamp;
use crate::metrics::buffer::Output;
use std::fmt;
use std::time::Duration;

/// A sample's value. The text parses to exactly the double.
pub(super) trait Number: Copy {
    /// As decimal text, the same in every text format.
    fn write(self, out: &mut impl Output);

    /// As protobuf carries it.
    fn double(self) -> f64;
}

impl Number for u64 {
    #[inline]
    fn write(self, out: &mut impl Output) {
        integer(self, out);
    }

    #[inline]
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "rounds as a parser of the text does"
    )]
    fn double(self) -> f64 {
        self as f64
    }
}

impl Number for i64 {
    #[inline]
    fn write(self, out: &mut impl Output) {
        if self < 0 {
            out.byte(b'-');
        }
        integer(self.unsigned_abs(), out);
    }

    #[inline]
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "rounds as a parser of the text does"
    )]
    fn double(self) -> f64 {
        self as f64
    }
}

/// 0 or 1.
impl Number for bool {
    #[inline]
    fn write(self, out: &mut impl Output) {
        out.byte(b'0' + u8::from(self));
    }

    #[inline]
    fn double(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Unix time in seconds, at millisecond resolution.
impl Number for Timestamp {
    #[inline]
    fn write(self, out: &mut impl Output) {
        millis(self.millis().unsigned_abs(), out);
    }

    #[inline]
    fn double(self) -> f64 {
        self.seconds_f64()
    }
}

/// Seconds, at millisecond resolution.
impl Number for Duration {
    #[inline]
    fn write(self, out: &mut impl Output) {
        millis(whole_millis(self), out);
    }

    #[inline]
    fn double(self) -> f64 {
        whole_millis(self).double() / 1000.0
    }
}

/// A percentage, told as the ratio.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percent(pub(super) u8);

impl Number for Percent {
    #[inline]
    fn write(self, out: &mut impl Output) {
        millis(u64::from(self.0) * 10, out);
    }

    #[inline]
    fn double(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Number for f64 {
    fn write(self, out: &mut impl Output) {
        let size = self.abs();
        if self.is_nan() {
            out.bytes(b"NaN");
        } else if self.is_infinite() {
            out.bytes(if self > 0.0 { b"+Inf" } else { b"-Inf" });
        } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
            formatted(format_args!("{self:e}"), out);
        } else {
            formatted(format_args!("{self}"), out);
        }
    }

    #[inline]
    fn double(self) -> f64 {
        self
    }
}

/// The bound of a bucket, as the value of `le`: `10.0`, so that it is one series in every format.
pub(super) fn bound(bound: f64, out: &mut impl Output) {
    if bound == f64::INFINITY {
        out.bytes(b"+Inf");
    } else {
        formatted(format_args!("{bound:?}"), out);
    }
}

/// What the standard library prints: the shortest text that parses to the same double.
fn formatted(number: fmt::Arguments<'_>, out: &mut impl Output) {
    struct Words<'a, O>(&'a mut O);

    impl<O: Output> fmt::Write for Words<'_, O> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.bytes(text.as_bytes());
            Ok(())
        }
    }

    // An output takes everything, and so do numbers.
    fmt::write(&mut Words(out), number).unwrap_or_default();
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Thousandths, as a decimal without trailing zeros.
#[inline]
fn millis(millis: u64, out: &mut impl Output) {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    // Moments between the years 2001 and 2286 have ten digits: the case that counts.
    if (1_000_000_000..10_000_000_000).contains(&seconds) {
        let (high, low) = (seconds / 100_000_000, seconds % 100_000_000);
        let (middle, low) = (low / 10_000, low % 10_000);
        let pairs = [
            pair(high),
            pair(middle / 100),
            pair(middle),
            pair(low / 100),
            pair(low),
        ];
        out.bytes(pairs.as_flattened());
    } else {
        integer(seconds, out);
    }
    if rest != 0 {
        let ([tenth, hundredth], [_, thousandth]) = (pair(rest / 10), pair(rest));
        match (hundredth, thousandth) {
            (b'0', b'0') => out.bytes(&[b'.', tenth]),
            (_, b'0') => out.bytes(&[b'.', tenth, hundredth]),
            _ => out.bytes(&[b'.', tenth, hundredth, thousandth]),
        }
    }
}

/// Decimal digits of a whole number.
#[inline]
fn integer(number: u64, out: &mut impl Output) {
    if let Ok(digit @ 0..=9) = u8::try_from(number) {
        return out.byte(b'0' + digit);
    }
    let mut digits = [0; 20];
    let (mut rest, mut start) = (number, digits.len());
    for place in digits.rchunks_exact_mut(2) {
        place.copy_from_slice(&pair(rest));
        start -= 2;
        rest /= 100;
        if rest == 0 {
            break;
        }
    }
    let text = digits.get(start..).unwrap_or_default();
    out.bytes(text.strip_prefix(b"0").unwrap_or(text));
}

/// The last two digits of a number.
#[inline]
fn pair(number: u64) -> [u8; 2] {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[b'0'; 2]; 100];
        let mut rest: &mut [[u8; 2]] = &mut pairs;
        let (mut tens, mut ones) = (b'0', b'0');
        while let Some((first, others)) = rest.split_first_mut() {
            *first = [tens, ones];
            (tens, ones) = if ones == b'9' {
                (tens + 1, b'0')
            } else {
                (tens, ones + 1)
            };
            rest = others;
        }
        pairs
    };
    let place = usize::try_from(number % 100).unwrap_or(0);
    PAIRS.get(place).copied().unwrap_or([b'0'; 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::buffer::Buffer;
    use proptest::prelude::*;

    fn text(number: impl Number) -> String {
        let mut out = Buffer::default();
        number.write(&mut out);
        String::from_utf8(out.take().expect("something").to_vec()).expect("UTF-8")
    }

    fn same(number: impl Number) {
        let text = text(number);
        let parsed: f64 = text.parse().expect("a number");
        assert_eq!(parsed.to_bits(), number.double().to_bits(), "{text}");
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!(text(0_u64), "0");
        assert_eq!(text(10_u64), "10");
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
        assert_eq!(text(i64::MIN), i64::MIN.to_string());
        assert_eq!(text(true), "1");
        assert_eq!(text(Duration::from_millis(90_500)), "90.5");
        assert_eq!(text(Duration::from_millis(7)), "0.007");
        assert_eq!(
            text(Timestamp::from_seconds(1_700_000_000, 120_000_000).expect("in range")),
            "1700000000.12"
        );
        assert_eq!(text(Timestamp::from_seconds(1, 0).expect("in range")), "1");
        assert_eq!(text(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(text(1e300), "1e300");
        assert_eq!(text(-1e-9), "-1e-9");
        assert_eq!(text(f64::NAN), "NaN");
        assert_eq!(text(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn a_bound_is_one_text_in_every_format() {
        let texts = [0.005, 10.0, 604_800.0, f64::INFINITY].map(|at| {
            let mut out = Buffer::default();
            bound(at, &mut out);
            String::from_utf8(out.take().expect("something").to_vec()).expect("UTF-8")
        });
        assert_eq!(texts, ["0.005", "10.0", "604800.0", "+Inf"]);
    }

    proptest! {
        #[test]
        fn text_and_double_are_the_same_number(
            percent in 0_u8..=100, whole: u64, signed: i64, float: f64, nanos in 1..i64::MAX, millis: u32,
        ) {
            prop_assume!(!float.is_nan());
            same(Percent(percent));
            same(whole);
            same(signed);
            same(float);
            same(Timestamp::from_nanos(nanos).expect("positive"));
            same(Duration::from_millis(u64::from(millis)));
        }
    }
}
