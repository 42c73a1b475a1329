"""Fleets for the simulator."""

import json
from dataclasses import dataclass, field

PROJECT = "bt1projectofthecheck"


@dataclass(frozen=True)
class Scenario:
    """One project with jobs and notebooks; the operations that the exporter is told of by id."""

    jobs: list[dict]
    notebooks: list[dict] = field(default_factory=list)
    # What the project itself has, instead of or beside what every one has.
    project: dict = field(default_factory=dict)

    def text(self) -> str:
        """As the simulator reads it; JSON is YAML too."""
        project = {
            "name": "check",
            "id": PROJECT,
            "unit_balance": 123_456,
            "max_units_per_hour": 5_000,
            "jobs": self.jobs,
            "notebooks": self.notebooks,
        } | self.project
        return json.dumps({"communities": [{"name": "checks", "projects": [project]}]})

    def operations(self) -> list[str]:
        return [script["operation_id"] for script in self.jobs + self.notebooks]

    def watch(self, interval: str) -> dict:
        """The section `watch` of a configuration that looks at all of it so often."""
        return {
            "interval": interval,
            "interval_max": interval,
            "list_interval": interval,
            "sweep_interval": interval,
            "balance_interval": interval,
            "projects": [PROJECT],
            "operations": [{"id": operation} for operation in self.operations()],
        }


def stages(*names: str, last: str | None = "90s") -> list[dict]:
    """Stages of a minute and a half each, the last one as long as given, or for ever."""
    return [{"status": name, "lasts": "90s"} for name in names[:-1]] + [
        {"status": names[-1]} | ({"lasts": last} if last else {})
    ]


def job(number: int, name: str, *names: str, for_ever: bool = False, **more: object) -> dict:
    """A job that began long before the simulator, and is over or stays as it is, unless `more` says otherwise."""
    return {
        "name": name,
        "id": f"bt1job{number:014}",
        "operation_id": f"bt1operation{number:08}",
        "start": "-2h",
        "timeline": stages(*names, last=None if for_ever else "90s"),
    } | more


def notebook(number: int, path: str, **more: object) -> dict:
    return {"path": path, "operation_id": f"bt1notebook{number:09}", "start": "-1h"} | more


def refusal(code: str) -> dict:
    return {"error": {"code": code, "message": "told by the scenario"}}


ALL_STAGES = ("CREATING", "PREPARING", "EXECUTING", "UPLOADING_OUTPUT")

# Everything in it is over or stays as it is: each status, each way to end, and text that formats must escape.
A_STILL_LIFE = Scenario(
    jobs=[
        job(1, "success", *ALL_STAGES, data_ttl="14d"),
        job(2, 'of "quotes", \\slashes\\ and ünïcode', *ALL_STAGES),
        job(3, "killed", *ALL_STAGES, end={"return_code": 137}),
        job(4, "quota", "CREATING", end=refusal("RESOURCE_EXHAUSTED")),
        job(5, "cancelled", "CREATING", "EXECUTING", "CANCELLING", end="cancelled"),
        job(6, "silent", *ALL_STAGES, end="without_result"),
        job(7, "without-output", *ALL_STAGES, output_errors=[{"path": "model.bin", "not_found": True}]),
        job(8, "success", *ALL_STAGES, start="-1h"),
        job(11, "creating", "CREATING", for_ever=True),
        job(12, "preparing", "CREATING", "PREPARING", for_ever=True),
        job(13, "executing", "EXECUTING", for_ever=True, progress={"every": "1m", "over": "3h", "stalls_at": 37}),
        job(14, "uploading", *ALL_STAGES, for_ever=True),
        job(15, "status-of-tomorrow", "CREATING", 99, for_ever=True),
    ],
    notebooks=[
        notebook(1, "Отчёт/день 1.ipynb"),
        notebook(2, "failed.ipynb", end="failed"),
        notebook(3, "aborted.ipynb", end="aborted"),
        notebook(4, "error.ipynb", end=refusal("INTERNAL")),
        notebook(5, "first-version.ipynb", v1=True),
        notebook(6, "running.ipynb", lasts=None),
    ],
)

# Two jobs that go on for ever, for checks in which the cloud goes away.
A_LONG_RUN = Scenario(
    jobs=[
        job(1, "long", "EXECUTING", for_ever=True, progress={"every": "1s", "over": "3h"}),
        job(2, "longer", "EXECUTING", for_ever=True),
    ]
)
