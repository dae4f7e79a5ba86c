"""A run that is killed at a random moment loses nothing that it had written, and can go on.

Usage: resume_test.py LOOPSCOPE WORK_FOLDER [SEED]
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from runs import (Failure, check, different_outcomes, environment, journal_lines, key, load_report,
                  run, run_checked)

SELECTION = ("--loop", "epoll")


def cells_in(journal: Path) -> dict:
    return {key(line["cell"]): line["cell"] for line in journal_lines(journal) if "cell" in line}


def start(tool: Path, folder: Path) -> subprocess.Popen:
    shutil.rmtree(folder, ignore_errors=True)
    return subprocess.Popen([tool, "run", *SELECTION, "--out", str(folder)], env=environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def wait_for_cells(process: subprocess.Popen, journal: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(cells_in(journal)) < count:
        check(process.poll() is None, f"the run ended by itself, exit code {process.returncode}")
        check(time.monotonic() < deadline, f"no {count} cells after 300 s")
        time.sleep(0.01)


def processes_naming(text: str) -> list[str]:
    """Command lines of running processes that contain a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and "resume_test.py" not in line:
            found.append(f"{entry.name}: {line}")
    return found


def check_nobody_is_left(tool: Path) -> None:
    """Cells whose runner has died end by themselves."""
    deadline = time.monotonic() + 20
    while (left := processes_naming(f"{tool} serve-cells")) and time.monotonic() < deadline:
        time.sleep(0.05)
    check(not left, "processes outlived their killed runner:\n  " + "\n  ".join(left))


def kill_and_resume(tool: Path, folder: Path, count: int, whole: dict) -> None:
    journal = folder / "journal.ndjson"
    process = start(tool, folder)
    wait_for_cells(process, journal, count)
    process.send_signal(signal.SIGKILL)
    process.wait()
    check_nobody_is_left(tool)
    before = cells_in(journal)
    with journal.open("ab") as stream:  # what a crash in the middle of a line leaves
        stream.write(b'{"cell":{"loop":"epo')

    cut = run(tool, "report", str(journal), "--format", "json")
    check(cut.returncode == 2, f"a cut journal is verdict unknown: exit code {cut.returncode}, "
          f"expected 2\n{cut.stderr[-2000:]}")

    run_checked(tool, "run", "--resume", str(journal))
    after = cells_in(journal)
    lost = [name for name in before if after.get(name) != before[name]]
    check(not lost, f"results were lost or changed by the resumption: {lost}")
    report = load_report(folder)
    check(report["complete"], "the resumed run is not complete")
    different = different_outcomes(whole, report)
    check(not different, "the resumed run differs from an undisturbed one:\n  "
          + "\n  ".join(different))
    print(f"killed after {len(before)} cells, resumed to {len(after)}")


def check_termination(tool: Path, folder: Path) -> None:
    """SIGTERM ends the run with its own exit code, and what was measured can be read."""
    process = start(tool, folder)
    wait_for_cells(process, folder / "journal.ndjson", 3)
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=60)
    check(code == 143, f"SIGTERM: exit code {code}, expected 143")
    report = load_report(folder)
    check(not report["complete"] and report["verdict"] == "unknown",
          "an interrupted run calls itself complete")
    check_nobody_is_left(tool)
    print("terminated: exit code 143, an incomplete report")


def main(tool: Path, work: Path, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    shutil.rmtree(work / "whole", ignore_errors=True)
    run_checked(tool, "run", *SELECTION, "--out", str(work / "whole"))
    whole = load_report(work / "whole")
    ran = len(cells_in(work / "whole" / "journal.ndjson"))
    for attempt in range(2):
        kill_and_resume(tool, work / f"killed-{attempt}", chance.randrange(1, ran * 3 // 4), whole)
    check_termination(tool, work / "terminated")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]),
             int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(10**6))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
