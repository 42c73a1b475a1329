"""A real Alertmanager, and a webhook behind it that keeps what it is told."""

import json
import subprocess
import threading
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from kit.deadline import wait_until
from kit.programs import Cleanup, new_folder, run, start
from kit.server import tool, versions
from kit.web import answers, free_port, get

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
# What the runbooks recommend and Docker Compose runs.
CONFIGURATION = ROOT / "deploy" / "compose" / "alertmanager.yml"
NAME = "alertmanager"
# Times that suit a check; what people are told is that the defaults do.
TIMES = {"group_wait": "1s", "group_interval": "2s", "repeat_interval": "4h"}


@dataclass(frozen=True)
class Alert:
    """One alert within a notification, and who was told."""

    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str

    @property
    def name(self) -> str:
        return self.labels["alertname"]


class Webhook:
    """Keeps the alerts of every notification, as they came."""

    def __init__(self, cleanup: Cleanup):
        self._notifications: list[tuple[str, list[Alert]]] = []
        webhook = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["content-length"])))
                webhook._take(self.path.removeprefix("/"), told)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Notifications are kept, not told."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cleanup(server.server_close)
        cleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"

    def _take(self, receiver: str, told: dict) -> None:
        alerts = [
            Alert(receiver, alert["status"], alert["labels"], alert["annotations"], alert["fingerprint"])
            for alert in told["alerts"]
        ]
        self._notifications.append((told["groupKey"], alerts))

    def alerts(self) -> list[Alert]:
        """All alerts that came so far, in their order."""
        return [alert for _, alerts in list(self._notifications) for alert in alerts]

    def firing(self) -> set[str]:
        """The names of alerts that nobody has said to be over."""
        newest = {alert.fingerprint: alert for alert in self.alerts()}
        return {alert.name for alert in newest.values() if alert.status == "firing"}

    def contents(self) -> dict[str, list[list[tuple[str, str]]]]:
        """By group: which alerts each of its notifications told in which status."""
        found: dict[str, list[list[tuple[str, str]]]] = defaultdict(list)
        for group, alerts in list(self._notifications):
            found[group].append(sorted((alert.fingerprint, alert.status) for alert in alerts))
        return dict(found)


def recommended(url: str) -> Path:
    """The configuration that is shipped, with a webhook in place of each that it has and with times that suit a check."""
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    for route in (configuration["route"], *configuration["route"]["routes"]):
        route |= TIMES
    for receiver in configuration["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = f"{url}{receiver['name']}"
    file = new_folder() / "alertmanager.yml"
    file.write_text(yaml.safe_dump(configuration))
    return file


def checked(version: str, configuration: Path) -> subprocess.CompletedProcess[bytes]:
    """`amtool check-config` on a configuration."""
    return run(tool(version, "amtool", NAME), "check-config", configuration)


def suppressed_labels(port: int) -> list[dict[str, str]]:
    """The labels of alerts that an Alertmanager knows and keeps to itself."""
    alerts = json.loads(get(port, "/api/v2/alerts").body)
    return [alert["labels"] for alert in alerts if alert["status"]["state"] == "suppressed"]


def suppressed(port: int) -> set[str]:
    """The names of alerts that an Alertmanager knows and keeps to itself."""
    return {labels["alertname"] for labels in suppressed_labels(port)}


def fire(port: int, alerts: list[dict[str, str]]) -> None:
    """Tells an Alertmanager of alerts with these labels, as a Prometheus would."""
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/alerts", body, headers)
    urllib.request.urlopen(request, timeout=10).close()


def alertmanager(cleanup: Cleanup, configuration: Path) -> int:
    """The port of the newest Alertmanager that is there, once it is ready."""
    version, port = versions(NAME)[-1], free_port()
    program = tool(version, "prometheus-alertmanager", NAME).resolve()
    # `install.sh` made it look for its templates where it runs.
    templates = program.parents[1] / "share" / "prometheus" / "alertmanager"
    flags = [f"--config.file={configuration}", f"--storage.path={new_folder()}"]
    # It is alone: no port is opened for others of its kind.
    flags += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    start(cleanup, f"{NAME}-{version}", "env", f"--chdir={templates}", program, *flags)
    wait_until(f"Alertmanager {version} is ready", lambda: answers(port, "/-/ready"), 20)
    return port
