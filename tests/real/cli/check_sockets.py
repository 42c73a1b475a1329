"""The exporter listens on a unix socket, and on sockets that systemd hands over."""
# Limit: 60 s

import http.client
import os
import shutil
import signal
import socket
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import configuration_for
from kit.programs import BINARY, Program, main, new_folder, run, start
from kit.web import answers, free_port


def asked_over(path: Path) -> int:
    """The status of an answer over a unix socket; 0 without one."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/-/healthy")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


class TheExporter(unittest.TestCase):
    def setUp(self) -> None:
        # Nobody is there: health does not depend on the cloud.
        self.configuration = configuration_for(free_port(), {"interval": "10s"})
        self.path = new_folder() / "exporter.sock"

    def serve(self, *flags: str) -> Program:
        command = [BINARY, "serve", f"--config.file={self.configuration}", *flags]
        return start(self.addCleanup, "serve", *command)

    def test_listens_on_a_unix_socket_beside_a_port(self) -> None:
        port = free_port()
        flags = [f"--web.listen-address=unix:{self.path}", f"--web.listen-address=127.0.0.1:{port}"]
        first = self.serve(*flags)
        wait_until("it listens", lambda: asked_over(self.path) == 200 and answers(port, "/-/healthy"), 20)
        for command in ("healthcheck", "list"):
            ended = run(BINARY, command, f"--url=unix:{self.path}")
            self.assertEqual((ended.returncode, ended.stderr), (0, b""), command)
        second = self.serve(f"--web.listen-address=unix:{self.path}", "--storage.path=")
        wait_until("the second has ended", lambda: not second.is_running(), 20)
        self.assertEqual(second.process.returncode, 1)
        self.assertIn("another process answers there", second.lines()[-1])
        first.kill()
        self.assertTrue(self.path.exists(), "what is killed leaves its socket behind")
        third = self.serve(*flags)
        wait_until("it listens again", lambda: asked_over(self.path) == 200, 20)
        self.assertEqual(third.terminate(), 0)
        self.assertFalse(self.path.exists())

    def test_takes_the_sockets_of_systemd_in_place_of_its_own(self) -> None:
        activate = shutil.which("systemd-socket-activate")
        self.assertIsNotNone(activate, "systemd is not there")
        port, unused = free_port(), free_port()
        command = [activate, f"--listen=127.0.0.1:{port}", f"--listen={self.path}", BINARY, "serve"]
        command += [f"--config.file={self.configuration}", "--web.systemd-socket"]
        command += [f"--web.listen-address=127.0.0.1:{unused}"]
        program = start(self.addCleanup, "activated", *command)
        wait_until("it listens", lambda: answers(port, "/-/healthy"), 20)
        self.assertEqual(asked_over(self.path), 200)
        self.assertFalse(answers(unused, "/-/healthy"))
        self.assertEqual(program.end(signal.SIGTERM), 0)
        self.assertTrue(self.path.exists(), "what systemd made is systemd's to remove")
        os.remove(self.path)

    def test_says_so_when_nothing_was_handed_over(self) -> None:
        program = self.serve("--web.systemd-socket")
        wait_until("it has ended", lambda: not program.is_running(), 20)
        self.assertEqual(program.process.returncode, 1)
        self.assertIn("no socket was handed over", program.lines()[-1])


if __name__ == "__main__":
    main()
