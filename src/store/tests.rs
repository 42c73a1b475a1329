use crate::catalogue::Instruments;
use crate::clock::{Clock, Timestamp};
use crate::limits::{STORE_ROWS_MAX, STORE_WAITING_BYTES_MAX};
use crate::model::{EncodedSpans, OperationKey, Record, RecordKey, RecordValue, SpanKey};
use crate::store::database::{APPLICATION_ID, SCHEMA};
use crate::store::{Batch, Settings, Store, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
}

fn instruments() -> Instruments {
    Instruments::new("1.2.3", "abc", "1.95.0")
}

async fn open_with(
    path: &Path,
    instruments: &Instruments,
    set: impl FnOnce(&mut Settings),
) -> Result<(Store, Vec<Record>), StoreError> {
    let mut settings = Settings {
        path: Some(path.to_owned()),
        ..Settings::default()
    };
    set(&mut settings);
    Store::open(settings, Clock::starting_at(at(0)), instruments).await
}

async fn open(path: &Path) -> (Store, Vec<Record>) {
    open_with(path, &instruments(), |_| {}).await.expect("a store")
}

/// A record that is easy to make: so many jobs' data expires.
fn expiry(job: usize, seconds: i64) -> Record {
    Record {
        key: RecordKey::Expiry(
            "p1".parse().expect("an id"),
            format!("j{job}").parse().expect("an id"),
        ),
        value: Some(RecordValue::Expiry(at(seconds))),
    }
}

fn records(records: Vec<Record>) -> Batch {
    Batch {
        records,
        spans: Vec::new(),
    }
}

fn span(id: u8, content: &str, is_failure: bool) -> EncodedSpans {
    EncodedSpans {
        key: SpanKey([id; 24]),
        bytes: content.as_bytes().to_vec(),
        count: 1,
        is_failure,
        at: at(i64::from(id)),
    }
}

fn spans(spans: Vec<EncodedSpans>) -> Batch {
    Batch {
        records: Vec::new(),
        spans,
    }
}

fn keys(records: &[Record]) -> Vec<&RecordKey> {
    let mut keys: Vec<&RecordKey> = records.iter().map(|record| &record.key).collect();
    keys.sort();
    keys
}

async fn contents(store: &Store) -> Vec<String> {
    let oldest = store.outbox().oldest(100).await.expect("entries");
    oldest
        .into_iter()
        .map(|(_, spans)| String::from_utf8(spans.bytes).expect("text"))
        .collect()
}

/// Files of this ending, which something was moved to.
fn aside(path: &Path, ending: &str) -> Vec<String> {
    let names = fs::read_dir(path).expect("a folder").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    });
    names.filter(|name| name.ends_with(ending)).collect()
}

/// A folder with a store of one record, closed.
async fn used_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    store
        .commit(records(vec![expiry(1, 10)]))
        .await
        .expect("committed");
    close(store).await;
    folder
}

/// Closes for good, so that a test may do as it likes with the files.
async fn close(store: Store) {
    let shared = std::sync::Arc::into_inner(store.0).expect("the last handle");
    let writer = shared.writer.into_inner();
    writer.database.close().await.expect("closed");
}

async fn sql(path: &Path, statement: &str) {
    let options = SqliteConnectOptions::new()
        .filename(path.join("state.db"))
        .create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options)
        .await
        .expect("a database");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut database)
        .await
        .expect("executed");
    database.close().await.expect("closed");
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_process_that_did_not_close() {
    let folder = TempDir::new().expect("a folder");
    let (store, before) = open(folder.path()).await;
    assert!(before.is_empty() && store.is_durable());
    let many: Vec<Record> = (0..3 * STORE_ROWS_MAX).map(|job| expiry(job, 1)).collect();
    store.commit(records(many)).await.expect("committed");
    let gone = Record {
        value: None,
        ..expiry(7, 0)
    };
    store
        .commit(records(vec![expiry(8, 9), gone]))
        .await
        .expect("committed");

    let killed = TempDir::new().expect("a folder");
    for name in ["state.db", "state.db-wal"] {
        fs::copy(folder.path().join(name), killed.path().join(name)).expect("copied");
    }
    let (_, after) = open(killed.path()).await;
    assert_eq!(after.len(), 3 * STORE_ROWS_MAX - 1);
    assert!(after.contains(&expiry(8, 9)) && after.contains(&expiry(9, 1)));
    assert!(!keys(&after).contains(&&expiry(7, 0).key));
}

#[tokio::test]
async fn a_newer_record_of_a_key_replaces_the_one_before_it() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let next = |key| Record {
        key: RecordKey::NextKey,
        value: Some(RecordValue::NextKey(OperationKey(key))),
    };
    let batch = records(vec![next(1), next(2)]);
    store.commit(batch).await.expect("committed");
    store.commit(records(vec![next(3)])).await.expect("committed");
    close(store).await;
    assert_eq!(open(folder.path()).await.1, [next(3)]);
}

#[tokio::test]
async fn nobody_else_reads_the_folder() {
    let parent = TempDir::new().expect("a folder");
    let path = parent.path().join("deep/data");
    let (store, _) = open(&path).await;
    store
        .commit(records(vec![expiry(1, 1)]))
        .await
        .expect("committed");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["state.db", "state.db-wal", "lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let (_first, _) = open(folder.path()).await;
    let second = open_with(folder.path(), &instruments(), |_| {}).await;
    let own = std::process::id();
    assert!(
        matches!(second, Err(StoreError::InUse { pid: Some(pid), .. }) if pid == own),
        "{second:?}"
    );
    assert!(
        second.is_err_and(|error| error
            .to_string()
            .contains(&format!("another process (pid {own});"))),
        "it says which"
    );
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_untouched() {
    let folder = used_folder().await;
    sql(folder.path(), &format!("PRAGMA user_version = {}", SCHEMA + 1)).await;
    let before = fs::read(folder.path().join("state.db")).expect("the file");
    let refused = open_with(folder.path(), &instruments(), |_| {}).await;
    assert!(
        matches!(refused, Err(StoreError::Newer { found, .. }) if found == SCHEMA + 1),
        "{refused:?}"
    );
    assert_eq!(
        fs::read(folder.path().join("state.db")).expect("the file"),
        before
    );
    assert!(aside(folder.path(), ".damaged").is_empty());
}

/// Damages a used folder, and expects a fresh store and the damaged file beside it.
async fn is_moved_aside(damage: impl AsyncFnOnce(&Path)) {
    let folder = used_folder().await;
    damage(folder.path()).await;
    let instruments = instruments();
    let (store, records) = open_with(folder.path(), &instruments, |_| {})
        .await
        .expect("a fresh one");
    assert!(store.is_durable() && records.is_empty());
    assert_eq!(aside(folder.path(), ".damaged").len(), 1);
    assert_eq!(instruments.store_errors_total.get(), 1);
    close(store).await;
    assert!(open(folder.path()).await.0.is_durable());
    assert_eq!(aside(folder.path(), ".damaged").len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_aside() {
    is_moved_aside(async |path| fs::write(path.join("state.db"), b"hello").expect("written")).await;
    is_moved_aside(async |path| fs::write(path.join("state.db"), [b'x'; 9000]).expect("written")).await;
    is_moved_aside(async |path| fs::write(path.join("state.db"), b"").expect("written")).await;
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_moved_aside() {
    is_moved_aside(async |path| {
        let file = fs::File::options()
            .write(true)
            .open(path.join("state.db"))
            .expect("the file");
        file.set_len(file.metadata().expect("there").len() - 4096)
            .expect("cut");
    })
    .await;
}

#[tokio::test]
async fn a_database_of_another_program_is_moved_aside() {
    is_moved_aside(async |path| {
        fs::remove_file(path.join("state.db")).expect("removed");
        sql(
            path,
            "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 70",
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn records_that_are_not_what_was_written_are_moved_aside_with_their_file() {
    is_moved_aside(async |path| sql(path, "UPDATE records SET value = '{\"expiry\":'").await).await;
    is_moved_aside(async |path| sql(path, "UPDATE records SET value = x'ff00'").await).await;
    is_moved_aside(async |path| sql(path, "DROP TABLE records").await).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_moved_aside_and_the_others_stay() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let batch = Batch {
        records: (0..5).map(|job| expiry(job, 1)).collect(),
        spans: vec![span(1, "one", false)],
    };
    store.commit(batch).await.expect("committed");
    close(store).await;
    for strange in [
        "UPDATE records SET value = '{\"expiry\":' WHERE key LIKE '%j1%'",
        "UPDATE records SET value = x'ff00' WHERE key LIKE '%j2%'",
        "UPDATE records SET key = '{\"mood\":\"p1\"}', value = '{\"mood\":3}' WHERE key LIKE '%j3%'",
    ] {
        sql(folder.path(), strange).await;
    }
    let instruments = instruments();
    let (store, records) = open_with(folder.path(), &instruments, |_| {})
        .await
        .expect("a store");
    assert_eq!(records, [expiry(0, 1), expiry(4, 1)]);
    assert_eq!(contents(&store).await, ["one"]);
    assert_eq!(instruments.store_errors_total.get(), 1);
    let aside = aside(folder.path(), ".unreadable");
    let lines = fs::read(folder.path().join(&aside[0])).expect("a file");
    let mut lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 4, "three and the end of the file");
    assert_eq!(lines[3], b"{\"mood\":\"p1\"}\t{\"mood\":3}");
    close(store).await;

    let instruments = self::instruments();
    let (_store, records) = open_with(folder.path(), &instruments, |_| {})
        .await
        .expect("a store");
    assert_eq!((records.len(), instruments.store_errors_total.get()), (2, 0));
}

#[tokio::test]
async fn an_unfinished_new_database_and_the_log_of_a_lost_one_are_made_anew() {
    let folder = TempDir::new().expect("a folder");
    for name in ["state.db.new", "state.db.new-journal", "state.db-wal"] {
        fs::write(folder.path().join(name), b"half").expect("written");
    }
    let (store, records) = open(folder.path()).await;
    assert!(store.is_durable() && records.is_empty());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_everything_in_memory() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("file"), b"").expect("written");
    fs::create_dir_all(folder.path().join("data/state.db")).expect("made");
    for path in ["file/data", "data"] {
        let instruments = instruments();
        let (store, before) = open_with(&folder.path().join(path), &instruments, |_| {})
            .await
            .expect("a store in memory");
        assert!(!store.is_durable() && before.is_empty());
        assert_eq!(instruments.store_errors_total.get(), 1);
        store.commit(records(vec![expiry(1, 1)])).await.expect("taken");
    }
}

#[tokio::test]
async fn what_a_full_disk_refuses_is_kept_and_goes_with_a_later_commit() {
    let folder = TempDir::new().expect("a folder");
    let instruments = instruments();
    let (store, _) = open_with(folder.path(), &instruments, |_| {})
        .await
        .expect("a store");
    let limit = async |pages: u32| {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let mut writer = store.writer().await;
        sqlx::raw_sql(AssertSqlSafe(limit))
            .execute(&mut writer.database)
            .await
            .expect("a limit");
    };
    limit(1).await;
    let many: Vec<Record> = (0..2000).map(|job| expiry(job, 1)).collect();
    let refused = store
        .commit(Batch {
            records: many,
            spans: vec![span(1, "one", false)],
        })
        .await;
    assert!(refused.is_err(), "full");
    assert_eq!(instruments.store_errors_total.get(), 1);
    assert!(contents(&store).await.is_empty(), "spans wait for the records");
    limit(1_000_000).await;
    store
        .commit(records(vec![expiry(1, 2)]))
        .await
        .expect("room again");
    assert_eq!(contents(&store).await, ["one"]);
    close(store).await;
    let (_, after) = open(folder.path()).await;
    assert_eq!(after.len(), 2000);
    assert!(after.contains(&expiry(1, 2)));
}

#[tokio::test]
async fn an_outbox_gives_the_oldest_first_until_they_are_delivered_or_set_aside() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let batch = vec![span(1, "a", false), span(2, "b", true), span(3, "c", false)];
    store.commit(spans(batch)).await.expect("committed");
    let mut outbox = store.outbox();
    let oldest = outbox.oldest(2).await.expect("entries");
    assert_eq!(oldest[0].1, span(1, "a", false));
    assert_eq!(outbox.figures().oldest_at, Some(at(1)));
    outbox.delivered(&[oldest[0].0]).await.expect("marked");
    assert!(outbox.changed().await);
    outbox.set_aside(&[oldest[1].0], "refused").await.expect("marked");
    let figures = outbox.figures();
    assert_eq!((figures.waiting, figures.set_aside, figures.bytes), (1, 1, 2));
    assert_eq!(figures.oldest_at, Some(at(3)));
    drop(outbox);
    close(store).await;

    let (store, _) = open(folder.path()).await;
    assert_eq!(contents(&store).await, ["c"]);
    assert_eq!(store.outbox().figures(), figures);
}

#[tokio::test]
async fn a_span_keeps_its_first_content_waiting_and_told() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    store
        .commit(spans(vec![span(1, "first", false), span(1, "second", false)]))
        .await
        .expect("committed");
    store
        .commit(spans(vec![span(1, "third", false)]))
        .await
        .expect("committed");
    assert_eq!(contents(&store).await, ["first"]);
    let (id, _) = store.outbox().oldest(1).await.expect("entries")[0].clone();
    store.outbox().delivered(&[id]).await.expect("marked");
    store
        .commit(spans(vec![span(1, "fourth", false)]))
        .await
        .expect("committed");
    assert!(contents(&store).await.is_empty());
    assert_eq!(store.outbox().figures().bytes, 0);
}

#[tokio::test]
async fn what_was_told_leaves_its_room_to_others() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let told: u16 = 4_000;
    for first in (0..told).step_by(500) {
        let many = (first..first + 500).map(|number| {
            let mut key = [0; 24];
            key[..2].copy_from_slice(&number.to_be_bytes());
            EncodedSpans {
                key: SpanKey(key),
                ..span(0, &"x".repeat(1_000), false)
            }
        });
        store.commit(spans(many.collect())).await.expect("committed");
        let waiting = store.outbox().oldest(500).await.expect("entries");
        let ids: Vec<_> = waiting.iter().map(|(id, _)| *id).collect();
        store.outbox().delivered(&ids).await.expect("marked");
    }
    let mut writer = store.writer().await;
    let bytes: i64 = sqlx::query_scalar(
        "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    .fetch_one(&mut writer.database)
    .await
    .expect("a size");
    assert!(bytes / i64::from(told) < 200, "{bytes} bytes for {told} keys");
}

#[tokio::test]
async fn a_full_outbox_gives_up_the_oldest_successes_first_and_counts_them() {
    let folder = TempDir::new().expect("a folder");
    let instruments = instruments();
    let (store, _) = open_with(folder.path(), &instruments, |settings| {
        settings.outbox_bytes_max = 30 * 10;
    })
    .await
    .expect("a store");
    let batch = (0..40).map(|id| span(id, "0123456789", id % 2 == 0));
    store.commit(spans(batch.collect())).await.expect("committed");
    let figures = store.outbox().figures();
    assert!(figures.bytes <= 300 && figures.waiting >= 20, "{figures:?}");
    assert_eq!(figures.dropped_total, 40 - figures.waiting);
    let dropped = instruments.otlp_spans_total.with_label_values(&["dropped"]);
    assert_eq!(dropped.get(), figures.dropped_total);
    let left = store.outbox().oldest(100).await.expect("entries");
    assert_eq!(left.iter().filter(|(_, spans)| spans.is_failure).count(), 20);
}

#[tokio::test]
async fn spans_that_waited_too_long_are_given_up() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let old = EncodedSpans {
        at: at(-8 * 86_400),
        ..span(1, "old", true)
    };
    store
        .commit(spans(vec![old, span(2, "new", false)]))
        .await
        .expect("committed");
    assert_eq!(contents(&store).await, ["new"]);
    assert_eq!(store.outbox().figures().dropped_total, 1);
}

#[tokio::test]
async fn without_a_folder_the_outbox_works_all_the_same_and_records_are_not_kept() {
    let settings = Settings {
        outbox_age_max: Duration::from_hours(1),
        ..Settings::default()
    };
    let (store, _) = Store::open(settings, Clock::starting_at(at(0)), &instruments())
        .await
        .expect("a store");
    store
        .commit(Batch {
            records: vec![expiry(1, 1)],
            spans: vec![span(1, "a", false)],
        })
        .await
        .expect("taken");
    assert!(!store.is_durable());
    assert_eq!(contents(&store).await, ["a"]);
}

#[tokio::test]
async fn the_file_says_whose_it_is_and_which_schema_it_has() {
    let folder = used_folder().await;
    let bytes = fs::read(folder.path().join("state.db")).expect("the file");
    assert_eq!(bytes[60..64], SCHEMA.to_be_bytes());
    assert_eq!(bytes[68..72], APPLICATION_ID.to_be_bytes());
}

#[tokio::test]
async fn what_is_said_to_be_kept_is_on_the_disk_also_after_failures_of_every_kind() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let run = async |statement: String| {
        let mut writer = store.writer().await;
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut writer.database)
            .await
            .expect("executed");
    };
    // With `ROLLBACK` SQLite ends the transaction by itself, as it does when a disk is full; with `ABORT` it does not.
    for how in ["ROLLBACK", "ABORT", "ROLLBACK", "ABORT", "ABORT"] {
        let trouble = format!("SELECT RAISE({how}, 'no')");
        run(format!(
            "CREATE TRIGGER trouble BEFORE INSERT ON records BEGIN {trouble}; END"
        ))
        .await;
        let refused = store.commit(records(vec![expiry(1, 1)])).await;
        assert!(refused.is_err(), "{how}");
        run("DROP TRIGGER trouble".to_owned()).await;
    }
    let batch = Batch {
        spans: vec![span(1, "one", false)],
        ..records(vec![expiry(2, 2)])
    };
    store.commit(batch).await.expect("committed");
    let killed = TempDir::new().expect("a folder");
    for name in ["state.db", "state.db-wal"] {
        fs::copy(folder.path().join(name), killed.path().join(name)).expect("copied");
    }
    let (after, kept) = open(killed.path()).await;
    assert_eq!(kept, [expiry(1, 1), expiry(2, 2)]);
    assert_eq!(contents(&after).await, ["one"]);
}

#[tokio::test]
async fn spans_that_wait_for_a_store_that_fails_are_bounded_and_one_that_works_takes_any_number() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open(folder.path()).await;
    let run = async |statement: &'static str| {
        let mut writer = store.writer().await;
        let executed = sqlx::raw_sql(statement).execute(&mut writer.database).await;
        executed.expect("executed");
    };
    let content = "x".repeat(STORE_WAITING_BYTES_MAX / 16);
    let batch = |first: u8| {
        let ids = first..first + 24;
        spans(ids.map(|id| span(id, &content, id % 2 == 0)).collect())
    };
    store.commit(batch(0)).await.expect("committed");
    assert_eq!(store.outbox().figures().waiting, 24, "one that works");
    run("CREATE TRIGGER trouble BEFORE INSERT ON spans BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    store.commit(batch(100)).await.expect_err("one that fails");
    assert_eq!(store.outbox().figures().dropped_total, 8);
    run("DROP TRIGGER trouble").await;
    store.commit(Batch::default()).await.expect("committed");
    let waiting = store.outbox().oldest(100).await.expect("entries");
    let late: Vec<u8> = waiting
        .iter()
        .map(|(_, spans)| spans.key.0[0])
        .filter(|id| *id >= 100)
        .collect();
    let expected: Vec<u8> = (100..124).filter(|id| id % 2 == 0 || *id > 115).collect();
    assert_eq!(late, expected);
}

#[tokio::test]
async fn a_file_that_is_moved_or_deleted_while_it_is_used_is_a_failure_and_not_silence() {
    let folder = TempDir::new().expect("a folder");
    let instruments = instruments();
    let (store, _) = open_with(folder.path(), &instruments, |_| {})
        .await
        .expect("a store");
    store
        .commit(records(vec![expiry(1, 1)]))
        .await
        .expect("committed");
    fs::rename(folder.path().join("state.db"), folder.path().join("elsewhere")).expect("moved");
    let refused = store.commit(records(vec![expiry(2, 1)])).await;
    assert!(matches!(refused, Err(StoreError::Gone { .. })), "{refused:?}");
    assert_eq!(instruments.store_errors_total.get(), 1);
    fs::rename(folder.path().join("elsewhere"), folder.path().join("state.db")).expect("moved back");
    store.commit(records(Vec::new())).await.expect("committed");
    close(store).await;
    assert_eq!(open(folder.path()).await.1.len(), 2, "what was refused was kept");
}

#[tokio::test]
async fn all_spans_of_an_operation_that_failed_are_given_up_last() {
    let folder = TempDir::new().expect("a folder");
    let (store, _) = open_with(folder.path(), &instruments(), |settings| {
        settings.outbox_bytes_max = 40 * 10;
    })
    .await
    .expect("a store");
    let of_trace = |trace: u8, span: u8, is_failure| {
        let mut key = [trace; 24];
        key[16..].fill(span);
        EncodedSpans {
            key: SpanKey(key),
            ..span_of_ten_bytes(is_failure)
        }
    };
    let (failed, well) = (
        [1, 2].map(|id| of_trace(1, id, false)),
        [3, 4].map(|id| of_trace(2, id, false)),
    );
    store
        .commit(spans([failed.to_vec(), well.to_vec()].concat()))
        .await
        .expect("committed");
    store
        .commit(spans(vec![of_trace(1, 9, true)]))
        .await
        .expect("committed");
    let many = (10..90).map(|trace| of_trace(trace, 1, false));
    store.commit(spans(many.collect())).await.expect("committed");
    let left = store.outbox().oldest(100).await.expect("entries");
    let of_failed = left
        .iter()
        .filter(|(_, spans)| spans.key.trace_id() == Some([1; 16]));
    assert_eq!(of_failed.count(), 3);
    assert!(
        left.iter()
            .all(|(_, spans)| spans.key.trace_id() != Some([2; 16]))
    );
}

fn span_of_ten_bytes(is_failure: bool) -> EncodedSpans {
    span(0, "0123456789", is_failure)
}
