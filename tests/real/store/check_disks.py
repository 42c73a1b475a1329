"""A disk that fills up, is mounted read-only, or holds nonsense: watching goes on, and the exporter says so briefly.

The disk is a file system in memory of its own, so this needs the right to mount.
"""
# Limit: 180 s

import sqlite3
import subprocess
import unittest

from kit.deadline import wait_until
from kit.exporter import Exporter, serve, simulate
from kit.programs import BINARY, main, new_folder, run
from kit.scenarios import ALL_STAGES, Scenario, job
from kit.web import free_port

UP = "datasphere_exporter_store_up"
ERRORS = "datasphere_exporter_store_errors_total"
FINISHED = "datasphere_operations_finished_total"
JOBS = 300
# What a database without records needs is 40 kB or so; this is full after some dozens of operations.
SMALL, LARGE = "192k", "64m"
# A line a minute for the store, one for shutting down and the like.
LINES_OF_TROUBLE = 6


def fleet() -> Scenario:
    """Jobs that begin within a minute and last some seconds each."""
    timeline = [{"status": status, "lasts": "1s"} for status in ALL_STAGES]
    return Scenario(
        [
            job(number, f"run-{number % 5}", *ALL_STAGES, start=f"{3000 + 100 * number}ms", timeline=timeline)
            for number in range(JOBS)
        ]
    )


class ADisk(unittest.TestCase):
    def setUp(self) -> None:
        self.disk = new_folder()

    def mount(self, options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.disk], check=True)

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)

    def serve(self, scenario: Scenario) -> Exporter:
        port = free_port()
        simulate(self.addCleanup, scenario, port)
        watch = scenario.watch("1s") | {"retention": "24h", "operations": []}
        return serve(self.addCleanup, port, watch, storage=self.disk / "data")

    @staticmethod
    def trouble(exporter: Exporter) -> list[str]:
        return [line for line in exporter.program.lines() if "level=error" in line or "level=warn" in line]

    def kept(self) -> int:
        """Operations in the database, as another process sees it."""
        database = sqlite3.connect(f"file:{self.disk}/data/state.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        (count,) = database.execute("SELECT count(*) FROM records WHERE key LIKE '{\"operation\"%'").fetchone()
        return count

    def ends(self, exporter: Exporter) -> float:
        return sum(exporter.exposition().values(FINISHED))

    def test_that_is_full_stops_nothing_and_forgets_nothing_once_there_is_room(self) -> None:
        self.mount(f"size={SMALL}")
        exporter = self.serve(fleet())
        wait_until("the store fails", lambda: exporter.exposition().value(UP) == 0, 60)
        failed_at = self.ends(exporter)
        wait_until("watching goes on", lambda: self.ends(exporter) > failed_at + 20, 30)
        self.assertTrue(exporter.is_ready())
        self.assertGreater(exporter.exposition().value(ERRORS), 0)
        self.assertLessEqual(len(self.trouble(exporter)), LINES_OF_TROUBLE, self.trouble(exporter))
        self.remount(f"size={LARGE}")
        wait_until("the store works again", lambda: exporter.exposition().value(UP) == 1, 30)
        told = self.ends(exporter)
        self.assertGreaterEqual(self.kept(), told, "what was told is on the disk")
        exporter.program.kill()
        exporter = exporter.again()
        wait_until("all have ended", lambda: self.ends(exporter) >= JOBS, 60)
        self.assertEqual(self.ends(exporter), JOBS)
        self.assertEqual(list((self.disk / "data").glob("*.damaged*")), [])

    def test_that_is_read_only_leaves_everything_in_memory(self) -> None:
        self.mount("ro")
        exporter = self.serve(fleet())
        exposition = exporter.exposition()
        self.assertEqual((exposition.value(UP), exposition.value(ERRORS)), (0, 1))
        wait_until("it watches", lambda: self.ends(exporter) > 5, 60)
        (said,) = self.trouble(exporter)
        self.assertIn("in memory only", said)
        self.assertIn(str(self.disk), said)

    def test_that_holds_nonsense_is_tidied_once(self) -> None:
        folder = self.disk / "data"
        folder.mkdir()
        (folder / "state.db").write_bytes(b"nonsense" * 4096)
        exporter = self.serve(Scenario([]))
        (said,) = self.trouble(exporter)
        self.assertIn("moved aside", said)
        (aside,) = folder.glob("*.damaged")
        self.assertIn(str(aside), said)
        exporter.program.kill()
        exporter = exporter.again()
        self.assertEqual((self.trouble(exporter), exporter.exposition().value(UP)), ([], 1))

    def test_that_another_process_uses_is_refused(self) -> None:
        exporter = self.serve(Scenario([]))
        file = new_folder() / "config.yaml"
        file.write_text("cloud: { endpoint: '127.0.0.1:1', tls: { enabled: false }, auth: { anonymous: {} } }")
        ended = run(
            BINARY, "serve", f"--config.file={file}", f"--storage.path={self.disk / 'data'}", "--web.listen-address=127.0.0.1:0"
        )
        said = ended.stderr.decode().splitlines()[-1]
        self.assertEqual(ended.returncode, 1)
        self.assertIn("in use by another process", said)
        self.assertIn(str(self.disk), said)
        exporter.wait_ready()


if __name__ == "__main__":
    main()
