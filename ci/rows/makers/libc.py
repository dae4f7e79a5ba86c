"""Rows with another version of glibc: the executable that loads its libraries, in a small root
where the libc of a suite of Debian is in the place of this machine's. Its package is downloaded and
not installed."""

import os
import shutil
import subprocess
from pathlib import Path

from rows import packages, small_root
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"suite": (str, True)}  # Debian's suite that has this version
JOBS = 4

# A root, and not the loader as a command: cells start /proc/self/exe anew, which would be the
# loader. Everything but the files is as it is outside.
ENTER = r"""
set -e
for part in dev proc sys; do mount --rbind "/$part" "$1/$part"; done
mount --bind "$2" "$1/out"
root="$1"
shift 2
exec chroot "$root" "$@"
"""


def libraries_of(program: Path) -> list[Path]:
    """What the loader of this machine would load."""
    done = subprocess.run(["ldd", str(program)], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBeMade(f"ldd: {done.stderr.strip() or done.stdout.strip()}")
    words = [line.split() for line in done.stdout.splitlines()]
    return [Path(line[2]) for line in words if line[1:2] == ["=>"] and line[2].startswith("/")]


def install_libraries(root: Path, libc: Path, program: Path) -> None:
    """The suite's own first: of what the program needs only the rest is this machine's."""
    folder = root / "lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (root / "lib64").mkdir()
    for path in libc.rglob("x86_64-linux-gnu/*.so*"):
        shutil.copy(path, folder / path.name)
    shutil.copy(folder / "ld-linux-x86-64.so.2", root / "lib64")
    for path in libraries_of(program):
        if not (folder / path.name).exists():
            shutil.copy(path, folder)


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    libc = packages.View(work.row.how["suite"]).unpacked("libc6", "./*lib/x86_64-linux-gnu/*")
    root = work.file("root")
    small_root.make(root, "x86_64", work.program)
    install_libraries(root, libc, work.program)
    try:
        work.run_through(["unshare", "-m", "--propagation", "private", "sh", "-c", ENTER, "sh",
                          str(root), str(work.out)], JOBS, own=False)
    finally:
        shutil.rmtree(root, ignore_errors=True)
