"""Rows on gVisor, a kernel of its own that runs as a process here (runsc). Its package is
downloaded and not installed."""

import os

from rows import packages
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"suite": (str, True),      # Debian's suite that has this version
        "platform": (str, True),   # how it takes over system calls: systrap, ptrace
        "options": (list, False)}  # more for runsc
JOBS = 4


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    how = work.row.how
    runsc = packages.View(how["suite"]).unpacked("runsc", "./usr/bin/*") / "usr/bin/runsc"
    # Any other network would change settings of this machine.
    work.run_through([str(runsc), f"--platform={how['platform']}", "--network=none",
                      "--ignore-cgroups", *how.get("options", ()), "do", "-force-overlay=false"],
                     JOBS)
