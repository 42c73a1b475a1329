//! The phases of an operation as a small timeline, in colours and in words.

use crate::clock::Timestamp;
use crate::model::{Boundary, TrackedOperation};
use crate::web::page::words;
use maud::{Markup, html};
use std::time::Duration;

/// Time spent in one status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) time: Duration,
    /// Whether it is in it now.
    pub(super) is_current: bool,
    /// Whether it began before we saw it.
    pub(super) is_longer: bool,
}

/// Width of a timeline, in its own units.
const WIDTH: u64 = 1_000;

/// Width below which a phase cannot be seen.
const WIDTH_MIN: u64 = 14;

/// What is known of an operation's phases, in the order of a life cycle.
pub(super) fn phases(row: &TrackedOperation, now: Timestamp) -> Vec<Phase> {
    let left = row
        .status_times
        .iter()
        .filter(|(status, _)| !status.is_terminal());
    let mut phases: Vec<Phase> = left
        .map(|(status, time)| Phase {
            name: words::phase(status),
            time,
            is_current: false,
            is_longer: false,
        })
        .collect();
    if row.outcome.is_none()
        && let Some((status, since)) = row.status.zip(row.status_since)
        && !status.is_terminal()
    {
        let is_longer = row.status_boundary == Boundary::FirstSeen;
        let current = Phase {
            name: words::phase(status),
            time: now.since(since),
            is_current: true,
            is_longer,
        };
        match phases.iter_mut().find(|phase| phase.name == current.name) {
            // A status that it came back to.
            Some(before) => {
                *before = Phase {
                    time: before.time + current.time,
                    ..current
                }
            }
            None => phases.push(current),
        }
    }
    if phases.is_empty() {
        phases.extend(run(row, now));
    }
    let is_run = |phase: &Phase| matches!(phase.name, "executing" | "running");
    if phases.iter().all(is_run) {
        phases.splice(0..0, start(row));
    }
    phases
}

/// The time before its program ran, from the API's own times, where no status of it was seen.
fn start(row: &TrackedOperation) -> Option<Phase> {
    let time = row.reported.started_at?.since(row.created_at()?);
    (!time.is_zero()).then_some(Phase {
        name: "starting",
        time,
        is_current: false,
        is_longer: false,
    })
}

/// The time of its program, or all of its time, where no status was seen.
fn run(row: &TrackedOperation, now: Timestamp) -> Option<Phase> {
    let is_current = row.outcome.is_none();
    let begun_at = row.reported.started_at.or(row.created_at())?;
    let over_at = row.over_at().filter(|_| !is_current);
    Some(Phase {
        name: "running",
        time: over_at.unwrap_or(now).since(begun_at),
        is_current,
        is_longer: false,
    })
}

/// The words for a phase.
fn told(phase: &Phase) -> String {
    let more = if phase.is_longer { "over " } else { "" };
    format!("{} {more}{}", phase.name, words::span(phase.time))
}

/// The timeline with its words.
pub(super) fn timeline(row: &TrackedOperation, now: Timestamp) -> Markup {
    let phases = phases(row, now);
    if phases.is_empty() {
        return html! { span .quiet { "–" } };
    }
    let told: Vec<String> = phases.iter().map(told).collect();
    html! {
        svg .timeline viewBox={ "0 0 " (WIDTH) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for (phase, (x, width)) in phases.iter().zip(places(&phases)) {
                rect .(class(phase.name)) .current[phase.is_current] x=(x) y="0" width=(width) height="10" {}
            }
        }
        small { (told.join(" · ")) }
    }
}

fn class(name: &str) -> &'static str {
    match name {
        "creating" => "creating",
        "preparing" | "starting" => "preparing",
        "uploading" => "uploading",
        "cancelling" => "cancelling",
        _ => "executing",
    }
}

/// Where each phase begins and how wide it is: as long as it took, but none too narrow to be seen.
fn places(phases: &[Phase]) -> Vec<(u64, u64)> {
    let millis = |phase: &Phase| {
        u64::try_from(phase.time.as_millis())
            .unwrap_or(u64::MAX)
            .min(u64::MAX / WIDTH / 16)
    };
    let all: u64 = phases.iter().map(millis).sum();
    let count = u64::try_from(phases.len()).unwrap_or(1);
    let shared = WIDTH.saturating_sub(count * WIDTH_MIN);
    let mut x = 0;
    phases
        .iter()
        .map(|phase| {
            let width = WIDTH_MIN
                + (millis(phase) * shared)
                    .checked_div(all)
                    .unwrap_or(shared / count.max(1));
            let place = (x, width);
            x += width;
            place
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &'static str, seconds: u64) -> Phase {
        Phase {
            name,
            time: Duration::from_secs(seconds),
            is_current: false,
            is_longer: false,
        }
    }

    #[test]
    fn every_phase_can_be_seen_and_none_lies_outside() {
        let cases = [
            vec![phase("creating", 0)],
            vec![phase("creating", 0), phase("executing", 0)],
            vec![phase("creating", 1), phase("executing", 1_000_000)],
            vec![phase("creating", u64::MAX), phase("executing", u64::MAX)],
            vec![
                phase("creating", 10),
                phase("preparing", 20),
                phase("executing", 70),
            ],
        ];
        for phases in cases {
            let places = places(&phases);
            let mut next = 0;
            for (x, width) in &places {
                assert_eq!(*x, next, "{places:?}");
                assert!(*width >= WIDTH_MIN, "{places:?}");
                next = x + width;
            }
            assert!(next <= WIDTH && next > WIDTH - 8, "{places:?}");
        }
    }
}
