#!/usr/bin/env bash
# The official SDK and CLI against the simulator, and the upstream of official stubs against itself.
# Limit: 300 s
# BIN is the program under test; the clients are installed from the package index into target/real/venv.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
BIN=${BIN:-$root/target/debug/datasphere-exporter}
venv=$root/target/real/venv
work=$root/target/real/sdk
python=$venv/bin/python

mkdir -p "$work"
if ! "$python" -c 'import datasphere, yandexcloud' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check yandexcloud datasphere
fi
# Loopback is never reached through a proxy.
export no_proxy=localhost,127.0.0.1 NO_PROXY=localhost,127.0.0.1 GRPC_VERBOSITY=ERROR

free_ports() {
    "$python" - "$1" <<'PY'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
PY
}

wait_for() {
    "$python" - "$@" <<'PY'
import socket, sys, time
for port in sys.argv[1:]:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port)), 1).close()
            break
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"run.sh: nothing listens on port {port}")
            time.sleep(0.1)
PY
}

pids=()
stop() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
trap stop EXIT

read -r grpc http upstream exporter < <(free_ports 4)
"$python" "$here/certificate.py" "$work/cert.pem" "$work/key.pem"
"$BIN" simulate --listen-address "127.0.0.1:$grpc" --http-listen-address "127.0.0.1:$http" \
    --scenario "$here/scenario.yaml" --tls.cert-file "$work/cert.pem" --tls.key-file "$work/key.pem" \
    >"$work/simulate.log" 2>&1 &
pids+=($!)
wait_for "$grpc" "$http" || { cat "$work/simulate.log"; exit 1; }

"$python" "$here/sdk.py" "localhost:$grpc" "$work/cert.pem" "$root/tests/fixtures/service_account_key.json"
# An exporter that knows of nothing but the files that the CLI will write, in a folder that may not exist yet.
cat >"$work/exporter.yaml" <<YAML
cloud:
  endpoint: localhost:$grpc
  tls: { ca_file: cert.pem }
  auth: { metadata: { address: "127.0.0.1:$http" } }
watch: { interval: 1s, execution_files: ["cli/*.json"] }
storage: { path: "" }
web: { listen_address: "127.0.0.1:$exporter" }
YAML
"$BIN" serve --config.file "$work/exporter.yaml" >"$work/exporter.log" 2>&1 &
pids+=($!)
wait_for "$exporter" || { cat "$work/exporter.log"; exit 1; }
# As docs/gateway.md has it: the CLI's file stands in place of the public authorities.
cat "$("$python" -m certifi)" "$work/cert.pem" >"$work/public-and-own.pem"
"$python" "$here/cli.py" "localhost:$grpc" "$work/public-and-own.pem" "127.0.0.1:$http" "$work/cli" "127.0.0.1:$exporter" ||
    { cat "$work/exporter.log"; exit 1; }

"$python" "$here/upstream.py" --port "$upstream" >"$work/upstream.json" &
pids+=($!)
wait_for "$upstream"
"$python" "$here/upstream.py" --check "127.0.0.1:$upstream"
echo "run.sh: the official SDK and CLI work against the simulator"
