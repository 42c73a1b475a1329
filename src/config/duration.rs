//! Durations as people write them: `10s`, `2m`, `1h30m`, `7d`.

use std::time::Duration;

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads numbers with units, longest unit first, each unit once; `0` needs none.
///
/// # Errors
/// What is wrong with it, without quoting it.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    match text {
        "" => return Err("it is empty"),
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total_ms = 0_u64;
    while !rest.is_empty() {
        let (number, tail) = cut(rest, |c| c.is_ascii_digit());
        let (unit, tail) = cut(tail, |c| c.is_ascii_alphabetic());
        match (number, unit) {
            ("", _) => return Err(misplaced(rest)),
            (_, "") if tail.is_empty() => return Err("a number has no unit behind it"),
            (_, "") => return Err(misplaced(tail)),
            _ => {}
        }
        // Each unit is taken from those that are shorter than the last.
        let Some(place) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(unfit(unit));
        };
        let (head, shorter) = units.split_at(place.saturating_add(1));
        let unit_ms = head.last().map_or(0, |(_, unit_ms)| *unit_ms);
        let part_ms = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit_ms));
        total_ms = part_ms
            .and_then(|part_ms| total_ms.checked_add(part_ms))
            .ok_or("it is too long")?;
        units = shorter;
        rest = tail;
    }
    Ok(Duration::from_millis(total_ms))
}

/// What is in front of the first character that does not belong, and the rest.
fn cut(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c: char| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn misplaced(rest: &str) -> &'static str {
    match rest.chars().next() {
        Some('.' | ',') => "it has a fraction; write whole numbers and a smaller unit",
        Some('-') => "it is negative",
        Some(c) if c.is_whitespace() => "it has a space in it",
        Some(c) if c.is_ascii_alphabetic() => "a unit has no number before it",
        _ => "it has more than numbers and units",
    }
}

fn unfit(unit: &str) -> &'static str {
    if UNITS.iter().any(|(name, _)| *name == unit) {
        "its units are not the longest first, each once"
    } else {
        "a unit is none of w, d, h, m, s and ms"
    }
}

/// Writes it the same way, in days and below; parts of a millisecond are dropped.
pub(crate) fn write(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, unit_ms) in UNITS.iter().skip(1) {
        let count = rest_ms / unit_ms;
        rest_ms %= unit_ms;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("500ms", 500),
            ("0s", 0),
            ("0", 0),
            ("90m", 5_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_duration_that_cannot_be_read_is_told_what_is_wrong_with_it() {
        let cases = [
            ("", "it is empty"),
            ("10", "a number has no unit behind it"),
            ("1h30", "a number has no unit behind it"),
            ("s", "a unit has no number before it"),
            (
                "1.5h",
                "it has a fraction; write whole numbers and a smaller unit",
            ),
            ("-1s", "it is negative"),
            ("1m1h", "its units are not the longest first, each once"),
            ("1s1s", "its units are not the longest first, each once"),
            ("10 s", "it has a space in it"),
            ("10+", "it has more than numbers and units"),
            ("1y", "a unit is none of w, d, h, m, s and ms"),
            ("1min", "a unit is none of w, d, h, m, s and ms"),
            ("99999999999999999999s", "it is too long"),
            ("18446744073709551615w", "it is too long"),
        ];
        for (text, problem) in cases {
            assert_eq!(parse(text), Err(problem), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..u64::MAX) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&write(duration)), Ok(duration));
        }
    }
}
