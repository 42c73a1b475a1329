//! Finding and reading execution files. It blocks, so it runs where that is allowed.

use crate::clock::Timestamp;
use crate::file;
use crate::limits::{
    EXECUTION_DEPTH_MAX, EXECUTION_FILE_BYTES_MAX, EXECUTION_FILES_MAX, EXECUTION_FOLDERS_MAX,
};
use crate::model::OperationId;
use crate::sources::FilePattern;
use crate::sources::files::changes::Change;
use crate::sources::files::complaints::Complaints;
use crate::sources::files::execution::Execution;
use crate::sources::files::newest::{Newest, Print};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use walkdir::WalkDir;

/// What is known of the files.
#[derive(Debug)]
pub(crate) struct Search {
    patterns: Arc<[FilePattern]>,
    seen: HashMap<PathBuf, Seen>,
    complaints: Complaints,
    /// Who tells of changes, if the system lets anybody.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

/// A file as it was read last.
#[derive(Debug)]
struct Seen {
    print: Print,
    execution: Option<Execution>,
}

/// What one search came by.
struct Found {
    files: Newest,
    folders: BTreeSet<PathBuf>,
}

impl Search {
    pub(crate) fn new(
        patterns: Arc<[FilePattern]>,
        complaints: Complaints,
        watcher: Option<RecommendedWatcher>,
    ) -> Self {
        Self {
            patterns,
            seen: HashMap::new(),
            complaints,
            watcher,
            watched: BTreeSet::new(),
        }
    }

    /// Has nobody tell of changes.
    #[cfg(test)]
    pub(crate) fn deaf(&mut self) {
        self.watcher = None;
    }

    /// Looks at what changed: the executions that are new.
    pub(crate) fn look(&mut self, change: Change) -> Vec<Execution> {
        match change {
            Change::Nothing => Vec::new(),
            Change::Files(paths) => self.look_at(paths),
            Change::Everything => self.look_at_everything(),
        }
    }

    /// There was no room for these: the next search that comes by them names them again.
    pub(crate) fn refused(&mut self, operation_ids: &HashSet<OperationId>) {
        if operation_ids.is_empty() {
            return;
        }
        self.complaints.no_room(operation_ids.len());
        let is_refused = |execution: &Execution| operation_ids.contains(&execution.operation_id);
        self.seen
            .retain(|_, seen| !seen.execution.as_ref().is_some_and(is_refused));
    }

    /// The next search names again what the files say that were written in this time.
    pub(crate) fn forget_younger_than(&mut self, age: Duration, now: Timestamp) {
        let is_old = |seen: &Seen| {
            let modified_at = seen.print.modified_at();
            modified_at.is_none_or(|modified_at| now.since(modified_at) > age)
        };
        self.seen.retain(|_, seen| is_old(seen));
    }

    /// Files of which the file system told are read whatever their times say: these are coarse.
    fn look_at(&mut self, paths: BTreeSet<PathBuf>) -> Vec<Execution> {
        let mut executions = Vec::new();
        for path in paths {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => executions.extend(self.read(&path)),
                // A folder whose name is like a file's came, with all that is in it.
                Ok(metadata) if metadata.is_dir() && self.is_on_the_way(&path) => {
                    executions.extend(self.look_at_everything());
                    return executions;
                }
                Ok(_) => {}
                Err(error) => {
                    self.seen.remove(&path);
                    self.complaints.unreadable(&path, &error);
                }
            }
        }
        executions
    }

    fn is_on_the_way(&self, folder: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.leads_through(folder))
    }

    fn look_at_everything(&mut self) -> Vec<Execution> {
        self.complaints.begin();
        let mut found = self.find();
        if self.forget_folders(&found.folders) {
            // A folder and a link to it share one watch, which ends with either name: both are watched anew, before the
            // files are listed that count.
            found = self.find();
        }
        if found.files.is_exceeded() {
            self.complaints.too_many("files", EXECUTION_FILES_MAX);
        }
        let paths = found.files.paths();
        self.seen.retain(|path, _| paths.contains(path.as_path()));
        let mut executions = Vec::new();
        for (path, print) in found.files.into_files() {
            if self.is_news(&path, print) {
                executions.extend(self.read(&path));
            }
        }
        self.complaints.end();
        executions
    }

    fn find(&mut self) -> Found {
        let mut found = Found {
            files: Newest::at_most(EXECUTION_FILES_MAX),
            folders: BTreeSet::new(),
        };
        for pattern in Arc::clone(&self.patterns).iter() {
            self.search(pattern, &mut found);
        }
        found
    }

    fn search(&mut self, pattern: &FilePattern, found: &mut Found) {
        let base = pattern.base();
        self.watch_towards(&base, found);
        let walk = WalkDir::new(&base)
            .follow_links(true)
            .max_depth(EXECUTION_DEPTH_MAX);
        let mut entries = walk.into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if !pattern.leads_through(entry.path()) {
                        entries.skip_current_dir();
                    } else if found.folders.len() >= EXECUTION_FOLDERS_MAX {
                        return self.complaints.too_many("folders", EXECUTION_FOLDERS_MAX);
                    } else {
                        // Before its files are listed, so that none comes unnoticed.
                        self.watch(entry.path(), found);
                    }
                }
                Ok(entry) if entry.file_type().is_file() && pattern.matches(entry.path()) => {
                    if let Ok(metadata) = entry.metadata() {
                        found.files.insert(entry.path(), Print::of(&metadata));
                    }
                }
                // What is no regular file is not opened: a pipe or a device may do anything then.
                Ok(_) => {}
                Err(error) => self.pass_over(&error),
            }
        }
    }

    /// Links that lead in a circle are no error.
    fn pass_over(&mut self, error: &walkdir::Error) {
        if let (Some(path), Some(error)) = (error.path(), error.io_error()) {
            self.complaints.unreadable(path, error);
        }
    }

    fn is_news(&self, path: &Path, print: Print) -> bool {
        self.seen.get(path).is_none_or(|seen| seen.print != print)
    }

    /// The execution of a file, if it is not the one that it named when it was read before.
    fn read(&mut self, path: &Path) -> Option<Execution> {
        let (print, execution) = match read(path) {
            Ok((metadata, bytes)) => (Print::of(&metadata), Execution::parse(&bytes)),
            Err(error) => {
                self.seen.remove(path);
                self.complaints.unreadable(path, &error);
                return None;
            }
        };
        let has_room = self.seen.len() < EXECUTION_FILES_MAX || self.seen.contains_key(path);
        let seen = Seen {
            print,
            execution: execution.clone(),
        };
        let before = if has_room {
            self.seen.insert(path.to_owned(), seen)
        } else {
            None
        };
        execution.filter(|execution| before.and_then(|seen| seen.execution).as_ref() != Some(execution))
    }

    /// Until a folder exists, its making is told by the nearest one that does.
    fn watch_towards(&mut self, base: &Path, found: &mut Found) {
        let mut watched = None;
        // What came before the watch did is found by looking once more.
        for _ in 0..EXECUTION_DEPTH_MAX {
            let nearest = base.ancestors().find(|folder| folder.is_dir());
            match nearest {
                Some(folder) if nearest != watched => self.watch(folder, found),
                _ => return,
            }
            watched = nearest;
        }
    }

    /// Has changes in a folder told. One that was removed and made again has to be named again, so each is named at
    /// every search.
    fn watch(&mut self, folder: &Path, found: &mut Found) {
        let is_new = found.folders.insert(folder.to_owned());
        let Some(watcher) = self.watcher.as_mut().filter(|_| is_new) else {
            return;
        };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(folder.to_owned());
            }
            Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
            Err(notify::Error {
                kind: notify::ErrorKind::Io(error),
                ..
            }) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.complaints.unreadable(folder, &error);
            }
            Err(error) => self.complaints.unwatched(folder, &error),
        }
    }

    /// Ends the watch over folders that lead nowhere any more; whether there are any.
    fn forget_folders(&mut self, found: &BTreeSet<PathBuf>) -> bool {
        let gone: Vec<PathBuf> = self.watched.difference(found).cloned().collect();
        for folder in &gone {
            self.watched.remove(folder);
            if let Some(watcher) = self.watcher.as_mut() {
                // A folder that was removed has no watch any more.
                let _ = watcher.unwatch(folder);
            }
        }
        !gone.is_empty()
    }
}

/// The bytes of a regular file, and what it was before they were read; nothing of one that is too large.
fn read(path: &Path) -> io::Result<(Metadata, Vec<u8>)> {
    let file = file::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    if metadata.is_file() {
        let bytes_max = u64::try_from(EXECUTION_FILE_BYTES_MAX).unwrap_or(u64::MAX);
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() > EXECUTION_FILE_BYTES_MAX {
        bytes.clear();
    }
    Ok((metadata, bytes))
}
