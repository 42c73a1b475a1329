//! The memory of a tracked operation: everything that the tracker and the view hold, and how much of it is strings; and
//! that of operations which have left.
//!
//! `cargo bench --bench memory [-- OPERATIONS]` prints the tables. Of the operations, one in twenty is live; each is a
//! job that was found by listing and whose operation was looked at.

use datasphere_exporter::clock::Timestamp;
use datasphere_exporter::model::{
    About, Decoded, Gaps, Input, JobId, JobSnapshot, JobStatus, Kind, Labels, Look, LookAnswer, OperationId,
    OperationSnapshot, Progress, ProjectId, Sighting, Source, Target, Text,
};
use datasphere_exporter::tracker::{Settings, Tracker};
use peak_alloc::PeakAlloc;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const NOW: i64 = 1_767_225_600;

/// One in so many operations is live.
const LIVE_EVERY: u64 = 20;

/// Projects that operations are spread over.
const PROJECTS: u64 = 50;

/// How many operations leave, how many of them at once, and how often it is told.
const LEFT_MAX: u64 = 700_000;
const LEFT_AT_ONCE: u64 = 1_000;
const LEFT_SHOWN_EVERY: u64 = 50_000;

fn main() -> ExitCode {
    let wish = std::env::args().find_map(|wish| wish.parse().ok());
    let count: u64 = wish.unwrap_or(100_000);
    let before = MEMORY.current_usage();
    let Some(tracker) = fleet(count) else {
        return ExitCode::FAILURE;
    };
    let view = tracker.view();
    let held = MEMORY.current_usage() - before;
    let strings: usize = view.operations.iter().map(|row| strings_of(row)).sum();
    let each = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX) / count;
    out(&format!(
        "{count} operations, one in {LIVE_EVERY} live\n\
         held by tracker and view   {:>6} B an operation\n\
         of it their strings        {:>6} B\n\
         beside their strings       {:>6} B",
        each(held),
        each(strings),
        each(held - strings),
    ));
    drop((view, tracker));
    match remembered() {
        Some(table) => {
            out(&table);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

/// What ids of operations that left take, up to their bound and long after it: it must stand still.
fn remembered() -> Option<String> {
    let mut tracker = Tracker::new(Settings {
        retention: Duration::from_secs(1),
        ..Settings::default()
    });
    let before = MEMORY.current_usage();
    let mut now = Timestamp::from_seconds(NOW, 0)?;
    let mut table = "operations that have left, and MB held by what is remembered of them\n".to_owned();
    for number in 1..=LEFT_MAX {
        // All in one project: it remembers few expiries.
        follow(&mut tracker, number * PROJECTS, now, JobStatus::Success)?;
        if number.is_multiple_of(LEFT_AT_ONCE) {
            now = now.plus(Duration::from_mins(1));
            tracker.expire(now);
            tracker.take_records();
        }
        if number.is_multiple_of(LEFT_SHOWN_EVERY) {
            let held = MEMORY.current_usage() - before;
            writeln!(table, "{number:>10} {:>6}", held / 1_000_000).ok()?;
        }
    }
    Some(table)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its table")]
fn out(table: &str) {
    println!("{table}");
}

/// What the strings of a row take: 24 bytes each, in which short ones lie, and for longer ones a shared piece of memory
/// with its two counters. The id of a job whose data expires is held once more, in the list of expiries.
fn strings_of(row: &datasphere_exporter::model::TrackedOperation) -> usize {
    let About {
        name,
        job_name,
        instance_type,
        created_by,
        notebook_id,
        description,
        status_details,
        ..
    } = row.about.as_ref();
    let texts = [name, instance_type, created_by, description];
    let boxed = [notebook_id, status_details];
    let ids = [
        row.operation_id.as_ref().map(OperationId::as_str),
        row.job_id.as_ref().map(JobId::as_str),
        row.project_id.as_ref().map(ProjectId::as_str),
        job_name.as_deref(),
    ];
    let said = row
        .reported
        .progress
        .as_ref()
        .and_then(|progress| progress.message.as_ref());
    let texts = texts.into_iter().flatten().chain(said).map(Text::as_str);
    let boxed = boxed.into_iter().flatten().map(|text| text.as_str());
    let strings = texts.chain(boxed).chain(ids.into_iter().flatten());
    let heap = |text: &str| {
        if text.len() > 23 {
            16 + text.len().next_multiple_of(8)
        } else {
            0
        }
    };
    let in_row: usize = strings.map(|text| 24 + heap(text)).sum();
    let among_expiries = row.reported.data_expires_at.map_or(0, |_| 24);
    in_row + among_expiries
}

fn fleet(count: u64) -> Option<Tracker> {
    let mut tracker = Tracker::new(Settings {
        retention: Duration::from_hours(24),
        ..Settings::default()
    });
    let started = Timestamp::from_seconds(NOW, 0)?;
    for number in 0..count {
        let now = started.plus(Duration::from_millis(number));
        let last = if number.is_multiple_of(LIVE_EVERY) {
            JobStatus::Executing
        } else {
            JobStatus::Success
        };
        follow(&mut tracker, number, now, last)?;
        // As the engine does: what changed is handed on, and not held.
        tracker.take_records();
    }
    Some(tracker)
}

/// An operation that is named by its id and looked at in each status up to the last.
fn follow(tracker: &mut Tracker, number: u64, now: Timestamp, last: JobStatus) -> Option<()> {
    let target = Target::Operation(format!("bt1operation{number:08}").parse().ok()?);
    tracker.apply(
        Input::Sighted(Sighting {
            target: target.clone(),
            source: Source::Config,
            labels: Labels::default(),
            trace_context: None,
        }),
        now,
    );
    let statuses = [JobStatus::Preparing, JobStatus::Executing, JobStatus::Success];
    for (step, status) in statuses.into_iter().enumerate() {
        let now = now.plus(Duration::from_secs(60 * u64::try_from(step).ok()?));
        let value = operation(number, status, now)?;
        let look = Look {
            target: target.clone(),
            asked_at: now,
            answer: Ok(LookAnswer::Operation(Box::new(Decoded {
                value,
                gaps: Gaps::default(),
            }))),
        };
        tracker.take_due(now, usize::MAX);
        tracker.apply(Input::Looked(look), now);
        if status == last {
            break;
        }
    }
    Some(())
}

/// Ids come in no order, as the cloud's do: maps that are kept in order are fuller then.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 100_000_000_000_000
}

fn operation(number: u64, status: JobStatus, now: Timestamp) -> Option<OperationSnapshot> {
    let done = status.is_terminal();
    let project_id = format!("bt1project{:010}", number % PROJECTS).parse().ok()?;
    let at = Some(now);
    let job = JobSnapshot {
        id: format!("bt1job{:014}", scattered(number)).parse().ok()?,
        project_id: Some(project_id),
        name: Text::non_empty(&format!("train-resnet-{}-2026-01-01-{number:06}", number % 40)),
        parent_job_id: None,
        created_by: Text::non_empty("aje00000000000000001"),
        status,
        status_details: None,
        created_at: at,
        started_at: at.filter(|_| status != JobStatus::Preparing),
        finished_at: at.filter(|_| done),
        data_expires_at: at.filter(|_| done).map(|at| at.plus(Duration::from_hours(336))),
        data_cleared: false,
        instance_type: Text::non_empty("g2.8"),
        data_size_bytes: Some(1 << 30),
    };
    Some(OperationSnapshot {
        id: format!("bt1operation{number:08}").parse().ok()?,
        kind: Kind::Job,
        described: true,
        description: Text::non_empty("Execute job"),
        created_at: at,
        modified_at: at,
        created_by: Text::non_empty("aje00000000000000001"),
        done,
        error: None,
        project_id: job.project_id.clone(),
        job: Some(job),
        progress: Some(Progress {
            message: Text::non_empty("epoch 12 of 40"),
            percent: 30,
            created_at: at,
        }),
        return_code: done.then_some(0),
        output_errors: None,
        notebook: None,
        execution_status: None,
        metadata_type: None,
    })
}
