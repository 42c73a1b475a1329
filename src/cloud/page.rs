//! How large pages may be, and when a listing does not end.

use crate::cloud::CloudError;
use crate::limits::{LISTING_PAGES_MAX, PAGE_SIZES_MAX};
use smol_str::SmolStr;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The size of the pages to ask for, by whose children are listed.
///
/// A list answer carries whole jobs with their configuration: fifty of them can exceed what a message may have, or
/// what the API can produce in time. The size is halved then, and grows back slowly.
#[derive(Debug, Default)]
pub(crate) struct PageSizes(Mutex<HashMap<SmolStr, Reduced>>);

#[derive(Debug)]
struct Reduced {
    size: i64,
    grows_at: Instant,
}

/// What the official client asks for.
pub(crate) const PAGE_SIZE: i64 = 50;

/// How long a reduced size holds before it doubles.
const GROWTH_INTERVAL: Duration = Duration::from_mins(10);

impl PageSizes {
    /// The size to ask for now.
    pub(crate) fn get(&self, parent: &str, now: Instant) -> i64 {
        let mut sizes = self.lock();
        let Some(reduced) = sizes.get_mut(parent) else {
            return PAGE_SIZE;
        };
        if reduced.grows_at <= now {
            reduced.size *= 2;
            reduced.grows_at = now + GROWTH_INTERVAL;
        }
        let size = reduced.size;
        if size >= PAGE_SIZE {
            sizes.remove(parent);
            return PAGE_SIZE;
        }
        size
    }

    /// A page of `size` failed; the next size, or `None` when it cannot be smaller.
    pub(crate) fn reduce(&self, parent: &str, size: i64, now: Instant) -> Option<i64> {
        let size = size / 2;
        if size < 1 {
            return None;
        }
        let reduced = Reduced {
            size,
            grows_at: now + GROWTH_INTERVAL,
        };
        let mut sizes = self.lock();
        let room = sizes.len() < PAGE_SIZES_MAX;
        match sizes.entry(SmolStr::new(parent)) {
            Entry::Occupied(mut known) => _ = known.insert(reduced),
            Entry::Vacant(place) if room => _ = place.insert(reduced),
            // Forgotten: this listing asks for smaller pages now, the next one finds out again.
            Entry::Vacant(_) => {}
        }
        Some(size)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SmolStr, Reduced>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page tokens of one listing, from the first page to the last: it notices an API that leads in a circle.
///
/// ```
/// # use datasphere_exporter::cloud::PageTrail;
/// let mut trail = PageTrail::default();
/// let mut page_token = Some(String::new());
/// # let mut answers = ["b".to_owned(), String::new()].into_iter();
/// while let Some(token) = page_token {
///     // let page = client.list_jobs(&project_id, scope, &token).await?;
///     # let next_page_token = answers.next().unwrap();
///     page_token = trail.follow("ProjectJobService.List", next_page_token)?;
/// }
/// # Ok::<(), datasphere_exporter::cloud::CloudError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PageTrail(HashSet<String>);

impl PageTrail {
    /// The token of the page to ask for next, or `None` after the last one.
    ///
    /// # Errors
    /// [`CloudError::EndlessListing`] when the token was seen before, or after too many pages.
    pub fn follow(
        &mut self,
        method: &'static str,
        next_page_token: String,
    ) -> Result<Option<String>, CloudError> {
        if next_page_token.is_empty() {
            return Ok(None);
        }
        if self.0.len() >= LISTING_PAGES_MAX || !self.0.insert(next_page_token.clone()) {
            return Err(CloudError::EndlessListing { method });
        }
        Ok(Some(next_page_token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_size_is_halved_down_to_one_and_grows_back() {
        let sizes = PageSizes::default();
        let now = Instant::now();
        let mut asked = vec![sizes.get("p", now)];
        while let Some(size) = sizes.reduce("p", sizes.get("p", now), now) {
            asked.push(size);
        }
        assert_eq!(asked, [50, 25, 12, 6, 3, 1]);
        assert_eq!(sizes.get("p", now), 1);
        assert_eq!(sizes.get("another", now), 50);

        let mut later = now;
        let mut grown = Vec::new();
        for _ in 0..6 {
            later += GROWTH_INTERVAL;
            grown.push(sizes.get("p", later));
        }
        assert_eq!(grown, [2, 4, 8, 16, 32, 50]);
        assert!(sizes.lock().is_empty(), "what is back to normal takes no memory");
    }

    #[test]
    fn a_listing_that_leads_in_a_circle_ends_with_an_error() {
        let mut trail = PageTrail::default();
        for token in ["a", "b", "c"] {
            assert_eq!(
                trail.follow("X.List", token.to_owned()).expect("new"),
                Some(token.to_owned())
            );
        }
        assert!(matches!(
            trail.follow("X.List", "a".to_owned()),
            Err(CloudError::EndlessListing { method: "X.List" })
        ));
        assert_eq!(trail.follow("X.List", String::new()).expect("the end"), None);
    }
}
