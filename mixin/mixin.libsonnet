// The alerts and recording rules for users of jsonnet, from the very files that Prometheus loads.
// `(import 'mixin.libsonnet') + { _config+:: { docs: 'https://wiki.example.org/datasphere' } }` says where the runbooks are.
{
  _config+:: { docs: 'https://datasphere-exporter.example/docs' },
  local groups(file) =
    std.parseYaml(std.strReplace(file, 'https://datasphere-exporter.example/docs', $._config.docs)).groups,
  prometheusAlerts+:: { groups+: groups(importstr '../rules/alerts.yaml') },
  prometheusRules+:: { groups+: groups(importstr '../rules/recording.yaml') },
}
