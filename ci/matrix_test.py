"""The matrix as a user runs it: two runs, both green, with the same outcomes.

Usage: matrix_test.py LOOPSCOPE WORK_FOLDER [--once]
Own loops keep every promise that applies to them: no red cell, also none that is expected.
"""

import shutil
import sys
import time
from pathlib import Path

from runs import RED, Failure, check, different_outcomes, load_report, run_checked

OWN_LOOPS = ("select", "poll", "epoll")


def judged_run(tool: Path, folder: Path) -> dict:
    """One run of the default selection, held against what every run has to be."""
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    run_checked(tool, "run", "--out", str(folder))
    report = load_report(folder)
    check(report["complete"] and report["verdict"] == "green",
          f"complete {report['complete']}, verdict {report['verdict']}; expected a green run")
    bad = [f"{c['loop']} {c['scenario']}: {c['outcome']} ({c.get('reason', '')})"
           for c in report["cells"] if c["loop"] in OWN_LOOPS and c["outcome"] in RED]
    check(not bad, "own loops break promises:\n  " + "\n  ".join(bad))
    judged = sum(c["loop"] in OWN_LOOPS and c["outcome"] == "pass" for c in report["cells"])
    check(judged > 300, f"only {judged} cells of own loops passed: the selection is too small")
    print(f"{folder.name}: {len(report['cells'])} cells, {judged} passed by own loops, "
          f"{time.monotonic() - began:.1f} s")
    return report


def main(tool: Path, work: Path, once: bool) -> None:
    first = judged_run(tool, work / "first")
    if once:
        return
    second = judged_run(tool, work / "second")
    different = different_outcomes(first, second)
    check(not different, "outcomes changed between two runs:\n  " + "\n  ".join(different))
    print("the same outcomes twice")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), "--once" in sys.argv[3:])
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
