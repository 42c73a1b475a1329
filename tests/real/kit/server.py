"""A real Prometheus: its configuration, its life, and what it stored."""

import json
import re
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
# A line of the log that is a warning or an error, in the words of 2 and of 3.
COMPLAINT = re.compile(r"level=(warn|error)", re.IGNORECASE)
# Labels that Prometheus adds to every series of a target.
TARGET_LABELS = {"job", "instance"}


def versions(name: str = "prometheus") -> list[str]:
    """The versions of a server that are there, as `2.42`."""
    found = [folder.name.removeprefix(f"{name}-") for folder in TOOLS.glob(f"{name}-*")]
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


def tool(version: str, program: str, name: str = "prometheus") -> Path:
    return TOOLS / f"{name}-{version}" / program


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


@dataclass(frozen=True)
class Told:
    """All that a server had to tell before it ended."""

    # By scrape job: what each scrape left, by its time, and what is known of the families, by name.
    stored: dict[str, dict[float, Stored]]
    metadata: dict[str, dict[str, dict]]
    # Health and last error of each target.
    targets: list[tuple[str, str]]
    # Lines of its log that are warnings or errors.
    complaints: list[str]


class Prometheus:
    """A server of one version with one scrape job for each entry of `jobs`, and further sections of configuration."""

    def __init__(
        self, cleanup: Cleanup, version: str, jobs: dict[str, dict], features: list[str], **sections: object
    ):
        self.jobs = list(jobs)
        folder = new_folder()
        self.port = free_port()
        self.configuration = folder / "prometheus.yml"
        # JSON is YAML too.
        self.configuration.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": f"{INTERVAL_SECONDS}s", "scrape_timeout": f"{INTERVAL_SECONDS}s"},
                    "scrape_configs": [{"job_name": name} | job for name, job in jobs.items()],
                }
                | sections
            )
        )
        command = [tool(version, "prometheus"), f"--config.file={self.configuration}"]
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

    def metadata(self, job: str) -> dict[str, dict]:
        """What it knows of the families of a scrape job, by name."""
        told = self.api("targets/metadata", match_target=f'{{job="{job}"}}')
        return {entry["metric"]: entry for entry in told}

    def end(self) -> Told:
        """Asks for everything and ends it, so that comparing takes no time from scrapes."""
        targets = self.api("targets", state="active")["activeTargets"]
        told = Told(
            {job: self.stored(job) for job in self.jobs},
            {job: self.metadata(job) for job in self.jobs},
            [(target["health"], target["lastError"]) for target in targets],
            [line for line in self.program.lines() if COMPLAINT.search(line)],
        )
        if code := self.program.terminate():
            raise RuntimeError(f"the server ended with {code}: {self.program}")
        return told


def check_metrics(version: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    """`promtool check metrics` on a text."""
    return subprocess.run([tool(version, "promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30)
