"""A real collector receives every span of a fleet, over both protocols and through an outage with two kills.

What rotel passes on is kept with every content in which it came: a span that came twice came twice the same.
"""
# Limit: 300 s

import time
import unittest

from kit.deadline import wait_until
from kit.exporter import Exporter, serve, simulate
from kit.programs import main
from kit.rotel import Rotel
from kit.scenarios import ALL_STAGES, Scenario, job, notebook, refusal
from kit.server import Prometheus, versions
from kit.web import free_port

# How long the collector keeps silent.
OUTAGE_SECONDS = 60
WAYS_TO_END = (
    {},
    {"end": {"return_code": 137}},
    {"end": refusal("RESOURCE_EXHAUSTED")},
    {"end": "cancelled"},
    {"end": "without_result"},
)
COUNTER = "datasphere_operations_finished_total"
SPANS = "datasphere_exporter_otlp_spans_total"


def fleet(jobs: int, every_seconds: float) -> Scenario:
    """Jobs of some seconds that end in every way, one after the other, and a notebook."""
    timeline = [{"status": status, "lasts": "2s"} for status in ALL_STAGES]
    return Scenario(
        [
            job(number, f"train-{number % 3}", *ALL_STAGES, start=f"{3000 + int(1000 * number * every_seconds)}ms", timeline=timeline)
            | WAYS_TO_END[number % len(WAYS_TO_END)]
            for number in range(1, jobs + 1)
        ],
        [notebook(1, "report.ipynb", start="4s", lasts="3s")],
    )


class ACollector(unittest.TestCase):
    def watch(self, scenario: Scenario, rotel: Rotel, protocol: str) -> Exporter:
        port = free_port()
        simulate(self.addCleanup, scenario, port)
        watch = scenario.watch("1s") | {"retention": "1h"}
        return serve(self.addCleanup, port, watch, rotel.environment(protocol))

    def ends(self, exporter: Exporter) -> float:
        return sum(exporter.exposition().values(COUNTER))

    def everything_arrived(self, exporter: Exporter, rotel: Rotel, operations: int) -> None:
        wait_until("all have ended", lambda: self.ends(exporter) == operations, 60)
        wait_until("the outbox is empty", lambda: self.outbox(exporter) == 0, 90)
        wait_until("every root arrived", lambda: len(rotel.kept.roots()) == operations, 30)
        wait_until("as many as were sent", lambda: self.exported(exporter) <= len(rotel.kept.names()), 20)
        self.assertEqual(rotel.kept.started(), {trace for trace, _ in rotel.kept.roots()})
        self.assertEqual(rotel.kept.orphans(), [])
        self.assertEqual(rotel.kept.contradictions(), [])
        for outcome in ("rejected", "dropped"):
            self.assertEqual(exporter.exposition().value(SPANS, outcome=outcome), 0)

    @staticmethod
    def exported(exporter: Exporter) -> float:
        return exporter.exposition().value(SPANS, outcome="exported")

    @staticmethod
    def outbox(exporter: Exporter) -> float | None:
        return exporter.exposition().value("datasphere_exporter_outbox_records")

    def test_receives_every_span_over_both_protocols(self) -> None:
        scenario = fleet(10, every_seconds=0.5)
        for protocol in ("grpc", "http/protobuf"):
            with self.subTest(protocol):
                rotel = Rotel(self.addCleanup)
                exporter = self.watch(scenario, rotel, protocol)
                self.everything_arrived(exporter, rotel, len(scenario.operations()))
                self.assertEqual(len(rotel.kept.names()), self.exported(exporter))
                names = set(rotel.kept.names().values())
                self.assertLessEqual({"started", "preparing", "executing", "RUN train", "RUN notebook"}, names)

    def test_has_every_span_after_an_outage_in_which_both_were_killed(self) -> None:
        scenario = fleet(30, every_seconds=2)
        rotel = Rotel(self.addCleanup)
        exporter = self.watch(scenario, rotel, "grpc")
        wait_until("some roots arrived", lambda: len(rotel.kept.roots()) >= 2, 60)
        wait_until("nothing waits", lambda: self.outbox(exporter) == 0, 30)
        rotel.stop()
        wait_until("spans wait", lambda: (self.outbox(exporter) or 0) > 20, OUTAGE_SECONDS)
        silent_until = time.monotonic() + OUTAGE_SECONDS
        rotel.kill()
        exporter.program.kill()
        exporter = exporter.again()
        self.assertGreater(self.outbox(exporter), 20, "what waited is waiting still")
        wait_until("the outage is over", lambda: time.monotonic() > silent_until, OUTAGE_SECONDS + 5)
        rotel.start()
        self.everything_arrived(exporter, rotel, len(scenario.operations()))
        self.phases_are_whole(rotel)

    def phases_are_whole(self, rotel: Rotel) -> None:
        """Jobs of which every status was seen have each phase, also those that went through them in the outage."""
        phases = {"creating", "preparing", "executing", "uploading_output"}
        names = rotel.kept.names()
        traces: dict[str, set[str]] = {}
        for (trace, _), name in names.items():
            traces.setdefault(trace, set()).add(name)
        whole = [trace for trace, told in traces.items() if phases <= told]
        self.assertGreater(len(whole), len(traces) / 2, traces)

    def test_has_the_traces_that_a_prometheus_found_as_exemplars(self) -> None:
        scenario = fleet(10, every_seconds=0.5)
        rotel = Rotel(self.addCleanup)
        exporter = self.watch(scenario, rotel, "http/protobuf")
        target = {"static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}]}
        features = ["exemplar-storage"]
        servers = {
            version: Prometheus(self.addCleanup, version, {"exporter": target}, features) for version in versions()
        }
        self.everything_arrived(exporter, rotel, len(scenario.operations()))
        for version, server in servers.items():
            with self.subTest(prometheus=version):
                wait_until("exemplars", lambda server=server: len(self.exemplars(server)) >= 4, 30)
                traces = {trace for trace, _ in rotel.kept.names()}
                self.assertLessEqual(self.exemplars(server), traces)

    @staticmethod
    def exemplars(server: Prometheus) -> set[str]:
        """The trace ids of the exemplars of the counter of ends, and of the histogram of durations."""
        now = time.time()
        found = set()
        for query in (COUNTER, "datasphere_operation_duration_seconds_bucket"):
            told = server.api("query_exemplars", query=query, start=str(now - 600), end=str(now))
            found |= {exemplar["labels"]["trace_id"] for series in told for exemplar in series["exemplars"]}
        return found


if __name__ == "__main__":
    main()
