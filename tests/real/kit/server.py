"""A real Prometheus: its configuration, its life, and what it stored."""

import json
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from kit.deadline import wait_until
from kit.exposition import Native, Series, series
from kit.programs import TOOLS, Cleanup, new_folder, start
from kit.web import answers, free_port, get

# Time between two scrapes of a job: long enough for six servers with two dozen jobs on two busy cores.
INTERVAL_SECONDS = 5
# Labels that Prometheus adds to every series of a target.
TARGET_LABELS = {"job", "instance"}


def versions() -> list[str]:
    """The versions that are there, as `2.42`."""
    found = [folder.name.removeprefix("prometheus-") for folder in TOOLS.glob("prometheus-*")]
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


def tool(version: str, program: str) -> Path:
    return TOOLS / f"prometheus-{version}" / program


def native(told: dict) -> Native:
    """A histogram as the API tells it: numbers as text, no buckets at all when nothing was observed."""
    buckets = tuple((float(low), float(high), float(count)) for _, low, high, count in told.get("buckets", []))
    return Native(float(told["count"]), float(told["sum"]), buckets)


@dataclass
class Stored:
    """What one scrape left in the database."""

    samples: dict[Series, float] = field(default_factory=dict)
    natives: dict[Series, Native] = field(default_factory=dict)
    # What the server says of the scrape itself: `up`, and how many samples it kept.
    up: float | None = None
    counted: float | None = None

    def add(self, key: Series, value: float) -> None:
        name, _ = key
        match name:
            case "up":
                self.up = value
            case "scrape_samples_post_metric_relabeling":
                self.counted = value
            case _ if not name.startswith("scrape_"):
                self.samples[key] = value


class Prometheus:
    """A server of one version with one scrape job for each entry of `jobs`."""

    def __init__(self, cleanup: Cleanup, version: str, jobs: dict[str, dict], features: list[str]):
        folder = new_folder()
        self.port = free_port()
        configuration = folder / "prometheus.yml"
        # JSON is YAML too.
        configuration.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": f"{INTERVAL_SECONDS}s", "scrape_timeout": f"{INTERVAL_SECONDS}s"},
                    "scrape_configs": [{"job_name": name} | job for name, job in jobs.items()],
                }
            )
        )
        command = [tool(version, "prometheus"), f"--config.file={configuration}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--enable-feature={','.join(features)}"] if features else []
        self.program = start(cleanup, f"prometheus-{version}", *command)
        wait_until(f"Prometheus {version} is ready", lambda: answers(self.port, "/-/ready"), 20)

    def api(self, path: str, **parameters: str):
        """The data of an API call that must succeed."""
        answer = get(self.port, f"/api/v1/{path}?{urlencode(parameters)}", timeout=30)
        told = json.loads(answer.body)
        if told["status"] != "success":
            raise RuntimeError(f"{path}: {told}")
        return told["data"]

    def stored(self, job: str) -> dict[float, Stored]:
        """All that a scrape job stored, by the time of the scrape."""
        found: dict[float, Stored] = defaultdict(Stored)
        for entry in self.api("query", query=f'{{job="{job}"}}[10m]')["result"]:
            labels = entry["metric"]
            name = labels.pop("__name__")
            key = series(name, {label: value for label, value in labels.items() if label not in TARGET_LABELS})
            for at, value in entry.get("values", []):
                found[at].add(key, float(value))
            for at, histogram in entry.get("histograms", []):
                found[at].natives[key] = native(histogram)
        return dict(found)

    def targets(self) -> list[dict]:
        return self.api("targets", state="active")["activeTargets"]

    def metadata(self, job: str) -> dict[str, dict]:
        """What it knows of the families of a scrape job, by name."""
        told = self.api("targets/metadata", match_target=f'{{job="{job}"}}')
        return {entry["metric"]: entry for entry in told}

    def complaints(self) -> list[str]:
        """Lines of its log that are warnings or errors."""
        return [line for line in self.program.lines() if "level=warn" in line.lower() or "level=error" in line.lower()]


def check_metrics(version: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    """`promtool check metrics` on a text."""
    return subprocess.run([tool(version, "promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30)
