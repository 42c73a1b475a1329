//! Labels whose values are a closed set of words: what is compared with another word never matches.

use crate::promql::{Selected, metric};
use datasphere_exporter::catalogue::{SELF_SPAN_OUTCOMES, SPAN_OUTCOMES, Tier, exporter, run};
use datasphere_exporter::model::{
    JobStatus, Kind, NotebookStatus, OutcomeKind, ProjectScope, RpcCode, State,
};
use promql_parser::label::{MatchOp, Matcher};
use regex::Regex;

/// Matchers of a selector that no value of their label meets.
pub(crate) fn strange_words(selected: &Selected<'_>) -> Vec<String> {
    let name = metric(selected.name).map_or(selected.name, |metric| metric.name);
    let is_strange = |matcher: &&Matcher| {
        let words = words(name, &matcher.name);
        !words.is_empty()
            && !asked(matcher)
                .iter()
                .all(|asked| words.iter().any(|word| asked.is_match(word)))
    };
    let strange = selected.selector.matchers.matchers.iter().filter(is_strange);
    strange
        .map(|matcher| format!("{} of {name} is never as {matcher} says", matcher.name))
        .collect()
}

/// What a matcher asks for, each alternative by itself; nothing where a variable decides.
fn asked(matcher: &Matcher) -> Vec<Regex> {
    let value = matcher.value.as_str();
    let alternatives: Vec<String> = match matcher.op {
        _ if value.starts_with('$') => Vec::new(),
        MatchOp::Equal | MatchOp::NotEqual => vec![regex::escape(value)],
        MatchOp::Re(_) | MatchOp::NotRe(_) => value.split('|').map(str::to_owned).collect(),
    };
    let whole = alternatives.iter().map(|one| Regex::new(&format!("^(?:{one})$")));
    whole.map(Result::unwrap).collect()
}

/// All values that a label of a metric may have; none where the set is open.
fn words(metric: &str, label: &str) -> Vec<&'static str> {
    match label {
        "kind" => Kind::ALL.map(Kind::label).to_vec(),
        "state" => State::ALL.map(State::label).to_vec(),
        "tier" => [Tier::Fleet, Tier::Run, Tier::Exporter].map(Tier::label).to_vec(),
        "outcome" if metric == exporter::OTLP_SPANS.name => SPAN_OUTCOMES.to_vec(),
        "outcome" if metric == exporter::SELF_SPANS.name => SELF_SPAN_OUTCOMES.to_vec(),
        "outcome" => OutcomeKind::ALL.map(OutcomeKind::label).to_vec(),
        "status" if metric == run::NOTEBOOK_STATUS.name => {
            NotebookStatus::ALL.map(NotebookStatus::label).to_vec()
        }
        "status" => JobStatus::ALL.map(JobStatus::label).to_vec(),
        "scope" if metric == exporter::LAST_SUCCESS.name => {
            ProjectScope::ALL.map(ProjectScope::label).to_vec()
        }
        "code" if metric == exporter::API_REQUESTS.name => {
            let codes = (0..).map_while(RpcCode::from_number);
            codes.map(RpcCode::name).collect()
        }
        _ => Vec::new(),
    }
}
