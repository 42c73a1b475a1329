"""A collector of traces over OTLP/HTTP that remembers every content in which a span arrived."""

import gzip
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit.programs import Cleanup

# Trace id and span id.
Key = tuple[str, str]


class Collector:
    """Listens on a port of 127.0.0.1 until the test is over."""

    def __init__(self, cleanup: Cleanup):
        self._lock = threading.Lock()
        self._contents: dict[Key, set[bytes]] = defaultdict(set)
        self._parents: dict[Key, str] = {}
        self._names: dict[Key, str] = {}
        collector = self

        class Export(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """An exporter that is killed breaks its connections, which is what these checks do."""

        self._server = Server(("127.0.0.1", 0), Export)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        cleanup(self._server.server_close)
        cleanup(self._server.shutdown)

    def environment(self) -> dict[str, str]:
        """What sends an exporter's spans here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint(), "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}

    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _take(self, request: ExportTraceServiceRequest) -> None:
        with self._lock:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        key = (span.trace_id.hex(), span.span_id.hex())
                        content = resource.resource.SerializeToString(deterministic=True)
                        self._contents[key].add(content + span.SerializeToString(deterministic=True))
                        self._parents[key] = span.parent_span_id.hex()
                        self._names[key] = span.name

    def names(self) -> dict[Key, str]:
        with self._lock:
            return dict(self._names)

    def parent(self, key: Key) -> str:
        """The span above it; empty for a root."""
        with self._lock:
            return self._parents[key]

    def roots(self) -> set[Key]:
        """Spans without a parent."""
        with self._lock:
            return {key for key, parent in self._parents.items() if not parent}

    def started(self) -> set[str]:
        """Traces whose first sight was told."""
        with self._lock:
            return {trace for (trace, _), name in self._names.items() if name == "started"}

    def orphans(self) -> list[Key]:
        """Spans whose parent did not arrive."""
        with self._lock:
            return [
                key for key, parent in self._parents.items() if parent and (key[0], parent) not in self._parents
            ]

    def contradictions(self) -> list[Key]:
        """Spans that arrived with more than one content."""
        with self._lock:
            return [key for key, contents in self._contents.items() if len(contents) > 1]
