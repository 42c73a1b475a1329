"""A real Prometheus: its configuration, its life, and what it stored."""

import json
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from kit.deadline import wait_until
from kit.exposition import Native, Series, series
from kit.programs import TOOLS, CheckCase
from kit.web import answers, free_port, get

# Labels that Prometheus adds to every series of a target.
TARGET_LABELS = {"job", "instance"}
# Series that Prometheus makes itself for every scrape.
OF_THE_SCRAPE = {"up"}


def versions() -> list[str]:
    """The versions that are there, as `2.42`."""
    found = [folder.name.removeprefix("prometheus-") for folder in TOOLS.glob("prometheus-*")]
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


def tool(version: str, program: str) -> Path:
    return TOOLS / f"prometheus-{version}" / program


@dataclass
class Stored:
    """What one scrape left in the database."""

    samples: dict[Series, float] = field(default_factory=dict)
    natives: dict[Series, Native] = field(default_factory=dict)


class Prometheus:
    """A server of one version with one scrape job for each entry of `jobs`."""

    def __init__(self, case: CheckCase, version: str, jobs: dict[str, dict], features: list[str]):
        folder = case.folder()
        self.port = free_port()
        configuration = folder / "prometheus.yml"
        # JSON is YAML too.
        configuration.write_text(
            json.dumps({
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [{"job_name": name} | job for name, job in jobs.items()],
            })
        )
        command = [tool(version, "prometheus"), f"--config.file={configuration}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--enable-feature={','.join(features)}"] if features else []
        self.program = case.start(f"prometheus-{version}", *command)
        wait_until(f"Prometheus {version} is ready", lambda: answers(self.port, "/-/ready"), 20)

    def api(self, path: str, **parameters: str):
        """The data of an API call that must succeed."""
        answer = get(self.port, f"/api/v1/{path}?{urlencode(parameters)}", timeout=30)
        told = json.loads(answer.body)
        if told["status"] != "success":
            raise RuntimeError(f"{path}: {told}")
        return told["data"]

    def stored(self, job: str) -> dict[float, Stored]:
        """All that a scrape job stored, by the time of the scrape; series of the scrapes themselves too."""
        found: dict[float, Stored] = defaultdict(Stored)
        for entry in self.api("query", query=f'{{job="{job}"}}[10m]')["result"]:
            labels = entry["metric"]
            name = labels.pop("__name__")
            key = series(name, {label: value for label, value in labels.items() if label not in TARGET_LABELS})
            for at, value in entry.get("values", []):
                found[at].samples[key] = float(value)
            for at, histogram in entry.get("histograms", []):
                buckets = tuple((float(low), float(high), float(count)) for _, low, high, count in histogram["buckets"])
                found[at].natives[key] = Native(float(histogram["count"]), float(histogram["sum"]), buckets)
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
    return subprocess.run(
        [tool(version, "promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30
    )
