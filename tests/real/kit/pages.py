"""The dashboards as a reader of them asks: their panels, and queries with every variable chosen."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DASHBOARDS = Path(__file__).parents[3] / "dashboards"

# What a reader has chosen, longer names first: one variable's name begins another's.
CHOSEN = {
    "$__rate_interval": "20s",
    "$__range": "10m",
    "$instance": ".+",
    "$project": ".*",
    "$kind": ".+",
    "$job": ".+",
}


@dataclass(frozen=True)
class Query:
    """One query of a panel, before anything is chosen."""

    text: str
    instant: bool

    def asks_for_one_job(self) -> bool:
        return "$job_id" in self.text

    def chosen(self, job_id: str, instance: str = ".+") -> str:
        """The query as Prometheus gets it."""
        text = self.text.replace("$job_id", job_id).replace('instance=~"$instance"', f'instance=~"{instance}"')
        for variable, value in CHOSEN.items():
            text = text.replace(variable, value)
        return text


@dataclass(frozen=True)
class Panel:
    """A panel that asks something."""

    page: str
    title: str
    number: int
    queries: tuple[Query, ...]

    @property
    def name(self) -> str:
        return f"{self.page}: {self.title}"


def panels() -> Iterator[Panel]:
    """All panels of all dashboards, those without queries aside."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            queries = tuple(Query(target["expr"], target["instant"]) for target in panel.get("targets", []))
            if queries:
                yield Panel(path.stem, panel["title"], panel["id"], queries)
