//! When an operation's trace is fixed, and what it hangs on.

use crate::clock::Timestamp;
use crate::identity::{ROOT_KEY, link_to_job, span_id, trace_id};
use crate::limits::TRACE_LINKS_MAX;
use crate::model::{
    JobStatus, Kind, OperationId, Relation, Seed, SpanLink, Target, Trace, TraceContext, TrackedOperation,
};
use crate::tracker::{CallerContext, Tracker};
use smol_str::SmolStr;
use std::sync::Arc;

impl Tracker {
    /// Fixes the trace of a live row, or of one that is about to end, once nothing that decides it is missing.
    ///
    /// That is after its first observation, since only that tells a job from another operation; and for a job that
    /// is still in `CREATING` after its operation was seen, so that a caller who has just asked for the execution
    /// comes before the listing.
    pub(crate) fn fix_trace(&self, next: &mut TrackedOperation, now: Timestamp) {
        let Some(settings) = &self.settings.traces else {
            return;
        };
        let is_settled =
            next.operation_id.is_some() || !matches!(next.status, None | Some(JobStatus::Creating));
        let is_old = next
            .over_at()
            .is_some_and(|at| now.since(at) > settings.backfill_max_age);
        if next.trace.is_some() || !next.observed || !is_settled || is_old {
            return;
        }
        let Some(seed) = seed(next) else { return };
        let begins_at = next
            .created_at()
            .or(next.reported.started_at)
            .unwrap_or(next.tracked_at);
        let mut trace = Trace {
            trace_id: trace_id(&seed),
            root_id: span_id(&seed, ROOT_KEY),
            seed,
            parent_id: None,
            links: Vec::new(),
            begins_at,
            seen_at: next.over_at().map_or(now, |at| at.min(now)).max(begins_at),
        };
        if next.about.caller.is_some()
            && let Some(caller) = Arc::make_mut(&mut next.about).caller.take()
        {
            match settings.caller_context {
                CallerContext::Parent if caller.is_sampled => {
                    trace.trace_id = caller.trace_id;
                    trace.parent_id = Some(caller.span_id);
                }
                CallerContext::Parent | CallerContext::Link => trace.links.push(caller.link()),
                // It was heard when an earlier process was configured otherwise.
                CallerContext::Ignore => {}
            }
        }
        trace.links.extend(self.relatives(next));
        next.trace = Some(Arc::new(trace));
    }

    /// Earlier executions that a row belongs to: their roots as they were told, where that is known.
    fn relatives(&self, row: &TrackedOperation) -> impl Iterator<Item = SpanLink> {
        let first = row.job_id.as_ref().filter(|_| row.attempt > 1).map(|job_id| {
            self.ended
                .first_root(job_id)
                .unwrap_or_else(|| link_to_job(job_id, Relation::FirstAttempt))
        });
        let parent = row.about.parent_job_id.as_deref().map(|job_id| {
            let slot = self.rows.find(&Target::Job(job_id.clone()));
            slot.and_then(|slot| self.rows.get(slot)?.trace.as_ref())
                .map_or_else(
                    || link_to_job(job_id, Relation::ParentJob),
                    |trace| trace.link(Relation::ParentJob),
                )
        });
        first.into_iter().chain(parent)
    }

    /// Nobody receives its trace any more, so nothing should name it; should somebody do so again, it is the same one,
    /// in its caller's trace too.
    pub(crate) fn withhold_trace(row: &mut TrackedOperation) {
        if let Some(trace) = row.trace.take() {
            Arc::make_mut(&mut row.about).unsent_trace = Some(trace);
        }
    }

    /// Somebody receives traces again.
    pub(crate) fn resume_trace(row: &mut TrackedOperation) {
        if row.about.unsent_trace.is_some() {
            row.trace = Arc::make_mut(&mut row.about).unsent_trace.take();
        }
    }

    /// A caller says where it stands in its own trace.
    pub(crate) fn hear_caller(&mut self, slot: usize, caller: Option<TraceContext>, now: Timestamp) {
        let (Some(caller), Some(row)) = (self.heeds(caller), self.rows.get(slot)) else {
            return;
        };
        let mut next = TrackedOperation::clone(row);
        self.hang_on(&mut next, caller);
        self.commit(slot, next, now);
    }

    /// Hangs a row on its caller: for a trace that is not fixed the newest caller decides, later it is linked, and
    /// when the root is told it is too late.
    pub(crate) fn hang_on(&mut self, next: &mut TrackedOperation, caller: TraceContext) {
        if next.outcome.is_some() {
            self.late_callers_total += 1;
            return;
        }
        let Some(trace) = next.trace.as_mut() else {
            Arc::make_mut(&mut next.about).caller = Some(Box::new(caller));
            return;
        };
        let is_parent = trace.trace_id == caller.trace_id && trace.parent_id == Some(caller.span_id);
        let is_known = is_parent || trace.links.contains(&caller.link());
        if is_known {
            return;
        }
        if trace.links.len() < TRACE_LINKS_MAX {
            Arc::make_mut(trace).links.push(caller.link());
        } else {
            self.late_callers_total += 1;
        }
    }

    /// A caller's context, as far as the settings make anything of it.
    pub(crate) fn heeds(&self, caller: Option<TraceContext>) -> Option<TraceContext> {
        let settings = self.settings.traces.as_ref()?;
        caller.filter(|_| settings.caller_context != CallerContext::Ignore)
    }
}

/// What the ids of a row's trace are made of.
fn seed(row: &TrackedOperation) -> Option<Seed> {
    let Some(job_id) = row.job_id.as_ref().filter(|_| row.kind == Kind::Job) else {
        return row.operation_id.clone().map(Seed::Operation);
    };
    if row.attempt == 1 {
        return Some(Seed::Job(job_id.clone()));
    }
    let operation_id = row
        .operation_id
        .as_ref()
        .map(OperationId::as_str)
        .map(SmolStr::new);
    let start = || row.reported.started_at.map(|at| SmolStr::new(at.rfc3339()));
    let which = operation_id.or_else(start)?;
    Some(Seed::Attempt(Box::new((job_id.clone(), which))))
}
