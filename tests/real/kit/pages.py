"""The dashboards as a reader of them asks: their variables, and each query of their panels with all of them chosen."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DASHBOARDS = Path(__file__).parents[3] / "dashboards"

# What Grafana makes of the time shown.
TIMES = {"__rate_interval": "20s", "__range": "10m"}
# `$name` and `${name}`.
NAMED = re.compile(r"\$\{(\w+)\}|\$(\w+)")
# What Grafana escapes in a chosen value, with a backslash that is itself escaped.
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")


@dataclass(frozen=True)
class Variable:
    """What a reader chooses, and what stands in a query for it."""

    name: str
    query: str
    regex: str
    all_value: str | None

    def several(self, values: list[str]) -> str:
        """Values that were chosen one by one."""
        escaped = [SPECIAL.sub(lambda found: rf"\\{found[0]}", value) for value in values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


@dataclass(frozen=True)
class Query:
    """One query of a panel, before anything is chosen."""

    page: str
    title: str
    kind: str
    letter: str
    text: str
    instant: bool

    @property
    def panel(self) -> str:
        return f"{self.page}: {self.title}"

    @property
    def name(self) -> str:
        """Heatmaps ask for native buckets, and for classic ones instead: the panel stands for both."""
        return self.panel if self.kind == "heatmap" else f"{self.panel} {self.letter}"

    def asks_for_one_job(self) -> bool:
        return "$job_id" in self.text

    def chosen(self, choices: Mapping[str, str]) -> str:
        """The query as Prometheus gets it."""
        return filled(self.text, choices)


def filled(text: str, choices: Mapping[str, str]) -> str:
    """A text with its variables replaced; what nobody chose stays as it is."""
    known = {**TIMES, **choices}
    return NAMED.sub(lambda found: known.get(found[1] or found[2], found[0]), text)


def pages() -> Iterator[tuple[str, dict]]:
    for path in sorted(DASHBOARDS.glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def variables(body: dict) -> list[Variable]:
    """The variables of a dashboard that ask Prometheus, in their order: one names another."""
    return [
        Variable(one["name"], one["query"]["query"], one["regex"].strip("/"), one.get("allValue"))
        for one in body["templating"]["list"]
        if one["type"] == "query"
    ]


def queries() -> Iterator[Query]:
    """All queries of all panels of all dashboards."""
    for page, body in pages():
        for panel in body["panels"]:
            for target in panel.get("targets", []):
                yield Query(page, panel["title"], panel["type"], target["refId"], target["expr"], target["instant"])
