//! The newest files of a search, however many it passes.

use crate::clock::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// By what a file that was written since is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// So many files, those that were written last; a directory lists its files in no order, and old runs matter least.
#[derive(Debug)]
pub(crate) struct Newest {
    max: usize,
    files: BTreeMap<((i64, i64), PathBuf), Print>,
    is_exceeded: bool,
}

impl Print {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When it was written, to the second, if a clock can show that.
    pub(crate) fn modified_at(&self) -> Option<Timestamp> {
        Timestamp::from_seconds(self.modified.0, 0)
    }
}

impl Newest {
    pub(crate) fn at_most(max: usize) -> Self {
        Self {
            max,
            files: BTreeMap::new(),
            is_exceeded: false,
        }
    }

    /// Takes a file in, and lets the oldest go when there are too many.
    pub(crate) fn insert(&mut self, path: &Path, print: Print) {
        self.files.insert((print.modified, path.to_owned()), print);
        if self.files.len() > self.max {
            self.files.pop_first();
            self.is_exceeded = true;
        }
    }

    /// Whether any was let go.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    pub(crate) fn paths(&self) -> HashSet<&Path> {
        self.files.keys().map(|(_, path)| path.as_path()).collect()
    }

    /// The files, the newest first.
    pub(crate) fn into_files(self) -> impl Iterator<Item = (PathBuf, Print)> {
        let files = self.files.into_iter().rev();
        files.map(|((_, path), print)| (path, print))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_come_first() {
        let mut newest = Newest::at_most(3);
        let print = |second: i64| Print {
            device: 1,
            inode: 1,
            size_bytes: 1,
            modified: (second, 0),
            changed: (0, 0),
        };
        for (name, second) in [("b", 2), ("b", 2), ("e", 5), ("c", 3)] {
            newest.insert(Path::new(name), print(second));
        }
        assert!(!newest.is_exceeded(), "a file that two patterns cover is one");
        for (name, second) in [("a", 1), ("d", 4)] {
            newest.insert(Path::new(name), print(second));
        }
        assert!(newest.is_exceeded());
        assert_eq!(newest.paths().len(), 3);
        let names: Vec<_> = newest.into_files().map(|(path, _)| path).collect();
        assert_eq!(names, ["e", "d", "c"].map(PathBuf::from));
    }
}
