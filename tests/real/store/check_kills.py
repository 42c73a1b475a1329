"""`kill -9` at random moments under load: nothing is lost, counted twice or told in two ways.

Two exporters watch one cloud: one is never interrupted, the other is killed again and again and starts on what it kept.
KILLS sets how often; `KILLS=500 LIMIT=7200 tests/real/run.sh BINARY store/check_kills` takes an hour.
"""
# Limit: 300 s

import os
import random
import time
import unittest

from kit.collector import Collector
from kit.deadline import wait_until
from kit.exporter import Exporter, serve, simulate
from kit.exposition import Exposition
from kit.programs import main
from kit.scenarios import PROJECT, Scenario, job
from kit.web import free_port

KILLS = int(os.environ.get("KILLS", "30"))
# How long the killed exporter lives each time, in seconds: from before its first look to some looks at everything.
LIVES = (0.05, 2.5)
JOBS_A_SECOND = 6
# An id that is unknown for so long is still asked for every two seconds, within the life of its job.
NAMED_SECONDS = 20
# What nobody else has to tell apart: chance may be repeated by the seed that a failure names.
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 32))))
# Counts of ends and of what came under watch; the others tell when something was seen.
COUNTERS = ("datasphere_operations_finished_total", "datasphere_operation_results_total")
TRACKED = "datasphere_operations_tracked_total"
ENDS = (*COUNTERS, "datasphere_job_outcome", "datasphere_job_return_code")
ALL_STAGES = ("CREATING", "PREPARING", "EXECUTING", "UPLOADING_OUTPUT")
WAYS_TO_END = (
    {},
    {"end": {"return_code": 1}},
    {"end": {"return_code": 137}},
    {"end": {"error": {"code": "INTERNAL", "message": "told by the scenario"}}},
    {"end": "cancelled"},
)


def fleet(seconds: float) -> Scenario:
    """Jobs that begin all through these seconds and last some each."""
    timeline = [{"status": status, "lasts": f"{800 + 300 * place}ms"} for place, status in enumerate(ALL_STAGES)]
    jobs = [
        job(number, f"run-{number % 7}", *ALL_STAGES, start=f"{3000 + 1000 * number // JOBS_A_SECOND}ms", timeline=timeline)
        | WAYS_TO_END[number % len(WAYS_TO_END)]
        for number in range(int(seconds * JOBS_A_SECOND))
    ]
    return Scenario(jobs)


class AnExporterIsKilled(unittest.TestCase):
    def setUp(self) -> None:
        self.chance = random.Random(SEED)
        lives = [self.chance.uniform(*LIVES) for _ in range(KILLS)]
        # A start takes a third of a second or so.
        self.scenario = fleet(sum(lives) + 0.3 * KILLS)
        self.lives = lives
        port = free_port()
        simulate(self.addCleanup, self.scenario, port)
        # Half of the jobs are told by their operations too, so that both ways to be known meet. Not those that begin
        # late: an id that the cloud does not know yet is asked for ever less often, and a listing would end its job first.
        watch = self.scenario.watch("1s") | {"retention": "24h", "requests_per_second": 2000}
        watch["operations"] = watch["operations"][: NAMED_SECONDS * JOBS_A_SECOND : 2]
        self.steady_collector, self.killed_collector = Collector(self.addCleanup), Collector(self.addCleanup)
        self.steady = serve(self.addCleanup, port, watch, self.steady_collector.environment())
        self.killed = serve(self.addCleanup, port, watch, self.killed_collector.environment())

    def test_what_it_tells_is_what_one_tells_that_lived(self) -> None:
        before = Exposition()
        for life in self.lives:
            time.sleep(life)
            if self.killed.is_answering():
                before = self.killed.exposition()
            self.killed.program.kill()
            self.killed = self.killed.again()
            self.nothing_fell(before, self.killed)
        ended = len(self.scenario.jobs)
        for exporter in (self.steady, self.killed):
            wait_until("all have ended", lambda exporter=exporter: self.ends(exporter) >= ended, 60)
        try:
            wait_until("both tell the same", lambda: not self.differences(), 30)
        except TimeoutError as late:
            self.fail(f"{late}: {self.differences()}")
        self.assertEqual(self.ends(self.killed), ended, f"SEED={SEED}")
        self.spans_are_whole(ended)

    def nothing_fell(self, before: Exposition, exporter: Exporter) -> None:
        after = exporter.exposition()
        for key, value in before.samples.items():
            if key[0] in COUNTERS:
                self.assertGreaterEqual(after.samples.get(key, 0), value, f"{key} after a kill, SEED={SEED}")
        self.assertEqual(after.value("datasphere_exporter_store_errors_total"), 0, f"SEED={SEED}")
        self.assertEqual(after.value("datasphere_exporter_store_up"), 1, f"SEED={SEED}")

    @staticmethod
    def ends(exporter: Exporter) -> float:
        return sum(exporter.exposition().values("datasphere_operations_finished_total", project_id=PROJECT))

    def differences(self) -> list[str]:
        def told(exporter: Exporter) -> dict:
            exposition = exporter.exposition()
            told = {key: value for key, value in exposition.samples.items() if key[0] in ENDS}
            # Who came first, a listing or the configuration, is a matter of moments.
            return told | {(TRACKED, ()): sum(exposition.values(TRACKED))}

        lived, died = told(self.steady), told(self.killed)
        return [str(key) for key in lived.keys() | died.keys() if lived.get(key) != died.get(key)]

    def spans_are_whole(self, ended: int) -> None:
        """Every operation has one root, and no span was told with two contents."""
        for collector in (self.killed_collector, self.steady_collector):
            wait_until("all roots arrived", lambda collector=collector: len(collector.roots()) >= ended, 60)
        self.assertEqual(self.killed_collector.roots(), self.steady_collector.roots(), f"SEED={SEED}")
        self.assertEqual(self.killed_collector.started(), {trace for trace, _ in self.killed_collector.roots()})
        self.assertEqual(self.killed_collector.contradictions(), [], f"SEED={SEED}")
        self.assertEqual(self.killed_collector.orphans(), [], f"SEED={SEED}")


if __name__ == "__main__":
    main()
