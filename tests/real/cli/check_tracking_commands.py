"""`track`, `untrack` and `list` against a running exporter: what they print and how they exit."""

import json
import subprocess
import unittest

from kit.exporter import serve, simulate
from kit.programs import BINARY, main, run
from kit.scenarios import A_STILL_LIFE, PROJECT
from kit.web import free_port

FAILED, USAGE = 1, 64
OPERATION = A_STILL_LIFE.jobs[8]["operation_id"]
LISTED = {"interval": "1s", "projects": [PROJECT]}


class TheCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        simulate(cls.addClassCleanup, A_STILL_LIFE, port)
        exporter = serve(cls.addClassCleanup, port, LISTED)
        exporter.wait_ready()
        cls.url = f"--url=http://127.0.0.1:{exporter.port}"

    def command(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return run(BINARY, *words, self.url)

    def rows(self, *words: str) -> list[dict]:
        ended = self.command("list", "--output=json", *words)
        self.assertEqual(ended.returncode, 0, ended)
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def test_list_shows_what_is_watched_to_people_and_programs(self) -> None:
        ended = self.command("list")
        self.assertEqual(ended.returncode, 0, ended)
        lines = ended.stdout.decode().splitlines()
        self.assertTrue(lines[0].startswith("ID "), lines[0])
        self.assertEqual(len(lines) - 1, len(self.rows()))
        self.assertIn("PREPARING", ended.stdout.decode())

    def test_list_narrows_to_what_is_asked_for(self) -> None:
        rows = self.rows("--state=running", "--status=PREPARING", f"--project={PROJECT}", "--kind=job")
        self.assertEqual([row["status"] for row in rows], ["PREPARING"])
        self.assertEqual(len(self.command("list", "--kind=notebook", "--status=PREPARING").stdout.splitlines()), 1)
        self.assertEqual(self.command("list", "--state=asleep").returncode, USAGE)

    def test_track_and_untrack_tell_what_became_of_each_id(self) -> None:
        def told(*words: str) -> list[dict]:
            return [json.loads(line) for line in self.command(*words, "--output=json").stdout.splitlines()]

        first = told("track", OPERATION, "--label=team=nlp")
        self.assertEqual((first[0]["id"], first[0]["result"]), (OPERATION, "tracked"))
        self.assertEqual(told("track", OPERATION)[0]["result"], "known")
        self.assertEqual(told("untrack", OPERATION), [{"id": OPERATION, "result": "untracked"}])
        self.assertNotIn(OPERATION, [row.get("operation_id") for row in self.rows()])

    def test_one_id_that_is_refused_keeps_no_other_from_its_turn(self) -> None:
        self.assertEqual(self.command("track", "bt1tobedismissed").returncode, 0)
        ended = self.command("untrack", "bt1unheardof", "bt1tobedismissed")
        self.assertEqual(ended.returncode, FAILED, ended)
        self.assertIn("bt1tobedismissed", ended.stdout.decode())
        self.assertIn("bt1unheardof", ended.stderr.decode())
        ended = self.command("untrack", "bt1unheardof", "bt1tobedismissed", "--output=json")
        self.assertEqual(ended.returncode, FAILED, ended)
        refused, again = [json.loads(line) for line in ended.stdout.splitlines()]
        self.assertEqual((refused["id"], refused["result"]), ("bt1unheardof", "refused"))
        self.assertIn("not under watch", refused["detail"])
        self.assertEqual(again, {"id": "bt1tobedismissed", "result": "untracked"})

    def test_an_exporter_that_is_not_there_is_told_in_one_line(self) -> None:
        for words in (["list"], ["track", "a", "b"], ["untrack", "a"]):
            ended = run(BINARY, *words, f"--url=http://user:canary@127.0.0.1:{free_port()}")
            self.assertEqual(ended.returncode, FAILED, ended)
            said = ended.stderr.decode()
            self.assertEqual(len(said.splitlines()), 1, said)
            self.assertIn("--url", said)
            self.assertNotIn("canary", said)


if __name__ == "__main__":
    main()
