//! How operations ended, and what to do about those that ended badly.

use crate::fleet::FAILED;
use crate::fragments::{last_outcome, with_project};
use crate::panel::{
    Panel, blank, colour, coloured, from_the_left, heatmap, mapped, pixels, stacked_bars, table, unit,
};
use crate::query::{STEP, all, by};
use crate::words::{self, BAD};
use datasphere_exporter::catalogue::fleet;
use datasphere_exporter::model::OutcomeKind;

pub(super) fn ends() -> Panel {
    let ends = by(
        "sum",
        &["outcome"],
        &all(fleet::OPERATIONS_FINISHED).increase(STEP),
    );
    let panel = stacked_bars(
        "Ends by outcome",
        "short",
        "How many operations ended around each time, by outcome; the exact count of failures stands beside. Failure is the user's program, error \
         the operation, lost what the cloud forgot. Much red at once: see the failures by code.",
    )
    .query(&ends, "{{outcome}}")
    .none("nothing ended")
    .sized(12, 9);
    OutcomeKind::ALL.into_iter().fold(panel, |panel, outcome| {
        panel.series(outcome.label(), &[colour(words::outcome_colour(outcome))])
    })
}

/// How many operations failed in the time shown, by project and code: the one count of failures on the page.
pub(super) fn failed() -> String {
    let ends = all(fleet::OPERATION_RESULTS).among("outcome", &FAILED);
    let failures = by(
        "sum",
        &["project_id", "kind", "outcome", "code"],
        &ends.increase_since_birth(),
    );
    format!("(round({failures}) > 0)")
}

pub(super) fn failures() -> Panel {
    table(
        "Failures by code",
        "What failed in the time shown: the return code of a program, or the code of an operation's error, \
         with what it says. 137 asks for a machine with more memory or smaller batches; INTERNAL and \
         UNAVAILABLE are worth another try.",
    )
    .rows(&with_project(&format!("topk(20, {})", failed())))
    .order(&["code", "Value", "outcome", "kind", "project_name"])
    .column(
        "code",
        "Code",
        &[
            mapped(words::codes()),
            coloured("color-text"),
            colour(BAD),
            pixels(390),
        ],
    )
    .column("Value", "Count", &[unit("short"), pixels(80)])
    .column("outcome", "Outcome", &[])
    .column("kind", "Kind", &[])
    .column("project_name", "Project", &[])
    .sorted_by("Count")
    .none("nothing failed")
    .sized(12, 9)
}

pub(super) fn spread() -> Panel {
    heatmap(
        "Duration of successful jobs",
        "How the durations spread over time, with exemplars that lead to traces. Two bands are two kinds \
         of work; a band that climbs is work that grows or a machine that is slower.",
    )
    .buckets(&all(fleet::JOB_DURATION).buckets())
    .none("no job succeeded")
    .sized(8, 9)
}

pub(super) fn newest() -> Panel {
    let ended = format!("1000 * {}", all(fleet::JOB_LAST_COMPLETION).once());
    let success = format!("1000 * {}", all(fleet::JOB_LAST_SUCCESS).once());
    table(
        "Newest result of each job name",
        "What the newest execution of each name told, and when the name last succeeded: for scheduled work \
         that is the number to watch. An old success under a fresh end is work that fails again and again.",
    )
    .rows(&with_project(&last_outcome()))
    .rows(&ended)
    .rows(&success)
    .rows(&all(fleet::JOB_LAST_DURATION).once())
    .rows(&all(fleet::JOB_LAST_RETURN_CODE).once())
    .order(&[
        "job_name",
        "Value #A",
        "Value #B",
        "Value #C",
        "Value #D",
        "Value #E",
        "project_name",
    ])
    .column("job_name", "Job name", &[pixels(170)])
    .column(
        "Value #A",
        "Outcome",
        &[mapped(words::outcomes()), coloured("color-text"), pixels(100)],
    )
    .column("Value #B", "Ended", &[unit("dateTimeFromNow"), pixels(140)])
    .column(
        "Value #C",
        "Last success",
        &[unit("dateTimeFromNow"), blank("never seen"), pixels(140)],
    )
    .column("Value #D", "Took", &[unit("dtdurations"), pixels(100)])
    .column(
        "Value #E",
        "Return code",
        &[unit("none"), mapped(words::codes()), from_the_left(), pixels(240)],
    )
    .column("project_name", "Project", &[])
    .sorted_by("Ended")
    .none("nothing ended yet")
    .sized(16, 9)
}
