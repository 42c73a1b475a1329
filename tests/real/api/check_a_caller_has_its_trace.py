"""A client with a span of its own hands it over, and finds the operation in its trace.

The client is OpenTelemetry's own SDK, and both send their spans to one real collector.
"""

# Limit: 300 s

import json
import unittest
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from yandex.cloud.datasphere.v2.project_service_pb2 import ProjectExecutionRequest
from yandex.cloud.datasphere.v2.project_service_pb2_grpc import ProjectServiceStub

from kit.deadline import wait_until
from kit.exporter import Exporter, serve, simulate
from kit.programs import main
from kit.rotel import Rotel
from kit.scenarios import ALL_STAGES, PROJECT, Scenario, job
from kit.web import free_port

TIMELINE = [{"status": status, "lasts": "1s"} for status in ALL_STAGES]
FLEET = Scenario([job(1, "train", *ALL_STAGES, start="3s", timeline=TIMELINE), job(2, "over", *ALL_STAGES)])


class ACaller(unittest.TestCase):
    def setUp(self) -> None:
        self.rotel = Rotel(self.addCleanup)
        port = free_port()
        simulate(self.addCleanup, FLEET, port)
        watch = {"interval": "1s", "interval_max": "1s"}
        self.gateway = free_port()
        sections = {"api": {"actions": True}, "gateway": {"listen_address": f"127.0.0.1:{self.gateway}"}}
        environment = self.rotel.environment("http/protobuf")
        self.exporter: Exporter = serve(self.addCleanup, port, watch, environment, sections=sections)
        self.exporter.wait_ready()
        spans = OTLPSpanExporter(f"http://127.0.0.1:{self.rotel.ports['http/protobuf']}/v1/traces")
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        self.addCleanup(provider.shutdown)
        self.tracer = provider.get_tracer("a client")

    @contextmanager
    def span(self, name: str) -> Iterator[tuple[str, str, str]]:
        """A span of the client, with what it hands over and its ids."""
        with self.tracer.start_as_current_span(name):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            context = trace.get_current_span().get_span_context()
            yield carrier["traceparent"], f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def ask(self, method: str, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.exporter.port}/api/v1/{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            self.assertEqual(answer.status, 201)
            return json.load(answer)

    def finds(self, root: str, trace_id: str, span_id: str) -> None:
        """The client's span arrived, and the operation's root is its child."""

        def arrived() -> bool:
            kept = self.rotel.kept
            roots = [key for key, name in kept.names().items() if key[0] == trace_id and name == root]
            return (trace_id, span_id) in kept.names() and [kept.parent(key) for key in roots] == [span_id]

        wait_until(f"{root} is below the client's span", arrived, 60)

    def test_an_operation_that_is_put_under_watch(self) -> None:
        operation = FLEET.jobs[0]["operation_id"]
        with self.span("nightly") as (traceparent, trace_id, span_id):
            self.ask("PUT", f"operations/{operation}", {"traceparent": traceparent, "labels": {"team": "nlp"}})
        self.finds("RUN train", trace_id, span_id)
        self.assertEqual(self.rotel.kept.orphans(), [])

    def test_a_notebook_that_is_started(self) -> None:
        with self.span("report") as (traceparent, trace_id, span_id):
            body = {"notebook": "report.ipynb", "inputs": {"day": "monday"}, "traceparent": traceparent}
            started = self.ask("POST", f"projects/{PROJECT}:execute", body)
        self.assertEqual(started["kind"], "notebook")
        self.has_a_child(trace_id, span_id)

    def test_a_notebook_that_is_started_through_the_gateway(self) -> None:
        with self.span("over gRPC") as (traceparent, trace_id, span_id):
            request = ProjectExecutionRequest(project_id=PROJECT, notebook_id="report.ipynb")
            with grpc.insecure_channel(f"127.0.0.1:{self.gateway}") as channel:
                stub = ProjectServiceStub(channel)
                started = stub.Execute(request, metadata=[("traceparent", traceparent)], timeout=20)
        self.assertTrue(started.id)
        self.has_a_child(trace_id, span_id)

    def test_a_notebook_that_is_started_through_the_gateway_over_rest(self) -> None:
        with self.span("over REST") as (traceparent, trace_id, span_id):
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.gateway}/datasphere/v2/projects/{PROJECT}:execute",
                json.dumps({"notebookId": "report.ipynb"}).encode(),
                {"content-type": "application/json", "traceparent": traceparent},
                method="POST",
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                self.assertTrue(json.load(answer)["id"])
        self.has_a_child(trace_id, span_id)

    def has_a_child(self, trace_id: str, span_id: str) -> None:
        """The client's span has one child, in its own trace."""
        kept = self.rotel.kept

        def roots() -> list[tuple[str, str]]:
            return [key for key in kept.names() if kept.parent(key) == span_id]

        self.assertEqual([key[0] for key in wait_until("the notebook is over", roots, 90)], [trace_id])


if __name__ == "__main__":
    main()
