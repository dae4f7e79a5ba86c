"""Rows in a container of podman with crun: the default filter of system calls, a small root, no
network but loopback, nothing of this system's control groups."""

import os
import shutil
import tempfile

from rows import packages, small_root
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"options": (list, False)}  # more for podman run
JOBS = 4


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    packages.install("crun", "crun")
    podman = packages.install("podman", "podman", "crun", "golang-github-containers-common")
    folder = work.file("container")
    small_root.make(folder / "root", "x86_64", work.program)
    # crun takes no hybrid control groups; limits can only be lowered here.
    run_root = tempfile.mkdtemp(prefix="podman-")  # podman takes no path of more than 50 characters
    inside = ["--root", folder / "storage", "--runroot", run_root, "--tmpdir",
              folder / "tmp", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
              "--events-backend", "none", "--runtime", "crun", "run", "--rm", "--network", "none",
              "--cgroups=disabled", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096",
              "-v", f"{work.out}:/out", *work.row.how.get("options", ()), "--rootfs",
              folder / "root"]
    leave = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""
    try:
        work.run_through(["unshare", "-m", "--propagation", "private", "sh", "-c", leave, "sh",
                          podman, *map(str, inside)], JOBS, own=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(run_root, ignore_errors=True)
