# Limit: 300 s
"""The official SDK and command line, pointed at the gateway, work as they do against the cloud, with TLS and without;
and what they start is watched, each once."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import Exporter, accepts
from kit.programs import BINARY, main, new_folder, plain_environment, start
from kit.web import free_port, get

HERE = Path(__file__).parent
SDK = HERE.parent / "sdk"
KEY_FILE = HERE.parents[1] / "fixtures" / "service_account_key.json"
PROJECT = "bt1projectofthesdk00"
CLIENT_SECONDS = 120


class Clients:
    """The checks of both clients against one gateway; the classes below say over what."""

    is_encrypted: bool

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = new_folder()
        cls.certificate, key = cls.folder / "cert.pem", cls.folder / "key.pem"
        subprocess.run([sys.executable, SDK / "certificate.py", cls.certificate, key], check=True)
        cloud, cls.files, web, cls.gateway = (free_port() for _ in range(4))
        tls = [f"--tls.cert-file={cls.certificate}", f"--tls.key-file={key}"] if cls.is_encrypted else []
        listen = [f"--listen-address=127.0.0.1:{cloud}", f"--http-listen-address=127.0.0.1:{cls.files}"]
        scenario = ["--scenario", SDK / "scenario.yaml"]
        start(cls.addClassCleanup, "simulate", BINARY, "simulate", *listen, *scenario, *tls)
        wait_until("the simulator listens", lambda: accepts(cloud), 20)
        ca_file = {"ca_file": str(cls.certificate)} if cls.is_encrypted else {}
        files = {"cert_file": str(cls.certificate), "key_file": str(key)} if cls.is_encrypted else {}
        configuration = {
            "cloud": {
                "endpoint": f"localhost:{cloud}",
                "tls": {"enabled": cls.is_encrypted, **ca_file},
                "auth": {"service_account_key_file": str(KEY_FILE)},
            },
            "watch": {"interval": "1s", "interval_max": "2s"},
            "gateway": {"listen_address": f"127.0.0.1:{cls.gateway}", "tls": files},
            "storage": {"path": ""},
        }
        file = cls.folder / "config.yaml"
        file.write_text(json.dumps(configuration))
        flags = [f"--config.file={file}", f"--web.listen-address=127.0.0.1:{web}"]
        cls.exporter = Exporter(start(cls.addClassCleanup, "serve", BINARY, "serve", *flags), web)
        cls.exporter.wait_ready()

    def client(self, script: str, *arguments: str | Path) -> str:
        """Runs a script with a client of the cloud and returns what it said."""
        by = [] if self.is_encrypted else [HERE / "plain.py"]
        environment = {"EXPECTED_SOURCE": "gateway", "no_proxy": "localhost,127.0.0.1", "GRPC_VERBOSITY": "ERROR"}
        if not self.is_encrypted:
            environment["CLIENT_WRAPPER"] = str(HERE / "plain.py")
        command = [sys.executable, *by, SDK / script, f"localhost:{self.gateway}", self.certificate, *arguments]
        ended = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
            env=plain_environment() | environment,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def token(self) -> str:
        """A token of the service account, as a machine's metadata gives it."""
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        return json.loads(get(self.files, path, **{"metadata-flavor": "Google"}).body)["access_token"]

    def test_the_command_line_works_and_what_it_starts_is_watched(self) -> None:
        before = self.tracked("job")
        arguments = (f"127.0.0.1:{self.files}", self.folder / "cli", f"127.0.0.1:{self.exporter.port}")
        self.client("cli.py", *arguments)
        # train, again, failing, refused, attached, two that are cancelled, and both forks.
        wait_until("every job is counted", lambda: self.tracked("job") - before == 9, 20)
        outcomes = wait_until("their ends", lambda: self.finished("job"), 20)
        for outcome in ("success", "failure", "error", "cancelled"):
            self.assertGreater(outcomes.get(outcome, 0), 0, outcomes)
        for method in ("ReadLogs", "Execute", "Clone", "Cancel", "List", "Create"):
            self.assertGreater(self.requests(f"ProjectJobService.{method}", "OK"), 0, method)

    def test_an_sdk_works_and_what_it_starts_is_watched(self) -> None:
        before = self.tracked("notebook")
        self.client("sdk.py", KEY_FILE, self.token())
        wait_until("both notebooks are counted", lambda: self.tracked("notebook") - before == 2, 20)
        outcomes = wait_until("their ends", lambda: self.finished("notebook"), 20)
        self.assertEqual(outcomes, {"success": 1, "failure": 1})
        self.assertGreater(self.requests("ApiEndpointService.List", "OK"), 0)
        self.assertGreater(self.requests("OperationService.Get", "NOT_FOUND"), 0)

    def test_nothing_of_a_credential_is_said(self) -> None:
        said = "\n".join(self.exporter.program.lines()) + self.exporter.scrape().body.decode()
        for secret in ("t1.", "Bearer", "hunter2", "PRIVATE"):
            self.assertNotIn(secret, said)

    def values(self, name: str, **labels: str) -> dict[str, float]:
        """Sums by the label that is asked for with an empty value."""
        found: dict[str, float] = {}
        wanted = {key: value for key, value in labels.items() if value}
        by = next((key for key, value in labels.items() if not value), None)
        for (known, pairs), value in self.exporter.exposition().samples.items():
            named = dict(pairs)
            if known == name and wanted.items() <= named.items() and value:
                key = named[by] if by else ""
                found[key] = found.get(key, 0) + value
        return found

    def tracked(self, kind: str) -> float:
        found = self.values("datasphere_operations_tracked_total", source="gateway", kind=kind)
        return sum(found.values())

    def finished(self, kind: str) -> dict[str, float]:
        """Outcomes, once everything that was tracked has ended."""
        found = self.values("datasphere_operations_finished_total", kind=kind, outcome="")
        live = self.values("datasphere_operations", kind=kind, state="running")
        return {} if sum(live.values()) > self.for_ever(kind) else found

    def for_ever(self, kind: str) -> int:
        """Jobs of the scenario that never end, of which both clients may ask."""
        return 1 if kind == "job" else 0

    def requests(self, method: str, code: str) -> float:
        found = self.values("datasphere_exporter_gateway_requests_total", method=method, code=code)
        return sum(found.values())


class WithTls(Clients, unittest.TestCase):
    is_encrypted = True


class WithoutTls(Clients, unittest.TestCase):
    is_encrypted = False


if __name__ == "__main__":
    main()
