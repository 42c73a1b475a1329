//! How far the passes over the ended jobs of projects are, for sources that take the place of others.

use crate::model::ProjectId;
use crate::sources::project::Sweep;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places in the pasts of projects, as one cloud tells them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<HashMap<ProjectId, Sweep>>>);

impl Places {
    /// Where a project's pass goes on.
    pub(crate) fn of(&self, project_id: &ProjectId) -> Option<Sweep> {
        self.lock().get(project_id).cloned()
    }

    /// What was handed over up to here is not asked for again.
    pub(crate) fn mark(&self, project_id: &ProjectId, sweep: &Sweep) {
        self.lock().insert(project_id.clone(), sweep.clone());
    }

    /// Forgets all other projects.
    pub(crate) fn keep_only(&self, projects: &HashSet<ProjectId>) {
        self.lock().retain(|project_id, _| projects.contains(project_id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, Sweep>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_for_whoever_follows_the_project_next_and_for_no_other() {
        let places = Places::default();
        let id = |id: &str| id.parse::<ProjectId>().expect("an id");
        let sweep = Sweep::at("3");
        places.mark(&id("p1"), &sweep);
        places.mark(&id("p2"), &sweep);
        let successor = places.clone();
        successor.keep_only(&[id("p1")].into());
        let place = successor.of(&id("p1")).expect("a place");
        assert_eq!(place.page_token(), "3");
        assert!(successor.of(&id("p2")).is_none());
    }
}
