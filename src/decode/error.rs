//! `google.rpc.Status` of an operation, with the one machine-readable word of its details.

use crate::decode::any::Any;
use crate::decode::field::{Integer, lean, read};
use crate::decode::value::free_text;
use crate::model::{Gap, Gaps, RpcCode, RpcError, Text};

/// The error of an operation. `None` and a gap for code 0, which says that there is none; an error that cannot
/// be read is an error all the same, of code UNKNOWN.
pub(crate) fn error(bytes: &[u8], gaps: &mut Gaps) -> Option<RpcError> {
    let Some(status) = read::<StatusFields>(bytes, gaps) else {
        return Some(RpcError {
            code: RpcCode::UNKNOWN,
            message: None,
            reason: None,
        });
    };
    if status.code.told() == Some(0) {
        gaps.add(Gap::OutOfRange);
        return None;
    }
    Some(RpcError {
        code: code(&status.code, gaps),
        message: free_text(status.message, gaps),
        reason: reason(&status.details, gaps),
    })
}

fn code(number: &Integer, gaps: &mut Gaps) -> RpcCode {
    let Some(number) = number.told() else {
        return RpcCode::UNKNOWN;
    };
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
    let [word, otherwise] = match detail.type_name() {
        // Of an exception only the class: its text and traceback are the user's own, and stay out.
        "google.rpc.ErrorInfo" | "yandex.cloud.datasphere.v1.NodeExecutionErrorDetails" => {
            [read::<Named>(detail.value, gaps)?.name, &[]]
        }
        "google.rpc.QuotaFailure" => {
            let failure: Failure = read(detail.value, gaps)?;
            let violation: QuotaViolation = read(failure.violations.first()?, gaps)?;
            [violation.subject, violation.quota_metric]
        }
        "google.rpc.PreconditionFailure" => {
            let failure: Failure = read(detail.value, gaps)?;
            let violation: PreconditionViolation = read(failure.violations.first()?, gaps)?;
            [violation.kind, violation.subject]
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
    free_text(word, gaps).or_else(|| free_text(otherwise, gaps))
}

lean! {
    /// `google.rpc.Status`.
    StatusFields<'a> {
        1 => code: Integer,
        2 => message: &'a [u8],
        3 => details: Vec<&'a [u8]>,
    }
}

lean! {
    /// `ErrorInfo` and `NodeExecutionErrorDetails`: `reason` and `error_name`.
    Named<'a> {
        1 => name: &'a [u8],
    }
}

lean! {
    /// `QuotaFailure` and `PreconditionFailure`.
    Failure<'a> {
        1 => violations: Vec<&'a [u8]>,
    }
}

lean! {
    /// `QuotaFailure.Violation`.
    QuotaViolation<'a> {
        1 => subject: &'a [u8],
        4 => quota_metric: &'a [u8],
    }
}

lean! {
    /// `PreconditionFailure.Violation`.
    PreconditionViolation<'a> {
        1 => kind: &'a [u8],
        2 => subject: &'a [u8],
    }
}
