"""Schemathesis asks the API for what its document says and for what it does not: every answer is a documented one.

One run makes ids up, so that nearly nothing is known; another one names operations, jobs and projects that are there;
two ask an exporter with users and a rate, as one of them and as nobody.
It waits for the end of an answer, which the stream of events does not have: that is asked for here, and read so far.
"""
# Limit: 300 s

import http.client
import json
import os
import subprocess
import unittest
from pathlib import Path

from kit.deadline import wait_until
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


# "first secret", as libxcrypt hashes it at a cost of 10.
HASH = "$2b$10$abcdefghijklmnopqrstuuVs.4fAG0SLnh.7MslpIE1NxmBk7uk6q"
PROTECTION = {
    "basic_auth_users": {"somebody": HASH},
    "auth_excluded_paths": ["/-/healthy", "/-/ready", "/metrics", "/api/v1/openapi.json"],
    "rate_limit": {"interval": "10ms", "burst": 40},
}
EVENTS = "/api/v1/events"
# Streams that are open at once.
STREAMS_MAX = 64


class AnApi(unittest.TestCase):
    """The exporter that is asked."""

    def exporter(self, **sections: dict) -> Exporter:
        port = free_port()
        simulate(self.addCleanup, FLEET, port)
        sections |= {"api": {"actions": True}}
        exporter = serve(self.addCleanup, port, FLEET.watch("1s"), sections=sections)
        exporter.wait_ready()
        return exporter


class Schemathesis(AnApi):
    def ask(self, exporter: Exporter, phases: str, configuration: str = "", *words: str) -> None:
        folder = new_folder()
        file = folder / "schemathesis.toml"
        file.write_text(SETTINGS + configuration)
        origin = f"http://127.0.0.1:{exporter.port}"
        program = Path(os.sys.executable).parent / "schemathesis"
        command = [program, "--config-file", file, "run", f"{origin}/api/v1/openapi.json", "--checks", "all"]
        command += ["--phases", phases, "--max-examples", str(EXAMPLES), "--seed", SEED]
        command += [*words, "--exclude-path", EVENTS, "--continue-on-failure", "--generation-database", "none"]
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, env=plain_environment(), capture_output=True, text=True
        )
        print(done.stdout[-20_000:], done.stderr[-5_000:])
        self.assertEqual(done.returncode, 0)
        wait_until("it lives", exporter.is_answering, 10)
        self.assertEqual([line for line in exporter.program.lines() if "level=error" in line], [])

    def test_made_up_ids(self) -> None:
        exporter = self.exporter()
        self.ask(exporter, "examples,coverage,fuzzing,stateful")
        self.assertIn("datasphere_jobs", get(exporter.port, "/metrics").body.decode())

    def test_known_ids(self) -> None:
        self.ask(self.exporter(), "coverage,fuzzing", known(FLEET))


    def protected(self) -> Exporter:
        file = new_folder() / "web.yml"
        file.write_text(json.dumps(PROTECTION))
        return self.exporter(web={"config_file": str(file)})

    def answered(self, exporter: Exporter) -> set[str]:
        """The status codes that the exporter has answered with."""
        wait_until("a scrape is let in", lambda: exporter.scrape().status == 200, 10)
        samples = exporter.exposition().samples
        return {dict(pairs).get("code", "") for (_, pairs), value in samples.items() if value}

    def test_a_user_below_and_beyond_the_rate(self) -> None:
        exporter = self.protected()
        self.ask(exporter, "coverage,fuzzing", known(FLEET), "--auth", "somebody:first secret")
        self.assertLessEqual({"200", "400", "429"}, self.answered(exporter))

    def test_nobody_that_is_known(self) -> None:
        exporter = self.protected()
        self.ask(exporter, "coverage", known(FLEET))
        self.assertIn("401", self.answered(exporter))


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
