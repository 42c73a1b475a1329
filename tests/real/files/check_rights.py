"""Execution files and folders that the exporter's user may not write, or not even read.

The tests of the program cannot show this where they run as root, to whom nothing is forbidden.
"""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import Exporter, configuration_for, simulate
from kit.programs import BINARY, main, start
from kit.scenarios import Scenario, job
from kit.web import answers, free_port

NOBODY = 65_534
SEEN, CLOSED = job(1, "seen", "EXECUTING", for_ever=True), job(2, "closed", "EXECUTING", for_ever=True)
FLEET = Scenario([SEEN, CLOSED])
# Two searches.
SEARCHED_WITHIN_SECONDS = 70


def traits(path: Path) -> tuple:
    """All by which a change of a file or of what is in a folder is told."""
    told = path.stat()
    names = sorted(os.listdir(path)) if path.is_dir() else path.read_bytes()
    return told.st_ino, told.st_mode, told.st_size, told.st_mtime_ns, told.st_ctime_ns, names


class AnotherUser(unittest.TestCase):
    def setUp(self) -> None:
        # The check's own folder is closed to others.
        self.folder = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        for name, script, mode in (("seen", SEEN, 0o555), ("closed", CLOSED, 0o000)):
            folder = self.folder / name
            folder.mkdir()
            file = folder / "execution.json"
            file.write_text(f'{{"job_id": "{script["id"]}", "operation_id": "{script["operation_id"]}"}}')
            file.chmod(0o444)
            folder.chmod(mode)
        self.addCleanup((self.folder / "closed").chmod, 0o755)
        self.exporter = self.serve()

    def serve(self) -> Exporter:
        upstream, port = free_port(), free_port()
        simulate(self.addCleanup, FLEET, upstream)
        watch = {"interval": "1s", "execution_files": [f"{self.folder}/*/*.json"]}
        made = configuration_for(upstream, watch, sections={"storage": {"path": ""}})
        configuration = shutil.copy(made, self.folder / "config.yaml")
        os.chmod(configuration, 0o444)
        binary = shutil.copy(BINARY, self.folder / "exporter")
        rights = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "env", "-C", "/")
        words = rights if os.geteuid() == 0 else ()
        flags = (f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}")
        exporter = Exporter(start(self.addCleanup, "serve", *words, binary, "serve", *flags), port)
        exporter.wait_listening()
        exporter.wait_ready()
        return exporter

    def watches(self, script: dict) -> bool:
        return answers(self.exporter.port, f"/api/v1/operations/{script['operation_id']}")

    def test_what_is_closed_stops_nothing_and_is_read_once_it_is_opened(self) -> None:
        closed = self.folder / "closed"
        wait_until("the other file is read", lambda: self.watches(SEEN), 10)
        told = [line for line in self.exporter.program.lines() if str(closed) in line]
        self.assertEqual(len(told), 1, self.exporter.program)
        self.assertIn("cannot be read", told[0])
        self.assertFalse(self.watches(CLOSED))
        closed.chmod(0o555)
        wait_until("it is read as well", lambda: self.watches(CLOSED), SEARCHED_WITHIN_SECONDS)

    def test_what_may_only_be_read_is_left_as_it_was(self) -> None:
        folder = self.folder / "seen"
        before = [traits(path) for path in (folder, folder / "execution.json")]
        wait_until("it is read", lambda: self.watches(SEEN), 10)
        self.assertEqual([traits(path) for path in (folder, folder / "execution.json")], before)


if __name__ == "__main__":
    main()
