"""Endpoints that refuse, keep silent, talk nonsense or break connections, all from the start and all at once."""
# Limit: 120 s

import time
import unittest

from kit import bad_clouds
from kit.deadline import throughout, wait_until
from kit.exporter import READINESS_GRACE_SECONDS, SLACK_SECONDS, Exporter, serve
from kit.programs import main
from kit.scenarios import A_LONG_RUN
from kit.web import SCRAPE_SECONDS, answers, get

CLOUDS = [bad_clouds.refuses, bad_clouds.never_answers, bad_clouds.talks_nonsense, bad_clouds.resets]
# Told once a minute for each thing that fails, beside a few lines of the start.
LINES_MAX = 16


class TheCloudWasNeverThere(unittest.TestCase):
    def test_scrapes_are_answered_and_readiness_comes_with_its_grace(self) -> None:
        since = time.monotonic()
        exporters = {
            cloud.__name__: serve(self.addCleanup, cloud(self.addCleanup), A_LONG_RUN.watch("1s")) for cloud in CLOUDS
        }
        ready_after: dict[str, float] = {}

        def look() -> None:
            for name, exporter in exporters.items():
                self.answers_at_once(name, exporter)
                if name not in ready_after and exporter.is_ready():
                    ready_after[name] = time.monotonic() - since

        while len(ready_after) < len(exporters) and time.monotonic() - since < READINESS_GRACE_SECONDS + SLACK_SECONDS:
            throughout(0.5, look)
        self.assertEqual(ready_after.keys(), exporters.keys(), "ready when the grace is over")
        for name, exporter in exporters.items():
            with self.subTest(name):
                self.says_what_is_wrong(exporter)

    def test_readiness_waits_for_a_first_look_no_longer_than_its_grace(self) -> None:
        since = time.monotonic()
        patient = A_LONG_RUN.watch("1s") | {"request_timeout": "5m"}
        exporter = serve(self.addCleanup, bad_clouds.never_answers(self.addCleanup), patient)
        self.assertFalse(exporter.is_ready())
        seconds = READINESS_GRACE_SECONDS + SLACK_SECONDS
        wait_until("the grace is over", lambda: self.is_ready_at_once(exporter), seconds, pause=0.25)
        self.assertGreater(time.monotonic() - since, READINESS_GRACE_SECONDS - SLACK_SECONDS)
        self.assertEqual(exporter.program.terminate(), 0)

    def is_ready_at_once(self, exporter: Exporter) -> bool:
        self.answers_at_once("never_answers", exporter)
        return exporter.is_ready()

    def answers_at_once(self, name: str, exporter: Exporter) -> None:
        answer = exporter.scrape(timeout=SCRAPE_SECONDS * 3)
        self.assertEqual(answer.status, 200, name)
        self.assertLess(answer.seconds, SCRAPE_SECONDS, name)
        self.assertTrue(answers(exporter.port, "/-/healthy"), name)

    def says_what_is_wrong(self, exporter: Exporter) -> None:
        found = exporter.exposition()
        failed = {
            dict(labels)["code"]
            for (name, labels), value in found.samples.items()
            if name == "datasphere_exporter_api_requests_total" and value > 0
        }
        self.assertTrue(failed and "OK" not in failed, failed)
        self.assertEqual(found.values("datasphere_job_info"), [])
        lines = exporter.program.lines()
        self.assertTrue(1 <= len(lines) <= LINES_MAX, "\n".join(lines))
        self.assertEqual(get(exporter.port, "/healthz").status, 200)
        self.assertEqual(exporter.program.terminate(), 0)


if __name__ == "__main__":
    main()
