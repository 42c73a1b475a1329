//! `healthcheck`: whether a running exporter is well, for whoever has no other program to ask it with.

use crate::cli::arguments::{Healthcheck, Output};
use crate::cli::exporter::{Exporter, Trust};
use crate::cli::{Exit, Usage, say, serve, tracking};
use serde_json::json;

/// Asks once; an exporter that is not well is an error, and says why.
pub(crate) fn healthcheck(arguments: &Healthcheck) -> anyhow::Result<Exit> {
    let base = tracking::base(&arguments.running)?;
    if arguments.insecure && !base.is_loopback() {
        return Err(Usage(format!(
            "--insecure is for loopback addresses only, and {base} is none"
        ))
        .into());
    }
    let trust = Trust {
        is_blind: arguments.insecure,
        ..tracking::trust(&arguments.running)
    };
    let exporter = Exporter::trusting(base, &trust)?;
    let (path, word) = if arguments.ready {
        ("/-/ready", "ready")
    } else {
        ("/-/healthy", "healthy")
    };
    let asked = serve::runtime()?.block_on(exporter.health(path));
    match arguments.running.output {
        Output::Json => say(&match &asked {
            Ok(()) => json!({ word: true }),
            Err(error) => json!({ word: false, "reason": error.to_string() }),
        }
        .to_string()),
        Output::Text if asked.is_ok() => say(&format!("the exporter is {word}")),
        Output::Text => {}
    }
    asked?;
    Ok(Exit::Well)
}
