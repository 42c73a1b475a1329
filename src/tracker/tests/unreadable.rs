//! What is shown of operations that the cloud does not tell of.

use crate::model::{JobStatus, RpcCode, Unread, Unreadable};
use crate::tracker::tests::story::{Story, job, operation};
use std::time::Duration;

#[test]
fn an_operation_that_cannot_be_read_shows_why_and_since_when_until_it_is_read() {
    let mut story = Story::new();
    story.sight("op1");
    assert_eq!(story.row("op1").unreadable, None);
    let since = story.now;
    for _ in 0..2 {
        story.refuse("op1", RpcCode::NOT_FOUND);
        let expected = Unread {
            reason: Unreadable::NotFound,
            since,
        };
        assert_eq!(story.row("op1").unreadable, Some(expected));
        story.wait(Duration::from_secs(30));
    }
    let expected = Unread {
        reason: Unreadable::PermissionDenied,
        since: story.now,
    };
    story.refuse("op1", RpcCode::PERMISSION_DENIED);
    assert_eq!(story.row("op1").unreadable, Some(expected), "another reason");
    story.look("op1", operation("op1", job("j1", JobStatus::Executing)));
    assert_eq!(story.row("op1").unreadable, None);
}

#[test]
fn what_a_clock_that_was_ahead_noted_has_happened_now() {
    let mut before = Story::new();
    let mut after = Story::new();
    before.wait(Duration::from_hours(5));
    before.sight("op1");
    before.refuse("op1", RpcCode::PERMISSION_DENIED);
    after.tracker.restore(before.tracker.take_records(), after.now);
    let row = after.row("op1");
    assert_eq!(
        row.unreadable.as_ref().map(|unread| unread.since),
        Some(after.now)
    );
    assert_eq!(row.tracked_at, after.now);
}
