//! The status page: what it shows, what it may load, and that text stays text.

use super::support::{self, Door};
use crate::scene;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::model::{
    About, Buckets, Histogram, Kind, Outcome, Project, RpcCode, RpcError, State, Text, TrackedOperation, View,
};
use datasphere_exporter::web::{Link, Links, Settings};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of elements of a page in their order, with the names of their attributes: what text must never change.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for tag in html.split('<').skip(1) {
        let mut parts = tag.split('"');
        let mut names = String::new();
        while let Some(outside) = parts.next() {
            let (name, is_over) = outside
                .split_once('>')
                .map_or((outside, false), |(name, _)| (name, true));
            names.push_str(name);
            if is_over {
                break;
            }
            parts.next();
        }
        tags.push(names);
    }
    tags
}

/// The text of an element that begins with `start`, read as HTML has it.
fn text_behind(html: &str, start: &str) -> String {
    let (_, rest) = html.split_once(start).expect("the element");
    let (text, _) = rest.split_once('<').expect("its end");
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    entities
        .iter()
        .fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// A view in which everything that is text from outside is `text`.
fn told_everywhere(text: &str) -> View {
    let words = || Some(Text::bounded(text)).filter(|text| !text.as_str().trim().is_empty());
    let about = Arc::new(About {
        name: words(),
        created_by: words(),
        instance_type: words(),
        status_details: words().map(Box::new),
        labels: Arc::new(BTreeMap::from([("team".into(), Text::bounded(text))])),
        ..About::default()
    });
    let mut live = TrackedOperation {
        about: Arc::clone(&about),
        ..scene::training()
    };
    if let Some(progress) = &mut live.reported.progress {
        progress.message = words();
    }
    let mut ended = TrackedOperation {
        about,
        operation_id: Some("bt1opEnded".parse().expect("an id")),
        job_id: None,
        state: State::Done,
        outcome: Some(Outcome::Error(RpcCode::UNKNOWN)),
        key: scene::blank(1, Kind::Job).key,
        ..scene::training()
    };
    ended.reported.error = Some(Arc::new(RpcError {
        code: RpcCode::UNKNOWN,
        message: words(),
        reason: words(),
    }));
    let mut project = Project::new(
        Some(scene::project_id()),
        &Arc::new(Histogram::new(Buckets::RUNS)),
    );
    project.name = words();
    View {
        projects: Arc::new(BTreeMap::from([(project.id.clone(), Arc::new(project))])),
        ..scene::view_of([live, ended])
    }
}

#[tokio::test]
async fn whatever_things_are_called_the_page_has_the_same_elements_and_the_name_as_text() {
    let door = Door::open(told_everywhere("x")).await;
    let pages = [
        "/",
        "/?state=live",
        "/operations/bt1opTraining",
        "/operations/bt1opEnded",
    ];
    let mut plain = Vec::new();
    for path in pages {
        plain.push(skeleton(&door.get(path).await.text()));
    }
    let mut runner = TestRunner::deterministic();
    let any = (0..60).map(|_| {
        let tree = "[<>&\"'/=a-z \u{202e}я]{1,60}|\\PC{1,300}".new_tree(&mut runner);
        tree.expect("a text").current()
    });
    let hostile = [
        "</bdi><script>alert(1)</script>",
        "\" onmouseover=\"x",
        "<!--",
        "&lt;script&gt;",
        "]]>",
        "{{x}}",
    ];
    for text in hostile.map(str::to_owned).into_iter().chain(any) {
        if text.trim().is_empty() {
            continue;
        }
        door.views.publish(told_everywhere(&text));
        for (path, plain) in pages.iter().zip(&plain) {
            let html = door.get(path).await.text();
            assert_eq!(skeleton(&html), *plain, "{path}: {text:?}");
            assert_eq!(
                text_behind(&html, "<bdi>"),
                Text::bounded(&text).as_str(),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_typed_into_the_search_comes_back_as_text() {
    let door = Door::open(scene::view()).await;
    let plain = skeleton(&door.get("/?q=xyz").await.text());
    let reply = door.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(skeleton(&reply.text()), plain);
    assert!(
        reply
            .text()
            .contains("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"")
    );
    for query in [
        "?%",
        "?q=%ff%00",
        "?state=%3Cb%3E&page=-1&project=../..",
        "?page=99999999999999999999999",
    ] {
        assert_eq!(door.get(&format!("/{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn a_page_may_load_and_send_to_nothing_but_its_own_server() {
    let door = Door::open(scene::view()).await;
    for path in ["/", "/operations/bt1opTraining", "/operations/nobody"] {
        let reply = door.get(path).await;
        let policy = reply.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let is_inline = |tag: &String| {
            let mut names = tag.split([' ', '=']);
            tag.starts_with("style") || names.any(|name| name == "style" || name.starts_with("on"))
        };
        let inline: Vec<_> = skeleton(&reply.text()).into_iter().filter(is_inline).collect();
        assert!(inline.is_empty(), "{inline:?}");
    }
}

#[tokio::test]
async fn every_link_of_a_page_holds_behind_a_prefix_and_leads_somewhere() {
    let door = Door::open(scene::view()).await;
    for (path, root) in [
        ("/", "./"),
        ("/?state=ended&q=bt1", "./"),
        ("/operations/bt1opTraining", "../"),
    ] {
        let html = door.get(path).await.text();
        let mut led = 0;
        for attribute in ["href=\"", "src=\"", "action=\"", "data-events=\""] {
            for rest in html.split(attribute).skip(1) {
                let (address, _) = rest.split_once('"').expect("an attribute");
                if address.starts_with("https://datasphere") || address.starts_with('#') {
                    continue;
                }
                let inside = address
                    .strip_prefix(root)
                    .unwrap_or_else(|| panic!("{path}: {address}"));
                if !inside.ends_with("events") {
                    let inside = inside.replace("&amp;", "&");
                    assert_eq!(
                        door.get(&format!("/{inside}")).await.status,
                        200,
                        "{path}: {address}"
                    );
                }
                led += 1;
            }
        }
        assert!(led > 10, "{path}: {led}");
    }
}

#[tokio::test]
async fn what_a_page_loads_is_kept_for_ever_under_its_own_name_and_asked_for_again_under_another() {
    let door = Door::open(View::default()).await;
    let html = door.get("/").await.text();
    for name in ["page.css", "page.js", "icon.svg"] {
        let (_, rest) = html
            .split_once(&format!("./assets/{name}?v="))
            .expect("it is loaded");
        let (version, _) = rest.split_once('"').expect("a version");
        let named = door.get(&format!("/assets/{name}?v={version}")).await;
        assert_eq!(named.status, 200);
        assert!(
            named
                .header("cache-control")
                .is_some_and(|kept| kept.contains("immutable"))
        );
        for address in [format!("/assets/{name}"), format!("/assets/{name}?v=older")] {
            let other = door.get(&address).await;
            assert_eq!(other.header("cache-control"), Some("no-cache"));
            assert_eq!(other.body, named.body);
        }
        let tag = named.header("etag").expect("a tag").to_owned();
        let again = door
            .get_with(&format!("/assets/{name}"), &[("if-none-match", &tag)])
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}

/// Names of operations on a page, in order.
async fn shown(door: &Door, path: &str) -> Vec<String> {
    let html = door.get(path).await.text();
    html.split("/operations/")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(id, _)| id.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_address_says_which_operations_are_shown() {
    let door = Door::open(scene::view()).await;
    let all_live = ["opOther", "bt1opTraining", "bt1opUnobserved", "bt1jobHidden"];
    let ended = ["bt1opNotebook", "bt1opFailed", "bt1jobCancelled"];
    let cases: [(&str, &[&str]); 12] = [
        ("/?state=failing", &["opOther"]),
        ("/?state=failure", &["bt1opFailed"]),
        ("/?state=success", &["bt1opNotebook"]),
        ("/?state=lost", &[]),
        ("/?q=TRAIN", &["bt1opTraining"]),
        ("/?q=bt1jobFailed", &["bt1opFailed"]),
        ("/?q=daily.ipynb", &["bt1opNotebook"]),
        ("/?q=ajeBob&state=live", &[]),
        ("/?q=nlp", &["bt1opTraining"]),
        (
            "/?project=bt1alpha&state=live",
            &["bt1opTraining", "bt1jobHidden"],
        ),
        ("/?project=bt1nobody", &[]),
        (
            "/?q=%D0%B0%D0%BB%D1%8C%D1%84%D0%B0&state=cancelled",
            &["bt1jobCancelled"],
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(shown(&door, path).await, expected, "{path}");
    }
    let mut live = shown(&door, "/?state=live").await;
    assert_eq!(live[0], "opOther", "what fails is first");
    live.sort();
    let mut expected = all_live.map(str::to_owned);
    expected.sort();
    assert_eq!(live, expected);
    let mut found = shown(&door, "/?state=ended").await;
    found.sort();
    let mut expected = ended.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_crowd_comes_in_pages_that_together_show_each_operation_once() {
    let door = Door::open(scene::view_of((0..250).map(|key| TrackedOperation {
        operation_id: Some(format!("op{key}").parse().expect("an id")),
        ..scene::blank(key, Kind::Job)
    })))
    .await;
    let overview = shown(&door, "/").await;
    assert_eq!(overview.len(), 40, "for a glance");
    assert!(door.get("/").await.text().contains("All 250 live"));
    let mut all = Vec::new();
    for (page, count) in [(1, 100), (2, 100), (3, 50)] {
        let rows = shown(&door, &format!("/?state=live&page={page}")).await;
        assert_eq!(rows.len(), count, "page {page}");
        all.extend(rows);
    }
    assert_eq!(all[0], "op249", "the newest is first");
    assert_eq!(all[..40], overview);
    assert_eq!(
        shown(&door, "/?state=live&page=99").await,
        all[200..],
        "the last one"
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 250);
}

#[tokio::test]
async fn the_page_of_the_scene_is_as_it_was_when_somebody_looked_at_it() {
    let links = Links {
        trace: Link::parse("https://tempo.example/trace/{trace_id}").ok(),
        ..Links::default()
    };
    let settings = Settings {
        links,
        ..support::settings()
    };
    let door = Door::open_with(scene::view(), settings, |server| server).await;
    let html = door.get("/").await.text();
    let (_, rest) = html.split_once("<section id=\"live\"").expect("a list");
    let (lists, _) = rest.split_once("<section id=\"projects\"").expect("its end");
    // Time passes on a real socket: how it is told is tested where the words are made.
    let spans = Regex::new("([0-9]+\u{a0}(s|min|h|d) ?)+").expect("an expression");
    let places = Regex::new(" (x|width)=\"[0-9]{1,4}\"").expect("an expression");
    let lists = places.replace_all(lists, "");
    insta::assert_snapshot!(spans.replace_all(&lists, "[time] ").replace("><", ">\n<"));
}

#[tokio::test]
async fn an_operation_has_a_page_under_each_of_its_ids_and_nothing_else_has_one() {
    let door = Door::open(scene::view()).await;
    for id in ["bt1opTraining", "bt1jobTraining"] {
        let reply = door.get(&format!("/operations/{id}")).await;
        assert_eq!(reply.status, 200);
        let html = reply.text();
        for word in [
            "train &quot;resnet&quot; \\ я",
            "epoch 42",
            "ajeAlice",
            "nlp",
            "about 1\u{a0}h",
            "42\u{a0}%",
        ] {
            assert!(html.contains(word), "{word}: {html}");
        }
    }
    for id in ["nobody", "%3Cscript%3E", "%ff", "a:cancel"] {
        let reply = door.get(&format!("/operations/{id}")).await;
        assert_eq!(reply.status, 404, "{id}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(!reply.text().contains("<script>"));
    }
}

#[tokio::test]
async fn the_exporters_own_troubles_are_on_the_page_with_the_way_to_their_runbooks() {
    let (context, views) = support::context(Clock::starting_at(scene::now()));
    let instruments = context.instruments.clone();
    views.publish(scene::view());
    let door = Door::of(context, support::settings()).await;
    let quiet = door.get("/").await.text();
    for word in ["none in use", "in memory", "none sent", "no call yet"] {
        assert!(quiet.contains(word), "{word}");
    }
    instruments.set_store_up(false);
    instruments.set_otlp_up(false);
    instruments.show_outbox(1_234, 5_000, Some(scene::now()));
    instruments.iam_token_refresh_failures_total.inc();
    instruments
        .api_requests_total
        .with_label_values(&["OperationService/Get", "UNAVAILABLE"])
        .inc();
    let html = door.get("/").await.text();
    for alert in [
        "DatasphereExporterStoreFailing",
        "DatasphereExporterTracesNotDelivered",
        "DatasphereExporterTokenNotRenewed",
        "DatasphereExporterCloudUnreachable",
        "DatasphereExporterReloadFailed",
    ] {
        let address = format!("href=\"https://datasphere-exporter.example/docs/runbooks/{alert}.md\"");
        assert!(html.contains(&address), "{alert}: {html}");
    }
    assert!(html.contains("1\u{202f}234 spans wait"), "{html}");
}
