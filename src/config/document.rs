//! The reference of the configuration, as a document.

use crate::config::AT_START;
use crate::config::auth::{KEY_FILE_VARIABLE, METADATA_VARIABLE, TOKEN_VARIABLE};
use crate::config::layers::{FLAGS, environment_name};
use crate::config::otel::VARIABLES;
use crate::config::root::Root;
use crate::config::setting::{Row, Setting};

/// `docs/configuration.md`: every key with its type, default, range and meaning, made from their declaration.
pub fn document() -> String {
    let mut rows = Vec::new();
    Root::describe(None, Row::default(), &mut rows);
    let mut out = INTRODUCTION.to_owned();
    for row in rows.iter().filter(|row| !row.key.is_empty()) {
        if row.key.contains('.') {
            out.push_str(&line(row));
        } else {
            heading(row, &mut out);
        }
    }
    reload(&mut out);
    flags(&mut out);
    out.push_str(ENVIRONMENT_HEADING);
    for (name, meaning) in [
        (
            KEY_FILE_VARIABLE,
            "Path of a service account's key file; also wins over `cloud.auth.service_account_key_file`.",
        ),
        (
            TOKEN_VARIABLE,
            "An IAM token, never renewed: for trying things out.",
        ),
        (
            METADATA_VARIABLE,
            "Address of the metadata service; also wins over `cloud.auth.metadata.address`.",
        ),
    ] {
        out.extend(["| `", name, "` | ", meaning, " |\n"]);
    }
    out.push_str(OTEL_HEADING);
    for variable in VARIABLES {
        let traces = variable
            .traces
            .map_or_else(String::new, |name| format!("`{name}`"));
        out.extend([
            "| `",
            variable.general,
            "` | ",
            &traces,
            " | ",
            variable.meaning,
            " |\n",
        ]);
    }
    out
}

/// What a reload does, and what it leaves for the next start.
fn reload(out: &mut String) {
    out.push_str(RELOAD);
    for (index, key) in AT_START.iter().enumerate() {
        out.extend([if index == 0 { "" } else { ", " }, "`", key, "`"]);
    }
    out.push_str(".\n\n");
}

const RELOAD: &str = "\
## Reload

SIGHUP, and `POST /-/reload` where `web.enable_lifecycle` lets it, have a running exporter read file, environment and \
flags anew, with every key and certificate that they name. It is checked whole first, as `check-config` does it: \
whatever is wrong is one line in the log, and nothing changes. \
`datasphere_exporter_config_last_reload_successful` tells which it was. \
The answer, and the line in the log, come when every part has the new configuration, or after eleven seconds with a warning \
that one has not.

No operation, counter or scrape is lost. What has its name keeps it, labels are those of the file and those that callers gave, and what was hidden by \
`metrics.series_max` stays hidden; other rules and bounds hold for what comes. Traces that are turned off are named nowhere, and are the same when they are on again. \
Where `cloud` is as before, the IAM token and the connections stay. A live job of a project that is named no \
more is followed to its end by looks; the counters of that project stay, and what it told of its present, such as its \
balance, is gone.

At the next start only take effect, for the gateway also `cloud.tls`, and a line in the log names those that differ from \
what the exporter began with: \
";

const INTRODUCTION: &str = "\
<!-- Made from src/config by `UPDATE_DOCS=1 cargo test --test suite configuration`; do not edit. -->
# Configuration

`datasphere-exporter serve --config.file=FILE` reads one YAML document. Every key has a default, except that calls \
need one way to authenticate. A flag wins over its variable of the environment, which wins over the file, which wins \
over the default. `check-config` checks a file; `print-config` prints what is in effect, with secrets as `***`, so \
that it can be read again.

- A key that does not exist, a key given twice, a value of the wrong type or out of range is an error that names file, \
line, key and what is allowed; the exit code is 64.
- Durations are whole numbers with units, the longest unit first: `ms`, `s`, `m`, `h`, `d`, `w`; for instance `10s`, \
`2m`, `1h30m`, `7d`.
- A path, or a pattern of paths, that is not absolute begins at the folder of the file; from a variable of the environment, at the working \
directory.
- A key without a value is the same as no key. `${VAR}` is not expanded: secrets come from files or the environment.

The smallest file for a real cloud:

```yaml
cloud:
  auth:
    service_account_key_file: key.json
watch:
  projects: [bt1exampleproject]
```
";

const ENVIRONMENT_HEADING: &str = "
## Credentials from the environment

Where the file has no `cloud.auth`, one of these tells the way to authenticate. Where it has one, variables for other \
ways are left alone, and one that takes the place of a key is a warning at the start and a note of `check-config`.

| variable | meaning |
|---|---|
";

const UNKNOWN: &str = "
Any other variable that begins with `DATASPHERE_EXPORTER_` is a warning at the start, with the one that was meant, most \
likely.
";

const OTEL_HEADING: &str = "
## Variables of OpenTelemetry

They are read while operations are traced, and win over the section `traces`; the one for traces wins over the general \
one, also for headers, which are not merged. `traces.enabled: false` turns everything off, whatever they say. One that \
cannot be read is an error that names it, without its value; the exit code is 64. `print-config` names those that are \
set. A name that begins with `OTEL_EXPORTER_OTLP_` and is one or two letters away from one of these is a warning at the \
start.

| variable | for traces alone | meaning |
|---|---|---|
";

const TABLE: &str = "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";

pub(crate) fn heading(row: &Row, out: &mut String) {
    out.extend([
        "\n## `",
        row.key.as_str(),
        "`\n\n",
        row.meaning.as_str(),
        "\n\n",
        TABLE,
    ]);
}

/// Longer defaults would make the table unreadable.
const DEFAULT_BYTES_MAX: usize = 80;

pub(crate) fn line(row: &Row) -> String {
    let code = |text: &str| match text {
        "" => String::new(),
        text if text.len() > DEFAULT_BYTES_MAX => "see `print-config`".to_owned(),
        text => format!("`{text}`"),
    };
    let kind = match row.kind.as_str() {
        "" => "section",
        kind => kind.split(" such as ").next().unwrap_or(kind),
    };
    let cells = [
        code(&row.key),
        kind.trim_start_matches("a ").trim_start_matches("an ").to_owned(),
        code(&row.default),
        row.allowed.clone(),
        row.meaning.clone(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let mut line = String::new();
    for cell in cells {
        line.push_str("| ");
        line.push_str(&cell);
        if !cell.is_empty() {
            line.push(' ');
        }
    }
    line + "|\n"
}

fn flags(out: &mut String) {
    out.push_str("\n## Flags\n\n| flag of `serve` | variable of the environment | key |\n|---|---|---|\n");
    for flag in FLAGS {
        let variable = environment_name(flag.name);
        let (section, name) = flag.key;
        out.extend([
            "| `", flag.name, "` | `", &variable, "` | `", section, ".", name, "` |\n",
        ]);
    }
    out.push_str(UNKNOWN);
    for flag in FLAGS.iter().filter(|flag| flag.is_list) {
        out.extend([
            "\n`",
            flag.name,
            "` may be given more than once; its variable separates values by commas.\n",
        ]);
    }
}
