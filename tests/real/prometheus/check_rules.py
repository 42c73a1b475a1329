"""Every Prometheus loads the rules, and its promtool finds that they fire, keep silent and recover as their tests say."""

# Limit: 400 s

import json
import unittest
from pathlib import Path

import rjsonnet
import yaml
from kit.programs import main, new_folder, run
from kit.server import tool, versions

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "rules"
TESTS = sorted((RULES / "tests").glob("*.yaml"))
# Rules that users copy, and no server loads as they are, with their tests.
EXAMPLE, EXAMPLE_TEST = (RULES / "examples" / name for name in ("nightly.yaml", "nightly_test.yaml"))
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
# Tests with native histograms, and the oldest version whose promtool can read them.
NATIVE = RULES / "tests" / "native.yaml"
NATIVE_SINCE = (2, 53)


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def tests(version: str) -> list[Path]:
    return [path for path in TESTS if path != NATIVE or number(version) >= NATIVE_SINCE]


class Rules(unittest.TestCase):
    def promtool(self, version: str, *words: str | Path) -> None:
        ended = run(tool(version, "promtool"), *words, seconds=300)
        self.assertEqual(ended.returncode, 0, (ended.stdout + ended.stderr).decode())

    def test_are_rules(self) -> None:
        for version in versions():
            with self.subTest(version):
                self.promtool(version, "check", "rules", "--lint=all", "--lint-fatal", *RULES.glob("*.yaml"), EXAMPLE)

    def test_are_loaded_by_a_configuration(self) -> None:
        configuration = new_folder() / "prometheus.yml"
        configuration.write_text(json.dumps({"rule_files": [str(RULES / "*.yaml")]}))
        for version in versions():
            with self.subTest(version):
                self.promtool(version, "check", "config", "--lint=all", "--lint-fatal", configuration)

    def test_fire_keep_silent_and_recover(self) -> None:
        self.assertIn(NATIVE, TESTS)
        for version in versions():
            with self.subTest(version):
                self.promtool(version, "test", "rules", *tests(version), EXAMPLE_TEST)

    def test_would_fail_with_a_threshold_that_is_wrong(self) -> None:
        folder = new_folder()
        (folder / "tests").mkdir()
        (folder / "recording.yaml").write_text((RULES / "recording.yaml").read_text())
        alerts = (RULES / "alerts.yaml").read_text()
        self.assertIn("ratio_rate1h > 14.4", alerts)
        (folder / "alerts.yaml").write_text(alerts.replace("ratio_rate1h > 14.4", "ratio_rate1h > 99"))
        (folder / "tests" / "slo.yaml").write_text((RULES / "tests" / "slo.yaml").read_text())
        for version in versions():
            ended = run(tool(version, "promtool"), "test", "rules", folder / "tests" / "slo.yaml", seconds=60)
            self.assertNotEqual(ended.returncode, 0, version)

    def test_are_the_same_through_jsonnet(self) -> None:
        docs, grafana = "https://wiki.example.org/datasphere", "https://charts.example.org"
        source = f"""
            local mixin = (import '{ROOT}/mixin/mixin.libsonnet') + {{ _config+:: {{ docs: '{docs}', grafana: '{grafana}' }} }};
            {{ alerts: mixin.prometheusAlerts, recording: mixin.prometheusRules, dashboards: mixin.grafanaDashboards }}
        """
        made = json.loads(rjsonnet.evaluate_snippet("check", source))
        self.assertEqual(made.pop("dashboards"), {path.name: json.loads(path.read_text()) for path in DASHBOARDS})
        for name, groups in made.items():
            text = (RULES / f"{name}.yaml").read_text().replace("https://datasphere-exporter.example/docs", docs)
            self.assertEqual(groups, yaml.safe_load(text.replace("https://grafana.example", grafana)))
        for place in (docs, grafana):
            self.assertIn(place, json.dumps(made["alerts"]))


if __name__ == "__main__":
    main()
