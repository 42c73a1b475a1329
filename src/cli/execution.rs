//! `job execute` and `notebook execute`: starting something, and following it.

use crate::cli::arguments::{JobExecute, NotebookExecute, Output, Start};
use crate::cli::operation::{believe, connect, show};
use crate::cli::watch::{Story, follow, sighting};
use crate::cli::{Exit, Usage, say};
use crate::cloud::{Client, CloudError, Inputs};
use crate::config::{Config, LogLevel};
use crate::model::{Decoded, OperationSnapshot, Overheard};
use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};

/// Starts a job.
pub(crate) fn job(arguments: &JobExecute, config: &Config) -> anyhow::Result<Exit> {
    start(&arguments.start, config, async |client| {
        client.execute_job(&arguments.id, None).await
    })
}

/// Runs a notebook.
pub(crate) fn notebook(arguments: &NotebookExecute, config: &Config) -> anyhow::Result<Exit> {
    let inputs = inputs(&arguments.inputs)?;
    start(&arguments.start, config, async |client| {
        let (project_id, path) = (&arguments.project_id, arguments.notebook.as_str());
        client.execute_notebook(project_id, path, &inputs, None).await
    })
}

/// Starts something, tells its id before anything else, and follows it if that is wanted.
fn start(
    arguments: &Start,
    config: &Config,
    call: impl AsyncFnOnce(&Client) -> Result<Decoded<OperationSnapshot>, CloudError>,
) -> anyhow::Result<Exit> {
    let usual = if arguments.wait {
        LogLevel::Warn
    } else {
        LogLevel::Error
    };
    let (client, clock, runtime) = connect(config, usual)?;
    runtime.block_on(async {
        let asked_at = clock.now();
        let answer = tokio::select! {
            answer = call(&client) => answer.map_err(maybe_started)?,
            heard = tokio::signal::ctrl_c() => {
                heard.context("cannot listen to signals")?;
                return Err(anyhow!("interrupted before the cloud answered: {MAYBE_STARTED}"));
            }
        };
        let id = answer.value.id.clone();
        say(&match arguments.output {
            Output::Text => id.to_string(),
            Output::Json => believe(&id, answer.clone(), clock.now()).map_or_else(
                || json!({ "operation_id": id.as_str() }).to_string(),
                |row| show(&row, Output::Json, clock.now()),
            ),
        });
        if !arguments.wait {
            return Ok(Exit::Well);
        }
        let story = Story {
            client,
            clock,
            config,
            output: arguments.output,
        };
        let heard = Overheard {
            sighting: sighting(&id),
            asked_at,
            answer,
        };
        follow(story, heard).await
    })
}

const MAYBE_STARTED: &str =
    "it may have been started all the same; look in DataSphere before starting it again";

/// A call that was not answered may have arrived.
fn maybe_started(error: CloudError) -> anyhow::Error {
    if error.is_transient() {
        anyhow!("{}; {MAYBE_STARTED}", error.chain())
    } else {
        error.into()
    }
}

/// The largest whole number that the message for inputs can carry exactly.
const EXACT_MAX: u64 = 1 << 53;

/// Values by name. They may be secrets, so no message quotes one.
fn inputs(pairs: &[String]) -> Result<Inputs, Usage> {
    let mut values = Map::new();
    for pair in pairs {
        let (name, text) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Usage("--input: write NAME=VALUE".to_owned()))?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        if !is_exact(&value) {
            return Err(Usage(format!(
                "--input {name}: a whole number beyond 2^53 would be rounded; put it in double quotes"
            )));
        }
        if values.insert(name.to_owned(), value).is_some() {
            return Err(Usage(format!("--input {name}: given twice; keep one of them")));
        }
    }
    Ok(Inputs::from(values))
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            whole.is_none_or(|whole| whole <= EXACT_MAX)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[&str]) -> Result<Inputs, String> {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        inputs(&pairs).map_err(|usage| usage.to_string())
    }

    #[test]
    fn an_input_that_reads_as_json_is_taken_as_such_and_other_text_as_text() {
        let pairs = [
            "a=5",
            "b=text",
            "c=\"5\"",
            "d={\"x\": [true]}",
            "e=",
            "f=x=y",
            "g=007",
        ];
        let expected = json!({
            "a": 5, "b": "text", "c": "5", "d": { "x": [true] }, "e": "", "f": "x=y", "g": "007",
        });
        let Value::Object(expected) = expected else {
            unreachable!("an object")
        };
        assert!(read(&pairs).expect("inputs") == Inputs::from(expected));
    }

    #[test]
    fn an_input_that_would_be_lost_or_changed_is_refused_without_its_value() {
        for pairs in [
            &["canary"][..],
            &["=canary"],
            &["a=1", "a=canary"],
            &["a=[9007199254740993]"],
        ] {
            let refusal = read(pairs).expect_err("a refusal");
            assert!(
                !refusal.contains("canary") && !refusal.contains("900719"),
                "{refusal}"
            );
        }
    }
}
