"""The Debian package has what it should have, is installed, runs what its unit says, and goes without a trace.

All of it happens on the machine's own Debian below a file system in memory, so nothing of the machine changes, and
what did change is there to be looked at.
"""

# Limit: 600 s

import json
import os
import re
import shlex
import shutil
import stat
import unittest
from pathlib import Path

from kit.exporter import Exporter, simulate
from kit.programs import BINARY, TOOLS, Program, main, new_folder, run, start
from kit.scenarios import Scenario, job
from kit.web import free_port

ROOT = Path(__file__).resolve().parents[3]
NAME = "datasphere-exporter"
SETTINGS = Path("etc") / NAME
STATE = Path("var/lib") / NAME
# What the package manager keeps for itself, and what its other packages make of files that they watch for.
OF_DPKG = re.compile(r"var/(lib/dpkg|log|cache)/|var/lib/systemd/deb-systemd-helper|dev/|tmp/")
# Mounts what may be changed above the machine's own root, and runs a command there.
ABOVE = """
    set -e
    memory=$1
    shift
    mount -t overlay overlay -o "lowerdir=/,upperdir=$memory/upper,workdir=$memory/work" "$memory/root"
    mount --rbind /proc "$memory/root/proc"
    mount --rbind /dev "$memory/root/dev"
    cd "$memory/root"
    exec chroot . "$@"
"""
SERVICE = 65531


class APackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        built, made = new_folder(), new_folder()
        (built / "release").mkdir()
        shutil.copy2(BINARY, built / "release" / NAME)
        path = f"{TOOLS}/cargo/bin:{os.environ['PATH']}"
        environment = ("env", f"CARGO_TARGET_DIR={built}", f"PATH={path}")
        ended = run(*environment, ROOT / "deploy/debian/build.sh", made, seconds=500)
        if ended.returncode:
            raise RuntimeError(ended.stderr.decode())
        (cls.package,) = made.glob("*.deb")
        cls.memory = new_folder()
        cls.addClassCleanup(lambda: run("umount", "--lazy", cls.memory))
        # The upper half of an overlay cannot lie in another overlay, which a container's own root often is.
        ended = run("mount", "-t", "tmpfs", "-o", "mode=755", NAME, cls.memory)
        if ended.returncode:
            raise RuntimeError(ended.stderr.decode())
        for folder in ("upper/opt", "work", "root"):
            (cls.memory / folder).mkdir(parents=True)
        cls.dpkg("--install", cls.bring(cls.package))

    @classmethod
    def above(cls, *command: str | Path) -> tuple[str | Path, ...]:
        """A command that sees the machine with the package."""
        return ("unshare", "--mount", "--propagation=private", "sh", "-c", ABOVE, "sh", cls.memory, *command)

    @classmethod
    def dpkg(cls, *words: str | Path) -> None:
        ended = run(*cls.above("dpkg", *words), seconds=120)
        if ended.returncode:
            raise RuntimeError((ended.stdout + ended.stderr).decode())

    @classmethod
    def bring(cls, path: Path) -> Path:
        """Puts a file where the command sees it."""
        shutil.copy2(path, cls.memory / "upper/opt" / path.name)
        return Path("/opt") / path.name

    @classmethod
    def changed(cls) -> dict[str, os.stat_result]:
        """What is not as the machine has it, by its path."""
        upper = cls.memory / "upper"
        found = {str(path.relative_to(upper)): path.lstat() for path in upper.rglob("*")}
        # A folder that is there on the machine too was only looked through.
        return {path: entry for path, entry in found.items() if not stat.S_ISDIR(entry.st_mode) or not Path("/", path).is_dir()}

    def test_1_has_the_program_its_service_and_what_belongs_to_them(self) -> None:
        there = {path for path in self.changed() if not OF_DPKG.match(path)}
        expected = {
            f"usr/bin/{NAME}",
            f"usr/lib/systemd/system/{NAME}.service",
            f"{SETTINGS}/exporter.yaml",
            f"usr/share/bash-completion/completions/{NAME}",
            f"usr/share/zsh/vendor-completions/_{NAME}",
            f"usr/share/fish/vendor_completions.d/{NAME}.fish",
            f"usr/share/doc/{NAME}/copyright",
            f"usr/share/doc/{NAME}/README.md",
            *(f"usr/share/{NAME}/{path.relative_to(ROOT)}" for path in (ROOT / "dashboards").glob("*.json")),
            *(f"usr/share/{NAME}/{path.relative_to(ROOT)}" for path in (ROOT / "rules").glob("*.yaml")),
        }
        self.assertLessEqual(expected, there)
        for path in there - expected:
            self.assertRegex(path, rf"^(opt/.*\.deb|(usr/share|etc)/{NAME}(/[a-z]+)?|usr/share/doc/{NAME}(/.*)?|usr/share/fish.*)$")
        for path in there:
            entry = self.changed()[path]
            self.assertEqual((entry.st_uid, entry.st_mode & 0o022 and not stat.S_ISLNK(entry.st_mode)), (0, 0), path)

    def test_1_needs_the_library_that_it_is_linked_with(self) -> None:
        depends = run("dpkg-deb", "--field", self.package, "Depends").stdout.decode()
        self.assertRegex(depends, r"\blibc6 \(>= 2\.\d+\)")
        self.assertIn("ca-certificates", depends)

    def test_2_the_service_is_neither_enabled_nor_started(self) -> None:
        self.assertFalse([path for path in self.changed() if "multi-user.target.wants" in path and NAME in path])

    def test_3_completes_what_may_be_typed(self) -> None:
        ended = run(*self.above("bash", "-n", f"/usr/share/bash-completion/completions/{NAME}"))
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        self.assertIn("healthcheck", self.text(f"usr/share/bash-completion/completions/{NAME}"))

    def test_4_a_configuration_without_a_key_is_told_so(self) -> None:
        ended = run(*self.above(f"/usr/bin/{NAME}", "check-config", f"--config.file=/{SETTINGS}/exporter.yaml"))
        self.assertEqual(ended.returncode, 64)
        self.assertIn(b"cloud.auth", ended.stderr)

    def test_5_runs_as_its_unit_says(self) -> None:
        scenario, cloud, port = Scenario([job(1, "train", "EXECUTING", for_ever=True)]), free_port(), free_port()
        simulate(self.addCleanup, scenario, cloud)
        configuration = {
            "cloud": {"endpoint": f"127.0.0.1:{cloud}", "tls": {"enabled": False}, "auth": {"anonymous": {}}},
            "watch": scenario.watch("1s"),
            "web": {"listen_address": f"127.0.0.1:{port}"},
        }
        (self.memory / "upper" / SETTINGS / "exporter.yaml").write_text(json.dumps(configuration))
        # As systemd makes it for a user of its own.
        state = self.memory / "upper" / STATE
        state.mkdir(parents=True)
        os.chown(state, SERVICE, SERVICE)
        unit = self.text(f"usr/lib/systemd/system/{NAME}.service")
        command = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])
        directory = re.search(r"^WorkingDirectory=%S/(.*)$", unit, re.MULTILINE)[1]
        as_service = ("setpriv", f"--reuid={SERVICE}", f"--regid={SERVICE}", "--clear-groups", "--no-new-privs")
        words = (*as_service, "env", f"--chdir=/var/lib/{directory}", *command)
        service: Program = start(self.addCleanup, "service", *self.above(*words))
        exporter = Exporter(service, port)
        exporter.wait_listening()
        exporter.wait_ready()
        self.assertTrue(exporter.exposition().values("datasphere_exporter_store_up"))
        self.assertEqual(service.terminate(), 0)
        self.assertIn(f"{STATE}/data/state.db", self.changed())

    def test_6_a_newer_one_restarts_the_service_and_keeps_what_was_configured_and_counted(self) -> None:
        unpacked, upper = new_folder() / "newer", self.memory / "upper"
        run("dpkg-deb", "--raw-extract", self.package, unpacked)
        control = unpacked / "DEBIAN/control"
        control.write_text(re.sub(r"^Version: .*$", "Version: 99.0.0-1", control.read_text(), flags=re.MULTILINE))
        newer = new_folder() / "newer.deb"
        built = run("dpkg-deb", "--root-owner-group", "--build", unpacked, newer, seconds=120)
        self.assertEqual(built.returncode, 0, built.stderr.decode())
        # A machine that systemd runs, and a systemctl that writes down what it is told.
        (upper / "run/systemd/system").mkdir(parents=True)
        # Packages may restart services here, which machines made of an image often forbid.
        for path, script in (("usr/bin/systemctl", 'echo "$*" >>/opt/told'), ("usr/sbin/policy-rc.d", "exit 0")):
            (upper / path).parent.mkdir(exist_ok=True)
            (upper / path).write_text(f"#!/bin/sh\n{script}\n")
            (upper / path).chmod(0o755)
        configured, counted = self.text(f"{SETTINGS}/exporter.yaml"), (upper / STATE / "data/state.db").read_bytes()
        self.dpkg("--install", self.bring(newer))
        self.assertIn("Version: 99.0.0-1", self.text("var/lib/dpkg/status"))
        told = self.text("opt/told").splitlines()
        self.assertTrue([line for line in told if "daemon-reload" in line], told)
        self.assertTrue([line for line in told if "try-restart" in line and f"{NAME}.service" in line], told)
        self.assertEqual(self.text(f"{SETTINGS}/exporter.yaml"), configured)
        self.assertEqual((upper / STATE / "data/state.db").read_bytes(), counted)

    def test_7_goes_without_a_trace_but_for_a_key(self) -> None:
        key = self.memory / "upper" / SETTINGS / "key.json"
        key.write_text("{}")
        self.dpkg("--remove", NAME)
        # What was configured and counted stays until it is asked for.
        self.assertIn(f"{SETTINGS}/exporter.yaml", self.changed())
        self.assertIn(f"{STATE}/data/state.db", self.changed())
        self.dpkg("--purge", NAME)
        left = {path for path in self.changed() if NAME in path and not path.startswith("opt/")}
        self.assertEqual({path for path in left if not OF_DPKG.match(path)}, {str(SETTINGS), f"{SETTINGS}/key.json"})
        self.assertNotIn(NAME, "\n".join(self.text("var/lib/dpkg/status").splitlines()))
        self.assertFalse([path for path in left if "deb-systemd-helper" in path])

    def text(self, path: str) -> str:
        return (self.memory / "upper" / path).read_text()


if __name__ == "__main__":
    main()
