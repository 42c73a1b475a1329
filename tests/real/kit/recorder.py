"""A proxy between a Prometheus and the exporter that keeps what it passed on."""

import http.client
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kit.web import decompressed

# Headers that belong to one connection, not to what it carries.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "host", "content-length"}


@dataclass(frozen=True)
class Scrape:
    """One scrape as it passed by."""

    at: float
    accept: str
    status: int
    content_type: str
    body: bytes


class Recorder:
    """Serves `/<name>/metrics` with the exporter's `/metrics`, and keeps the scrapes of each name."""

    def __init__(self, exporter_port: int):
        self.scrapes: dict[str, list[Scrape]] = defaultdict(list)
        recorder = self

        class Passage(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                recorder._pass_on(self, exporter_port)

            def log_message(self, *_: object) -> None:
                """Scrapes are kept, not told."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A server or the exporter that went away in mid-scrape is found by what is missing."""

        self._server = Server(("127.0.0.1", 0), Passage)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass_on(self, request: BaseHTTPRequestHandler, exporter_port: int) -> None:
        at = time.time()
        name = request.path.split("/")[1]
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP_BY_HOP}
        connection = http.client.HTTPConnection("127.0.0.1", exporter_port, timeout=10)
        try:
            connection.request("GET", "/metrics", headers=headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        plain = decompressed(body, response.getheader("content-encoding"))
        scrape = Scrape(at, headers.get("Accept", ""), response.status, response.getheader("content-type", ""), plain)
        self.scrapes[name].append(scrape)
        request.send_response(response.status)
        for key, value in response.getheaders():
            if key.lower() not in HOP_BY_HOP:
                request.send_header(key, value)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
