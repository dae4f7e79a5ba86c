"""The row of Windows by Wine: ci/rows/windows-wine builds loopscope.exe and runs it."""

import os
import shutil
from pathlib import Path

from rows.reasons import CannotBeMade
from rows.work import ROOT, Work

LABEL = "wine"
KEYS = {"options": (list, False)}  # for ci/rows/windows-wine: --without-tls
SCRIPT = Path(__file__).resolve().parent.parent / "windows-wine"


def run(work: Work) -> None:
    if os.geteuid() != 0:
        raise CannotBeMade("it takes root to make it")
    # Of this machine the row sees the repository alone.
    folder = ROOT / "build/windows/matrix"
    shutil.rmtree(folder, ignore_errors=True)
    options = work.row.how.get("options", ())

    def script(log: str, made: str, *arguments: str) -> None:
        code = work.call([SCRIPT, *options, *arguments], log,
                         env={**os.environ, "LOOPSCOPE_OUT": str(folder)})
        if not (folder / made).exists():
            raise CannotBeMade(f"exit code {code}: {work.last_words(log)}")

    script("calibration.log", "scale", "--calibrate")
    scale = (folder / "scale").read_text(encoding="utf-8").strip()
    shutil.copy(folder / "scale", work.file("scale"))
    # Cells wait for the server of Wine more than they run.
    jobs = 2 * (os.cpu_count() or 1)
    script("run.log", "run/journal.ndjson", "--", *work.arguments(scale, f"{folder}/run", jobs))
    shutil.copy(folder / "run/journal.ndjson", work.file("journal.ndjson"))
