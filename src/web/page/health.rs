//! How the exporter itself is: what it would tell alerts, in a line each.

use crate::catalogue::exporter;
use crate::clock::Timestamp;
use crate::model::{Kind, Project, ProjectScope};
use crate::web::page::mark::Mark;
use crate::web::page::readings::Readings;
use crate::web::page::{Scene, links, words};
use crate::web::routes::Shared;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One thing that may be well or not.
struct Item {
    name: &'static str,
    mark: Mark,
    word: String,
    /// What else is known of it.
    detail: String,
    /// The alert that tells of it when it is not well.
    alert: &'static str,
}

/// A token that is still valid for less than this should have been renewed: `DatasphereExporterTokenNotRenewed`.
const TOKEN_TIME_MIN: Duration = Duration::from_hours(1);

/// How late a look may be: `DatasphereExporterLagging`.
const LAG_MAX: Duration = Duration::from_mins(1);

/// Intervals for which a project may be silent: `DatasphereExporterDataStale`.
const SILENT_INTERVALS_MAX: u32 = 5;

/// The exporter's own health.
pub(super) fn section(scene: &Scene<'_>, shared: &Shared) -> Markup {
    let readings = Readings::of(&shared.context.instruments);
    let items = [
        ready(shared),
        token(scene, &readings),
        api(scene, &readings),
        lag(scene),
        watch(scene),
        store(&readings),
        traces(scene, &readings),
        configuration(scene, &readings),
    ];
    html! {
        section #health aria-labelledby="health-title" {
            h2 #health-title tabindex="-1" { "The exporter" }
            dl { @for item in &items { (line(scene, item)) } }
        }
    }
}

fn line(scene: &Scene<'_>, item: &Item) -> Markup {
    let is_well = item.mark < Mark::Warning;
    let runbook = links::runbook(scene, item.alert).filter(|_| !is_well && !item.alert.is_empty());
    html! {
        div {
            dt { (item.name) }
            dd {
                (item.mark.word(&item.word))
                @if !item.detail.is_empty() { small { (item.detail) } }
                @if let Some(runbook) = runbook { a href=(runbook) rel="noreferrer" { "runbook" span .unseen { " of " (item.name) } } }
            }
        }
    }
}

fn ready(shared: &Shared) -> Item {
    let readiness = &shared.context.readiness;
    let (mark, word, detail) = if readiness.is_stopping() {
        (Mark::Warning, "ending", "it was told to stop")
    } else if readiness.is_ready() {
        (Mark::Good, "ready", "")
    } else {
        (Mark::Busy, "starting", "first looks are under way")
    };
    Item {
        name: "Process",
        mark,
        word: word.to_owned(),
        detail: detail.to_owned(),
        alert: "",
    }
}

fn token(scene: &Scene<'_>, readings: &Readings) -> Item {
    let failures = readings.total(&exporter::IAM_TOKEN_REFRESH_FAILURES, |_| true);
    let expires_at = readings.moment(&exporter::IAM_TOKEN_EXPIRY);
    let (mark, word) = match expires_at {
        None if failures > 0 => (Mark::Bad, "none".to_owned()),
        None => (Mark::Quiet, "none in use".to_owned()),
        Some(at) if at <= scene.now => (
            Mark::Bad,
            format!("expired {} ago", words::span(scene.now.since(at))),
        ),
        Some(at) => {
            let left = at.since(scene.now);
            let mark = if left < TOKEN_TIME_MIN && failures > 0 {
                Mark::Warning
            } else {
                Mark::Good
            };
            (mark, format!("for {} more", words::span(left)))
        }
    };
    let detail = if failures > 0 {
        format!("{} renewals failed", words::count(failures))
    } else {
        String::new()
    };
    Item {
        name: "Token",
        mark,
        word,
        detail,
        alert: "DatasphereExporterTokenNotRenewed",
    }
}

fn api(scene: &Scene<'_>, readings: &Readings) -> Item {
    let calls = readings.total(&exporter::API_REQUESTS, |_| true);
    let failed = calls - readings.total(&exporter::API_REQUESTS, |code| matches!(code, "OK" | "NOT_FOUND"));
    let projects = scene.view.projects.values().map(Arc::as_ref);
    let silence = silence(projects, &scene.metrics.poll_intervals, scene.now);
    let (mark, word) = if calls == 0 {
        (Mark::Busy, "no call yet".to_owned())
    } else if failed == calls {
        (Mark::Bad, "no call succeeds".to_owned())
    } else {
        match silence {
            Silence::None => (Mark::Good, "answers".to_owned()),
            Silence::Of(count) => (Mark::Warning, format!("{} projects silent", words::length(count))),
            Silence::All(since) => {
                let time = words::span(scene.now.since(since));
                (Mark::Bad, format!("silent for {time}"))
            }
        }
    };
    let detail = format!("{} calls, {} failed", words::count(calls), words::count(failed));
    let alert = if mark == Mark::Bad {
        "DatasphereExporterCloudUnreachable"
    } else {
        "DatasphereExporterDataStale"
    };
    Item {
        name: "Cloud API",
        mark,
        word,
        detail,
        alert,
    }
}

/// Projects of which nothing was heard for longer than [`SILENT_INTERVALS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    None,
    /// So many, in one scope at least.
    Of(usize),
    /// All, in every scope, since this moment.
    All(Timestamp),
}

/// What is stale as the alert has it: a scope by its last success and its own interval. One that never succeeded tells
/// nothing yet.
fn silence<'a>(
    projects: impl Iterator<Item = &'a Project>,
    intervals: &BTreeMap<ProjectScope, Duration>,
    now: Timestamp,
) -> Silence {
    let (mut count, mut newest, mut is_any_fresh) = (0, None, false);
    for project in projects {
        let is_stale = |(scope, at): (&ProjectScope, &Timestamp)| {
            let interval = intervals.get(scope);
            interval.is_some_and(|interval| now.since(*at) > *interval * SILENT_INTERVALS_MAX)
        };
        let stale = project
            .last_success_at
            .iter()
            .filter(|pair| is_stale(*pair))
            .count();
        is_any_fresh |= stale < project.last_success_at.len();
        count += usize::from(stale > 0);
        newest = newest.max(project.last_success_at.values().max().copied());
    }
    match newest {
        Some(since) if count > 0 && !is_any_fresh => Silence::All(since),
        _ if count > 0 => Silence::Of(count),
        _ => Silence::None,
    }
}

fn lag(scene: &Scene<'_>) -> Item {
    let due_at = scene.view.tracker.earliest_due_at;
    let lag = due_at.map_or(Duration::ZERO, |due_at| scene.now.since(due_at));
    let mark = if lag > LAG_MAX { Mark::Warning } else { Mark::Good };
    let word = if lag < Duration::from_secs(1) {
        "on time".to_owned()
    } else {
        format!("{} late", words::span(lag))
    };
    Item {
        name: "Looks",
        mark,
        word,
        detail: String::new(),
        alert: "DatasphereExporterLagging",
    }
}

fn watch(scene: &Scene<'_>) -> Item {
    let figures = &scene.view.tracker;
    let unreadable: u64 = figures.unreadable.values().sum();
    let dropped: u64 = figures.dropped_total.values().sum();
    let tracked: u64 = Kind::ALL
        .iter()
        .filter_map(|kind| figures.tracked.get(kind))
        .sum();
    let limit = scene.metrics.tracked_max;
    let mut detail = format!("of at most {}", words::count(limit));
    if unreadable > 0 {
        detail = format!("{} cannot be read", words::count(unreadable));
    } else if dropped > 0 {
        detail = format!("{} dropped since the start", words::count(dropped));
    }
    let (mark, alert) = if unreadable > 0 {
        (Mark::Warning, "DatasphereExporterOperationsUnreadable")
    } else if dropped > 0 {
        (Mark::Warning, "DatasphereExporterOperationsDropped")
    } else if tracked.saturating_mul(5) > limit.saturating_mul(4) {
        (Mark::Warning, "DatasphereExporterNearLimit")
    } else {
        (Mark::Good, "")
    };
    let word = format!("{} watched", words::count(tracked));
    Item {
        name: "Operations",
        mark,
        word,
        detail,
        alert,
    }
}

fn store(readings: &Readings) -> Item {
    let (mark, word, detail) = match readings.gauge(&exporter::STORE_UP) {
        None => (Mark::Quiet, "in memory", "a restart forgets"),
        Some(up) if up > 0.0 => (Mark::Good, "kept", ""),
        Some(_) => (Mark::Bad, "fails", "what changes is not kept"),
    };
    Item {
        name: "Store",
        mark,
        word: word.to_owned(),
        detail: detail.to_owned(),
        alert: "DatasphereExporterStoreFailing",
    }
}

fn traces(scene: &Scene<'_>, readings: &Readings) -> Item {
    let lost = readings.total(&exporter::OTLP_SPANS, |outcome| outcome != "exported");
    let waiting = readings.number(&exporter::OUTBOX_RECORDS);
    let (mark, word) = match readings.gauge(&exporter::OTLP_UP) {
        None if waiting == 0 => (Mark::Quiet, "none sent"),
        None => (Mark::Busy, "waiting"),
        Some(up) if up > 0.0 && lost == 0 => (Mark::Good, "delivered"),
        Some(up) if up > 0.0 => (Mark::Warning, "some were lost"),
        Some(_) => (Mark::Bad, "not taken"),
    };
    let mut detail = String::new();
    if waiting > 0 {
        detail = format!("{} spans wait", words::count(waiting));
        if let Some(at) = readings.moment(&exporter::OUTBOX_OLDEST) {
            detail = format!("{detail}, the oldest for {}", words::span(scene.now.since(at)));
        }
    }
    if lost > 0 {
        let and = if detail.is_empty() { "" } else { "; " };
        detail = format!("{detail}{and}{} lost", words::count(lost));
    }
    let alert = if mark == Mark::Warning {
        "DatasphereExporterSpansLost"
    } else {
        "DatasphereExporterTracesNotDelivered"
    };
    Item {
        name: "Traces",
        mark,
        word: word.to_owned(),
        detail,
        alert,
    }
}

fn configuration(scene: &Scene<'_>, readings: &Readings) -> Item {
    let is_loaded = readings
        .gauge(&exporter::CONFIG_LAST_RELOAD_SUCCESSFUL)
        .is_some_and(|successful| successful > 0.0);
    let (mark, word) = if is_loaded {
        (Mark::Good, "in effect")
    } else {
        (Mark::Warning, "newest refused")
    };
    let loaded_at = readings.moment(&exporter::CONFIG_LAST_RELOAD_SUCCESS);
    let detail = loaded_at.map_or(String::new(), |at| {
        format!("read {} ago", words::span(scene.now.since(at)))
    });
    Item {
        name: "Configuration",
        mark,
        word: word.to_owned(),
        detail,
        alert: "DatasphereExporterReloadFailed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Buckets, Histogram};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn the_cloud_is_silent_once_every_scope_is_for_five_of_its_intervals_and_before_some_are() {
        let intervals = BTreeMap::from([
            (ProjectScope::Jobs, Duration::from_secs(10)),
            (ProjectScope::Projects, Duration::from_mins(1)),
        ]);
        let heard = |jobs: i64, balance: i64| {
            let mut project = Project::new(None, &Arc::new(Histogram::new(Buckets::RUNS)));
            project.last_success_at.insert(ProjectScope::Jobs, at(jobs));
            project
                .last_success_at
                .insert(ProjectScope::Projects, at(balance));
            project
        };
        let of = |projects: &[Project], now: i64| silence(projects.iter(), &intervals, at(now));
        let projects = [heard(0, 0), heard(40, 0)];
        assert_eq!(of(&[], 1_000), Silence::None, "nobody is asked about");
        assert_eq!(of(&projects, 50), Silence::None);
        assert_eq!(of(&projects, 51), Silence::Of(1));
        assert_eq!(of(&projects, 300), Silence::Of(2));
        assert_eq!(of(&projects, 301), Silence::All(at(40)));
    }
}
