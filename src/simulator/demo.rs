//! The fleet of the demo: `demo.yaml`, and as many experiments beside it as are asked for.

use crate::proto::yandex::cloud::datasphere::v2::jobs::JobStatus;
use crate::simulator::{
    Error, Scenario, Span,
    scenario::{Curve, End, JobScript, ProgressScript, ProjectScript, Stage},
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Every demo shows the same fleet.
const SEED: u64 = 20_250_601;
/// Machines of experiments, from small to large.
const MACHINES: [&str; 5] = ["c1.4", "c1.8", "gt4.1", "g1.1", "g2.1"];
/// Return codes of experiments that fail: an error of the program, a usage error, out of memory, a signal.
const RETURN_CODES: [i64; 4] = [1, 2, 137, 143];

/// A fleet of so many job scripts, most of which run again and again, at this speed.
///
/// # Errors
/// Never for the file that is compiled in: a test reads it.
pub fn demo(jobs: usize, speed: f64) -> Result<Scenario, Error> {
    let mut scenario = Scenario::parse(include_str!("demo.yaml"))?;
    scenario.speed = speed;
    let mut written = 0;
    for project in projects(&mut scenario) {
        project.jobs.truncate(jobs.saturating_sub(written));
        written += project.jobs.len();
    }
    let mut chance = StdRng::seed_from_u64(SEED);
    let experiments: Vec<JobScript> = (1..=jobs.saturating_sub(written))
        .map(|number| experiment(number, &mut chance))
        .collect();
    let homes = scenario
        .communities
        .iter()
        .map(|community| community.projects.len())
        .sum::<usize>()
        .max(1);
    for (home, project) in projects(&mut scenario).enumerate() {
        project
            .jobs
            .extend(experiments.iter().skip(home).step_by(homes).cloned());
    }
    scenario.check()?;
    Ok(scenario)
}

fn projects(scenario: &mut Scenario) -> impl Iterator<Item = &mut ProjectScript> {
    scenario
        .communities
        .iter_mut()
        .flat_map(|community| &mut community.projects)
}

/// One of many experiments: most succeed, some fail, few are refused or cancelled.
fn experiment(number: usize, chance: &mut StdRng) -> JobScript {
    let executes = chance.random_range(15..240);
    let every = chance.random_range(executes + 30..executes + 360);
    let stage = |status: JobStatus, lasts| Stage {
        status: status.into(),
        lasts: Some(lasts),
    };
    let mut script = JobScript::named(&format!("experiment-{number:03}-{{run}}"));
    chosen(&MACHINES, chance)
        .unwrap_or("c1.4")
        .clone_into(&mut script.instance_type);
    script.start = Span::minutes(-chance.random_range(0..every * 2));
    script.every = Some(Span::minutes(every));
    script.keep = 3;
    script.timeline = vec![
        stage(JobStatus::Creating, Span::seconds(chance.random_range(3..90))),
        stage(JobStatus::Preparing, Span::minutes(chance.random_range(2..10))),
        stage(JobStatus::Executing, Span::minutes(executes)),
    ];
    let curve =
        chosen(&[Curve::Linear, Curve::Accelerating, Curve::Decelerating], chance).unwrap_or_default();
    script.progress = Some(ProgressScript {
        every: Span::minutes(1),
        over: None,
        curve,
        stalls_at: None,
    });
    script.data_ttl = Some(Span::minutes(chance.random_range(6..336) * 60));
    match chance.random_range(0..10) {
        0 | 1 => {
            script.end = End::ReturnCode(chosen(&RETURN_CODES, chance).unwrap_or(1));
            script.progress = script.progress.map(|progress| ProgressScript {
                over: Some(Span::minutes(executes * 2)),
                ..progress
            });
        }
        2 => {
            script
                .timeline
                .push(stage(JobStatus::Cancelling, Span::seconds(20)));
            script.end = End::Cancelled;
        }
        _ => script.timeline.push(stage(
            JobStatus::UploadingOutput,
            Span::seconds(chance.random_range(5..300)),
        )),
    }
    script
}

fn chosen<T: Copy>(choices: &[T], chance: &mut StdRng) -> Option<T> {
    choices.get(chance.random_range(0..choices.len().max(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::proto::yandex::cloud::operation::operation::Result as Outcome;
    use crate::simulator::{
        Handle,
        world::{Present, World},
    };
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    const SPEED: f64 = 60.0;

    fn start() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000, 0).unwrap()
    }

    fn scripts(scenario: &Scenario) -> usize {
        scenario
            .communities
            .iter()
            .flat_map(|community| &community.projects)
            .map(|it| it.jobs.len())
            .sum()
    }

    #[test]
    fn the_demo_has_as_many_job_scripts_as_asked_for() {
        for jobs in [0, 3, 40, 500] {
            assert_eq!(scripts(&demo(jobs, SPEED).unwrap()), jobs);
        }
    }

    #[test]
    fn an_hour_of_the_demo_shows_every_status_and_every_kind_of_end() {
        let mut world = World::new(&demo(40, SPEED).unwrap(), start()).unwrap();
        let urls = crate::simulator::urls::Urls::new("localhost".to_owned());
        let (mut statuses, mut ends) = (BTreeMap::<i32, usize>::new(), BTreeSet::new());
        for seconds in (0..3600).step_by(5) {
            let now = start().plus(Duration::from_secs(seconds));
            let present = Present { now, skew_nanos: 0 };
            world.advance(now);
            for job in world.jobs.values() {
                *statuses.entry(job.status(now)).or_default() += 1;
            }
            if seconds % 300 > 0 {
                continue;
            }
            let ids: Vec<String> = world.works.keys().cloned().collect();
            for id in ids {
                match world.operation(&id, present, &urls).unwrap().result {
                    Some(Outcome::Error(error)) => _ = ends.insert(error.code),
                    Some(Outcome::Response(_)) => _ = ends.insert(0),
                    None => {}
                }
            }
        }
        assert_eq!(
            statuses.keys().copied().collect::<Vec<_>>(),
            (1..=8).collect::<Vec<_>>(),
            "{statuses:?}"
        );
        assert_eq!(
            ends,
            BTreeSet::from([0, 1, 8, 9, 13]),
            "success, cancelled, quota, precondition, internal"
        );
    }

    #[test]
    fn the_demo_lives_on_without_growing() {
        let mut world = World::new(&demo(40, SPEED).unwrap(), start()).unwrap();
        let sizes: Vec<usize> = [1u64, 6, 48]
            .iter()
            .map(|hours| {
                let now = start().plus(Duration::from_hours(*hours));
                world.advance(now);
                assert!(
                    world.jobs.values().filter(|job| job.is_running(now)).count() > 5,
                    "after {hours} h"
                );
                world.jobs.len()
            })
            .collect();
        assert!(sizes.iter().all(|size| *size < 40 * 12), "{sizes:?}");
    }

    #[test]
    fn balances_of_the_demo_fall_and_one_has_no_limit() {
        let mut world = World::new(&demo(40, SPEED).unwrap(), start()).unwrap();
        let mut balances = |minutes| {
            let now = start().plus(Duration::from_mins(minutes));
            world.advance(now);
            let projects = world.projects.values();
            projects
                .map(|it| (it.name.clone(), world.balance(it, now)))
                .collect::<BTreeMap<_, _>>()
        };
        let (before, after) = (balances(0), balances(10));
        assert_eq!(after["sandbox"], None);
        for name in ["nlp", "vision", "forecasting", "recsys"] {
            assert!(after[name] < before[name], "{name}: {before:?} {after:?}");
        }
        assert!(before.values().flatten().all(|units| *units > 0), "{before:?}");
    }

    #[tokio::test]
    async fn the_ids_of_runs_are_known_before_they_begin() {
        let clock = Clock::starting_at(start());
        let handle = Handle::new(&demo(40, SPEED).unwrap(), clock, "localhost").unwrap();
        let (now, later) = (handle.runs(Duration::ZERO), handle.runs(Duration::from_mins(10)));
        assert!(
            now.len() > 40 && later.len() > now.len() + 20,
            "{} and {}",
            now.len(),
            later.len()
        );
        assert!(now.iter().all(|run| later.contains(run)));
        let ids: BTreeSet<&String> = later.iter().map(|run| &run.operation_id).collect();
        assert_eq!(ids.len(), later.len(), "each id is there once");
        assert!(ids.iter().all(|id| id.len() == 20));
    }
}
