//! Saying the same thing at most so often.

use crate::clock::Timestamp;
use crate::limits::{THROTTLE_INTERVAL, THROTTLE_KEYS_MAX};
use smol_str::SmolStr;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lets a message with a given key through once an interval, and counts those it held back: an API that is
/// down for an hour is sixty lines in the log, not thousands.
///
/// ```
/// # use datasphere_exporter::{clock::Timestamp, flow::Throttle};
/// # let now = Timestamp::from_seconds(1_700_000_000, 0).unwrap();
/// let throttle = Throttle::default();
/// assert_eq!(throttle.admit("poll", now), Some(0), "said");
/// assert_eq!(throttle.admit("poll", now), None, "held back");
/// ```
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    lines: Mutex<HashMap<SmolStr, Line>>,
}

#[derive(Debug)]
struct Line {
    said_at: Timestamp,
    held_back: u64,
}

/// Under which keys share an interval once there are too many of them.
const OTHER: &str = "(other)";

impl Default for Throttle {
    /// Once a minute.
    fn default() -> Self {
        Self::new(THROTTLE_INTERVAL)
    }
}

impl Throttle {
    /// Once an interval.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            lines: Mutex::default(),
        }
    }

    /// Whether to say it now: `Some` with the number of times it was held back since it was last said, or `None`
    /// to hold it back.
    ///
    /// Keys should come from a small set; beyond `limits::THROTTLE_KEYS_MAX` at once they share one interval.
    pub fn admit(&self, key: &str, now: Timestamp) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let full = lines.len() >= THROTTLE_KEYS_MAX && !lines.contains_key(key);
        if full {
            lines.retain(|_, line| now.since(line.said_at) < self.interval);
        }
        let key = if lines.len() >= THROTTLE_KEYS_MAX && !lines.contains_key(key) {
            OTHER
        } else {
            key
        };
        let Some(line) = lines.get_mut(key) else {
            let line = Line {
                said_at: now,
                held_back: 0,
            };
            lines.insert(SmolStr::new(key), line);
            return Some(0);
        };
        if now.since(line.said_at) < self.interval {
            line.held_back = line.held_back.saturating_add(1);
            return None;
        }
        line.said_at = now;
        Some(std::mem::take(&mut line.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn a_storm_is_one_line_a_minute_with_the_number_held_back() {
        let throttle = Throttle::default();
        let said: Vec<_> = (0..150)
            .filter_map(|second| throttle.admit("poll", at(second)))
            .collect();
        assert_eq!(said, [0, 59, 59]);
    }

    #[test]
    fn keys_do_not_silence_each_other() {
        let throttle = Throttle::default();
        assert_eq!(throttle.admit("poll", at(0)), Some(0));
        assert_eq!(throttle.admit("list", at(0)), Some(0));
    }

    #[test]
    fn keys_are_bounded_and_old_ones_make_room() {
        let throttle = Throttle::default();
        let said = (0..2 * THROTTLE_KEYS_MAX)
            .filter(|n| throttle.admit(&n.to_string(), at(0)).is_some())
            .count();
        assert_eq!(said, THROTTLE_KEYS_MAX + 1, "further keys share one line");
        assert_eq!(throttle.admit("a new one", at(61)), Some(0));
        assert_eq!(throttle.lines.lock().expect("not poisoned").len(), 1);
    }
}
