"""The exporter follows a server made with the official stubs, and serves exactly what its operations say."""

import json
import sys
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import serve
from kit.exposition import Exposition
from kit.programs import Program, main, start
from kit.web import free_port, get

UPSTREAM = Path(__file__).parents[1] / "sdk" / "upstream.py"


class TheExporter(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        upstream = start(cls.addClassCleanup, "upstream", sys.executable, UPSTREAM, "--port", str(port))
        cls.told = wait_until("the upstream tells what is there", lambda: first_line(upstream), 20)
        cls.expected = cls.told["operations"]
        watch = {
            "interval": "1s",
            "interval_max": "1s",
            "list_interval": "1s",
            "sweep_interval": "1s",
            "projects": [cls.told["project_id"]],
            "operations": [{"id": operation} for operation in cls.expected],
        }
        cls.exporter = serve(cls.addClassCleanup, port, watch)
        cls.exporter.wait_ready()
        cls.found = wait_until("everything was looked at", lambda: cls.complete(cls.exporter.exposition()), 20)

    @classmethod
    def complete(cls, found: Exposition) -> Exposition | None:
        """The exposition, once it shows every operation and the project's own figures."""
        figures = ("datasphere_project_unit_balance", "datasphere_project_limit_units")
        told = all(found.values(name) for name in figures)
        return found if told and operations(found) == set(cls.expected) else None

    def of_kind(self, kind: str) -> dict[str, dict]:
        return {key: operation for key, operation in self.expected.items() if operation["kind"] == kind}

    def words(self, name: str, label: str, **labels: str) -> set[str]:
        """The values of a label among the series that are 1."""
        return {
            dict(pairs)[label]
            for (known, pairs), value in self.found.samples.items()
            if known == name and value == 1 and labels.items() <= dict(pairs).items()
        }

    def test_knows_every_operation_by_its_kind_and_whether_it_is_done(self) -> None:
        for key, operation in self.expected.items():
            with self.subTest(key):
                self.assertEqual(self.words("datasphere_operation_info", "kind", operation_id=key), {operation["kind"]})
                done = self.found.value("datasphere_operation_done", operation_id=key)
                self.assertEqual(done, float(operation["done"]))

    def test_knows_the_status_of_every_job(self) -> None:
        for key, operation in self.of_kind("job").items():
            if "status" in operation:
                statuses = self.words("datasphere_job_status", "status", job_id=operation["job_id"])
                self.assertEqual(statuses, {operation["status"]}, key)

    def test_knows_how_every_job_ended(self) -> None:
        for key, operation in self.of_kind("job").items():
            with self.subTest(key):
                outcomes = self.words("datasphere_job_outcome", "outcome", job_id=operation["job_id"])
                self.assertEqual(outcomes, {operation["outcome"]} if "outcome" in operation else set())
                code = self.found.value("datasphere_job_return_code", job_id=operation["job_id"])
                self.assertEqual(code, operation.get("return_code"))

    def test_knows_the_code_of_every_error(self) -> None:
        for key, operation in self.expected.items():
            codes = self.words("datasphere_operation_error", "code", operation_id=key)
            self.assertEqual(codes, {operation["code"]} if "code" in operation else set(), key)

    def test_counts_every_end_once(self) -> None:
        for kind in ("job", "notebook", "other"):
            for outcome in ("success", "failure", "error", "cancelled", "lost"):
                ended = [it for it in self.of_kind(kind).values() if it.get("outcome") == outcome]
                counted = sum(self.found.values("datasphere_operations_finished_total", kind=kind, outcome=outcome))
                self.assertEqual(counted, len(ended), f"{kind} {outcome}")

    def test_shows_times_sizes_and_progress_as_the_stubs_wrote_them(self) -> None:
        def value(name: str, job_id: str) -> float | None:
            return self.found.value(f"datasphere_job_{name}", job_id=job_id)

        ended = self.expected["bt1upopkilled0000000"]["job_id"]
        created = value("created_timestamp_seconds", ended)
        self.assertEqual(value("started_timestamp_seconds", ended), created + 60)
        self.assertEqual(value("finished_timestamp_seconds", ended), created + 300.5)
        self.assertEqual(value("data_expires_timestamp_seconds", ended), created + 14 * 86400)
        self.assertEqual(value("data_size_bytes", ended), 123456789)
        self.assertEqual(self.found.value("datasphere_job_output_errors", job_id=ended, type="NOT_FOUND"), 1)
        running = self.expected["bt1upoprunning000000"]["job_id"]
        # It was started ten minutes before the upstream, and makes a percent in thirty seconds.
        self.assertTrue(0.19 <= value("progress_ratio", running) <= 0.25, value("progress_ratio", running))
        self.assertIsNone(value("finished_timestamp_seconds", running))

    def test_knows_the_project(self) -> None:
        project = self.told["project_id"]
        info = {"project_name": "upstream", "community_id": self.told["community_id"]}
        self.assertEqual(self.found.value("datasphere_project_info", project_id=project, **info), 1)
        self.assertEqual(self.found.value("datasphere_project_unit_balance", project_id=project), self.told["balance"])
        self.assertEqual(self.found.value("datasphere_project_limit_units", project_id=project, scope="hour"), 5000)
        self.assertIsNone(self.found.value("datasphere_project_limit_units", project_id=project, scope="execution"))

    def test_counts_what_it_could_not_understand(self) -> None:
        self.assertGreater(sum(self.found.values("datasphere_exporter_decode_gaps_total")), 0)

    def test_never_tells_a_secret(self) -> None:
        secret = self.told["secret"]
        each = [f"/api/v1/operations/{key}" for key in self.expected]
        for path in ("/", "/metrics", "/api/v1/operations", *each):
            answer = get(self.exporter.port, path)
            self.assertEqual(answer.status, 200, path)
            self.assertNotIn(secret, answer.body.decode())
        self.assertNotIn(secret, "\n".join(self.exporter.program.lines()))


def first_line(program: Program) -> dict | None:
    """The line of JSON that the upstream begins with."""
    told = [line for line in program.lines() if line.startswith("{")]
    if not told and not program.is_running():
        raise RuntimeError(f"the upstream ended by itself: {program}")
    return json.loads(told[0]) if told else None


def operations(found: Exposition) -> set[str]:
    return {dict(labels)["operation_id"] for name, labels in found.samples if name == "datasphere_operation_info"}


if __name__ == "__main__":
    main()
