//! The life of one execution as a pure function of the time since it began.
//!
//! Nothing runs and nothing is stored while time passes: [`Timeline::at`] answers any question about any moment.

use crate::proto::yandex::cloud::datasphere::v2::jobs::JobStatus;
use crate::simulator::scenario::{Curve, End};
use std::time::Duration;

/// One status and how long it lasts on the clock; `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The number as sent: numbers that nobody knows yet may be scripted too.
    pub(crate) status: i32,
    pub(crate) lasts: Option<Duration>,
}

/// How the user code tells its progress while it executes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Progress {
    /// The time between two tellings on the clock; never zero.
    pub(crate) every: Duration,
    /// Executing time on the clock from 0 to 100 percent; never zero.
    pub(crate) over: Duration,
    pub(crate) curve: Curve,
    /// The percentage at which the code falls silent.
    pub(crate) stalls_at: i64,
}

/// Statuses in order, how it ends after them, and what is told meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// The status of the job once it ended.
    pub(crate) final_status: i32,
    /// How long the operation stays not done after the job has ended.
    pub(crate) done_after: Duration,
    pub(crate) progress: Option<Progress>,
}

/// What the user code last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) percent: i64,
    pub(crate) at: Duration,
}

/// How an execution stands at one moment; every time counts from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) status: i32,
    /// When this status was entered.
    pub(crate) entered: Duration,
    /// When the command first started.
    pub(crate) started: Option<Duration>,
    /// When the job ended.
    pub(crate) finished: Option<Duration>,
    /// When the operation was done.
    pub(crate) done: Option<Duration>,
    pub(crate) telling: Option<Telling>,
    /// Time spent on a machine that is paid for.
    pub(crate) busy: Duration,
}

impl Moment {
    /// When the operation last changed.
    pub(crate) fn changed(&self) -> Duration {
        let told = self.telling.map(|telling| telling.at);
        self.done
            .max(told)
            .map_or(self.entered, |at| at.max(self.entered))
    }
}

impl Timeline {
    /// How the execution stands `elapsed` after it began.
    pub(crate) fn at(&self, elapsed: Duration) -> Moment {
        let mut moment = Moment {
            status: self.final_status,
            entered: Duration::ZERO,
            started: None,
            finished: None,
            done: None,
            telling: None,
            busy: Duration::ZERO,
        };
        let mut executed = Duration::ZERO;
        for step in &self.steps {
            let entered = moment.entered;
            let until = step.lasts.and_then(|lasts| entered.checked_add(lasts));
            let spent = until
                .map_or(elapsed, |until| until.min(elapsed))
                .saturating_sub(entered);
            if step.status == i32::from(JobStatus::Executing) {
                moment.started = moment.started.or(Some(entered));
                let told = self
                    .progress
                    .and_then(|progress| progress.at(executed, spent, entered));
                moment.telling = told.or(moment.telling);
                executed += spent;
            }
            if is_paid(step.status) {
                moment.busy += spent;
            }
            match until {
                Some(until) if until <= elapsed => moment.entered = until,
                _ => {
                    moment.status = step.status;
                    return moment;
                }
            }
        }
        moment.finished = Some(moment.entered);
        moment.done = Some(moment.entered + self.done_after).filter(|done| *done <= elapsed);
        moment
    }

    /// When the job ends; `None` is never.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.steps.iter().map(|step| step.lasts).sum()
    }

    /// When each status is entered, the final one included.
    pub(crate) fn entries(&self) -> Vec<(Duration, i32)> {
        let mut entries = Vec::with_capacity(self.steps.len() + 1);
        let mut entered = Duration::ZERO;
        for step in &self.steps {
            entries.push((entered, step.status));
            match step.lasts {
                Some(lasts) => entered += lasts,
                None => return entries,
            }
        }
        entries.push((entered, self.final_status));
        entries
    }

    /// The same life up to `elapsed`, and other steps and another end from there on.
    pub(crate) fn diverted(&self, elapsed: Duration, then: &[Step], end: End, final_status: i32) -> Self {
        let mut steps = Vec::new();
        let mut left = elapsed;
        for step in &self.steps {
            let lasts = step.lasts.map_or(left, |lasts| lasts.min(left));
            steps.push(Step {
                status: step.status,
                lasts: Some(lasts),
            });
            left = left.saturating_sub(lasts);
            if left.is_zero() {
                break;
            }
        }
        steps.extend_from_slice(then);
        Self {
            steps,
            end,
            final_status,
            ..self.clone()
        }
    }

    /// The same life, cancelled at `elapsed`; the process takes `dying` to end.
    pub(crate) fn cancelled(&self, elapsed: Duration, dying: Duration) -> Self {
        let cancelling = Step {
            status: JobStatus::Cancelling.into(),
            lasts: Some(dying),
        };
        self.diverted(
            elapsed,
            &[cancelling],
            End::Cancelled,
            JobStatus::Cancelled.into(),
        )
    }
}

impl Progress {
    /// What was last told in an executing step that was entered at `entered` after `before` of executing time, and
    /// that has lasted `spent`; `None` while nothing was told in it.
    fn at(&self, before: Duration, spent: Duration, entered: Duration) -> Option<Telling> {
        let every = self.every.as_nanos();
        let tellings = (before + spent)
            .as_nanos()
            .checked_div(every)?
            .min(self.last_telling());
        let executed = Duration::from_nanos(u64::try_from(tellings.checked_mul(every)?).ok()?);
        let at = executed.checked_sub(before)? + entered;
        Some(Telling {
            percent: self.percent(executed).min(self.stalls_at),
            at,
        })
    }

    /// The number of the telling at which the code falls silent.
    fn last_telling(&self) -> u128 {
        let every = self.every.as_nanos();
        let (mut silent, mut telling) = (self.over.as_nanos().div_ceil(every.max(1)), 0);
        while telling < silent {
            let middle = telling.midpoint(silent);
            let executed = u64::try_from(middle.saturating_mul(every)).unwrap_or(u64::MAX);
            if self.percent(Duration::from_nanos(executed)) >= self.stalls_at {
                silent = middle;
            } else {
                telling = middle + 1;
            }
        }
        silent
    }

    /// Percent after so much executing time.
    fn percent(&self, executed: Duration) -> i64 {
        // Milliseconds keep the squares below 2^128 for any span that a scenario may hold.
        let whole = self.over.as_millis().max(1);
        let done = executed.as_millis().min(whole);
        let percent = match self.curve {
            Curve::Linear => 100 * done / whole,
            Curve::Accelerating => 100 * done * done / (whole * whole),
            Curve::Decelerating => 100 - 100 * (whole - done) * (whole - done) / (whole * whole),
        };
        i64::try_from(percent).unwrap_or(100)
    }
}

/// Whether a status means a machine that is paid for.
fn is_paid(status: i32) -> bool {
    [
        JobStatus::Preparing,
        JobStatus::Executing,
        JobStatus::UploadingOutput,
    ]
    .iter()
    .any(|paid| i32::from(*paid) == status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CREATING: i32 = 1;
    const EXECUTING: i32 = 2;
    const PREPARING: i32 = 8;
    const SUCCESS: i32 = 4;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn step(status: i32, lasts: u64) -> Step {
        Step {
            status,
            lasts: Some(seconds(lasts)),
        }
    }

    fn training() -> Timeline {
        Timeline {
            steps: vec![
                step(CREATING, 5),
                step(PREPARING, 60),
                step(EXECUTING, 100),
                step(3, 10),
            ],
            end: End::Success,
            final_status: SUCCESS,
            done_after: seconds(2),
            progress: Some(Progress {
                every: seconds(10),
                over: seconds(100),
                curve: Curve::Linear,
                stalls_at: 100,
            }),
        }
    }

    #[test]
    fn a_job_walks_through_its_statuses_and_ends() {
        let timeline = training();
        let statuses: Vec<i32> = [0, 4, 5, 64, 65, 164, 165, 175]
            .iter()
            .map(|at| timeline.at(seconds(*at)).status)
            .collect();
        assert_eq!(
            statuses,
            [
                CREATING, CREATING, PREPARING, PREPARING, EXECUTING, EXECUTING, 3, SUCCESS
            ]
        );
        assert_eq!(timeline.at(seconds(64)).started, None);
        assert_eq!(timeline.at(seconds(66)).started, Some(seconds(65)));
        assert_eq!(timeline.at(seconds(174)).finished, None);
    }

    #[test]
    fn the_operation_is_done_after_its_job_has_finished() {
        let timeline = training();
        assert_eq!(timeline.at(seconds(176)).finished, Some(seconds(175)));
        assert_eq!(timeline.at(seconds(176)).done, None);
        assert_eq!(timeline.at(seconds(177)).done, Some(seconds(177)));
        assert_eq!(timeline.at(seconds(9999)).done, Some(seconds(177)));
    }

    #[test]
    fn progress_is_told_at_intervals_and_keeps_the_time_of_telling() {
        let timeline = training();
        let told = |at| {
            timeline
                .at(seconds(at))
                .telling
                .map(|told| (told.percent, told.at.as_secs()))
        };
        assert_eq!(told(60), None);
        assert_eq!(told(65), Some((0, 65)));
        assert_eq!(told(119), Some((50, 115)));
        assert_eq!(told(500), Some((100, 165)));
    }

    #[test]
    fn a_stalled_job_executes_on_in_silence() {
        let mut timeline = training();
        timeline.progress = timeline.progress.map(|progress| Progress {
            stalls_at: 37,
            ..progress
        });
        timeline.steps[2].lasts = None;
        let told = timeline.at(seconds(5000));
        assert_eq!(told.status, EXECUTING);
        assert_eq!(
            told.telling,
            Some(Telling {
                percent: 37,
                at: seconds(65 + 40)
            })
        );
    }

    #[test]
    fn a_cancelled_job_is_cancelling_and_then_cancelled() {
        let timeline = training().cancelled(seconds(70), seconds(3));
        assert_eq!(timeline.at(seconds(69)).status, EXECUTING);
        assert_eq!(timeline.at(seconds(70)).status, i32::from(JobStatus::Cancelling));
        let ended = timeline.at(seconds(73));
        assert_eq!(
            (ended.status, ended.finished),
            (i32::from(JobStatus::Cancelled), Some(seconds(73)))
        );
        assert_eq!(
            ended.busy,
            seconds(65),
            "preparing and executing are paid, cancelling is not"
        );
    }

    #[test]
    fn a_status_without_a_length_lasts_for_ever() {
        let mut timeline = training();
        timeline.steps[1].lasts = None;
        assert_eq!(timeline.length(), None);
        assert_eq!(timeline.at(seconds(1 << 40)).status, PREPARING);
    }

    proptest! {
        #[test]
        fn no_moment_contradicts_an_earlier_one(
            lengths in prop::collection::vec(0u64..200, 1..8),
            statuses in prop::collection::vec(1i32..9, 8),
            times in prop::collection::vec(0u64..2000, 2..20),
        ) {
            let mut timeline = training();
            timeline.steps = lengths.iter().zip(&statuses).map(|(lasts, status)| step(*status, *lasts)).collect();
            let mut times = times;
            times.sort_unstable();
            let moments: Vec<Moment> = times.iter().map(|at| timeline.at(seconds(*at))).collect();
            for pair in moments.windows(2) {
                prop_assert!(pair[0].entered <= pair[1].entered);
                prop_assert!(pair[0].changed() <= pair[1].changed());
                prop_assert!(pair[0].busy <= pair[1].busy);
                prop_assert!(pair[0].finished.is_none() || pair[0].finished == pair[1].finished);
                prop_assert!(pair[0].started.is_none() || pair[0].started == pair[1].started);
                let percents = pair.iter().map(|moment| moment.telling.map_or(-1, |told| told.percent));
                prop_assert!(percents.is_sorted());
            }
        }
    }
}
