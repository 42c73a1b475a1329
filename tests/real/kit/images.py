"""Images and containers of a check: made, mounted and run by buildah in a folder of their own.

No registry is asked: what a Dockerfile begins with has to be made before, under the names that it uses.
"""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from kit.programs import Cleanup, Program, new_folder, run, start

# Without an engine, a network of its own and rights over cgroups: CI is a container itself, as often as not.
ISOLATION = ("--isolation", "chroot")


class Store:
    """Images and containers that go with the check's folder; the machine's own are neither seen nor touched."""

    def __init__(self) -> None:
        folder = new_folder()
        self.buildah = ("buildah", f"--root={folder / 'root'}", f"--runroot={folder / 'run'}", "--storage-driver=vfs")

    def do(self, *words: str | Path, seconds: float = 120) -> str:
        """What a command says; one that fails is quoted."""
        ended = run(*self.buildah, *words, seconds=seconds)
        if ended.returncode:
            said = (ended.stdout + ended.stderr).decode(errors="replace")
            raise RuntimeError(f"buildah {' '.join(str(word) for word in words)}\n{said[-8000:]}")
        return ended.stdout.decode().strip()

    def container(self, image: str) -> str:
        return self.do("from", "--pull-never", image)

    def mount(self, container: str) -> Path:
        """The files of a container."""
        return Path(self.do("mount", container))

    def configuration(self, image: str) -> dict:
        """What an image says of itself, as Docker keeps it."""
        return json.loads(self.do("inspect", "--type=image", image))["Docker"]["config"]

    def run(self, container: str, *command: str) -> str:
        """Runs a command in a container to its end, as the user of its image."""
        return self.do("run", *ISOLATION, container, "--", *command)

    def start(self, cleanup: Cleanup, container: str, *command: str, seen: Mapping[Path, str]) -> Program:
        """Starts a command in a container, as the user of its image, on the machine's own network.

        The container sees files of the machine at the paths that `seen` gives them.
        """
        volumes = [f"--volume={path}:{target}:ro" for path, target in seen.items()]
        return start(cleanup, "container", *self.buildah, "run", *ISOLATION, *volumes, container, "--", *command)

    def builder(self, name: str) -> list[str]:
        """Makes the image of a compiler under this name, and returns what a build has to mount into it.

        Compiler, linker and libraries are the machine's own, mounted and not copied: they are gigabytes.
        """
        sysroot = run("rustc", "--print=sysroot").stdout.decode().strip()
        mounted = {path: path for path in ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/include", "/etc/alternatives")}
        mounted[sysroot] = "/usr/local/rustup"
        container = self.do("from", "scratch")
        root = self.mount(container)
        begin_root(root)
        for folder in (*mounted.values(), "/usr/local/cargo"):
            (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        environment = ("PATH=/usr/local/rustup/bin:/usr/bin", "CARGO_HOME=/usr/local/cargo")
        self.do("config", *(f"--env={variable}" for variable in environment), container)
        self.do("commit", "--rm", container, name)
        return [f"--volume={source}:{target}:ro" for source, target in mounted.items()]

    def bare(self, name: str) -> Path:
        """Makes the image with a C library and nothing to execute under this name, and returns its files."""
        container = self.do("from", "scratch")
        root = self.mount(container)
        begin_root(root)
        for package in ("libc6", "libgcc-s1"):
            for line in run("dpkg-query", "--listfiles", package).stdout.decode().splitlines():
                copy(Path(line), root)
        self.do("config", "--user=65532", "--workingdir=/home/nonroot", container)
        self.do("commit", container, name)
        return root


def begin_root(root: Path) -> None:
    """The folders, users and certificates that every image has."""
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        (root / folder).mkdir(parents=True)
        (root / Path(folder).name).symlink_to(folder)
    for folder, mode in {"tmp": 0o1777, "home/nonroot": 0o700, "root": 0o700}.items():
        (root / folder).mkdir(parents=True)
        (root / folder).chmod(mode)
    shutil.chown(root / "home/nonroot", 65532, 65532)
    copy(Path("/etc/ssl/certs/ca-certificates.crt"), root)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/none\nnonroot:x:65532:65532::/home/nonroot:/none\n")
    (root / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")


def copy(path: Path, root: Path) -> None:
    """Copies a file or a link of the machine to the same place below a root."""
    if path.is_dir() or not path.exists() or path.is_relative_to("/usr/share"):
        return
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)


def bases(dockerfile: Path) -> list[str]:
    """The images that a Dockerfile begins its stages with."""
    return re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
