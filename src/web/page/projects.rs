//! The projects: how much of what goes on in each, and what is left to spend.

use crate::limits::PAGE_PROJECTS_MAX;
use crate::model::{Kind, Project, ProjectId, State, Text, View};
use crate::web::page::mark::Mark;
use crate::web::page::query::Query;
use crate::web::page::{Scene, words};
use maud::{Markup, html};

/// The table of projects.
pub(super) fn section(scene: &Scene<'_>, query: &Query) -> Markup {
    let projects: Vec<&Project> = scene.view.projects.values().map(|project| &**project).collect();
    html! {
        section #projects aria-labelledby="projects-title" {
            h2 #projects-title tabindex="-1" { "Projects" }
            @if projects.is_empty() { p .nothing { "No project is known yet." } } @else {
                table .projects {
                    caption { (words::length(projects.len())) ", as they are known" }
                    thead { tr {
                        th scope="col" { "Project" }
                        @for state in State::ALL { th scope="col" .number { (state.label()) } }
                        th scope="col" .number { "units left" }
                    } }
                    tbody { @for project in projects.iter().take(PAGE_PROJECTS_MAX) { (line(scene, project, query)) } }
                }
                @if projects.len() > PAGE_PROJECTS_MAX {
                    p .more { "… and " (words::length(projects.len() - PAGE_PROJECTS_MAX)) " more: " a href="./metrics" { "metrics" } " have all." }
                }
            }
        }
    }
}

fn line(scene: &Scene<'_>, project: &Project, query: &Query) -> Markup {
    let id = project.id.as_ref();
    let is_shown = id.is_some() && query.project.as_ref() == id;
    html! {
        tr {
            th scope="row" {
                @match id {
                    Some(id) => {
                        a href=(Query::of_project(id)) aria-current=[is_shown.then_some("true")] { bdi { (name(project)) } }
                        @if project.name.is_some() { small { (id) } }
                    }
                    None => { "without a project" }
                }
            }
            @for state in State::ALL { td .number data-label=(state.label()) { (operations(project, state)) } }
            td .number data-label="units left" { (balance(scene, project)) }
        }
    }
}

fn operations(project: &Project, state: State) -> Markup {
    let counts = Kind::ALL.map(|kind| project.operations.get(&(kind, state)).copied().unwrap_or(0));
    let count: u64 = counts.into_iter().map(u64::from).sum();
    html! { @if count > 0 { (words::count(count)) } @else { span .quiet { "0" } } }
}

fn balance(scene: &Scene<'_>, project: &Project) -> Markup {
    let Some(units) = project.unit_balance else {
        return html! { span .quiet { "–" } };
    };
    let told = format!(
        "{}{}",
        if units < 0 { "−" } else { "" },
        words::count(units.unsigned_abs())
    );
    html! {
        @if units < scene.metrics.thresholds.unit_balance_warning { (Mark::Warning.word(&told)) } @else { (told) }
    }
}

/// What a project is called: by its name, or else by its id.
pub(super) fn name(project: &Project) -> &str {
    let id = project.id.as_ref().map(ProjectId::as_str);
    project
        .name
        .as_ref()
        .map(Text::as_str)
        .or(id)
        .unwrap_or("without a project")
}

/// Projects that may be chosen, by name.
pub(super) fn known(view: &View) -> Vec<&Project> {
    let projects = view.projects.values().filter(|project| project.id.is_some());
    let mut projects: Vec<&Project> = projects
        .take(PAGE_PROJECTS_MAX)
        .map(|project| &**project)
        .collect();
    projects.sort_by_key(|project| name(project).to_lowercase());
    projects
}
