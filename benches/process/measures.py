"""What a running exporter takes, as the kernel and its own metrics tell it, and whether that grows."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, mean

from kit.web import get

LINE = re.compile(rb"^((?:datasphere_exporter|process)_\w+|datasphere_operations_finished_total)(?:\{[^}]*\})? (\S+)$", re.M)
# Growth in an hour, beside the mean, from which a line that fits is called growth.
GROWTH_MIN = 0.05
# How well a straight line has to fit.
FIT_MIN = 0.5


@dataclass(frozen=True)
class Sample:
    """One look at the exporter, by the names of the columns."""

    minutes: float
    values: dict[str, float]


@dataclass(frozen=True)
class Trend:
    """A straight line through a column: where it begins, what it adds in an hour, and how well it fits."""

    first: float
    last: float
    an_hour: float
    fit: float

    @property
    def verdict(self) -> str:
        middle = max(abs(self.first + self.last) / 2, 1e-9)
        grows = self.an_hour / middle > GROWTH_MIN and self.fit > FIT_MIN
        return "grows" if grows else "steady"


def sample(pid: int, port: int, storage: Path, began: float) -> Sample:
    told = own_metrics(port)
    store = {file.name: file.stat().st_size for file in storage.glob("state.db*")}
    mib = 1 << 20
    values = {
        "rss MiB": status_kib(pid, "status", "VmRSS") / 1024,
        "heap MiB": status_kib(pid, "smaps_rollup", "Anonymous") / 1024,
        "fds": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        "threads": sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
        "tasks": told.get("datasphere_exporter_tasks", float("nan")),
        "series": told["datasphere_exporter_series"],
        "tracked": told["datasphere_exporter_tracked_operations"],
        "ended": told.get("datasphere_operations_finished_total", 0.0),
        "lag s": told["datasphere_exporter_poll_lag_seconds"],
        "db MiB": store.get("state.db", 0) / mib,
        "wal MiB": store.get("state.db-wal", 0) / mib,
        "outbox": told.get("datasphere_exporter_outbox_records", 0.0),
        "cpu s": told["process_cpu_seconds_total"],
    }
    return Sample((time.monotonic() - began) / 60, values)


def own_metrics(port: int) -> dict[str, float]:
    """The exporter's metrics about itself and the ends it counted, each summed over its labels."""
    found: dict[str, float] = {}
    for name, value in LINE.findall(get(port, "/metrics", 30, accept="text/plain;version=0.0.4").body):
        found[name.decode()] = found.get(name.decode(), 0.0) + float(value)
    return found


def cpu_seconds(pid: int) -> float:
    """Of all threads that live, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def status_kib(pid: int, file: str, key: str) -> int:
    text = Path(f"/proc/{pid}/{file}").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB$", text, re.M)[1])


def trend(samples: Sequence[Sample], column: str) -> Trend | None:
    """The line through a column; nothing where it has no values or hardly any."""
    points = [(it.minutes / 60, it.values[column]) for it in samples if it.values[column] == it.values[column]]
    if len(points) < 3:
        return None
    hours, values = zip(*points)
    slope, intercept = linear_regression(hours, values)
    around = sum((value - mean(values)) ** 2 for value in values)
    off = sum((value - intercept - slope * hour) ** 2 for hour, value in points)
    fit = 1 - off / around if around else 0.0
    return Trend(intercept + slope * hours[0], intercept + slope * hours[-1], slope, fit)


def row(cells: Sequence[str], width: Callable[[int], int] = lambda _: 9) -> str:
    return "".join(cell.rjust(width(number)) for number, cell in enumerate(cells))


def number(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.1f}"


def machine() -> str:
    """The processor, as figures of time need it."""
    text = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{len(models)} × {models[0] if models else 'a processor without a name'}"
