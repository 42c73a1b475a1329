//! Rules for queries, and for what is made of their results.

use crate::lint::{Page, Shown, list, none, pages, text};
use crate::promql::{self, Labels};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::Expr;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn every_query_reads_what_the_exporter_tells_and_doubles_nothing() {
    let mut faults = Vec::new();
    for page in pages() {
        for panel in page.panels() {
            for target in panel.targets() {
                let query = text(target, "/expr");
                let found = promql::parse(query)
                    .map_or_else(|error| vec![error], |query| promql::faults_on_a_dashboard(&query));
                faults.extend(
                    found
                        .into_iter()
                        .map(|fault| format!("{}: {fault}\n    {query}", panel.place)),
                );
            }
        }
    }
    none(&faults);
}

#[test]
fn every_panel_but_words_asks_something_and_each_of_its_queries_once() {
    for page in pages() {
        for panel in page.panels().iter().filter(|panel| panel.kind() != "text") {
            let queries: Vec<&str> = panel.targets().map(|target| text(target, "/expr")).collect();
            let letters: BTreeSet<&str> = panel.targets().map(|target| text(target, "/refId")).collect();
            assert!(!queries.is_empty(), "{}", panel.place);
            assert_eq!(letters.len(), queries.len(), "{}", panel.place);
            assert_eq!(
                queries.iter().collect::<BTreeSet<_>>().len(),
                queries.len(),
                "{}",
                panel.place
            );
        }
    }
}

/// The ranges in a query: what stands between brackets.
fn ranges(query: &str) -> Vec<&str> {
    query
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .collect()
}

#[test]
fn ranges_follow_the_time_shown_or_are_told_to_the_reader() {
    let mut faults = Vec::new();
    for page in pages() {
        for panel in page.panels() {
            let told = format!(
                "{} {}",
                text(panel.body, "/title"),
                text(panel.body, "/description")
            );
            for target in panel.targets() {
                let query = text(target, "/expr");
                let is_instant = target["instant"] == true;
                for range in ranges(query) {
                    // Fixed to the end of the time shown, a range is the same at each point of a graph.
                    let is_fixed = query.contains(&format!("[{range}] @ end()"));
                    let window = range.split(':').next().unwrap_or(range);
                    let is_well = match range {
                        "$__rate_interval" => !is_instant,
                        "$__range" => is_instant || is_fixed,
                        _ => told.contains(window),
                    };
                    if !is_well {
                        faults.push(format!("{}: [{range}] in {query}", panel.place));
                    }
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn rates_are_over_the_interval_that_grafana_chooses() {
    for page in pages() {
        for panel in page.panels() {
            for target in panel.targets() {
                let query = text(target, "/expr");
                for rate in query.split("rate(").skip(1) {
                    let range = ranges(rate).first().copied().unwrap_or_default();
                    assert_eq!(range, "$__rate_interval", "{}: {query}", panel.place);
                }
            }
        }
    }
}

#[test]
fn histograms_are_read_native_or_classic() {
    let mut faults = Vec::new();
    for page in pages() {
        for panel in page.panels() {
            let queries: Vec<Expr> = panel
                .targets()
                .map(|target| promql::parse(text(target, "/expr")).unwrap())
                .collect();
            let found = promql::one_sided(&queries).into_iter();
            faults.extend(found.map(|fault| format!("{}: {fault}", panel.place)));
        }
    }
    none(&faults);
}

/// The labels of each query's result.
fn results(panel: &Shown<'_>) -> Vec<Labels> {
    let of = |target: &Value| promql::parse(text(target, "/expr")).and_then(|query| promql::labels(&query));
    panel.targets().filter_map(|target| of(target).ok()).collect()
}

#[test]
fn names_of_series_are_made_of_labels_that_are_there() {
    let mut faults = Vec::new();
    for page in pages() {
        for panel in page.panels() {
            for (target, labels) in panel.targets().zip(results(&panel)) {
                let legend = text(target, "/legendFormat");
                let named = legend
                    .split("{{")
                    .skip(1)
                    .filter_map(|rest| rest.split("}}").next());
                let absent = named.filter(|label| {
                    let is_bucket = *label == "le" && panel.kind() == "heatmap";
                    !is_bucket && !labels.contains(*label)
                });
                faults.extend(absent.map(|label| format!("{}: {label} in {legend}", panel.place)));
            }
        }
    }
    none(&faults);
}

/// The fields of a table: the labels of its queries, and a value for each.
fn fields(panel: &Shown<'_>) -> BTreeSet<String> {
    let labels = results(panel);
    let letters: Vec<&str> = panel.targets().map(|target| text(target, "/refId")).collect();
    let values = match letters.as_slice() {
        [_] => vec!["Value".to_owned()],
        several => several.iter().map(|letter| format!("Value #{letter}")).collect(),
    };
    labels.into_iter().flatten().chain(values).collect()
}

/// The columns that a table keeps, in order.
fn kept<'a>(panel: &Shown<'a>) -> Vec<&'a str> {
    let names = list(panel.body, "/transformations/1/options/include/names");
    names.filter_map(Value::as_str).collect()
}

#[test]
fn columns_of_tables_are_fields_that_are_there_and_have_names() {
    for page in pages() {
        for panel in page.panels().iter().filter(|panel| panel.kind() == "table") {
            let fields = fields(panel);
            let kept = kept(panel);
            let named: Vec<&str> = list(panel.body, "/fieldConfig/overrides")
                .filter(|one| text(one, "/matcher/id") == "byName")
                .map(|one| text(one, "/matcher/options"))
                .collect();
            assert!(!kept.is_empty(), "{}", panel.place);
            for column in &kept {
                assert!(
                    fields.contains(*column),
                    "{}: no field {column} in {fields:?}",
                    panel.place
                );
                assert!(named.contains(column), "{}: {column} has no name", panel.place);
            }
            for column in named {
                assert!(kept.contains(&column), "{}: {column} is hidden", panel.place);
            }
        }
    }
}

#[test]
fn links_of_rows_use_fields_that_are_there() {
    for page in pages() {
        for panel in page.panels() {
            let text = panel.body.to_string();
            let kept = kept(&panel);
            let used = text
                .split("${__data.fields.")
                .skip(1)
                .filter_map(|rest| rest.split('}').next());
            for field in used {
                assert!(kept.contains(&field), "{}: {field}", panel.place);
            }
        }
    }
}

#[test]
fn heatmaps_lead_to_traces() {
    for page in pages() {
        for panel in page.panels() {
            for target in panel.targets().filter(|target| target["format"] == "heatmap") {
                assert_eq!(target["exemplar"], true, "{}", panel.place);
            }
        }
    }
}

/// Variables of which several values, or all, may be chosen: what Grafana puts in their place is a pattern.
fn patterns(page: &Page) -> BTreeSet<String> {
    let are_several = |variable: &&Value| variable["multi"] == true || variable["includeAll"] == true;
    let several = page.variables().filter(are_several);
    several
        .map(|variable| format!("${}", text(variable, "/name")))
        .collect()
}

#[test]
fn variables_of_several_values_are_matched_as_patterns() {
    let mut faults = Vec::new();
    for page in pages() {
        let patterns = patterns(&page);
        let panels = page.panels();
        let asked = panels.iter().flat_map(Shown::targets);
        for asks in asked.chain(list(&page.body, "/annotations/list")) {
            let query = text(asks, "/expr");
            let expression = promql::parse(query).unwrap();
            for selected in promql::selected(&expression) {
                let matchers = &selected.selector.matchers.matchers;
                let is_literal =
                    |matcher: &&Matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual);
                let wrong = matchers
                    .iter()
                    .filter(is_literal)
                    .filter(|matcher| patterns.contains(&matcher.value));
                faults.extend(wrong.map(|matcher| format!("{}: {matcher} in {query}", page.name)));
            }
        }
    }
    none(&faults);
}

#[test]
fn variables_of_queries_are_variables_of_their_dashboard() {
    let mut faults = Vec::new();
    for page in pages() {
        let known: BTreeSet<&str> = page.variables().map(|variable| text(variable, "/name")).collect();
        let of_panels = page.panels();
        let asked = of_panels
            .iter()
            .flat_map(|panel| panel.targets().map(|target| (&*panel.place, target)));
        let noted = list(&page.body, "/annotations/list").map(|note| (&*page.name, note));
        for (place, asks) in asked.chain(noted) {
            let used = text(asks, "/expr").split('$').skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
            });
            // `$1` is of label_replace, and what begins with two underscores is Grafana's own.
            let own = used.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
            let unknown = own.filter(|name| !known.contains(name));
            faults.extend(unknown.map(|name| format!("{place}: nobody chooses ${name}")));
        }
    }
    none(&faults);
}
