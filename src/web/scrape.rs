//! The exposition over HTTP: negotiated, streamed, and bounded in number.

use crate::metrics::{Encoded, Encoding, Exposition, Format};
use crate::web::routes::Shared;
use axum::body::Body as RouterBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When a scrape that was turned away may come again, in seconds: most scrapes take less.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The present view in the client's best format. It reads what is known and waits for nobody.
pub(super) async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let Ok(slot) = Arc::clone(&shared.scrapes.slots).try_acquire_owned() else {
        return turned_away(shared.scrapes.max);
    };
    let format = Format::negotiate(&joined(&headers, &header::ACCEPT));
    let encoding = Encoding::negotiate(&joined(&headers, &header::ACCEPT_ENCODING));
    let context = &shared.context;
    let exposition = Exposition::new(
        format,
        context.views.view(),
        &context.instruments,
        context.clock.now(),
        &context.metrics(),
    );
    let chunks = match Encoded::new(exposition, encoding) {
        Ok(chunks) => chunks,
        Err(error) => return no_memory(&error),
    };
    let mut response = RouterBody::new(Scrape {
        chunks,
        slot: Some(slot),
    })
    .into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::try_from(format.content_type()) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if let Some(token) = encoding.token() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    let start_time = HeaderName::from_static("process-start-time-unix");
    headers.insert(start_time, shared.process_start_time.clone());
    response
}

/// How many scrapes there may be at once.
#[derive(Debug)]
pub(super) struct Scrapes {
    slots: Arc<Semaphore>,
    max: usize,
}

impl Scrapes {
    /// At most `max`; 0 leaves only the bound on connections.
    pub(super) fn at_most(max: usize) -> Self {
        let slots = match max {
            0 => Semaphore::MAX_PERMITS,
            max => max.min(Semaphore::MAX_PERMITS),
        };
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            max,
        }
    }
}

/// A body that renders each chunk when the connection takes it, and holds its slot until the last one, or until
/// the client is gone.
struct Scrape {
    chunks: Encoded<Exposition>,
    slot: Option<OwnedSemaphorePermit>,
}

impl Body for Scrape {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let chunk = self.chunks.next();
        if chunk.is_none() {
            self.slot = None;
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    values.join(",")
}

fn turned_away(max: usize) -> Response {
    let text = format!(
        "{max} scrapes are in progress, which is as many as --web.max-requests allows; try again in a second\n"
    );
    let headers = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}

fn no_memory(error: &io::Error) -> Response {
    tracing::error!(%error, "a scrape could not be compressed");
    let text = "there is no memory to compress the answer; ask without Accept-Encoding\n";
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}
