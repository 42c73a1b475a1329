//! Who may change something, and a line in the log for each who did.
//!
//! Where the web configuration knows callers, by password or certificate, a writing call is theirs, from wherever they
//! call, whatever `api.unauthenticated_writes` says. Where it does not, it is anybody's on the same host. A page in a browser reaches that too, under a name of its
//! own that leads to 127.0.0.1 or across origins, and so does whoever comes through a proxy: none of them is let in.
//!
//! A proxy is known by what it adds. One on the same host that adds nothing looks like any other caller of this host,
//! and is taken for one: behind such a one callers have to sign in, or `api.track` has to be off.

use crate::flow::Said;
use crate::listening::Ends;
use crate::model::Text;
use crate::web::lifecycle;
use crate::web::problem::Problem;
use crate::web::protection::Caller;
use crate::web::routes::Shared;
use crate::web::{ApiSettings, Settings};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// What is asked of whoever wants to change something.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    api: ApiSettings,
    enable_lifecycle: bool,
    /// The host that browsers know us by, beside addresses and `localhost`.
    external_host: Option<String>,
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers by which a proxy says that it calls for somebody else.
const OF_PROXIES: [HeaderName; 3] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
];

/// How others of them begin.
const OF_PROXIES_PREFIXES: [&str; 2] = ["x-forwarded-", "x-envoy-"];

/// Lets what only reads pass, and of what writes, what may; tells of each writing call in the log.
pub(super) async fn watched(
    State(shared): State<Arc<Shared>>,
    ends: Option<Extension<Ends>>,
    caller: Option<Extension<Caller>>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let ends = ends.map(|Extension(ends)| ends).unwrap_or_default();
    let caller = caller.map(|Extension(caller)| caller).unwrap_or_default();
    let (method, path) = (request.method().clone(), Text::bounded(request.uri().path()));
    let refusal = if shared.context.readiness.is_stopping() {
        Err(Problem::ending())
    } else {
        shared.guard.check(&request, ends, caller)
    };
    let response = match refusal {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    log(&shared, &method, &path, ends, &response);
    response
}

/// Each call that was let in is a line; refusals come from anybody, and are a line a minute for each status.
fn log(shared: &Shared, method: &Method, path: &Text, ends: Ends, response: &Response) {
    let status = response.status();
    let held_back = if status.is_client_error() {
        let admitted = shared.throttle.admit(status.as_str(), shared.context.clock.now());
        let Some(Said { held_back }) = admitted else {
            return;
        };
        held_back
    } else {
        None
    };
    let peer = ends.peer.map(tracing::field::display);
    let (status, method) = (status.as_u16(), method.as_str());
    // What is new has a place of its own.
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    tracing::info!(peer, method, %path, status, location, held_back, "a writing call was answered");
}

impl Guard {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            api: settings.api,
            enable_lifecycle: settings.enable_lifecycle,
            external_host: settings.external_host.clone(),
        }
    }

    fn check(&self, request: &Request, ends: Ends, caller: Caller) -> Result<(), Problem> {
        let headers = request.headers();
        if lifecycle::is_at(request.uri().path()) {
            self.check_lifecycle()?;
        } else {
            self.check_setting(request.method())?;
        }
        self.check_caller(request.version(), headers, ends, caller)?;
        // Whoever is known was not led here by a name: neither password nor certificate goes to a foreign one.
        if !caller.is_known {
            self.check_host(headers, ends)?;
        }
        check_origin(headers)?;
        check_content_type(headers)
    }

    fn check_lifecycle(&self) -> Result<(), Problem> {
        if self.enable_lifecycle {
            return Ok(());
        }
        Err(Problem::forbidden(
            "reloading and ending over HTTP is off; --web.enable-lifecycle turns it on",
        ))
    }

    fn check_setting(&self, method: &Method) -> Result<(), Problem> {
        let is_action = *method == Method::POST;
        if is_action && !self.api.actions {
            return Err(Problem::forbidden(
                "starting and cancelling through the API is off; api.actions: true turns it on",
            ));
        }
        if !is_action && !self.api.track {
            return Err(Problem::forbidden(
                "putting operations under watch through the API is off; api.track: true turns it on",
            ));
        }
        Ok(())
    }

    fn check_caller(
        &self,
        version: Version,
        headers: &HeaderMap,
        ends: Ends,
        caller: Caller,
    ) -> Result<(), Problem> {
        if caller.is_known {
            return Ok(());
        }
        if caller.is_asked {
            return Err(Problem::forbidden(
                "calls that write need a user and a password, or a client certificate, as the web configuration asks \
                 for them",
            ));
        }
        // It opens what nobody is asked for, and nothing that somebody protected.
        if self.api.unauthenticated_writes {
            return Ok(());
        }
        if !ends.is_same_host() {
            return Err(Problem::forbidden(
                "calls that write are served on loopback addresses only; call from the same host, have callers sign \
                 in by web.config_file, or let everybody who reaches this address write with \
                 api.unauthenticated_writes: true",
            ));
        }
        if is_of_proxy(version, headers) {
            return Err(Problem::forbidden(
                "calls that write are not served through a proxy, which may call for anybody; have callers sign in by \
                 web.config_file, or let everybody who reaches the proxy write with api.unauthenticated_writes: true",
            ));
        }
        Ok(())
    }

    /// A name that somebody else's server resolves to us is not ours.
    fn check_host(&self, headers: &HeaderMap, ends: Ends) -> Result<(), Problem> {
        // No browser calls over one.
        if ends.is_unix {
            return Ok(());
        }
        let host = sole(headers, &header::HOST).and_then(host_of);
        let is_ours = host.as_deref().is_some_and(|host| {
            is_address(host) || host == "localhost" || self.external_host.as_deref() == Some(host)
        });
        if is_ours {
            return Ok(());
        }
        Err(Problem::forbidden(
            "calls that write are served to whoever names an address, localhost or the host of web.external_url in \
             the header Host",
        ))
    }
}

/// Whether a call comes through a proxy, as far as that shows. Some speak HTTP/1.0 to what is behind them unless they
/// are told otherwise, and hardly anything else does.
fn is_of_proxy(version: Version, headers: &HeaderMap) -> bool {
    let is_of_proxy = |name: &HeaderName| {
        let mut prefixes = OF_PROXIES_PREFIXES.iter();
        OF_PROXIES.contains(name) || prefixes.any(|prefix| name.as_str().starts_with(prefix))
    };
    version <= Version::HTTP_10 || headers.keys().any(is_of_proxy)
}

/// A browser says which page asks; only one of ours may, and we have none on other hosts or ports.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let host = sole(headers, &header::HOST).unwrap_or_default();
    let is_same = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let is_foreign_origin =
        headers.contains_key(header::ORIGIN) && !sole(headers, &header::ORIGIN).is_some_and(is_same);
    let is_foreign_site = headers.contains_key(SEC_FETCH_SITE)
        && !matches!(sole(headers, &SEC_FETCH_SITE), Some("same-origin" | "none"));
    if is_foreign_origin || is_foreign_site {
        return Err(Problem::forbidden(
            "a page of another origin asks for this; only programs and pages of this server may",
        ));
    }
    Ok(())
}

/// A form cannot send JSON, a program can.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = |content_type: &str| {
        let media_type = content_type.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    };
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || sole(headers, &header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let is_given = headers.contains_key(header::CONTENT_TYPE);
    if (is_given || has_body) && !sole(headers, &header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body is JSON; send Content-Type: application/json with it, and no Content-Type without",
        ));
    }
    Ok(())
}

/// The value of a header that is there once.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The host of an authority, without its port, in lower case.
pub(super) fn host_of(authority: &str) -> Option<String> {
    let authority: Authority = authority.parse().ok()?;
    let is_plain = !authority.as_str().contains('@');
    is_plain.then(|| authority.host().to_ascii_lowercase())
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard {
            api: ApiSettings::default(),
            enable_lifecycle: false,
            external_host: Some("exporter.example.org".to_owned()),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn only_addresses_localhost_and_the_configured_host_name_us() {
        for ours in [
            "127.0.0.1:10477",
            "[::1]:10477",
            "[::1]",
            "10.0.0.7",
            "localhost",
            "LocalHost:10477",
            "exporter.example.org",
            "Exporter.Example.org:443",
        ] {
            assert_eq!(
                guard().check_host(&headers(&[("host", ours)]), Ends::default()),
                Ok(()),
                "{ours}"
            );
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:10477",
            "localhost@evil.example",
            "evil@localhost",
            "",
        ] {
            let refused = guard().check_host(&headers(&[("host", foreign)]), Ends::default());
            assert!(refused.is_err(), "{foreign}");
        }
        assert!(guard().check_host(&headers(&[]), Ends::default()).is_err());
        let twice = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(guard().check_host(&twice, Ends::default()).is_err());
    }

    #[test]
    fn a_page_of_another_origin_is_told_by_either_header() {
        let host = ("host", "localhost:10477");
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(check_origin(&headers(&[host, foreign])).is_err(), "{foreign:?}");
        }
        for own in [
            ("origin", "http://localhost:10477"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("accept", "*/*"),
        ] {
            assert_eq!(check_origin(&headers(&[host, own])), Ok(()), "{own:?}");
        }
    }

    #[test]
    fn what_a_form_can_send_is_no_json() {
        for form in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "text/plain; a=application/json",
            "multipart/form-data",
            "",
        ] {
            let refused = check_content_type(&headers(&[("content-type", form)]));
            assert!(refused.is_err(), "{form}");
        }
        let untold = headers(&[("content-length", "2")]);
        assert!(check_content_type(&untold).is_err());
        for json in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(check_content_type(&headers(&[("content-type", json)])), Ok(()));
        }
        assert_eq!(check_content_type(&headers(&[("content-length", "0")])), Ok(()));
    }

    fn local() -> Ends {
        Ends {
            is_unix: true,
            ..Ends::default()
        }
    }

    #[test]
    fn whoever_is_known_may_write_and_nobody_else_where_callers_are_asked_whatever_is_set() {
        let (none, known, stranger) = (
            Caller::default(),
            Caller {
                is_known: true,
                is_asked: true,
            },
            Caller {
                is_known: false,
                is_asked: true,
            },
        );
        let plain = headers(&[]);
        let proxied = headers(&[("x-forwarded-for", "10.0.0.9")]);
        let may = |guard: &Guard, headers: &HeaderMap, ends, caller| {
            guard
                .check_caller(Version::HTTP_11, headers, ends, caller)
                .is_ok()
        };
        let cases = [
            (&plain, local(), none, true),
            (&plain, Ends::default(), none, false),
            (&proxied, local(), none, false),
            (&plain, local(), stranger, false),
            (&plain, Ends::default(), known, true),
            (&proxied, local(), known, true),
        ];
        for (headers, ends, caller, expected) in cases {
            assert_eq!(
                may(&guard(), headers, ends, caller),
                expected,
                "{headers:?} {ends:?} {caller:?}"
            );
        }
        let api = ApiSettings {
            unauthenticated_writes: true,
            ..ApiSettings::default()
        };
        let open = Guard { api, ..guard() };
        for (headers, ends, caller, _) in cases {
            assert_eq!(
                may(&open, headers, ends, caller),
                caller != stranger,
                "{headers:?} {ends:?} {caller:?}"
            );
        }
    }

    #[test]
    fn a_proxy_is_told_by_any_of_its_headers_or_by_its_old_protocol() {
        let may = |version, headers: &HeaderMap| {
            guard()
                .check_caller(version, headers, local(), Caller::default())
                .is_ok()
        };
        for name in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-client-cert",
            "x-envoy-external-address",
        ] {
            assert!(!may(Version::HTTP_11, &headers(&[(name, "x")])), "{name}");
        }
        let plain = headers(&[("x-forward", "x"), ("x-request-id", "x")]);
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert!(may(version, &plain), "{version:?}");
        }
        assert!(!may(Version::HTTP_10, &plain));
    }
}
