"""`healthcheck` says by its exit code whether an exporter is well, however that one wants to be asked."""

import json
import subprocess
import unittest
from pathlib import Path

from kit.certificates import Authority
from kit.deadline import wait_until
from kit.exporter import demo
from kit.programs import BINARY, main, new_folder, run, start
from kit.web import free_port

# "first secret", as libxcrypt hashes it at a cost of 10.
HASH = "$2b$10$abcdefghijklmnopqrstuuVs.4fAG0SLnh.7MslpIE1NxmBk7uk6q"


def ask(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return run(BINARY, "healthcheck", *words)


class AHealthcheck(unittest.TestCase):
    def test_says_whether_an_exporter_is_well(self) -> None:
        exporter = demo(self.addCleanup)
        url = f"--url=http://127.0.0.1:{exporter.port}"
        self.assertEqual((ask(url).returncode, ask(url).stdout), (0, b"the exporter is healthy\n"))
        self.assertEqual(json.loads(ask(url, "--ready", "--output=json").stdout), {"ready": True})
        exporter.program.terminate()
        ended = ask(url, "--output=json")
        told = json.loads(ended.stdout)
        self.assertEqual((ended.returncode, told["healthy"]), (1, False))
        self.assertIn("Connection refused", told["reason"])

    def test_asks_where_there_are_certificates_and_users(self) -> None:
        folder, port = new_folder(), free_port()
        authority = Authority(folder, "clients")
        authority.server("server")
        authority.client("probe", "probe.example")
        (folder / "password").write_text("first secret\n")
        tls = {
            "cert_file": "server.crt",
            "key_file": "server.key",
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "clients.crt",
        }
        (folder / "web.yml").write_text(json.dumps({"tls_server_config": tls, "basic_auth_users": {"probe": HASH}}))
        flags = (f"--web.listen-address=127.0.0.1:{port}", f"--web.config.file={folder / 'web.yml'}")
        start(self.addCleanup, "demo", BINARY, "demo", *flags)
        where = f"--url=https://localhost:{port}"
        certificate = (f"--cert-file={folder / 'probe.crt'}", f"--key-file={folder / 'probe.key'}")
        user = ("--user=probe", f"--password-file={folder / 'password'}")
        asked = (where, "--insecure", *certificate, *user)
        wait_until("it is ready", lambda: ask(*asked, "--ready").returncode == 0, 30)
        self.assertEqual(ask(*asked).returncode, 0)
        refused = {
            "certificate": (where, *certificate, *user),
            "CertificateRequired": (where, "--insecure", *user),
            "wants to know who calls": (where, "--insecure", *certificate),
            "one of the two is wrong": (where, "--insecure", *certificate, "--user=nobody", user[1]),
        }
        for words, flags in refused.items():
            with self.subTest(words):
                ended = ask(*flags)
                self.assertEqual(ended.returncode, 1)
                self.assertIn(words, ended.stderr.decode())

    def test_believes_everybody_on_the_same_host_only(self) -> None:
        for url in ("https://exporter.example:10477", "https://192.0.2.1:10477"):
            ended = ask("--insecure", f"--url={url}")
            self.assertEqual(ended.returncode, 64)
            self.assertIn(b"loopback", ended.stderr)


if __name__ == "__main__":
    main()
