#!/usr/bin/env bash
# Figures of a whole process: run.sh BINARY soak|sizing [ARGUMENT…]. Needs `tests/real/install.sh` once.
set -euo pipefail
usage='usage: run.sh BINARY soak|sizing [ARGUMENT…]'
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
root=$(realpath "$here/../..")
BIN=$(realpath "${1:?$usage}")
script=$here/${2:?$usage}.py
shift 2
TMPDIR=$(mktemp -d)
trap 'rm -rf "$TMPDIR"' EXIT
export BIN TMPDIR TOOLS=${TOOLS:-$root/target/real} PYTHONPATH=$here:$root/tests/real PYTHONDONTWRITEBYTECODE=1
"$TOOLS/venv/bin/python" "$script" "$@"
