"""The row in a container of systemd-nspawn: its filter of system calls, a small root, no network
but loopback, registered nowhere."""

import contextlib
import os
import shutil
from pathlib import Path

from rows import packages, small_root
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"options": (list, False)}  # more for systemd-nspawn
JOBS = 4
# A folder for mounts from outside: it stays empty, and systemd-nspawn leaves it.
PROPAGATED = Path("/run/systemd/nspawn/propagate")


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    nspawn = packages.install("systemd-nspawn", "systemd-container")
    root = work.file("root")
    name = f"loopscope-{os.getpid()}"
    small_root.make(root, "x86_64", work.program)
    try:
        # What is in the container lives on where systemd-nspawn is killed; what is in a
        # namespace of processes does not.
        work.run_through(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", nspawn,
                          "--quiet", "--register=no", "--keep-unit", "--private-network",
                          "--as-pid2", "--console=pipe", "--resolv-conf=off", "--timezone=off",
                          "--link-journal=no", f"--machine={name}", f"--bind={work.out}:/out",
                          *work.row.how.get("options", ()), f"--directory={root}"], JOBS, own=False)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        with contextlib.suppress(OSError):
            (PROPAGATED / name).rmdir()
