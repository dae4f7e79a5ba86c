"""The same programs on our loops and on asyncio: their traces are equal, line by line.

Usage: ported_test.py LOOPSCOPE_PORTED [--show PROGRAM]
Each program of ported/ exists in C++ and in Python. Both run under select, poll and epoll; what
runs under io_uring is held against asyncio's epoll, which has no loop of this kind for Unix. Where
they differ on purpose, ported/differences.json says how and why; an entry that no longer differs
is an error, as is a program that exists on one side only.
"""

import json
import subprocess
import sys
from pathlib import Path

from runs import Failure, check, environment

LOOPS = ("select", "poll", "epoll", "io_uring")
THEIRS = {"io_uring": "epoll"}
FOLDER = Path(__file__).resolve().parent / "ported"
NOT_JUDGED: set[str] = set()  # what a loop or this Python lacks the means for
LIMIT = 60  # seconds for all programs of one side on one loop; they take about two


def listed(command: list[str], what: str = "--list") -> list[str]:
    return subprocess.run([*command, what], env=environment(), text=True, check=True,
                          capture_output=True, timeout=LIMIT).stdout.split()


def parse(output: str) -> dict[str, list[str]]:
    """Programs and the lines of their traces."""
    traces: dict[str, list[str]] = {}
    name = ""
    for line in output.splitlines():
        if line.startswith("== "):
            name = line[3:]
            traces[name] = []
        else:
            traces.setdefault(name, []).append(line)
    return traces


def traces(command: list[str], loop: str, names: list[str]) -> dict[str, list[str]]:
    """The trace of every program. One that crashes or hangs ends its own trace, not the others."""
    found: dict[str, list[str]] = {}
    left = list(names)
    while left:
        try:
            done = subprocess.run([*command, loop, *left], env=environment(), timeout=LIMIT,
                                  capture_output=True, stdin=subprocess.DEVNULL, check=False)
            end, output = f"exit code {done.returncode}", done.stdout
            errors = done.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            end, output = "hang", late.stdout or b""
            errors = (late.stderr or b"").decode(errors="replace")
            done = None
        new = parse(output.decode(errors="replace"))
        found.update(new)
        if done is not None and done.returncode == 0:
            break
        check(bool(new), f"{' '.join(command)} {loop}: {end}\n{errors[-4000:]}")
        last = list(new)[-1]
        found[last].append(f"ended by {end}: {errors[-1000:]}")
        left = left[left.index(last) + 1:]
    return found


def differences() -> dict[str, dict]:
    """The intended differences, by program. Each says ours, asyncio's, why, and where it holds."""
    entries = json.loads((FOLDER / "differences.json").read_text(encoding="utf-8"))
    for entry in entries:
        check(bool(entry["why"]) and entry["ours"] != entry["asyncio"],
              f"{entry['program']}: a difference needs a reason and two traces that differ")
    return {entry["program"]: entry for entry in entries}


def holds(entry: dict, loop: str) -> bool:
    """Whether a difference is expected here: of this loop, and of this version of Python."""
    until = tuple(entry.get("python_until", (99, 0)))
    return loop in entry.get("loops", LOOPS) and sys.version_info[:2] <= until


def judge(name: str, loop: str, ours: list[str], theirs: list[str], entry: dict) -> list[str]:
    """Complaints about one program on one loop. One that a side cannot run is not judged."""
    if any(side[:1] and side[0].startswith("needs ") for side in (ours, theirs)):
        NOT_JUDGED.add(name)
        return []
    if entry and holds(entry, loop):
        if ours == theirs:
            return [f"{name} on {loop}: no longer differs, its entry is stale"]
        wanted = entry["ours"], entry["asyncio"]
    else:
        wanted = theirs, theirs
    if (ours, theirs) == wanted:
        return []
    width = max((len(line) for line in ours), default=0) + 2
    rows = [f"    {a:<{max(width, 12)}}{'  ' if a == b else '! '}{b}" for a, b in
            zip(ours + [""] * (len(theirs) - len(ours)), theirs + [""] * (len(ours) - len(theirs)))]
    return ["\n".join([f"{name} on {loop}: ours on the left, asyncio on the right", *rows])]


def main(binary: str) -> None:
    ours, theirs = [binary], [sys.executable, str(FOLDER / "asyncio_programs.py")]
    names = listed(ours)
    check(names == listed(theirs), "the two sides do not list the same programs:\n  " +
          "\n  ".join(sorted(set(names) ^ set(listed(theirs)))))
    check(len(names) == len(set(names)), "a program is listed twice")
    intended = differences()
    check(intended.keys() <= set(names), f"unknown: {sorted(intended.keys() - set(names))}")
    present = [loop for loop in LOOPS if loop in listed(ours, "--loops")]
    check(set(THEIRS) >= set(LOOPS) - set(present), f"loops that are missing: only {present}")
    complaints = []
    for loop in present:
        here, there = traces(ours, loop, names), traces(theirs, THEIRS.get(loop, loop), names)
        for name in names:
            complaints += judge(name, loop, here.get(name, ["missing"]),
                                there.get(name, ["missing"]), intended.get(name, {}))
    check(not complaints, f"{len(complaints)} differences\n" + "\n".join(complaints))
    print(f"{len(names)} programs on {len(present)} loops, {len(intended)} intended differences, "
          f"{len(NOT_JUDGED)} not judged")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Failure as failure:
        sys.exit(f"ported_test: {failure}")
