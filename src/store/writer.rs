//! One transaction for everything that waits.

use crate::clock::Timestamp;
use crate::limits::{
    STORE_FREED_PAGES_MAX, STORE_ROWS_MAX, STORE_WAITING_BYTES_MAX, STORE_WAITING_MAX, TOLD_SPANS_MAX,
};
use crate::model::{EncodedSpans, Record, RecordKey, RecordValue};
use crate::store::outbox::{Figures, State};
use crate::store::{Batch, Settings, StoreError, database};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the database; there is one.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) database: SqliteConnection,
    waiting: Waiting,
    next_place: i64,
    pub(crate) figures: Figures,
    /// When it was tidied last.
    pub(crate) tidied_at: Option<Timestamp>,
}

/// What is to be written: records by key, the newest of each.
#[derive(Debug, Default)]
struct Waiting {
    records: BTreeMap<RecordKey, Option<RecordValue>>,
    spans: Vec<EncodedSpans>,
    bytes: usize,
}

impl Writer {
    /// A writer that knows what the outbox holds.
    pub(crate) async fn new(mut database: SqliteConnection) -> Result<Self, StoreError> {
        let last = sqlx::query_scalar::<_, Option<i64>>("SELECT max(place) FROM spans");
        let next_place = last.fetch_one(&mut database).await?.map_or(0, |place| place + 1);
        Ok(Self {
            figures: Figures::read(&mut database).await?,
            database,
            waiting: Waiting::default(),
            next_place,
            tidied_at: None,
        })
    }

    /// Puts a batch with what waits already. Without a file, records are of no use.
    pub(crate) fn admit(&mut self, batch: Batch, is_durable: bool) {
        if is_durable {
            let records = batch.records.into_iter();
            self.waiting
                .records
                .extend(records.map(|Record { key, value }| (key, value)));
        }
        for spans in batch.spans {
            self.waiting.bytes += spans.bytes.len();
            self.waiting.spans.push(spans);
        }
    }

    /// Gives up what is too much to wait for a store that fails: of spans the oldest successes first.
    pub(crate) fn make_fit(&mut self) {
        let Waiting {
            records,
            spans,
            bytes,
        } = &mut self.waiting;
        if records.len() > STORE_WAITING_MAX {
            records.retain(|_, value| value.is_some());
        }
        for failures_too in [false, true] {
            spans.retain(|spans| {
                let is_kept = *bytes <= STORE_WAITING_BYTES_MAX || (spans.is_failure && !failures_too);
                if !is_kept {
                    *bytes -= spans.bytes.len();
                    self.figures.dropped_total += u64::from(spans.count);
                }
                is_kept
            });
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.records.is_empty() && self.waiting.spans.is_empty()
    }

    /// Writes everything that waits; what is not written goes on waiting.
    pub(crate) async fn write(&mut self, settings: &Settings) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        database::begin(&mut self.database).await?;
        let written = self.write_waiting(settings).await;
        self.figures = database::end(&mut self.database, written).await?;
        self.waiting = Waiting::default();
        Ok(())
    }

    /// What the outbox holds with that.
    async fn write_waiting(&mut self, settings: &Settings) -> Result<Figures, StoreError> {
        let Waiting { records, spans, .. } = &self.waiting;
        let mut figures = self.figures;
        write_records(&mut self.database, records).await?;
        for chunk in spans.chunks(STORE_ROWS_MAX) {
            insert_spans(&mut self.database, chunk, self.next_place, &mut figures).await?;
            self.next_place += i64::try_from(chunk.len()).unwrap_or(0);
        }
        mark_failures(&mut self.database, spans).await?;
        if !spans.is_empty() {
            evict(&mut self.database, settings.outbox_bytes_max, &mut figures).await?;
            figures.read_oldest(&mut self.database).await?;
        }
        Ok(figures)
    }

    /// Lets go of what has aged, and gives free pages back.
    pub(crate) async fn tidy(&mut self, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
        let age_max = i64::try_from(settings.outbox_age_max.as_nanos()).unwrap_or(i64::MAX);
        let oldest = now.nanos().saturating_sub(age_max);
        database::begin(&mut self.database).await?;
        let left = self.let_go(oldest).await;
        self.figures = database::end(&mut self.database, left).await?;
        let freed = format!("PRAGMA incremental_vacuum({STORE_FREED_PAGES_MAX})");
        sqlx::raw_sql(AssertSqlSafe(freed))
            .execute(&mut self.database)
            .await?;
        Ok(())
    }

    /// Spans that are older, and keys of more that were told than are kept. What the outbox holds without them.
    async fn let_go(&mut self, oldest: i64) -> Result<Figures, StoreError> {
        let mut figures = self.figures;
        let aged = sqlx::query(
            "DELETE FROM spans WHERE at < $1 AND state > $2 RETURNING state, count, length(bytes)",
        );
        let aged = aged.bind(oldest).bind(State::Told.number());
        for row in aged.fetch_all(&mut self.database).await? {
            figures.left(&row)?;
        }
        figures.read_oldest(&mut self.database).await?;
        sqlx::query("DELETE FROM spans WHERE state = $1 AND place < (SELECT max(place) FROM spans) - $2")
            .bind(State::Told.number())
            .bind(TOLD_SPANS_MAX)
            .execute(&mut self.database)
            .await?;
        Ok(figures)
    }
}

async fn write_records(
    database: &mut SqliteConnection,
    records: &BTreeMap<RecordKey, Option<RecordValue>>,
) -> Result<(), StoreError> {
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for (key, value) in records {
        let key = serde_json::to_string(key)?;
        match value {
            Some(value) => kept.push((key, serde_json::to_string(value)?)),
            None => left.push(key),
        }
    }
    for chunk in kept.chunks(STORE_ROWS_MAX) {
        let statement = format!(
            "INSERT INTO records (key, value) VALUES {} ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            rows(chunk.len(), 2)
        );
        let query = chunk.iter().fold(query(statement), |query, (key, value)| {
            query.bind(key).bind(value)
        });
        query.execute(&mut *database).await?;
    }
    for chunk in left.chunks(STORE_ROWS_MAX) {
        let statement = format!("DELETE FROM records WHERE key IN {}", rows(1, chunk.len()));
        let query = chunk.iter().fold(query(statement), Query::bind);
        query.execute(&mut *database).await?;
    }
    Ok(())
}

/// Puts spans into the outbox; those whose key is known already keep their first bytes.
async fn insert_spans(
    database: &mut SqliteConnection,
    spans: &[EncodedSpans],
    place: i64,
    figures: &mut Figures,
) -> Result<(), StoreError> {
    let statement = format!(
        "INSERT INTO spans (place, key, at, count, is_failure, state, reason, bytes) VALUES {} \
         ON CONFLICT (key) DO NOTHING RETURNING length(bytes)",
        rows(spans.len(), 8)
    );
    let query = (place..)
        .zip(spans)
        .fold(query(statement), |query, (place, spans)| {
            query
                .bind(place)
                .bind(spans.key.0.as_slice())
                .bind(spans.at.nanos())
                .bind(i64::from(spans.count))
                .bind(spans.is_failure)
                .bind(State::Waiting.number())
                .bind("")
                .bind(spans.bytes.as_slice())
        });
    for row in query.fetch_all(&mut *database).await? {
        figures.entered(&row)?;
    }
    Ok(())
}

/// Spans of an operation are told before it is known how it ends: those of one that failed are given up last too.
async fn mark_failures(database: &mut SqliteConnection, spans: &[EncodedSpans]) -> Result<(), StoreError> {
    let failed = spans.iter().filter(|spans| spans.is_failure);
    let traces: BTreeSet<[u8; 16]> = failed.filter_map(|spans| spans.key.trace_id()).collect();
    for trace in traces {
        let (first, last) = (
            [trace.as_slice(), &[0; 8]].concat(),
            [trace.as_slice(), &[0xff; 8]].concat(),
        );
        sqlx::query("UPDATE spans SET is_failure = TRUE WHERE key BETWEEN $1 AND $2 AND state > $3")
            .bind(first)
            .bind(last)
            .bind(State::Told.number())
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}

/// Makes the outbox fit: what was set aside leaves first, then the oldest successes, then the oldest failures.
async fn evict(
    database: &mut SqliteConnection,
    bytes_max: u64,
    figures: &mut Figures,
) -> Result<(), StoreError> {
    while figures.bytes > bytes_max {
        let oldest = sqlx::query(
            "DELETE FROM spans WHERE place IN \
             (SELECT place FROM spans WHERE state > $1 ORDER BY state, is_failure, place LIMIT 16) \
             RETURNING state, count, length(bytes)",
        );
        let rows = oldest
            .bind(State::Told.number())
            .fetch_all(&mut *database)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            figures.left(&row)?;
        }
    }
    Ok(())
}

/// `($1,$2),($3,$4)`: so many rows of so many values.
pub(crate) fn rows(rows: usize, values: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=values).map(|value| format!("${}", row * values + value));
        format!("({})", numbers.collect::<Vec<_>>().join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

pub(crate) fn query<'q>(statement: String) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query(AssertSqlSafe(statement))
}
