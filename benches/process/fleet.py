"""The fleet of the soak: the demo's own, a crowd of short jobs beside it, and faults that come again and again."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

DEMO = Path(__file__).parents[2] / "src" / "simulator" / "demo.yaml"
# Ten minutes of a job's life pass in a second.
SPEED = 600
# What callers of the gateway show; the exporter has a token of its own, from the machine's metadata.
TOKEN = "token-of-the-callers"
# A job of the crowd lives for two seconds and comes again.
CROWD_EVERY_SECONDS = 3
COMMUNITIES = ["bt1soakcommunity0000", "bt1soakcommunity0001"]
PROJECT_PREFIX = "bt1soakproject000000"[:-1]
# Where callers start what they start.
PROJECT = f"{PROJECT_PREFIX}0"
# How long a round of faults takes at least, and how many rounds the simulator has room for.
ROUND_SECONDS_MIN = 300
ROUNDS_MAX = 80
# Balances that outlast the soak at this speed.
UNIT_BALANCE = 10**15
# How long data of jobs is kept, so that the number of expiries settles within minutes.
DATA_TTL = "2m"

# When in a round, for how long, in which calls (all, when empty), and what.
ROUND = (
    (20, 15, "", {"refuse": {"code": "UNAVAILABLE", "message": "scripted"}}),
    (50, 5, "", "reset"),
    (70, 10, "ProjectJobService/List", {"delay": "3s"}),
    (95, 15, "", {"rate_limit": 20}),
    (125, 2, "", "revoke_tokens"),
    (140, 5, "OperationService/Get", "unknown_type"),
    (150, 5, "OperationService/Get", {"truncate": "metadata"}),
    (160, 5, "OperationService/Get", {"truncate": "response"}),
    (170, 3, "OperationService/Get", {"pad": 1_000_000}),
    (190, 10, "ProjectService/GetUnitBalance", {"refuse": {"code": "PERMISSION_DENIED"}}),
    (210, 4, "OperationService/Get", {"refuse": {"code": "NOT_FOUND"}}),
    (225, 5, "", {"delay": "12s"}),
)


def scenario(minutes: float, ends_per_second: float) -> str:
    """What the simulator is given; JSON is YAML too."""
    told = yaml.safe_load(DEMO.read_text())
    told["speed"] = SPEED
    told["operation_ttl"] = script_time(600)
    told["auth"] = {"required": True, "tokens": [TOKEN]}
    told["created_jobs"] = [job("*", "30m")]
    told["executed_notebooks"] = [{"path": "*", "lasts": "20m"}]
    told["faults"] = list(faults(minutes))
    for number, community in enumerate(told["communities"]):
        community["id"] = COMMUNITIES[number]
    for number, project in enumerate(projects(told)):
        project |= {"id": f"{PROJECT_PREFIX}{number}", "unit_balance": UNIT_BALANCE}
        for script in project["jobs"]:
            if "data_ttl" in script:
                script["data_ttl"] = DATA_TTL
    homes = itertools.cycle(projects(told))
    for number, home in zip(range(round(ends_per_second * CROWD_EVERY_SECONDS)), homes):
        home["jobs"].append(one_of_the_crowd(number))
    return json.dumps(told)


def projects(told: dict) -> list[dict]:
    return [project for community in told["communities"] for project in community["projects"]]


def one_of_the_crowd(number: int) -> dict:
    failing = {"end": {"return_code": 137}} if number % 10 == 0 else {}
    begins = {"start": f"{number * 7 % 1800}s", "every": script_time(CROWD_EVERY_SECONDS), "keep": 8}
    return job(f"crowd-{number}-{{run}}", "15m") | begins | failing


def job(name: str, executes: str) -> dict:
    """A job with every status, which tells its progress."""
    stages = {"CREATING": "1m", "PREPARING": "1m", "EXECUTING": executes, "UPLOADING_OUTPUT": "2m"}
    timeline = [{"status": status, "lasts": lasts} for status, lasts in stages.items()]
    return {"name": name, "timeline": timeline, "progress": {"every": "2m"}, "data_ttl": DATA_TTL}


def faults(minutes: float) -> Iterator[dict]:
    """Rounds of faults until the soak is over."""
    seconds = minutes * 60
    for begin in range(0, int(seconds), max(ROUND_SECONDS_MIN, int(seconds / ROUNDS_MAX))):
        for at, lasts, method, action in ROUND:
            window = {"from": script_time(begin + at), "until": script_time(begin + at + lasts), "do": action}
            once = {"count": 1} if action == "revoke_tokens" else {}
            yield window | once | ({"method": method} if method else {})


def script_time(seconds_on_the_clock: float) -> str:
    return f"{round(seconds_on_the_clock * SPEED)}s"


def configuration(cloud: int, files: int, gateway: int, collector: str, storage: Path) -> str:
    """What the exporter is given: everything switched on, and times that settle within minutes."""
    return json.dumps(
        {
            "cloud": {
                "endpoint": f"127.0.0.1:{cloud}",
                "tls": {"enabled": False},
                "auth": {"metadata": {"address": f"127.0.0.1:{files}"}},
            },
            "watch": {
                "interval": "1s",
                "interval_max": "5s",
                "list_interval": "1s",
                "sweep_interval": "3s",
                "balance_interval": "5s",
                "retention": "30s",
                "requests_per_second": 1000,
                "communities": COMMUNITIES,
            },
            "metrics": {"labels": ["team"]},
            "gateway": {"listen_address": f"127.0.0.1:{gateway}"},
            "traces": {"enabled": "true", "endpoint": collector, "protocol": "http/protobuf", "self": {"enabled": True}},
            "api": {"track": True, "actions": True},
            "storage": {"path": str(storage)},
            "log": {"level": "warn"},
        }
    )
