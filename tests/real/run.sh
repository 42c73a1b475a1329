#!/usr/bin/env bash
# Runs the program against real programs: every `check_*` in the folders beside this file, one line for each.
# Usage: run.sh BINARY [WORD…]; with words, only the checks whose path holds one of them.
#
# A check is a program that fails with an exit code. It finds the binary in $BIN and a folder of its own in
# $TMPDIR, takes free ports of 127.0.0.1, and says in a line `# Limit: N s`, or `// Limit: N s`, when two minutes are not right for it.
# Whatever it starts and leaves behind is killed. $LIMIT, in seconds, takes the place of all limits.
set -euo pipefail

usage='usage: run.sh BINARY [WORD…]'
BIN=$(realpath "${1:?$usage}")
shift
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
root=$(realpath "$here/../..")
tools=$root/target/real
python=$tools/venv/bin/python
work=$(mktemp -d)
export BIN PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 TOOLS=$tools

passed=0 failed=0 group=''

main() {
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    [[ -x $BIN ]] || { echo "run.sh: $BIN is not a program" >&2; exit 64; }
    [[ -x $python ]] || { echo 'run.sh: run tests/real/install.sh first' >&2; exit 64; }
    local versions=("$tools"/prometheus-*) check
    echo "Prometheus ${versions[*]##*/prometheus-}"
    for check in "$here"/*/check_*.{py,sh,mjs} "$here"/sdk/run.sh; do
        if [[ -e $check ]] && is_wanted "$check" "$@"; then run "$check"; fi
    done
    echo "$passed passed, $failed failed$(versions_missing)"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}

# What no check could show, in the line that everybody reads.
versions_missing() {
    compgen -G "$tools/prometheus-[3-9]*" >/dev/null || printf '; NOTHING WAS RUN ON PROMETHEUS 3: none could be had'
}

is_wanted() {
    local check=${1#"$here"/} word
    shift
    [[ $# -gt 0 ]] || return 0
    for word; do [[ $check == *$word* ]] && return 0; done
    return 1
}

run() {
    local check=$1 name=${1#"$here"/} limit since=$EPOCHREALTIME code=0 command=()
    limit=$(sed -n 's,^\(#\|//\) Limit: \([0-9]*\) s$,\2,p' "$check" | head -1)
    limit=${LIMIT:-${limit:-120}}
    [[ $check != *.py ]] || command=("$python")
    [[ $check != *.mjs ]] || command=(node)
    export TMPDIR=$work/${name//\//-}
    mkdir "$TMPDIR"
    # A session of its own, so that one signal reaches all that it started.
    setsid timeout --kill-after=5 "$limit" "${command[@]}" "$check" </dev/null >"$TMPDIR.log" 2>&1 &
    group=$!
    wait "$group" || code=$?
    kill_group
    local seconds
    seconds=$(awk -v from="$since" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
    if [[ $code -eq 0 ]]; then
        passed=$((passed + 1))
        echo "ok   $name $seconds s"
    else
        failed=$((failed + 1))
        echo "FAIL $name $seconds s"
        { head -n 100 "$TMPDIR.log"; tail -n +101 "$TMPDIR.log" | tail -n 200; } | sed 's/^/     /'
        # What `timeout` exits with when it had to end a program.
        if [[ $code -eq 124 ]]; then echo "     stopped at its limit of $limit s"; else echo "     exit code $code"; fi
    fi
}

kill_group() {
    [[ -z $group ]] || kill -KILL -- "-$group" 2>/dev/null || true
    group=''
}

clean_up() {
    kill_group
    rm -rf "$work"
}

main "$@"
