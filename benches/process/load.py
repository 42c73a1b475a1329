"""Everybody who wants something of the exporter: scrapers, readers, callers of the API and of the gateway, and the
collector of traces that it sends to. Each is a thread that begins anew after whatever goes wrong."""

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from fleet import PROJECT, TOKEN
from kit.accept import ACCEPT
from kit.web import get
from yandex.cloud.datasphere.v2.jobs import jobs_pb2 as jobs
from yandex.cloud.datasphere.v2.jobs import project_job_service_pb2 as job_service
from yandex.cloud.datasphere.v2.jobs.project_job_service_pb2_grpc import ProjectJobServiceStub
from yandex.cloud.operation.operation_service_pb2 import CancelOperationRequest, GetOperationRequest
from yandex.cloud.operation.operation_service_pb2_grpc import OperationServiceStub

AUTHORIZATION = f"Bearer {TOKEN}"
# Of so many seconds the collector is away for so many.
COLLECTOR_PERIOD_SECONDS, COLLECTOR_AWAY_SECONDS = 600, 60
ENCODINGS = ("identity", "gzip", "zstd")


class Load:
    """All of them, and how often each did what it does."""

    def __init__(self, web: int, gateway: int):
        self.web, self.gateway = web, gateway
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._again, args=each, daemon=True) for each in self._everybody()]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(15)

    def _everybody(self) -> list[tuple[Callable[[], None], float]]:
        """What each does, and how long it rests in between, in seconds."""
        self._ways = itertools.cycle(itertools.product(sorted(set(ACCEPT.values())), ENCODINGS))
        readers = [(self._read_events, 2.0)] * 4
        callers = [(self._run_a_job, 1.0)] * 2 + [(self._run_a_notebook, 1.0)] * 2
        writers = [(self._track_and_untrack, 0.5)] * 2
        return [(self._scrape, 3.0), (self._scrape_and_hang_up, 7.0), (self._list, 2.0), *readers, *callers, *writers]

    def _again(self, act: Callable[[], None], rest_seconds: float) -> None:
        name = act.__name__.strip("_")
        while not self._over.wait(rest_seconds * random.uniform(0.5, 1.5)):
            try:
                act()
                self.done[name] += 1
            except grpc.RpcError as error:
                self.failed[f"{name}: {error.code().name}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed[f"{name}: {error or type(error).__name__}"] += 1

    def _scrape(self) -> None:
        accept, encoding = next(self._ways)
        get(self.web, "/metrics", 30, accept=accept, accept_encoding=encoding)

    def _scrape_and_hang_up(self) -> None:
        with self._opened(self.web, "GET", "/metrics") as answer:
            answer.read(100_000)

    def _list(self) -> None:
        for path in ("/api/v1/operations?limit=500", "/", "/-/ready", "/api/v1/nothing"):
            get(self.web, path)

    def _read_events(self) -> None:
        until = time.monotonic() + random.uniform(1, 20)
        with self._opened(self.web, "GET", "/api/v1/events") as answer:
            while time.monotonic() < until and answer.readline():
                pass

    def _track_and_untrack(self) -> None:
        """An operation that nobody knows: it is looked at, not found, and taken off again."""
        path = f"/api/v1/operations/bt1nobody{random.randrange(10**11):011}"
        with self._opened(self.web, "PUT", path, json.dumps({"labels": {"team": "soak"}})) as answer:
            answer.read()
        self._over.wait(random.uniform(0, 5))
        with self._opened(self.web, "DELETE", path) as answer:
            answer.read()

    def _run_a_notebook(self) -> None:
        """Over REST, and looked at through the gateway until it has ended."""
        path = f"/datasphere/v2/projects/{PROJECT}:execute"
        operation = self._rest("POST", path, json.dumps({"notebookId": f"soak/{random.randrange(50)}.ipynb"}))
        for _ in range(10):
            self._over.wait(0.5)
            if self._rest("GET", f"/operations/{operation['id']}").get("done"):
                return

    def _run_a_job(self) -> None:
        """Over gRPC, on a connection of its own; some are cancelled, and of some the log is read and given up."""
        metadata = [("authorization", AUTHORIZATION)]
        with grpc.insecure_channel(f"127.0.0.1:{self.gateway}") as channel:
            known, operations = ProjectJobServiceStub(channel), OperationServiceStub(channel)
            parameters = jobs.JobParameters(cmd="true", output_files=[jobs.FileDesc(path="model.txt")])
            request = job_service.CreateProjectJobRequest(
                project_id=PROJECT, name="from-outside", config="cmd: true", job_parameters=parameters
            )
            created = known.Create(request, timeout=20, metadata=metadata)
            told = job_service.CreateProjectJobMetadata()
            created.metadata.Unpack(told)
            request = job_service.ExecuteProjectJobRequest(job_id=told.job_id)
            operation = known.Execute(request, timeout=20, metadata=metadata)
            if random.random() < 0.5:
                request = job_service.ReadProjectJobLogsRequest(job_id=told.job_id)
                log = known.ReadLogs(request, timeout=30, metadata=metadata)
                self._over.wait(1)
                log.cancel()
            if random.random() < 0.2:
                operations.Cancel(CancelOperationRequest(operation_id=operation.id), timeout=20, metadata=metadata)
            for _ in range(10):
                self._over.wait(0.5)
                request = GetOperationRequest(operation_id=operation.id)
                if operations.Get(request, timeout=20, metadata=metadata).done:
                    return

    def _rest(self, method: str, path: str, body: str | None = None) -> dict:
        with self._opened(self.gateway, method, path, body) as answer:
            told = answer.read()
            if answer.status != 200:
                raise http.client.HTTPException(f"{method} {answer.status}")
            return json.loads(told)

    @contextlib.contextmanager
    def _opened(self, port: int, method: str, path: str, body: str | None = None):
        """The answer to a request on a connection of its own, which is closed however much was read."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"content-type": "application/json"} if body else {}
        if port == self.gateway:
            headers["authorization"] = AUTHORIZATION
        try:
            connection.request(method, path, body, headers)
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()


class Forgetful:
    """A collector of traces that counts bytes, keeps nothing, and is away now and then."""

    def __init__(self):
        self.requests = self.bytes = self.refused = 0
        began, collector = time.monotonic(), self

        class Export(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_away = (time.monotonic() - began) % COLLECTOR_PERIOD_SECONDS > (
                    COLLECTOR_PERIOD_SECONDS - COLLECTOR_AWAY_SECONDS
                )
                if is_away:
                    collector.refused += 1
                else:
                    collector.requests += 1
                    collector.bytes += len(body)
                self.send_response(503 if is_away else 200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Export)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"
