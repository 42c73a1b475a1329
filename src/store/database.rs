//! The database file: opened, checked, brought to the newest schema.

use crate::limits::STORE_ROWS_MAX;
use crate::model::{Record, RecordKey, RecordValue};
use crate::store::StoreError;
use crate::store::folder::{Folder, Header};
use crate::store::writer::{query, rows};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::path::Path;
use tokio_stream::StreamExt;

/// Marks a file as ours: `DSXP`.
pub(crate) const APPLICATION_ID: u32 = 0x4453_5850;

/// Each brings the schema one version further, from nothing on.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_records_and_spans.sql")];

/// The schema of this version of the program.
pub(crate) const SCHEMA: u32 = 1;

/// What is in the table of records.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// What is believed.
    pub(crate) read: Vec<Record>,
    /// What this version cannot read: a newer one wrote it, or it is damaged.
    pub(crate) unreadable: Vec<UnreadableRecord>,
}

/// A record as it lies in the table.
#[derive(Debug)]
pub(crate) struct UnreadableRecord {
    row: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// Why it cannot be read.
    pub(crate) error: serde_json::Error,
}

/// A database in memory, for when there is no file.
pub(crate) async fn in_memory() -> Result<SqliteConnection, StoreError> {
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().in_memory(true)).await?;
    migrate(&mut database).await?;
    Ok(database)
}

/// The database of a folder with its records, made when it is not there yet.
pub(crate) async fn open(folder: &Folder) -> Result<(SqliteConnection, Records), StoreError> {
    let path = folder.database();
    match folder.header()? {
        None => make(folder).await?,
        Some(Header { application_id, .. }) if application_id != APPLICATION_ID => {
            return Err(StoreError::Damaged("it belongs to another program".to_owned()));
        }
        Some(Header { schema, .. }) => refuse_newer(&path, schema)?,
    }
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await?;
    match load(&mut database, &path).await {
        Ok(records) => Ok((database, records)),
        Err(error) => {
            // Closed before anybody moves the file: closing later would take away the log of the next one.
            drop(database.close().await);
            Err(error)
        }
    }
}

/// From here on, a check takes so long that whoever starts the exporter may wonder.
const LARGE_BYTES: u64 = 64 << 20;

async fn load(database: &mut SqliteConnection, path: &Path) -> Result<Records, StoreError> {
    refuse_newer(path, schema(database).await?)?;
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes >= LARGE_BYTES {
        tracing::info!(path = %path.display(), bytes, "the store is checked, which takes a while");
    }
    sqlx::raw_sql(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864",
    )
    .execute(&mut *database)
    .await?;
    check(database).await?;
    migrate(database).await?;
    records(database).await
}

/// Makes a database under another name first: one that is there under its own is whole, and says whose it is.
async fn make(folder: &Folder) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(folder.begin()?)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .auto_vacuum(SqliteAutoVacuum::Incremental);
    let mut database = SqliteConnection::connect_with(&options).await?;
    migrate(&mut database).await?;
    database.close().await?;
    folder.finish()
}

/// Begins a transaction, which [`end`] ends.
///
/// It is not sqlx's own: when a disk is full, SQLite rolls back by itself, which sqlx does not learn. It would go on with
/// savepoints inside of a transaction that nobody commits, and call that a success.
pub(crate) async fn begin(database: &mut SqliteConnection) -> Result<(), StoreError> {
    // One is open only if whoever had begun it was cut short.
    roll_back(database).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(database).await?;
    Ok(())
}

/// Commits what was written, or takes all of it back.
pub(crate) async fn end<T>(
    database: &mut SqliteConnection,
    written: Result<T, StoreError>,
) -> Result<T, StoreError> {
    let ended = match written {
        Ok(written) => match sqlx::raw_sql("COMMIT").execute(&mut *database).await {
            Ok(_) => Ok(written),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error),
    };
    if ended.is_err() {
        roll_back(database).await;
    }
    ended
}

/// That there is nothing to roll back is no error.
async fn roll_back(database: &mut SqliteConnection) {
    drop(sqlx::raw_sql("ROLLBACK").execute(database).await);
}

fn refuse_newer(path: &Path, found: u32) -> Result<(), StoreError> {
    if found <= SCHEMA {
        return Ok(());
    }
    Err(StoreError::Newer {
        path: path.to_owned(),
        found,
        known: SCHEMA,
    })
}

async fn schema(database: &mut SqliteConnection) -> Result<u32, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(database)
        .await?)
}

/// Looks at every page: a file that was cut short or written over is found before it is believed.
async fn check(database: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(database)
        .await?;
    if found == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(found))
    }
}

/// Brings the schema to the newest version, one transaction a version.
async fn migrate(database: &mut SqliteConnection) -> Result<(), StoreError> {
    let from = schema(database).await?;
    for (version, migration) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        let mut transaction = database.begin().await?;
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
        let marks = format!("PRAGMA user_version = {version}; PRAGMA application_id = {APPLICATION_ID}");
        sqlx::raw_sql(AssertSqlSafe(marks))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// All records. One that cannot be read leaves the others as they are; where none can, the file is at fault.
async fn records(database: &mut SqliteConnection) -> Result<Records, StoreError> {
    let mut records = Records::default();
    let mut table = sqlx::query("SELECT rowid, key, value FROM records").fetch(database);
    while let Some(row) = table.next().await {
        let row = row?;
        let (key, value): (&[u8], &[u8]) = (row.try_get(1)?, row.try_get(2)?);
        match record(key, value) {
            Ok(record) => records.read.push(record),
            Err(error) => records.unreadable.push(UnreadableRecord {
                row: row.try_get(0)?,
                key: key.to_owned(),
                value: value.to_owned(),
                error,
            }),
        }
    }
    match records.unreadable.pop() {
        Some(last) if records.read.is_empty() => return Err(last.error.into()),
        last => records.unreadable.extend(last),
    }
    Ok(records)
}

fn record(key: &[u8], value: &[u8]) -> Result<Record, serde_json::Error> {
    Ok(Record {
        key: serde_json::from_slice::<RecordKey>(key)?,
        value: Some(serde_json::from_slice::<RecordValue>(value)?),
    })
}

/// Takes records out of the table: a later start must not believe what this one did not.
pub(crate) async fn remove(
    database: &mut SqliteConnection,
    records: &[UnreadableRecord],
) -> Result<(), StoreError> {
    begin(database).await?;
    let removed = remove_rows(database, records).await;
    end(database, removed).await
}

async fn remove_rows(
    database: &mut SqliteConnection,
    records: &[UnreadableRecord],
) -> Result<(), StoreError> {
    for chunk in records.chunks(STORE_ROWS_MAX) {
        let statement = format!("DELETE FROM records WHERE rowid IN {}", rows(1, chunk.len()));
        let query = chunk
            .iter()
            .fold(query(statement), |query, record| query.bind(record.row));
        query.execute(&mut *database).await?;
    }
    Ok(())
}
