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
/// assert!(throttle.admit("poll", now).is_some(), "said");
/// assert!(throttle.admit("poll", now).is_none(), "held back");
/// ```
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    lines: Mutex<HashMap<SmolStr, Line>>,
}

/// A line that may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// How often it was held back since it was last said; `None` when it was not, so that no line tells a zero.
    pub held_back: Option<u64>,
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

    /// Whether to say it now; `None` is to hold it back.
    ///
    /// Keys should come from a small set; beyond `limits::THROTTLE_KEYS_MAX` at once they share one interval.
    pub fn admit(&self, key: &str, now: Timestamp) -> Option<Said> {
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
            return Some(Said { held_back: None });
        };
        if now.since(line.said_at) < self.interval {
            line.held_back = line.held_back.saturating_add(1);
            return None;
        }
        line.said_at = now;
        let held_back = std::mem::take(&mut line.held_back);
        Some(Said {
            held_back: (held_back > 0).then_some(held_back),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_FIRST: Option<Said> = Some(Said { held_back: None });

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn a_storm_is_one_line_a_minute_with_the_number_held_back() {
        let throttle = Throttle::default();
        let said: Vec<_> = (0..150)
            .filter_map(|second| throttle.admit("poll", at(second)))
            .map(|admitted| admitted.held_back)
            .collect();
        assert_eq!(said, [None, Some(59), Some(59)]);
    }

    #[test]
    fn keys_do_not_silence_each_other() {
        let throttle = Throttle::default();
        assert_eq!(throttle.admit("poll", at(0)), AT_FIRST);
        assert_eq!(throttle.admit("list", at(0)), AT_FIRST);
    }

    #[test]
    fn keys_are_bounded_and_old_ones_make_room() {
        let throttle = Throttle::default();
        let said = (0..2 * THROTTLE_KEYS_MAX)
            .filter(|n| throttle.admit(&n.to_string(), at(0)).is_some())
            .count();
        assert_eq!(said, THROTTLE_KEYS_MAX + 1, "further keys share one line");
        assert_eq!(throttle.admit("a new one", at(61)), AT_FIRST);
        assert_eq!(throttle.lines.lock().expect("not poisoned").len(), 1);
    }
}
