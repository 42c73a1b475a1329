//! Streams of logs: what is there at once, then what comes, until the job ends.

use crate::clock::Timestamp;
use crate::proto::yandex::cloud::datasphere::v2::jobs::{self as pb, StandardStream, std_log};
use crate::simulator::{
    api::Api,
    cloud::Cloud,
    logs::{self, Piece},
    world::Present,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::codegen::BoxStream;

/// How often a reader looks for new pieces, on the clock.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Answers that wait for a slow reader.
const BACKLOG: usize = 4;
/// Pieces in one answer: enough to be quick, few enough to stay far below the size limit of messages.
const PIECES_PER_ANSWER: usize = 100;

/// An answer of a log stream.
pub(crate) trait Answer: Send + 'static {
    /// The pieces that this kind of stream shows, and the offset after them.
    fn of(pieces: &[Piece], began_at: Timestamp, present: Present, offset: i64) -> Self;
}

/// Streams the logs of a job from an offset on; -1 is from now on.
///
/// # Errors
/// `NOT_FOUND` for an unknown job, `INVALID_ARGUMENT` for another negative offset.
pub(crate) fn stream<A: Answer>(
    api: &Api,
    job_id: String,
    offset: i64,
    skew_nanos: i64,
) -> Result<BoxStream<A>, Status> {
    api.cloud.world().job(&job_id)?;
    let from = match offset {
        -1 => None,
        _ => Some(
            usize::try_from(offset).map_err(|_| Status::invalid_argument("offset must be -1 or above"))?,
        ),
    };
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let reader = Reader {
        cloud: Arc::clone(&api.cloud),
        job_id,
        skew_nanos,
    };
    let shutdown = api.shutdown.clone();
    api.readers.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sender.closed() => {}
            () = reader.run(from, &sender) => {}
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

struct Reader {
    cloud: Arc<Cloud>,
    job_id: String,
    skew_nanos: i64,
}

impl Reader {
    async fn run<A: Answer>(&self, from: Option<usize>, sender: &Sender<Result<A, Status>>) {
        let mut next = from;
        loop {
            let (answers, after, ended) = match self.look(next) {
                Ok(seen) => seen,
                Err(status) => {
                    // Whoever reads no longer does not need to be told.
                    sender.send(Err(status)).await.ok();
                    return;
                }
            };
            next = Some(after);
            for answer in answers {
                if sender.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
            if ended {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// What has come since an offset, the offset after it, and whether nothing more will come.
    fn look<A: Answer>(&self, from: Option<usize>) -> Result<(Vec<A>, usize, bool), Status> {
        let now = self.cloud.clock.now();
        let world = self.cloud.world();
        let job = world.job(&self.job_id)?;
        let Some(execution) = job.execution() else {
            return Ok((Vec::new(), 0, false));
        };
        let elapsed = now.since(execution.began_at);
        let pieces = logs::pieces(job, execution, elapsed);
        let from = from.unwrap_or(pieces.len()).min(pieces.len());
        let present = Present {
            now,
            skew_nanos: self.skew_nanos,
        };
        let mut offset = from;
        let answers = pieces
            .get(from..)
            .unwrap_or_default()
            .chunks(PIECES_PER_ANSWER)
            .map(|chunk| {
                offset += chunk.len();
                A::of(
                    chunk,
                    execution.began_at,
                    present,
                    i64::try_from(offset).unwrap_or(i64::MAX),
                )
            });
        Ok((
            answers.collect(),
            pieces.len(),
            execution.moment(now).finished.is_some(),
        ))
    }
}

impl Answer for pb::ReadProjectJobLogsResponse {
    fn of(pieces: &[Piece], began_at: Timestamp, present: Present, offset: i64) -> Self {
        Self {
            logs: pieces
                .iter()
                .map(|piece| piece.message(began_at, present))
                .collect(),
            offset,
        }
    }
}

impl Answer for pb::ReadProjectJobStdLogsResponse {
    fn of(pieces: &[Piece], _: Timestamp, _: Present, offset: i64) -> Self {
        let standard = pieces.iter().filter_map(|piece| Some((piece, piece.stream()?)));
        let logs = standard.map(|(piece, stream)| {
            let kind = match stream {
                StandardStream::Err => std_log::Type::Err,
                StandardStream::Out | StandardStream::Unspecified => std_log::Type::Out,
            };
            pb::StdLog {
                content: piece.content(),
                r#type: kind.into(),
            }
        });
        Self {
            logs: logs.collect(),
            offset,
        }
    }
}
