#!/usr/bin/env bash
# What the tests reach: a page for each file below target/coverage/html/, on standard output the lines and regions of each
# room, the least covered first, and in target/coverage/unreached.txt where decisions of the rooms that decide begin a
# way that no test goes. Arguments go to `cargo test`: `tests/coverage.sh --lib` is quicker.
#
# Needs `cargo install --locked cargo-llvm-cov@0.9.1`, and the tools of the LLVM that the compiler is made with: either
# `rustup component add llvm-tools`, or those of the system, told by LLVM_COV and LLVM_PROFDATA.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
folder=target/coverage

# The compiler's LLVM, from Debian's own packages, where rustup has none.
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if [[ -z ${LLVM_COV:-} && -x /usr/bin/llvm-cov-$major ]]; then
    export LLVM_COV=/usr/bin/llvm-cov-$major LLVM_PROFDATA=/usr/bin/llvm-profdata-$major
fi

cargo llvm-cov --locked --no-report "$@"
cargo llvm-cov report --html --output-dir "$folder"
cargo llvm-cov report --json --output-path "$folder/coverage.json"
python3 - "$folder/coverage.json" "$folder/unreached.txt" <<'PYTHON'
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
        lines = path.read_text().splitlines()
        # A segment: line, column, count, whether it counts, whether a region begins, whether that is a gap.
        begun = {line for line, _, count, counts, begins, gap in file["segments"] if not count and counts and begins and not gap}
        unreached += [f"{path.relative_to(pathlib.Path.cwd())}:{line}: {lines[line - 1].strip()}" for line in sorted(begun)]
pathlib.Path(sys.argv[2]).write_text("\n".join(unreached) + "\n")
print(f"{'room':<12} {'lines':>16} {'regions':>16}")
for room, (lines, all_lines, regions, all_regions) in sorted(rooms.items(), key=lambda item: item[1][2] / max(1, item[1][3])):
    told = [f"{part}/{whole} {part / max(1, whole):6.1%}" for part, whole in ((lines, all_lines), (regions, all_regions))]
    print(f"{room:<12} {told[0]:>16} {told[1]:>16}")
PYTHON
echo "$folder/html/index.html, $folder/unreached.txt"
