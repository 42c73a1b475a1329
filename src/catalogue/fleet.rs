//! Bounded series about projects: always on, without an id of a job or an operation.

use crate::catalogue::metrics;

metrics! { Fleet;
    /// Jobs known now, by status; ended ones are among them during their retention.
    JOBS: Gauge "datasphere_jobs" ["project_id", "status"];
    /// Tracked operations now, by state (running, failing, done); failing means that the error is set already.
    OPERATIONS: Gauge "datasphere_operations" ["project_id", "kind", "state"];
    /// Operations taken under watch, each once, by who brought them first.
    OPERATIONS_TRACKED: Counter "datasphere_operations_tracked_total" ["project_id", "kind", "source"];
    /// Operations that ended, each once, by outcome (success, failure, error, cancelled, lost).
    OPERATIONS_FINISHED: Counter "datasphere_operations_finished_total" ["project_id", "kind", "outcome"] exemplars;
    /// Operations that ended, by return code, execution status or gRPC code too; appears with the first of its code.
    OPERATION_RESULTS: Counter "datasphere_operation_results_total" ["project_id", "kind", "outcome", "code"];
    /// Time from created to done of operations that ended.
    OPERATION_DURATION: Histogram "datasphere_operation_duration_seconds" ["project_id", "kind", "outcome"] native exemplars;
    /// Time from started to finished of successful jobs, by the API's own times.
    JOB_DURATION: Histogram "datasphere_job_duration_seconds" ["project_id", "job_name"] native exemplars;
    /// Time that jobs spent in a status, observed when it is left.
    JOB_STATUS_DURATION: Histogram "datasphere_job_status_duration_seconds" ["project_id", "status"] native exemplars;
    /// Ended jobs whose stored data will be deleted within the warning time.
    JOBS_DATA_EXPIRING: Gauge "datasphere_jobs_data_expiring" ["project_id"];
    /// When the newest execution of this job name ended, in unix time.
    JOB_LAST_COMPLETION: Gauge "datasphere_job_last_completion_timestamp_seconds" ["project_id", "job_name"];
    /// When the newest successful execution of this job name ended, in unix time; survives retention.
    JOB_LAST_SUCCESS: Gauge "datasphere_job_last_success_timestamp_seconds" ["project_id", "job_name"];
    /// 1 for the outcome of the newest ended execution of this job name, 0 for the others.
    JOB_LAST_OUTCOME: Gauge "datasphere_job_last_outcome" ["project_id", "job_name", "outcome"];
    /// Time from started to finished of the newest ended execution of this job name.
    JOB_LAST_DURATION: Gauge "datasphere_job_last_duration_seconds" ["project_id", "job_name"];
    /// Return code of the newest ended execution of this job name, where it is known.
    JOB_LAST_RETURN_CODE: Gauge "datasphere_job_last_return_code" ["project_id", "job_name"];
    /// Always 1; joins the names of a project to its id.
    PROJECT_INFO: Gauge "datasphere_project_info" ["project_id", "project_name", "community_id"];
    /// Units that the project has left; absent when it has no limit, and may be negative.
    PROJECT_UNIT_BALANCE: Gauge "datasphere_project_unit_balance" ["project_id"];
    /// Sum of the decreases of the project's unit balance that were seen; a top-up does not bend it.
    PROJECT_UNITS_SPENT: Counter "datasphere_project_units_spent_total" ["project_id"];
    /// Limit of the units that the project may spend, an hour or an execution; absent when not set.
    PROJECT_LIMIT_UNITS: Gauge "datasphere_project_limit_units" ["project_id", "scope"];
}
