//! The reference of the commands, made from what they declare.

use crate::cli::arguments::Arguments;
use clap::{Command, CommandFactory};
use std::fmt::Write;

const HEAD: &str = "\
<!-- Made from src/cli by `UPDATE_DOCS=1 cargo test --test suite documents`; do not edit. -->
# Commands

`datasphere-exporter --help` lists them, and `datasphere-exporter COMMAND --help` tells of each what stands below.

- `operation`, `job` and `notebook` call the cloud themselves, with the `cloud` section of the configuration; no exporter \
needs to run. `track`, `untrack`, `list` and `healthcheck` talk to an exporter that runs, at `--url`.
- What was asked for goes to standard output; the log, messages and the bar go to standard error.

## Exit codes
| code | means |
|---|---|
| 0 | ended well; with `operation watch` and `--wait`, the operation succeeded |
| 1 | failed; the last line on standard error says why and what to do |
| 2 | `serve` did not end within the grace of its shutdown |
| 3, 4, 5, 6 | `operation watch` and `--wait`: outcome `failure`, `error`, `cancelled`, `lost` |
| 64 | what was typed, or the configuration, cannot be meant |
| 130 | Ctrl-C ended the watching; the operation goes on |

`failure` is what the run itself reports (a return code other than 0, a notebook that raised), `error` is what the cloud \
reports (no quota, an environment that cannot be built).

## JSON
With `--output json` each line is one JSON document. Fields may be added, and keep their names and meanings. Times are \
RFC 3339 in UTC, durations are seconds, 64-bit numbers are strings, and what is not known is absent.

| command | lines |
|---|---|
| `operation get`, `operation cancel` | the operation |
| `operation watch`, `--wait` | the operation at the beginning and at each change of status or progress; the last has its `outcome` |
| `job execute`, `notebook execute` | the operation as it was started, before anything else; at least its `operation_id` |
| `list` | each operation, in the order in which they came under watch |
| `track` | for each id `id`, `result` (`tracked`, `known`, `pending` or `refused`) and, for the first two, `operation`; `detail` says why it was refused |
| `untrack` | for each id `id` and `result` (`untracked`, `pending` or `refused`); `detail` says why it was refused |
| `healthcheck` | `healthy`, or `ready` with `--ready`: true, or false with a `reason` |
| `check-config`, `serve --config.check` | `{\"valid\":true,\"notes\":[]}`; what is not valid is a message and exit code 64 |
| `print-config` | the configuration in effect, which can be read again |
| `demo` | `jobs`, `speed` and the addresses of `simulator`, `metrics`, `operations`, `overview` and `gateway`, once they are there |
| `simulate` | the addresses of `grpc` and `http`, once they are there |

An operation is the same object that `GET /api/v1/operations/{id}` answers:

```json
{
  \"operation_id\": \"bt1…\", \"job_id\": \"bt1…\", \"project_id\": \"bt1…\", \"kind\": \"job\", \"name\": \"train\",
  \"state\": \"running\", \"status\": \"EXECUTING\", \"progress\": { \"percent\": 42 }, \"started_at\": \"2025-06-01T11:00:12.000Z\"
}
```

`state` is `running`, `failing` (it has its error, and still tidies up) or `done`; `outcome` is `success`, `failure`, `error`, `cancelled` or `lost`, and \
`return_code` and `error` (`code`, `message`, `reason`) tell more.
";

/// Columns of the help as it stands in the document.
const WIDTH: usize = 110;

/// The document.
pub fn document() -> String {
    let mut root = Arguments::command().term_width(WIDTH);
    root.build();
    let mut document = HEAD.to_owned();
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        describe(command, command.get_name(), &mut document);
    }
    document
}

/// The help of a command, or of those below it.
fn describe(command: &Command, name: &str, document: &mut String) {
    if command.has_subcommands() {
        for below in command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
        {
            describe(below, &format!("{name} {}", below.get_name()), document);
        }
        return;
    }
    let help = command.clone().term_width(WIDTH).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        document,
        "\n## `{name}`\n```\n{}\n```\n",
        lines.join("\n").trim_end()
    );
}
