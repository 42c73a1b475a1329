"""What `deploy/compose/` puts together fits together, and Docker Compose, Prometheus and Alertmanager understand it.

Grafana and Tempo are not to be had from Debian: whether their files fit is judged here, and they never read them.
"""

import json
import re
import shutil
import unittest
from pathlib import Path

import yaml
from kit.deadline import wait_until
from kit.programs import BINARY, TOOLS, main, new_folder, run, start
from kit.server import tool, versions
from kit.web import answers, free_port, get

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "deploy/compose"
ALERTMANAGER = COMPOSE / "alertmanager.yml"
DEMO, CLOUD = ("compose.yaml",), ("compose.yaml", "compose.cloud.yaml")
RULES = [yaml.safe_load(path.read_text()) for path in (ROOT / "rules").glob("*.yaml")]
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
# An address of another service, as `http://tempo:3200` or in a list of targets.
ADDRESS = re.compile(r"(?:https?://|\[)([a-z]+):\d+")


def composed(files: tuple[str, ...]) -> dict:
    """What Docker Compose understands, with every path and default in it."""
    words = [word for file in files for word in ("--file", COMPOSE / file)]
    ended = run(TOOLS / "docker-compose", *words, "config", "--format=json")
    if ended.returncode or ended.stderr:
        raise RuntimeError(ended.stderr.decode())
    return json.loads(ended.stdout)


def bound(service: dict) -> dict[str, Path]:
    """Files and folders of this repository that a service sees, by where it sees them."""
    volumes = service.get("volumes", [])
    return {volume["target"]: Path(volume["source"]) for volume in volumes if volume["type"] == "bind"}


def laid_out(service: dict) -> Path:
    """A folder with the files of a service where it sees them below its root."""
    root = new_folder()
    for target, source in bound(service).items():
        below = root / target.lstrip("/")
        below.parent.mkdir(parents=True, exist_ok=True)
        below.symlink_to(source)
    return root


def load(service: dict, path: str) -> dict:
    return yaml.safe_load((laid_out(service) / path.lstrip("/")).read_text())


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.services = composed(DEMO)["services"]
        cls.all_services = [*cls.services.values(), *composed(CLOUD)["services"].values()]

    def test_mounts_what_is_there_and_lets_nothing_be_changed(self) -> None:
        for service in self.all_services:
            for path in bound(service).values():
                self.assertTrue(path.exists(), path)
            for volume in service.get("volumes", []):
                self.assertTrue(volume["type"] == "volume" or volume["read_only"], volume)

    def test_is_open_on_this_machine_only(self) -> None:
        for service in self.all_services:
            for port in service.get("ports", []):
                self.assertEqual(port["host_ip"], "127.0.0.1")

    def test_gives_no_service_more_rights_than_it_needs(self) -> None:
        for service in self.all_services:
            self.assertTrue(service.get("read_only"), service)
            self.assertEqual(service.get("cap_drop"), ["ALL"])
            self.assertEqual(service.get("security_opt"), ["no-new-privileges:true"])

    def test_names_every_image_by_its_version(self) -> None:
        for name, service in self.services.items():
            self.assertTrue("build" in service or re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name)

    def test_every_address_is_that_of_a_service(self) -> None:
        texts = [path.read_text() for service in self.all_services for path in bound(service).values() if path.is_file()]
        texts += [self.services["exporter"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]]
        named = {host for text in texts for host in ADDRESS.findall(text)} - {"localhost"}
        self.assertLessEqual(named, self.services.keys())
        self.assertLessEqual({"exporter", "alertmanager", "prometheus", "tempo"}, named)

    def test_runs_the_exporter_with_flags_that_it_has(self) -> None:
        for service in self.all_services:
            if "build" in service:
                ended = run(BINARY, *service["command"], "--help")
                self.assertEqual(ended.returncode, 0, ended.stderr.decode())

    def test_has_a_configuration_for_a_real_cloud(self) -> None:
        folder = new_folder() / "exporter"
        shutil.copytree(COMPOSE / "exporter", folder)
        shutil.copy(ROOT / "tests/fixtures/service_account_key.json", folder / "key.json")
        ended = run(BINARY, "check-config", f"--config.file={folder / 'exporter.yaml'}")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())

    def test_prometheus_takes_the_rules_as_they_are(self) -> None:
        newest, port = versions()[-1], free_port()
        service = self.services["prometheus"]
        root = laid_out(service)
        configuration = root / "etc/prometheus/prometheus.yml"
        ended = run(tool(newest, "promtool"), "check", "config", "--lint=all", "--lint-fatal", configuration)
        self.assertEqual(ended.returncode, 0, (ended.stdout + ended.stderr).decode())
        flags = [flag.replace("=/", f"={root}/") for flag in service["command"]]
        server = tool(newest, "prometheus")
        program = start(self.addCleanup, "prometheus", server, *flags, f"--web.listen-address=127.0.0.1:{port}")
        wait_until("Prometheus is ready", lambda: answers(port, "/-/ready") or not program.is_running(), 20)

        def told(path: str) -> dict:
            return json.loads(get(port, f"/api/v1/{path}").body)["data"]

        groups = {group["name"] for rules in RULES for group in rules["groups"]}
        self.assertEqual({group["name"] for group in told("rules")["groups"]}, groups)
        wait_until("Alertmanager is known", lambda: told("alertmanagers")["activeAlertmanagers"], 20)
        self.assertEqual(told("status/flags")["enable-feature"], "exemplar-storage,native-histograms")

    def test_alertmanager_tells_each_severity_to_somebody_of_its_own(self) -> None:
        receivers = {"critical": "on-call", "warning": "team", "info": "nobody"}
        self.assertEqual({rule["labels"]["severity"] for rule in self.alerts()}, receivers.keys())
        found = sorted(TOOLS.glob("alertmanager-*"))
        self.assertTrue(found)
        for folder in found:
            with self.subTest(folder.name):
                self.amtool(folder, "check-config", ALERTMANAGER)
                # It reads its flags before it says its version.
                flags = self.services["alertmanager"]["command"]
                ended = run(next(folder.glob("*alertmanager")), *flags, "--version")
                self.assertEqual(ended.returncode, 0, ended.stderr.decode())
                for severity, receiver in receivers.items():
                    words = ("config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")
                    self.assertEqual(self.amtool(folder, *words).strip(), receiver)

    def amtool(self, folder: Path, *words: str | Path) -> str:
        ended = run(folder / "amtool", *words)
        self.assertEqual(ended.returncode, 0, (ended.stdout + ended.stderr).decode())
        return ended.stdout.decode()

    def test_alertmanager_keeps_silent_about_alerts_that_there_are(self) -> None:
        named = set()
        for beginning, endings in re.findall(r"(Datasphere\w+)(?:\((.+)\))?", ALERTMANAGER.read_text()):
            named |= {beginning + ending for ending in endings.split("|")}
        self.assertLessEqual(named, {rule["alert"] for rule in self.alerts()})
        self.assertGreater(len(named), 5)

    @staticmethod
    def alerts() -> list[dict]:
        return [rule for rules in RULES for group in rules["groups"] for rule in group["rules"] if "alert" in rule]

    def test_grafana_has_a_data_source_that_every_dashboard_can_choose(self) -> None:
        provided = load(self.services["grafana"], "/etc/grafana/provisioning/datasources/datasphere.yaml")
        self.assertEqual(provided["apiVersion"], 1)
        by_uid = {source["uid"]: source for source in provided["datasources"]}
        (default,) = [source for source in by_uid.values() if source.get("isDefault")]
        for path in DASHBOARDS:
            variables = json.loads(path.read_text())["templating"]["list"]
            (chosen,) = [variable["query"] for variable in variables if variable["type"] == "datasource"]
            self.assertEqual(chosen, default["type"], path)
        settings = default["jsonData"]
        (destination,) = settings["exemplarTraceIdDestinations"]
        self.assertEqual((destination["name"], by_uid[destination["datasourceUid"]]["type"]), ("trace_id", "tempo"))
        scraped = load(self.services["prometheus"], "/etc/prometheus/prometheus.yml")["global"]["scrape_interval"]
        self.assertEqual(settings["timeInterval"], scraped)

    def test_grafana_finds_every_dashboard(self) -> None:
        grafana = self.services["grafana"]
        provided = load(grafana, "/etc/grafana/provisioning/dashboards/datasphere.yaml")
        self.assertEqual(provided["apiVersion"], 1)
        (provider,) = provided["providers"]
        self.assertEqual(provider["type"], "file")
        root = laid_out(grafana)
        seen = (root / provider["options"]["path"].lstrip("/")).iterdir()
        self.assertEqual(sorted(path.resolve() for path in seen), DASHBOARDS)
        home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertIn((root / home.lstrip("/")).resolve(), DASHBOARDS)

    def test_grafana_has_no_password_that_everybody_knows_and_needs_none(self) -> None:
        environment = self.services["grafana"]["environment"]
        self.assertEqual(environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"], "true")
        self.assertEqual(environment["GF_AUTH_ANONYMOUS_ORG_ROLE"], "Viewer")
        # Traces are shown in Explore.
        self.assertEqual(environment["GF_USERS_VIEWERS_CAN_EDIT"], "true")


if __name__ == "__main__":
    main()
