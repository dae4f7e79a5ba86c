"""Rows on User Mode Linux: a kernel that is a program here. Its root is a folder of this system,
where it leaves its results; its first process is ci/rows/guest/init.c."""

import os
import shutil

from rows import guest_root, packages
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"append": (str, False),      # more for the kernel's command line
        "guest": (list, False),      # more lines of /row/commands, before loopscope runs
        "memory_mb": (int, False)}
JOBS = 4
# Every system call of a process goes to another one by ptrace.
LEAST_SCALE = 5


def run(work: Work) -> None:
    how = work.row.how
    linux = packages.install("linux.uml", "user-mode-linux")
    root = work.file("root")
    guest_root.make(work, root, "gcc", LEAST_SCALE, JOBS, "/out", after=["power_off"])
    try:
        # Its memory is a file, and not of a disk.
        work.call([linux, f"mem={how.get('memory_mb', 1024)}M", "root=/dev/root",
                   "rootfstype=hostfs", f"rootflags={root}", "rw", "init=/init", "quiet",
                   "con=null", "con0=null,fd:1", "con1=null", *how.get("append", "").split()],
                  "console.log", env={**os.environ, "TMPDIR": "/dev/shm"})
        guest_root.keep_scale(work, "console.log")
        if not (root / "out/journal.ndjson").exists():
            raise CannotBeMade(f"it left no journal: {work.last_words('console.log')}")
        shutil.copy(root / "out/journal.ndjson", work.file("journal.ndjson"))
    finally:
        shutil.rmtree(root, ignore_errors=True)
