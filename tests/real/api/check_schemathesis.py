"""Schemathesis asks the API for what its document says and for what it does not: every answer is a documented one.

One run makes ids up, so that nearly nothing is known; another one names operations, jobs and projects that are there.
It waits for the end of an answer, which the stream of events does not have: that is asked for here, and read so far.
"""
# Limit: 180 s

import http.client
import json
import os
import subprocess
import unittest
from pathlib import Path

from kit.exporter import Exporter, serve, simulate
from kit.programs import main, new_folder, plain_environment
from kit.scenarios import ALL_STAGES, PROJECT, Scenario, job, notebook
from kit.web import free_port, get

FLEET = Scenario(
    [job(1, "long", "EXECUTING", for_ever=True), job(2, "over", *ALL_STAGES)],
    [notebook(1, "report.ipynb")],
)
# Of each call of the document, in each phase.
EXAMPLES = 40
# One seed, so that a finding comes again; another one may be given.
SEED = os.environ.get("SEED", "10477")

# What was taken off the watch before is gone, however valid the request.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "429"]
"""


def known(fleet: Scenario) -> str:
    """What the second run names; what is taken off the watch there is nothing else's."""
    running, ended = fleet.jobs
    names = {
        "getOperation": ended["operation_id"],
        "trackOperation": ended["operation_id"],
        "untrackOperation": fleet.notebooks[0]["operation_id"],
        "cancelOperation": running["operation_id"],
        "executeJob": ended["id"],
        "executeNotebook": PROJECT,
    }
    sections = (
        f'[[operations]]\ninclude-operation-id = "{operation}"\nparameters = {{ "path.id" = "{name}" }}\n'
        for operation, name in names.items()
    )
    return "\n".join(sections)

EVENTS = "/api/v1/events"
# Streams that are open at once.
STREAMS_MAX = 64


class AnApi(unittest.TestCase):
    """The exporter that is asked."""

    def exporter(self) -> Exporter:
        port = free_port()
        simulate(self.addCleanup, FLEET, port)
        exporter = serve(self.addCleanup, port, FLEET.watch("1s"), sections={"api": {"actions": True}})
        exporter.wait_ready()
        return exporter


class Schemathesis(AnApi):
    def ask(self, exporter: Exporter, phases: str, configuration: str = "") -> None:
        folder = new_folder()
        file = folder / "schemathesis.toml"
        file.write_text(SETTINGS + configuration)
        origin = f"http://127.0.0.1:{exporter.port}"
        program = Path(os.sys.executable).parent / "schemathesis"
        command = [program, "--config-file", file, "run", f"{origin}/api/v1/openapi.json", "--checks", "all"]
        command += ["--phases", phases, "--max-examples", str(EXAMPLES), "--seed", SEED]
        command += ["--exclude-path", EVENTS, "--continue-on-failure", "--generation-database", "none"]
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, env=plain_environment(), capture_output=True, text=True
        )
        print(done.stdout[-20_000:], done.stderr[-5_000:])
        self.assertEqual(done.returncode, 0)
        self.assertTrue(exporter.is_answering())
        self.assertEqual([line for line in exporter.program.lines() if "level=error" in line], [])

    def test_made_up_ids(self) -> None:
        exporter = self.exporter()
        self.ask(exporter, "examples,coverage,fuzzing,stateful")
        self.assertIn("datasphere_jobs", get(exporter.port, "/metrics").body.decode())

    def test_known_ids(self) -> None:
        self.ask(self.exporter(), "coverage,fuzzing", known(FLEET))


class TheStreamOfEvents(AnApi):
    """What its part of the document says, of answers that are read up to their first event."""

    def setUp(self) -> None:
        self.running = self.exporter()
        document = json.loads(get(self.running.port, "/api/v1/openapi.json").body)
        self.told = document["paths"][EVENTS]["get"]["responses"]

    def ask(self, path: str = EVENTS, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        media = answer.headers.get_content_type()
        self.assertIn(media, self.told[str(answer.status)]["content"], "an answer that the document does not know")
        return answer

    def test_it_begins_as_the_document_says(self) -> None:
        answer = self.ask()
        self.assertEqual((answer.status, answer.headers.get_content_type()), (200, "text/event-stream"))
        self.assertRegex(answer.readline().decode(), r"^id: [0-9]+-[0-9]+$")
        for unknown in ("1-1", "nobody", "9" * 300):
            answer = self.ask(last_event_id=unknown)
            self.assertEqual(answer.status, 200)
            block = b"".join(iter(answer.readline, b"\n")).decode()
            self.assertIn("event: reset\n", block)

    def test_what_it_refuses_is_a_problem(self) -> None:
        problem = json.loads(self.ask(f"{EVENTS}?from=1").read())
        self.assertEqual(problem["status"], 400)
        streams = [self.ask() for _ in range(STREAMS_MAX)]
        self.assertEqual({answer.status for answer in streams}, {200})
        answer = self.ask()
        self.assertEqual((answer.status, json.loads(answer.read())["status"]), (503, 503))
        self.assertIn("retry-after", {name.lower() for name in answer.headers})


if __name__ == "__main__":
    main()
