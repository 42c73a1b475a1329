//! The logs of a job as a pure function of its life: the same pieces at the same offsets, whoever reads.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::datasphere::v2::jobs::{
    JobStatus, LogMessage, StandardStream, log_message::Source,
};
use crate::simulator::world::{Execution, Job, Present};
use std::time::Duration;

/// The files that the service itself writes for each job.
pub(crate) const LOG_FILES: [&str; 3] = [".system.log", ".docker_stats.tsv", ".gpu_stats.tsv"];
/// The time between the first lines of output, on the clock; it doubles every so many lines, so that the output of a
/// job that runs for days stays short, and no line moves when the end of the job does.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
const LINES_PER_INTERVAL: u32 = 60;

/// A piece of a log and when it was written, counted from the beginning of the execution.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) at: Duration,
    source: Source,
    text: String,
}

/// Every piece up to `elapsed`, in order; a piece's place is its offset.
pub(crate) fn pieces(job: &Job, execution: &Execution, elapsed: Duration) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let entries = execution.timeline.entries();
    for (index, (entered, status)) in entries.iter().enumerate() {
        let name = JobStatus::try_from(*status).map_or("UNKNOWN", |status| status.as_str_name());
        pieces.push(Piece::system(*entered, format!("job {} is {name}", job.id)));
        if *status == i32::from(JobStatus::Executing) {
            let until = entries
                .get(index + 1)
                .map_or(elapsed, |(next, _)| *next)
                .min(elapsed);
            pieces.extend(lines(job, *entered, until));
        }
    }
    pieces.retain(|piece| piece.at <= elapsed);
    pieces
}

impl Piece {
    /// The message of the API.
    pub(crate) fn message(&self, began_at: Timestamp, present: Present) -> LogMessage {
        LogMessage {
            content: format!("{}\n", self.text).into_bytes(),
            created_at: Some(present.stamp(began_at.plus(self.at))),
            source: Some(self.source.clone()),
        }
    }

    /// Which standard stream it came from; `None` for a file.
    pub(crate) fn stream(&self) -> Option<StandardStream> {
        match self.source {
            Source::StandardStream(stream) => StandardStream::try_from(stream).ok(),
            Source::FilePath(_) => None,
        }
    }

    /// Its bytes.
    pub(crate) fn content(&self) -> Vec<u8> {
        format!("{}\n", self.text).into_bytes()
    }

    fn system(at: Duration, text: String) -> Self {
        Self {
            at,
            source: Source::FilePath(".system.log".to_owned()),
            text,
        }
    }

    fn line(at: Duration, stream: StandardStream, text: String) -> Self {
        Self {
            at,
            source: Source::StandardStream(stream.into()),
            text,
        }
    }
}

/// What the command prints between two moments.
fn lines(job: &Job, from: Duration, until: Duration) -> Vec<Piece> {
    let mut lines = vec![
        Piece::line(
            from,
            StandardStream::Out,
            format!("{} started on {}", job.name, job.body.instance_type),
        ),
        Piece::line(
            from,
            StandardStream::Err,
            "warning: this is a simulation".to_owned(),
        ),
    ];
    let mut interval = LINE_INTERVAL;
    let mut at = from + interval;
    let mut step = 1;
    while at < until {
        lines.push(Piece::line(
            at,
            StandardStream::Out,
            format!("step {step}: loss {:.4}", 1.0 / f64::from(step)),
        ));
        if step % 30 == 0 {
            let text = "CPU %\tMEM USAGE\n42.0\t3.1GiB".to_owned();
            lines.push(Piece {
                at,
                source: Source::FilePath(".docker_stats.tsv".to_owned()),
                text,
            });
        }
        if step % LINES_PER_INTERVAL == 0 {
            interval *= 2;
        }
        at += interval;
        step += 1;
    }
    lines
}
