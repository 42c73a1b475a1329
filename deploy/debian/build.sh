#!/usr/bin/env bash
# Makes the Debian package of the program as it was built last, and prints its path:
#
#   cargo build --locked --release && deploy/debian/build.sh [FOLDER]
#
# Needs `cargo install --locked cargo-deb@3.8.0`.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."

built=${CARGO_TARGET_DIR:-target}/release
program=$built/datasphere-exporter
[[ -x $program ]] || { echo "build.sh: there is no $program yet; cargo build --locked --release" >&2; exit 64; }

# Cargo.toml has these among the package's files.
mkdir -p "$built/completions"
for shell in bash zsh fish; do
    "$program" completion "$shell" >"$built/completions/$shell"
done
cargo deb --locked --no-build --output "${1:-target/debian}/"
