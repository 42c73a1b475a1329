"""Programs that run beside a check: started, waited for, and ended with it."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

BINARY = os.environ["BIN"]
TOOLS = Path(os.environ["TOOLS"])

# `addCleanup` of a test, or `addClassCleanup` of a class of tests.
Cleanup = Callable[..., object]

# How long a program may take to end once it is asked to.
GRACE_SECONDS = 10


# Every program of this check, for quoting.
STARTED: list["Program"] = []


class Program:
    """A running program and the file that both of its outputs go to."""

    def __init__(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None):
        self.name = name
        self.out = Path(tempfile.mkdtemp(prefix=f"{name}-")) / "out"
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=plain_environment() | dict(environment or {}),
                cwd=self.out.parent,
            )

    def lines(self) -> list[str]:
        """What it has said so far."""
        return self.out.read_text(errors="replace").splitlines()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def terminate(self) -> int:
        """Asks it to end and returns its exit code."""
        return self.end(signal.SIGTERM)

    def end(self, ask: signal.Signals) -> int:
        """Sends a signal that a program ends by, and returns its exit code."""
        self.process.send_signal(ask)
        return self.process.wait(GRACE_SECONDS)

    def kill(self) -> None:
        """Ends it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def __repr__(self) -> str:
        said = "\n".join(f"    {line}" for line in self.lines()[-20:])
        return f"{self.name}, exit code {self.process.poll()}, said at last:\n{said}"


def start(cleanup: Cleanup, name: str, *command: str | Path, environment: Mapping[str, str] | None = None) -> Program:
    """Starts a program that is killed when the test, or the class of tests, is over."""
    program = Program(name, command, environment)
    STARTED.append(program)
    cleanup(program.kill)
    return program


def new_folder() -> Path:
    """An empty folder; it goes with the check's own."""
    return Path(tempfile.mkdtemp())


def main() -> None:
    """Runs the tests of a check; when one failed, every program that was started is quoted."""
    result = unittest.main(exit=False).result
    if not result.wasSuccessful():
        print(*STARTED, sep="\n")
        sys.exit(1)


def plain_environment() -> dict[str, str]:
    """The environment without what would configure the exporter or send it through a proxy."""
    unwanted = ("DATASPHERE_EXPORTER_", "YC_", "OTEL_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def run(*command: str | Path, stdin: bytes = b"", seconds: float = 20) -> subprocess.CompletedProcess[bytes]:
    """Runs a program to its end and returns its exit code and both outputs."""
    return subprocess.run(
        [str(word) for word in command], input=stdin, capture_output=True, timeout=seconds, env=plain_environment()
    )
