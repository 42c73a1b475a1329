#!/usr/bin/env bash
# Runs every fuzz target for a while: `fuzz/run.sh [SECONDS]`, a minute each by default. Needs a nightly compiler
# and cargo-fuzz 0.13. What it finds stays in fuzz/artifacts, and the corpus in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"

mkdir -p fuzz/corpus/config fuzz/corpus/decode_any
# Seeds: every key with its default, and the example of the reference.
sed -n '/^cloud:/,$p' tests/suite/snapshots/*what_is_printed_by_default_is_this.snap > fuzz/corpus/config/all
sed -n '/^```yaml/,/^```$/p' docs/configuration.md | sed '/^```/d' > fuzz/corpus/config/smallest

for target in decode_any config sniff; do
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048
done
