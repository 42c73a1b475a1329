// The alerts, recording rules and dashboards for users of jsonnet, from the very files that are loaded without it.
// `(import 'mixin.libsonnet') + { _config+:: { docs: 'https://wiki.example.org/datasphere' } }` says where the runbooks are.
{
  _config+:: { docs: 'https://datasphere-exporter.example/docs', grafana: 'https://grafana.example' },
  local placed(file) = std.strReplace(file, 'https://datasphere-exporter.example/docs', $._config.docs),
  local groups(file) =
    std.parseYaml(std.strReplace(placed(file), 'https://grafana.example', $._config.grafana)).groups,
  prometheusAlerts+:: { groups+: groups(importstr '../rules/alerts.yaml') },
  prometheusRules+:: { groups+: groups(importstr '../rules/recording.yaml') },
  grafanaDashboards+:: {
    'exporter.json': import '../dashboards/exporter.json',
    'fleet.json': import '../dashboards/fleet.json',
    'job.json': import '../dashboards/job.json',
    'operations.json': import '../dashboards/operations.json',
    'service-levels.json': import '../dashboards/service-levels.json',
  },
}
