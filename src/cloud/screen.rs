//! Keeps answers that tonic cannot bear away from it.
//!
//! tonic 0.14 panics on a `grpc-status-details-bin` that is not base64. A lying server, or a proxy on the way, must
//! not end a task of ours: such a header is taken out before tonic reads it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::codegen::Service;
use tonic::transport::channel::ResponseFuture;
use tonic::transport::{Channel, Error};

/// A channel whose answers are safe to read.
#[derive(Clone, Debug)]
pub(crate) struct Screened(Channel);

impl Screened {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(channel)
    }
}

impl Service<Request<tonic::body::Body>> for Screened {
    type Response = Response<ScreenedBody>;
    type Error = Error;
    type Future = ScreenedResponse;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> ScreenedResponse {
        ScreenedResponse(self.0.call(request))
    }
}

/// The answer to come.
#[derive(Debug)]
pub(crate) struct ScreenedResponse(ResponseFuture);

impl Future for ScreenedResponse {
    type Output = Result<Response<ScreenedBody>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.0).poll(cx))?;
        screen(response.headers_mut());
        Poll::Ready(Ok(response.map(ScreenedBody)))
    }
}

/// Its body, whose trailers carry the status.
#[derive(Debug)]
pub(crate) struct ScreenedBody(tonic::body::Body);

impl Body for ScreenedBody {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let mut frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            screen(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Reads what tonic reads: the standard alphabet, with padding or without.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Takes details that are no base64 out of headers or trailers.
pub(crate) fn screen(headers: &mut HeaderMap) {
    let is_unreadable = |value: &http::HeaderValue| DECODER.decode(value).is_err();
    if headers.get(DETAILS).is_some_and(is_unreadable) {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screened(details: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", "13".parse().expect("ascii"));
        headers.insert(DETAILS, details.parse().expect("ascii"));
        screen(&mut headers);
        headers
    }

    #[test]
    fn details_that_are_no_base64_are_taken_out() {
        for bad in ["%%%", "a", "YQ=YQ", "YR"] {
            let headers = screened(bad);
            assert_eq!(headers.get(DETAILS), None, "{bad}");
            assert!(
                Status::from_header_map(&headers).is_some(),
                "and tonic reads the rest"
            );
        }
        for good in ["", "YQ", "YQ==", "CA0SAm5v"] {
            let headers = screened(good);
            assert!(headers.contains_key(DETAILS), "{good}");
            assert!(Status::from_header_map(&headers).is_some(), "{good}");
        }
    }
}
