"""What goes wrong arrives at a webhook once, in words that can be read, and clears once when it is mended.

Every Prometheus scrapes one exporter and sends to one Alertmanager, which is configured as
`deploy/compose/` ships it. The
rules are the files themselves with an hour shortened to a minute; thresholds are settings of the exporter. Jobs are
mended with the exporter's own command, the balance with the official stubs, and the API dies by `kill -9`.
"""
# Limit: 300 s

import json
import re
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc
import yaml
from kit.alertmanager import (
    CONFIGURATION,
    NAME,
    RUNBOOKS,
    Alert,
    Webhook,
    alertmanager,
    checked,
    recommended,
    suppressed,
)
from kit.deadline import wait_until
from kit.exporter import configuration_for, serve, simulate
from kit.pages import DASHBOARDS
from kit.programs import BINARY, main, new_folder, run
from kit.scenarios import PROJECT, Scenario, job
from kit.server import Prometheus, versions
from kit.short_time import differs_in_time_only, overlooked, rules_of, shortened_rules
from kit.web import free_port
from yandex.cloud.datasphere.v2.project_service_pb2 import SetUnitBalanceRequest
from yandex.cloud.datasphere.v2.project_service_pb2_grpc import ProjectServiceStub

RULES = Path(__file__).resolve().parents[3] / "rules"
SCRAPE_JOB = "datasphere"

WELL = job(4, "train-well", "EXECUTING", for_ever=True)
STUCK = job(2, "train-stuck", "CREATING", for_ever=True)
STALLING = {"every": "1s", "over": "1m", "stalls_at": 5}
STALLED = job(3, "train-stalled", "EXECUTING", for_ever=True, start="0s", progress=STALLING)
BRIEF = [{"status": "EXECUTING", "lasts": "8s"}]
FAILING = job(1, "train-failing", "EXECUTING", start="0s", timeline=BRIEF, end={"return_code": 3})
# It loses a thousand units a second, and within seconds there are fewer than the warning's.
A_BAD_DAY = Scenario([FAILING, STUCK, STALLED, WELL], project={"unit_balance": 500_000, "units_per_second": 1000})
WARNING_UNITS = 495_000
TOPPED_UP_UNITS = 10**12
# The cloud as it is when it comes back.
THE_DAY_AFTER = Scenario([WELL], project={"unit_balance": TOPPED_UP_UNITS})
THRESHOLDS = {"stuck": {"CREATING": "5s"}, "progress_stalled": "5s", "unit_balance_warning": WARNING_UNITS}
# A job that ended stays for so long, and so does its alert.
RETENTION = "30s"

SPAN = r"(?:\d+[dhm] )*[\d.]+s"
UNITS = r"\d{1,3}(?:\.\d{1,3})?k"


def about(script: dict) -> str:
    return rf"Job {script['name']} \({script['id']}\) of project {PROJECT}"


# Alerts of the bad day and of the dead API, with what they say.
OF_THE_DAY = {
    "DatasphereJobFailed": rf"{about(FAILING)} failed with return code 3\. Read its log: "
    rf"datasphere project job download-files --id {FAILING['id']} --with-logs --with-diagnostics",
    "DatasphereJobStuck": rf"{about(STUCK)} has been CREATING for {SPAN}\. If it does not move, cancel it: .*",
    "DatasphereJobProgressStalled": rf"{about(STALLED)} runs, but has reported the same progress for {SPAN}\. .*",
    "DatasphereUnitBalanceLow": rf"Project {PROJECT} has {UNITS} units left\. .*",
    "DatasphereUnitBalanceExhaustionSoon": rf"As fast as project {PROJECT} has spent over the last 1h, its units last "
    rf"for {SPAN}\. .*",
}
OF_THE_DEAD_API = {
    "DatasphereExporterCloudUnreachable": r"DataSphere has answered nothing to 127\.0\.0\.1:\d+ for 10m, most often "
    r"with UNAVAILABLE: everything shown is old\. .*",
}
# What else a dead API makes true, and the runbooks inhibit. When it is back, they may come for a moment: retries wait
# as long as ever, but times of the rules are short.
STALE = "DatasphereExporterDataStale"
BESIDE = {STALE, "DatasphereExporterErrorBudgetBurn"}
RECEIVERS = {"critical": "on-call", "warning": "team"}
UIDS = {json.loads(path.read_text())["uid"] for path in DASHBOARDS.glob("*.json")}
# Signs of a template that went wrong, and numbers that nobody can read.
UNREADABLE = re.compile(r"<no value>|\{\{|\}\}|%!|NaN|Inf\b|<error|\d[eE][+-]?\d|\.\d{5}")


class Alerts(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud_port = free_port()
        self.cloud = simulate(self.addCleanup, A_BAD_DAY, self.cloud_port)
        watch = A_BAD_DAY.watch("1s") | {"retention": RETENTION}
        self.exporter = serve(self.addCleanup, self.cloud_port, watch, sections={"thresholds": THRESHOLDS})
        self.webhook = Webhook(self.addCleanup)
        self.alertmanager = alertmanager(self.addCleanup, recommended(self.webhook.url))
        rules = shortened_rules(RULES, new_folder())
        self.servers = {version: self.server(version, rules) for version in versions()}

    def server(self, version: str, rules: list[Path]) -> Prometheus:
        jobs = {SCRAPE_JOB: {"static_configs": [{"targets": [f"127.0.0.1:{self.exporter.port}"]}]}}
        every_second = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
        alerting = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.alertmanager}"]}]}]}
        sections = {"global": every_second, "rule_files": list(map(str, rules)), "alerting": alerting}
        return Prometheus(self.addCleanup, version, jobs, [], **sections)

    def test_arrive_once_in_readable_words_and_clear_once(self) -> None:
        self.wait_for("firing", OF_THE_DAY)
        self.mend_jobs_and_balance()
        self.wait_for("resolved", OF_THE_DAY)
        self.cloud.kill()
        self.wait_for("firing", OF_THE_DEAD_API)
        wait_until("stale data is inhibited", lambda: STALE in suppressed(self.alertmanager), 60)
        self.assertEqual(self.webhook.firing(), OF_THE_DEAD_API.keys(), "one page is enough")
        simulate(self.addCleanup, THE_DAY_AFTER, self.cloud_port)
        self.wait_for("resolved", OF_THE_DEAD_API)
        wait_until("no data is stale", lambda: STALE not in self.webhook.firing() | suppressed(self.alertmanager), 60)
        expected = OF_THE_DAY | OF_THE_DEAD_API
        self.assert_told_once(expected)
        self.assert_every_server_had(expected)
        for alert in self.webhook.alerts():
            with self.subTest(alert.name, status=alert.status):
                self.assert_readable(alert)
                self.assertRegex(alert.annotations["description"], f"^{expected.get(alert.name, '.*')}$")

    def wait_for(self, status: str, names: dict[str, str]) -> None:
        def missing() -> set[str]:
            return names.keys() - {alert.name for alert in self.webhook.alerts() if alert.status == status}

        try:
            wait_until(f"all {status}", lambda: not missing(), 90)
        except TimeoutError as error:
            raise TimeoutError(f"not {status} in time: {missing()}; told: {self.webhook.contents()}") from error

    def mend_jobs_and_balance(self) -> None:
        configuration = configuration_for(self.cloud_port, {})
        for script in (STUCK, STALLED):
            ended = run(BINARY, "operation", "cancel", script["operation_id"], f"--config.file={configuration}")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        with grpc.insecure_channel(f"127.0.0.1:{self.cloud_port}") as channel:
            asked = SetUnitBalanceRequest(project_id=PROJECT)
            asked.unit_balance.value = TOPPED_UP_UNITS
            ProjectServiceStub(channel).SetUnitBalance(asked, timeout=10)

    def assert_told_once(self, expected: dict[str, str]) -> None:
        """One message when it fires and one when it is over, however many servers sent it; and nothing else at all."""
        alerts = self.webhook.alerts()
        for name in expected:
            told = [alert.status for alert in alerts if alert.name == name]
            self.assertEqual(told, ["firing", "resolved"], name)
        self.assertLessEqual({alert.name for alert in alerts}, expected.keys() | BESIDE)
        for group, contents in self.webhook.contents().items():
            for earlier, later in zip(contents, contents[1:]):
                self.assertNotEqual(earlier, later, f"told twice: {group}")

    def assert_every_server_had(self, expected: dict[str, str]) -> None:
        """Each fired them all and had somebody to send them to: without that, told once would mean little."""
        for version, server in self.servers.items():
            fired = server.api("query", query='last_over_time(ALERTS{alertstate="firing"}[10m])')["result"]
            self.assertLessEqual(expected.keys(), {series["metric"]["alertname"] for series in fired}, version)
            self.assertEqual(len(server.api("alertmanagers")["activeAlertmanagers"]), 1, version)

    def assert_readable(self, alert: Alert) -> None:
        told = {"summary", "description", "runbook_url", "dashboard_uid", "dashboard_url"}
        self.assertEqual(alert.annotations.keys(), told)
        for words in alert.annotations.values():
            self.assertNotRegex(words, UNREADABLE)
        self.assertRegex(alert.annotations["summary"], r"^[A-Z].*\.$")
        self.assertTrue(alert.annotations["runbook_url"].endswith(f"/runbooks/{alert.name}.md"))
        self.assertTrue((RUNBOOKS / f"{alert.name}.md").is_file())
        self.assertIn(alert.annotations["dashboard_uid"], UIDS)
        chosen = parse_qs(urlsplit(alert.annotations["dashboard_url"]).query)
        for label, variable in (("project_id", "var-project"), ("job_id", "var-job_id")):
            if label in alert.labels:
                self.assertEqual(chosen[variable], [alert.labels[label]])
        self.assertEqual(alert.receiver, RECEIVERS[alert.labels["severity"]])


class Configuration(unittest.TestCase):
    def test_that_the_runbooks_recommend_is_one_for_every_version(self) -> None:
        for version in versions(NAME):
            ended = checked(version, recommended("http://127.0.0.1:1/"))
            self.assertEqual(ended.returncode, 0, (version, ended.stdout + ended.stderr))
            rules = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
            self.assertIn(f"{len(rules)} inhibit rules".encode(), ended.stdout, version)

    def test_of_a_check_differs_from_the_rules_in_time_only(self) -> None:
        for copy in shortened_rules(RULES, new_folder()):
            rules, shortened = (RULES / copy.name).read_text(), copy.read_text()
            self.assertTrue(differs_in_time_only(rules, shortened), copy.name)
            self.assertEqual(overlooked(shortened), [], copy.name)
            self.assertGreater(len(list(rules_of(shortened))), 10)
            self.assertFalse(differs_in_time_only(rules, shortened.replace("> 0", "> 1")), copy.name)


if __name__ == "__main__":
    main()
