"""Every Prometheus scrapes with TLS, a client certificate and a password, also while all of them are exchanged.

Beside each scrape that may there are some that may not: without a certificate, without a password, with a wrong one,
and without TLS. Then a file is broken: nothing changes, and the exporter says so.
"""
# Limit: 180 s

import base64
import http.client
import json
import signal
import ssl
import subprocess
import unittest

from cryptography import x509

from kit.certificates import Authority, replace
from kit.deadline import wait_until
from kit.programs import BINARY, main, new_folder, start
from kit.server import Prometheus, versions
from kit.web import free_port, get

# "first secret" and "second secret", as libxcrypt hashes them at a cost of 10: bcrypt that is not ours.
HASHES = {
    "first secret": "$2b$10$abcdefghijklmnopqrstuuVs.4fAG0SLnh.7MslpIE1NxmBk7uk6q",
    "second secret": "$2b$10$abcdefghijklmnopqrstuufjeTZKE8av0LwC/b9.L28LIDKnvx6XG",
}
RELOADED = "datasphere_exporter_config_last_reload_successful"


class APrometheus(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = new_folder()
        self.servers, self.clients = Authority(self.folder, "servers"), Authority(self.folder, "clients")
        self.serial = self.servers.server("server")
        self.clients.client("client", "prometheus.example")
        self.servers.client("stranger", "prometheus.example")
        self.protect("first secret")
        self.port = free_port()
        flags = [f"--web.listen-address=127.0.0.1:{self.port}", f"--web.config.file={self.folder / 'web.yml'}"]
        self.exporter = start(self.addCleanup, "demo", BINARY, "demo", *flags)
        wait_until("the exporter answers", lambda: self.answers("first secret"), 30)

    def test_scrapes_what_is_protected_while_it_is_exchanged(self) -> None:
        servers = {version: Prometheus(self.addCleanup, version, self.jobs(), []) for version in versions()}
        for version, server in servers.items():
            wait_until(f"{version} has scraped", lambda: set(health(server)) == set(self.jobs()), 60)
            told = health(server)
            with self.subTest(version=version):
                self.assertEqual(told["may"], ("up", ""))
                self.assertEqual({name for name, (is_up, _) in told.items() if is_up == "up"}, {"may"})
                self.assertIn("401", told["without_user"][1])
                self.assertIn("401", told["with_a_wrong_password"][1])
                self.assertIn("400", told["in_plain"][1])
                for name in ("without_certificate", "with_a_strangers_certificate"):
                    # Over HTTP/2 some versions tell only that there is no connection.
                    self.assertRegex(told[name][1], "certificate|tls|could not be established", name)
        self.exchange(servers)
        self.break_a_file(servers)
        self.ask_by_command()

    def exchange(self, servers: dict[str, Prometheus]) -> None:
        before, password = self.serial, self.password
        self.serial = self.servers.server("server")
        self.clients.client("client", "prometheus.example")
        self.protect("second secret")
        wait_until("what is new counts", lambda: self.answers("second secret"), 15)
        self.assertNotEqual(self.shown(), before)
        self.assertEqual(self.shown(), self.serial)
        self.assertFalse(self.answers("first secret"))
        for version, server in servers.items():
            # Certificates are read anew by themselves; the file of a password is not, by 3.5.
            told = server.configuration.read_text()
            server.configuration.write_text(told.replace(str(password), str(self.password)))
            server.program.process.send_signal(signal.SIGHUP)
            with self.subTest(version=version):
                since = float(server.api("query", query="time()")["result"][1])
                wait_until(f"{version} scrapes on", lambda: ups(server, since)[-1:] == ["1"], 30)

    def break_a_file(self, servers: dict[str, Prometheus]) -> None:
        web = self.folder / "web.yml"
        good = web.read_bytes()
        replace(web, b"basic_auth_users: { prometheus: canary }\n")
        wait_until("the exporter says so", lambda: self.reloaded() == "0", 30)
        since = {version: float(server.api("query", query="time()")["result"][1]) for version, server in servers.items()}
        said = [line for line in self.exporter.lines() if "level=error" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("web.yml:1: basic_auth_users.prometheus", said[0])
        self.assertNotIn("canary", "\n".join(self.exporter.lines()))
        for version, server in servers.items():
            with self.subTest(version=version):
                wait_until(f"{version} scrapes on", lambda: ups(server, since[version]), 30)
                self.assertEqual(set(ups(server, since[version])), {"1"}, health(server)["may"])
        replace(web, good)
        wait_until("all is well again", lambda: self.reloaded() == "1", 30)

    def ask_by_command(self) -> None:
        command = [BINARY, "list", f"--url=https://localhost:{self.port}", f"--ca-file={self.servers.file}"]
        as_client = [f"--cert-file={self.folder / 'client.crt'}", f"--key-file={self.folder / 'client.key'}"]
        as_user = ["--user=prometheus", f"--password-file={self.password}"]
        for flags, code in [([], 1), (as_client, 1), (as_user, 1), (as_client + as_user, 0)]:
            ended = subprocess.run(command + flags, capture_output=True, text=True, timeout=30)
            self.assertEqual(ended.returncode, code, f"{flags}: {ended.stdout}{ended.stderr}")
            self.assertNotIn("second secret", ended.stdout + ended.stderr)

    def protect(self, password: str) -> None:
        """For this password of `prometheus`, which Prometheus finds in a file."""
        self.password = self.folder / password.split()[0]
        replace(self.password, password.encode())
        configuration = {
            "tls_server_config": {
                "cert_file": "server.crt",
                "key_file": "server.key",
                "client_auth_type": "RequireAndVerifyClientCert",
                "client_ca_file": "clients.crt",
                "client_allowed_sans": ["prometheus.example"],
            },
            "basic_auth_users": {"prometheus": HASHES[password]},
        }
        # JSON is YAML too.
        replace(self.folder / "web.yml", json.dumps(configuration).encode())

    def jobs(self) -> dict[str, dict]:
        target = {"static_configs": [{"targets": [f"localhost:{self.port}"]}], "scheme": "https"}
        ca = {"ca_file": str(self.servers.file)}
        shown = ca | {"cert_file": str(self.folder / "client.crt"), "key_file": str(self.folder / "client.key")}
        strange = ca | {"cert_file": str(self.folder / "stranger.crt"), "key_file": str(self.folder / "stranger.key")}
        user = {"basic_auth": {"username": "prometheus", "password_file": str(self.password)}}
        wrong = {"basic_auth": {"username": "prometheus", "password": "wrong"}}
        return {
            "may": target | user | {"tls_config": shown},
            "without_certificate": target | user | {"tls_config": ca},
            "with_a_strangers_certificate": target | user | {"tls_config": strange},
            "without_user": target | {"tls_config": shown},
            "with_a_wrong_password": target | wrong | {"tls_config": shown},
            "in_plain": target | user | {"scheme": "http"},
        }

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.servers.file))
        context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context

    def get(self, password: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=self.context())
        credential = base64.b64encode(f"prometheus:{password}".encode()).decode()
        try:
            connection.request("GET", path, headers={"Authorization": f"Basic {credential}"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self, password: str) -> bool:
        try:
            return self.get(password, "/-/healthy")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def reloaded(self) -> str:
        """What the exporter tells of its newest load."""
        lines = self.get("second secret", "/metrics")[1].splitlines()
        return next(line.split(" ")[1] for line in lines if line.startswith(f"{RELOADED} "))

    def shown(self) -> int:
        """The number of the certificate that it shows."""
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=self.context())
        try:
            connection.connect()
            certificate = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        return x509.load_der_x509_certificate(certificate).serial_number


def health(server: Prometheus) -> dict[str, tuple[str, str]]:
    """Health and last error of each scrape job that was scraped."""
    targets = server.api("targets", state="active")["activeTargets"]
    return {
        target["labels"]["job"]: (target["health"], target["lastError"])
        for target in targets
        if target["health"] != "unknown"
    }


def ups(server: Prometheus, since: float) -> list[str]:
    """Whether each scrape that may was up, of those after a time."""
    found = server.api("query", query='up{job="may"}[2m]')["result"]
    return [value for at, value in found[0]["values"] if float(at) > since] if found else []


if __name__ == "__main__":
    main()
