//! An operation as JSON: the words of the model, with what is unknown left out.

use crate::clock::Timestamp;
use crate::model::{
    About, Boundary, ExecutionStatus, JobId, JobStatus, Kind, NotebookStatus, OperationId, ProjectId,
    Reported, Text, TrackedOperation,
};
use serde_json::{Map, Value, json};

/// What `GET /api/v1/operations/{id}` answers, and what the command line prints.
///
/// Times are RFC 3339 in UTC, durations are seconds, int64 are strings, as in the cloud's own JSON; what is not
/// known is absent. It holds nothing that the model does not, so no secret.
pub fn operation_json(row: &TrackedOperation) -> Value {
    let mut record = Record(Map::new());
    record.put_identity(row);
    record.put_state(row);
    record.put_reported(&row.reported);
    record.put_about(&row.about);
    Value::Object(record.0)
}

/// A JSON object under construction.
struct Record(Map<String, Value>);

impl Record {
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn put_time(&mut self, name: &str, at: Option<Timestamp>) {
        self.put(name, at.map(Timestamp::rfc3339));
    }

    fn put_text(&mut self, name: &str, text: Option<&Text>) {
        self.put(name, text.map(Text::as_str));
    }

    fn put_identity(&mut self, row: &TrackedOperation) {
        self.put("operation_id", row.operation_id.as_ref().map(OperationId::as_str));
        self.put("job_id", row.job_id.as_ref().map(JobId::as_str));
        self.put("project_id", row.project_id.as_ref().map(ProjectId::as_str));
        let is_known = row.observed || row.kind != Kind::Other;
        self.put("kind", is_known.then(|| row.kind.label()));
        self.put("source", Some(row.source.label()));
        self.put("attempt", Some(row.attempt));
        self.put("observed", Some(row.observed));
        self.put_time("tracked_at", Some(row.tracked_at));
        self.put_time("polled_at", row.polled_at);
    }

    fn put_state(&mut self, row: &TrackedOperation) {
        self.put("state", Some(row.state.label()));
        self.put("status", row.status.map(JobStatus::label));
        self.put_time("status_since", row.status_since);
        let boundary = row.status_since.map(|_| boundary(row.status_boundary));
        self.put("status_boundary", boundary);
        let times: Map<_, _> = row
            .status_times
            .iter()
            .map(|(status, time)| (status.label().to_owned(), json!(time.as_secs_f64())))
            .collect();
        self.put("status_duration_seconds", (!times.is_empty()).then_some(times));
        self.put(
            "notebook_status",
            row.notebook_status().map(NotebookStatus::label),
        );
        self.put(
            "unreadable_reason",
            row.unreadable.map(|unread| unread.reason.label()),
        );
        self.put_time("unreadable_since", row.unreadable.map(|unread| unread.since));
        self.put("outcome", row.outcome.map(|outcome| outcome.kind().label()));
        self.put_time("ended_at", row.ended_at);
        self.put_time("progress_changed_at", row.progress_changed_at);
        self.put("duration_seconds", row.duration().map(|time| time.as_secs_f64()));
        let run_duration = row.run_duration().map(|time| time.as_secs_f64());
        self.put("run_duration_seconds", run_duration);
    }

    fn put_reported(&mut self, reported: &Reported) {
        self.put_time("operation_created_at", reported.operation_created_at);
        self.put_time("modified_at", reported.modified_at);
        self.put_time("job_created_at", reported.job_created_at);
        self.put_time("started_at", reported.started_at);
        self.put_time("finished_at", reported.finished_at);
        self.put_time("data_expires_at", reported.data_expires_at);
        if let Some(progress) = &reported.progress {
            let mut inner = Self(Map::new());
            inner.put("percent", Some(progress.percent));
            inner.put_text("message", progress.message.as_ref());
            inner.put_time("created_at", progress.created_at);
            self.put("progress", Some(inner.0));
        }
        self.put("return_code", reported.return_code.map(|code| code.to_string()));
        let data_size = reported.data_size_bytes.map(|bytes| bytes.to_string());
        self.put("data_size_bytes", data_size);
        if let Some(errors) = reported.output_errors {
            let by_type: Map<_, _> = errors
                .by_type()
                .into_iter()
                .map(|(name, count)| (name.to_owned(), count.into()))
                .collect();
            self.put("output_errors", Some(by_type));
        }
        let execution_status = reported.execution_status.map(ExecutionStatus::label);
        self.put(
            "execution_status",
            execution_status.filter(|status| !status.is_empty()),
        );
        if let Some(error) = &reported.error {
            let mut inner = Self(Map::new());
            inner.put("code", Some(error.code.name()));
            inner.put_text("message", error.message.as_ref());
            inner.put_text("reason", error.reason.as_ref());
            self.put("error", Some(inner.0));
        }
    }

    fn put_about(&mut self, about: &About) {
        self.put_text("name", about.name.as_ref());
        self.put("job_name", about.job_name.as_deref());
        self.put(
            "parent_job_id",
            about.parent_job_id.as_ref().map(|id| id.as_str()),
        );
        self.put_text("instance_type", about.instance_type.as_ref());
        self.put_text("created_by", about.created_by.as_ref());
        self.put_text("notebook_id", about.notebook_id.as_deref());
        self.put_text("description", about.description.as_ref());
        self.put_text("status_details", about.status_details.as_deref());
        self.put_text("metadata_type", about.metadata_type.as_deref());
        let labels: Map<_, _> = about
            .labels
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_str().into()))
            .collect();
        self.put("labels", (!labels.is_empty()).then_some(labels));
        let aliases: Vec<_> = about.aliases.iter().map(OperationId::as_str).collect();
        self.put("aliases", (!aliases.is_empty()).then_some(aliases));
    }
}

fn boundary(boundary: Boundary) -> &'static str {
    match boundary {
        Boundary::FirstSeen => "first_seen",
        Boundary::Observed => "observed",
        Boundary::Modified => "modified",
        Boundary::Reported => "reported",
    }
}
