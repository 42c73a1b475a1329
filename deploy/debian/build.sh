#!/usr/bin/env bash
# Makes the Debian package of the program as it was built last, and prints its path:
#
#   cargo build --locked --release && deploy/debian/build.sh [FOLDER]
#
# Needs `cargo install --locked cargo-deb@3.8.0`, and dpkg-dev, which finds the libraries that the package depends on.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."

built=${CARGO_TARGET_DIR:-target}/release
program=$built/datasphere-exporter
[[ -x $program ]] || { echo "build.sh: there is no $program yet; cargo build --locked --release" >&2; exit 64; }
command -v dpkg-shlibdeps >/dev/null || { echo "build.sh: apt-get install dpkg-dev first: it has dpkg-shlibdeps" >&2; exit 64; }

# Cargo.toml has these among the package's files.
mkdir -p "$built/completions"
for shell in bash zsh fish; do
    "$program" completion "$shell" >"$built/completions/$shell"
done
cargo deb --locked --no-build --output "${1:-target/debian}/"
