"""Commands about one operation, and those that start one, against the simulator: what they print and how they exit."""

# Limit: 300 s
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

from kit.deadline import wait_until
from kit.exporter import configuration_for, simulate
from kit.programs import BINARY, main, plain_environment, run, start
from kit.scenarios import A_STILL_LIFE, PROJECT, Scenario, job, refusal
from kit.web import free_port

FAILED = 1
# One that only ends when it is told to.
ENDLESS = job(21, "endless", "EXECUTING", for_ever=True)
# One that tells how far it is: two hours of three.
TELLING = job(26, "telling", "EXECUTING", for_ever=True, progress={"every": "1s", "over": "3h"})
BAR = r"EXECUTING.*\[=+>? *\] +6[67]% .* elapsed, about \d+m\d\ds left"
# Ones that are over within a second whenever they are started.
SECOND = [{"status": "EXECUTING", "lasts": "1s"}]
QUICK = {
    0: job(22, "quick", "EXECUTING", timeline=SECOND),
    3: job(23, "crash", "EXECUTING", timeline=SECOND, end={"return_code": 7}),
    4: job(24, "quota", "CREATING", timeline=SECOND, end=refusal("RESOURCE_EXHAUSTED")),
    5: job(25, "cancelled", "EXECUTING", timeline=SECOND, end="cancelled"),
}
FLEET = Scenario([*A_STILL_LIFE.jobs, ENDLESS, TELLING, *QUICK.values()], A_STILL_LIFE.notebooks)
# How each ended operation ended, as an exit code.
ENDED = {
    "bt1operation00000001": 0,
    "bt1operation00000003": 3,
    "bt1operation00000004": 4,
    "bt1operation00000005": 5,
    "bt1notebook000000001": 0,
    "bt1notebook000000002": 3,
    "bt1notebook000000003": 5,
    "bt1notebook000000004": 4,
}


class TheCommand(unittest.TestCase):
    transport = "grpc"
    starting = ("job", "execute", QUICK[0]["id"])

    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        simulate(cls.addClassCleanup, FLEET, port)
        cls.flag = f"--config.file={configuration_for(port, {'interval': '1s'}, transport=cls.transport)}"

    def operation(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return run(BINARY, "operation", *words, self.flag)

    def test_get_shows_an_operation_to_people(self) -> None:
        ended = self.operation("get", "bt1operation00000003")
        self.assertEqual(ended.returncode, 0, ended)
        for word in ("bt1operation00000003", "bt1job00000000000003", PROJECT, "killed", "failure", "137"):
            self.assertIn(word, ended.stdout.decode())

    def test_get_shows_an_operation_to_programs(self) -> None:
        ended = self.operation("get", "bt1operation00000003", "--output=json")
        self.assertEqual(ended.returncode, 0, ended)
        self.assertEqual(json.loads(ended.stdout)["outcome"], "failure")

    def test_watch_exits_with_the_outcome(self) -> None:
        for operation, code in ENDED.items():
            with self.subTest(operation):
                self.assertEqual(self.operation("watch", operation).returncode, code)

    def test_watch_draws_a_bar_with_percent_and_time_left_on_a_terminal(self) -> None:
        terminal, side = pty.openpty()
        self.addCleanup(os.close, terminal)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        command = [BINARY, "operation", "watch", TELLING["operation_id"], self.flag]
        environment = plain_environment() | {"TERM": "xterm"}
        watch = subprocess.Popen(command, stdin=side, stdout=subprocess.PIPE, stderr=side, env=environment)
        self.addCleanup(watch.stdout.close)
        self.addCleanup(watch.kill)
        os.close(side)
        os.set_blocking(terminal, False)
        drawn = bytearray()

        def is_drawn() -> bool:
            try:
                drawn.extend(os.read(terminal, 65_536))
            except BlockingIOError:
                pass
            return re.search(BAR, drawn.decode(errors="replace")) is not None

        try:
            wait_until("the bar is drawn", is_drawn, 20)
        except Exception:
            print(bytes(drawn))
            raise
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(10), 130)
        self.assertEqual(watch.stdout.read(), b"", "what is drawn is not printed as well")

    def test_watch_draws_no_bar_without_a_terminal(self) -> None:
        watch = start(self.addCleanup, "watch", BINARY, "operation", "watch", TELLING["operation_id"], self.flag)
        wait_until("it tells how far it is", lambda: any(re.search(" EXECUTING 6[67]% ", line) for line in watch.lines()), 20)
        self.assertEqual(watch.end(signal.SIGINT), 130)
        said = watch.out.read_bytes()
        for sign in (b"[=", b"\r", b"\x1b"):
            self.assertNotIn(sign, said)

    def test_cancel_ends_an_operation_and_watch_follows_it_to_its_end(self) -> None:
        operation = ENDLESS["operation_id"]
        watch = start(self.addCleanup, "watch", BINARY, "operation", "watch", operation, self.flag)
        wait_until("it tells how the operation is", lambda: "EXECUTING" in " ".join(watch.lines()), 10)
        self.assertTrue(watch.is_running())
        cancelled = self.operation("cancel", operation)
        self.assertEqual(cancelled.returncode, 0, cancelled)
        self.assertEqual(watch.process.wait(20), 5)

    def test_a_job_is_started_and_its_outcome_waited_for(self) -> None:
        for code, script in QUICK.items():
            with self.subTest(script["name"]):
                ended = run(BINARY, "job", "execute", script["id"], "--wait", self.flag)
                self.assertEqual(ended.returncode, code, ended)
                operation = ended.stdout.decode().splitlines()[0]
                self.assertNotEqual(operation, script["operation_id"], "a new run")
                self.assertEqual(self.operation("watch", operation).returncode, code)

    def test_a_start_without_waiting_tells_the_id_and_nothing_else(self) -> None:
        ended = run(BINARY, *self.starting, self.flag)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""), ended)
        watched = run(BINARY, "operation", "watch", ended.stdout.decode().strip(), self.flag, seconds=60)
        self.assertEqual(watched.returncode, 0, watched)

    def test_a_notebook_is_started_and_followed_as_lines_of_json(self) -> None:
        words = ("notebook", "execute", PROJECT, "--notebook=/home/a b.ipynb", "--input=epochs=5", "--input=name=x=y")
        # The simulator runs any notebook for half a minute.
        ended = run(BINARY, *words, "--wait", "--output=json", self.flag, seconds=60)
        self.assertEqual(ended.returncode, 0, ended)
        told = [json.loads(line) for line in ended.stdout.splitlines()]
        self.assertEqual({row["operation_id"] for row in told}, {told[0]["operation_id"]})
        self.assertEqual((told[0]["state"], told[-1]["outcome"]), ("running", "success"))

    def test_what_cannot_be_started_is_told_in_one_line(self) -> None:
        for words in (["job", "execute", "bt1jobunheardof"], ["notebook", "execute", "bt1unheardof", "--notebook=a"]):
            ended = run(BINARY, *words, "--wait", self.flag)
            self.assertEqual((ended.returncode, ended.stdout), (FAILED, b""), ended)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended)

    def test_an_input_that_cannot_be_meant_is_refused_without_its_value(self) -> None:
        ended = run(BINARY, "notebook", "execute", PROJECT, "--notebook=a", "--input=canary", self.flag)
        self.assertEqual(ended.returncode, 64, ended)
        self.assertNotIn(b"canary", ended.stderr)

    def test_an_interrupted_wait_says_that_the_operation_goes_on(self) -> None:
        operation = A_STILL_LIFE.jobs[10]["operation_id"]
        watch = start(self.addCleanup, "watch", BINARY, "operation", "watch", operation, self.flag)
        wait_until("it tells how the operation is", lambda: "EXECUTING" in " ".join(watch.lines()), 10)
        self.assertEqual(watch.end(signal.SIGINT), 130)
        self.assertIn(f"operation cancel {operation}", watch.lines()[-1])

    def test_a_cloud_that_is_not_there_is_told_in_one_line(self) -> None:
        nowhere = f"--config.file={configuration_for(free_port(), {'interval': '1s'}, transport=self.transport)}"
        for command in ("get", "cancel"):
            ended = run(BINARY, "operation", command, "bt1operation00000003", nowhere)
            self.assertEqual((ended.returncode, ended.stdout), (FAILED, b""), ended)
            self.assertEqual(ended.stderr.decode().count("could not be reached"), 1, ended)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended)

    def test_an_unknown_operation_is_told_in_one_line(self) -> None:
        for command in ("get", "watch", "cancel"):
            ended = self.operation(command, "bt1operationunheardof")
            self.assertEqual(ended.returncode, FAILED, ended)
            said = ended.stderr.decode().splitlines()
            self.assertEqual(len(said), 1, said)
            self.assertIn("bt1operationunheardof", said[0])

    def test_a_cloud_that_refuses_is_told_at_last(self) -> None:
        configuration = configuration_for(free_port(), {"request_timeout": "2s"}, transport=self.transport)
        flag = f"--config.file={configuration}"
        ended = run(BINARY, "operation", "get", "bt1operation00000001", flag)
        self.assertEqual(ended.returncode, FAILED, ended)
        self.assertRegex(ended.stderr.decode().splitlines()[-1], r"^datasphere-exporter: .*UNAVAILABLE")


class TheCommandOverRest(TheCommand):
    transport = "rest"
    starting = ("notebook", "execute", PROJECT, "--notebook=/home/a b.ipynb")
    # REST has no methods for jobs.
    test_a_job_is_started_and_its_outcome_waited_for = None

    def test_a_job_is_not_started_and_the_reason_told(self) -> None:
        ended = run(BINARY, *TheCommand.starting, "--wait", self.flag)
        self.assertEqual((ended.returncode, ended.stdout), (FAILED, b""), ended)
        self.assertIn(b"needs gRPC", ended.stderr)


if __name__ == "__main__":
    main()
