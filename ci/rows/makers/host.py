"""Rows on this kernel: behind a command, or in a world of ci/rows/worlds.py, or both."""

import os
import sys
from pathlib import Path

from rows import packages
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = ""
KEYS = {"world": (str, False),     # a function of ci/rows/worlds.py
        "command": (list, False),  # what comes before the executable
        "packages": (list, False),  # what has the command's first word, where it is missing
        "root": (bool, False)}     # true: this user cannot make it
JOBS = 4


def run(work: Work) -> None:
    how = work.row.how
    if how.get("root") and os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    enter = [*how.get("command", ())]
    if "packages" in how:
        packages.install(enter[0], *how["packages"])
    if "world" in how:
        script = Path(__file__).resolve().parent.parent / "worlds.py"
        enter = [sys.executable, str(script), how["world"], "--", *enter]
    # The user of the row may be another one, who has to write there.
    work.out.chmod(0o777)
    work.run_through(enter, JOBS)
