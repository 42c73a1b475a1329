//! What is counted of one call.

use crate::catalogue::Instruments;
use crate::gateway::method::{Method, OTHER};
use crate::model::RpcCode;
use http::{HeaderMap, StatusCode};
use smol_str::SmolStr;
use std::time::Duration;
use tonic::Code;

/// One call, counted once it is over.
#[derive(Debug)]
pub(crate) struct Tally {
    instruments: Instruments,
    method: &'static str,
    code: SmolStr,
    added: Duration,
}

/// What a call counts as that its caller gave up before its end.
const CANCELLED: &str = "CANCELLED";

impl Tally {
    pub(crate) fn new(instruments: &Instruments, method: Option<&'static Method>) -> Self {
        Self {
            instruments: instruments.clone(),
            method: method.map_or(OTHER, |method| method.label),
            code: SmolStr::new_static(CANCELLED),
            added: Duration::ZERO,
        }
    }

    /// The gateway took this time.
    pub(crate) fn add(&mut self, added: Duration) {
        self.added += added;
    }

    /// It ended with this code.
    pub(crate) fn ended(&mut self, code: Code) {
        self.ended_with_number(i32::from(code));
    }

    /// It ended with the code that these headers or trailers tell, or with `untold` if they tell none.
    pub(crate) fn ended_as_told(&mut self, headers: &HeaderMap, untold: Code) {
        let number = grpc_status(headers).unwrap_or_else(|| i32::from(untold));
        self.ended_with_number(number);
    }

    /// It ended with this status of HTTP; those that nobody registered share one.
    pub(crate) fn ended_over_http(&mut self, status: StatusCode) {
        let known = status.canonical_reason().map(|_| status.as_str());
        self.code = SmolStr::new(known.unwrap_or(OTHER));
    }

    fn ended_with_number(&mut self, number: i32) {
        let code = RpcCode::from_number(number).unwrap_or(RpcCode::UNKNOWN);
        self.code = SmolStr::new_static(code.name());
    }
}

/// The status that these headers or trailers tell.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<i32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// What a caller takes an answer of gRPC for that ends without a status:
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
pub(crate) fn untold_code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.instruments
            .gateway_requests_total
            .with_label_values(&[self.method, self.code.as_str()])
            .inc();
        self.instruments
            .gateway_overhead_seconds
            .observe(self.added.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_status_is_what_the_protocol_takes_it_for() {
        let cases = [
            (200, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ];
        for (number, expected) in cases {
            let status = StatusCode::from_u16(number).expect("a status");
            assert_eq!(untold_code(status), expected, "{number}");
        }
    }
}
