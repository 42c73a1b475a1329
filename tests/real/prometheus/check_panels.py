"""A real Prometheus of each major scrapes the demo through two names, and each panel of each dashboard has data.

The two names are two targets that tell the same, as two replicas of the exporter do.
"""
# Limit: 200 s

import contextlib
import json
import time
import unittest
from dataclasses import dataclass, field
from urllib.parse import urlencode

from kit.deadline import wait_until
from kit.exporter import demo
from kit.pages import Panel, panels
from kit.programs import main
from kit.server import Prometheus, versions
from kit.web import get

# The first major whose native histograms the panels read.
NATIVE_SINCE = (3, 0)
# How long all panels together may take to get their data: the demo lives an hour in a minute.
PATIENCE_SECONDS = 120
# How far back a graph is asked, and between which times.
SHOWN_SECONDS, STEP_SECONDS = 60, 15
# Jobs whose pages are opened until a panel has data.
JOBS_MAX = 40

# Panels that the demo leaves empty, each with its reason.
EMPTY = {
    "exporter: Age of what waits longest": "the demo sends no traces",
    "exporter: Answers of the collector": "the demo sends no traces",
    "exporter: Collector": "the demo sends no traces",
    "exporter: Store": "the demo keeps nothing",
    "exporter: Time of commits": "the demo keeps nothing",
    "service-levels: What used the budget (28d)": "no call of the demo fails",
}
# Panels that are empty when all is well, as it may be.
EMPTY_WHEN_WELL = {"fleet: Jobs that need a look"}
# Figures of the fleet page that two replicas would double.
COUNTED = {"Running jobs", "Projects", "Ends by outcome", "Spent of the hourly limit (1h)"}


@dataclass
class Reader:
    """Somebody who opens every dashboard on one server, and the panels that have shown no data yet."""

    server: Prometheus
    waiting: list[Panel] = field(default_factory=lambda: list(panels()))

    def wanted(self) -> set[str]:
        """Panels that should have shown something."""
        return {panel.name for panel in self.waiting} - EMPTY.keys() - EMPTY_WHEN_WELL

    def look(self) -> None:
        jobs = self.jobs()
        self.waiting = [panel for panel in self.waiting if not self.has_data(panel, jobs)]

    def has_data(self, panel: Panel, jobs: list[str]) -> bool:
        """Whether a query has an answer, for any of the jobs where it asks for one."""
        asked = ((query, job) for query in panel.queries for job in (jobs if query.asks_for_one_job() else [""]))
        return any(self.ask(query.chosen(job), query.instant) for query, job in asked)

    def jobs(self) -> list[str]:
        """Jobs that are shown now, running ones first."""
        shown = self.ask('sort_desc(max by (job_id) (datasphere_job_status{status="EXECUTING"}))', True)
        ids = [series["metric"]["job_id"] for series in shown]
        return [*ids[: JOBS_MAX // 2], *ids[-JOBS_MAX // 2 :]]

    def total(self, query: str) -> float:
        return sum(float(series["value"][1]) for series in self.ask(query, True) if "value" in series)

    def ask(self, query: str, instant: bool) -> list:
        """The result of a query, which may neither fail nor be complained about."""
        now = time.time()
        path, when = "query", {"time": now}
        if not instant:
            path, when = "query_range", {"start": now - SHOWN_SECONDS, "end": now, "step": STEP_SECONDS}
        path = f"/api/v1/{path}?{urlencode({'query': query} | when)}"
        answer = json.loads(get(self.server.port, path, timeout=30).body)
        said = [answer[key] for key in ("error", "warnings") if answer.get(key)]
        if said:
            raise AssertionError(f"{said} of {query}")
        return answer["data"]["result"]


class EachPanel(unittest.TestCase):
    def test_has_data_or_is_rightly_empty_and_replicas_double_nothing(self) -> None:
        known = {panel.name for panel in panels()}
        self.assertLessEqual(EMPTY.keys() | EMPTY_WHEN_WELL, known, "reasons for panels that are not there")
        port = demo(self.addCleanup).port
        readers = {asker: Reader(self.server(*asker, port)) for asker in askers()}

        def all_told() -> bool:
            for reader in readers.values():
                reader.look()
            return not any(reader.wanted() for reader in readers.values())

        with contextlib.suppress(TimeoutError):
            wait_until("every panel has data", all_told, PATIENCE_SECONDS, pause=1)
        for (version, native), reader in readers.items():
            with self.subTest(prometheus=version, native_histograms=native):
                self.assertEqual(reader.wanted(), set(), "panels without data")
                shown = EMPTY.keys() - {panel.name for panel in reader.waiting}
                self.assertEqual(shown, set(), "said to be empty, but they are not")
                self.compare_replicas(reader)

    def server(self, version: str, native: bool, port: int) -> Prometheus:
        targets = [{"targets": [f"127.0.0.1:{port}", f"localhost:{port}"]}]
        jobs = {"datasphere": {"static_configs": targets, "scrape_interval": "2s", "scrape_timeout": "2s"}}
        features = ["exemplar-storage", *(["native-histograms"] if native else [])]
        return Prometheus(self.addCleanup, version, jobs, features)

    def compare_replicas(self, reader: Reader) -> None:
        """Both replicas together tell what one of them tells, but for the moment between their scrapes."""
        compared = [panel for panel in panels() if panel.page == "fleet" and panel.title in COUNTED]
        self.assertEqual({panel.title for panel in compared}, COUNTED)
        for panel in compared:
            for query in panel.queries:
                both = reader.total(query.chosen("", ".+"))
                one = reader.total(query.chosen("", "127[.]0[.]0[.]1:.+"))
                self.assertLess(abs(both - one), 0.5 * abs(one) + 2, f"{panel.name}: {query.text}")


def askers() -> list[tuple[str, bool]]:
    """Versions, without and with native histograms where the panels read them."""
    all_versions = [(version, tuple(map(int, version.split(".")))) for version in versions()]
    return [
        (version, native)
        for version, number in all_versions
        for native in ((False, True) if number >= NATIVE_SINCE else (False,))
    ]


if __name__ == "__main__":
    main()
