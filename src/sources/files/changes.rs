//! What the file system told since somebody asked last.

use crate::limits::EXECUTION_CHANGES_MAX;
use crate::sources::FilePattern;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Changes that wait to be looked at. Whoever tells of one never waits.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    waiting: Mutex<Change>,
    told: Notify,
}

/// What is to be looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    #[default]
    Nothing,
    /// These files.
    Files(BTreeSet<PathBuf>),
    /// All there is, found anew.
    Everything,
}

impl Changes {
    /// A file is new or different.
    pub(crate) fn touch(&self, path: &Path) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Change::Nothing => *waiting = Change::Files(BTreeSet::from([path.to_owned()])),
            Change::Files(paths) if paths.len() >= EXECUTION_CHANGES_MAX => *waiting = Change::Everything,
            Change::Files(paths) => {
                paths.insert(path.to_owned());
            }
            Change::Everything => {}
        }
        self.told.notify_one();
    }

    /// Anything may be different.
    pub(crate) fn touch_everything(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Change::Everything;
        self.told.notify_one();
    }

    /// Waits for a change, and takes all that wait.
    pub(crate) async fn take(&self) -> Change {
        self.told.notified().await;
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hears what the file system tells of the folders that are watched.
    pub(crate) fn hear(&self, told: notify::Result<Event>, patterns: &[FilePattern]) {
        let Ok(event) = told else {
            return self.touch_everything();
        };
        if event.need_rescan() {
            return self.touch_everything();
        }
        // Reading is not a change, ours least of all.
        let is_read =
            matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
        if is_read {
            return;
        }
        let moves_folders = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        for path in &event.paths {
            if patterns.iter().any(|pattern| pattern.matches(path)) {
                self.touch(path);
            } else if moves_folders && patterns.iter().any(|pattern| pattern.leads_through(path)) {
                self.touch_everything();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, RemoveKind, RenameMode};

    fn heard(kind: EventKind, path: &str) -> Change {
        let changes = Changes::default();
        let patterns = [FilePattern::parse("/runs/*/x.json").expect("a pattern")];
        changes.hear(Ok(Event::new(kind).add_path(path.into())), &patterns);
        changes.waiting.into_inner().expect("not poisoned")
    }

    #[test]
    fn writing_a_file_changes_it_and_reading_it_does_not() {
        let file = "/runs/monday/x.json";
        let written = [
            EventKind::Create(CreateKind::File),
            EventKind::Modify(ModifyKind::Data(DataChange::Any)),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)),
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
        ];
        for kind in written {
            assert_eq!(
                heard(kind, file),
                Change::Files(BTreeSet::from([file.into()])),
                "{kind:?}"
            );
        }
        for kind in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Close(AccessMode::Read),
        ] {
            assert_eq!(heard(EventKind::Access(kind), file), Change::Nothing, "{kind:?}");
        }
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(heard(written, "/runs/monday/y.json"), Change::Nothing);
    }

    #[test]
    fn folders_that_come_and_go_have_everything_looked_at_if_they_lead_to_such_files() {
        for kind in [
            EventKind::Create(CreateKind::Folder),
            EventKind::Remove(RemoveKind::Folder),
        ] {
            assert_eq!(heard(kind, "/runs"), Change::Everything, "{kind:?}");
            assert_eq!(heard(kind, "/runs/monday"), Change::Everything, "{kind:?}");
            assert_eq!(heard(kind, "/home"), Change::Nothing, "{kind:?}");
        }
    }

    #[test]
    fn what_the_file_system_could_not_tell_has_everything_looked_at() {
        let changes = Changes::default();
        changes.touch(Path::new("/runs/monday/x.json"));
        changes.hear(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), &[]);
        assert_eq!(*changes.waiting.lock().expect("not poisoned"), Change::Everything);
        let changes = Changes::default();
        changes.hear(Err(notify::Error::generic("broken")), &[]);
        assert_eq!(*changes.waiting.lock().expect("not poisoned"), Change::Everything);
    }

    #[test]
    fn a_storm_of_changes_is_bounded_and_loses_nothing() {
        let changes = Changes::default();
        for number in 0..=EXECUTION_CHANGES_MAX {
            changes.touch(Path::new(&format!("/runs/{number}/x.json")));
        }
        assert_eq!(*changes.waiting.lock().expect("not poisoned"), Change::Everything);
    }
}
