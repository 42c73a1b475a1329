#!/usr/bin/env bash
# Runs every fuzz target for a while: `fuzz/run.sh [SECONDS]`, a minute each by default. Needs a nightly compiler
# and cargo-fuzz 0.13. What it finds stays in fuzz/artifacts, and the corpus in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"

mkdir -p fuzz/corpus/config fuzz/corpus/decode_any fuzz/corpus/rest_body fuzz/corpus/sniff fuzz/corpus/web_config
# Seeds: every key with its default, and the example of the reference.
sed -n '/^cloud:/,$p' tests/suite/snapshots/*what_is_printed_by_default_is_this.snap > fuzz/corpus/config/all
sed -n '/^```yaml/,/^```$/p' docs/configuration.md | sed '/^```/d' > fuzz/corpus/config/smallest

sed -n '/^```yaml/,/^```$/p' docs/web-configuration.md | sed '/^```/d' > fuzz/corpus/web_config/example

# An operation with everything in it, behind the byte that says what it is.
printf '\0%s' '{"id":"bt1asked","done":true,"createdAt":"2026-01-01T00:00:00.5Z","metadata":{"@type":"type.googleapis.com/yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata","progress":{"progress":"42","createTime":"2026-01-01T03:00:00+03:00"},"metadata":{"id":"bt1job","projectId":"bt1project","status":"EXECUTING"}},"response":{"result":{"returnCode":-1.0e0},"outputFilesErrors":[{"type":"NOT_FOUND"}]},"error":{"code":8,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"jobs"}]}]}}' > fuzz/corpus/rest_body/operation

# A message of gRPC with an operation, cut at every third byte, behind the bytes that say so; and the same twice.
printf '\0\3\0\0\0\0\7\12\5bt1op' > fuzz/corpus/sniff/operation
printf '\0\3\0\0\0\0\7\12\5bt1op\0\0\0\0\7\12\5bt1op' > fuzz/corpus/sniff/stream

for target in decode_any config rest_body sniff web_config; do
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048
done
