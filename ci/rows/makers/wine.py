"""The row of Windows by Wine: ci/rows/windows-wine builds loopscope.exe and runs it."""

import json
import os
import shutil
from pathlib import Path

from rows.reasons import CannotBeMade
from rows.work import CALIBRATION, ROOT, Work

LABEL = "wine"
KEYS = {"options": (list, False)}  # for ci/rows/windows-wine: --without-tls
SCRIPT = Path(__file__).resolve().parent.parent / "windows-wine"


def took_ns(journal: Path) -> float:
    """Of the cells alone: what comes before them here is a build and the start of Wine."""
    lines = journal.read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1])["footer"]["took_ns"]


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    # Of this machine the row sees the repository alone.
    folder = ROOT / "build/windows/matrix"
    shutil.rmtree(folder, ignore_errors=True)
    options = work.row.how.get("options", ())

    def loopscope(log: str, *arguments: str) -> None:
        code = work.call([SCRIPT, *options, "--", *arguments], log)
        if not (folder / log.removesuffix(".log") / "journal.ndjson").exists():
            raise CannotBeMade(f"exit code {code}: {work.last_words(log)}")

    loopscope("calibration.log", *CALIBRATION, "--out", f"{folder}/calibration")
    here = work.out.parent / "calibration/journal.ndjson"
    scale = f"{max(1.0, took_ns(folder / 'calibration/journal.ndjson') / took_ns(here)):.2f}"
    work.file("scale").write_text(scale + "\n", encoding="utf-8")
    # Cells wait for the server of Wine more than they run.
    jobs = 2 * (os.cpu_count() or 1)
    loopscope("run.log", *work.arguments(scale, f"{folder}/run", jobs))
    shutil.copy(folder / "run/journal.ndjson", work.file("journal.ndjson"))
