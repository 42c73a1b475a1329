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
