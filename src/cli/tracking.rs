//! `track`, `untrack` and `list`: what a running exporter watches.

use crate::cli::arguments::{List, Output, Running, Track, Untrack};
use crate::cli::exporter::{BaseUrl, Exporter, ExporterError, Told, Trust};
use crate::cli::{Exit, Usage, environment, say, say_error, serve};
use crate::cloud::Secret;
use crate::file;
use crate::limits::PEM_BYTES_MAX;
use crate::model::{OperationId, Text};
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Has operations watched.
pub(crate) fn track(arguments: &Track) -> anyhow::Result<Exit> {
    let labels = labels(&arguments.labels)?;
    let output = arguments.running.output;
    let exporter = exporter(&arguments.running)?;
    each(&arguments.ids, output, &async |id: &OperationId| {
        let told = exporter.track(id, arguments.job, &labels).await?;
        say(&tracked(id, &told, output));
        Ok(())
    })
}

/// By name; what was given twice is not chosen from.
fn labels(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Usage> {
    let mut labels = BTreeMap::new();
    for (name, value) in pairs {
        if labels.insert(name.clone(), value.clone()).is_some() {
            return Err(Usage(format!("--label {name}: given twice; keep one of them")));
        }
    }
    Ok(labels)
}

/// Has operations watched no more.
pub(crate) fn untrack(arguments: &Untrack) -> anyhow::Result<Exit> {
    let output = arguments.running.output;
    let exporter = exporter(&arguments.running)?;
    each(&arguments.ids, output, &async |id: &OperationId| {
        let (result, words) = if exporter.untrack(id).await? {
            (
                "untracked",
                "is not watched any more, and will not be taken back or counted again",
            )
        } else {
            ("pending", "will not be watched any more; `list` shows when")
        };
        say(&match output {
            Output::Text => format!("{id} {words}"),
            Output::Json => json!({ "id": id.as_str(), "result": result }).to_string(),
        });
        Ok(())
    })
}

/// Shows what is watched.
pub(crate) fn list(arguments: &List) -> anyhow::Result<Exit> {
    let output = arguments.running.output;
    let project = arguments.project.as_ref().map(ToString::to_string);
    let filter = [
        ("state", arguments.state.as_deref()),
        ("kind", arguments.kind.as_deref()),
        ("status", arguments.status.as_deref()),
        ("project_id", project.as_deref()),
    ];
    let filter: Vec<(&str, &str)> = filter
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let exporter = exporter(&arguments.running)?;
    // What is no answer has no table.
    let mut head = (output == Output::Text).then_some(HEAD);
    let show = |rows: &[Value]| {
        head.take().into_iter().for_each(say);
        for row in rows {
            say(&match output {
                Output::Text => line(row),
                Output::Json => row.to_string(),
            });
        }
    };
    serve::runtime()?.block_on(exporter.list(&filter, show))?;
    Ok(Exit::Well)
}

/// The exporter that is meant.
fn exporter(running: &Running) -> anyhow::Result<Exporter> {
    Ok(Exporter::trusting(base(running)?, &trust(running))?)
}

/// Whom to take for it, and as whom to call it.
pub(crate) fn trust(running: &Running) -> Trust {
    Trust {
        ca_file: running.ca_file.clone(),
        identity: running.cert_file.clone().zip(running.key_file.clone()),
        is_blind: false,
    }
}

/// Where it is.
pub(crate) fn base(running: &Running) -> anyhow::Result<BaseUrl> {
    const VARIABLE: &str = "DATASPHERE_EXPORTER_URL";
    let from_environment = || {
        let url = environment(VARIABLE)?;
        let url: Result<BaseUrl, _> = url.parse();
        Some(url.map_err(|problem| Usage(format!("{VARIABLE}: {problem}"))))
    };
    let base = match running.url.clone() {
        Some(url) => url,
        None => from_environment().transpose()?.unwrap_or_else(BaseUrl::local),
    };
    Ok(match &running.user {
        Some(user) => base.signed_in(user, &password(running.password_file.as_deref())?),
        None => base,
    })
}

/// The password of a file, without the line's end, or of the environment.
fn password(path: Option<&Path>) -> anyhow::Result<Secret> {
    const VARIABLE: &str = "DATASPHERE_EXPORTER_PASSWORD";
    let Some(path) = path else {
        let missing = || {
            Usage(format!(
                "--user needs a password, in --password-file or in {VARIABLE}"
            ))
        };
        return Ok(Secret::new(environment(VARIABLE).ok_or_else(missing)?));
    };
    let password = file::read_text(path, PEM_BYTES_MAX)
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(Secret::new(password.trim_end_matches(['\r', '\n'])))
}

/// Does something with each id; one that is refused does not keep the others from their turn.
fn each(
    ids: &[OperationId],
    output: Output,
    call: &impl AsyncFn(&OperationId) -> Result<(), ExporterError>,
) -> anyhow::Result<Exit> {
    serve::runtime()?.block_on(async {
        let mut exit = Exit::Well;
        for id in ids {
            match call(id).await {
                Ok(()) => {}
                Err(error) if error.is_refusal() => {
                    if output == Output::Json {
                        let detail = error.to_string();
                        let told = json!({ "id": id.as_str(), "result": "refused", "detail": detail });
                        say(&told.to_string());
                    }
                    say_error(&error.into());
                    exit = Exit::Failed;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(exit)
    })
}

fn tracked(id: &OperationId, told: &Told, output: Output) -> String {
    let (result, row, words) = match told {
        Told::New(row) if row.get("observed") == Some(&Value::Bool(true)) => {
            ("tracked", Some(row), "is watched from now on")
        }
        Told::New(row) => (
            "tracked",
            Some(row),
            "is watched from now on; the cloud has told nothing of it yet, `list` shows whether it knows the id",
        ),
        Told::Known(row) => ("known", Some(row), "was watched already"),
        Told::Pending => ("pending", None, "will be watched; `list` shows when"),
    };
    match output {
        Output::Text => format!("{id} {words}"),
        Output::Json => json!({ "id": id.as_str(), "result": result, "operation": row }).to_string(),
    }
}

const HEAD: &str =
    "ID                   KIND      STATUS            PROGRESS  OUTCOME    PROJECT              NAME";

/// An operation as a line of a table.
fn line(row: &Value) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(Text::bounded);
    let first = |names: &[&str]| names.iter().find_map(|name| text(name)).unwrap_or_default();
    let percent = row.pointer("/progress/percent").and_then(Value::as_u64);
    let percent = percent.map(|percent| format!("{percent}%")).unwrap_or_default();
    // An operation that the cloud does not tell of is not said to run.
    let is_over = row.get("outcome").is_some();
    let refusal = text("unreadable_reason").filter(|_| !is_over);
    let standing = refusal.unwrap_or_else(|| first(&["status", "notebook_status", "state"]));
    let mut line = String::new();
    let _ = write!(
        line,
        "{:<20} {:<9} {:<17} {percent:>8}  {:<10} {:<20} {}",
        first(&["operation_id", "job_id"]).as_str(),
        first(&["kind"]).as_str(),
        standing.as_str(),
        first(&["outcome"]).as_str(),
        first(&["project_id"]).as_str(),
        first(&["name", "notebook_id", "description"]).as_str(),
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_given_twice_is_refused() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let once = labels(&[pair("team", "a"), pair("cost", "a")]).expect("labels");
        assert_eq!(once.len(), 2);
        let refusal = labels(&[pair("team", "a"), pair("team", "b")]).expect_err("twice");
        assert_eq!(refusal.to_string(), "--label team: given twice; keep one of them");
    }

    #[test]
    fn an_operation_is_a_line_below_its_headings() {
        let row = json!({
            "operation_id": "bt1operation00000001", "job_id": "bt1job", "kind": "job", "status": "UPLOADING_OUTPUT",
            "state": "running", "progress": { "percent": 42 }, "project_id": "bt1project0000000001", "name": "a\u{1b}b",
        });
        let line = line(&row);
        for (heading, cell) in [
            ("KIND", "job"),
            ("STATUS", "UPLOADING_OUTPUT"),
            ("PROJECT", "bt1p"),
            ("NAME", "a b"),
        ] {
            let place = HEAD.find(heading).expect("a heading");
            assert!(line[place..].starts_with(cell), "{HEAD}\n{line}");
        }
        assert!(line.contains(" 42% "));
    }

    #[test]
    fn an_operation_that_the_cloud_does_not_tell_of_is_not_said_to_run() {
        let mut row = json!({
            "operation_id": "bt1slip", "state": "running", "unreadable_reason": "permission_denied",
        });
        assert!(line(&row).contains(" permission_denied"), "{}", line(&row));
        row["outcome"] = "lost".into();
        assert!(!line(&row).contains("permission_denied"), "{}", line(&row));
    }
}
