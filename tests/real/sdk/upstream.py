"""A small DataSphere made with the official stubs, so that nobody's encoder but theirs writes the bytes.

    upstream.py --port N        serves on 127.0.0.1:N and prints one line of JSON that tells what is there
    upstream.py --check ADDR    looks at everything once, with the official stubs as well

Everything stands still, except that one job makes progress: an exporter that follows it must find exactly EXPECTED.
"""

import argparse
import concurrent.futures
import json
import signal
import sys
import time

import grpc
from google.protobuf import any_pb2, empty_pb2, timestamp_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2
from yandex.cloud.datasphere.v1 import project_service_pb2 as v1
from yandex.cloud.datasphere.v1.node_execution_error_details_pb2 import NodeExecutionErrorDetails
from yandex.cloud.datasphere.v2 import project_pb2, project_service_pb2 as v2
from yandex.cloud.datasphere.v2 import project_service_pb2_grpc
from yandex.cloud.datasphere.v2.jobs import jobs_pb2 as jobs
from yandex.cloud.datasphere.v2.jobs import project_job_service_pb2 as job_service
from yandex.cloud.datasphere.v2.jobs import project_job_service_pb2_grpc
from yandex.cloud.endpoint import api_endpoint_pb2, api_endpoint_service_pb2 as endpoint_service
from yandex.cloud.endpoint import api_endpoint_service_pb2_grpc
from yandex.cloud.operation import operation_pb2, operation_service_pb2, operation_service_pb2_grpc

COMMUNITY = "bt1upstreamcommunity"
PROJECT = "bt1upstreamproject00"
BALANCE = 12345
STARTED = int(time.time()) - 600
SECRET = "canary-secret-of-upstream"

# What an exporter must make of each operation; `return_code` null means that the operation tells none.
EXPECTED = {
    "bt1upoprunning000000": {"kind": "job", "done": False, "status": "EXECUTING"},
    "bt1upopsuccess000000": {"kind": "job", "done": True, "outcome": "success", "return_code": 0},
    "bt1upopkilled0000000": {"kind": "job", "done": True, "outcome": "failure", "return_code": 137},
    "bt1upopnegative00000": {"kind": "job", "done": True, "outcome": "failure", "return_code": -9},
    "bt1upopnoresult00000": {"kind": "job", "done": True, "outcome": "success", "return_code": None},
    "bt1upopquota00000000": {"kind": "job", "done": True, "outcome": "error", "code": "RESOURCE_EXHAUSTED"},
    "bt1upopfailing000000": {"kind": "job", "done": False, "status": "ERROR", "code": "INTERNAL"},
    "bt1upopcancelled0000": {"kind": "job", "done": True, "outcome": "cancelled", "code": "CANCELLED"},
    "bt1upopoldmeta000000": {"kind": "job", "done": False, "status": "PREPARING"},
    "bt1upopstatus9900000": {"kind": "job", "done": False, "status": "UNKNOWN"},
    "bt1upopnotebook00000": {"kind": "notebook", "done": True, "outcome": "success"},
    "bt1upopnotebookbad00": {"kind": "notebook", "done": True, "outcome": "failure"},
    "bt1upopnotebookabo00": {"kind": "notebook", "done": True, "outcome": "cancelled"},
    "bt1upopnotebookrun00": {"kind": "notebook", "done": False},
    "bt1upopnotebookv1000": {"kind": "notebook", "done": True, "outcome": "success"},
    "bt1upopnotebookexc00": {"kind": "notebook", "done": True, "outcome": "error", "code": "UNKNOWN"},
    "bt1upopopening000000": {"kind": "other", "done": False},
    "bt1upopdeleted000000": {"kind": "other", "done": True, "outcome": "success"},
    "bt1upopunheardof0000": {"kind": "other", "done": False},
}


def stamp(seconds: float) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def packed(message) -> any_pb2.Any:
    packed_message = any_pb2.Any()
    packed_message.Pack(message)
    return packed_message


def job_id(operation_id: str) -> str:
    return operation_id.replace("bt1upop", "bt1job0")


def job(operation_id: str, status: int, finished: bool, details: str = "") -> jobs.Job:
    message = jobs.Job(
        id=job_id(operation_id),
        name=operation_id[7:].rstrip("0") + "-2025-06-01",
        desc="a job of the upstream",
        created_at=stamp(STARTED),
        status=status,
        config=f"env: {{vars: [PASSWORD: {SECRET}]}}",
        created_by_id="ajeupstreamauthor000",
        project_id=PROJECT,
        job_parameters=jobs.JobParameters(
            cmd=f"python train.py --password {SECRET}",
            env=jobs.Environment(vars={"PASSWORD": SECRET}),
            cloud_instance_types=[jobs.CloudInstanceType(name="g1.1")],
        ),
        data_size_bytes=123456789,
        started_at=stamp(STARTED + 60),
        status_details=details,
        actual_cloud_instance_type=jobs.CloudInstanceType(name="g1.1"),
    )
    if finished:
        message.finished_at.CopyFrom(stamp(STARTED + 300.5))
        message.data_expires_at.CopyFrom(stamp(STARTED + 14 * 86400))
    return message


def metadata_of(message: jobs.Job) -> jobs.JobMetadata:
    metadata = jobs.JobMetadata(
        id=message.id,
        name=message.name,
        description=message.desc,
        created_at=message.created_at,
        started_at=message.started_at,
        status=message.status,
        status_details=message.status_details,
        created_by_id=message.created_by_id,
        project_id=message.project_id,
    )
    if message.HasField("finished_at"):
        metadata.finished_at.CopyFrom(message.finished_at)
        metadata.data_expires_at.CopyFrom(message.data_expires_at)
    return metadata


def blank(operation_id: str) -> operation_pb2.Operation:
    return operation_pb2.Operation(
        id=operation_id,
        description="an operation of the upstream",
        created_at=stamp(STARTED),
        created_by="ajeupstreamauthor000",
        modified_at=stamp(STARTED + 300.5),
    )


def job_operation(operation_id: str, status: int, done: bool = False, only_old: bool = False, **result):
    message = job(operation_id, status, finished=status in (jobs.SUCCESS, jobs.ERROR, jobs.CANCELLED))
    metadata = job_service.ExecuteProjectJobMetadata(job=message)
    if not only_old:
        metadata.metadata.CopyFrom(metadata_of(message))
    operation = blank(operation_id)
    operation.done = done
    if operation_id == "bt1upoprunning000000":
        percent = min(100, int(time.time() - STARTED) // 30)
        told_at = stamp(STARTED + percent * 30)
        metadata.progress.CopyFrom(jobs.JobProgress(message=f"epoch {percent}", progress=percent, create_time=told_at))
    operation.metadata.CopyFrom(packed(metadata))
    if "error" in result:
        operation.error.CopyFrom(result["error"])
    elif "response" in result:
        operation.response.CopyFrom(packed(result["response"]))
    return operation


def ended(operation_id: str, return_code) -> operation_pb2.Operation:
    desc = jobs.FileDesc(path="model.pt", var="MODEL")
    response = job_service.ExecuteProjectJobResponse(
        output_files=[jobs.StorageFile(file=jobs.File(desc=desc), url=f"https://storage.invalid/{SECRET}")],
        output_files_errors=[
            jobs.FileUploadError(log_file_name="debug.log", type=jobs.FileUploadError.ErrorType.NOT_FOUND)
        ],
    )
    if return_code is not None:
        response.result.CopyFrom(jobs.JobResult(return_code=return_code))
    return job_operation(operation_id, jobs.SUCCESS, done=True, response=response)


def error(code: int, message: str, *details) -> status_pb2.Status:
    return status_pb2.Status(code=code, message=message, details=[packed(detail) for detail in details])


def notebook(operation_id: str, status=None, done: bool = True) -> operation_pb2.Operation:
    operation = blank(operation_id)
    operation.done = done
    operation.metadata.CopyFrom(packed(v2.ProjectExecutionMetadata(project_id=PROJECT, notebook_id="Отчёт/день 1.ipynb")))
    if status is not None:
        operation.response.CopyFrom(packed(v2.ProjectExecutionResponse(execution_status=status)))
    return operation


def operations() -> dict:
    """Every operation as it is now."""
    quota = error_details_pb2.QuotaFailure(
        violations=[error_details_pb2.QuotaFailure.Violation(subject="jobs", description="10 of 10")]
    )
    old_notebook = blank("bt1upopnotebookv1000")
    old_notebook.done = True
    old_notebook.metadata.CopyFrom(packed(v1.ProjectExecutionMetadata(project_id=PROJECT, notebook_id="a.ipynb")))
    old_notebook.response.CopyFrom(packed(v1.ProjectExecutionResponse()))
    raised = notebook("bt1upopnotebookexc00")
    detail = NodeExecutionErrorDetails(error_name="ValueError", error_message=SECRET, traceback=[SECRET])
    raised.error.CopyFrom(error(2, "cell failed", detail))
    opening = blank("bt1upopopening000000")
    opening.metadata.CopyFrom(
        packed(v2.OpenProjectMetadata(project_id=PROJECT, status=v2.OpenProjectMetadata.OPEN_PROJECT_STATUS_ALLOCATING_VM))
    )
    deleted = blank("bt1upopdeleted000000")
    deleted.done = True
    deleted.metadata.CopyFrom(packed(v2.DeleteProjectMetadata(project_id=PROJECT)))
    deleted.response.CopyFrom(packed(empty_pb2.Empty()))
    unheard_of = blank("bt1upopunheardof0000")
    unheard_of.metadata.type_url = "type.googleapis.com/yandex.cloud.compute.v1.CreateInstanceMetadata"
    unheard_of.metadata.value = b"\x0a\x03abc"
    everything = [
        job_operation("bt1upoprunning000000", jobs.EXECUTING),
        ended("bt1upopsuccess000000", 0),
        ended("bt1upopkilled0000000", 137),
        ended("bt1upopnegative00000", -9),
        ended("bt1upopnoresult00000", None),
        job_operation(
            "bt1upopquota00000000", jobs.ERROR, done=True, error=error(8, "Job execution quota exhausted", quota)
        ),
        job_operation("bt1upopfailing000000", jobs.ERROR, error=error(13, "Virtual machine was lost")),
        job_operation("bt1upopcancelled0000", jobs.CANCELLED, done=True, error=error(1, "Operation was cancelled")),
        job_operation("bt1upopoldmeta000000", jobs.PREPARING, only_old=True),
        job_operation("bt1upopstatus9900000", 99),
        notebook("bt1upopnotebook00000", v2.OK),
        notebook("bt1upopnotebookbad00", v2.ERROR),
        notebook("bt1upopnotebookabo00", v2.ABORTED),
        notebook("bt1upopnotebookrun00", done=False),
        old_notebook,
        raised,
        opening,
        deleted,
        unheard_of,
    ]
    return {operation.id: operation for operation in everything}


def listed_jobs() -> list:
    """The jobs of the project, as the listing tells them."""
    found = []
    for operation in operations().values():
        metadata = job_service.ExecuteProjectJobMetadata()
        if operation.metadata.Unpack(metadata):
            found.append(metadata.job)
    return found


class Operations(operation_service_pb2_grpc.OperationServiceServicer):
    def Get(self, request, context):
        operation = operations().get(request.operation_id)
        if operation is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Operation {request.operation_id} not found")
        return operation


class Jobs(project_job_service_pb2_grpc.ProjectJobServiceServicer):
    def List(self, request, context):
        if request.project_id != PROJECT:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied")
        jobs_now = listed_jobs()
        if request.filter:
            words = request.filter.partition("(")[2].rstrip(")").split(",")
            wanted = {jobs.JobStatus.Value(word.strip()) for word in words}
            jobs_now = [job_now for job_now in jobs_now if job_now.status in wanted]
        start = int(request.page_token or 0)
        size = request.page_size or 50
        following = str(start + size) if start + size < len(jobs_now) else ""
        return job_service.ListProjectJobResponse(jobs=jobs_now[start : start + size], next_page_token=following)

    def Get(self, request, context):
        for job_now in listed_jobs():
            if job_now.id == request.job_id:
                return job_now
        context.abort(grpc.StatusCode.NOT_FOUND, f"Job {request.job_id} not found")


class Projects(project_service_pb2_grpc.ProjectServiceServicer):
    def Get(self, request, context):
        if request.project_id != PROJECT:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied")
        return project_pb2.Project(
            id=PROJECT,
            created_at=stamp(STARTED - 86400),
            name="upstream",
            community_id=COMMUNITY,
            limits=project_pb2.Project.Limits(max_units_per_hour=wrappers_pb2.Int64Value(value=5000)),
        )

    def List(self, request, context):
        if request.community_id != COMMUNITY:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission denied")
        return v2.ListProjectsResponse(projects=[self.Get(v2.GetProjectRequest(project_id=PROJECT), context)])

    def GetUnitBalance(self, request, context):
        return v2.GetUnitBalanceResponse(unit_balance=wrappers_pb2.Int64Value(value=BALANCE))


class Endpoints(api_endpoint_service_pb2_grpc.ApiEndpointServiceServicer):
    def __init__(self, address: str) -> None:
        self.address = address

    def List(self, request, context):
        names = ("datasphere", "endpoint", "iam", "operation")
        found = [api_endpoint_pb2.ApiEndpoint(id=name, address=self.address) for name in names]
        return endpoint_service.ListApiEndpointsResponse(endpoints=found)


def serve(port: int) -> None:
    address = f"127.0.0.1:{port}"
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    operation_service_pb2_grpc.add_OperationServiceServicer_to_server(Operations(), server)
    project_job_service_pb2_grpc.add_ProjectJobServiceServicer_to_server(Jobs(), server)
    project_service_pb2_grpc.add_ProjectServiceServicer_to_server(Projects(), server)
    api_endpoint_service_pb2_grpc.add_ApiEndpointServiceServicer_to_server(Endpoints(address), server)
    if not server.add_insecure_port(address):
        sys.exit(f"upstream.py: cannot listen on {address}")
    server.start()
    told = {
        "address": address,
        "community_id": COMMUNITY,
        "project_id": PROJECT,
        "balance": BALANCE,
        "secret": SECRET,
        "operations": {
            key: {**value, **({"job_id": job_id(key)} if value["kind"] == "job" else {})}
            for key, value in EXPECTED.items()
        },
    }
    print(json.dumps(told), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    server.wait_for_termination()


def check(address: str) -> None:
    channel = grpc.insecure_channel(address)
    stub = operation_service_pb2_grpc.OperationServiceStub(channel)
    for operation_id, expected in EXPECTED.items():
        operation = stub.Get(operation_service_pb2.GetOperationRequest(operation_id=operation_id))
        if operation.done != expected["done"]:
            sys.exit(f"upstream.py: FAILED: {operation_id} is not as expected\n{operation}")
    listed = project_job_service_pb2_grpc.ProjectJobServiceStub(channel).List(
        job_service.ListProjectJobRequest(project_id=PROJECT, filter="status IN (EXECUTING, PREPARING)")
    )
    if {found.status for found in listed.jobs} != {jobs.EXECUTING, jobs.PREPARING}:
        sys.exit(f"upstream.py: FAILED: the listing is not as expected\n{listed}")
    print("upstream.py: everything is there")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--port", type=int)
    what.add_argument("--check")
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.check)
    else:
        serve(arguments.port)
