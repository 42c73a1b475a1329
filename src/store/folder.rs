//! The folder: one process at a time, and nobody else reads it.

use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::store::database::UnreadableRecord;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The database, beside which SQLite keeps its log (`-wal`) and that log's index (`-shm`).
const DATABASE: &str = "state.db";

/// The file whose lock makes the folder ours; in it, the number of the process that holds it.
const LOCK: &str = "lock";

/// A database that is being made; renamed once it is whole.
const UNFINISHED: &str = "state.db.new";

/// Names beside the database that belong to it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A folder that this process holds until it ends.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
    /// Device and inode of the database, once it is open.
    opened: OnceLock<(u64, u64)>,
}

/// What the first bytes of a database tell; nothing has to be opened for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whose file it is.
    pub(crate) application_id: u32,
    /// Its schema.
    pub(crate) schema: u32,
}

impl Folder {
    /// Makes the folder if it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Folder {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let lock = private().truncate(false).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                tell_pid(&lock);
                Ok(Self {
                    path: path.to_owned(),
                    _lock: lock,
                    opened: OnceLock::new(),
                })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: path.to_owned(),
                pid: told_pid(path),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The database is open: from here on [`Self::check`] knows it.
    pub(crate) fn note_opened(&self) {
        if let Some(identity) = identity(&self.database()) {
            let _ = self.opened.set(identity);
        }
    }

    /// Whether the database is still the one that was opened. What is written to a file that somebody moved or deleted
    /// would be lost without an error.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.opened.get().copied() == identity(&self.database()) {
            return Ok(());
        }
        Err(StoreError::Gone {
            path: self.database(),
        })
    }

    /// A new empty file for a database that is being made.
    pub(crate) fn begin(&self) -> Result<PathBuf, StoreError> {
        let path = self.path.join(UNFINISHED);
        remove_companions(&path);
        private()
            .truncate(true)
            .open(&path)
            .map_err(|source| self.failed(source))?;
        Ok(path)
    }

    /// The database that was being made is whole: it is the database from now on.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        // The log of a database that was moved aside would be taken for this one's.
        remove_companions(&self.database());
        fs::rename(self.path.join(UNFINISHED), self.database()).map_err(|source| self.failed(source))?;
        let folder = File::open(&self.path).and_then(|folder| folder.sync_all());
        folder.map_err(|source| self.failed(source))
    }

    /// The header of the database; `None` when there is no database yet.
    pub(crate) fn header(&self) -> Result<Option<Header>, StoreError> {
        let mut bytes = [0; 100];
        match File::open(self.database()).and_then(|mut file| file.read_exact(&mut bytes)) {
            Ok(()) => parse(&bytes)
                .map(Some)
                .ok_or_else(|| StoreError::Damaged("it is no SQLite database".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(StoreError::Damaged("it is shorter than a header".to_owned()))
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Moves the database out of the way, with all that belongs to it. Where it is now.
    pub(crate) fn move_aside(&self, now: Timestamp) -> Result<PathBuf, StoreError> {
        let aside = self.dated(now, "damaged");
        for name in std::iter::once("").chain(COMPANIONS) {
            match fs::rename(with_suffix(&self.database(), name), with_suffix(&aside, name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.failed(error)),
                _ => {}
            }
        }
        Ok(aside)
    }

    /// Writes records that could not be read beside the database, a line each. Where they are now.
    pub(crate) fn write_aside(
        &self,
        records: &[UnreadableRecord],
        now: Timestamp,
    ) -> Result<PathBuf, StoreError> {
        let aside = self.dated(now, "unreadable");
        let written = private().append(true).open(&aside).and_then(|mut file| {
            for UnreadableRecord { key, value, .. } in records {
                file.write_all(&[key, b"\t".as_slice(), value, b"\n"].concat())?;
            }
            file.sync_all()
        });
        written.map(|()| aside).map_err(|source| self.failed(source))
    }

    /// A name for what is put beside the database now.
    fn dated(&self, now: Timestamp, ending: &str) -> PathBuf {
        let mut stamp = now.rfc3339();
        stamp.retain(|sign| sign.is_ascii_alphanumeric());
        self.path.join(format!("state-{stamp}.{ending}"))
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::Folder {
            path: self.path.clone(),
            source,
        }
    }
}

/// Tells others who holds the lock. That it cannot be written matters to nobody but a reader of an error.
fn tell_pid(mut lock: &File) {
    let told = lock
        .set_len(0)
        .and_then(|()| writeln!(lock, "{}", std::process::id()));
    drop(told);
}

/// Who holds the lock, as far as it could tell.
fn told_pid(path: &Path) -> Option<u32> {
    let told = fs::read_to_string(path.join(LOCK)).ok()?;
    told.trim().parse().ok()
}

/// Device and inode of a file, if it is there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// What cannot be removed shows when the database is opened.
fn remove_companions(database: &Path) {
    for name in COMPANIONS {
        drop(fs::remove_file(with_suffix(database, name)));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Offsets of the file format, <https://www.sqlite.org/fileformat2.html#the_database_header>.
fn parse(bytes: &[u8; 100]) -> Option<Header> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    bytes.starts_with(b"SQLite format 3\0").then_some(Header {
        schema: number(60)?,
        application_id: number(68)?,
    })
}
