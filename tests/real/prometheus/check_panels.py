"""A real Prometheus of each major scrapes the demo through two names, and each query of each panel has data.

The two names are two targets that tell the same, as two replicas of the exporter do.
"""
# Limit: 200 s

import contextlib
import json
import re
import time
import unittest
from dataclasses import dataclass, field
from urllib.parse import urlencode

from kit.deadline import wait_until
from kit.exporter import demo
from kit.pages import Query, Variable, filled, pages, queries, variables
from kit.programs import main
from kit.server import Prometheus, versions
from kit.web import get

# The first major whose native histograms the panels read.
NATIVE_SINCE = (3, 0)
# How long all panels together may take to get their data: the demo lives an hour in a minute.
PATIENCE_SECONDS = 120
# How far back a graph is asked, and between which times.
SHOWN_SECONDS, STEP_SECONDS = 60, 15
# Jobs whose pages are opened until a query has data.
JOBS_MAX = 40

# Queries that the demo leaves empty, each with its reason; those of a heatmap go by the name of the panel.
EMPTY = {
    "exporter: Age of what waits longest A": "the demo sends no traces",
    "exporter: Answers of the collector A": "the demo sends no traces",
    "exporter: Calls passed on, by code A": "nobody calls through the demo",
    "exporter: Collector A": "the demo sends no traces",
    "exporter: IAM token A": "the demo needs no token",
    "exporter: Store A": "the demo keeps nothing",
    "exporter: Time of commits A": "the demo keeps nothing",
    "exporter: Time of commits B": "the demo keeps nothing",
    "exporter: Time that the gateway adds A": "nobody calls through the demo",
    "exporter: Time that the gateway adds B": "nobody calls through the demo",
    "fleet: Firing alerts by name A": "no rules are loaded here",
    "job: Progress, and what was foretold 10m before B": "the demo has not run for ten minutes",
    "service-levels: What used the budget (28d) A": "no call of the demo fails",
}
# Queries that the demo may leave empty or not, each with its reason.
EMPTY_AT_TIMES = {
    "fleet: Jobs that need a look A": "every job may move",
    "job: Against earlier jobs of its name (7d) B": "a name needs five successes",
    "job: Against earlier jobs of its name (7d) C": "a name needs five successes",
    "operations: Longest other open operations A": "operations of other kinds are short",
    "operations: Longest other open operations B": "operations of other kinds are short",
    "operations: Longest other open operations C": "operations of other kinds are short",
}
# Figures of the fleet page that two replicas would double.
COUNTED = {"Running jobs", "Projects", "Ends by outcome", "Spent of the hourly limit (1h)"}


@dataclass
class Reader:
    """Somebody who opens every dashboard on one server, and the queries that have shown no data yet."""

    server: Prometheus
    waiting: list[Query] = field(default_factory=lambda: list(queries()))

    def wanted(self) -> set[str]:
        """Queries that should have shown something."""
        return self.silent() - EMPTY.keys() - EMPTY_AT_TIMES.keys()

    def silent(self) -> set[str]:
        return {query.name for query in self.waiting}

    def look(self) -> None:
        jobs = self.jobs()
        choices = {page: self.choices(variables(body)) for page, body in pages()}
        told = {query.name for query in self.waiting if self.has_data(query, choices[query.page], jobs)}
        self.waiting = [query for query in self.waiting if query.name not in told]

    def has_data(self, query: Query, choices: list[dict[str, str]], jobs: list[str]) -> bool:
        """Whether there is an answer with All chosen, and with all values one by one; for any of the jobs."""
        return any(
            all(self.ask(query.chosen({**chosen, "job_id": job}), query.instant) for chosen in choices)
            for job in (jobs if query.asks_for_one_job() else [""])
        )

    def choices(self, asked: list[Variable]) -> list[dict[str, str]]:
        """What stands for each variable of a page when All is chosen, and when all values are one by one."""
        of_all, of_several = {}, {}
        for variable in asked:
            if variable.all_value is not None:
                of_all[variable.name] = variable.all_value
                of_several[variable.name] = variable.several(self.values(variable, of_all) or ["nothing"])
        return [of_all, of_several]

    def values(self, variable: Variable, choices: dict[str, str]) -> list[str]:
        """The values that a variable offers."""
        query = filled(variable.query, choices)
        if found := re.fullmatch(r"label_values\((.*), (\w+)\)", query):
            rows = self.ask(found[1], True)
            return sorted({row["metric"].get(found[2], "") for row in rows} - {""})
        rows = self.ask(query.removeprefix("query_result(").removesuffix(")"), True)
        texts = (", ".join(f'{label}="{value}"' for label, value in sorted(row["metric"].items())) for row in rows)
        regex = re.compile(variable.regex.replace("(?<", "(?P<"))
        return sorted({found["value"] for text in texts if (found := regex.search(text))})

    def jobs(self) -> list[str]:
        """Jobs that the page of a job offers, running ones first, and of the others those that changed last."""
        shown = self.ask(
            "sort_desc(1e10 * max by (job_id) (datasphere_job_status{status='EXECUTING'})"
            " + max by (job_id) (datasphere_job_status_since_timestamp_seconds))",
            True,
        )
        ids = [series["metric"]["job_id"] for series in shown]
        return [*ids[: JOBS_MAX // 2], *ids[JOBS_MAX // 2 :][: JOBS_MAX // 4], *ids[-JOBS_MAX // 4 :]]

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


class EachQuery(unittest.TestCase):
    def test_has_data_or_is_rightly_empty_and_replicas_double_nothing(self) -> None:
        known = {query.name for query in queries()}
        self.assertLessEqual(EMPTY.keys() | EMPTY_AT_TIMES.keys(), known, "reasons for queries that are not there")
        port = demo(self.addCleanup).port
        readers = {asker: Reader(self.server(*asker, port)) for asker in askers()}

        def all_told() -> bool:
            for reader in readers.values():
                reader.look()
            return not any(reader.wanted() for reader in readers.values())

        with contextlib.suppress(TimeoutError):
            wait_until("every query has data", all_told, PATIENCE_SECONDS, pause=1)
        for (version, native), reader in readers.items():
            with self.subTest(prometheus=version, native_histograms=native):
                self.assertEqual(reader.wanted(), set(), "queries without data")
                self.assertEqual(EMPTY.keys() - reader.silent(), set(), "said to be empty, but they are not")
                self.compare_replicas(reader)

    def server(self, version: str, native: bool, port: int) -> Prometheus:
        targets = [{"targets": [f"127.0.0.1:{port}", f"localhost:{port}"]}]
        jobs = {"datasphere": {"static_configs": targets, "scrape_interval": "2s", "scrape_timeout": "2s"}}
        features = ["exemplar-storage", *(["native-histograms"] if native else [])]
        return Prometheus(self.addCleanup, version, jobs, features)

    def compare_replicas(self, reader: Reader) -> None:
        """Both replicas together tell what one of them tells, but for the moment between their scrapes."""
        compared = [query for query in queries() if query.page == "fleet" and query.title in COUNTED]
        self.assertEqual({query.title for query in compared}, COUNTED)
        fleet = next(body for page, body in pages() if page == "fleet")
        of_all, _ = reader.choices(variables(fleet))
        for query in compared:
            both = reader.total(query.chosen(of_all))
            one = reader.total(query.chosen({**of_all, "instance": "127[.]0[.]0[.]1:.+"}))
            self.assertLess(abs(both - one), 0.5 * abs(one) + 2, f"{query.name}: {query.text}")


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
