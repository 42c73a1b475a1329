//! What holds of the spans of any story.

use crate::model::Change;
use crate::traces::attribute::Place;
use crate::traces::tests::{decoded, encode, place};
use crate::tracker::TraceSettings;
use crate::tracker::tests::properties::{Step, step, tell};
use crate::tracker::tests::story::Story;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Operations that have started, and those that are done.
#[derive(Default)]
struct Past {
    started: BTreeSet<u8>,
    done: BTreeSet<u8>,
}

/// An operation is one execution of one job: it starts once, and what is done stays done. From a server that changes
/// its mind, two rows may come to tell the same span; the store then keeps to the first.
fn is_possible(step: &mut Step, past: &mut Past) -> bool {
    let (operation, job, done, started) = match step {
        Step::Job {
            operation,
            job,
            done,
            started,
            ..
        } => (operation, job, *done, started),
        Step::Overhear { operation, job, .. } => (operation, job, false, &mut None),
        _ => return true,
    };
    *job = *operation % 4;
    if started.is_some() && !past.started.insert(*operation) {
        *started = None;
    }
    let goes_on = !past.done.contains(operation);
    if done {
        past.done.insert(*operation);
    }
    goes_on
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_span_is_told_once_within_its_root_and_the_root_last(steps in prop::collection::vec(step(), 1..80)) {
        let mut story = Story::with(|settings| {
            settings.tracked_max = 5;
            settings.traces = Some(TraceSettings::default());
        });
        let (mut told, mut fixed) = (BTreeSet::new(), BTreeSet::new());
        let mut children: BTreeMap<Vec<u8>, Vec<(u64, u64)>> = BTreeMap::new();
        let (mut roots, mut past) = (BTreeSet::new(), Past::default());
        for mut step in steps {
            if !is_possible(&mut step, &mut past) {
                continue;
            }
            tell(&mut story, step);
            let events = std::mem::take(&mut story.events);
            for event in events.iter().filter(|event| event.change == Change::Traced) {
                fixed.insert(event.after.trace.as_ref().expect("it is fixed").root_id.to_bytes().to_vec());
            }
            let projects = story.view().projects;
            let encoded = encode(&events, &projects);
            prop_assert_eq!(&encoded, &encode(&events, &projects), "the same events, the same bytes");
            for spans in &encoded {
                let (_, span) = decoded(&spans.bytes).remove(0);
                prop_assert_eq!(&spans.key.0[..], &[&span.trace_id[..], &span.span_id[..]].concat()[..]);
                prop_assert!(told.insert(spans.key), "told twice: {:?}", span);
                let times = (span.start_time_unix_nano, span.end_time_unix_nano);
                prop_assert!(times.0 <= times.1, "ends before it begins: {:?}", span);
                if place(&span) == Place::Root {
                    prop_assert!(fixed.contains(&span.span_id), "told before it is fixed");
                    for child in children.get(&span.span_id).into_iter().flatten() {
                        prop_assert!(times.0 <= child.0 && child.1 <= times.1, "{:?} not in {:?}", child, span);
                    }
                    prop_assert!(roots.insert(span.span_id));
                } else {
                    prop_assert!(fixed.contains(&span.parent_span_id), "told before it is fixed");
                    prop_assert!(!roots.contains(&span.parent_span_id), "told after its root: {:?}", span);
                    children.entry(span.parent_span_id).or_default().push(times);
                }
            }
        }
    }
}
