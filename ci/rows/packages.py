"""Debian's packages for the rows: installed here, or only looked into.

A view is a private configuration of apt for one suite and architecture: what it downloads comes
from there, and nothing of this system changes. What was unpacked stays in the cache folder.
"""

import fcntl
import fnmatch
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from rows.reasons import CannotBeMade

MIRROR = os.environ.get("LOOPSCOPE_MIRROR", "http://deb.debian.org")
SOURCES = "source"  # in place of an architecture
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def cache() -> Path:
    """What rows download and keep: LOOPSCOPE_CACHE, or below the user's cache."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loopscope"
    folder = Path(os.environ.get("LOOPSCOPE_CACHE") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def debian_name(architecture: str) -> str:
    """What Debian calls an architecture that the kernel and the compilers call so."""
    return {"x86_64": "amd64", "i686": "i386", "aarch64": "arm64"}.get(architecture, architecture)


@contextmanager
def locked(name: str):
    """One at a time, also among several runs of the matrix."""
    with open(cache() / f"{name}.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], what: str, **more) -> str:
    done = subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          check=False, **more)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CannotBeMade(f"{what}: {said[-1] if said else f'exit code {done.returncode}'}")
    return done.stdout


def install(program: str, *packages: str) -> str:
    """The path of a program, whose packages are installed where it is missing."""
    if found := shutil.which(program):
        return found
    if os.environ.get("LOOPSCOPE_SETUP") == "skip":
        raise CannotBeMade(f"{program} is missing, and LOOPSCOPE_SETUP is skip "
                           f"(apt-get install {' '.join(packages)})")
    if not shutil.which("apt-get"):
        raise CannotBeMade(f"{program} is missing, and this system has no apt-get")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with locked("apt"):
        if not shutil.which(program):
            apt = root + ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
            subprocess.run(apt + ["update"], capture_output=True, check=False)
            _run(apt + ["install", "-y", "--no-install-recommends", *packages],
                 f"apt-get install {' '.join(packages)}",
                 env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if found := shutil.which(program):
        return found
    raise CannotBeMade(f"{' '.join(packages)} has no {program}")


class View:
    """A suite for one architecture: "bullseye-security", "amd64"; or for SOURCES."""

    def __init__(self, suite: str, architecture: str = "amd64") -> None:
        archive = "debian-security" if suite.endswith("-security") else "debian"
        self.name = f"{suite}-{architecture}"
        self.folder = cache() / "apt" / self.name
        self.debs = cache() / "debs"
        kind, which = (("deb-src", "") if architecture == SOURCES
                       else ("deb", f"arch={architecture} "))
        self.line = f"{kind} [{which}signed-by={KEYS}] {MIRROR}/{archive} {suite} main"
        self.options = {
            "Dir::State": self.folder / "state", "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
            **({} if architecture == SOURCES else {"APT::Architecture": architecture,
                                                   "APT::Architectures": architecture}),
            # A mirror may lag; signatures are still verified.
            "Acquire::Check-Valid-Until": "false", "Acquire::Languages": "none",
            "Acquire::Retries": 3, "APT::Sandbox::User": "root"}

    def _apt(self, program: str, *arguments: str, **more) -> str:
        options = [word for key, value in self.options.items() for word in ("-o", f"{key}={value}")]
        return _run([program, "-q", *options, *arguments],
                    f"{program} {' '.join(arguments)} of {self.name}", **more)

    def _update(self) -> None:
        if (self.folder / "updated").exists():
            return
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(self.line + "\n", encoding="utf-8")
        self._apt("apt-get", "update")
        (self.folder / "updated").touch()

    def _with_lists(self, attempt: Callable[[], None]) -> None:
        """Twice: the lists may be of yesterday, and the mirror have moved on."""
        try:
            self._update()
            attempt()
        except CannotBeMade:
            (self.folder / "updated").unlink(missing_ok=True)
            self._update()
            attempt()

    def _newest(self, pattern: str) -> str:
        """The name that a pattern stands for: of several, the one whose version is highest."""
        if not any(sign in pattern for sign in "*?["):
            return pattern
        names = [name for name in self._apt("apt-cache", "pkgnames").split()
                 if fnmatch.fnmatch(name, pattern)]
        versions = {}
        for name in names:
            shown = self._apt("apt-cache", "show", "--no-all-versions", name)
            version = [line.split()[1] for line in shown.splitlines()
                       if line.startswith("Version:")]
            if version:
                versions[name] = version[0]
        if not versions:
            raise CannotBeMade(f"{self.name} has no package {pattern}")
        best = next(iter(versions))
        for name, version in versions.items():
            newer = subprocess.run(["dpkg", "--compare-versions", version, "gt", versions[best]],
                                   check=False)
            best = name if newer.returncode == 0 else best
        return best

    def unpacked(self, pattern: str, *parts: str) -> Path:
        """The folder of a package's files, of which only those that match the parts are there."""
        kept = cache() / "unpacked" / self.name / pattern.replace("*", "_")
        if kept.exists():
            return kept
        with locked(f"apt-{self.name}"):
            if kept.exists():
                return kept
            self._with_lists(lambda: self._unpack(pattern, parts, kept))
            return kept

    def source(self, package: str, to: Path) -> None:
        """Unpacks the source of a package, with Debian's patches, as a new folder."""
        install("dpkg-source", "dpkg-dev")
        with locked(f"apt-{self.name}"):
            parts = to.with_suffix(".parts")
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
            self._with_lists(lambda: self._apt("apt-get", "source", package, cwd=parts))
            unpacked = [path for path in parts.iterdir() if path.is_dir()]
            if len(unpacked) != 1:
                raise CannotBeMade(f"the source of {package} is {len(unpacked)} folders")
            unpacked[0].rename(to)
            shutil.rmtree(parts)

    def _unpack(self, pattern: str, parts: tuple[str, ...], kept: Path) -> None:
        package = self._newest(pattern)
        folder = self.debs / self.name
        folder.mkdir(parents=True, exist_ok=True)
        self._apt("apt-get", "download", package, cwd=folder)
        deb = max(folder.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        fresh = kept.with_suffix(".fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        # tar also fails where one of the patterns alone matches nothing: what came out decides.
        _run(["sh", "-ec", 'deb="$1" to="$2"; shift 2; dpkg-deb --fsys-tarfile "$deb" | '
              'tar -x -C "$to" --wildcards "$@" || test -n "$(find "$to" -type f)"', "sh", str(deb),
              str(fresh), *parts], f"unpacking {deb.name}")
        deb.unlink()
        fresh.rename(kept)
