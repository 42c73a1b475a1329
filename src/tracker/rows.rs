//! The rows, how they are found, and what is noted about looking at each.

use crate::clock::Timestamp;
use crate::model::{
    About, Boundary, Kind, OpenQuestions, OperationKey, OperationRecord, Operations, ProjectId, Record,
    RecordKey, RecordValue, Reported, Source, State, StatusTimes, Target, TrackedOperation, Unread,
    Unreadable,
};
use crate::tracker::index::Index;
use crate::tracker::unknown::Unknown;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Rows by slot, by operation id and by job id.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    operations: Operations,
    books: Vec<Book>,
    free: Vec<usize>,
    by_operation: Index,
    by_job: Index,
    /// Jobs of each project that have not ended: what a listing of live jobs should show.
    live_jobs: HashMap<ProjectId, BTreeSet<usize>>,
    tracked: BTreeMap<Kind, u64>,
    unreadable: BTreeMap<Unreadable, u64>,
    unlooked: usize,
    unknown: Unknown,
    /// What is known about every new row: nothing. Shared, and with it the empty map of labels.
    undescribed: Arc<About>,
    next_key: u64,
    /// Rows that changed since they were last recorded, with the slots in which they were.
    touched: BTreeMap<OperationKey, usize>,
    /// The next key, as it was last recorded.
    recorded_key: u64,
}

/// The books grow by this share of their number, not by as much again: a fleet grows slowly, and is held for weeks.
const GROWTH_SHARE: usize = 8;

/// How an answer was asked for, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// By a look at this operation.
    Alone(Timestamp),
    /// By a listing of its project's jobs.
    InListing(Timestamp),
}

/// What is noted about looking at one row; not part of what readers see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// When the newest look that was applied had been asked for.
    pub(crate) looked_at: Option<Timestamp>,
    /// When the newest listing that was applied had been asked for.
    pub(crate) listed_at: Option<Timestamp>,
    /// Looks so far, of any answer; wraps, but never to zero. Spreads the jitter too.
    pub(crate) looks: u8,
    /// Looks without an answer, in a row.
    pub(crate) unanswered: u8,
    /// A look is under way.
    pub(crate) in_flight: bool,
    /// What survives a restart with the row.
    pub(crate) open: OpenQuestions,
}

impl Book {
    /// When the newest answer that was applied had been asked for.
    pub(crate) fn asked_at(&self) -> Option<Timestamp> {
        self.looked_at.max(self.listed_at)
    }

    /// Whether an answer is older than what is known.
    ///
    /// A look may have waited for the rate limit, so a listing asked for meanwhile proves little against it: it is
    /// stale only if it says that a job lives which is known to be over.
    pub(crate) fn is_stale(&self, asked: Asked, is_over: bool, says_over: bool) -> bool {
        match asked {
            Asked::InListing(at) => self.asked_at().is_some_and(|applied| at < applied),
            Asked::Alone(at) => {
                let is_older = |applied: Option<Timestamp>| applied.is_some_and(|applied| at < applied);
                is_older(self.looked_at) || (is_older(self.listed_at) && is_over && !says_over)
            }
        }
    }

    /// Notes that an answer was applied.
    pub(crate) fn applied(&mut self, asked: Asked) {
        match asked {
            Asked::Alone(at) => {
                self.looked_at = Some(at);
                self.open.not_found = 0;
                self.unanswered = 0;
            }
            Asked::InListing(at) => self.listed_at = Some(at),
        }
        self.open.left_listing = false;
    }

    /// Whether a look is expected to find an end or a first observation: such looks come first.
    pub(crate) fn is_awaited(&self) -> bool {
        self.open.left_listing || self.open.terminal_since.is_some() || self.looks == 0
    }
}

impl Rows {
    /// A new row, known by `target` only. Its slot.
    pub(crate) fn insert(&mut self, target: &Target, source: Source, attempt: u32, now: Timestamp) -> usize {
        let key = OperationKey(self.next_key);
        self.next_key += 1;
        let row = Arc::new(TrackedOperation {
            attempt,
            about: Arc::clone(&self.undescribed),
            ..blank(key, target, source, now)
        });
        let slot = self.place(row, Book::default());
        self.touched.insert(key, slot);
        slot
    }

    /// Puts a row with its book into a free slot.
    fn place(&mut self, row: Arc<TrackedOperation>, book: Book) -> usize {
        let slot = self.free.pop().unwrap_or(self.books.len());
        self.unlooked += usize::from(book.looks == 0);
        if let Some(reason) = book.open.unreadable {
            *self.unreadable.entry(reason).or_insert(0) += 1;
        }
        if let Some(place) = self.books.get_mut(slot) {
            *place = book;
        } else {
            if self.books.len() == self.books.capacity() {
                self.books.reserve_exact(self.books.len() / GROWTH_SHARE + 1);
            }
            self.books.push(book);
        }
        *self.tracked.entry(row.kind).or_insert(0) += 1;
        self.list_live(slot, None, Some(&row));
        self.index(slot, &row);
        self.operations.set(slot, Some(row));
        self.note_unknown(slot);
        slot
    }

    /// Puts a row back as it was recorded. What a clock that was ahead has noted would stop everything until the
    /// present one is there too: nothing lies after `now`.
    pub(crate) fn restore(&mut self, record: OperationRecord, now: Timestamp) -> usize {
        let mut row = record.row;
        let past = |at: Option<Timestamp>| at.map(|at| at.min(now));
        Arc::make_mut(&mut row).clamp_to(now);
        self.next_key = self.next_key.max(row.key.0.saturating_add(1));
        let book = Book {
            looked_at: past(record.looked_at),
            listed_at: past(record.listed_at),
            looks: u8::from(record.is_seen),
            open: OpenQuestions {
                terminal_since: past(record.open.terminal_since),
                not_found_since: past(record.open.not_found_since),
                hearsay_at: past(record.open.hearsay_at),
                ..record.open
            },
            ..Book::default()
        };
        self.place(row, book)
    }

    /// No key below this one is given again.
    pub(crate) fn restore_next_key(&mut self, key: OperationKey) {
        self.next_key = self.next_key.max(key.0);
        self.recorded_key = self.next_key;
    }

    /// Records what changed since the last call.
    pub(crate) fn record(&mut self, records: &mut Vec<Record>) {
        if self.next_key != self.recorded_key {
            self.recorded_key = self.next_key;
            records.push(Record {
                key: RecordKey::NextKey,
                value: Some(RecordValue::NextKey(OperationKey(self.next_key))),
            });
        }
        for (key, slot) in std::mem::take(&mut self.touched) {
            let row = self.operations.get(slot).filter(|row| row.key == key);
            let kept = row.zip(self.books.get(slot)).map(|(row, book)| OperationRecord {
                row: Arc::clone(row),
                looked_at: book.looked_at,
                listed_at: book.listed_at,
                is_seen: book.looks > 0,
                open: book.open,
            });
            records.push(Record {
                key: RecordKey::Operation(key),
                value: kept.map(|kept| RecordValue::Operation(Box::new(kept))),
            });
        }
    }

    /// Counts everything as recorded.
    pub(crate) fn forget_records(&mut self) {
        self.touched.clear();
        self.recorded_key = self.next_key;
    }

    /// Takes a row away, with all its ids.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<Arc<TrackedOperation>> {
        let row = Arc::clone(self.operations.get(slot)?);
        self.operations.set(slot, None);
        self.set_readable(slot);
        if self.book(slot).is_some_and(|book| book.looks == 0) {
            self.unlooked -= 1;
        }
        self.count_kind(row.kind, -1);
        self.list_live(slot, Some(&row), None);
        self.unindex(slot, &row);
        self.unknown.forget(&row);
        self.free.push(slot);
        self.touched.insert(row.key, slot);
        Some(row)
    }

    /// Replaces a row, and learns the ids it has now.
    pub(crate) fn replace(&mut self, slot: usize, row: &Arc<TrackedOperation>) {
        let Some(before) = self.operations.get(slot).map(Arc::clone) else {
            return;
        };
        if before.kind != row.kind {
            self.count_kind(before.kind, -1);
            self.count_kind(row.kind, 1);
        }
        self.list_live(slot, Some(&before), Some(row));
        if (&before.operation_id, &before.job_id) != (&row.operation_id, &row.job_id) {
            self.unindex(slot, &before);
        }
        self.index(slot, row);
        self.touched.insert(row.key, slot);
        self.operations.set(slot, Some(Arc::clone(row)));
        self.note_unknown(slot);
    }

    fn list_live(
        &mut self,
        slot: usize,
        before: Option<&TrackedOperation>,
        after: Option<&TrackedOperation>,
    ) {
        let live_in = |row: &TrackedOperation| {
            row.project_id
                .clone()
                .filter(|_| row.job_id.is_some() && row.outcome.is_none())
        };
        let (before, after) = (before.and_then(live_in), after.and_then(live_in));
        if before == after {
            return;
        }
        if let Some(slots) = before.and_then(|project_id| self.live_jobs.get_mut(&project_id)) {
            slots.remove(&slot);
        }
        if let Some(project_id) = after {
            self.live_jobs.entry(project_id).or_default().insert(slot);
        }
    }

    /// Slots of a project's jobs that have not ended.
    pub(crate) fn live_jobs(&self, project_id: &ProjectId) -> Vec<usize> {
        self.live_jobs
            .get(project_id)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    fn index(&mut self, slot: usize, row: &TrackedOperation) {
        for id in row.operation_id.iter().chain(&row.about.aliases) {
            self.by_operation.insert(id.as_str(), slot);
        }
        if let Some(id) = &row.job_id {
            self.by_job.insert(id.as_str(), slot);
        }
    }

    /// Forgets the ids of a row, so that none leads to the next tenant of its slot.
    fn unindex(&mut self, slot: usize, row: &TrackedOperation) {
        for id in row.operation_id.iter().chain(&row.about.aliases) {
            self.by_operation.remove(id.as_str(), slot);
        }
        if let Some(id) = &row.job_id {
            self.by_job.remove(id.as_str(), slot);
        }
    }

    fn count_kind(&mut self, kind: Kind, by: i64) {
        let count = self.tracked.entry(kind).or_insert(0);
        *count = count.saturating_add_signed(by);
    }

    /// A look came back, whatever it told.
    pub(crate) fn looked(&mut self, slot: usize) {
        self.seen(slot);
        if let Some(book) = self.books.get_mut(slot) {
            book.looks = book.looks.wrapping_add(1).max(1);
            book.in_flight = false;
        }
    }

    /// A row is no longer one that nobody ever looked at, be it by a look or by a listing.
    pub(crate) fn seen(&mut self, slot: usize) {
        if let Some(book) = self.books.get_mut(slot).filter(|book| book.looks == 0) {
            book.looks = 1;
            self.unlooked -= 1;
        }
    }

    /// A look or a listing told something at `now`: bookkeeping that makes no event.
    pub(crate) fn polled(&mut self, slot: usize, now: Timestamp) {
        if let Some(row) = self.operations.get_mut(slot) {
            row.polled_at = Some(now);
        }
    }

    /// Notes why a row cannot be read: bookkeeping that makes no event.
    pub(crate) fn set_unreadable(&mut self, slot: usize, reason: Unreadable, now: Timestamp) {
        let known = self.operations.get(slot).and_then(|row| row.unreadable);
        if known.is_none_or(|known| known.reason != reason)
            && let Some(row) = self.operations.get_mut(slot)
        {
            row.unreadable = Some(Unread { reason, since: now });
            self.touch(slot);
        }
        self.note_readability(slot, Some(reason));
    }

    /// Notes that a row can be read.
    pub(crate) fn set_readable(&mut self, slot: usize) {
        let row = self.operations.get(slot);
        if row.is_some_and(|row| row.unreadable.is_some())
            && let Some(row) = self.operations.get_mut(slot)
        {
            row.unreadable = None;
            self.touch(slot);
        }
        self.note_readability(slot, None);
    }

    fn note_readability(&mut self, slot: usize, reason: Option<Unreadable>) {
        let Some(book) = self.books.get_mut(slot) else {
            return;
        };
        let before = std::mem::replace(&mut book.open.unreadable, reason);
        if before == reason {
            return;
        }
        self.touch(slot);
        if let Some(count) = before.and_then(|reason| self.unreadable.get_mut(&reason)) {
            *count = count.saturating_sub(1);
        }
        if let Some(reason) = reason {
            *self.unreadable.entry(reason).or_insert(0) += 1;
        }
        self.note_unknown(slot);
    }

    fn note_unknown(&mut self, slot: usize) {
        if let Some((row, book)) = self.operations.get(slot).zip(self.books.get(slot)) {
            self.unknown.note(slot, row, &book.open);
        }
    }

    /// Rows under ids that the cloud does not know or does not show.
    pub(crate) fn unknown(&self) -> &Unknown {
        &self.unknown
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Arc<TrackedOperation>> {
        self.operations.get(slot)
    }

    pub(crate) fn book(&self, slot: usize) -> Option<&Book> {
        self.books.get(slot)
    }

    /// Notes something in the book of a row.
    pub(crate) fn note(&mut self, slot: usize, change: impl FnOnce(&mut Book)) {
        let Some(book) = self.books.get_mut(slot) else {
            return;
        };
        let before = book.open;
        change(book);
        if book.open != before {
            self.touch(slot);
        }
    }

    fn touch(&mut self, slot: usize) {
        if let Some(row) = self.operations.get(slot) {
            self.touched.insert(row.key, slot);
        }
    }

    /// The row that is known by a target.
    pub(crate) fn find(&self, target: &Target) -> Option<usize> {
        let row = |slot| self.operations.get(slot);
        match target {
            Target::Operation(id) => self.by_operation.find(id.as_str(), |slot| {
                row(slot).is_some_and(|row| {
                    row.operation_id.as_ref() == Some(id) || row.about.aliases.contains(id)
                })
            }),
            Target::Job(id) => self.by_job.find(id.as_str(), |slot| {
                row(slot).is_some_and(|row| row.job_id.as_ref() == Some(id))
            }),
        }
    }

    /// What to ask for, to learn how a row stands; the look is under way from here.
    pub(crate) fn depart(&mut self, slot: usize) -> Option<Target> {
        let (row, book) = (self.operations.get(slot)?, self.books.get_mut(slot)?);
        book.in_flight = true;
        let by_job = || row.job_id.clone().map(Target::Job);
        let by_operation = || row.operation_id.clone().map(Target::Operation);
        if book.open.operation_gone {
            by_job()
        } else {
            by_operation().or_else(by_job)
        }
    }

    /// Slots of the rows that are so; walks all.
    pub(crate) fn slots_of(&self, is_so: impl Fn(&TrackedOperation) -> bool) -> Vec<usize> {
        (0..self.operations.slots())
            .filter(|slot| self.get(*slot).is_some_and(|row| is_so(row)))
            .collect()
    }

    /// Slots of what could not be read when it was looked at last.
    pub(crate) fn slots_unreadable(&self) -> Vec<usize> {
        let books = self.books.iter().enumerate();
        books
            .filter(|(_, book)| book.open.unreadable.is_some())
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Rows in use.
    pub(crate) fn len(&self) -> usize {
        self.books.len() - self.free.len()
    }

    pub(crate) fn unlooked(&self) -> usize {
        self.unlooked
    }

    pub(crate) fn operations(&self) -> Operations {
        self.operations.clone()
    }

    pub(crate) fn tracked(&self) -> BTreeMap<Kind, u64> {
        self.tracked.clone()
    }

    pub(crate) fn unreadable(&self) -> BTreeMap<Unreadable, u64> {
        self.unreadable.clone()
    }
}

fn blank(key: OperationKey, target: &Target, source: Source, now: Timestamp) -> TrackedOperation {
    let (operation_id, job_id) = match target {
        Target::Operation(id) => (Some(id.clone()), None),
        Target::Job(id) => (None, Some(id.clone())),
    };
    TrackedOperation {
        key,
        kind: if job_id.is_some() { Kind::Job } else { Kind::Other },
        source,
        attempt: 1,
        observed: false,
        hidden: false,
        operation_id,
        job_id,
        project_id: None,
        state: State::Running,
        status: None,
        status_since: None,
        status_boundary: Boundary::FirstSeen,
        status_times: StatusTimes::default(),
        status_uncertainty_ms: 0,
        outcome: None,
        reported: Reported::default(),
        progress_changed_at: None,
        unreadable: None,
        about: Arc::default(),
        tracked_at: now,
        ended_at: None,
        polled_at: None,
        trace: None,
    }
}
