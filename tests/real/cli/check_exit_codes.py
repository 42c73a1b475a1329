"""Exit codes and messages: what is wrong is told in one line with file, line and key."""

import json
import os
import re
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from kit.deadline import wait_until
from kit.exporter import Exporter, demo, serve, serve_beside
from kit.programs import BINARY, main, new_folder, run, start
from kit.scenarios import A_LONG_RUN
from kit.web import free_port, get

USAGE = 64

VALID = """\
cloud:
  endpoint: 127.0.0.1:1
  tls: { enabled: false }
  auth:
    anonymous: {}
watch:
  interval: 10s
"""
TWO_WAYS = VALID.replace("anonymous: {}\n", "anonymous: {}\n    iam_token_file: token\n")
# What is wrong, the line it is in, and the words that the message must hold beside file and line.
MISTAKES = [
    ("an unknown key", VALID + "  intervall: 1s\n", 8, ["watch.intervall", "interval"]),
    ("an unknown section", VALID + "metrcs: {}\n", 8, ["metrcs", "metrics"]),
    ("a word for a number", VALID + "  concurrency: many\n", 8, ["watch.concurrency"]),
    ("a number for a time", VALID + "  list_interval: 10\n", 8, ["watch.list_interval"]),
    ("a list for a section", VALID + "thresholds: [1]\n", 8, ["thresholds"]),
    ("a number below its bounds", VALID + "  concurrency: 0\n", 8, ["watch.concurrency"]),
    ("a key twice", VALID + "  interval: 5s\n", 8, ["watch.interval"]),
    ("two ways to log in", TWO_WAYS, 4, ["cloud.auth", "anonymous", "iam_token_file"]),
    ("no way to log in that exists", VALID.replace("anonymous: {}", "pasword: x"), 5, ["cloud.auth.pasword"]),
    ("no YAML", VALID + "  x: [\n", None, []),
]


class TheProgram(unittest.TestCase):
    def serve(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        flags = ("--storage.path=", f"--web.listen-address=127.0.0.1:{free_port()}")
        return run(BINARY, "serve", *flags, *words)

    def one_line(self, ended: subprocess.CompletedProcess[bytes], code: int, *words: str) -> str:
        """The one line on stderr of a program that ended so, with these words in it."""
        said = ended.stderr.decode()
        self.assertEqual(ended.returncode, code, said)
        self.assertEqual((len(said.splitlines()), ended.stdout), (1, b""), said)
        for word in words:
            self.assertIn(word, said)
        return said

    def test_names_file_line_and_key_of_a_mistake(self) -> None:
        for name, text, line, words in MISTAKES:
            file = new_folder() / "config.yaml"
            file.write_text(text)
            for command in (("serve", f"--config.file={file}"), ("check-config", f"--config.file={file}")):
                with self.subTest(name, command=command[0]):
                    said = self.one_line(run(BINARY, *command), USAGE, str(file), *words)
                    place = rf"{re.escape(str(file))}:(line )?{line or r'[0-9]+'}: "
                    self.assertRegex(said, place)

    def test_names_a_file_that_is_missing(self) -> None:
        self.one_line(self.serve("--config.file=/nowhere/config.yaml"), USAGE, "/nowhere/config.yaml")

    def test_names_a_key_file_that_is_missing(self) -> None:
        file = new_folder() / "config.yaml"
        file.write_text(VALID.replace("anonymous: {}", "service_account_key_file: /nowhere/key.json"))
        said = self.serve(f"--config.file={file}")
        self.assertIn(said.returncode, (1, USAGE))
        self.one_line(said, said.returncode, "/nowhere/key.json")
        for command in (("check-config",), ("serve", "--config.check")):
            self.one_line(run(BINARY, *command, f"--config.file={file}"), USAGE, "/nowhere/key.json")

    def test_never_quotes_a_secret_that_is_in_the_wrong_place(self) -> None:
        file = new_folder() / "config.yaml"
        secret = "t1.9euelZqLkpGSxsjPnpTNkZ-Sns6Vyg.canary"
        file.write_text(VALID.replace("anonymous: {}", f"iam_token: {secret}"))
        self.assertNotIn("canary", self.one_line(self.serve(f"--config.file={file}"), USAGE, "cloud.auth.iam_token"))

    def test_refuses_flags_and_commands_that_it_does_not_know(self) -> None:
        for words in (["serve", "--web.listen-adress=:1"], ["serv"], ["simulate", "--speed=fast"]):
            ended = run(BINARY, *words)
            self.assertEqual(ended.returncode, USAGE, words)
            self.assertTrue(ended.stderr)

    def test_says_that_a_good_configuration_is_good(self) -> None:
        file = new_folder() / "config.yaml"
        file.write_text(VALID)
        ended = run(BINARY, "check-config", f"--config.file={file}")
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        for command in (("check-config",), ("serve", "--config.check")):
            ended = run(BINARY, *command, "--output=json", f"--config.file={file}")
            self.assertEqual(json.loads(ended.stdout), {"valid": True, "notes": []})

    def test_tells_version_and_help(self) -> None:
        for flag in ("--version", "--help"):
            ended = run(BINARY, flag)
            self.assertEqual((ended.returncode, ended.stderr), (0, b""))
            self.assertIn(b"datasphere-exporter", ended.stdout)

    def test_says_that_a_port_is_in_use(self) -> None:
        file = new_folder() / "config.yaml"
        file.write_text(VALID)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            ended = run(
                BINARY, "serve", "--storage.path=", f"--config.file={file}", f"--web.listen-address={address}"
            )
        self.assertEqual(ended.returncode, 1)
        self.assertIn(address, ended.stderr.decode().splitlines()[-1])

    def test_says_once_that_the_port_of_the_gateway_is_in_use(self) -> None:
        file = new_folder() / "config.yaml"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            file.write_text(VALID + f"gateway: {{ listen_address: '{address}' }}\n")
            said = self.one_line(self.serve(f"--config.file={file}"), 1, address)
        self.assertEqual(said.count("gateway"), 1, said)

    def test_refuses_a_pipe_in_place_of_a_file_at_once(self) -> None:
        pipe = new_folder() / "config.yaml"
        os.mkfifo(pipe)
        self.one_line(self.serve(f"--config.file={pipe}"), USAGE, str(pipe), "it is a pipe")

    def test_warns_of_variables_that_displace_a_key_or_are_not_known(self) -> None:
        file = new_folder() / "config.yaml"
        file.write_text(VALID.replace("anonymous: {}", "metadata: { address: '127.0.0.1:1' }"))
        port = free_port()
        environment = {"YC_METADATA_ADDR": "127.0.0.1:2", "DATASPHERE_EXPORTER_LOG_LEVLE": "debug"}
        flags = ("--storage.path=", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}")
        program = start(self.addCleanup, "serve", BINARY, "serve", *flags, environment=environment)
        Exporter(program, port).wait_listening()
        said = "\n".join(program.lines())
        self.assertIn("YC_METADATA_ADDR is set and takes the place of cloud.auth.metadata.address", said)
        self.assertIn("did you mean DATASPHERE_EXPORTER_LOG_LEVEL?", said)

    def test_takes_the_address_from_the_environment(self) -> None:
        file = new_folder() / "config.yaml"
        file.write_text(VALID)
        port = free_port()
        environment = {
            "DATASPHERE_EXPORTER_CONFIG_FILE": str(file),
            "DATASPHERE_EXPORTER_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "DATASPHERE_EXPORTER_STORAGE_PATH": str(new_folder() / "data"),
        }
        exporter = Exporter(start(self.addCleanup, "serve", BINARY, environment=environment), port)
        exporter.wait_listening()
        self.assertEqual(exporter.program.terminate(), 0)

    def test_ends_well_when_it_is_asked_to(self) -> None:
        exporter, simulator, _ = serve_beside(self.addCleanup, A_LONG_RUN, interval="1s")
        exporter.wait_ready()
        self.assertEqual(get(exporter.port, "/metrics").status, 200)
        self.assertEqual(exporter.program.terminate(), 0)
        self.assertEqual(simulator.terminate(), 0)

    def test_the_demo_says_where_it_is_and_ends_well(self) -> None:
        for ask in (signal.SIGTERM, signal.SIGINT):
            exporter = demo(self.addCleanup, jobs=5)
            self.assertIn(f"http://localhost:{exporter.port}/metrics", "\n".join(exporter.program.lines()))
            self.assertEqual(exporter.program.end(ask), 0)

    def test_a_hangup_does_not_end_what_has_nothing_to_read_again(self) -> None:
        simulator = start(
            self.addCleanup, "simulate", BINARY, "simulate", f"--listen-address=127.0.0.1:{free_port()}"
        )
        wait_until("the simulator listens", lambda: "simulated" in "\n".join(simulator.lines()), 20)
        for program in (simulator, demo(self.addCleanup, jobs=5).program):
            program.process.send_signal(signal.SIGHUP)
            wait_until("it says so", lambda p=program: "no configuration file" in "\n".join(p.lines()), 10)
            self.assertTrue(program.is_running())
            self.assertEqual(program.terminate(), 0)

    def test_ends_well_before_it_ever_reached_the_cloud(self) -> None:
        exporter = serve(self.addCleanup, free_port(), A_LONG_RUN.watch("1s"))
        self.assertEqual(exporter.program.terminate(), 0)


if __name__ == "__main__":
    main()
