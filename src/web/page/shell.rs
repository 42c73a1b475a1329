//! What all pages have around them.

use crate::web::page::Scene;
use crate::web::page::assets::{ICON, SCRIPT, STYLE};
use maud::{DOCTYPE, Markup, html};

/// What differs from page to page.
pub(super) struct Shell<'a> {
    /// What the tab shows, before the name of the program.
    pub(super) title: &'a str,
    pub(super) telemetry_path: &'a str,
    pub(super) body: Markup,
}

/// A whole page.
pub(super) fn page(scene: &Scene<'_>, shell: &Shell<'_>) -> Markup {
    let root = scene.root;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (shell.title) " · datasphere-exporter" }
                link rel="icon" type="image/svg+xml" href=(ICON.address(root));
                link rel="stylesheet" href=(STYLE.address(root));
                script src=(SCRIPT.address(root)) defer data-events={ (root) "api/v1/events" } {}
            }
            body {
                a .skip href="#main" { "Skip to the content" }
                header {
                    h1 { a href=(root) { "datasphere-exporter" } small { (env!("CARGO_PKG_VERSION")) } }
                    // The script shows both, and says in a sentence what changed: nothing of it is true without it.
                    div #live-state hidden {
                        span #connection {}
                        button #pause type="button" aria-pressed="false" { "Pause" }
                    }
                    p #summary .unseen role="status" aria-live="polite" {}
                }
                noscript { p .nothing { "Without JavaScript this page stays as it is until it is loaded again." } }
                main #main tabindex="-1" data-summary=(shell.title) { (shell.body) }
                footer { (ways(shell, root)) }
            }
        }
    }
}

/// Where else there is something to read.
fn ways(shell: &Shell<'_>, root: &str) -> Markup {
    let ways = [
        (shell.telemetry_path.trim_start_matches('/'), "Metrics"),
        ("api/v1/operations", "Operations as JSON"),
        ("api/v1/openapi.json", "API"),
        ("-/healthy", "Alive"),
        ("-/ready", "Ready"),
    ];
    html! {
        nav aria-label="Elsewhere" { ul {
            @for (path, word) in ways { li { a href={ (root) (path) } { (word) } } }
        } }
    }
}
