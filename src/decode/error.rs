//! `google.rpc.Status` of an operation, with the one machine-readable word of its details.

use crate::decode::any::Any;
use crate::decode::field::{Field, Lean, read};
use crate::decode::value::free_text;
use crate::model::{Gap, Gaps, RpcCode, RpcError, Text};

/// The error of an operation. `None` and a gap for code 0, which says that there is none; an error whose
/// bytes do not parse is an error all the same, of code UNKNOWN.
pub(crate) fn error(bytes: &[u8], gaps: &mut Gaps) -> Option<RpcError> {
    let Some(status) = read::<StatusFields>(bytes, gaps) else {
        return Some(RpcError {
            code: RpcCode::UNKNOWN,
            message: None,
            reason: None,
        });
    };
    if status.code == 0 {
        gaps.add(Gap::OutOfRange);
        return None;
    }
    Some(RpcError {
        code: code(status.code, gaps),
        message: free_text(status.message, gaps),
        reason: reason(&status.details, gaps),
    })
}

fn code(number: i64, gaps: &mut Gaps) -> RpcCode {
    let known = i32::try_from(number).ok().and_then(RpcCode::from_number);
    known.unwrap_or_else(|| {
        gaps.add(Gap::UnknownEnum);
        RpcCode::UNKNOWN
    })
}

/// The first reason that a detail tells: servers put what matters first.
fn reason(details: &[&[u8]], gaps: &mut Gaps) -> Option<Text> {
    let mut reason = None;
    for detail in details {
        if let Some(detail) = Any::of(detail, gaps) {
            let told = detail_reason(&detail, gaps);
            reason = reason.or(told);
        }
    }
    reason
}

fn detail_reason(detail: &Any<'_>, gaps: &mut Gaps) -> Option<Text> {
    let word = match detail.type_name() {
        // `reason`, and the class of an exception: its text and traceback are the user's own, and stay out.
        "google.rpc.ErrorInfo" | "yandex.cloud.datasphere.v1.NodeExecutionErrorDetails" => {
            read::<FirstField>(detail.value, gaps)?.bytes
        }
        // Whose quota it is, or else which.
        "google.rpc.QuotaFailure" => {
            let violation: Violation = read(read::<FirstField>(detail.value, gaps)?.bytes, gaps)?;
            violation.first.or(violation.fifth)?
        }
        // What kind of condition, or else of what.
        "google.rpc.PreconditionFailure" => {
            let violation: Violation = read(read::<FirstField>(detail.value, gaps)?.bytes, gaps)?;
            violation.first.or(violation.second)?
        }
        "google.rpc.BadRequest"
        | "google.rpc.DebugInfo"
        | "google.rpc.Help"
        | "google.rpc.LocalizedMessage"
        | "google.rpc.RequestInfo"
        | "google.rpc.ResourceInfo"
        | "google.rpc.RetryInfo" => return None,
        _ => {
            gaps.add(Gap::UnknownType);
            return None;
        }
    };
    free_text(word, gaps)
}

/// `google.rpc.Status`.
#[derive(Default)]
struct StatusFields<'a> {
    code: i64,
    message: &'a [u8],
    details: Vec<&'a [u8]>,
}

impl<'a> Lean<'a> for StatusFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.code = field.integer(gaps),
            2 => self.message = field.bytes(gaps),
            3 => self.details.extend(field.message(gaps)),
            _ => {}
        }
    }
}

/// The first value of field 1: `ErrorInfo.reason`, `NodeExecutionErrorDetails.error_name`, and the first of
/// the violations of a failure.
#[derive(Default)]
struct FirstField<'a> {
    bytes: &'a [u8],
}

impl<'a> Lean<'a> for FirstField<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        if field.number == 1 && self.bytes.is_empty() {
            self.bytes = field.bytes(gaps);
        }
    }
}

/// `QuotaFailure.Violation`: `subject` 1, `quota_metric` 5; `PreconditionFailure.Violation`: `type` 1,
/// `subject` 2. Empty ones are absent.
#[derive(Default)]
struct Violation<'a> {
    first: Option<&'a [u8]>,
    second: Option<&'a [u8]>,
    fifth: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for Violation<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        let told = match field.number {
            1 => &mut self.first,
            2 => &mut self.second,
            5 => &mut self.fifth,
            _ => return,
        };
        *told = field.message(gaps).filter(|bytes| !bytes.is_empty());
    }
}
