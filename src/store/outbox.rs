//! Spans that wait for their collector, in the order in which they were made.

use crate::clock::Timestamp;
use crate::limits::STORE_ROWS_MAX;
use crate::model::{EncodedSpans, SpanKey};
use crate::store::writer::{Writer, query, rows};
use crate::store::{Store, StoreError, database};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tokio::sync::watch;

/// The sender's end of a store: whoever sends takes the oldest, and says what became of them.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Store,
    figures: watch::Receiver<Figures>,
}

/// Which spans of the outbox; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpansId(i64);

/// What the outbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries that wait.
    pub waiting: u64,
    /// Entries that were set aside.
    pub set_aside: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// When the oldest that waits was made.
    pub oldest_at: Option<Timestamp>,
    /// Spans that were given up since the start, for want of room or because of their age.
    pub dropped_total: u64,
}

/// What became of spans; the numbers are those of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The collector has them: only their key is kept.
    Told,
    /// The collector will never take them.
    Aside,
    /// They wait.
    Waiting,
}

impl State {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Told => 0,
            Self::Aside => 1,
            Self::Waiting => 2,
        }
    }
}

impl Outbox {
    pub(crate) fn new(store: Store, figures: watch::Receiver<Figures>) -> Self {
        Self { store, figures }
    }

    /// At most `limit` entries that wait, the oldest first. They go on waiting until more is said.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn oldest(&self, limit: u32) -> Result<Vec<(SpansId, EncodedSpans)>, StoreError> {
        let mut writer = self.store.writer().await;
        let oldest = sqlx::query(
            "SELECT place, key, at, count, is_failure, bytes FROM spans WHERE state = $1 ORDER BY place LIMIT $2",
        );
        let oldest = oldest.bind(State::Waiting.number()).bind(limit);
        let rows = oldest.fetch_all(&mut writer.database).await?;
        rows.iter().map(entry).collect()
    }

    /// The collector has taken these.
    ///
    /// # Errors
    /// When the database refuses: they will be sent again, with the same content.
    pub async fn delivered(&self, ids: &[SpansId]) -> Result<(), StoreError> {
        self.mark(ids, State::Told, "").await
    }

    /// The collector will never take these; `reason` is kept with them.
    ///
    /// # Errors
    /// When the database refuses: they will be sent again.
    pub async fn set_aside(&self, ids: &[SpansId], reason: &str) -> Result<(), StoreError> {
        self.mark(ids, State::Aside, reason).await
    }

    /// Whether what it holds survives a restart.
    pub fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// What it holds now.
    pub fn figures(&self) -> Figures {
        *self.figures.borrow()
    }

    /// Waits until what it holds has changed since this handle looked last; `false` once the store is gone.
    pub async fn changed(&mut self) -> bool {
        self.figures.changed().await.is_ok()
    }

    async fn mark(&self, ids: &[SpansId], state: State, reason: &str) -> Result<(), StoreError> {
        let mut writer = self.store.writer().await;
        database::begin(&mut writer.database).await?;
        let marked = writer.mark(ids, state, reason).await;
        writer.figures = database::end(&mut writer.database, marked).await?;
        self.store.settle(&mut writer).await
    }
}

impl Writer {
    /// What the outbox holds with these marked.
    async fn mark(&mut self, ids: &[SpansId], state: State, reason: &str) -> Result<Figures, StoreError> {
        let mut figures = self.figures;
        for chunk in ids.chunks(STORE_ROWS_MAX) {
            let places = rows(1, chunk.len());
            let waiting = format!(
                "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM spans WHERE place IN {places} AND state = {}",
                State::Waiting.number()
            );
            let waiting = chunk.iter().fold(query(waiting), |query, id| query.bind(id.0));
            let row = waiting.fetch_one(&mut self.database).await?;
            figures.marked(state, number(&row, 0)?, number(&row, 1)?);
            if state == State::Told {
                shorten(&mut self.database, chunk).await?;
                continue;
            }
            let mark = format!(
                "UPDATE spans SET state = {}, reason = ${} WHERE place IN {places} AND state = {}",
                state.number(),
                chunk.len() + 1,
                State::Waiting.number()
            );
            let mark = chunk.iter().fold(query(mark), |query, id| query.bind(id.0));
            mark.bind(reason).execute(&mut self.database).await?;
        }
        figures.read_oldest(&mut self.database).await?;
        Ok(figures)
    }
}

/// Leaves of entries that were told nothing but their keys.
///
/// They are taken out and put in again: a row that is made short in its place keeps the room that it had, because SQLite
/// joins pages only when rows leave them.
async fn shorten(database: &mut SqliteConnection, ids: &[SpansId]) -> Result<(), StoreError> {
    let told = format!(
        "DELETE FROM spans WHERE place IN {} AND state = {} RETURNING place, key, at, count, is_failure",
        rows(1, ids.len()),
        State::Waiting.number()
    );
    let told = ids.iter().fold(query(told), |query, id| query.bind(id.0));
    let told = told.fetch_all(&mut *database).await?;
    if told.is_empty() {
        return Ok(());
    }
    let mut keys = query(format!(
        "INSERT INTO spans (place, key, at, count, is_failure, state, reason, bytes) VALUES {}",
        rows(told.len(), 8)
    ));
    for row in &told {
        keys = keys
            .bind(row.try_get::<i64, _>(0)?)
            .bind(row.try_get::<&[u8], _>(1)?)
            .bind(row.try_get::<i64, _>(2)?)
            .bind(row.try_get::<i64, _>(3)?)
            .bind(row.try_get::<bool, _>(4)?)
            .bind(State::Told.number())
            .bind("")
            .bind([].as_slice());
    }
    keys.execute(database).await?;
    Ok(())
}

impl Figures {
    /// Of a database that was just opened.
    pub(crate) async fn read(database: &mut SqliteConnection) -> Result<Self, StoreError> {
        let mut figures = Self::default();
        let states = sqlx::query(
            "SELECT state, count(*), coalesce(sum(length(bytes)), 0) FROM spans WHERE state > $1 GROUP BY state",
        );
        let states = states.bind(State::Told.number());
        for row in states.fetch_all(&mut *database).await? {
            let (state, count): (i64, u64) = (row.try_get(0)?, number(&row, 1)?);
            figures.bytes += number(&row, 2)?;
            if state == State::Waiting.number() {
                figures.waiting = count;
            } else {
                figures.set_aside = count;
            }
        }
        figures.read_oldest(database).await?;
        Ok(figures)
    }

    /// Looks up when the oldest that waits was made.
    pub(crate) async fn read_oldest(&mut self, database: &mut SqliteConnection) -> Result<(), StoreError> {
        let oldest = sqlx::query_scalar("SELECT at FROM spans WHERE state = $1 ORDER BY place LIMIT 1");
        let at: Option<i64> = oldest
            .bind(State::Waiting.number())
            .fetch_optional(database)
            .await?;
        self.oldest_at = at.and_then(Timestamp::from_nanos);
        Ok(())
    }

    /// One more waits.
    pub(crate) fn entered(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        self.waiting += 1;
        self.bytes += number(row, 0)?;
        Ok(())
    }

    /// One left: a row of state, count and bytes.
    pub(crate) fn left(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        let state: i64 = row.try_get(0)?;
        if state == State::Waiting.number() {
            self.waiting = self.waiting.saturating_sub(1);
            self.dropped_total += number(row, 1)?;
        } else if state == State::Aside.number() {
            self.set_aside = self.set_aside.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(number(row, 2)?);
        Ok(())
    }

    fn marked(&mut self, state: State, count: u64, bytes: u64) {
        self.waiting = self.waiting.saturating_sub(count);
        if state == State::Aside {
            self.set_aside += count;
        } else {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// A number that is never negative.
fn number(row: &SqliteRow, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn entry(row: &SqliteRow) -> Result<(SpansId, EncodedSpans), StoreError> {
    let damaged = || StoreError::Damaged("an entry of the outbox is not what was written".to_owned());
    let (key, at, count): (&[u8], i64, i64) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let spans = EncodedSpans {
        key: SpanKey(key.try_into().map_err(|_| damaged())?),
        at: Timestamp::from_nanos(at).ok_or_else(damaged)?,
        count: u32::try_from(count).map_err(|_| damaged())?,
        is_failure: row.try_get(4)?,
        bytes: row.try_get(5)?,
    };
    Ok((SpansId(row.try_get(0)?), spans))
}
