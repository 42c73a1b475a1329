"""The image that users build is small, has no shell and is not root, and its demo is scraped, on a read-only root too."""

# Limit: 1800 s

import contextlib
import json
import os
import re
import signal
import stat
import time
import unittest
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from kit.deadline import wait_until
from kit.exporter import Exporter, simulate
from kit.images import Store, bases
from kit.programs import GRACE_SECONDS, TOOLS, main, new_folder, run, start
from kit.scenarios import Scenario, job
from kit.web import free_port

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
DOCUMENT = ROOT / "docs/deployment.md"
IMAGE = "datasphere-exporter"
PROGRAM = "usr/local/bin/datasphere-exporter"
USER = 65532
REVISION = "0123456789ab"
# What the program, without what its image begins with, may weigh.
PROGRAM_BYTES_MAX = 32 << 20
# How far the program may be from the size that the document tells.
SIZE_TOLERANCE = 0.1
# Runs a command as the image's user, on a root that nothing can be written to but for the state.
READ_ONLY = f"""
    set -e
    root=$1 state=$2
    shift 2
    mount --bind "$root" "$root"
    mount --rbind /proc "$root/proc"
    mount --bind "$state" "$root/data"
    mount -o remount,bind,ro "$root"
    exec chroot --userspec={USER}:{USER} "$root" "$@"
"""
# A release build from nothing, on two cores that are busy with other work.
BUILD_SECONDS = 1700


def at(port: int) -> dict:
    """The section of a configuration, in JSON as in YAML, for a simulated cloud."""
    return {"endpoint": f"127.0.0.1:{port}", "tls": {"enabled": False}, "auth": {"anonymous": {}}}


def files(root: Path) -> dict[str, os.stat_result]:
    """Everything below a root, by its path from there."""
    return {str(path.relative_to(root)): path.lstat() for path in root.rglob("*")}


def is_executable(path: str, entry: os.stat_result) -> bool:
    """Whether it is a program: libraries are executable too, by custom."""
    return stat.S_ISREG(entry.st_mode) and bool(entry.st_mode & 0o111) and ".so" not in Path(path).name


def may_write(entry: os.stat_result) -> bool:
    """Whether the image's user may write to it."""
    if stat.S_ISLNK(entry.st_mode):
        return False
    return bool(entry.st_mode & stat.S_IWOTH) or entry.st_uid == USER or entry.st_gid == USER


class AnImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.store = store = Store()
        compiler, base = bases(DOCKERFILE)
        volumes = store.builder(compiler)
        cls.base = files(store.bare(base))
        since = time.monotonic()
        words = ("--isolation=chroot", "--pull-never", "--format=docker", f"--build-arg=REVISION={REVISION}")
        store.do("bud", *words, *volumes, f"--tag={IMAGE}", ROOT, seconds=BUILD_SECONDS)
        cls.container = store.container(IMAGE)
        cls.root = store.mount(cls.container)
        cls.files = files(cls.root)
        cls.configuration = store.configuration(IMAGE)
        program = cls.files[PROGRAM].st_size
        total = sum(entry.st_size for entry in cls.files.values() if stat.S_ISREG(entry.st_mode))
        print(f"built in {time.monotonic() - since:.0f} s: {total / 1e6:.1f} MB, of which the program {program / 1e6:.1f}")

    def test_has_the_program_its_license_and_a_folder_for_its_state_and_no_more(self) -> None:
        folders = {str(parent) for parent in Path(PROGRAM).parents} - {"."}
        self.assertEqual(self.files.keys() - self.base.keys() - folders, {PROGRAM, "LICENSE", "data"})
        self.assertEqual((self.root / "LICENSE").read_bytes(), (ROOT / "LICENSE").read_bytes())
        self.assertLess(self.files[PROGRAM].st_size, PROGRAM_BYTES_MAX)

    def test_has_no_shell_and_nothing_else_to_execute(self) -> None:
        programs = [path for path, entry in self.files.items() if is_executable(path, entry)]
        self.assertEqual(programs, [PROGRAM])

    def test_has_a_user_who_may_write_to_its_state_only(self) -> None:
        writable = {path for path, entry in self.files.items() if may_write(entry)}
        self.assertEqual(writable, {"data", "home/nonroot", "tmp"})
        state = self.files["data"]
        self.assertEqual((state.st_uid, stat.S_IMODE(state.st_mode)), (USER, 0o700))

    def test_says_what_an_orchestrator_needs(self) -> None:
        said = self.configuration
        # Kubernetes refuses a name where `runAsNonRoot` is asked for.
        self.assertEqual(said["User"], f"{USER}:{USER}")
        self.assertEqual(said["Entrypoint"], [f"/{PROGRAM}"])
        self.assertFalse(said["Cmd"])
        self.assertEqual(said["ExposedPorts"], {"10477/tcp": {}})
        # Each container would leave one behind.
        self.assertFalse(said.get("Volumes"))
        self.assertEqual(said["StopSignal"], "SIGTERM")
        self.assertEqual(said["Healthcheck"]["Test"], ["CMD", f"/{PROGRAM}", "healthcheck"])

    def test_says_which_version_it_is(self) -> None:
        version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        labels = self.configuration["Labels"]
        self.assertEqual(labels["org.opencontainers.image.version"], version)
        self.assertEqual(labels["org.opencontainers.image.revision"], REVISION)
        said = self.store.run(self.container, f"/{PROGRAM}", "--version")
        self.assertIn(version, said)
        self.assertIn(REVISION, said)

    def test_is_what_the_document_says(self) -> None:
        section = DOCUMENT.read_text().partition("## The image")[2].partition("\n#")[0]
        told = dict(re.findall(r"^\| `(/[^`]*)` \| ([^|]*) \|", section, re.MULTILINE))
        self.assertEqual(told.keys(), {f"/{path}" for path in (PROGRAM, "LICENSE", "data")})
        megabytes = float(re.search(r"([\d.]+) MB", told[f"/{PROGRAM}"])[1])
        built = self.files[PROGRAM].st_size / 1e6
        self.assertLess(abs(megabytes - built), SIZE_TOLERANCE * built, f"{built:.1f} MB")

    def test_works_on_a_root_that_is_read_only_and_tells_its_health(self) -> None:
        port, state = free_port(), new_folder()
        os.chown(state, USER, USER)
        (self.root / "proc").mkdir(exist_ok=True)
        mounted = ("unshare", "--mount", "--propagation=private", "sh", "-c", READ_ONLY, "sh", self.root, state)
        program = (*mounted, f"/{PROGRAM}")
        configuration = (f"--web.listen-address=127.0.0.1:{port}", "--storage.path=/data")
        scenario, cloud = Scenario([job(1, "train", "CREATING", "EXECUTING", for_ever=True)]), free_port()
        simulate(self.addCleanup, scenario, cloud)
        (state / "exporter.yaml").write_text(json.dumps({"cloud": at(cloud), "watch": scenario.watch("1s")}))
        serving = start(self.addCleanup, "serving", *program, "serve", "--config.file=/data/exporter.yaml", *configuration)
        exporter = Exporter(serving, port)
        exporter.wait_listening()
        exporter.wait_ready()
        self.assertEqual(exporter.exposition().value("datasphere_exporter_store_up"), 1)
        healthcheck = (*program, "healthcheck", f"--url=http://127.0.0.1:{port}")
        for flags in ((), ("--ready",)):
            asked = run(*healthcheck, *flags)
            self.assertEqual(asked.returncode, 0, asked.stderr.decode())
        self.assertEqual(serving.terminate(), 0)
        self.assertEqual(run(*healthcheck).returncode, 1)

    def test_is_scraped_and_ends_when_it_is_told_to(self) -> None:
        demo = self.started("demo")
        wait_until("jobs are shown", lambda: demo.exposition().values("datasphere_job_status"), 20)
        self.assertEqual(demo.exposition().values("datasphere_exporter_build_info", revision=REVISION), [1])
        self.end(demo)
        written = {path for path, entry in files(self.root).items() if entry.st_uid == USER}
        self.assertEqual(written, {"data", "home/nonroot"})

    def test_keeps_its_state_where_a_volume_belongs(self) -> None:
        scenario, port = Scenario([job(1, "train", "CREATING", "EXECUTING", for_ever=True)]), free_port()
        simulate(self.addCleanup, scenario, port)
        configuration = new_folder() / "exporter.yaml"
        # Where the state is kept is left to the image.
        configuration.write_text(json.dumps({"cloud": at(port), "watch": scenario.watch("1s")}))
        serving = self.started("--config.file=/exporter.yaml", seen={configuration: "/exporter.yaml"})
        wait_until("something was kept", lambda: serving.exposition().value("datasphere_exporter_store_up") == 1, 20)
        state = Path(f"/proc/{self.process(serving)}/root/data/state.db")
        self.assertEqual(state.stat().st_uid, USER)
        self.end(serving)

    def started(self, *command: str, seen: Mapping[Path, str] = MappingProxyType({})) -> Exporter:
        """The image with this command, once it is ready."""
        port = free_port()
        words = (*self.configuration["Entrypoint"], *command, f"--web.listen-address=127.0.0.1:{port}")
        exporter = Exporter(self.store.start(self.addCleanup, self.container, *words, seen=seen), port)
        exporter.wait_listening()
        exporter.wait_ready()
        return exporter

    def process(self, exporter: Exporter) -> int:
        """The program itself, behind what started it; it is the image's user's."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_program = os.readlink(folder / "exe").endswith(PROGRAM)
                if is_program and f":{exporter.port}".encode() in (folder / "cmdline").read_bytes():
                    self.assertEqual(folder.stat().st_uid, USER)
                    return int(folder.name)
        raise self.failureException(f"it does not run: {exporter.program}")

    def end(self, exporter: Exporter) -> None:
        """Ends it as an engine does."""
        os.kill(self.process(exporter), signal.SIGTERM)
        self.assertEqual(exporter.program.process.wait(GRACE_SECONDS), 0, exporter.program)


class ADockerfile(unittest.TestCase):
    def test_has_nothing_that_a_linter_complains_about(self) -> None:
        ended = run(TOOLS / "venv/bin/hadolint", DOCKERFILE)
        self.assertEqual((ended.returncode, ended.stdout.decode()), (0, ""))

    def test_begins_with_the_compiler_that_the_package_asks_for_and_ends_without_a_shell(self) -> None:
        version = re.search(r'^rust-version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        # What stands here for the second is made by this check. Its other tags have a root, or a shell.
        expected = [f"docker.io/library/rust:{version}-bookworm", "gcr.io/distroless/cc-debian12:nonroot"]
        self.assertEqual(bases(DOCKERFILE), expected)


if __name__ == "__main__":
    main()
