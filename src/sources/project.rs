//! One project: its live jobs, its ended jobs, its balance and its limits.

use crate::clock::Timestamp;
use crate::cloud::{CloudError, PageTrail};
use crate::flow::{InboxClosed, Latch};
use crate::limits::SWEEP_PAGES_MAX;
use crate::model::{Decoded, Input, JobListing, JobSnapshot, ListingScope, ProjectId};
use crate::sources::Context;
use crate::sources::pace::Pace;
use tokio_util::sync::CancellationToken;

/// Balances change all the time, names and limits hardly ever.
const DESCRIBE_EVERY_BALANCES: u32 = 10;

/// Follows one project.
#[derive(Debug)]
pub(crate) struct Project {
    id: ProjectId,
    context: Context,
    sweep: Sweep,
}

/// How far the passes over the ended jobs are.
#[derive(Debug)]
struct Sweep {
    /// Where a pass that met its bound goes on; empty at the beginning of a pass.
    page_token: String,
    /// Up to here a pass has seen every end, by the cloud's clock.
    swept_to: Option<Timestamp>,
    /// The newest end that the present pass has shown.
    newest_end: Option<Timestamp>,
    /// Whether every page of the present pass listed the newest jobs first.
    newest_first: bool,
}

impl Project {
    pub(crate) fn new(id: ProjectId, context: Context) -> Self {
        Self {
            id,
            context,
            sweep: Sweep::new(),
        }
    }

    /// Runs until `stop`; the latch is released after the first listing, good or bad.
    pub(crate) async fn run(mut self, mut latch: Option<Latch>, stop: CancellationToken) {
        let settings = &self.context.settings;
        let (mut live, mut sweep) = (
            Pace::new(settings.list_interval),
            Pace::new(settings.sweep_interval),
        );
        let (mut balance, mut balances) = (Pace::new(settings.balance_interval), 0_u32);
        let rounds = async {
            self.context
                .inbox
                .send(Input::ProjectFollowed(self.id.clone()))
                .await?;
            loop {
                if live.is_due() {
                    live.done(self.list_live().await?);
                }
                if sweep.is_due() {
                    sweep.done(self.sweep_ended().await?);
                }
                if let Some(latch) = latch.take() {
                    self.context.inbox.after_first_look(latch).await?;
                }
                if balance.is_due() {
                    let describe = balances.is_multiple_of(DESCRIBE_EVERY_BALANCES);
                    balance.done(self.look_at_balance(describe).await?);
                    balances = balances.wrapping_add(1);
                }
                let next = live.due_at().min(sweep.due_at()).min(balance.due_at());
                tokio::time::sleep_until(next).await;
            }
        };
        let _: Option<Result<(), InboxClosed>> = stop.run_until_cancelled(rounds).await;
    }

    /// Lists the live jobs. Whether the listing reached its end.
    async fn list_live(&mut self) -> Result<bool, InboxClosed> {
        let asked_at = self.context.clock.now();
        let mut jobs = Vec::new();
        let listed = self.page_through(&mut jobs).await;
        let complete = listed.is_ok();
        self.hand_over(ListingScope::Live, asked_at, complete, jobs, listed.err())
            .await?;
        Ok(complete)
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
            page_token = trail.follow("ProjectJobService.List", page.next_page_token)?;
        }
        Ok(())
    }

    /// Lists ended jobs up to what an earlier pass has seen. Whether nothing failed.
    async fn sweep_ended(&mut self) -> Result<bool, InboxClosed> {
        let asked_at = self.context.clock.now();
        let mut jobs = Vec::new();
        let mut failure = None;
        let mut is_over = false;
        for _ in 0..SWEEP_PAGES_MAX {
            match self
                .context
                .client
                .list_jobs(&self.id, ListingScope::Ended, &self.sweep.page_token)
                .await
            {
                Ok(page) => {
                    is_over = self.sweep.turn(&page.items, page.next_page_token);
                    jobs.extend(page.items);
                }
                Err(error) => failure = Some(error),
            }
            if is_over || failure.is_some() {
                break;
            }
        }
        let succeeded = failure.is_none();
        if succeeded {
            is_over |= self.sweep.rest();
        } else {
            self.sweep.restart();
        }
        self.hand_over(ListingScope::Ended, asked_at, is_over, jobs, failure)
            .await?;
        Ok(succeeded)
    }

    async fn hand_over(
        &self,
        scope: ListingScope,
        asked_at: Timestamp,
        complete: bool,
        jobs: Vec<Decoded<JobSnapshot>>,
        failure: Option<CloudError>,
    ) -> Result<(), InboxClosed> {
        if let Some(error) = failure {
            self.context
                .complain(self.id.as_str(), &error, "listing the jobs of a project");
            self.context
                .inbox
                .send(Input::ListingFailed {
                    project_id: self.id.clone(),
                })
                .await?;
        }
        let project_id = self.id.clone();
        let listing = JobListing {
            project_id,
            scope,
            asked_at,
            complete,
            jobs,
        };
        self.context.inbox.send(Input::Listed(listing)).await
    }

    /// Looks at the balance, and now and then at name and limits. Whether all answered.
    async fn look_at_balance(&self, describe: bool) -> Result<bool, InboxClosed> {
        let client = &self.context.client;
        let mut succeeded = true;
        if describe {
            match client.get_project(&self.id).await {
                Ok(project) => self.context.inbox.send(Input::Project(project.value)).await?,
                Err(error) => {
                    succeeded = false;
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
                succeeded = false;
                self.context
                    .complain(self.id.as_str(), &error, "reading a project's unit balance");
            }
        }
        Ok(succeeded)
    }
}

impl Sweep {
    fn new() -> Self {
        Self {
            page_token: String::new(),
            swept_to: None,
            newest_end: None,
            newest_first: true,
        }
    }

    /// Takes a page in. Whether the pass is over: at the last page, or at one on which everything ended before
    /// what an earlier pass has seen, if the cloud lists the newest first.
    fn turn(&mut self, jobs: &[Decoded<JobSnapshot>], next_page_token: String) -> bool {
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
        let is_over = next_page_token.is_empty() || (self.newest_first && all_known);
        if is_over {
            self.finish();
        } else {
            self.page_token = next_page_token;
        }
        is_over
    }

    /// A pass met its bound. Whether it is over all the same: where the newest come first, what lies further
    /// back ended before. Otherwise it goes on from here next time.
    fn rest(&mut self) -> bool {
        let is_over = self.newest_first && !self.page_token.is_empty();
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

    #[test]
    fn a_pass_over_the_newest_first_stops_at_what_is_known() {
        let mut sweep = Sweep::new();
        assert!(!sweep.turn(&page(&[30, 20]), "2".into()));
        assert!(sweep.turn(&page(&[10]), String::new()));
        assert!(!sweep.turn(&page(&[50, 40]), "2".into()), "two new ends");
        assert!(
            sweep.turn(&page(&[30, 20]), "3".into()),
            "all known: the third page is not asked for"
        );
        assert!(sweep.page_token.is_empty());
    }

    #[test]
    fn a_pass_over_the_oldest_first_reaches_the_end_in_parts() {
        let mut sweep = Sweep::new();
        assert!(!sweep.turn(&page(&[10, 20]), "2".into()));
        assert!(!sweep.rest());
        assert_eq!(sweep.page_token, "2", "goes on here");
        assert!(sweep.turn(&page(&[30, 40]), String::new()));
        assert!(
            !sweep.turn(&page(&[10, 20]), "2".into()),
            "known, but news come last"
        );
    }

    #[test]
    fn a_bounded_first_pass_over_the_newest_first_is_enough() {
        let mut sweep = Sweep::new();
        assert!(!sweep.turn(&page(&[30, 20]), "2".into()));
        assert!(sweep.rest());
        assert_eq!(sweep.swept_to, at(30));
    }
}
