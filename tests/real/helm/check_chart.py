"""The chart is what it says: linted, valid for Kubernetes, and with the rules, dashboards and keys of this repository."""

# Limit: 300 s

import json
import os
import re
import unittest
from functools import cache
from pathlib import Path

import jsonschema
import yaml
from kit.kubernetes import check
from kit.programs import BINARY, TOOLS, main, new_folder, run

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/helm"
HELM = TOOLS / "helm"
RELEASE = "watch"
EXAMPLES = {path.stem: path for path in sorted((CHART / "examples").glob("*.yaml"))}
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "rules").glob("*.yaml"))
# What `values.yaml` says, above what `README.md` says of it.
TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)


def helm(*words: str | Path) -> str:
    ended = run(HELM, *words)
    if ended.returncode:
        raise RuntimeError(ended.stdout.decode() + ended.stderr.decode())
    return ended.stdout.decode()


@cache
def rendered(*flags: str) -> str:
    return helm("template", RELEASE, CHART, "--namespace=datasphere", "--kube-version=1.33", *flags)


def things(*flags: str) -> list[dict]:
    """Everything that a release has, with these flags."""
    return [thing for thing in yaml.safe_load_all(rendered(*flags)) if thing]


def values(example: str) -> str:
    return f"--values={EXAMPLES[example]}"


def named(things: list[dict], kind: str) -> dict[str, dict]:
    return {thing["metadata"]["name"]: thing for thing in things if thing["kind"] == kind}


def pod(things: list[dict]) -> dict:
    (own,) = named(things, "StatefulSet").values()
    return own["spec"]["template"]["spec"]


def with_key(*settings: str) -> list[dict]:
    return things("--set=auth.secret.name=key", *(f"--set-json={setting}" for setting in settings))


class AChart(unittest.TestCase):
    def test_has_nothing_that_a_linter_complains_about(self) -> None:
        helm("lint", "--strict", "--quiet", CHART)
        for example in EXAMPLES:
            helm("lint", "--strict", "--quiet", values(example), CHART)

    def test_says_the_version_of_the_program(self) -> None:
        version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        self.assertEqual(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"], version)
        self.assertTrue(self.container("demo")["image"].endswith(f":{version}"))

    def test_is_valid_for_kubernetes_and_for_the_operator_of_prometheus(self) -> None:
        kinds = set()
        for example in EXAMPLES:
            for thing in things(values(example)):
                with self.subTest(example=example, kind=thing["kind"]):
                    check(thing)
                    self.assertEqual(thing["metadata"]["namespace"], "datasphere")
                    kinds.add(thing["kind"])
        expected = "ConfigMap NetworkPolicy PrometheusRule Service ServiceAccount ServiceMonitor StatefulSet"
        self.assertEqual(kinds, set(expected.split()))

    def test_a_check_of_this_file_finds_what_is_wrong(self) -> None:
        for kind in ("StatefulSet", "ServiceMonitor", "PrometheusRule"):
            thing = next(iter(named(things(values("demo")), kind).values()))
            thing["spec"]["unknown"] = True
            with self.assertRaises(Exception, msg=kind):
                check(thing)

    def test_everything_has_the_names_of_its_release(self) -> None:
        for example in EXAMPLES:
            for thing in things(values(example)):
                self.assertTrue(thing["metadata"]["name"].startswith(RELEASE))
                self.assertEqual(thing["metadata"]["labels"]["app.kubernetes.io/instance"], RELEASE)

    def test_the_dashboards_are_those_of_this_repository(self) -> None:
        maps = [thing for thing in things(values("demo")) if thing["metadata"]["labels"].get("grafana_dashboard")]
        told = {name: text for thing in maps for name, text in thing["data"].items()}
        self.assertEqual(told, {path.name: path.read_text() for path in DASHBOARDS})
        self.assertEqual(len(maps), len(DASHBOARDS))
        for thing in maps:
            # What the API takes of a config map.
            self.assertLess(len(json.dumps(thing)), 1 << 20)

    def test_the_rules_are_those_of_this_repository(self) -> None:
        told = [thing["spec"] for thing in named(things(values("demo")), "PrometheusRule").values()]
        self.assertEqual(told, [yaml.safe_load(path.read_text()) for path in RULES])

    def test_links_of_alerts_lead_where_the_values_say(self) -> None:
        told = json.dumps([thing["spec"] for thing in named(things(values("key")), "PrometheusRule").values()])
        self.assertIn("https://git.example.org/datasphere-exporter/blob/main/docs/runbooks/", told)
        self.assertIn("https://grafana.example.org/d/datasphere-fleet", told)
        self.assertNotRegex(told, r"datasphere-exporter\.example|//grafana\.example/")

    def test_its_files_are_links_to_those_of_this_repository(self) -> None:
        linked = {path.resolve() for path in (CHART / "files").rglob("*") if path.is_symlink()}
        self.assertEqual(linked, {*DASHBOARDS, *RULES})
        packed = new_folder()
        helm("package", CHART, "--destination", packed)
        told = helm("template", RELEASE, next(packed.glob("*.tgz")), "--namespace=datasphere", "--kube-version=1.33", values("demo"))
        self.assertEqual(told, rendered(values("demo")))

    def test_the_exporter_takes_the_configuration(self) -> None:
        for example in ("key", "workload-identity", "closed"):
            with self.subTest(example):
                self.understood(things(values(example)))

    def test_every_way_of_saying_something_twice_is_refused(self) -> None:
        refused = {
            "one way to authenticate": "config={}",
            "way to authenticate": 'config={"cloud":{"auth":{"metadata":{}}}}',
            "listen_address": 'config={"web":{"listen_address":":1"}}',
            "storage": 'config={"storage":{"path":"/elsewhere"}}',
            "gateway": 'config={"gateway":{"listen_address":":1"}}',
            "config_file": 'config={"web":{"config_file":"/elsewhere"}}',
            "replicas": "replicas=2",
            "port": "service={\"port\":0}",
        }
        for words, setting in refused.items():
            flags = () if words == "one way to authenticate" else ("--set=auth.secret.name=key",)
            with self.subTest(words), self.assertRaisesRegex(RuntimeError, words):
                rendered(*flags, f"--set-json={setting}")

    def test_one_way_to_authenticate_may_be_written_by_hand(self) -> None:
        self.understood(things('--set-json=config={"cloud":{"auth":{"metadata":{}}}}'))

    def understood(self, release: list[dict]) -> dict:
        """The configuration in effect of the pod, as the program itself prints it."""
        volumes = {volume["name"]: volume for volume in pod(release)["volumes"]}
        (container,) = pod(release)["containers"]
        text = named(release, "ConfigMap")[volumes["config"]["configMap"]["name"]]["data"]["exporter.yaml"]
        root = new_folder()
        # Files that the cluster provides, where the configuration has them.
        seen = {mount["mountPath"] for mount in container["volumeMounts"]}
        for path in re.findall(r"(?<=_file: )/\S+", text):
            self.assertIn(str(Path(path).parent), seen)
            stand_in = root / path.lstrip("/")
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            # An empty web configuration protects nothing, and a key that nobody reads may be anything.
            key = (ROOT / "tests/fixtures/service_account_key.json").read_text()
            stand_in.write_text("" if path.endswith("/web.yaml") else key)
            text = text.replace(path, str(stand_in))
        self.assertIn(yaml.safe_load(text)["storage"]["path"], seen)
        file = root / "exporter.yaml"
        file.write_text(text)
        flags = [flag for flag in container["args"][1:] if not flag.startswith("--config.file=")]
        ended = run(BINARY, "print-config", f"--config.file={file}", *flags, "--output=json")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        return json.loads(ended.stdout)

    def test_another_configuration_is_another_pod(self) -> None:
        def sums(release: list[dict]) -> str:
            (own,) = named(release, "StatefulSet").values()
            return own["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        self.assertNotEqual(sums(with_key()), sums(with_key('config={"watch":{"interval":"20s"}}')))
        self.assertEqual(sums(with_key()), sums(with_key("service.port=80")))

    def test_there_is_one_exporter_and_what_it_keeps_is_in_a_volume(self) -> None:
        (own,) = named(with_key(), "StatefulSet").values()
        self.assertEqual(own["spec"]["replicas"], 1)
        # In order, a pod that never became ready would keep the next one away.
        self.assertEqual(own["spec"]["podManagementPolicy"], "Parallel")
        (claim,) = own["spec"]["volumeClaimTemplates"]
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container("key")["volumeMounts"]}
        self.assertEqual(mounts[claim["metadata"]["name"]], "/data")
        for settings in (["persistence.enabled=false"], ['persistence.existingClaim="mine"']):
            release = with_key(*settings)
            (own,) = named(release, "StatefulSet").values()
            self.assertNotIn("volumeClaimTemplates", own["spec"])
            self.assertIn("state", {volume["name"] for volume in pod(release)["volumes"]})
            check(own)

    def test_the_pod_has_no_more_rights_than_it_needs(self) -> None:
        for example in EXAMPLES:
            own = pod(things(values(example)))
            self.assertFalse(own["automountServiceAccountToken"])
            context = own["securityContext"]
            self.assertTrue(context["runAsNonRoot"])
            self.assertEqual((context["runAsUser"], context["fsGroup"]), (65532, 65532))
            self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
            container = self.container(example)["securityContext"]
            self.assertEqual(container["capabilities"], {"drop": ["ALL"]})
            self.assertTrue(container["readOnlyRootFilesystem"])
            self.assertFalse(container["allowPrivilegeEscalation"])
            for mount in self.container(example)["volumeMounts"]:
                self.assertTrue(mount.get("readOnly") or mount["name"] == "state", mount)

    def container(self, example: str) -> dict:
        (own,) = pod(things(values(example)))["containers"]
        return own

    def test_services_and_monitor_find_the_pod(self) -> None:
        release = things(values("workload-identity"))
        (own,) = named(release, "StatefulSet").values()
        labels = own["spec"]["template"]["metadata"]["labels"]
        ports = {port["name"]: port["containerPort"] for port in self.container("workload-identity")["ports"]}
        services = named(release, "Service")
        self.assertEqual(services.keys(), {RELEASE, f"{RELEASE}-gateway"})
        for service in services.values():
            self.assertLessEqual(service["spec"]["selector"].items(), labels.items())
            for port in service["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
        self.assertIn(own["spec"]["serviceName"], services)
        (monitor,) = named(release, "ServiceMonitor").values()
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (found,) = [service for service in services.values() if wanted <= service["metadata"]["labels"].items()]
        self.assertIn(monitor["spec"]["endpoints"][0]["port"], {port["name"] for port in found["spec"]["ports"]})
        (policy,) = named(release, "NetworkPolicy").values()
        self.assertEqual({rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]}, ports.keys())
        self.assertLessEqual(policy["spec"]["podSelector"]["matchLabels"].items(), labels.items())

    def test_a_policy_lets_it_out_to_the_metadata_service_where_its_tokens_are_from_there(self) -> None:
        def egress(*flags: str) -> dict[int, dict]:
            (policy,) = named(things("--set=networkPolicy.enabled=true", *flags), "NetworkPolicy").values()
            return {rule["ports"][0]["port"]: rule for rule in policy["spec"]["egress"]}

        self.assertEqual(egress("--set=auth.secret.name=key").keys(), {53, 443})
        usual = egress('--set-json=config={"cloud":{"auth":{"metadata":{}}}}')
        self.assertEqual(usual[80]["to"], [{"ipBlock": {"cidr": "169.254.169.254/32"}}])
        elsewhere = egress('--set-json=config={"cloud":{"auth":{"metadata":{"address":"metadata.internal"}}}}')
        self.assertNotIn("to", elsewhere[80])

    def test_ports_and_paths_are_those_of_the_configuration(self) -> None:
        release = with_key("gateway.enabled=true", "gateway.port=20000", 'config={"web":{"telemetry_path":"/m"}}', "serviceMonitor.enabled=true")
        understood = self.understood(release)
        self.assertEqual(understood["gateway"]["listen_address"], ":20000")
        (monitor,) = named(release, "ServiceMonitor").values()
        self.assertEqual(monitor["spec"]["endpoints"][0]["path"], understood["web"]["telemetry_path"])
        (container,) = pod(release)["containers"]
        ports = {port["name"]: f":{port['containerPort']}" for port in container["ports"]}
        self.assertEqual([ports["http"]], understood["web"]["listen_address"])
        self.assertEqual(ports["gateway"], understood["gateway"]["listen_address"])

    def test_probes_ask_what_there_is_and_as_the_server_wants_it(self) -> None:
        probes = {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
        (container,) = pod(with_key('web={"secret":"web","scheme":"HTTPS"}'))["containers"]
        for probe, path in probes.items():
            asked = {"path": path, "port": "http", "scheme": "HTTPS"}
            self.assertEqual(container[probe]["httpGet"], asked)
            command = self.container("closed")[probe]["exec"]["command"]
            self.assertEqual("--ready" in command, path == "/-/ready")
            ended = run(BINARY, *command[1:], "--help")
            self.assertEqual(ended.returncode, 0, ended.stderr.decode())

    def test_flags_of_the_demo_are_those_of_the_program(self) -> None:
        ended = run(BINARY, *self.container("demo")["args"], "--help")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())


class Values(unittest.TestCase):
    def test_each_has_a_schema_of_its_own_depth(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        told = schema["properties"].keys() - {"global"}
        self.assertEqual(told, yaml.safe_load((CHART / "values.yaml").read_text()).keys())

    def test_the_document_tells_every_one(self) -> None:
        path = CHART / "README.md"
        text = path.read_text()
        wanted = TABLE.sub(lambda _: table(), text)
        if os.environ.get("UPDATE_DOCS"):
            path.write_text(wanted)
        self.assertEqual(path.read_text(), wanted, "UPDATE_DOCS=1 tests/real/run.sh BINARY helm/ makes it so")


def table() -> str:
    """The values with their defaults and what the comments above them say."""
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for name, default, meaning in told(CHART / "values.yaml"):
        rows.append(f"| `{name}` | `{json.dumps(default)}` | {meaning} |")
    return "\n".join(rows) + "\n"


def told(path: Path) -> list[tuple[str, object, str]]:
    """Each value that has a comment: its name, its default, the comment."""
    values, found, above, comment = yaml.safe_load(path.read_text()), [], [], []
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("# -- ") or (comment and text.startswith("# ")):
            comment.append(text.removeprefix("# ").removeprefix("-- "))
        elif match := re.match(r"( *)([a-zA-Z]+):", line):
            depth = len(match[1]) // 2
            above[depth:] = [match[2]]
            if comment:
                default = values
                for key in above:
                    default = default[key]
                found.append((".".join(above), default, " ".join(comment)))
            comment = []
    return found


class ASidecar(unittest.TestCase):
    def test_is_valid_where_there_are_sidecars_and_takes_its_configuration(self) -> None:
        release = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/sidecar.yaml").read_text()))
        for thing in release:
            check(thing, versions=("1.29", "1.37"))
        (job,) = named(release, "Job").values()
        own = job["spec"]["template"]["spec"]
        (exporter,) = own["initContainers"]
        self.assertEqual(exporter["restartPolicy"], "Always")
        configuration = named(release, "ConfigMap")["trainer-exporter"]["data"]["exporter.yaml"]
        key = new_folder() / "key.json"
        key.write_bytes((ROOT / "tests/fixtures/service_account_key.json").read_bytes())
        file = key.with_name("exporter.yaml")
        file.write_text(configuration.replace("/etc/datasphere-exporter/key/key.json", str(key)))
        ended = run(BINARY, "check-config", f"--config.file={file}")
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        listened = yaml.safe_load(configuration)["gateway"]["listen_address"]
        (trainer,) = own["containers"]
        (endpoint,) = [variable["value"] for variable in trainer["env"] if variable["name"] == "DATASPHERE_ENDPOINT"]
        self.assertEqual(endpoint.split(":")[1], listened.split(":")[1])
        (monitor,) = named(release, "PodMonitor").values()
        labels = job["spec"]["template"]["metadata"]["labels"]
        self.assertLessEqual(monitor["spec"]["selector"]["matchLabels"].items(), labels.items())


if __name__ == "__main__":
    main()
