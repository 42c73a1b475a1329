//! The tables of what goes on and of what ended.

use crate::model::{JobStatus, Kind, Outcome, Progress, State, Text, TrackedOperation};
use crate::web::page::listing::{Listing, Part};
use crate::web::page::mark::Mark;
use crate::web::page::query::{Query, Shown};
use crate::web::page::{Scene, links, phases, projects, words};
use maud::{Markup, html};
use std::time::Duration;

/// Both lists, or the one that is asked for.
pub(super) fn sections(scene: &Scene<'_>, listing: &Listing<'_>, query: &Query) -> Markup {
    html! {
        @if query.shown.is_none_or(Shown::is_live) { (live(scene, &listing.live, query)) }
        @if query.shown.is_none_or(|shown| !shown.is_live()) { (ended(scene, &listing.ended, query)) }
    }
}

fn live(scene: &Scene<'_>, part: &Part<'_>, query: &Query) -> Markup {
    html! {
        section #live aria-labelledby="live-title" {
            h2 #live-title tabindex="-1" { "Running" }
            @if part.rows.is_empty() { (nothing(query, "Nothing runs.")) } @else {
                table .operations .live {
                    caption { (caption(part, "what fails first, then the newest")) }
                    thead { tr {
                        th scope="col" { "Operation" } th scope="col" { "State" } th scope="col" { "Progress" }
                        th scope="col" { "Phases" } th scope="col" .number { "Age" } th scope="col" { "Open" }
                    } }
                    tbody { @for row in &part.rows { (live_row(scene, row)) } }
                }
            }
            (pager(part, query, Shown::Live))
        }
    }
}

fn ended(scene: &Scene<'_>, part: &Part<'_>, query: &Query) -> Markup {
    html! {
        section #ended aria-labelledby="ended-title" {
            h2 #ended-title tabindex="-1" { "Ended" }
            @if part.rows.is_empty() { (nothing(query, "Nothing has ended that is still kept.")) } @else {
                table .operations .ended {
                    caption { (caption(part, "the newest end first")) }
                    thead { tr {
                        th scope="col" { "Operation" } th scope="col" { "Outcome" } th scope="col" { "What it said" }
                        th scope="col" { "Phases" } th scope="col" .number { "Took" } th scope="col" .number { "Ended" }
                        th scope="col" { "Open" }
                    } }
                    tbody { @for row in &part.rows { (ended_row(scene, row)) } }
                }
            }
            (pager(part, query, Shown::Ended))
        }
    }
}

fn nothing(query: &Query, words: &str) -> Markup {
    html! {
        p .nothing {
            @if query.is_narrow() || query.shown.is_some() { "Nothing that is kept fits. " a href="./" { "Show all" } }
            @else { (words) }
        }
    }
}

fn caption(part: &Part<'_>, order: &str) -> String {
    let (shown, total) = (words::length(part.rows.len()), words::length(part.total));
    if part.rows.len() == part.total {
        format!("{total}, {order}")
    } else {
        format!("{shown} of {total}, {order}")
    }
}

/// Ways to the rest of a list.
fn pager(part: &Part<'_>, query: &Query, all: Shown) -> Markup {
    html! {
        @if query.shown.is_none() {
            @if part.total > part.rows.len() {
                p .more { a href=(query.showing(Some(all))) { "All " (words::length(part.total)) " " (all.word()) } }
            }
        } @else if part.pages > 1 {
            nav .pager aria-label="Pages" {
                @if part.page > 1 { a rel="prev" href=(query.at_page(part.page - 1)) { "Previous" } }
                span { "Page " (words::length(part.page)) " of " (words::length(part.pages)) }
                @if part.page < part.pages { a rel="next" href=(query.at_page(part.page + 1)) { "Next" } }
            }
        }
    }
}

fn live_row(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    html! {
        tr id=(words::anchor(row)) {
            (operation(scene, row))
            td { (standing(scene, row)) }
            td { (progress(scene, row)) }
            td .phases { (phases::timeline(row, scene.now)) }
            td .number data-label="Age" { @if let Some(at) = row.created_at() { (words::moment(at, &words::span(scene.now.since(at)))) } @else { "–" } }
            td .links { (links::of_operation(scene, row)) }
        }
    }
}

fn ended_row(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    html! {
        tr id=(words::anchor(row)) {
            (operation(scene, row))
            td { (outcome(row)) }
            td .said { (said(row)) }
            td .phases { (phases::timeline(row, scene.now)) }
            td .number data-label="Took" { (row.duration().map_or("–".to_owned(), words::span)) }
            td .number data-label="Ended" { @if let Some(at) = row.over_at().or(row.ended_at) { (words::ago(scene.now, at)) } @else { "–" } }
            td .links { (links::of_operation(scene, row)) }
        }
    }
}

/// The head of a row.
fn operation(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    let project = scene
        .project(row)
        .filter(|project| project.id.is_some())
        .map(projects::name);
    let machine = row.about.instance_type.as_ref().map(Text::as_str);
    let attempt = (row.attempt > 1).then(|| format!("attempt {}", row.attempt));
    let about = [project, words::kind(row), machine, attempt.as_deref()];
    html! {
        th scope="row" {
            a href=(links::page(scene, row)) { bdi { (words::name(row)) } }
            small { @for (place, words) in about.into_iter().flatten().enumerate() {
                @if place > 0 { " · " }
                bdi { (words) }
            } }
        }
    }
}

/// How a live operation stands, and whether it has stood so for too long.
pub(super) fn standing(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    let word = words::standing(row);
    let unread = row.unreadable.filter(|_| row.outcome.is_none());
    let time = row.status_since.map(|since| scene.now.since(since));
    let is_stuck = row
        .status
        .zip(time)
        .is_some_and(|(status, time)| is_stuck(scene, status, time));
    let mark = match word {
        _ if unread.is_some() => Mark::Warning,
        "failing" => Mark::Warning,
        "not read yet" | "unknown status" => Mark::Quiet,
        _ => Mark::Busy,
    };
    html! {
        (mark.word(word))
        small {
            @if let Some(unread) = unread { "for " (words::span(scene.now.since(unread.since))) }
            @else if let Some((status, time)) = row.status.zip(time) {
                @if row.state == State::Failing { (words::phase(status)) " " }
                "for " (words::span(time))
            }
            @if is_stuck { " " (flag(scene, "stuck", "DatasphereJobStuck")) }
            @if let Some(error) = &row.reported.error { " " span .wrong { (error.code.name()) } }
        }
    }
}

fn is_stuck(scene: &Scene<'_>, status: JobStatus, time: Duration) -> bool {
    let threshold = scene.metrics.thresholds.stuck.get(&status);
    threshold.is_some_and(|threshold| !threshold.is_zero() && time > *threshold)
}

/// Something that a rule would tell of, with the way to what to do.
fn flag(scene: &Scene<'_>, word: &str, alert: &str) -> Markup {
    let mark = Mark::Warning.word(word);
    html! {
        span .flag {
            @if let Some(runbook) = links::runbook(scene, alert) { a href=(runbook) rel="noreferrer" { (mark) } } @else { (mark) }
        }
    }
}

/// What its program reports, and the time left if it goes on like that.
pub(super) fn progress(scene: &Scene<'_>, row: &TrackedOperation) -> Markup {
    let Some(Progress { percent, message, .. }) = &row.reported.progress else {
        return html! { span .quiet { "–" } };
    };
    let left = row.time_left(scene.now).filter(|left| !left.is_zero());
    let silent = row
        .progress_changed_at
        .map(|at| scene.now.since(at))
        .filter(|silent| {
            row.outcome.is_none()
                && row.status == Some(JobStatus::Executing)
                && *silent > scene.metrics.thresholds.progress_stalled
        });
    html! {
        span .progress {
            progress max="100" value=(percent) aria-label={ "Progress of " (words::name(row)) } { (percent) " %" }
            span .percent { (percent) "\u{a0}%" }
        }
        small .message {
            @if let Some(silent) = silent {
                (flag(scene, "stalled", "DatasphereJobProgressStalled")) " for " (words::span(silent))
            } @else if let Some(left) = left {
                "about " (words::span(left)) " left"
            }
            @if let Some(message) = message {
                @if silent.is_some() || left.is_some() { " · " }
                bdi { (message) }
            }
        }
    }
}

/// How it ended, with its code.
pub(super) fn outcome(row: &TrackedOperation) -> Markup {
    let Some(outcome) = row.outcome else {
        return html! {};
    };
    let code = match (outcome, row.reported.return_code) {
        (Outcome::Error(code), _) => Some(code.name().to_owned()),
        (_, Some(code)) if code != 0 || outcome == Outcome::Success => Some(format!("return code {code}")),
        _ => None,
    };
    html! {
        (Mark::of(outcome.kind()).word(outcome.kind().label()))
        @if let Some(code) = code { " " small { (code) } }
    }
}

/// The words that the cloud has for the end.
pub(super) fn said(row: &TrackedOperation) -> Markup {
    let error = row.reported.error.as_deref();
    let reason = error.and_then(|error| error.reason.as_ref());
    let message = error.and_then(|error| error.message.as_ref());
    let details = row.about.status_details.as_deref();
    let missing = missing_files(row);
    // The cloud says some things twice.
    let details = details.filter(|details| Some(*details) != message);
    let told: Vec<&Text> = [message, reason, details].into_iter().flatten().collect();
    html! {
        @for text in &told { span { bdi { (text) } } }
        @if missing > 0 { span { (missing) @if missing == 1 { " output file was" } @else { " output files were" } " not stored" } }
        @if told.is_empty() && missing == 0 { span .quiet { "–" } }
    }
}

/// Files that it could not store.
fn missing_files(row: &TrackedOperation) -> u32 {
    let errors = row.output_errors().unwrap_or_default();
    errors.by_type().into_iter().map(|(_, count)| count).sum()
}

/// The alert that would tell of the end.
pub(super) fn alert(row: &TrackedOperation) -> Option<&'static str> {
    match (row.outcome?, row.kind) {
        (Outcome::Lost, _) => Some("DatasphereJobLost"),
        (Outcome::Failure | Outcome::Error(_), Kind::Job) => Some("DatasphereJobFailed"),
        (Outcome::Failure | Outcome::Error(_), Kind::Notebook) => Some("DatasphereNotebooksFailing"),
        (Outcome::Failure | Outcome::Error(_), Kind::Other) => Some("DatasphereOperationFailed"),
        (Outcome::Success, _) if missing_files(row) > 0 => Some("DatasphereJobOutputsMissing"),
        (Outcome::Success | Outcome::Cancelled, _) => None,
    }
}
