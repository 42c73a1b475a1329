"""What an exporter takes by the number of operations: series, bytes of a scrape, CPU of a look and of a scrape, memory.

    run.sh BINARY sizing [OPERATIONS…]         100, 1 000, 10 000 and 100 000 unless told

Operations are jobs that are named by id; one in ten is live. The exporter is a process of its own, with its store on
disk and without traces. Figures of time are those of the machine that is named with them.
"""

import http.client
import signal
import sys
import time
from contextlib import ExitStack

from kit.deadline import wait_until
from kit.exporter import Exporter, serve, simulate
from kit.formats import OPENMETRICS, PROTOBUF, TEXT
from kit.programs import Program
from kit.scenarios import ALL_STAGES, Scenario, job
from kit.web import free_port
from measures import cpu_seconds, machine, own_metrics, row, status_kib

OPERATIONS = (100, 1_000, 10_000, 100_000)
LIVE_EVERY = 10
FORMATS = {"text": TEXT, "OpenMetrics": OPENMETRICS, "protobuf": PROTOBUF}
ENCODINGS = ("identity", "gzip", "zstd")
# Looks at what is live, counted for so long.
LOOKS_SECONDS = 20
SCRAPES = 10


def main() -> int:
    counts = [int(word) for word in sys.argv[1:]] or OPERATIONS
    print(machine())
    for count in counts:
        with ExitStack() as stack:
            tell(count, *begin(stack, count))
    return 0


def begin(stack: ExitStack, count: int) -> tuple[Exporter, Program]:
    """An exporter on a simulator of its own, once it has looked at everything, and that simulator."""
    port = free_port()
    fleet = Scenario([one(number) for number in range(count)])
    simulator = simulate(stack.callback, fleet, port, 60 + count / 1000)
    watch = {
        "interval": "1s",
        "interval_max": "1s",
        "retention": "1d",
        "requests_per_second": 2000,
        "operations": [{"id": operation} for operation in fleet.operations()],
    }
    exporter = serve(stack.callback, port, watch)
    wait_until("everything was looked at", lambda: looks(exporter) >= count, 60 + count / 100, 1)
    return exporter, simulator


def one(number: int) -> dict:
    """A job that has ended, or is live for ever and tells its progress."""
    name = f"train-{number % 40}-{number:06}"
    if number % LIVE_EVERY == 0:
        progress = {"every": "1s", "over": "30h"}
        return job(number, name, "CREATING", "PREPARING", "EXECUTING", for_ever=True, progress=progress)
    ended = job(number, name, *ALL_STAGES, data_ttl="14d")
    # The simulator's own timeline does as well, and keeps the scenario of 100 000 short.
    del ended["timeline"]
    return ended | ({} if number % 7 else {"end": {"return_code": 1}})


def looks(exporter: Exporter) -> float:
    return own_metrics(exporter.port).get("datasphere_exporter_api_requests_total", 0.0)


def tell(count: int, exporter: Exporter, simulator: Program) -> None:
    pid = exporter.program.process.pid
    before, spent = looks(exporter), cpu_seconds(pid)
    # Nobody scrapes meanwhile, so that the looks are alone.
    until = time.monotonic() + LOOKS_SECONDS
    wait_until("looks were counted", lambda: time.monotonic() > until, LOOKS_SECONDS + 5, 1)
    spent = cpu_seconds(pid) - spent
    looked = looks(exporter) - before
    heap, rss = (status_kib(pid, *where) / 1024 for where in (("smaps_rollup", "Anonymous"), ("status", "VmRSS")))
    told = own_metrics(exporter.port)
    print(f"\n{count} operations, {told['datasphere_exporter_series']:.0f} series; {rss:.0f} MiB resident, {heap:.0f} of it heap")
    print(f"{looked / LOOKS_SECONDS:.0f} looks a second, {1e6 * spent / looked:.0f} µs of CPU each")
    # A cloud that keeps silent costs nothing: scrapes are alone.
    simulator.process.send_signal(signal.SIGSTOP)
    print(row(["", *ENCODINGS, "CPU ms", "gzip ms", "zstd ms"], lambda it: 13 if it else 12))
    for name, accept in FORMATS.items():
        found = [scrape(exporter, accept, encoding) for encoding in ENCODINGS]
        sizes = [f"{size / 1000:,.0f} kB" for size, _ in found]
        times = [f"{1000 * seconds:.1f}" for _, seconds in found]
        print(row([name, *sizes, *times], lambda it: 13 if it else 12), flush=True)
    print(f"{status_kib(pid, 'status', 'VmHWM') / 1024:.0f} MiB resident at most, after {SCRAPES * len(FORMATS) * len(ENCODINGS)} scrapes")


def scrape(exporter: Exporter, accept: str, encoding: str) -> tuple[int, float]:
    """Bytes on the wire, and seconds of CPU."""
    pid, size = exporter.program.process.pid, 0
    before = cpu_seconds(pid)
    for _ in range(SCRAPES):
        connection = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=60)
        connection.request("GET", "/metrics", headers={"accept": accept, "accept-encoding": encoding})
        size = len(connection.getresponse().read())
        connection.close()
    return size, (cpu_seconds(pid) - before) / SCRAPES


if __name__ == "__main__":
    sys.exit(main())
