"""SIGHUP, as an operator sends it: a good file takes effect, a bad one changes nothing and says why."""

import json
import signal
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import Exporter, configuration_for, simulate
from kit.programs import BINARY, main, new_folder, run, start
from kit.scenarios import A_LONG_RUN
from kit.web import free_port

SUCCESSFUL = "datasphere_exporter_config_last_reload_successful"


class AnExporter(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = free_port()
        simulate(self.addCleanup, A_LONG_RUN, self.cloud)
        self.file = new_folder() / "exporter.yaml"
        self.write(A_LONG_RUN.watch("1s"))
        port = free_port()
        self.flags = [f"--config.file={self.file}", f"--web.listen-address=127.0.0.1:{port}"]
        program = start(self.addCleanup, "serve", BINARY, "serve", *self.flags)
        self.exporter = Exporter(program, port)
        self.exporter.wait_ready()

    def write(self, watch: dict, **sections: dict) -> None:
        made = configuration_for(self.cloud, watch, self.file.parent / "data", sections)
        self.file.write_text(made.read_text())

    def reload(self) -> str:
        """Sends SIGHUP; the line that tells what became of it."""
        said = len(self.exporter.program.lines())
        self.exporter.program.process.send_signal(signal.SIGHUP)

        def told() -> str | None:
            lines = self.exporter.program.lines()[said:]
            return next((line for line in lines if "reloaded" in line), None)

        return wait_until("the reload is told", lambda: self.exporter.ended() or told(), 20)

    def value(self, name: str, **labels: str) -> float | None:
        return self.exporter.exposition().value(name, **labels)

    def test_takes_what_its_file_says_now_and_loses_nothing(self) -> None:
        before = self.value("datasphere_exporter_tracked_operations_limit")
        tracked = self.value("datasphere_operations_tracked_total", kind="job", source="config")
        self.write(A_LONG_RUN.watch("1s") | {"tracked_max": 77}, thresholds={"progress_stalled": "7m"})
        self.assertIn("level=info", self.reload())
        self.assertNotEqual(before, 77)
        self.assertEqual(self.value("datasphere_exporter_tracked_operations_limit"), 77)
        self.assertEqual(self.value("datasphere_exporter_progress_stalled_threshold_seconds"), 420)
        self.assertEqual(self.value("datasphere_operations_tracked_total", kind="job", source="config"), tracked)
        self.assertEqual(self.value(SUCCESSFUL), 1)

    def test_says_of_a_bad_file_what_a_check_says_and_goes_on(self) -> None:
        good = self.file.read_text()
        self.file.write_text(json.dumps(json.loads(good) | {"nonsense": 1}))
        told = self.reload()
        checked = run(BINARY, "check-config", f"--config.file={self.file}")
        self.assertEqual(checked.returncode, 64)
        problem = checked.stderr.decode().strip().removeprefix("datasphere-exporter: ")
        self.assertIn("level=error", told)
        self.assertIn(problem.replace('"', '\\"'), told)
        self.assertEqual(self.value(SUCCESSFUL), 0)
        self.file.write_text(good)
        self.reload()
        self.assertEqual(self.value(SUCCESSFUL), 1)

    def test_names_what_waits_for_the_next_start(self) -> None:
        self.write(A_LONG_RUN.watch("1s"), gateway={"listen_address": f"127.0.0.1:{free_port()}"})
        for _ in range(2):
            told = self.reload()
            self.assertIn("level=warn", told)
            self.assertIn("gateway.listen_address", told)
        self.write(A_LONG_RUN.watch("1s"))
        self.assertIn("level=info", self.reload(), "as it began")

    def test_goes_on_when_its_file_is_gone_or_is_a_folder(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))
        self.assertIn(str(self.file), self.reload())
        Path(self.file).mkdir()
        self.assertIn(str(self.file), self.reload())
        self.assertTrue(self.exporter.is_answering())
        self.assertEqual(self.exporter.program.terminate(), 0)


if __name__ == "__main__":
    main()
