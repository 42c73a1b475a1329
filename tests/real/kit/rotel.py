"""A real collector of traces, which passes everything on to one of ours that remembers it."""

import signal
from pathlib import Path

import rotel

from kit.collector import Collector
from kit.deadline import wait_until
from kit.exporter import accepts
from kit.programs import Cleanup, Program, start
from kit.web import free_port

AGENT = Path(rotel.__file__).parent / "rotel-agent"


class Rotel:
    """Takes OTLP over gRPC and over HTTP; may be stopped, killed and started again on the same ports."""

    def __init__(self, cleanup: Cleanup):
        self._cleanup = cleanup
        self.kept = Collector(cleanup)
        self.ports = {"grpc": free_port(), "http/protobuf": free_port()}
        self.program: Program = self.start()

    def environment(self, protocol: str) -> dict[str, str]:
        """What sends an exporter's spans here."""
        endpoint = f"http://127.0.0.1:{self.ports[protocol]}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}

    def start(self) -> Program:
        command = [AGENT, "start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]
        command += ["--otlp-grpc-endpoint", f"127.0.0.1:{self.ports['grpc']}"]
        command += ["--otlp-http-endpoint", f"127.0.0.1:{self.ports['http/protobuf']}"]
        command += ["--otlp-exporter-endpoint", self.kept.endpoint(), "--traces-batch-timeout", "100ms"]
        program = start(self._cleanup, "rotel", *command)
        wait_until("rotel listens", lambda: program.is_running() and self._accepts(), 20)
        self.program = program
        return program

    def _accepts(self) -> bool:
        return all(accepts(port) for port in self.ports.values())

    def stop(self) -> None:
        """Freezes it: it takes connections and answers nothing."""
        self.program.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.program.kill()
