//! One story for each way in which an operation ends, with all the spans that are told of it.

use crate::model::{
    EncodedSpans, ExecutionStatus, Input, JobSnapshot, JobStatus, Kind, ListingScope, NotebookSnapshot,
    OperationSnapshot, OutputErrors, Progress, ProjectSnapshot, RpcCode, RpcError, Target, Text,
    TraceContext,
};
use crate::traces::tests::{encode, printed};
use crate::tracker::tests::story::{Story, at, caller, job, notebook, operation};
use std::time::Duration;

fn text(text: &str) -> Option<Text> {
    Text::non_empty(text)
}

fn described() -> Story {
    let mut story = Story::traced();
    story.apply(Input::Project(ProjectSnapshot {
        id: "p1".parse().expect("an id"),
        name: None,
        community_id: Some("c1".parse().expect("an id")),
        units_per_hour_max: None,
        units_per_execution_max: None,
    }));
    story
}

fn train(status: JobStatus) -> JobSnapshot {
    JobSnapshot {
        name: text("train-2025-06-01"),
        created_by: text("aje1"),
        created_at: Some(at(-60)),
        ..job("j1", status)
    }
}

fn seen(job: JobSnapshot) -> OperationSnapshot {
    OperationSnapshot {
        description: text("Execute job"),
        created_at: Some(at(-5)),
        created_by: text("aje1"),
        ..operation("op1", job)
    }
}

/// Ten seconds later, the operation of the job is looked at.
fn look(story: &mut Story, seen: OperationSnapshot) {
    story.wait(Duration::from_secs(10));
    story.look("op1", seen);
}

fn started(mut job: JobSnapshot) -> JobSnapshot {
    job.started_at = Some(at(15));
    job.instance_type = text("g2.8");
    job
}

/// A job that was called for, up to its program's running.
fn running() -> Story {
    let mut story = described();
    let target = Target::Operation("op1".parse().expect("an id"));
    story.sight_called(target, caller(7));
    story.look("op1", seen(train(JobStatus::Creating)));
    look(&mut story, seen(train(JobStatus::Preparing)));
    look(&mut story, seen(started(train(JobStatus::Executing))));
    let mut progressed = seen(started(train(JobStatus::Executing)));
    progressed.progress = Some(Progress {
        percent: 40,
        message: text("a secret of the program"),
        created_at: Some(at(28)),
    });
    look(&mut story, progressed);
    story
}

fn done(job: JobSnapshot, code: Option<i64>) -> OperationSnapshot {
    let mut done = seen(started(job));
    (done.done, done.return_code, done.modified_at) = (true, code, Some(at(48)));
    done.progress = Some(Progress {
        percent: 100,
        message: None,
        created_at: Some(at(40)),
    });
    done
}

pub(crate) fn success() -> Story {
    let mut story = running();
    let mut uploading = seen(started(train(JobStatus::UploadingOutput)));
    uploading.modified_at = Some(at(36));
    look(&mut story, uploading);
    let mut job = train(JobStatus::Success);
    job.finished_at = Some(at(45));
    job.data_size_bytes = Some(1 << 20);
    let mut end = done(job, Some(0));
    end.output_errors = Some(OutputErrors {
        upload_failed: 1,
        not_found: 2,
        unknown: 3,
    });
    look(&mut story, end);
    story
}

fn nonzero_exit() -> Story {
    let mut story = running();
    let mut job = train(JobStatus::Error);
    job.finished_at = Some(at(33));
    job.status_details = text("Job program exited");
    look(&mut story, done(job, Some(137)));
    story
}

fn failing(code: RpcCode) -> Story {
    let mut story = running();
    let mut end = done(train(JobStatus::Error), None);
    end.error = Some(RpcError {
        code,
        message: text("no more of that"),
        reason: text("QUOTA"),
    });
    look(&mut story, end);
    story
}

fn cancelled() -> Story {
    let mut story = running();
    look(&mut story, seen(started(train(JobStatus::Cancelling))));
    look(&mut story, done(train(JobStatus::Cancelled), None));
    story
}

/// A job that is known by listing alone, was waited for twice, and is called for too late to have a parent.
fn listed() -> Story {
    let mut story = described();
    for status in [
        JobStatus::Preparing,
        JobStatus::Creating,
        JobStatus::Preparing,
        JobStatus::Error,
    ] {
        let mut job = train(status);
        job.name = text("train password=hunter2");
        job.parent_job_id = Some("j0".parse().expect("an id"));
        story.list(ListingScope::Live, vec![job]);
        story.wait(Duration::from_secs(10));
        let unsampled = TraceContext {
            is_sampled: false,
            ..caller(9)
        };
        story.sight_called(Target::Job("j1".parse().expect("an id")), unsampled);
    }
    story
}

/// The second execution of a job.
fn again() -> Story {
    let mut story = success();
    let mut second = started(train(JobStatus::Executing));
    second.started_at = Some(at(1_000));
    story.wait(Duration::from_secs(1_000));
    story.events.clear();
    story.list(ListingScope::Live, vec![second.clone()]);
    story.wait(Duration::from_secs(10));
    (second.status, second.finished_at) = (JobStatus::Success, Some(at(1_055)));
    story.list(ListingScope::Ended, vec![second]);
    story
}

fn lost() -> Story {
    let mut story = running();
    for _ in 0..2 {
        for _ in 0..4 {
            story.wait(Duration::from_secs(30));
            story.refuse("op1", RpcCode::NOT_FOUND);
        }
    }
    story
}

fn notebook_error() -> Story {
    let mut story = described();
    story.sight("op1");
    story.look("op1", noted());
    let mut end = noted();
    (end.done, end.modified_at) = (true, Some(at(9)));
    end.execution_status = Some(ExecutionStatus::Error);
    look(&mut story, end);
    story
}

fn notebook_exception() -> Story {
    let mut story = described();
    story.sight("op1");
    let mut end = noted();
    (end.done, end.modified_at) = (true, Some(at(0)));
    end.error = Some(RpcError {
        code: RpcCode::UNKNOWN,
        message: text("Traceback"),
        reason: text("KeyError"),
    });
    look(&mut story, end);
    story
}

fn noted() -> OperationSnapshot {
    OperationSnapshot {
        created_at: Some(at(-3)),
        notebook: Some(NotebookSnapshot {
            notebook_id: text("work/demo.ipynb"),
        }),
        ..notebook("op1")
    }
}

fn other() -> Story {
    let mut story = described();
    story.sight("op1");
    let mut seen = OperationSnapshot {
        kind: Kind::Other,
        notebook: None,
        metadata_type: text("type.googleapis.com/yandex.cloud.compute.v1.CreateInstanceMetadata"),
        ..notebook("op1")
    };
    story.look("op1", seen.clone());
    seen.done = true;
    look(&mut story, seen);
    story
}

/// Every story by name, with what is told of it.
pub(crate) fn stories() -> Vec<(&'static str, Vec<EncodedSpans>)> {
    let stories = [
        ("success", success()),
        ("nonzero_exit", nonzero_exit()),
        ("error", failing(RpcCode::UNAUTHENTICATED)),
        ("timeout", failing(RpcCode::DEADLINE_EXCEEDED)),
        ("cancelled", cancelled()),
        ("listed_error", listed()),
        ("second_attempt", again()),
        ("lost", lost()),
        ("notebook_error", notebook_error()),
        ("notebook_exception", notebook_exception()),
        ("other", other()),
    ];
    let told = |story: &Story| encode(&story.events, &story.view().projects);
    stories.map(|(name, story)| (name, told(&story))).into()
}

#[test]
fn every_end_is_told_like_this() {
    for (name, spans) in stories() {
        insta::assert_snapshot!(name, printed::story(&spans));
    }
}
