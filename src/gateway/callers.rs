//! Where callers stood in their own traces when they made jobs that they have yet to execute.

use crate::limits::GATEWAY_CALLERS_MAX;
use crate::model::{JobId, TraceContext};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// By job, the oldest leave first.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    contexts: HashMap<JobId, TraceContext>,
    order: VecDeque<JobId>,
}

impl Callers {
    /// A caller who stood there made this job.
    pub(crate) fn remember(&self, job: Option<&JobId>, context: Option<TraceContext>) {
        let (Some(job), Some(context)) = (job, context) else {
            return;
        };
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.contexts.insert(job.clone(), context).is_none() {
            remembered.order.push_back(job.clone());
        }
        while remembered.order.len() > GATEWAY_CALLERS_MAX {
            if let Some(oldest) = remembered.order.pop_front() {
                remembered.contexts.remove(&oldest);
            }
        }
    }

    /// Where the maker of this job stood.
    pub(crate) fn recall(&self, job: &JobId) -> Option<TraceContext> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.contexts.get(job).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_callers_are_forgotten_first() {
        let callers = Callers::default();
        let context =
            TraceContext::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let job = |number: usize| format!("bt1job{number}").parse::<JobId>().expect("an id");
        for number in 0..=GATEWAY_CALLERS_MAX {
            callers.remember(Some(&job(number)), context.clone());
            callers.remember(Some(&job(number)), context.clone());
        }
        assert_eq!(callers.recall(&job(0)), None);
        assert_eq!(callers.recall(&job(1)), context.clone());
        assert_eq!(callers.recall(&job(GATEWAY_CALLERS_MAX)), context);
        callers.remember(Some(&job(0)), None);
        assert_eq!(callers.recall(&job(0)), None, "a caller without a trace");
    }
}
