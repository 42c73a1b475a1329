//! The script, the style and the icon: part of the program, named by their content, so that browsers ask once.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt::Write;
use std::sync::LazyLock;

/// A file that pages load.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
    /// What tells one content from another.
    version: LazyLock<String>,
}

/// How the pages look.
pub(super) static STYLE: Asset = Asset {
    name: "page.css",
    content_type: "text/css; charset=utf-8",
    text: include_str!("page.css"),
    version: LazyLock::new(|| version(include_str!("page.css"))),
};

/// What keeps them true while they are open.
pub(super) static SCRIPT: Asset = Asset {
    name: "page.js",
    content_type: "text/javascript; charset=utf-8",
    text: include_str!("page.js"),
    version: LazyLock::new(|| version(include_str!("page.js"))),
};

/// What browsers show on a tab.
pub(super) static ICON: Asset = Asset {
    name: "icon.svg",
    content_type: "image/svg+xml",
    text: include_str!("icon.svg"),
    version: LazyLock::new(|| version(include_str!("icon.svg"))),
};

impl Asset {
    /// Its address, seen from a page.
    pub(super) fn address(&self, root: &str) -> String {
        format!("{root}assets/{}?v={}", self.name, *self.version)
    }
}

/// `GET /assets/{name}`: for ever where the address names this content, and to be asked for again elsewhere.
pub(in crate::web) async fn asset(
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let all = [&STYLE, &SCRIPT, &ICON];
    let named = name
        .ok()
        .and_then(|Path(name)| all.into_iter().find(|asset| asset.name == name));
    let Some(asset) = named else {
        return (StatusCode::NOT_FOUND, "Nothing is here; / tells what there is.\n").into_response();
    };
    let version = asset.version.as_str();
    let is_named = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(version);
    let caching = if is_named {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let tag = format!("\"{version}\"");
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| {
        let tags = known.to_str().unwrap_or_default().split(',');
        tags.map(str::trim).any(|known| known == tag || known == "*")
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (
            header::ETAG,
            HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        ),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.text).into_response()
}

/// Half of the content's hash: enough to tell any two apart.
fn version(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut version = String::new();
    for byte in digest.as_ref().iter().take(16) {
        // Writing into a string does not fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
}
