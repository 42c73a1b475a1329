"""The unit is understood by systemd, is shut in as far as it can be, and starts what the program has."""

import json
import re
import shlex
import unittest
from pathlib import Path

from kit.programs import BINARY, main, new_folder, run

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = "/etc/datasphere-exporter"
UNIT = ROOT / "deploy/systemd/datasphere-exporter.service"
# Tenths, of at most a hundred: what `systemd-analyze security` may find exposed. A service that listens and calls
# cannot have less than the network's share of it.
EXPOSURE_MAX = 12


def values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


class AUnit(unittest.TestCase):
    def setUp(self) -> None:
        # The program is where the package would put it.
        folder = new_folder()
        self.unit = folder / UNIT.name
        self.unit.write_text(UNIT.read_text().replace("/usr/bin/datasphere-exporter", BINARY))

    def test_is_understood(self) -> None:
        ended = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", self.unit)
        self.assertEqual((ended.returncode, ended.stdout + ended.stderr), (0, b""))

    def test_a_slip_would_be_found(self) -> None:
        self.unit.write_text(self.unit.read_text().replace("ProtectSystem=", "ProtectSytem="))
        ended = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", self.unit)
        self.assertIn(b"ProtectSytem", ended.stderr)

    def test_is_shut_in(self) -> None:
        words = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}")
        ended = run("systemd-analyze", *words, self.unit)
        self.assertEqual(ended.returncode, 0, ended.stdout.decode())
        looser = self.unit.with_name("looser.service")
        text = re.sub("^(NoNewPrivileges|SystemCallFilter|DynamicUser)=.*\n", "", self.unit.read_text(), flags=re.MULTILINE)
        looser.write_text(text)
        self.assertNotEqual(run("systemd-analyze", *words, looser).returncode, 0)

    def test_starts_what_may_be_typed(self) -> None:
        (command,) = values("ExecStart")
        program, *words = shlex.split(command)
        self.assertEqual(program, "/usr/bin/datasphere-exporter")
        ended = run(BINARY, *words, "--help")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        self.assertIn(f"--config.file={SETTINGS}/exporter.yaml", words)
        self.assertEqual(values("ExecReload"), ["/bin/kill -HUP $MAINPID"])

    def test_does_not_start_again_what_was_configured_wrongly(self) -> None:
        file = new_folder() / "exporter.yaml"
        file.write_text("watch: 1\n")
        ended = run(BINARY, "serve", f"--config.file={file}")
        self.assertEqual(values("RestartPreventExitStatus"), [str(ended.returncode)])

    def test_its_socket_is_understood_and_the_program_takes_what_it_is_told(self) -> None:
        socket = self.unit.with_suffix(".socket")
        text = (UNIT.parent / "socket" / UNIT.with_suffix(".socket").name).read_text()
        socket.write_text(text)
        ended = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", socket)
        self.assertEqual((ended.returncode, ended.stdout + ended.stderr), (0, b""))
        variable = re.search(r"^#   Environment=(\w+)=true$", text, re.MULTILINE)[1]
        ended = run("env", f"{variable}=true", BINARY, "print-config", "--output=json", "--config.file", self.anonymous())
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        self.assertTrue(json.loads(ended.stdout)["web"]["systemd_socket"])
        self.assertIn("ListenStream=10477", text)

    def anonymous(self) -> Path:
        file = new_folder() / "exporter.yaml"
        file.write_text("cloud: { auth: { anonymous: {} } }\n")
        return file

    def test_a_key_that_is_missing_is_named(self) -> None:
        (loaded,), (stand_in,) = values("LoadCredential"), values("SetCredential")
        name, source = loaded.split(":", 1)
        self.assertEqual(source, f"{SETTINGS}/key.json")
        self.assertTrue(stand_in.startswith(f"{name}:{source}"))
        self.assertIn(f"YC_SERVICE_ACCOUNT_KEY_FILE=%d/{name}", values("Environment"))



if __name__ == "__main__":
    main()
