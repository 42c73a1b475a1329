"""The program under test: the demo, or `serve` beside `simulate`, on ports of 127.0.0.1."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit import formats
from kit.deadline import wait_until
from kit.exposition import Exposition
from kit.programs import BINARY, Cleanup, Program, new_folder, start
from kit.scenarios import Scenario
from kit.web import Answer, answers, free_port, get

# What the first looks at a cloud that answers may take.
READY_SECONDS = 10
# A look at something that cannot be reached may not hold readiness back for longer.
READINESS_GRACE_SECONDS = 30
# What a busy machine may take beside.
SLACK_SECONDS = 5


@dataclass
class Exporter:
    """A running exporter."""

    program: Program
    port: int
    # Starts it again, on the same port and on what it kept.
    again: Callable[[], "Exporter"] | None = None

    def is_answering(self) -> bool:
        return answers(self.port, "/-/healthy")

    def scrape(self, timeout: float = 10, **headers: str) -> Answer:
        return get(self.port, "/metrics", timeout, **headers)

    def exposition(self) -> Exposition:
        """What it says now."""
        answer = self.scrape(accept="text/plain;version=0.0.4")
        return formats.read(answer.content_type, answer.body)

    def is_ready(self) -> bool:
        return answers(self.port, "/-/ready")

    def wait_listening(self) -> None:
        wait_until("the exporter listens", lambda: self.ended() or answers(self.port, "/-/healthy"), 20)

    def wait_ready(self) -> None:
        """Until it has looked at everything once; a program that ended is told at once."""
        wait_until("the exporter is ready", lambda: self.ended() or self.is_ready(), READY_SECONDS)

    def ended(self) -> bool:
        if not self.program.is_running():
            raise RuntimeError(f"the exporter ended by itself: {self.program}")
        return False


def demo(cleanup: Cleanup, jobs: int = 40) -> Exporter:
    """The demo with a lively fleet, once it is ready."""
    port = free_port()
    program = start(cleanup, "demo", BINARY, "demo", f"--jobs={jobs}", f"--web.listen-address=127.0.0.1:{port}")
    exporter = Exporter(program, port)
    exporter.wait_ready()
    return exporter


def simulate(cleanup: Cleanup, scenario: Scenario, port: int, seconds: float = 20) -> Program:
    """The simulator alone, once it listens; a large scenario takes its time."""
    file = new_folder() / "scenario.yaml"
    file.write_text(scenario.text())
    program = start(cleanup, "simulate", BINARY, "simulate", f"--listen-address=127.0.0.1:{port}", "--scenario", file)
    wait_until("the simulator listens", lambda: accepts(port) or not program.is_running(), seconds)
    if not program.is_running():
        raise RuntimeError(f"the simulator ended by itself: {program}")
    return program


def configuration_for(
    endpoint_port: int,
    watch: dict,
    storage: Path | None = None,
    sections: Mapping[str, dict] | None = None,
    transport: str = "grpc",
) -> Path:
    """A configuration for an endpoint of 127.0.0.1 without TLS, which keeps its state in a folder of its own."""
    configuration = {
        "cloud": {
            "endpoint": f"127.0.0.1:{endpoint_port}",
            "transport": transport,
            "tls": {"enabled": False},
            "auth": {"anonymous": {}},
        },
        "watch": watch,
        "storage": {"path": str(storage or new_folder() / "data")},
        **(sections or {}),
    }
    file = new_folder() / "config.yaml"
    # JSON is YAML too.
    file.write_text(json.dumps(configuration))
    return file


def serve(
    cleanup: Cleanup,
    endpoint_port: int,
    watch: dict,
    environment: Mapping[str, str] | None = None,
    storage: Path | None = None,
    sections: Mapping[str, dict] | None = None,
) -> Exporter:
    """The exporter on such an endpoint, as soon as it listens; with further sections of configuration."""
    port = free_port()
    configuration = configuration_for(endpoint_port, watch, storage, sections)
    flags = [f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}"]

    def begin() -> Exporter:
        exporter = Exporter(start(cleanup, "serve", BINARY, "serve", *flags, environment=environment), port, begin)
        exporter.wait_listening()
        return exporter

    return begin()


def serve_beside(cleanup: Cleanup, scenario: Scenario, interval: str) -> tuple[Exporter, Program, int]:
    """The exporter on a simulator of its own, that simulator and its port."""
    port = free_port()
    simulator = simulate(cleanup, scenario, port)
    return serve(cleanup, port, scenario.watch(interval)), simulator, port


def accepts(port: int) -> bool:
    """Whether somebody listens on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
