//! The ids of traces and spans, made from what an operation is.
//!
//! In: a [`Seed`]. Out: ids that whoever knows the job's or operation's id can compute too. Never: chance, time,
//! or a change of the algorithm under the same version: it is published in `docs/traces.md`.

use crate::model::{JobId, JobStatus, Relation, Seed, SpanId, SpanLink, TraceId};
use ring::digest::{Context, Digest, SHA256};
use smol_str::{SmolStr, format_smolstr};

/// Begins every input of the hash; part of the published contract.
const VERSION: &[u8] = b"datasphere-exporter/trace/v1";

/// The key of the span of the whole operation.
pub const ROOT_KEY: &str = "run";

/// The key of the span that tells that an operation was seen.
pub const STARTED_KEY: &str = "started";

/// The trace that an operation has by itself, without a caller.
pub fn trace_id(seed: &Seed) -> TraceId {
    first(seed, "trace", None, TraceId::from_bytes)
}

/// The span of an operation that this key names: [`ROOT_KEY`], `started`, `executing`, `executing#2` …
pub fn span_id(seed: &Seed, key: &str) -> SpanId {
    first(seed, "span", Some(key), SpanId::from_bytes)
}

/// The key of the span of a visit to a status, from the first: `executing`, `executing#2` … `None` for statuses in
/// which nothing runs, and for visits beyond those that are told apart.
pub fn phase_key(status: JobStatus, number: u8) -> Option<SmolStr> {
    let phase = phase_name(status)?;
    match number {
        0 | u8::MAX => None,
        1 => Some(SmolStr::new_static(phase)),
        _ => Some(format_smolstr!("{phase}#{number}")),
    }
}

/// What a status is called as a phase of an execution; `None` for statuses in which nothing runs.
pub fn phase_name(status: JobStatus) -> Option<&'static str> {
    match status {
        JobStatus::Creating => Some("creating"),
        JobStatus::Preparing => Some("preparing"),
        JobStatus::Executing => Some("executing"),
        JobStatus::UploadingOutput => Some("uploading_output"),
        JobStatus::Cancelling => Some("cancelling"),
        JobStatus::Success | JobStatus::Error | JobStatus::Cancelled | JobStatus::Unknown => None,
    }
}

/// The first execution of a job as what another operation links to; it need not be known to us.
pub fn link_to_job(job_id: &JobId, relation: Relation) -> SpanLink {
    let seed = Seed::Job(job_id.clone());
    SpanLink {
        trace_id: trace_id(&seed),
        span_id: span_id(&seed, ROOT_KEY),
        state: None,
        relation,
    }
}

/// The beginning of the first hash that is an id: a further part `"0"` is added for as long as it is not.
fn first<T, const N: usize>(
    seed: &Seed,
    of: &str,
    key: Option<&str>,
    mut id: impl FnMut([u8; N]) -> Option<T>,
) -> T {
    let mut hash = Context::new(&SHA256);
    hash.update(VERSION);
    add(&mut hash, of);
    match seed {
        Seed::Job(job_id) => add_all(&mut hash, &["job", job_id.as_str()]),
        Seed::Attempt(attempt) => add_all(&mut hash, &["job", attempt.0.as_str(), &attempt.1]),
        Seed::Operation(operation_id) => add_all(&mut hash, &["op", operation_id.as_str()]),
    }
    add_all(&mut hash, key.as_slice());
    loop {
        if let Some(id) = beginning(&hash.clone().finish()).and_then(&mut id) {
            return id;
        }
        add(&mut hash, "0");
    }
}

fn add_all(hash: &mut Context, parts: &[&str]) {
    for part in parts {
        add(hash, part);
    }
}

/// Adds a part with its length before it, so that no two lists of parts are one input.
fn add(hash: &mut Context, part: &str) {
    let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
    hash.update(&length.to_be_bytes());
    hash.update(part.as_bytes());
}

fn beginning<const N: usize>(hash: &Digest) -> Option<[u8; N]> {
    hash.as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str) -> Seed {
        Seed::Job(id.parse().expect("an id"))
    }

    #[test]
    fn the_published_vectors_hold() {
        let operation = Seed::Operation("op-1".parse().expect("an id"));
        assert_eq!(
            trace_id(&job("op-1")).to_string(),
            "aea18e1507a9c51627ceb00170ac82a7"
        );
        assert_eq!(span_id(&job("op-1"), ROOT_KEY).to_string(), "9793712fcccbd4cb");
        assert_eq!(
            trace_id(&operation).to_string(),
            "2bcb282a38572d33a225c246e26a1b93"
        );
        assert_eq!(span_id(&operation, ROOT_KEY).to_string(), "5285571848c90845");
    }

    #[test]
    fn attempts_of_one_job_have_traces_of_their_own() {
        let attempt =
            |operation_id: &str| Seed::Attempt(Box::new(("j1".parse().expect("an id"), operation_id.into())));
        let ids = [job("j1"), attempt("op2"), attempt("op3"), job("j1op2")].map(|seed| trace_id(&seed));
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id));
        }
    }

    #[test]
    fn what_hashes_to_zero_is_hashed_again() {
        let mut tries = 0;
        let second = first(&job("j1"), "trace", None, |bytes: [u8; 16]| {
            tries += 1;
            TraceId::from_bytes(bytes).filter(|_| tries == 2)
        });
        assert_ne!(second, trace_id(&job("j1")));
    }
}
