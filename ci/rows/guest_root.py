"""The root of a machine whose first process is ci/rows/guest/init.c, and what that says of it."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from rows import packages, small_root
from rows.reasons import CannotBeMade
from rows.work import CALIBRATION, Work


def first_process(compiler: str) -> Path:
    source = Path(__file__).resolve().parent / "guest/init.c"
    made = packages.cache() / "guest" / f"init-{compiler}"
    with packages.locked(f"init-{compiler}"):
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            packages.install(compiler, compiler.replace("_", "-"))
            made.parent.mkdir(exist_ok=True)
            done = subprocess.run([compiler, "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-o",
                                   str(made), str(source)], check=False, capture_output=True,
                                  text=True)
            if done.returncode != 0:
                raise CannotBeMade(f"{compiler} refuses ci/rows/guest/init.c: {done.stderr[:300]}")
    return made


def make(work: Work, root: Path, compiler: str, least_scale: float, jobs: int, out: str,
         before: Iterable[str] = (), after: Iterable[str] = ()) -> None:
    """Makes the folder. `out`: where results go; `before` and `after`: more lines of its commands,
    around those that every row has."""
    small_root.make(root, work.row.binary)
    (root / "row").mkdir()
    shutil.copy(first_process(compiler), root / "init")
    shutil.copy(work.program, root / "row/loopscope")
    lines = [*before, "loopback", f"folder {out}", "nofile 4096",
             f"limit_scale {work.unscaled_ns} {least_scale}", *work.row.how.get("guest", ()),
             f"calibrate {' '.join(CALIBRATION)} --out /tmp/calibration",
             f"run {' '.join(work.arguments('@SCALE@', out, jobs))}", *after]
    (root / "row/commands").write_text("\n".join(lines) + "\n", encoding="utf-8")


def keep_scale(work: Work, console: str) -> None:
    """How much more time its cells had, out of the log with what it said."""
    said = work.file(console).read_text(encoding="utf-8", errors="replace")
    if scale := re.search(r"@@row scale ([0-9.]+)", said):
        work.file("scale").write_text(scale.group(1) + "\n", encoding="utf-8")
