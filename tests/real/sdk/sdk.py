"""The official SDK against the simulator: sdk.py HOST:PORT CA_FILE KEY_FILE [IAM_TOKEN].

It is given one endpoint and a service-account key, as users give them; discovery finds the rest.
"""

import json
import sys
import time

import grpc
from yandex.cloud.datasphere.v2.community_service_pb2 import ListCommunitiesRequest
from yandex.cloud.datasphere.v2.community_service_pb2_grpc import CommunityServiceStub
from yandex.cloud.datasphere.v2.jobs import jobs_pb2 as jobs
from yandex.cloud.datasphere.v2.jobs import project_job_service_pb2 as job_service
from yandex.cloud.datasphere.v2.jobs.project_job_service_pb2_grpc import ProjectJobServiceStub
from yandex.cloud.datasphere.v2 import project_service_pb2 as project_service
from yandex.cloud.datasphere.v2.project_service_pb2_grpc import ProjectServiceStub
from yandex.cloud.operation.operation_service_pb2 import CancelOperationRequest, GetOperationRequest
from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub
import yandexcloud

COMMUNITY = "bt1communityofthesdk"
PROJECT = "bt1projectofthesdk00"
OPERATION_FOR_EVER = "bt1operationforever0"


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"sdk.py: FAILED: {what}")
    print(f"sdk.py: {what}")


def refused(call, code: grpc.StatusCode) -> bool:
    try:
        call()
    except grpc.RpcError as error:
        return error.code() == code
    return False


def check_listings(sdk: yandexcloud.SDK) -> None:
    communities = sdk.client(CommunityServiceStub).List(ListCommunitiesRequest()).communities
    check([community.id for community in communities] == [COMMUNITY], "communities are listed")
    projects = sdk.client(ProjectServiceStub)
    listed = projects.List(project_service.ListProjectsRequest(community_id=COMMUNITY)).projects
    check([project.id for project in listed] == [PROJECT], "projects are listed")
    check(listed[0].limits.max_units_per_hour.value == 5000, "a project has its limits")
    balance = projects.GetUnitBalance(project_service.GetUnitBalanceRequest(project_id=PROJECT))
    check(0 < balance.unit_balance.value <= 1_000_000, "a project has its balance")
    stub = sdk.client(ProjectJobServiceStub)
    live = stub.List(job_service.ListProjectJobRequest(project_id=PROJECT, filter="status IN (EXECUTING, PREPARING)"))
    check([job.name for job in live.jobs] == ["for-ever"], "live jobs are listed by status")
    first = stub.List(job_service.ListProjectJobRequest(project_id=PROJECT, page_size=1))
    rest = stub.List(job_service.ListProjectJobRequest(project_id=PROJECT, page_token=first.next_page_token))
    check([job.name for job in [*first.jobs, *rest.jobs]] == ["for-ever", "yesterday"], "a listing has pages")
    denied = job_service.ListProjectJobRequest(project_id="bt1unknownproject000")
    check(refused(lambda: stub.List(denied), grpc.StatusCode.PERMISSION_DENIED), "an unknown project is denied")


def check_operation(sdk: yandexcloud.SDK) -> None:
    operations = sdk.client(OperationServiceStub)
    operation, call = operations.Get.with_call(GetOperationRequest(operation_id=OPERATION_FOR_EVER))
    metadata = job_service.ExecuteProjectJobMetadata()
    check(operation.metadata.Unpack(metadata), "the metadata of an operation unpacks")
    check(metadata.metadata.status == jobs.EXECUTING == metadata.job.status, "both halves tell the status")
    check(metadata.progress.progress > 10, "progress is told")
    headers = {key for key, _ in call.initial_metadata()}
    check({"x-request-id", "x-server-trace-id"} <= headers, "answers carry the headers of support")
    unknown = GetOperationRequest(operation_id="bt1unknownoperation0")
    check(refused(lambda: operations.Get(unknown), grpc.StatusCode.NOT_FOUND), "an unknown operation is not found")


def check_job(sdk: yandexcloud.SDK) -> None:
    stub = sdk.client(ProjectJobServiceStub)
    created = sdk.wait_operation_and_get_result(
        stub.Create(
            job_service.CreateProjectJobRequest(
                project_id=PROJECT,
                name="from-the-sdk",
                config="cmd: true",
                job_parameters=jobs.JobParameters(cmd="true", output_files=[jobs.FileDesc(path="model.txt")]),
            )
        ),
        response_type=job_service.CreateProjectJobResponse,
        meta_type=job_service.CreateProjectJobMetadata,
    )
    check(created.meta.job_id == created.response.job_id, "a job is created")
    began = time.time()
    result = sdk.wait_operation_and_get_result(
        stub.Execute(job_service.ExecuteProjectJobRequest(job_id=created.response.job_id)),
        response_type=job_service.ExecuteProjectJobResponse,
        meta_type=job_service.ExecuteProjectJobMetadata,
        timeout=60,
    )
    check(time.time() - began > 3, "the job took its time")
    check(result.response.HasField("result") and result.response.result.return_code == 0, "the job succeeded")
    check(result.response.output_files[0].file.size_bytes == len("weights\n"), "the job made its file")
    job = stub.Get(job_service.GetProjectJobRequest(job_id=created.response.job_id))
    check(job.status == jobs.SUCCESS and job.created_by_id == "ajeaccountsimulated1", "the job knows its author")


def check_notebooks(sdk: yandexcloud.SDK) -> None:
    projects = sdk.client(ProjectServiceStub)
    for path, status in (("a/b c.ipynb", project_service.OK), ("broken.ipynb", project_service.ERROR)):
        result = sdk.wait_operation_and_get_result(
            projects.Execute(project_service.ProjectExecutionRequest(project_id=PROJECT, notebook_id=path)),
            response_type=project_service.ProjectExecutionResponse,
            meta_type=project_service.ProjectExecutionMetadata,
            timeout=60,
        )
        check(result.meta.notebook_id == path, f"{path} is executed")
        check(result.response.execution_status == status, f"{path} ended with status {status}")


def check_cancel(sdk: yandexcloud.SDK) -> None:
    stub, operations = sdk.client(ProjectJobServiceStub), sdk.client(OperationServiceStub)
    created = stub.Create(job_service.CreateProjectJobRequest(project_id=PROJECT, name="long-sdk"))
    response = job_service.CreateProjectJobResponse()
    created.response.Unpack(response)
    operation = stub.Execute(job_service.ExecuteProjectJobRequest(job_id=response.job_id))
    operations.Cancel(CancelOperationRequest(operation_id=operation.id))
    try:
        sdk.wait_operation_and_get_result(operation, timeout=60)
        cancelled = False
    except yandexcloud.operations.OperationError as error:
        cancelled = "Error code: 1." in str(error)
    check(cancelled, "a cancelled operation ends with CANCELLED")


def check_keys(address: str, roots: bytes, key: dict) -> None:
    stranger = yandexcloud.SDK(
        endpoint=address, root_certificates=roots, service_account_key={**key, "id": "ajekeyofnobody000000"}
    )
    operations = stranger.client(OperationServiceStub)
    request = GetOperationRequest(operation_id=OPERATION_FOR_EVER)
    # The plugin of the SDK turns every failure to get a token into UNAVAILABLE.
    codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
    check(any(refused(lambda: operations.Get(request), code) for code in codes), "an unknown key gets no token")
    false_token = yandexcloud.SDK(endpoint=address, root_certificates=roots, iam_token="t1.false.token")
    operations = false_token.client(OperationServiceStub)
    check(refused(lambda: operations.Get(request), grpc.StatusCode.UNAUTHENTICATED), "a false token is refused")


def main(address: str, ca_file: str, key_file: str, iam_token: str = "") -> None:
    with open(ca_file, "rb") as file:
        roots = file.read()
    with open(key_file, encoding="utf-8") as file:
        key = json.load(file)
    # The SDK writes its endpoint into what it signs with a key, and IAM takes only its own: elsewhere it needs a token.
    who = {"iam_token": iam_token} if iam_token else {"service_account_key": key}
    sdk = yandexcloud.SDK(endpoint=address, root_certificates=roots, **who)
    check_listings(sdk)
    check_operation(sdk)
    check_job(sdk)
    check_notebooks(sdk)
    check_cancel(sdk)
    check_keys(address, roots, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
