#!/usr/bin/env bash
# Prints the figures of all benchmarks, and for polls the ratio of instructions, which is the one that holds on a
# noisy machine: it is counted by callgrind, as the difference between a long and a short run.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo bench --locked --bench poll
cargo bench --locked --bench scrape
cargo bench --locked --bench keeping
cargo bench --locked --bench memory
cargo bench --locked --bench gateway

program=$(cargo bench --locked --bench poll --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n 1)
scratch=$(mktemp -d)
server=""
trap 'rm -rf "$scratch"; [ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

# count KIND ADDRESS POLLS: instructions and polls of one run.
count() {
    local polls
    polls=$(valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --log-file="$scratch/log" \
        "$program" run "$1" "$2" "$3" | awk '/^polls/ { print $2 }')
    echo "$(sed -n 's/.*Collected : //p' "$scratch/log") $polls"
}

# each KIND ADDRESS: instructions for one poll.
each() {
    local short long
    short=$(count "$1" "$2" 3000)
    long=$(count "$1" "$2" 9000)
    echo "$short $long" | awk '{ printf "%d", ($3 - $1) / ($4 - $2) }'
}

echo "instructions for one poll (callgrind), 64 in flight, 100000 tracked"
for size in small large; do
    rm -f "$scratch/address"
    "$program" serve "$size" >"$scratch/address" &
    server=$!
    until [ -s "$scratch/address" ]; do sleep 0.1; done
    address=$(cut -d' ' -f1 "$scratch/address")
    bare=$(each bare "$address")
    pipeline=$(each pipeline "$address")
    echo "$size bare $bare pipeline $pipeline" | awk '{ printf "%-6s bare %7d   pipeline %7d   ratio %.2f\n", $1, $3, $5, $5 / $3 }'
    kill "$server"
    server=""
done
