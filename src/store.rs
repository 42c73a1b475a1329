//! What survives a restart: the tracker's records, and spans until their collector has them.
//!
//! In: batches of records and spans. Out: what an earlier process recorded, and an [`Outbox`] for who sends spans.
//! Never: an end of the exporter because of a disk; two processes on one folder; a change to a file of a newer
//! version; the content of a record, which is the tracker's.

mod database;
mod error;
mod folder;
mod outbox;
mod writer;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use outbox::{Figures, Outbox, SpansId};

use crate::catalogue::Instruments;
use crate::clock::{Clock, Timestamp};
use crate::flow::{Said, Throttle};
use crate::limits::STORE_TIDY_INTERVAL;
use crate::model::{EncodedSpans, Record};
use database::Records;
use folder::Folder;
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, watch};
use writer::Writer;

/// What an operator may set of the store; defaults are those of the documentation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder; `None` keeps everything in memory.
    pub path: Option<PathBuf>,
    /// Bytes of spans that wait.
    pub outbox_bytes_max: u64,
    /// How long spans wait.
    pub outbox_age_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            outbox_bytes_max: 256 << 20,
            outbox_age_max: Duration::from_hours(168),
        }
    }
}

/// What is committed together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Beliefs that changed.
    pub records: Vec<Record>,
    /// Spans to send.
    pub spans: Vec<EncodedSpans>,
}

/// What survives. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: RwLock<Settings>,
    clock: Clock,
    instruments: Instruments,
    throttle: Throttle,
    figures: watch::Sender<Figures>,
    /// Held until the process ends, so that no other takes the folder.
    folder: Option<Folder>,
    writer: Mutex<Writer>,
}

impl Store {
    /// Opens a store, with what an earlier process recorded.
    ///
    /// A damaged or foreign file is moved aside, and so are single records that cannot be read; a folder that cannot be
    /// written leaves everything in memory. Each is said once and counted, and watching goes on.
    ///
    /// # Errors
    /// When another process uses the folder, or a newer version made the file: going on would do harm.
    pub async fn open(
        settings: Settings,
        clock: Clock,
        instruments: &Instruments,
    ) -> Result<(Self, Vec<Record>), StoreError> {
        let mut kept = None;
        if let Some(path) = &settings.path {
            instruments.set_store_up(true);
            match open_folder(path, clock, instruments).await {
                Ok(opened) => kept = Some(opened),
                Err(error) if error.is_refusal() => return Err(error),
                Err(error) => {
                    tracing::error!(
                        error = error.chain(),
                        "the store cannot be opened: state is kept in memory only, and a restart will forget it"
                    );
                    instruments.store_errors_total.inc();
                    instruments.set_store_up(false);
                }
            }
        }
        let (folder, database, records) = match kept {
            Some((folder, database, records)) => (Some(folder), database, records),
            None => (None, database::in_memory().await?, Vec::new()),
        };
        let writer = Writer::new(database).await?;
        let shared = Shared {
            settings: RwLock::new(settings),
            clock,
            instruments: instruments.clone(),
            throttle: Throttle::default(),
            figures: watch::Sender::new(Figures::default()),
            folder,
            writer: Mutex::new(writer),
        };
        shared.show(shared.writer.lock().await.figures);
        Ok((Self(Arc::new(shared)), records))
    }

    /// Whether what is committed survives the process.
    pub fn is_durable(&self) -> bool {
        self.0.folder.is_some()
    }

    /// Goes on with other bounds of the outbox; the folder stays.
    pub fn reconfigure(&self, settings: Settings) {
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Commits a batch, and with it everything that could not be committed before.
    ///
    /// Not to be cut short: what is under way would be neither known to be there nor known to be missing.
    ///
    /// # Errors
    /// When the database refuses; the batch is kept and goes with the next one.
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let shared = &self.0;
        let mut writer = shared.writer.lock().await;
        let begun_at = shared.clock.now();
        writer.admit(batch, self.is_durable());
        let is_empty = writer.is_empty();
        let written = self.write(&mut writer).await;
        if written.is_err() {
            writer.make_fit();
        }
        let now = shared.clock.now();
        if !is_empty {
            let took = now.since(begun_at).as_secs_f64();
            shared.instruments.store_commit_duration_seconds.observe(took);
        }
        shared.show(writer.figures);
        match &written {
            Ok(()) if self.is_durable() => shared.instruments.set_store_up(true),
            Ok(()) => {}
            Err(error) => shared.complain(error, now),
        }
        written
    }

    /// Spans that were made and could not wait for a commit.
    pub fn give_up(&self, spans: &[EncodedSpans]) {
        let count = spans.iter().map(|spans| u64::from(spans.count)).sum();
        self.0.instruments.spans_dropped(count);
    }

    /// A commit takes so long that what it was to keep is told without it.
    pub fn complain_of_delay(&self) {
        self.0.complain(&StoreError::Delayed, self.0.clock.now());
    }

    /// The outbox, for who sends.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.clone(), self.0.figures.subscribe())
    }

    async fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().await
    }

    async fn write(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let shared = &self.0;
        if let Some(folder) = &shared.folder {
            folder.check()?;
        }
        writer.write(&shared.settings()).await?;
        self.settle(writer).await
    }

    /// Keeps the file small, every now and then, and shows what the outbox holds.
    async fn settle(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let shared = &self.0;
        let now = shared.clock.now();
        if writer
            .tidied_at
            .is_none_or(|at| now.since(at) >= STORE_TIDY_INTERVAL)
        {
            writer.tidy(&shared.settings(), now).await?;
            writer.tidied_at = Some(now);
        }
        shared.show(writer.figures);
        Ok(())
    }
}

impl Shared {
    fn settings(&self) -> Settings {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn show(&self, figures: Figures) {
        let before = self.figures.borrow().dropped_total;
        self.instruments
            .show_outbox(figures.waiting, figures.bytes, figures.oldest_at);
        self.instruments
            .spans_dropped(figures.dropped_total.saturating_sub(before));
        self.figures
            .send_if_modified(|shown| std::mem::replace(shown, figures) != figures);
    }

    fn complain(&self, error: &StoreError, now: Timestamp) {
        self.instruments.store_errors_total.inc();
        self.instruments.set_store_up(false);
        if let Some(Said { held_back }) = self.throttle.admit("commit", now) {
            tracing::error!(
                error = error.chain(),
                held_back,
                "the store refuses: watching goes on, and what could not be kept is tried again"
            );
        }
    }
}

/// Takes a folder and opens its database; a damaged one makes room for a new one.
async fn open_folder(
    path: &Path,
    clock: Clock,
    instruments: &Instruments,
) -> Result<(Folder, SqliteConnection, Vec<Record>), StoreError> {
    let folder = Folder::take(path)?;
    let opened = match database::open(&folder).await {
        Err(error) if error.is_damage() => {
            let aside = folder.move_aside(clock.now())?;
            tracing::error!(
                error = error.chain(),
                aside = %aside.display(),
                "the store was damaged and is moved aside: watching begins anew"
            );
            instruments.store_errors_total.inc();
            database::open(&folder).await
        }
        opened => opened,
    };
    let (mut database, Records { read, unreadable }) = opened?;
    folder.note_opened();
    if let Some(first) = unreadable.first() {
        let aside = folder.write_aside(&unreadable, clock.now())?;
        database::remove(&mut database, &unreadable).await?;
        tracing::error!(
            count = unreadable.len(),
            aside = %aside.display(),
            error = %first.error,
            "records of the store cannot be read and are moved aside: what they were about is seen anew"
        );
        instruments.store_errors_total.inc();
    }
    Ok((folder, database, read))
}
