//! When each row is due for its next look.

use crate::clock::Timestamp;
use crate::model::{JobStatus, State, TrackedOperation, Unreadable};
use crate::tracker::Settings;
use crate::tracker::rows::Book;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Which looks go first when more are due than may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    /// Young operations, and ends that a listing hints at.
    Urgent,
    /// All others.
    Routine,
}

/// Rows by due time, in two lanes; a row is in at most one.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    urgent: BTreeSet<(Timestamp, usize)>,
    routine: BTreeSet<(Timestamp, usize)>,
    places: HashMap<usize, (Lane, Timestamp)>,
}

impl Schedule {
    /// Puts a row in, or moves it.
    pub(crate) fn put(&mut self, slot: usize, lane: Lane, due_at: Timestamp) {
        self.remove(slot);
        self.lane(lane).insert((due_at, slot));
        self.places.insert(slot, (lane, due_at));
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, slot: usize) {
        if let Some((lane, due_at)) = self.places.remove(&slot) {
            self.lane(lane).remove(&(due_at, slot));
        }
    }

    /// Takes out what is due, urgent first, earliest first.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<usize> {
        let mut due = Vec::new();
        for lane in [&mut self.urgent, &mut self.routine] {
            while due.len() < limit && lane.first().is_some_and(|(due_at, _)| *due_at <= now) {
                due.extend(lane.pop_first().map(|(_, slot)| slot));
            }
        }
        for slot in &due {
            self.places.remove(slot);
        }
        due
    }

    /// When the first row is due.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        let firsts = [self.urgent.first(), self.routine.first()];
        firsts.into_iter().flatten().map(|(due_at, _)| *due_at).min()
    }

    fn lane(&mut self, lane: Lane) -> &mut BTreeSet<(Timestamp, usize)> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Routine => &mut self.routine,
        }
    }
}

/// A look comes after this part of the time that an operation has been as it is: what was quiet for an hour
/// will hardly change within the next two minutes.
const AGE_SHARE: u32 = 30;

/// A look comes after this part of the time that is left by its progress.
const REMAINING_SHARE: u32 = 10;

/// An id that the cloud never knew is asked for after this part of the time that it has been so: thousands of files of
/// old runs must not use up the rate limit.
const UNKNOWN_SHARE: u32 = 10;

/// Longest time between two looks at such an id.
const UNKNOWN_INTERVAL_MAX: Duration = Duration::from_hours(1);

/// Half the width of the jitter, in percent: what was sighted together must not stay together.
const JITTER_PERCENT: u64 = 10;

/// How long to wait until the next look.
pub(crate) fn poll_interval(
    row: &TrackedOperation,
    book: &Book,
    settings: &Settings,
    now: Timestamp,
) -> Duration {
    let (shortest, longest) = (settings.interval, settings.interval_max.max(settings.interval));
    let wait = if !row.observed && book.open.unreadable == Some(Unreadable::NotFound) {
        let unknown_for = now.since(row.tracked_at) / UNKNOWN_SHARE;
        unknown_for.clamp(longest, UNKNOWN_INTERVAL_MAX.max(longest))
    } else if book.open.unreadable.is_some() {
        longest
    } else if book.unanswered > 0 {
        shortest.saturating_mul(1 << book.unanswered.min(16)).min(longest)
    } else if changes_soon(row, book) {
        shortest
    } else {
        let settled_since = row.status_since.unwrap_or(row.tracked_at).max(row.tracked_at);
        let by_age = now.since(settled_since) / AGE_SHARE;
        by_age
            .min(row.time_left(now).map_or(longest, |left| left / REMAINING_SHARE))
            .clamp(shortest, longest)
    };
    jittered(wait, row.key.0, book.looks)
}

/// Whether the next change is near: ends, cancellations, rollbacks, and answers that are still missing.
fn changes_soon(row: &TrackedOperation, book: &Book) -> bool {
    let ending = matches!(
        row.status,
        Some(JobStatus::UploadingOutput | JobStatus::Cancelling)
    );
    !row.observed || ending || row.state == State::Failing || book.is_awaited() || book.open.not_found > 0
}

/// Spread by up to a tenth in both directions, without a source of chance: the tracker is pure.
fn jittered(wait: Duration, key: u64, look: u8) -> Duration {
    let mut bits = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(look) << 32);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^= bits >> 27;
    let percent = 100 - JITTER_PERCENT + bits % (2 * JITTER_PERCENT + 1);
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX / 200);
    Duration::from_millis(millis.saturating_mul(percent) / 100)
}
