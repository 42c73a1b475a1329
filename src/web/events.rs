//! What changes, as server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! A reader that was away comes back with the id of the last event it saw, and goes on there. One that was away for too
//! long, or reads too slowly, is told to list anew.

use crate::flow::ViewReader;
use crate::limits::{EVENT_STREAM_SILENCE_MAX, EVENT_STREAMS_MAX};
use crate::model::{Change, Event};
use crate::web::connection::Endless;
use crate::web::operation_json;
use crate::web::problem::Problem;
use crate::web::request::no_parameters;
use crate::web::routes::Shared;
use axum::extract::State as Extracted;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What all streams share.
#[derive(Debug)]
pub(super) struct Streams {
    slots: Arc<Semaphore>,
    /// Ids of an earlier process are told from ours by it.
    run: String,
    /// Ends all of them.
    stop: CancellationToken,
}

/// `GET /api/v1/events`.
pub(super) async fn stream(
    Extracted(shared): Extracted<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    no_parameters(&uri)?;
    let streams = &shared.streams;
    let Ok(slot) = Arc::clone(&streams.slots).try_acquire_owned() else {
        return Err(Problem::unavailable(format!(
            "{EVENT_STREAMS_MAX} streams of events are open, which is all there may be"
        )));
    };
    let views = shared.context.views.clone();
    let newest = views.view().changes;
    let seen = headers
        .get(LAST_EVENT_ID)
        .map(|id| streams.number(id.to_str().ok()));
    let reader = Reader {
        seen: match seen {
            None => Seen::New(newest),
            Some(Some(number)) if number <= newest => Seen::UpTo(number),
            Some(_) => Seen::Lost,
        },
        waiting: VecDeque::new(),
        views,
        run: streams.run.clone(),
        stop: streams.stop.clone(),
        _slot: slot,
    };
    let events = stream::unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let silence = KeepAlive::new().interval(EVENT_STREAM_SILENCE_MAX);
    let mut response = Sse::new(events).keep_alive(silence).into_response();
    response.extensions_mut().insert(Endless);
    Ok(response)
}

impl Streams {
    pub(super) fn new(run: String, stop: CancellationToken) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            run,
            stop,
        }
    }

    /// The number in an id that this process gave out.
    fn number(&self, id: Option<&str>) -> Option<u64> {
        let (run, number) = id?.split_once('-')?;
        (run == self.run).then(|| number.parse().ok()).flatten()
    }
}

/// Where a reader stands.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// It has just come, and is to learn where it stands.
    New(u64),
    /// It has all up to this number.
    UpTo(u64),
    /// Nobody knows.
    Lost,
}

/// One open stream.
#[derive(Debug)]
struct Reader {
    seen: Seen,
    /// The next ones, with their numbers.
    waiting: VecDeque<(u64, Event)>,
    views: ViewReader,
    run: String,
    stop: CancellationToken,
    _slot: OwnedSemaphorePermit,
}

impl Reader {
    /// Waits for the next event; `None` once there will be none.
    async fn next(&mut self) -> Option<sse::Event> {
        while !self.stop.is_cancelled() {
            let seen = match self.seen {
                Seen::New(number) => return Some(self.begin(number)),
                Seen::Lost => return Some(self.reset()),
                Seen::UpTo(number) => number,
            };
            if let Some((number, event)) = self.waiting.pop_front() {
                self.seen = Seen::UpTo(number);
                return Some(self.event(number, &event));
            }
            let newest = self.views.view().changes;
            match self.views.changes().between(seen, newest) {
                None => self.seen = Seen::Lost,
                Some(changes) if !changes.is_empty() => self.waiting = changes.into(),
                Some(_) => tokio::select! {
                    () = self.stop.cancelled() => {}
                    is_alive = self.views.changed() => is_alive.then_some(())?,
                },
            }
        }
        None
    }

    /// Tells a new reader where it stands, so that it can come back before the first event.
    fn begin(&mut self, number: u64) -> sse::Event {
        self.seen = Seen::UpTo(number);
        sse::Event::default()
            .id(self.id(number))
            .comment("changes from here on")
    }

    fn reset(&mut self) -> sse::Event {
        let number = self.views.view().changes;
        self.seen = Seen::UpTo(number);
        let detail = "changes were missed; list the operations anew";
        sse::Event::default()
            .event("reset")
            .id(self.id(number))
            .data(json!({ "detail": detail }).to_string())
    }

    fn event(&self, number: u64, event: &Event) -> sse::Event {
        let id = self.id(number);
        let data = event_json(&id, event).to_string();
        sse::Event::default().id(id).data(data)
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }
}

/// A change, with the operation after it.
fn event_json(id: &str, event: &Event) -> Value {
    let mut json = json!({
        "id": id,
        "at": event.at.rfc3339(),
        "change": event.change.label(),
        "operation": operation_json(&event.after),
    });
    if let (Change::Left(departure), Some(json)) = (event.change, json.as_object_mut()) {
        json.insert("reason".to_owned(), departure.label().into());
    }
    json
}
