"""The matrix as a user runs it: two runs, both green, with the same outcomes.

Usage: matrix_test.py LOOPSCOPE WORK_FOLDER [--once] [--own-loops]
       matrix_test.py LOOPSCOPE WORK_FOLDER --uring-levels
Own loops keep every promise that applies to them: no red cell, also none that is expected. With
--uring-levels that is asked of io_uring alone, on each step of its ladder below the first. Exit
code 77: io_uring is not to be had here.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from runs import RED, Failure, check, different_outcomes, load_report, run, run_checked

OWN_LOOPS = ("select", "poll", "epoll", "io_uring")
LEVELS_BELOW = ("coop", "plain", "oneshot", "copy", "basic")


def check_schema(report: dict) -> None:
    """Holds a real report against the published schema, where a validator is installed."""
    try:
        import jsonschema
    except ImportError:
        print("not judged: no jsonschema, so the schema of report.json")
        return
    path = Path(__file__).resolve().parent.parent / "reports/schema/report.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
              for error in validator.iter_errors(report)]
    check(not errors, "report.json breaks its schema:\n  " + "\n  ".join(errors[:20]))


def judged_run(tool: Path, folder: Path, *selection: str) -> dict:
    """One run of the default selection, held against what every run has to be."""
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    run_checked(tool, "run", *selection, "--out", str(folder))
    report = load_report(folder)
    check_schema(report)
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


def uring_levels(tool: Path, work: Path) -> int:
    if run(tool, "run", "--loop", "io_uring", "--scenario", "sched.soon.fifo", "--out",
           str(work / "any")).returncode != 0:
        print("not judged: io_uring is not to be had here")
        return 77
    for level in LEVELS_BELOW:
        report = judged_run(tool, work / level, "--loop", "io_uring", "--uring", level)
        said = [p["value"] for c in report["cells"] for p in c.get("backend", {}).get("proof", [])
                if p["how"] == "the loop's own words"]
        check(len(said) > 300, f"level {level}: only {len(said)} cells say what they ran on")
        words = {value.partition("version ")[2].partition(":")[0] for value in said}
        check(words == {level}, f"cells of level {level} ran on {sorted(words)}")
    return 0


def main(tool: Path, work: Path, options: list[str]) -> int:
    if "--uring-levels" in options:
        return uring_levels(tool, work)
    selection = ("--loop", ",".join(OWN_LOOPS)) if "--own-loops" in options else ()
    first = judged_run(tool, work / "first", *selection)
    if "--once" in options:
        return 0
    second = judged_run(tool, work / "second", *selection)
    different = different_outcomes(first, second)
    check(not different, "outcomes changed between two runs:\n  " + "\n  ".join(different))
    print("the same outcomes twice")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
