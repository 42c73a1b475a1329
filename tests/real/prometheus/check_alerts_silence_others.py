"""The Alertmanager that `deploy/compose/` configures is silent about what follows from an alert, and about nothing else."""

import unittest

import yaml
from kit.alertmanager import CONFIGURATION, Webhook, alertmanager, fire, recommended, suppressed_labels
from kit.deadline import wait_until
from kit.programs import main


def exporter_alert(name: str, severity: str, job: str = "one", instance: str = "a", **labels: str) -> dict[str, str]:
    at = {"job": job} | ({"instance": instance} if instance else {})
    return {"alertname": f"DatasphereExporter{name}", "severity": severity} | at | labels


def alert_on(name: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alertname": f"Datasphere{name}", "severity": severity} | labels


def follow(replica: str, job: str = "one") -> list[dict[str, str]]:
    """What a cloud that answers nothing to an exporter makes true."""
    stale = exporter_alert("DataStale", "warning", job, "", project_id="p", scope="jobs")
    burns = exporter_alert("ErrorBudgetBurn", "critical", job, "", long="1h", short="5m")
    return [stale, burns, *(exporter_alert(name, "warning", job, replica) for name in ("AccessDenied", "Lagging"))]


UNREACHABLE = exporter_alert("CloudUnreachable", "critical")
DOWN = exporter_alert("Down", "critical", instance="")
BURNS_FAST = exporter_alert("ErrorBudgetBurn", "critical", instance="", long="1h", short="5m")
BURNS_SLOWLY = {"long": "3d", "short": "6h"}
# A cause, what it silences, and what goes on beside it: of another replica, scrape job, project or name.
INHIBITED = [
    (UNREACHABLE, follow("a"), [*follow("a", "other"), exporter_alert("AccessDenied", "warning", instance="b")]),
    (
        exporter_alert("TokenNotRenewed", "critical"),
        [UNREACHABLE, *follow("a")],
        [exporter_alert("CloudUnreachable", "critical", "other", "z"), exporter_alert("Lagging", "warning", instance="b")],
    ),
    (alert_on("ExporterAbsent", "critical"), [DOWN, exporter_alert("Down", "warning", "other", "z")], []),
    (DOWN, [exporter_alert("Down", "warning")], [exporter_alert("Down", "warning", "other", "z")]),
    (
        BURNS_FAST,
        [exporter_alert("ErrorBudgetBurn", "warning", instance="", **BURNS_SLOWLY)],
        [exporter_alert("ErrorBudgetBurn", "warning", "other", "", **BURNS_SLOWLY)],
    ),
    (
        alert_on("JobFailed", "warning", project_id="p", job_name="n", job_id="j"),
        [alert_on("JobLastRunFailed", "warning", project_id="p", job_name="n")],
        [alert_on("JobLastRunFailed", "warning", project_id="p", job_name="other")],
    ),
    (
        alert_on("UnitBalanceLow", "warning", project_id="p"),
        [alert_on("UnitBalanceExhaustionSoon", "warning", project_id="p")],
        [
            alert_on("UnitBalanceExhaustionSoon", "critical", project_id="p"),
            alert_on("UnitBalanceExhaustionSoon", "warning", project_id="other"),
        ],
    ),
    (
        alert_on("UnitBalanceExhaustionSoon", "critical", project_id="p"),
        [alert_on("UnitBalanceExhaustionSoon", "warning", project_id="p")],
        [alert_on("UnitBalanceExhaustionSoon", "warning", project_id="other")],
    ),
]


def in_order(alerts: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(labels.items()) for labels in alerts)


class Alertmanager(unittest.TestCase):
    def test_silences_what_follows_and_nothing_of_others(self) -> None:
        for cause, follows, others in INHIBITED:
            with self.subTest(cause):
                port = alertmanager(self.addCleanup, recommended(Webhook(self.addCleanup).url))
                # Causes last: what would be silenced by mistake is there before.
                fire(port, [*others, *follows, cause])
                expected = in_order(follows)
                wait_until("what follows is silent", lambda: in_order(suppressed_labels(port)) == expected, 20)

    def test_says_all_that_it_silences(self) -> None:
        """A rule that nothing above shows would be one that nobody has seen at work."""
        shown = {(cause["alertname"], alert["alertname"]) for cause, follows, _ in INHIBITED for alert in follows}
        for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]:
            source, target = (rule[of][0].split("=", 1)[1].strip('~"') for of in ("source_matchers", "target_matchers"))
            beginning, _, endings = target.partition("(")
            for name in [beginning + ending for ending in endings.rstrip(")").split("|")]:
                self.assertIn((source, name), shown)


if __name__ == "__main__":
    main()
