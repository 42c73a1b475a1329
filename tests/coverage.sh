#!/usr/bin/env bash
# What the tests reach: a page for each file below target/coverage/html/, on standard output the lines and regions of each
# room, the least covered first, and in target/coverage/unreached.txt where decisions of the rooms that decide begin a
# way that no test goes. Arguments go to `cargo test`: `tests/coverage.sh --lib` is quicker.
#
# Installs what it needs where that is missing: cargo-llvm-cov, and the tools of the LLVM that the compiler is made with,
# from rustup or, where that has none, from Debian. LLVM_COV and LLVM_PROFDATA name others.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
folder=target/coverage
export PATH=$PWD/$folder/tools/bin:$PATH

main() {
    mkdir -p "$folder"
    install_cargo_tool
    find_llvm || install_llvm
    cargo llvm-cov --locked --no-report "$@"
    cargo llvm-cov report --html --output-dir "$folder"
    cargo llvm-cov report --json --output-path "$folder/coverage.json"
    tell "$folder/coverage.json" "$folder/unreached.txt"
    echo "$folder/html/index.html, $folder/unreached.txt"
}

# It runs once and need not be fast: without optimization it is compiled in a third of the time.
install_cargo_tool() {
    command -v cargo-llvm-cov >/dev/null ||
        CARGO_TARGET_DIR=$folder/tools/target cargo install --quiet --locked --debug --root "$folder/tools" cargo-llvm-cov@0.9.1
    rm -rf "$folder/tools/target"
}

# The tools that are told, that rustup has, or that Debian has.
find_llvm() {
    [[ -z ${LLVM_COV:-} ]] || return 0
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    [[ ! -x $(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-cov ]] || return 0
    major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    [[ -x /usr/bin/llvm-cov-$major ]] || return 1
    export LLVM_COV=/usr/bin/llvm-cov-$major LLVM_PROFDATA=/usr/bin/llvm-profdata-$major
}

install_llvm() {
    if command -v rustup >/dev/null && rustup component add llvm-tools; then
        return
    fi
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "llvm-$major"
    find_llvm
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

tell() {
    python3 - "$@" <<'PYTHON'
import collections
import json
import pathlib
import sys

DECIDING = ("tracker", "decode", "gateway")
rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
unreached = []
for file in json.load(open(sys.argv[1]))["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    if "src" not in path.parts:
        continue
    room = path.parts[path.parts.index("src") + 1].removesuffix(".rs")
    for place, what in ((0, "lines"), (2, "regions")):
        rooms[room][place] += file["summary"][what]["covered"]
        rooms[room][place + 1] += file["summary"][what]["count"]
    if room in DECIDING and "tests" not in path.name and "tests" not in path.parts[-2:-1]:
        text = path.read_text()
        lines = text.splitlines()
        # What stands behind this mark is no decision of the program.
        lines_max = text.partition("\n#[cfg(test)]\nmod tests")[0].count("\n") + 1
        # A segment: line, column, count, whether it counts, whether a region begins, whether that is a gap.
        segments = [segment for segment in file["segments"] if segment[0] <= lines_max]
        places = {}
        for (line, column, count, counts, begins, gap), following in zip(segments, segments[1:] + [None]):
            if not count and counts and begins and not gap:
                end = following[1] - 1 if following and following[0] == line else None
                places.setdefault(line, []).append(lines[line - 1][column - 1 : end].strip())
        for line, parts in places.items():
            # What a `?` hands on is told apart: most are errors that a test of another place makes.
            only = "  (only `?`)" if set(parts) == {"?"} else ""
            unreached.append(f"{path.relative_to(pathlib.Path.cwd())}:{line}: {lines[line - 1].strip()}{only}")
pathlib.Path(sys.argv[2]).write_text("\n".join(unreached) + "\n")
print(f"{'room':<12} {'lines':>16} {'regions':>16}")
for room, (lines, all_lines, regions, all_regions) in sorted(rooms.items(), key=lambda item: item[1][2] / max(1, item[1][3])):
    told = [f"{part}/{whole} {part / max(1, whole):6.1%}" for part, whole in ((lines, all_lines), (regions, all_regions))]
    print(f"{room:<12} {told[0]:>16} {told[1]:>16}")
PYTHON
}

main "$@"
