#!/usr/bin/env bash
# Fetches what the real checks and the benchmarks need on a Debian machine; does nothing where it is there already.
#
# Python packages and the servers of Prometheus go into a cache that survives `target/`, and are linked from
# `target/real/`. Prometheus is unpacked, not installed: three majors live side by side, and no daemon is started.
set -euo pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tools=$(realpath "$here/../..")/target/real
cache=${XDG_CACHE_HOME:-${HOME:-$tools/cache}/.cache}/datasphere-exporter-tests
python=$(command -v python3.11 || command -v python3)

# The suites of Debian that carry the majors of Prometheus: 2.42, 2.53 and 3.5.
suites=(bookworm trixie forky)

main() {
    mkdir -p "$tools" "$cache"
    exec 9>"$cache/lock"
    flock 9
    install_packages
    make_venv
    rm -f "$tools"/prometheus-*
    for suite in "${suites[@]}"; do
        fetch_prometheus "$suite" || absent+=("$suite")
    done
    link_prometheus
    fetch_compose
    rm -rf "$cache/apt"
}

install_packages() {
    local missing=()
    command -v valgrind >/dev/null || missing+=(valgrind)
    command -v buildah >/dev/null || missing+=(buildah)
    "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [[ ${#missing[@]} -gt 0 ]] || return 0
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# One environment for each set of pins, made in a folder of its own and moved when it is whole.
make_venv() {
    local pins venv
    pins=$( (cat "$here/requirements.txt" && "$python" --version) | sha256sum | cut -c-16)
    venv=$cache/venv-$pins
    if [[ ! -e $venv/complete ]]; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
        touch "$venv/complete"
    fi
    [[ -L $tools/venv ]] || rm -rf "$tools/venv"
    ln -sfn "$venv" "$tools/venv"
}

# Unpacks prometheus and promtool of a suite into the cache.
fetch_prometheus() {
    local suite=$1 unpacked=$cache/prometheus-$1
    [[ ! -x $unpacked/usr/bin/promtool ]] || return 0
    private_apt update >/dev/null || return 1
    local packages=("prometheus/$suite")
    # Before trixie the one package holds both programs.
    [[ $suite == bookworm ]] || packages+=("promtool/$suite")
    rm -rf "$unpacked.part" && mkdir -p "$unpacked.part"
    (cd "$unpacked.part" && private_apt download "${packages[@]}" >/dev/null) || return 1
    local package
    for package in "$unpacked.part"/*.deb; do
        dpkg-deb --extract "$package" "$unpacked.part" || return 1
        rm "$package"
    done
    rm -rf "$unpacked" && mv "$unpacked.part" "$unpacked"
}

# Docker Compose, which reads a file without any engine, as `target/real/docker-compose`.
fetch_compose() {
    local unpacked=$cache/docker-compose-trixie program=usr/libexec/docker/cli-plugins/docker-compose
    if [[ ! -x $unpacked/$program ]]; then
        private_apt update >/dev/null
        rm -rf "$unpacked.part" && mkdir -p "$unpacked.part"
        (cd "$unpacked.part" && private_apt download docker-compose/trixie >/dev/null)
        dpkg-deb --extract "$unpacked.part"/*.deb "$unpacked.part"
        rm "$unpacked.part"/*.deb
        rm -rf "$unpacked" && mv "$unpacked.part" "$unpacked"
    fi
    ln -sfn "$unpacked/$program" "$tools/docker-compose"
}

# apt with sources, lists and caches of its own: the machine's configuration stays as it is.
private_apt() {
    local folder=$cache/apt suite
    if [[ ! -e $folder/sources.list ]]; then
        mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/none"
        local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
        mirror=$(debian_mirror)
        # A machine that never updated its lists does not say where Debian is.
        [[ -n $mirror ]] || { as_root apt-get update >&2 && mirror=$(debian_mirror); }
        for suite in "${suites[@]}"; do
            echo "deb [signed-by=$keys] $mirror $suite main"
        done >"$folder/sources.list"
    fi
    apt-get --quiet=2 \
        -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts="$folder/none" \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts="$folder/none" \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

# The mirror that the machine takes Debian from, as its own apt is configured.
debian_mirror() {
    # shellcheck disable=SC2016 # These are apt's own variables.
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
        awk '$1 ~ /^(bookworm|stable|oldstable)$/ { print $2; exit }'
}

# `target/real/prometheus-<version>` holds `prometheus` and `promtool`. The machine's own is taken where none was fetched.
link_prometheus() {
    local suite program
    for suite in "${suites[@]}"; do
        [[ -x $cache/prometheus-$suite/usr/bin/promtool ]] && link_version "$cache/prometheus-$suite/usr/bin"
    done
    if program=$(command -v prometheus); then link_version "$(dirname "$(realpath "$program")")"; fi
    local versions=("$tools"/prometheus-*)
    if [[ ! -e ${versions[0]} ]]; then
        echo "install.sh: no Prometheus could be had, neither from the machine nor from Debian's mirror" >&2
        exit 1
    fi
    echo "Prometheus: ${versions[*]##*/prometheus-}"
    [[ -z ${absent[*]-} ]] || echo "install.sh: could not be had, so not checked: Prometheus of ${absent[*]}" >&2
}

link_version() {
    local version
    version=$("$1/prometheus" --version 2>&1 | sed -n 's/^prometheus, version \([0-9]*\.[0-9]*\).*/\1/p')
    [[ -e $tools/prometheus-$version ]] || ln -sfn "$1" "$tools/prometheus-$version"
}

main
