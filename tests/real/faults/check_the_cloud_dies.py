"""`kill -9` of the cloud: scrapes go on as before, the exporter says so briefly, and it recovers by itself."""
# Limit: 90 s

import time
import unittest

from kit.deadline import throughout, wait_until
from kit.exporter import Exporter, serve_beside, simulate
from kit.programs import main
from kit.scenarios import A_LONG_RUN
from kit.web import SCRAPE_SECONDS

LAST_SUCCESS = "datasphere_exporter_last_success_timestamp_seconds"
# How long the cloud is away: a dozen looks of a job that is looked at every second.
OUTAGE_SECONDS = 12
# A line a minute for each thing that fails: operations, jobs, balance and project of the one project.
LINES_OF_AN_OUTAGE = 8
# Retries wait longer and longer; within this time one of them finds the cloud again.
RECOVERY_SECONDS = 30


class TheCloudDies(unittest.TestCase):
    def setUp(self) -> None:
        self.exporter, self.simulator, self.port = serve_beside(self.addCleanup, A_LONG_RUN, interval="1s")
        self.exporter.wait_ready()
        wait_until("both jobs are there", lambda: len(self.jobs()) == 2, 20)

    def jobs(self) -> list[float]:
        return self.exporter.exposition().values("datasphere_job_status", status="EXECUTING")

    def last_success(self) -> float:
        return max(self.exporter.exposition().values(LAST_SUCCESS))

    def errors(self) -> float:
        calls = self.exporter.exposition().samples.items()
        return sum(
            value
            for (name, labels), value in calls
            if name == "datasphere_exporter_api_requests_total" and dict(labels)["code"] != "OK"
        )

    def test_scrapes_go_on_and_the_exporter_recovers_by_itself(self) -> None:
        self.assertEqual(self.errors(), 0)
        said = len(self.exporter.program.lines())
        self.simulator.kill()
        died_at = time.time()
        wait_until("calls fail", self.errors, 15)
        throughout(OUTAGE_SECONDS, self.scrape_answers_at_once)
        self.assertLess(self.last_success(), died_at + 1, "nothing was heard since")
        self.assertEqual(self.jobs(), [1, 1], "what was known stays known")
        self.assertTrue(self.exporter.is_ready(), "a dead cloud is no reason to take the exporter away")
        lines = self.exporter.program.lines()[said:]
        self.assertTrue(1 <= len(lines) <= LINES_OF_AN_OUTAGE, "\n".join(lines))
        self.recovers()

    def scrape_answers_at_once(self) -> None:
        answer = self.exporter.scrape()
        self.assertEqual(answer.status, 200)
        self.assertLess(answer.seconds, SCRAPE_SECONDS)

    def recovers(self) -> None:
        simulate(self.addCleanup, A_LONG_RUN, self.port)
        back_at = time.time()
        wait_until("the exporter hears again", lambda: self.last_success() > back_at, RECOVERY_SECONDS)
        wait_until("looks succeed again", lambda: self.looked_at_since(self.exporter, back_at), RECOVERY_SECONDS)
        ended = self.exporter.exposition().values("datasphere_operations_finished_total")
        self.assertEqual(sum(ended), 0, "nothing ended, and nothing was lost")

    @staticmethod
    def looked_at_since(exporter: Exporter, moment: float) -> bool:
        polls = exporter.exposition().values("datasphere_job_last_poll_timestamp_seconds")
        return len(polls) == 2 and min(polls) > moment


if __name__ == "__main__":
    main()
