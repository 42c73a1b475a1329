//! The page at `/`: where things are, and the fleet at a glance. No script, nothing from elsewhere.

use crate::limits::LANDING_PROJECTS_MAX;
use crate::model::{Kind, Project, ProjectId, State, Text, View};
use crate::web::routes::Shared;
use axum::extract::State as Extracted;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Display, Write};
use std::sync::{Arc, LazyLock};

/// The page, as the newest view has it.
pub(super) async fn page(Extracted(shared): Extracted<Arc<Shared>>) -> Response {
    let mut html = String::new();
    let view = shared.context.views.view();
    if write_page(&mut html, &shared.telemetry_path, &view).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, html).into_response()
}

/// Light and dark by the reader's choice; kept in the page, so that the page is one request.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:light-dark(#1d2330,#e4e7ee);background:light-dark(#fff,#14171f)}\
h1{font-size:1.6rem;margin-bottom:0}\
h2{font-size:1.1rem;margin-top:2rem}\
p{margin:.3rem 0}\
a{color:light-dark(#0b57d0,#8ab4f8)}\
small,.quiet{color:light-dark(#5a6372,#9aa3b2);font-weight:normal}\
ul{padding-left:1.2rem}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid light-dark(#dfe3ea,#2b313d);\
overflow-wrap:anywhere}\
th+th,td+td{text-align:right}\
";

/// Nothing may be loaded, sent or framed, and the one style is named by its hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

fn write_page(html: &mut String, telemetry_path: &str, view: &View) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    // Links are relative, so that they hold behind a proxy that adds a prefix.
    let metrics = Escaped(telemetry_path.trim_start_matches('/'));
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>datasphere-exporter</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>datasphere-exporter <small>{version}</small></h1>\n\
         <p class=\"quiet\">Watches operations of Yandex DataSphere for Prometheus.</p>\n<ul>\n\
         <li><a href=\"./{metrics}\">Metrics</a></li>\n\
         <li><a href=\"./api/v1/operations\">Operations</a> as JSON, and \
         <a href=\"./api/v1/openapi.json\">all of the API</a></li>\n\
         <li>Health: <a href=\"./-/healthy\">alive</a>, <a href=\"./-/ready\">ready</a></li>\n</ul>\n"
    )?;
    write_fleet(html, view)?;
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

fn write_fleet(html: &mut String, view: &View) -> fmt::Result {
    let tracked: u64 = view.tracker.tracked.values().sum();
    writeln!(
        html,
        "<h2>Under watch</h2>\n<p>{tracked} operations, {} projects.</p>",
        view.projects.keys().flatten().count()
    )?;
    if view.projects.is_empty() {
        return Ok(());
    }
    html.push_str("<table>\n<thead><tr><th scope=\"col\">Project</th>");
    for state in State::ALL {
        write!(html, "<th scope=\"col\">{}</th>", state.label())?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for project in view.projects.values().take(LANDING_PROJECTS_MAX) {
        write_project(html, project)?;
    }
    html.push_str("</tbody>\n</table>\n");
    let untold = view.projects.len().saturating_sub(LANDING_PROJECTS_MAX);
    if untold > 0 {
        writeln!(html, "<p class=\"quiet\">… and {untold} more.</p>")?;
    }
    Ok(())
}

fn write_project(html: &mut String, project: &Project) -> fmt::Result {
    let id = project.id.as_ref().map(ProjectId::as_str);
    let id = id.unwrap_or("without a project");
    match project.name.as_ref().map(Text::as_str) {
        Some(name) => write!(
            html,
            "<tr><td>{} <small>{}</small></td>",
            Escaped(name),
            Escaped(id)
        )?,
        None => write!(html, "<tr><td>{}</td>", Escaped(id))?,
    }
    for state in State::ALL {
        let counts = Kind::ALL.map(|kind| project.operations.get(&(kind, state)).copied().unwrap_or(0));
        write!(
            html,
            "<td>{}</td>",
            counts.iter().copied().map(u64::from).sum::<u64>()
        )?;
    }
    html.push_str("</tr>\n");
    Ok(())
}

/// Text that is text wherever it stands in HTML, between tags or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
