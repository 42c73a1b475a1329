//! One project: its live jobs, its ended jobs, its balance and its limits.

use crate::clock::Timestamp;
use crate::cloud::{CloudError, PageTrail};
use crate::flow::{InboxClosed, Latch};
use crate::limits::{LISTED_JOBS_MAX, SWEEP_PAGES_MAX};
use crate::model::{Decoded, Input, JobListing, JobSnapshot, ListingScope, ProjectId};
use crate::sources::Context;
use crate::sources::pace::{Ending, Pace};
use tokio_util::sync::CancellationToken;

/// Balances change all the time, names and limits hardly ever.
const DESCRIBE_EVERY_BALANCES: u64 = 10;

/// How errors name the call.
const LIST: &str = "ProjectJobService.List";

/// Follows one project.
#[derive(Debug)]
pub(crate) struct Project {
    id: ProjectId,
    context: Context,
}

/// How far the passes over the ended jobs are.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// Where a pass that met its bound goes on; empty at the beginning of a pass.
    page_token: String,
    /// Up to here a pass has seen every end, by the cloud's clock.
    swept_to: Option<Timestamp>,
    /// The newest end that the present pass has shown.
    newest_end: Option<Timestamp>,
    /// Whether every page of the present pass listed the newest jobs first.
    newest_first: bool,
    trail: PageTrail,
}

impl Project {
    pub(crate) fn new(id: ProjectId, context: Context) -> Self {
        Self { id, context }
    }

    /// Runs until `stop`; the latch is released once the first listing is applied, good or bad.
    pub(crate) async fn run(self, latch: Option<Latch>, stop: CancellationToken) {
        let rounds = async {
            let followed = Input::ProjectFollowed(self.id.clone());
            self.context.inbox.send(followed).await?;
            if !self.context.client.reaches_jobs() {
                if let Some(latch) = latch {
                    self.context.inbox.after_first_look(latch).await?;
                }
                return self.follow_balance().await;
            }
            // Apart from each other, so that a slow sweep or balance never holds the live listing up.
            tokio::try_join!(
                self.follow_live(latch),
                self.follow_ended(),
                self.follow_balance()
            )?;
            Ok(())
        };
        let _: Option<Result<(), InboxClosed>> = stop.run_until_cancelled(Box::pin(rounds)).await;
    }

    async fn follow_live(&self, mut latch: Option<Latch>) -> Result<(), InboxClosed> {
        let mut pace = Pace::new(self.context.settings.list_interval);
        loop {
            tokio::time::sleep_until(pace.due_at()).await;
            pace.done(self.list_live().await?);
            if let Some(latch) = latch.take() {
                self.context.inbox.after_first_look(latch).await?;
            }
        }
    }

    async fn follow_ended(&self) -> Result<(), InboxClosed> {
        let mut pace = Pace::new(self.context.settings.sweep_interval);
        let places = &self.context.places;
        let mut sweep = places.of(&self.id).unwrap_or_else(Sweep::new);
        loop {
            tokio::time::sleep_until(pace.due_at()).await;
            pace.done(self.sweep_ended(&mut sweep).await?);
            // Only what was handed over: pages that were turned when others take our place are turned anew.
            places.mark(&self.id, &sweep);
        }
    }

    async fn follow_balance(&self) -> Result<(), InboxClosed> {
        let mut pace = Pace::new(self.context.settings.balance_interval);
        for round in 0_u64.. {
            tokio::time::sleep_until(pace.due_at()).await;
            let describe = round.is_multiple_of(DESCRIBE_EVERY_BALANCES);
            pace.done(self.look_at_balance(describe).await?);
        }
        Ok(())
    }

    /// Lists the live jobs, all or none.
    async fn list_live(&self) -> Result<Ending, InboxClosed> {
        let asked_at = self.context.clock.now();
        let mut jobs = Vec::new();
        let listed = self.page_through(&mut jobs).await;
        let complete = listed.is_ok();
        self.hand_over(ListingScope::Live, asked_at, complete, jobs, listed.err())
            .await
    }

    async fn page_through(&self, jobs: &mut Vec<Decoded<JobSnapshot>>) -> Result<(), CloudError> {
        let mut trail = PageTrail::default();
        let mut page_token = Some(String::new());
        while let Some(token) = page_token {
            let page = self
                .context
                .client
                .list_jobs(&self.id, ListingScope::Live, &token)
                .await?;
            jobs.extend(page.items);
            if jobs.len() > LISTED_JOBS_MAX {
                return Err(CloudError::EndlessListing { method: LIST });
            }
            page_token = trail.follow(LIST, page.next_page_token)?;
        }
        Ok(())
    }

    /// Lists ended jobs up to what an earlier pass has seen.
    async fn sweep_ended(&self, sweep: &mut Sweep) -> Result<Ending, InboxClosed> {
        let asked_at = self.context.clock.now();
        let mut jobs = Vec::new();
        let swept = self.turn_pages(sweep, &mut jobs).await;
        if swept.is_err() {
            sweep.restart();
        }
        let (is_over, failure) = match swept {
            Ok(is_over) => (is_over, None),
            Err(error) => (false, Some(error)),
        };
        self.hand_over(ListingScope::Ended, asked_at, is_over, jobs, failure)
            .await
    }

    /// Whether the pass is over.
    async fn turn_pages(
        &self,
        sweep: &mut Sweep,
        jobs: &mut Vec<Decoded<JobSnapshot>>,
    ) -> Result<bool, CloudError> {
        for _ in 0..SWEEP_PAGES_MAX {
            let client = &self.context.client;
            let page = client
                .list_jobs(&self.id, ListingScope::Ended, &sweep.page_token)
                .await?;
            let is_over = sweep.turn(&page.items, page.next_page_token);
            jobs.extend(page.items);
            if is_over? {
                return Ok(true);
            }
        }
        Ok(sweep.rest())
    }

    /// Gives a listing to the engine, also one that failed. How it ended.
    async fn hand_over(
        &self,
        scope: ListingScope,
        asked_at: Timestamp,
        complete: bool,
        jobs: Vec<Decoded<JobSnapshot>>,
        failure: Option<CloudError>,
    ) -> Result<Ending, InboxClosed> {
        let ending = failure.as_ref().map_or(Ending::Answered, Ending::from);
        if let Some(error) = failure {
            self.context
                .complain(self.id.as_str(), &error, "listing the jobs of a project");
        }
        let project_id = self.id.clone();
        let listing = JobListing {
            project_id,
            scope,
            asked_at,
            complete,
            jobs,
        };
        self.context.inbox.send(Input::Listed(listing)).await?;
        Ok(ending)
    }

    /// Looks at the balance, and now and then at name and limits; the worse of both endings.
    async fn look_at_balance(&self, describe: bool) -> Result<Ending, InboxClosed> {
        let client = &self.context.client;
        let mut ending = Ending::Answered;
        if describe {
            match client.get_project(&self.id).await {
                Ok(project) => self.context.inbox.send(Input::Project(project.value)).await?,
                Err(error) => {
                    ending = Ending::from(&error);
                    self.context
                        .complain(self.id.as_str(), &error, "reading a project's name and limits");
                }
            }
        }
        match client.unit_balance(&self.id).await {
            Ok(balance) => {
                let (project_id, units) = (self.id.clone(), balance.value);
                self.context
                    .inbox
                    .send(Input::Balance { project_id, units })
                    .await?;
            }
            Err(error) => {
                ending = ending.max(Ending::from(&error));
                self.context
                    .complain(self.id.as_str(), &error, "reading a project's unit balance");
            }
        }
        Ok(ending)
    }
}

#[cfg(test)]
impl Sweep {
    pub(crate) fn at(page_token: &str) -> Self {
        Self {
            page_token: page_token.to_owned(),
            ..Self::new()
        }
    }

    pub(crate) fn page_token(&self) -> &str {
        &self.page_token
    }
}

impl Sweep {
    fn new() -> Self {
        Self {
            page_token: String::new(),
            swept_to: None,
            newest_end: None,
            newest_first: true,
            trail: PageTrail::default(),
        }
    }

    /// Takes a page in. Whether the pass is over: at the last page, or at one on which everything ended before
    /// what an earlier pass has seen, if the cloud lists the newest first.
    fn turn(&mut self, jobs: &[Decoded<JobSnapshot>], next_page_token: String) -> Result<bool, CloudError> {
        let descends = |of: fn(&JobSnapshot) -> Option<Timestamp>| {
            jobs.windows(2).all(|pair| match pair {
                [newer, older] => of(&newer.value) >= of(&older.value),
                _ => true,
            })
        };
        self.newest_first &= descends(|job| job.created_at) || descends(|job| job.finished_at);
        let newest = jobs.iter().filter_map(|job| job.value.finished_at).max();
        self.newest_end = self.newest_end.max(newest);
        let all_known = !jobs.is_empty() && newest.is_some() && newest <= self.swept_to;
        let next_page_token = self.trail.follow(LIST, next_page_token)?;
        if let Some(next_page_token) = next_page_token.filter(|_| !(self.newest_first && all_known)) {
            self.page_token = next_page_token;
            return Ok(false);
        }
        self.finish();
        Ok(true)
    }

    /// A pass met its bound. The first one is over all the same where the newest come first: what lies further
    /// back ended before watching began. Any other goes on from here next time, so that no end is passed over.
    fn rest(&mut self) -> bool {
        let is_over = self.newest_first && self.swept_to.is_none();
        if is_over {
            self.finish();
        }
        is_over
    }

    fn finish(&mut self) {
        self.swept_to = self.swept_to.max(self.newest_end);
        self.restart();
    }

    fn restart(&mut self) {
        *self = Self {
            swept_to: self.swept_to,
            ..Self::new()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gaps, JobStatus};

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_seconds(1_700_000_000 + second, 0)
    }

    /// Ended jobs by the second of their end.
    fn page(ends: &[i64]) -> Vec<Decoded<JobSnapshot>> {
        let job = |end: i64| JobSnapshot {
            id: format!("j{end}").parse().expect("an id"),
            project_id: None,
            name: None,
            parent_job_id: None,
            created_by: None,
            status: JobStatus::Success,
            status_details: None,
            created_at: at(end - 5),
            started_at: None,
            finished_at: at(end),
            data_expires_at: None,
            data_cleared: false,
            instance_type: None,
            data_size_bytes: None,
        };
        ends.iter()
            .map(|end| Decoded {
                value: job(*end),
                gaps: Gaps::default(),
            })
            .collect()
    }

    fn turn(sweep: &mut Sweep, jobs: &[Decoded<JobSnapshot>], next_page_token: String) -> bool {
        sweep.turn(jobs, next_page_token).expect("a page that leads on")
    }

    #[test]
    fn a_listing_that_leads_in_a_circle_is_an_error_and_not_endless() {
        let mut sweep = Sweep::new();
        assert!(!turn(&mut sweep, &page(&[10]), "2".into()));
        assert!(sweep.turn(&page(&[20]), "2".into()).is_err());
    }

    #[test]
    fn a_pass_over_the_newest_first_stops_at_what_is_known() {
        let mut sweep = Sweep::new();
        assert!(!turn(&mut sweep, &page(&[30, 20]), "2".into()));
        assert!(turn(&mut sweep, &page(&[10]), String::new()));
        assert!(!turn(&mut sweep, &page(&[50, 40]), "2".into()), "two new ends");
        assert!(
            turn(&mut sweep, &page(&[30, 20]), "3".into()),
            "all known: the third page is not asked for"
        );
        assert!(sweep.page_token.is_empty());
    }

    #[test]
    fn a_pass_over_the_oldest_first_reaches_the_end_in_parts() {
        let mut sweep = Sweep::new();
        assert!(!turn(&mut sweep, &page(&[10, 20]), "2".into()));
        assert!(!sweep.rest());
        assert_eq!(sweep.page_token, "2", "goes on here");
        assert!(turn(&mut sweep, &page(&[30, 40]), String::new()));
        assert!(
            !turn(&mut sweep, &page(&[10, 20]), "2".into()),
            "known, but news come last"
        );
    }

    #[test]
    fn a_bounded_first_pass_over_the_newest_first_is_enough() {
        let mut sweep = Sweep::new();
        assert!(!turn(&mut sweep, &page(&[30, 20]), "2".into()));
        assert!(sweep.rest());
        assert_eq!(sweep.swept_to, at(30));
        assert!(!turn(&mut sweep, &page(&[60, 50]), "2".into()));
        assert!(!sweep.rest(), "there may be more news behind the bound");
        assert_eq!(sweep.page_token, "2");
    }
}
