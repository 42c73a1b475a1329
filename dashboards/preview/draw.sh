#!/bin/sh
# Draws all dashboards with live data: the demo, a real Prometheus on it, Grafana's own components in a headless
# Chromium.
#
# draw.sh BINARY [FOLDER]: BINARY is datasphere-exporter; a picture for each dashboard lands in FOLDER, `pictures` here
# when absent. What may be changed, by variables of the environment:
#   MINUTES=20         the time that the pictures show; data is gathered a minute longer
#   SPEED=20           how much faster than life the simulated fleet is
#   THEME=dark         or light
#   PROMETHEUS, RULES  the server and the folder of rules; those of this repository when absent
#   KEEP=1             draws again at each Enter instead of ending, for work on the dashboards
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
binary=${1:?"which datasphere-exporter? draw.sh BINARY [FOLDER]"}
pictures=${2:-$here/pictures}
prometheus=${PROMETHEUS:-$root/target/real/prometheus-3.5/prometheus}
rules=${RULES:-$root/rules}
minutes=${MINUTES:-20}
theme=${THEME:-dark}

[ -x "$prometheus" ] || { echo "no Prometheus at $prometheus: tests/real/install.sh fetches it" >&2; exit 1; }
[ -d "$here/node_modules" ] || (cd "$here" && npm ci)

folder=$(mktemp -d)
started=
end() {
  for process in $started; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' INT TERM

# The n-th of a block of ports that belongs to this run.
first_port=$((20000 + $$ % 10000))
exporter=127.0.0.1:$first_port
server=127.0.0.1:$((first_port + 1))

# Waits until a file has a line, or a page answers; half a minute at most.
patiently() {
  for _ in $(seq 150); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "gave up on: $*" >&2
  tail -n 20 "$folder"/*.log >&2
  exit 1
}

node "$here/collector.mjs" >"$folder/collector" &
started="$started $!"
patiently test -s "$folder/collector"

OTEL_EXPORTER_OTLP_ENDPOINT=$(cat "$folder/collector") OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf \
  DATASPHERE_EXPORTER_STORAGE_PATH="$folder/store" \
  "$binary" demo --speed "${SPEED:-20}" --web.listen-address "$exporter" >"$folder/exporter.log" 2>&1 &
started="$started $!"
patiently curl -fsS "http://$exporter/readyz"

cat >"$folder/prometheus.yml" <<YAML
global:
  scrape_interval: 5s
  scrape_timeout: 5s
  evaluation_interval: 15s
  # Prometheus 3 takes the exemplars of all series only so; docs/dashboards.md tells more.
  always_scrape_classic_histograms: true
rule_files: ["$rules/*.yaml"]
scrape_configs:
- job_name: datasphere
  static_configs: [{ targets: ["$exporter"], labels: { instance: exporter-0 } }]
YAML
"$prometheus" --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
  --web.listen-address="$server" --enable-feature=native-histograms,exemplar-storage >"$folder/prometheus.log" 2>&1 &
started="$started $!"
patiently curl -fsS "http://$server/-/ready"

# A minute more than is shown: what was counted before the first scrape would seem to have happened in the time shown.
echo "gathering data for $((minutes + 1)) minutes: http://$server"
sleep $(((minutes + 1) * 60))
while true; do
  node "$here/draw.mjs" --prometheus "http://$server" --minutes "$minutes" --theme "$theme" --folder "$pictures"
  # Small enough for a repository, where the program is there.
  if command -v pngquant >/dev/null; then pngquant --force --strip --ext .png 256 "$pictures"/*.png; fi
  [ -n "${KEEP:-}" ] || break
  echo "Enter draws again"
  read -r _ || break
done
