//! One job: where it stands, when it will end, and how it compares with earlier ones of its name.

use crate::dashboard::{Dashboard, job_id_variable, job_name_variable, project_variable, row};
use crate::fragments::{JOB, job_status};
use crate::job::course::{patience, progress_over_time, states, times};
use crate::job::kin::{earlier, outcomes, preparation};
use crate::panel::{
    Panel, blank, colour, coloured, gauge, hidden, link_to_datasphere, mapped, pixels, stat, table,
};
use crate::query::{Series, all, by};
use crate::words::{self, BAD, GOOD, QUIET};
use datasphere_exporter::catalogue::{Metric, fleet, run};
use datasphere_exporter::model::OutcomeKind;
use serde_json::json;

mod course;
mod kin;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "datasphere-job",
        title: "DataSphere / Job",
        description: "One job: where it stands, when it ends, and how it compares with earlier ones.",
        from: "now-6h",
        refresh: "1m",
        variables: vec![project_variable(), job_name_variable(), job_id_variable()],
        rows: vec![
            row(
                "This job",
                vec![
                    status(),
                    progress(),
                    elapsed(),
                    rest(),
                    outcome(),
                    return_code(),
                    expiry(),
                    looked_at(),
                    facts(),
                ],
            ),
            row(
                "Course",
                vec![states(), times(), progress_over_time(), patience()],
            ),
            row(
                "Among others of its name",
                vec![earlier(), outcomes(), preparation()],
            ),
            row(
                "Output and operations",
                vec![output_errors(), size(), operations()],
            ),
        ],
    }
}

/// Series of the chosen job.
fn this(metric: Metric) -> Series {
    all(metric).with("job_id", "$job_id")
}

fn status() -> Panel {
    stat(
        "Status",
        "none",
        "The API's own word for where the job stands. It says nothing about the program: a job whose \
         program failed may be a SUCCESS, so look at the outcome.",
    )
    .query(&job_status(Some("$job_id")), "status")
    .mappings(words::job_statuses())
    .background()
    .none("choose a job")
    .steps(&[(QUIET, None)])
}

fn progress() -> Panel {
    gauge(
        "Progress",
        "How far the program says it is. Nothing here: the program does not report progress, so only its \
         duration can be compared.",
    )
    .query(&this(run::JOB_PROGRESS).by(&JOB), "progress")
    .none("not told")
}

fn elapsed() -> Panel {
    let (started, finished) = (this(run::JOB_STARTED).by(&JOB), this(run::JOB_FINISHED).by(&JOB));
    stat(
        "Elapsed",
        "dtdurations",
        "From start to now, or to the end. Much longer than earlier jobs of its name: compare below before \
         you cancel it.",
    )
    .query(
        &format!("({finished} or (time() + 0 * {started})) - {started}"),
        "elapsed",
    )
    .none("not started")
}

fn rest() -> Panel {
    let progress = this(run::JOB_PROGRESS);
    let speed = by("max", &JOB, &format!("deriv({}[15m])", progress.raw()));
    stat(
        "Time left (15m)",
        "dtdurations",
        "What is left of the work at the speed of the last 15m. The table of the fleet uses the speed \
         since the start; where the two differ, the job has become faster or slower.",
    )
    .instant(
        &format!("((1 - {}) > 0) / ({speed} > 0)", progress.by(&JOB)),
        "left",
    )
    .none("unknown")
}

fn outcome() -> Panel {
    let of = |outcome: OutcomeKind| {
        let series = this(run::JOB_OUTCOME).with("outcome", outcome.label());
        format!("({} == 1) * {}", series.raw(), words::outcome_number(outcome))
    };
    let outcome = by("max", &JOB, &OutcomeKind::ALL.map(of).join(" or "));
    stat(
        "Outcome",
        "none",
        "How the job ended: failure is the program's, error the operation's, lost is what the cloud \
         forgot. On a failure read the program's log, on an error the table of operations below.",
    )
    .query(&outcome, "outcome")
    .mappings(words::outcomes())
    .background()
    .steps(&[(QUIET, None)])
    .none("not ended")
}

fn return_code() -> Panel {
    stat(
        "Return code",
        "none",
        "What the program returned, with its meaning. 137 asks for a machine with more memory or smaller \
         batches, 126 and 127 for a look at the command line.",
    )
    .query(&this(run::JOB_RETURN_CODE).by(&JOB), "code")
    .mappings(words::codes())
    .none("not known")
    .steps(&[(BAD, None), (GOOD, Some(0.0)), (BAD, Some(1.0))])
}

fn expiry() -> Panel {
    stat(
        "Data is deleted",
        "dateTimeFromNow",
        "When the stored data of the job is deleted. Download what you need before, or set a longer time \
         to live.",
    )
    .query(
        &format!("1000 * {}", this(run::JOB_DATA_EXPIRES).by(&JOB)),
        "deleted",
    )
    .none("not planned")
}

fn looked_at() -> Panel {
    stat(
        "Last look",
        "dateTimeFromNow",
        "When the exporter last read something of the job. Long ago while it runs: everything here is old; \
         open the page of the exporter.",
    )
    .query(&format!("1000 * {}", this(run::JOB_LAST_POLL).by(&JOB)), "look")
    .none("never")
}

fn facts() -> Panel {
    let info = this(run::JOB_INFO);
    let labels = run::JOB_INFO.labels;
    let last = by(
        "max",
        labels,
        &format!("last_over_time({}[$__range])", info.raw()),
    );
    let facts = format!("({} or on (project_id, job_id) {last})", info.once());
    let names = all(fleet::PROJECT_INFO).once();
    let with_project = format!("{facts} * on (project_id) group_left (project_name, community_id) {names}");
    table(
        "Facts",
        "What the job is, who started it and where; the project leads to the job in DataSphere. With its \
         trace id you find it in your store of traces, and an exemplar of the graphs below leads to such a \
         trace; the parent is the job that it repeats.",
    )
    .rows(&format!("{with_project} or on (project_id, job_id) {facts}"))
    .order(&[
        "job_name",
        "project_name",
        "instance_type",
        "created_by",
        "operation_id",
        "parent_job_id",
        "trace_id",
        "project_id",
        "job_id",
        "community_id",
    ])
    .column("job_name", "Job", &[])
    .column("project_name", "Project", &[link_to_datasphere()])
    .column("instance_type", "Machine", &[pixels(90)])
    .column("created_by", "By", &[pixels(180)])
    .column("operation_id", "Operation", &[])
    .column("parent_job_id", "Parent", &[])
    .column("trace_id", "Trace", &[pixels(300)])
    .column("project_id", "Project id", &[hidden()])
    .column("job_id", "Id", &[link_to_datasphere(), pixels(190)])
    .column("community_id", "Community", &[])
    .none("choose a job")
    .sized(24, 4)
}

fn output_errors() -> Panel {
    stat(
        "Output files that failed",
        "short",
        "Files that could not be stored. NOT_FOUND: the program did not write them, look at its paths; \
         UPLOAD_FAILED: run it again, or ask support.",
    )
    .query(&this(run::JOB_OUTPUT_ERRORS).by(&["type"]), "{{type}}")
    .set("/options/text", json!({ "titleSize": 14, "valueSize": 24 }))
    .none("none told")
    .steps(&[(QUIET, None), (GOOD, Some(0.0)), (BAD, Some(1.0))])
    .sized(5, 6)
}

fn size() -> Panel {
    stat(
        "Stored data",
        "bytes",
        "What the job keeps in storage, which costs until it is deleted. Large and no longer needed: \
         delete the job's data.",
    )
    .query(&this(run::JOB_DATA_SIZE).by(&JOB), "stored")
    .none("not known")
    .sized(3, 6)
}

fn operations() -> Panel {
    let info = all(run::OPERATION_INFO).with("job_id", "$job_id");
    let info = info.by(&["project_id", "operation_id", "created_by"]);
    let error = all(run::OPERATION_ERROR).once();
    let has_ended = all(run::OPERATION_DONE).once();
    table(
        "Operations of this job",
        "Executions that are known for this job, with the code of an error where one is set. An error \
         before the end says what will end it.",
    )
    .rows(&info)
    .rows(&format!("{error} and on (project_id, operation_id) {info}"))
    .rows(&format!("{has_ended} and on (project_id, operation_id) {info}"))
    .order(&["operation_id", "Value #C", "code", "created_by"])
    .column("operation_id", "Operation", &[])
    .column("Value #C", "Ended", &[mapped(words::ended()), pixels(80)])
    .column(
        "code",
        "Error",
        &[
            mapped(words::codes()),
            coloured("color-text"),
            colour(BAD),
            blank("none"),
            pixels(420),
        ],
    )
    .column("created_by", "By", &[])
    .none("no operation is known")
    .sized(16, 6)
}
