//! What cannot be read, told once.

use crate::clock::Clock;
use crate::decode::redact;
use crate::flow::{Said, Throttle};
use crate::limits::EXECUTION_FILES_MAX;
use crate::sources::files::RESCAN_INTERVAL;
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Complaints about paths: one for each path as long as it fails for the same reason.
#[derive(Debug)]
pub(crate) struct Complaints {
    throttle: Arc<Throttle>,
    clock: Clock,
    failing: HashMap<PathBuf, io::ErrorKind>,
    /// Of the search before, while one is under way.
    failed: HashMap<PathBuf, io::ErrorKind>,
}

impl Complaints {
    pub(crate) fn new(throttle: Arc<Throttle>, clock: Clock) -> Self {
        Self {
            throttle,
            clock,
            failing: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    /// Everything is looked at anew: what does not fail again is forgotten.
    pub(crate) fn begin(&mut self) {
        self.failed = std::mem::take(&mut self.failing);
    }

    pub(crate) fn end(&mut self) {
        self.failed.clear();
    }

    /// A file or folder could not be read. That it is not there, or that links lead in a circle, is no reason to
    /// complain.
    pub(crate) fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let kind = error.kind();
        let is_circle = error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
        if is_circle
            || matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            || self.is_known(path, kind)
        {
            return;
        }
        if let Some(Said { held_back }) = self.throttle.admit("execution_file_unreadable", self.clock.now()) {
            tracing::warn!(
                path = %redact(&path.to_string_lossy()),
                %error,
                held_back,
                "an execution file or its folder cannot be read; give the exporter's user the right to read it, or \
                 leave it out of watch.execution_files"
            );
        }
    }

    /// A folder's changes are not told.
    pub(crate) fn unwatched(&self, folder: &Path, error: &notify::Error) {
        if let Some(Said { held_back }) = self
            .throttle
            .admit("execution_folder_unwatched", self.clock.now())
        {
            tracing::warn!(
                path = %redact(&folder.to_string_lossy()),
                %error,
                held_back,
                interval_seconds = RESCAN_INTERVAL.as_secs(),
                "the system does not tell of changes in a folder of execution files, so it is searched from time to \
                 time only; raise fs.inotify.max_user_watches and max_user_instances, if they are reached"
            );
        }
    }

    /// Operations that files name are not watched.
    pub(crate) fn no_room(&self, count: usize) {
        if let Some(Said { held_back }) = self.throttle.admit("execution_files_no_room", self.clock.now()) {
            tracing::warn!(
                count,
                held_back,
                interval_seconds = RESCAN_INTERVAL.as_secs(),
                "there is no room to watch operations that execution files name, they are tried again at each search; \
                 raise watch.tracked_max"
            );
        }
    }

    /// There is more than is searched.
    pub(crate) fn too_many(&self, what: &str, max: usize) {
        if let Some(Said { held_back }) = self.throttle.admit("execution_files_max", self.clock.now()) {
            tracing::warn!(
                max,
                held_back,
                "watch.execution_files covers more {what} than are followed, so some are left out, the oldest files first; narrow its patterns, or move old files \
                 away"
            );
        }
    }

    fn is_known(&mut self, path: &Path, kind: io::ErrorKind) -> bool {
        let known = self.failing.get(path).or(self.failed.get(path)) == Some(&kind);
        if self.failing.len() < EXECUTION_FILES_MAX {
            self.failing.insert(path.to_owned(), kind);
        }
        known
    }
}
