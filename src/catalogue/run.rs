//! Series of single jobs and operations: they appear while one is tracked and leave with it.

use crate::catalogue::metrics;

metrics! { Run;
    /// Always 1; joins the properties of a job to its id.
    JOB_INFO: Gauge "datasphere_job_info" [
        "project_id", "job_id", "job_name", "operation_id", "parent_job_id", "instance_type", "created_by", "trace_id"
    ] user_labels;
    /// 1 for the job's present status, 0 for those it has left.
    JOB_STATUS: Gauge "datasphere_job_status" ["project_id", "job_id", "status"];
    /// When the job entered its present status, in unix time.
    JOB_STATUS_SINCE: Gauge "datasphere_job_status_since_timestamp_seconds" ["project_id", "job_id"];
    /// Time that the job spent in a status during completed visits.
    JOB_TIME_IN_STATUS: Gauge "datasphere_job_time_in_status_seconds" ["project_id", "job_id", "status"];
    /// How far the job's program says it is, from 0 to 1.
    JOB_PROGRESS: Gauge "datasphere_job_progress_ratio" ["project_id", "job_id"];
    /// When the job's progress last changed, in unix time.
    JOB_PROGRESS_CHANGED: Gauge "datasphere_job_progress_timestamp_seconds" ["project_id", "job_id"];
    /// When the job was created, in unix time.
    JOB_CREATED: Gauge "datasphere_job_created_timestamp_seconds" ["project_id", "job_id"];
    /// When the job was started, in unix time.
    JOB_STARTED: Gauge "datasphere_job_started_timestamp_seconds" ["project_id", "job_id"];
    /// When the job finished, in unix time.
    JOB_FINISHED: Gauge "datasphere_job_finished_timestamp_seconds" ["project_id", "job_id"];
    /// When the job's stored data will be deleted, in unix time; absent when never.
    JOB_DATA_EXPIRES: Gauge "datasphere_job_data_expires_timestamp_seconds" ["project_id", "job_id"];
    /// Always 1, with the outcome of a job that ended.
    JOB_OUTCOME: Gauge "datasphere_job_outcome" ["project_id", "job_id", "outcome"];
    /// Return code of the job's program, once it is known.
    JOB_RETURN_CODE: Gauge "datasphere_job_return_code" ["project_id", "job_id"];
    /// Size of the job's stored data.
    JOB_DATA_SIZE: Gauge "datasphere_job_data_size_bytes" ["project_id", "job_id"];
    /// Output files that could not be stored, by type of error; once the job ended.
    JOB_OUTPUT_ERRORS: Gauge "datasphere_job_output_errors" ["project_id", "job_id", "type"];
    /// When the last look that told something of the job came back, in unix time.
    JOB_LAST_POLL: Gauge "datasphere_job_last_poll_timestamp_seconds" ["project_id", "job_id"];
    /// Always 1; joins the properties of an operation to its id.
    OPERATION_INFO: Gauge "datasphere_operation_info" [
        "project_id", "operation_id", "kind", "job_id", "notebook_id", "created_by"
    ] user_labels;
    /// Whether the operation ended: 1 or 0.
    OPERATION_DONE: Gauge "datasphere_operation_done" ["project_id", "operation_id"];
    /// Always 1, with the gRPC code of an operation whose error is set.
    OPERATION_ERROR: Gauge "datasphere_operation_error" ["project_id", "operation_id", "code"];
    /// When the operation was created, in unix time; for kinds other than job.
    OPERATION_CREATED: Gauge "datasphere_operation_created_timestamp_seconds" ["project_id", "operation_id"];
    /// When the operation last changed, in unix time; for kinds other than job.
    OPERATION_MODIFIED: Gauge "datasphere_operation_modified_timestamp_seconds" ["project_id", "operation_id"];
    /// When the last look that told something of the operation came back, in unix time; for kinds other than job.
    OPERATION_LAST_POLL: Gauge "datasphere_operation_last_poll_timestamp_seconds" ["project_id", "operation_id"];
    /// 1 for the status of a notebook execution (RUNNING, OK, ERROR, ABORTED, UNKNOWN), 0 for the others.
    NOTEBOOK_STATUS: Gauge "datasphere_notebook_status" ["project_id", "operation_id", "status"];
}
