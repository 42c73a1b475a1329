#!/usr/bin/env bash
# Writes the bill of materials of the program, in CycloneDX 1.5, from Cargo.lock: what is compiled into it.
#
#   deploy/sbom.sh FILE
#
# Needs `cargo install --locked cargo-cyclonedx@0.5.9`. With SOURCE_DATE_EPOCH set, the same lock gives the same bytes.
set -euo pipefail
file=$(realpath -m "${1:?usage: sbom.sh FILE}")
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."

# The tool writes beside Cargo.toml, whatever it is told.
made=.sbom-$$
trap 'rm -f "$made.json"' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename "$made" \
    --target x86_64-unknown-linux-gnu
mkdir -p "$(dirname "$file")"
# Where this checkout is concerns nobody.
sed "s|path+file://$PWD#||g" "$made.json" >"$file"
